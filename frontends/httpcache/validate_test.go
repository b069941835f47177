package httpcache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

// changing is an origin in the process whose representation has a version, and which knows conditions.
type changing struct {
	mu                sync.Mutex
	version           int
	cacheControl      string
	requests, matched int
	last              http.Header // of the last request
	pause             time.Duration
	extra             func(h http.Header)
}

func (c *changing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.last = r.Header.Clone()
	if c.pause > 0 {
		c.mu.Unlock()
		time.Sleep(c.pause)
		c.mu.Lock()
	}
	h := w.Header()
	tag := fmt.Sprintf(`"v%d"`, c.version)
	h.Set("Cache-Control", c.cacheControl)
	h.Set("Etag", tag)
	h.Set("X-Request", fmt.Sprint(c.requests))
	if c.extra != nil {
		c.extra(h)
	}
	if r.Header.Get("If-None-Match") == tag {
		c.matched++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = fmt.Fprintf(w, "version %d", c.version)
}

func (c *changing) counts() (requests, matched int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests, c.matched
}

func TestValidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &changing{cacheControl: "max-age=10"}
		h := newCache(t, httpcache.Options{}).Handler(o)
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		time.Sleep(20 * time.Second)

		w := ask(t.Context(), h, http.MethodGet, "http://h/a")
		if cs := w.Header().Get("Cache-Status"); cs != "edgecache; fwd=stale; fwd-status=304; stored; ttl=10" || w.Body.String() != "version 0" {
			t.Errorf("%q %q, want it validated", w.Body, cs)
		}
		if w.Header().Get("X-Request") != "2" || o.last.Get("If-None-Match") != `"v0"` {
			t.Errorf("header %v after request %v, want those of the 304", w.Header(), o.last)
		}
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); !strings.Contains(w.Header().Get("Cache-Status"), "hit; ttl=10") {
			t.Errorf("Cache-Status = %q, want it fresh again", w.Header().Get("Cache-Status"))
		}

		time.Sleep(20 * time.Second) // the client's own condition is looked at afterwards
		w = ask(t.Context(), h, http.MethodGet, "http://h/a", `If-None-Match: "v0"`)
		if w.Code != http.StatusNotModified {
			t.Errorf("status = %d, want 304", w.Code)
		}
		time.Sleep(20 * time.Second)
		w = ask(t.Context(), h, http.MethodGet, "http://h/a", `If-None-Match: "other"`, "Range: bytes=0-6")
		if w.Code != http.StatusPartialContent || w.Body.String() != "version" || o.last.Get("Range") != "" {
			t.Errorf("%d %q, want a part of what was validated", w.Code, w.Body)
		}

		time.Sleep(20 * time.Second)
		o.version = 1
		w = ask(t.Context(), h, http.MethodGet, "http://h/a")
		if cs := w.Header().Get("Cache-Status"); cs != "edgecache; fwd=stale; fwd-status=200; stored; ttl=10" || w.Body.String() != "version 1" {
			t.Errorf("%q %q, want the new one", w.Body, cs)
		}
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.Body.String() != "version 1" {
			t.Errorf("%q, want the new one", w.Body)
		}
	})
}

func TestRequestDirectives(t *testing.T) {
	tests := []struct {
		line    string
		after   time.Duration
		fetches bool
		status  string
	}{
		{"Cache-Control: no-cache", 0, true, "fwd=request; fwd-status=304"},
		{"Pragma: no-cache", 0, true, "fwd=request; fwd-status=304"},
		{"Cache-Control: max-age=0", time.Second, true, "fwd=request; fwd-status=304"},
		{"Cache-Control: max-age=5", 4 * time.Second, false, "hit"},
		{"Cache-Control: min-fresh=7", 4 * time.Second, true, "fwd=request"},
		{"Cache-Control: max-stale=20", 20 * time.Second, false, "hit; ttl=-10; detail=max-stale"},
		{"Cache-Control: max-stale=5", 20 * time.Second, true, "fwd=stale"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &changing{cacheControl: "max-age=10"}
				h := newCache(t, httpcache.Options{}).Handler(o)
				ask(t.Context(), h, http.MethodGet, "http://h/a")
				time.Sleep(tt.after)
				w := ask(t.Context(), h, http.MethodGet, "http://h/a", tt.line)
				if n, _ := o.counts(); (n == 2) != tt.fetches || !strings.Contains(w.Header().Get("Cache-Status"), tt.status) {
					t.Errorf("%d requests, Cache-Status %q, want %q", n, w.Header().Get("Cache-Status"), tt.status)
				}
			})
		})
	}
}

func TestNoStoreOfRequestIsNotStored(t *testing.T) {
	o := &changing{cacheControl: "max-age=10"}
	h := newCache(t, httpcache.Options{}).Handler(o)
	for range 2 {
		ask(t.Context(), h, http.MethodGet, "http://h/a", "Cache-Control: no-store")
	}
	if n, _ := o.counts(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestValidationsCollapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &changing{cacheControl: "max-age=10", pause: time.Second}
		h := newCache(t, httpcache.Options{}).Handler(o)
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		time.Sleep(20 * time.Second)
		for _, w := range burst(h, 30, none) {
			if w.Body.String() != "version 0" || !strings.Contains(w.Header().Get("Cache-Status"), "fwd-status=304") {
				t.Errorf("%q %q, want what was validated", w.Body, w.Header().Get("Cache-Status"))
			}
		}
		if n, matched := o.counts(); n != 2 || matched != 1 {
			t.Errorf("%d requests, want one more", n)
		}
	})
}

func TestStaleWhileRevalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &changing{cacheControl: "max-age=10, stale-while-revalidate=60"}
		c := newCache(t, httpcache.Options{})
		h := c.Handler(o)
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		time.Sleep(20 * time.Second)
		o.version, o.pause = 1, time.Second
		for range 2 {
			for _, w := range burst(h, 20, none) {
				if w.Body.String() != "version 0" || w.toEnd() > 0 || w.Header().Get("Cache-Status") != "edgecache; hit; ttl=-10; detail=stale-while-revalidate" {
					t.Fatalf("%q after %v, %q, want the stale one at once", w.Body, w.toEnd(), w.Header().Get("Cache-Status"))
				}
			}
		}
		time.Sleep(2 * time.Second)
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.Body.String() != "version 1" {
			t.Errorf("%q, want the new one", w.Body)
		}
		if n, _ := o.counts(); n != 2 || c.Stats().Refreshes != 1 {
			t.Errorf("%d requests, want one refresh", n)
		}
		time.Sleep(100 * time.Second) // after the window it waits for the origin
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.toEnd() < time.Second {
			t.Errorf("an answer after %v, want it validated first", w.toEnd())
		}
	})
}

func TestRefreshOutlivesItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &changing{cacheControl: "max-age=10, stale-while-revalidate=60"}
		h := newCache(t, httpcache.Options{}).Handler(o)
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		time.Sleep(20 * time.Second)
		o.version, o.pause = 1, time.Second
		ctx, cancel := context.WithCancel(t.Context())
		ask(ctx, h, http.MethodGet, "http://h/a", "Range: bytes=0-1", "Cache-Control: max-age=100")
		cancel()
		time.Sleep(2 * time.Second)
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.Body.String() != "version 1" || o.last.Get("Range") != "" {
			t.Errorf("%q, want all of the new one", w.Body)
		}
	})
}

func TestRefreshesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &changing{cacheControl: "max-age=10, stale-while-revalidate=60"}
		c := newCache(t, httpcache.Options{Refreshers: 2})
		h := c.Handler(o)
		for i := range 5 {
			ask(t.Context(), h, http.MethodGet, fmt.Sprint("http://h/", i))
		}
		time.Sleep(20 * time.Second)
		o.pause = time.Second
		for i := range 5 {
			ask(t.Context(), h, http.MethodGet, fmt.Sprint("http://h/", i))
		}
		if n := c.Stats().Refreshes; n != 2 {
			t.Errorf("%d refreshes, want 2 at a time", n)
		}
	})
}

func TestCloseEndsRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int64
		ended := make(chan struct{})
		c := newCache(t, httpcache.Options{})
		h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if fetches.Add(1) == 2 {
				<-r.Context().Done()
				close(ended)
				panic("it is the background's, and must not end the process")
			}
			w.Header().Set("Cache-Control", "max-age=1, stale-while-revalidate=60")
			_, _ = io.WriteString(w, "x")
		}))
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		time.Sleep(10 * time.Second)
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		<-ended
	})
}

func TestHeadUpdates(t *testing.T) {
	tests := []struct {
		name, tag string
		requests  int // after a GET
	}{
		{"agrees", `"v0"`, 2},
		{"differs", `"v9"`, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &changing{cacheControl: "max-age=10"}
				h := newCache(t, httpcache.Options{}).Handler(o)
				ask(t.Context(), h, http.MethodGet, "http://h/a")
				time.Sleep(20 * time.Second)
				o.extra = func(h http.Header) { h.Set("Etag", tt.tag); h.Set("X-New", "1") }
				ask(t.Context(), h, http.MethodHead, "http://h/a")
				o.extra = nil
				w := ask(t.Context(), h, http.MethodGet, "http://h/a")
				if n, _ := o.counts(); n != tt.requests {
					t.Errorf("%d requests, want %d", n, tt.requests)
				}
				if got := w.Header().Get("X-New"); (got == "1") != (tt.requests == 2) {
					t.Errorf("X-New = %q", got)
				}
			})
		})
	}
}

func TestInvalidation(t *testing.T) {
	const target, other = "http://h/a", "http://h/b"
	tests := []struct {
		name, method string
		status       int
		location     string
		target, b    bool // whether they are asked for again
	}{
		{"post", http.MethodPost, 200, "", true, false},
		{"put", http.MethodPut, 204, "", true, false},
		{"delete", http.MethodDelete, 302, "", true, false},
		{"unknown", "BREW", 200, "", true, false},
		{"error", http.MethodPost, 500, "", false, false},
		{"location", http.MethodPost, 201, "/b", true, true},
		{"location elsewhere", http.MethodPost, 201, "http://other/b", true, false},
		{"options", http.MethodOptions, 200, "", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var gets atomic.Int64
			h := newCache(t, httpcache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					gets.Add(1)
					w.Header().Set("Cache-Control", "max-age=60")
					_, _ = io.WriteString(w, "x")
					return
				}
				if tt.location != "" {
					w.Header().Set("Location", tt.location)
				}
				w.WriteHeader(tt.status)
			}))
			again := func(url string) bool {
				n := gets.Load()
				ask(t.Context(), h, http.MethodGet, url)
				return gets.Load() > n
			}
			if !again(target) || !again(other) || again(target) {
				t.Fatal("it is not stored")
			}
			w := ask(t.Context(), h, tt.method, target)
			if w.Code != tt.status || !strings.Contains(w.Header().Get("Cache-Status"), "fwd=method") {
				t.Errorf("%d %q", w.Code, w.Header().Get("Cache-Status"))
			}
			if got := again(target); got != tt.target {
				t.Errorf("the target is fetched again: %v, want %v", got, tt.target)
			}
			if got := again(other); got != tt.b {
				t.Errorf("the other is fetched again: %v, want %v", got, tt.b)
			}
		})
	}
}

func TestInvalidationReachesFills(t *testing.T) {
	for name, options := range map[string]httpcache.Options{"together": {}, "alone": {WaitTimeout: -1}} {
		for _, after := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond} { // before the header and after it
			t.Run(fmt.Sprint(name, after), func(t *testing.T) { invalidateWhileFilling(t, options, after) })
		}
	}
}

func invalidateWhileFilling(t *testing.T, options httpcache.Options, after time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		o := &slow{head: time.Second, body: time.Second, cacheControl: "max-age=60"}
		h := newCache(t, options).Proxy(httpcache.ForwarderFunc(func(w http.ResponseWriter, r *http.Request) error {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusNoContent)
				return nil
			}
			return o.Forward(w, r)
		}))
		var wg sync.WaitGroup
		wg.Go(func() {
			if w := ask(context.Background(), h, http.MethodGet, "http://h/a"); w.Body.String() != "answer 1" {
				t.Errorf("%q, want the answer", w.Body)
			}
		})
		time.Sleep(after)
		ask(t.Context(), h, http.MethodPost, "http://h/a")
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.Body.String() != "answer 2" {
			t.Errorf("%q, want another one than that from before", w.Body)
		}
		wg.Wait()
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.Body.String() != "answer 2" {
			t.Errorf("%q, want the one from after", w.Body)
		}
	})
}

func TestGroups(t *testing.T) {
	var gets atomic.Int64
	h := newCache(t, httpcache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Header().Set("Cache-Group-Invalidation", `"news"`)
			return
		}
		gets.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Cache-Groups", `"news", "x"`)
		w.Header().Set("Surrogate-Key", "a b")
		w.Header().Set("Edgecache-Cache-Control", "max-age=90")
		w.Header().Set("Cdn-Cache-Control", "max-age=70")
		_, _ = io.WriteString(w, "x")
	}))
	for _, url := range []string{"http://h/a", "http://h/b", "http://other/a"} {
		ask(t.Context(), h, http.MethodGet, url)
		w := ask(t.Context(), h, http.MethodGet, url)
		if w.Header().Get("Surrogate-Key") != "" || w.Header().Get("Edgecache-Cache-Control") != "" || w.Header().Get("Cdn-Cache-Control") == "" {
			t.Errorf("header = %v, want what is ours left out", w.Header())
		}
		if w.Header().Get("Cache-Status") != "edgecache; hit; ttl=90" {
			t.Errorf("Cache-Status = %q, want our own field obeyed", w.Header().Get("Cache-Status"))
		}
	}
	ask(t.Context(), h, http.MethodPost, "http://h/c")
	for url, want := range map[string]int64{"http://h/a": 1, "http://h/b": 1, "http://other/a": 0} {
		n := gets.Load()
		ask(t.Context(), h, http.MethodGet, url)
		if gets.Load()-n != want {
			t.Errorf("%s is fetched %d times, want %d", url, gets.Load()-n, want)
		}
	}
}

func TestPostStoredForGet(t *testing.T) {
	var requests atomic.Int64
	h := newCache(t, httpcache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/a" {
			w.Header().Set("Content-Location", "http://h/a")
		}
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, r.Method)
	}))
	for range 2 {
		if w := ask(t.Context(), h, http.MethodPost, "http://h/a"); w.Body.String() != "POST" {
			t.Errorf("%q, want the origin's answer", w.Body)
		}
	}
	if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.Body.String() != "POST" || requests.Load() != 2 {
		t.Errorf("%q after %d requests, want what POST brought", w.Body, requests.Load())
	}
	ask(t.Context(), h, http.MethodPost, "http://h/b")
	if w := ask(t.Context(), h, http.MethodGet, "http://h/b"); w.Body.String() != "GET" {
		t.Errorf("%q, want a GET's", w.Body)
	}
}

func TestNoVarySearch(t *testing.T) {
	var requests atomic.Int64
	h := newCache(t, httpcache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("No-Vary-Search", `key-order, params=("utm")`)
		_, _ = io.WriteString(w, r.URL.RawQuery)
	}))
	tests := []struct{ query, want string }{
		{"a=1&b=2", "a=1&b=2"},
		{"b=2&a=1", "a=1&b=2"},
		{"utm=x&a=1&b=2", "a=1&b=2"},
		{"a=2&b=2", "a=2&b=2"},
		{"utm=y&b=2&a=2", "a=2&b=2"},
	}
	for _, tt := range tests {
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a?"+tt.query); w.Body.String() != tt.want {
			t.Errorf("%s: %q, want %q", tt.query, w.Body, tt.want)
		}
	}
	if requests.Load() != 2 {
		t.Errorf("%d requests, want 2", requests.Load())
	}
	ask(t.Context(), h, http.MethodPut, "http://h/a?utm=z&b=2&a=1")
	ask(t.Context(), h, http.MethodGet, "http://h/a?a=1&b=2")
	if requests.Load() != 4 {
		t.Errorf("%d requests, want what is equivalent invalidated", requests.Load())
	}
}
