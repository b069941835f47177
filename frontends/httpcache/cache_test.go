package httpcache_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache"
)

// newCache returns a Cache over memory.
func newCache(t testing.TB, o httpcache.Options) *httpcache.Cache {
	t.Helper()
	tier, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	o.Cache, err = core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: tier}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := httpcache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := o.Cache.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// origin is a server that counts.
type origin struct {
	*httptest.Server
	requests atomic.Int64
	serve    http.HandlerFunc
	rt       http.RoundTripper // nil for the server's client's
}

func newOrigin(t testing.TB, serve http.HandlerFunc) *origin {
	t.Helper()
	o := &origin{serve: serve}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.requests.Add(1)
		o.serve(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

// forwarder is a plain one to the origin.
func (o *origin) forwarder() httpcache.Forwarder {
	u, err := url.Parse(o.URL)
	if err != nil {
		panic(err)
	}
	rt := o.rt
	if rt == nil {
		rt = o.Client().Transport
	}
	return httpcache.ForwarderFunc(func(w http.ResponseWriter, r *http.Request) (err error) {
		p := httputil.ReverseProxy{
			Rewrite:   func(pr *httputil.ProxyRequest) { pr.SetURL(u); pr.Out.Host = pr.In.Host },
			Transport: rt,
			ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, e error) {
				err = &forwardError{e}
			},
		}
		p.ServeHTTP(w, r)
		return err
	})
}

type forwardError struct{ err error }

func (e *forwardError) Error() string { return e.err.Error() }

func (e *forwardError) Unwrap() []error {
	var n net.Error
	if errors.As(e.err, &n) && n.Timeout() {
		return []error{e.err, httpcache.ErrTimeout}
	}
	return []error{e.err, httpcache.ErrUnreachable}
}

// serve starts a server of the handler.
func serve(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// answer is what a client got.
type answer struct {
	*http.Response
	body string
	err  error
}

// get asks for a path with header lines "Name: value".
func get(t testing.TB, s *httptest.Server, path string, lines ...string) answer {
	t.Helper()
	return do(t, s, http.MethodGet, path, "", lines...)
}

func do(t testing.TB, s *httptest.Server, method, path, body string, lines ...string) answer {
	t.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, from)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	res, err := s.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b), err}
}

// status returns the last member of Cache-Status.
func (a answer) cacheStatus() string { return a.Header.Get("Cache-Status") }

func TestHit(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"a"`)
		_, _ = io.WriteString(w, "hello")
	})
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	first := get(t, s, "/a")
	if first.body != "hello" || first.StatusCode != 200 {
		t.Fatalf("first = %d %q, want the origin's", first.StatusCode, first.body)
	}
	if want := "edgecache; fwd=uri-miss; fwd-status=200; stored; ttl=60"; first.cacheStatus() != want {
		t.Errorf("Cache-Status = %q, want %q", first.cacheStatus(), want)
	}
	second := get(t, s, "/a")
	if second.body != "hello" || o.requests.Load() != 1 {
		t.Fatalf("second = %q after %d requests, want it stored", second.body, o.requests.Load())
	}
	if want := "edgecache; hit; ttl=60"; second.cacheStatus() != want {
		t.Errorf("Cache-Status = %q, want %q", second.cacheStatus(), want)
	}
	if second.Header.Get("Age") != "0" || second.Header.Get("Via") != "1.1 edgecache" {
		t.Errorf("header = %v, want Age and Via", second.Header)
	}
}
