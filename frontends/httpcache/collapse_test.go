package httpcache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

// slow is an origin in the process: its header takes a while, and so does the body after that.
type slow struct {
	requests     atomic.Int64
	head, body   time.Duration
	cacheControl string
	vary         string
	tag          func(*http.Request) string
}

func (s *slow) Forward(w http.ResponseWriter, r *http.Request) error {
	n := s.requests.Add(1)
	if err := pause(r.Context(), s.head); err != nil {
		return fmt.Errorf("%w: %w", httpcache.ErrUnreachable, err)
	}
	h := w.Header()
	h.Set("Cache-Control", s.cacheControl)
	if s.vary != "" {
		h.Set("Vary", s.vary)
	}
	w.WriteHeader(http.StatusOK)
	text := fmt.Sprintf("answer %d", n)
	if s.tag != nil {
		text = s.tag(r)
	}
	_, _ = io.WriteString(w, text[:1])
	w.(http.Flusher).Flush()
	if pause(r.Context(), s.body) != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, text[1:])
	return nil
}

// pause waits, as long as ctx lets it.
func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// heard is a ResponseWriter that knows when the header came.
type heard struct {
	*httptest.ResponseRecorder
	began, headed, ended time.Time
	panicked             any
}

func (h *heard) WriteHeader(status int) {
	if h.headed.IsZero() {
		h.headed = time.Now()
	}
	h.ResponseRecorder.WriteHeader(status)
}

func (h *heard) toHeader() time.Duration { return h.headed.Sub(h.began) }

func (h *heard) toEnd() time.Duration { return h.ended.Sub(h.began) }

// ask asks the handler in this goroutine.
func ask(ctx context.Context, h http.Handler, method, target string, lines ...string) *heard {
	r := httptest.NewRequestWithContext(ctx, method, target, nil)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := &heard{ResponseRecorder: httptest.NewRecorder(), began: time.Now()}
	func() {
		defer func() { w.panicked = recover() }()
		h.ServeHTTP(w, r)
	}()
	w.ended = time.Now()
	return w
}

// burst asks n times at once.
func burst(h http.Handler, n int, lines func(i int) []string) []*heard {
	all := make([]*heard, n)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = ask(context.Background(), h, http.MethodGet, "http://h/a", lines(i)...) })
	}
	wg.Wait()
	return all
}

func none(int) []string { return nil }

func TestCollapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &slow{head: 300 * time.Millisecond, body: 700 * time.Millisecond, cacheControl: "max-age=60"}
		h := newCache(t, httpcache.Options{}).Proxy(o)
		collapsed := 0
		for _, w := range burst(h, 50, none) {
			if w.Body.String() != "answer 1" || w.toHeader() > 320*time.Millisecond || w.toEnd() > 1020*time.Millisecond {
				t.Fatalf("%q, header after %v, end after %v, want answer 1 after 300 ms and 1 s", w.Body, w.toHeader(), w.toEnd())
			}
			if strings.Contains(w.Header().Get("Cache-Status"), "collapsed") {
				collapsed++
			}
		}
		if o.requests.Load() != 1 || collapsed != 49 {
			t.Errorf("%d requests and %d collapsed, want 1 and 49", o.requests.Load(), collapsed)
		}
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); !strings.Contains(w.Header().Get("Cache-Status"), "; hit") {
			t.Errorf("Cache-Status afterwards = %q, want a hit", w.Header().Get("Cache-Status"))
		}
	})
}

func TestUncacheableIsNotWaitedForTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const origin = 300 * time.Millisecond
		o := &slow{head: origin, cacheControl: "private, no-store"}
		h := newCache(t, httpcache.Options{}).Proxy(o)
		for i, most := range []time.Duration{origin * 21 / 10, origin * 11 / 10, origin * 11 / 10} {
			for _, w := range burst(h, 50, none) {
				if w.toEnd() > most {
					t.Fatalf("burst %d: an answer after %v, want at most %v", i+1, w.toEnd(), most)
				}
			}
		}
		if o.requests.Load() != 150 {
			t.Errorf("%d requests, want 150: nobody gets another's", o.requests.Load())
		}
		time.Sleep(2 * time.Minute) // of the bubble: the memory ends
		o.cacheControl = "max-age=60"
		before := o.requests.Load()
		burst(h, 50, none)
		if n := o.requests.Load() - before; n != 1 {
			t.Errorf("%d requests when it can be stored again, want 1", n)
		}
	})
}

func TestStorableEndsTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &slow{head: time.Millisecond, cacheControl: "no-store"}
		h := newCache(t, httpcache.Options{}).Proxy(o)
		burst(h, 2, none)
		o.cacheControl = "max-age=1"
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		time.Sleep(2 * time.Second)
		before := o.requests.Load()
		burst(h, 10, none)
		if n := o.requests.Load() - before; n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

// TestStorableAgainEndsWithItsClient: what was remembered not to be storable is asked for in its client's context, but only once.
func TestStorableAgainEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &slow{head: time.Millisecond, cacheControl: "no-store"}
		h := newCache(t, httpcache.Options{}).Proxy(o)
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		o.cacheControl, o.body = "max-age=60", time.Second
		for i := range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			ask(ctx, h, http.MethodGet, "http://h/a")
			cancel()
			if n := o.requests.Load(); n != int64(2+i) {
				t.Errorf("%d requests, want %d", n, 2+i)
			}
		}
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.Body.String() != "answer 3" || o.requests.Load() != 3 {
			t.Errorf("%q after %d requests, want answer 3, which was filled without its client", w.Body, o.requests.Load())
		}
	})
}

// TestFillsEnd: nothing is stored of an answer that takes longer than a fill may, in whatever context it was asked for.
func TestFillsEnd(t *testing.T) {
	for _, before := range []string{"max-age=0", "no-store"} {
		synctest.Test(t, func(t *testing.T) {
			o := &slow{head: time.Millisecond, cacheControl: before}
			h := newCache(t, httpcache.Options{FillTimeout: time.Minute}).Proxy(o)
			ask(t.Context(), h, http.MethodGet, "http://h/a")
			o.cacheControl, o.body = "max-age=3600", 2*time.Minute
			if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.panicked == nil {
				t.Errorf("%s: %q, want it broken off", before, w.Body)
			}
			o.body = 0
			ask(t.Context(), h, http.MethodGet, "http://h/a")
			if n := o.requests.Load(); n != 3 {
				t.Errorf("%s: %d requests, want 3", before, n)
			}
		})
	}
}

func TestCollapseByVariant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &slow{
			head: 300 * time.Millisecond, cacheControl: "max-age=60", vary: "X-Kind",
			tag: func(r *http.Request) string { return "kind " + r.Header.Get("X-Kind") },
		}
		h := newCache(t, httpcache.Options{}).Proxy(o)
		for i, w := range burst(h, 40, func(i int) []string { return []string{fmt.Sprintf("X-Kind: %d", i%4)} }) {
			if want := fmt.Sprintf("kind %d", i%4); w.Body.String() != want {
				t.Errorf("answer %d = %q, want %q", i, w.Body, want)
			}
		}
		if o.requests.Load() != 4 {
			t.Errorf("%d requests, want one for each of 4 kinds", o.requests.Load())
		}
	})
}

func TestNeverCollapsed(t *testing.T) {
	tests := []struct {
		name    string
		options httpcache.Options
		lines   []string
	}{
		{"authorization", httpcache.Options{}, []string{"Authorization: Basic eDp5"}},
		{"no-store", httpcache.Options{}, []string{"Cache-Control: no-store"}},
		{"if-match", httpcache.Options{}, []string{`If-Match: "x"`}},
		{"private route", httpcache.Options{Routes: []httpcache.Route{{Path: "/a", Private: true}}}, nil},
		{"switched off", httpcache.Options{WaitTimeout: -1}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &slow{head: 100 * time.Millisecond, cacheControl: "max-age=60"}
				h := newCache(t, tt.options).Proxy(o)
				for _, w := range burst(h, 5, func(int) []string { return tt.lines }) {
					if w.toEnd() > 110*time.Millisecond {
						t.Errorf("an answer after %v, want that of its own request", w.toEnd())
					}
				}
				if o.requests.Load() != 5 {
					t.Errorf("%d requests, want 5", o.requests.Load())
				}
			})
		})
	}
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &slow{head: 3 * time.Second, cacheControl: "max-age=60"}
		h := newCache(t, httpcache.Options{WaitTimeout: time.Second}).Proxy(o)
		for _, w := range burst(h, 3, none) {
			if w.toEnd() > 4*time.Second {
				t.Errorf("an answer after %v, want a second of patience and 3 of the origin", w.toEnd())
			}
		}
		if o.requests.Load() != 3 {
			t.Errorf("%d requests, want 3", o.requests.Load())
		}
	})
}

func TestLockAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &slow{head: 10 * time.Second, cacheControl: "max-age=60"}
		h := newCache(t, httpcache.Options{LockAge: time.Second, WaitTimeout: time.Minute}).Proxy(o)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 600 * time.Millisecond)
				ask(context.Background(), h, http.MethodGet, "http://h/a")
			})
		}
		wg.Wait()
		if o.requests.Load() != 2 {
			t.Errorf("%d requests, want another one after a second", o.requests.Load())
		}
	})
}

func TestWaitersAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &slow{head: time.Second, cacheControl: "max-age=60"}
		h := newCache(t, httpcache.Options{MaxWaiters: 3}).Proxy(o)
		burst(h, 10, none)
		if o.requests.Load() != 7 {
			t.Errorf("%d requests, want 1 with 3 waiters and 6 alone", o.requests.Load())
		}
	})
}

func TestLeaderLeaves(t *testing.T) {
	tests := []struct {
		name     string
		waiters  int
		after    time.Duration // when the first client goes
		requests int64         // in the end, with one more after all of it
	}{
		{"before the header, alone", 0, 100 * time.Millisecond, 2},
		{"before the header, with waiters", 5, 100 * time.Millisecond, 1},
		{"while it fills, alone", 0, 500 * time.Millisecond, 1},
		{"while it fills, with waiters", 5, 500 * time.Millisecond, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &slow{head: 300 * time.Millisecond, body: 700 * time.Millisecond, cacheControl: "max-age=60"}
				h := newCache(t, httpcache.Options{}).Proxy(o)
				ctx, cancel := context.WithTimeout(context.Background(), tt.after)
				defer cancel()
				var wg sync.WaitGroup
				wg.Go(func() { ask(ctx, h, http.MethodGet, "http://h/a") })
				synctest.Wait()
				for range tt.waiters {
					wg.Go(func() {
						if w := ask(context.Background(), h, http.MethodGet, "http://h/a"); w.Body.String() != "answer 1" {
							t.Errorf("a waiter got %q, want answer 1", w.Body)
						}
					})
				}
				wg.Wait()
				ask(context.Background(), h, http.MethodGet, "http://h/a")
				if o.requests.Load() != tt.requests {
					t.Errorf("%d requests, want %d", o.requests.Load(), tt.requests)
				}
			})
		})
	}
}

func TestLateArrivalStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &slow{head: 100 * time.Millisecond, body: 10 * time.Second, cacheControl: "max-age=60"}
		h := newCache(t, httpcache.Options{}).Proxy(o)
		go ask(context.Background(), h, http.MethodGet, "http://h/a")
		time.Sleep(5 * time.Second)
		w := ask(context.Background(), h, http.MethodGet, "http://h/a")
		if w.toHeader() > 20*time.Millisecond || w.Body.String() != "answer 1" || o.requests.Load() != 1 {
			t.Errorf("%q with its header after %v, %d requests: want the fill's at once", w.Body, w.toHeader(), o.requests.Load())
		}
	})
}

func TestFailureIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		h := newCache(t, httpcache.Options{}).Proxy(httpcache.ForwarderFunc(func(http.ResponseWriter, *http.Request) error {
			requests.Add(1)
			time.Sleep(time.Second)
			return fmt.Errorf("%w: no route", httpcache.ErrUnreachable)
		}))
		for _, w := range burst(h, 20, none) {
			if w.Code != http.StatusBadGateway || w.toEnd() > 1100*time.Millisecond {
				t.Errorf("%d after %v, want 502 after a second", w.Code, w.toEnd())
			}
		}
		if requests.Load() != 1 {
			t.Errorf("%d requests, want 1", requests.Load())
		}
	})
}
