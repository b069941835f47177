package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/edgecache/edgecache/internal/certs"
	"github.com/edgecache/edgecache/internal/config"
)

// certificates are what HTTPS is served with: from files, or from an authority.
type certificates struct {
	config *tls.Config // nil: plain HTTP
	files  *certs.Files
	acme   *autocert.Manager
}

func (s *proxyServer) wireCertificates(context.Context) (err error) {
	switch o := s.proxy; {
	case o.TLSCert != "":
		if s.certs.files, err = certs.Open(o.TLSCert, o.TLSKey, s.logger); err != nil {
			return fmt.Errorf("--tls-cert (EDGECACHE_TLS_CERT): %w", err)
		}
		s.certs.config = &tls.Config{GetCertificate: s.certs.files.Certificate, NextProtos: []string{"h2", "http/1.1"}}
	case len(o.ACME) > 0:
		if s.certs.acme, err = acmeManager(o); err != nil {
			return err
		}
		s.certs.config = s.certs.acme.TLSConfig()
		s.certs.config.GetCertificate = patient(s.certs.acme.GetCertificate)
	}
	return nil
}

// acmeManager gets certificates when the first client asks for them, and anew before they end.
func acmeManager(o *config.Proxy) (*autocert.Manager, error) {
	dir := o.ACMEDir
	if dir == config.Auto {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, usageError{fmt.Errorf("--acme-dir (EDGECACHE_ACME_DIR): there is no usual folder (%w): give one", err)}
		}
		dir = filepath.Join(base, "edgecache", "acme")
	}
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(dir), HostPolicy: autocert.HostWhitelist(o.ACME...)}
	if o.ACMEURL != "" {
		m.Client = &acme.Client{DirectoryURL: o.ACMEURL}
	}
	return m, nil
}

// patient returns get, for which a handshake waits no longer than it lasts. get goes on: it asks an authority for minutes, of which
// the next client has the use.
func patient(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	type answer struct {
		cert *tls.Certificate
		err  error
	}
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		got := make(chan answer, 1)
		go func() {
			cert, err := get(hello)
			got <- answer{cert, err}
		}()
		select {
		case a := <-got:
			return a.cert, a.err
		case <-hello.Context().Done():
			return nil, hello.Context().Err()
		}
	}
}

// redirect sends clients to https at the port of listen, and answers an authority's challenges.
func (c *certificates) redirect(listen string) http.Handler {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Host
		if host, _, err := net.SplitHostPort(name); err == nil {
			name = host
		}
		if _, port, err := net.SplitHostPort(listen); err == nil && port != "443" {
			name = net.JoinHostPort(name, port)
		}
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, "https://"+name+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})
	if c.acme != nil {
		h = c.acme.HTTPHandler(h)
	}
	return h
}
