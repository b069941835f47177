package httpcache_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

// maxAllocs is how many allocations a hit may have beyond what net/http has for a handler that writes the same.
const maxAllocs = 4

// discard is a writer that costs nothing but its header, which it makes as net/http does.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// plain is the origin of a response as many are.
func plain(size int) http.HandlerFunc {
	body := bytes.Repeat([]byte("x"), size)
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Content-Type"] = []string{"text/plain"}
		h["Cache-Control"] = []string{"max-age=3600"}
		h["Etag"] = []string{`"abc"`}
		_, _ = w.Write(body)
	}
}

func TestHitAllocations(t *testing.T) {
	h := newCache(t, httpcache.Options{}).Handler(plain(1 << 10))
	r := httptest.NewRequest(http.MethodGet, "/some/path?with=query", nil)
	r.Header.Set("User-Agent", "test")
	r.Header.Set("Accept-Encoding", "gzip")
	w := &discard{header: http.Header{}}
	h.ServeHTTP(w, r)
	n := testing.AllocsPerRun(1000, func() {
		clear(w.header)
		h.ServeHTTP(w, r)
	})
	if w.header.Get("Cache-Status") != "edgecache; hit; ttl=3600" {
		t.Fatalf("Cache-Status = %q, want a hit", w.header.Get("Cache-Status"))
	}
	if n > maxAllocs {
		t.Errorf("a hit allocates %v times, want at most %d", n, maxAllocs)
	}
	t.Logf("%v allocations", n)
}

func BenchmarkHit(b *testing.B) {
	h := newCache(b, httpcache.Options{}).Handler(plain(1 << 10))
	r := httptest.NewRequest(http.MethodGet, "/some/path?with=query", nil)
	w := &discard{header: http.Header{}}
	h.ServeHTTP(w, r)
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// BenchmarkMiss compares what can't be stored with what passes without a cache.
func BenchmarkMiss(b *testing.B) {
	o := newOrigin(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(make([]byte, 1<<10))
	})
	f := o.forwarder()
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = f.Forward(w, r) })
	for name, h := range map[string]http.Handler{"bare": bare, "cache": newCache(b, httpcache.Options{}).Proxy(f)} {
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://h/a", nil)
				h.ServeHTTP(&discard{header: http.Header{}}, r)
			}
		})
	}
}
