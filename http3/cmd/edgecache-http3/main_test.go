package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	quichttp3 "github.com/quic-go/quic-go/http3"
)

// TestProxy asks by TCP, which tells of HTTP/3, and then by that: the answer is stored for both.
func TestProxy(t *testing.T) {
	asked := 0
	to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = fmt.Fprint(w, asked, " ", r.URL.RequestURI())
	}))
	defer to.Close()
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	defer certified.Close()
	roots := certified.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs

	logger := slog.New(slog.DiscardHandler)
	p, err := newProxy(settings{to: to.URL, memory: 16 << 20}, logger)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() {
		served <- p.serve(ctx, tcp, &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}, logger)
	}()

	overTCP := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	overQUIC := &quichttp3.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	_, port, _ := strings.Cut(tcp.Addr().String(), ":")
	for _, tt := range []struct {
		via                   http.RoundTripper
		proto, status, altSvc string
	}{
		{overTCP, "HTTP/2.0", "edgecache; fwd=uri-miss", "h3=\":" + port + "\"; ma=86400"},
		{overQUIC, "HTTP/3.0", "edgecache; hit", ""},
		{overTCP, "HTTP/2.0", "edgecache; hit", "h3=\":" + port + "\"; ma=86400"},
	} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+tcp.Addr().String()+"/a?b", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := tt.via.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.Proto != tt.proto || string(text) != "1 /a?b" || !strings.HasPrefix(res.Header.Get("Cache-Status"), tt.status) ||
			res.Header.Get("Alt-Svc") != tt.altSvc {
			t.Errorf("%s: %q, %v, %v", res.Proto, text, res.Header, err)
		}
	}
	overTCP.CloseIdleConnections()
	_ = overQUIC.Close()
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}

func TestRunRefuses(t *testing.T) {
	if err := run(t.Context(), settings{cert: "none", key: "none"}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no certificate is no error")
	}
	if p, err := newProxy(settings{to: "nowhere", memory: 1 << 20}, slog.New(slog.DiscardHandler)); err == nil {
		t.Errorf("no origin: %v", p)
	}
}
