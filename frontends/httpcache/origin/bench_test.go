package origin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// BenchmarkForward compares a Forwarder with a plain httputil.ReverseProxy on the same transport, for an answer of 1 KiB.
func BenchmarkForward(b *testing.B) {
	body := make([]byte, 1<<10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	defer s.Close()
	f, err := New(Options{Routes: []Route{{Origins: []Origin{{URL: s.URL}}}}})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		b.Fatal(err)
	}
	plain := &httputil.ReverseProxy{Transport: f.plain, BufferPool: f.proxy.BufferPool, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.SetXForwarded()
	}}
	for name, h := range map[string]http.HandlerFunc{
		"forwarder": func(w http.ResponseWriter, r *http.Request) {
			if err := f.Forward(w, r); err != nil {
				b.Error(err)
			}
		},
		"reverseproxy": plain.ServeHTTP,
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://a.example/x?y", http.NoBody)
			b.ReportAllocs()
			for b.Loop() {
				h(&nothing{header: make(http.Header)}, r)
			}
		})
	}
}

// nothing takes an answer.
type nothing struct{ header http.Header }

func (n *nothing) Header() http.Header         { return n.header }
func (n *nothing) Write(p []byte) (int, error) { return io.Discard.Write(p) }
func (n *nothing) WriteHeader(int)             {}
