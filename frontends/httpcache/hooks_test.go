package httpcache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
	"github.com/edgecache/edgecache/httphook"
)

// hook is one of functions; nil ones are phases it is not called at.
type hook struct {
	spec     httphook.Spec
	request  func(*httphook.RequestCall) error
	key      func(*httphook.KeyCall) error
	lookup   func(*httphook.LookupCall) error
	response func(*httphook.ResponseCall) error
	admit    func(*httphook.AdmitCall) error
	deliver  func(*httphook.DeliverCall) error
}

func (h *hook) Spec() httphook.Spec {
	s := h.spec
	s.Name = "test"
	for p, on := range map[httphook.Phases]bool{
		httphook.OnRequest: h.request != nil, httphook.OnKey: h.key != nil, httphook.OnLookup: h.lookup != nil,
		httphook.OnResponse: h.response != nil, httphook.OnAdmit: h.admit != nil, httphook.OnDeliver: h.deliver != nil,
	} {
		if on {
			s.Phases |= p
		}
	}
	return s
}

func (h *hook) Request(_ context.Context, c *httphook.RequestCall) error   { return h.request(c) }
func (h *hook) Key(_ context.Context, c *httphook.KeyCall) error           { return h.key(c) }
func (h *hook) Lookup(_ context.Context, c *httphook.LookupCall) error     { return h.lookup(c) }
func (h *hook) Response(_ context.Context, c *httphook.ResponseCall) error { return h.response(c) }
func (h *hook) Admit(_ context.Context, c *httphook.AdmitCall) error       { return h.admit(c) }
func (h *hook) Deliver(_ context.Context, c *httphook.DeliverCall) error   { return h.deliver(c) }

// hooked returns a handler with hooks before an origin that echoes what it was asked.
func hooked(t *testing.T, cacheControl string, hooks ...*hook) (http.Handler, *atomic.Int64) {
	t.Helper()
	var o httpcache.Options
	for _, h := range hooks {
		o.Hooks = append(o.Hooks, h)
	}
	requests := new(atomic.Int64)
	return newCache(t, o).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Cache-Control", cacheControl)
		w.Header().Set("Etag", `"x"`)
		_, _ = fmt.Fprintf(w, "%s %s", r.URL.RequestURI(), r.Header.Get("X-Edit"))
	})), requests
}

func TestHookRequest(t *testing.T) {
	tests := []struct {
		name     string
		call     func(*httphook.RequestCall) error
		status   int
		body, cs string
		requests int64 // of two
	}{
		{"pass", func(*httphook.RequestCall) error { return nil }, 200, "/a ", "fwd=uri-miss", 1},
		{"edit", func(c *httphook.RequestCall) error { c.Edits.Set("X-Edit", "e"); return nil }, 200, "/a e", "fwd=uri-miss", 1},
		{"bypass", func(c *httphook.RequestCall) error { c.Action = httphook.Bypass; return nil }, 200, "/a ", "fwd=bypass", 2},
		{"deny", func(c *httphook.RequestCall) error {
			c.Action, c.Status, c.Body = httphook.Deny, 403, []byte("no")
			return nil
		}, 403, "no", "detail=hook", 0},
		{"redirect", func(c *httphook.RequestCall) error {
			c.Action, c.Status, c.Location = httphook.Redirect, 302, "/b"
			return nil
		}, 302, "", "detail=hook", 0},
		{"synth", func(c *httphook.RequestCall) error {
			c.Action, c.Status, c.Body = httphook.Synth, 200, []byte("made")
			c.Edits.Set("X-Made", "1")
			return nil
		}, 200, "made", "detail=hook", 0},
		{"failed", func(*httphook.RequestCall) error { return errors.New("trap") }, 503, "503 Service Unavailable: hook-failed\n", "detail=hook-failed", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, requests := hooked(t, "max-age=60", &hook{request: tt.call})
			w := ask(t.Context(), h, http.MethodGet, "http://h/a")
			ask(t.Context(), h, http.MethodGet, "http://h/a")
			if w.Code != tt.status || w.Body.String() != tt.body || !strings.Contains(w.Header().Get("Cache-Status"), tt.cs) || requests.Load() != tt.requests {
				t.Errorf("%d %q %q after %d requests", w.Code, w.Body, w.Header().Get("Cache-Status"), requests.Load())
			}
			if tt.name == "redirect" && w.Header().Get("Location") != "/b" || tt.name == "synth" && w.Header().Get("X-Made") != "1" {
				t.Errorf("header = %v", w.Header())
			}
		})
	}
}

func TestHookRequestDoesNotChangeTheRequest(t *testing.T) {
	h, _ := hooked(t, "max-age=60", &hook{request: func(c *httphook.RequestCall) error { c.Edits.Set("X-Edit", "e"); return nil }})
	seen := make(http.Header)
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		seen = r.Header
	})
	ask(t.Context(), outer, http.MethodGet, "http://h/a")
	if len(seen) != 0 {
		t.Errorf("the caller's header = %v, want it untouched", seen)
	}
}

func TestHookKey(t *testing.T) {
	var calls atomic.Int64
	drop := &hook{spec: httphook.Spec{PureKey: true}, key: func(c *httphook.KeyCall) error {
		calls.Add(1)
		c.Target, _, _ = strings.Cut(c.Target, "?")
		return nil
	}}
	h, requests := hooked(t, "max-age=60", drop)
	for _, query := range []string{"?utm=1", "?utm=2", "", "?utm=1", "?utm=2"} {
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"+query); w.Body.String() != "/a " {
			t.Errorf("%s: %q, want the origin asked without it", query, w.Body)
		}
	}
	if requests.Load() != 1 || calls.Load() != 5 {
		t.Errorf("%d requests and %d calls, want 1 and one for each request", requests.Load(), calls.Load())
	}
}

func TestHookKeyHidden(t *testing.T) {
	h, requests := hooked(t, "max-age=60", &hook{key: func(c *httphook.KeyCall) error {
		c.Target, c.Forward = "/a", false
		return nil
	}})
	if w := ask(t.Context(), h, http.MethodGet, "http://h/a?x"); w.Body.String() != "/a?x " {
		t.Errorf("%q, want the origin asked for all of it", w.Body)
	}
	ask(t.Context(), h, http.MethodGet, "http://h/a?y")
	if requests.Load() != 1 {
		t.Errorf("%d requests, want 1", requests.Load())
	}
}

func TestHookKeyExtraAndVary(t *testing.T) {
	h, requests := hooked(t, "max-age=60", &hook{key: func(c *httphook.KeyCall) error {
		if v := c.Request.Header.Values("Cookie"); len(v) > 0 {
			c.Extra = v[0]
		}
		return nil
	}})
	for _, cookie := range []string{"ab=a", "ab=b", "ab=a", "ab=b"} {
		ask(t.Context(), h, http.MethodGet, "http://h/a", "Cookie: "+cookie)
	}
	if requests.Load() != 2 {
		t.Errorf("%d requests, want one for each extra", requests.Load())
	}

	var n atomic.Int64
	v := newCache(t, httpcache.Options{Hooks: []httphook.Hook{&hook{key: func(c *httphook.KeyCall) error {
		c.Vary = append(c.Vary, httphook.Field{Name: "User-Agent", Value: "mobile"})
		return nil
	}}}}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "User-Agent")
	}))
	for _, agent := range []string{"a", "b", "c"} {
		ask(t.Context(), v, http.MethodGet, "http://h/a", "User-Agent: "+agent)
	}
	if n.Load() != 1 {
		t.Errorf("%d requests, want one for the kind of agent", n.Load())
	}
}

func TestHookLookup(t *testing.T) {
	for verdict, want := range map[httphook.Lookup]string{
		httphook.Use: "; hit; ttl=60", httphook.Revalidate: "fwd=request; fwd-status=200; stored", httphook.Miss: "fwd=miss; fwd-status=200; stored",
	} {
		h, _ := hooked(t, "max-age=60", &hook{lookup: func(c *httphook.LookupCall) error {
			if c.Status != 200 || c.Header.Values("Etag")[0] != `"x"` || c.TTL != 60*time.Second && c.TTL < 59*time.Second || c.Size != 3 {
				t.Errorf("call = %+v", c)
			}
			c.Verdict = verdict
			return nil
		}})
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); !strings.Contains(w.Header().Get("Cache-Status"), want) {
			t.Errorf("%v: Cache-Status = %q, want %q", verdict, w.Header().Get("Cache-Status"), want)
		}
	}
}

func TestHookResponse(t *testing.T) {
	const barred = "private, max-age=60"
	long := func(c *httphook.ResponseCall) error { c.Store, c.TTL = true, time.Hour; return nil }
	tests := []struct {
		name, cacheControl string
		lengthen           bool
		call               func(*httphook.ResponseCall) error
		want               string // of Cache-Status at the second time
	}{
		{"shorter", "max-age=60", false, func(c *httphook.ResponseCall) error { c.TTL = 5 * time.Second; return nil }, "; hit; ttl=5"},
		{"longer", "max-age=60", false, long, "; hit; ttl=3600"},
		{"not at all", "max-age=60", false, func(c *httphook.ResponseCall) error { c.Store = false; return nil }, "fwd=uri-miss; fwd-status=200; detail=hook"},
		{"past private without the grant", barred, false, long, "fwd=uri-miss; fwd-status=200; detail=private"},
		{"past private with the grant", barred, true, long, "; hit; ttl=3600"},
		{"past no-store without the grant", "no-store", false, long, "fwd=uri-miss; fwd-status=200; detail=no-store"},
		{"past no-store with the grant", "no-store", true, long, "; hit; ttl=3600"},
		{"failed", "max-age=60", false, func(*httphook.ResponseCall) error { return errors.New("trap") }, "detail=hook-failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := hooked(t, tt.cacheControl, &hook{spec: httphook.Spec{Lengthen: tt.lengthen}, response: tt.call})
			ask(t.Context(), h, http.MethodGet, "http://h/a")
			w := ask(t.Context(), h, http.MethodGet, "http://h/a")
			if !strings.Contains(w.Header().Get("Cache-Status"), tt.want) {
				t.Errorf("Cache-Status = %q, want %q", w.Header().Get("Cache-Status"), tt.want)
			}
		})
	}
}

func TestHookResponseEditsAndTags(t *testing.T) {
	c := newCache(t, httpcache.Options{Hooks: []httphook.Hook{&hook{response: func(c *httphook.ResponseCall) error {
		c.Edits.Set("X-Edited", "1")
		c.Edits.Set("Cache-Control", "no-store") // for clients
		c.Tags = append(c.Tags, "mine")
		return nil
	}}}})
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "max-age=60") }))
	for i, want := range []string{"stored", "; hit"} {
		w := ask(t.Context(), h, http.MethodGet, "http://h/a")
		if w.Header().Get("X-Edited") != "1" || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Header().Get("Cache-Status"), want) {
			t.Errorf("header %d = %v", i, w.Header())
		}
	}
	if err := c.Purge(t.Context(), httpcache.PurgeRequest{Tags: []string{"mine"}}); err != nil {
		t.Fatal(err)
	}
	if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); strings.Contains(w.Header().Get("Cache-Status"), "hit") {
		t.Errorf("Cache-Status = %q after its tag was purged", w.Header().Get("Cache-Status"))
	}
}

func TestHookAdmit(t *testing.T) {
	h, requests := hooked(t, "max-age=60", &hook{admit: func(c *httphook.AdmitCall) error {
		if c.KeyHash == 0 || c.Status != 200 {
			t.Errorf("call = %+v", c)
		}
		c.Refuse = true
		return nil
	}})
	for range 2 {
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.Body.String() != "/a " || !strings.Contains(w.Header().Get("Cache-Status"), "detail=not-admitted") {
			t.Errorf("%q %q", w.Body, w.Header().Get("Cache-Status"))
		}
	}
	if requests.Load() != 2 {
		t.Errorf("%d requests, want 2", requests.Load())
	}
}

func TestHookDeliver(t *testing.T) {
	var outcomes []httphook.Outcome
	fail := false
	h, _ := hooked(t, "max-age=60", &hook{deliver: func(c *httphook.DeliverCall) error {
		outcomes = append(outcomes, c.Outcome)
		c.Edits.Set("X-Delivered", fmt.Sprint(len(outcomes)))
		if fail {
			return errors.New("trap")
		}
		return nil
	}})
	for i := range 2 {
		if w := ask(t.Context(), h, http.MethodGet, "http://h/a"); w.Header().Get("X-Delivered") != fmt.Sprint(i+1) {
			t.Errorf("header = %v, want each delivery's own", w.Header())
		}
	}
	ask(t.Context(), h, http.MethodDelete, "http://h/a")
	want := []httphook.Outcome{httphook.OutcomeMiss, httphook.OutcomeHit, httphook.OutcomeBypass}
	if !slices.Equal(outcomes, want) {
		t.Errorf("outcomes = %v, want %v", outcomes, want)
	}
	fail = true
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if w := ask(t.Context(), h, method, "http://h/a"); w.Code != 503 || strings.Contains(w.Body.String(), "/a") {
			t.Errorf("%s = %d %q, want 503 for a hook that failed", method, w.Code, w.Body)
		}
	}
}

// listener gathers events.
type listener struct {
	mu     sync.Mutex
	events []httphook.Event
}

func (l *listener) Observe(events []httphook.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, events...)
}

func TestObservers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listener{}
		c := newCache(t, httpcache.Options{Observers: []httphook.Observer{l}})
		h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Millisecond)
			w.Header().Set("Cache-Control", "max-age=60")
			_, _ = io.WriteString(w, "hello")
		}))
		for range 300 {
			ask(t.Context(), h, http.MethodGet, "http://h/a")
		}
		ask(t.Context(), h, http.MethodPut, "http://h/a")
		time.Sleep(2 * time.Second)
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.events) != 301 {
			t.Fatalf("%d events, want all 301", len(l.events))
		}
		first, second, last := l.events[0], l.events[1], l.events[300]
		if first.Outcome != httphook.OutcomeMiss || first.Elapsed != 1000 || first.Status != 200 || first.Size != 5 || first.Method != httphook.MethodGet {
			t.Errorf("first = %+v", first)
		}
		if second.Outcome != httphook.OutcomeHit || second.KeyHash != first.KeyHash || second.KeyHash == 0 || second.Size != 5 {
			t.Errorf("second = %+v", second)
		}
		if last.Outcome != httphook.OutcomeBypass || last.Method != httphook.MethodPut {
			t.Errorf("last = %+v", last)
		}
	})
}
