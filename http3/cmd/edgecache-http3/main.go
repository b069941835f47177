// Command edgecache-http3 is "edgecache proxy" in small, with HTTP/3: it shows how to put the parts together in a program that
// has QUIC. HTTP/1.1 and HTTP/2 are served on the TCP port of the same number and tell of HTTP/3.
//
//	edgecache-http3 -to http://127.0.0.1:3000 -listen :443 -tls-cert cert.pem -tls-key key.pem
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache"
	"github.com/edgecache/edgecache/frontends/httpcache/guard"
	"github.com/edgecache/edgecache/frontends/httpcache/origin"
	"github.com/edgecache/edgecache/http3"
	"github.com/edgecache/edgecache/internal/certs"
)

// settings are the flags.
type settings struct {
	to, listen, cert, key string
	memory                int64
}

func main() {
	var s settings
	flag.StringVar(&s.to, "to", "", "`URLs` of the origins, with commas between them")
	flag.StringVar(&s.listen, "listen", "127.0.0.1:8443", "`host:port` of TCP and UDP")
	flag.StringVar(&s.cert, "tls-cert", "", "`file` in PEM with the certificate")
	flag.StringVar(&s.key, "tls-key", "", "`file` in PEM with its key")
	flag.Int64Var(&s.memory, "max-memory", 256<<20, "most `bytes` that the cache holds")
	flag.Parse()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s, logger); err != nil {
		logger.LogAttrs(ctx, slog.LevelError, "failed", slog.Any("error", err))
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

// run serves until ctx ends.
func run(ctx context.Context, s settings, logger *slog.Logger) (err error) {
	files, err := certs.Open(s.cert, s.key, logger)
	if err != nil {
		return err
	}
	p, err := newProxy(s, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	var lc net.ListenConfig
	tcp, err := lc.Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	return p.serve(ctx, tcp, &tls.Config{GetCertificate: files.Certificate, NextProtos: []string{"h2", "http/1.1"}}, logger)
}

// proxy is a cache in memory before origins.
type proxy struct {
	cache   *core.Cache
	origins *origin.Forwarder
	http    *httpcache.Cache
	guard   *guard.Guard
}

func newProxy(s settings, logger *slog.Logger) (_ *proxy, err error) {
	p := new(proxy)
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	near, err := memory.New(memory.Options{MaxBytes: s.memory, Logger: logger})
	if err != nil {
		return nil, err
	}
	p.cache, err = core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: near}}, Logger: logger})
	if err != nil {
		return nil, errors.Join(err, near.Close())
	}
	var route origin.Route
	for url := range strings.SplitSeq(s.to, ",") {
		route.Origins = append(route.Origins, origin.Origin{URL: url})
	}
	if p.origins, err = origin.New(origin.Options{Routes: []origin.Route{route}, Logger: logger}); err != nil {
		return nil, err
	}
	if p.http, err = httpcache.New(httpcache.Options{Cache: p.cache.Namespace("http"), Logger: logger}); err != nil {
		return nil, err
	}
	p.guard, err = guard.New(guard.Options{})
	return p, err
}

// close ends the parts from the outside in.
func (p *proxy) close() error {
	var errs []error
	if p.http != nil {
		errs = append(errs, p.http.Close())
	}
	if p.origins != nil {
		errs = append(errs, p.origins.Close())
	}
	if p.cache != nil {
		errs = append(errs, p.cache.Close())
	}
	return errors.Join(errs...)
}

// stopTimeout bounds the waiting for answers under way.
const stopTimeout = 10 * time.Second

// serve serves on a TCP port, and on the UDP port of the same number.
func (p *proxy) serve(ctx context.Context, tcp net.Listener, config *tls.Config, logger *slog.Logger) error {
	handler := p.guard.Handler(origin.Duplex(p.http.Proxy(p.origins)))
	quic, err := http3.Listen(ctx, tcp.Addr().String(), http3.Options{Handler: handler, TLS: config, Logger: logger})
	if err != nil {
		return errors.Join(err, tcp.Close())
	}
	server := &http.Server{Handler: quic.AltSvc(handler), ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
	p.guard.Server(server)
	ln := p.guard.Listen(server, tcp, config, nil)
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(ln) }()
	go func() { failed <- quic.Serve() }()
	logger.LogAttrs(ctx, slog.LevelInfo, "ready", slog.String("listen", tcp.Addr().String()))
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(err, server.Shutdown(stopping), quic.Shutdown(stopping))
}
