package torture_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/edgecache/edgecache/bench/http/torture"
)

// noPurge is for proxies that have nothing to purge.
func noPurge(context.Context, torture.By, string, bool) error { return nil }

// serve starts a quiet server.
func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// forward returns a proxy without a cache.
func forward(t *testing.T, origin string) *httputil.ReverseProxy {
	to, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
}

func TestProxyWithoutCacheIsRight(t *testing.T) {
	tt := torture.New(torture.Config{Duration: 2 * time.Second, Clients: 8, Objects: 72})
	proxy := serve(t, forward(t, serve(t, tt.Origin())))
	r := tt.Run(t.Context(), proxy, noPurge)
	if r.Wrong > 0 || r.Requests < 50 || r.Resets == 0 || r.BrokenOff == 0 || r.NotModified == 0 {
		t.Errorf("a proxy that forwards everything:\n%v", r)
	}
}

// careless keeps what it gets by its URL alone, for ever.
type careless struct {
	next http.Handler

	mu   sync.Mutex
	kept map[string]*httptest.ResponseRecorder
}

func (c *careless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	res := c.kept[r.URL.Path]
	if res == nil {
		res = httptest.NewRecorder()
		func() {
			defer func() { _ = recover() }() // what was broken off is kept, too
			c.next.ServeHTTP(res, r)
		}()
		c.kept[r.URL.Path] = res
	}
	for name, values := range res.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(res.Code)
	_, _ = w.Write(res.Body.Bytes())
}

func TestCarelessCacheIsFound(t *testing.T) {
	tt := torture.New(torture.Config{Duration: time.Second, Clients: 8, Objects: 72})
	proxy := serve(t, &careless{next: tt.Origin(), kept: map[string]*httptest.ResponseRecorder{}})
	if r := tt.Run(t.Context(), proxy, noPurge); r.Wrong < 10 {
		t.Errorf("a cache that keeps everything:\n%v", r)
	}
}
