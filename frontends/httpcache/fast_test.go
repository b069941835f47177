package httpcache_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/frontends/httpcache"
	"github.com/edgecache/edgecache/frontends/httpcache/fasth1"
	"github.com/edgecache/edgecache/httphook"
)

// fastPair serves one cache twice: through net/http alone, and with a Front before it.
type fastPair struct {
	cache      *httpcache.Cache
	origin     *origin
	front      *fasth1.Front
	slow, fast net.Conn
	slowReader *bufio.Reader
	fastReader *bufio.Reader
}

func newFastPair(t testing.TB, o httpcache.Options, serve http.HandlerFunc) *fastPair {
	t.Helper()
	p := &fastPair{cache: newCache(t, o), origin: newOrigin(t, serve)}
	p.front = fasth1.New(p.cache.Fast())
	h := p.cache.Proxy(p.origin.forwarder())
	slow := httptest.NewServer(h)
	t.Cleanup(slow.Close)
	fast := httptest.NewUnstartedServer(h)
	fast.Listener = p.front.Listen(fast.Config, fast.Listener, nil)
	fast.Start()
	t.Cleanup(fast.Close)
	p.slow, p.slowReader = dialFast(t, slow)
	p.fast, p.fastReader = dialFast(t, fast)
	return p
}

func dialFast(t testing.TB, s *httptest.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReader(c)
}

// tell sends a request and returns its answer in a form that can be compared.
func tell(t testing.TB, c net.Conn, br *bufio.Reader, raw string) string {
	t.Helper()
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(resp.Proto + " " + resp.Status + "\n")
	_ = resp.Header.Write(&b)
	return regexp.MustCompile(`(Age: |ttl=)\d+`).ReplaceAllString(b.String(), "$1") + "\n" + string(body)
}

// both asks both, after as many requests as it takes for the Front to look a key up, and returns whether it has answered.
func (p *fastPair) both(t testing.TB, raw string) (answer string, fast bool) {
	t.Helper()
	tell(t, p.slow, p.slowReader, raw)
	tell(t, p.fast, p.fastReader, raw)
	before := p.front.Stats().Hits
	stats := p.cache.Stats()
	got := tell(t, p.fast, p.fastReader, raw)
	fast = p.front.Stats().Hits > before
	if now := p.cache.Stats(); fast && (now.Requests != stats.Requests+1 || now.Hits != stats.Hits+1) {
		t.Errorf("%q: counted as %+v after %+v", raw, now, stats)
	}
	if want := tell(t, p.slow, p.slowReader, raw); got != want {
		t.Errorf("%q: answer\n%s\nwant\n%s", raw, got, want)
	}
	return got, fast
}

func fastRequest(target, fields string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"
}

// TestFastLikeHandler: what the Front answers is what the handler answers, and it answers what it should.
func TestFastLikeHandler(t *testing.T) {
	p := newFastPair(t, httpcache.Options{Routes: []httpcache.Route{{Path: "/bypass", Bypass: true}}}, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "max-age=1000")
		h.Set("ETag", `"1"`)
		switch r.URL.Path {
		case "/stale":
			h.Set("Cache-Control", "max-age=0, stale-while-revalidate=1000")
		case "/private":
			h.Set("Cache-Control", "private")
		case "/revalidate":
			h.Set("Cache-Control", "no-cache")
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
			return
		case "/upstream":
			h.Set("Cache-Status", "other; hit")
			h.Add("Via", "1.1 other")
			h.Add("Set-Other", "1")
			h.Add("Set-Other", "2")
		case "/vary":
			h.Set("Vary", "Accept-Language, X-Other")
			_, _ = io.WriteString(w, r.Header.Get("Accept-Language"))
		case "/large":
			_, _ = w.Write(make([]byte, 100<<10))
		}
		_, _ = io.WriteString(w, "body of "+r.RequestURI)
	})
	for _, c := range []struct {
		name, raw string
		fast      bool
	}{
		{"plain", fastRequest("/x", ""), true},
		{"query", fastRequest("/x?a=%2f&b", "User-Agent: x\r\nAccept: */*\r\nCookie: a=b\r\n"), true},
		{"gone", fastRequest("/gone", ""), true},
		{"upstream", fastRequest("/upstream", ""), true},
		{"vary", fastRequest("/vary", "accept-language: de\r\n"), true},
		{"varyOther", fastRequest("/vary", "Accept-Language: en\r\n"), true},
		{"varyUnsure", fastRequest("/vary", "Accept-Language: en\r\nX-Other: 1\r\n"), false},
		{"noContent", fastRequest("/empty", ""), false},
		{"stale", fastRequest("/stale", ""), false},
		{"private", fastRequest("/private", ""), false},
		{"revalidate", fastRequest("/revalidate", ""), false},
		{"large", fastRequest("/large", ""), false},
		{"bypass", fastRequest("/bypass/x", ""), false},
		{"escapedPath", fastRequest("/%62ypass/x", ""), false},
		{"range", fastRequest("/x", "Range: bytes=0-0\r\n"), false},
		{"condition", fastRequest("/x", "If-None-Match: \"1\"\r\n"), false},
		{"reload", fastRequest("/x", "Cache-Control: max-age=0\r\n"), false},
		{"authorized", fastRequest("/x", "Authorization: x\r\n"), false},
		{"upperCaseHost", "GET /x HTTP/1.1\r\nHost: A\r\n\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if answer, fast := p.both(t, c.raw); fast != c.fast {
				t.Errorf("answered by the front: %v, want %v\n%s", fast, c.fast, answer)
			}
		})
	}
}

// TestFastMisses: what is not stored is looked up by the handler alone, but for one request in many.
func TestFastMisses(t *testing.T) {
	p := newFastPair(t, httpcache.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
	})
	for range 100 {
		tell(t, p.fast, p.fastReader, fastRequest("/x", ""))
	}
	if n := p.origin.requests.Load(); n != 100 {
		t.Errorf("%d requests of the origin", n)
	}
	if got := p.front.Stats(); got.Hits != 0 || got.Passed != 100 {
		t.Errorf("stats %+v", got)
	}
}

// TestFastInvalidation: what an unsafe request made void is not answered with any more.
func TestFastInvalidation(t *testing.T) {
	body := "one"
	p := newFastPair(t, httpcache.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=1000")
		_, _ = io.WriteString(w, body)
	})
	if answer, fast := p.both(t, fastRequest("/x", "")); !fast || !strings.HasSuffix(answer, "one") {
		t.Fatalf("fast %v: %s", fast, answer)
	}
	body = "two"
	tell(t, p.fast, p.fastReader, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
	if answer := tell(t, p.fast, p.fastReader, fastRequest("/x", "")); !strings.HasSuffix(answer, "two") {
		t.Errorf("after the change: %s", answer)
	}
}

// TestFastAllocations: a hit in the memory tier allocates nothing, from one end of the connection to the other.
func TestFastAllocations(t *testing.T) {
	if race {
		t.Skip("sync.Pool forgets with the race detector")
	}
	p := newFastPair(t, httpcache.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=1000")
		w.Header().Set("Vary", "Accept-Encoding")
		_, _ = w.Write(make([]byte, 1<<10))
	})
	raw := []byte(fastRequest("/x", "Accept-Encoding: gzip, br\r\nUser-Agent: test\r\n"))
	for range 4 {
		tell(t, p.fast, p.fastReader, string(raw))
	}
	buf := make([]byte, 64<<10)
	exchange := func() {
		if _, err := p.fast.Write(raw); err != nil {
			t.Fatal(err)
		}
		if _, err := p.fast.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	before := p.front.Stats().Hits
	if n := testing.AllocsPerRun(200, exchange); n > 0.1 {
		t.Errorf("%v allocations a hit, want none", n)
	}
	if n := p.front.Stats().Hits - before; n != 201 {
		t.Errorf("%d hits, want 201", n)
	}
}

// dropQuery is a hook that drops queries from keys, and counts.
type dropQuery struct {
	httphook.Hook
	spec  httphook.Spec
	calls atomic.Int64
}

func (d *dropQuery) Spec() httphook.Spec { return d.spec }

func (d *dropQuery) Key(_ context.Context, c *httphook.KeyCall) error {
	d.calls.Add(1)
	c.Target, _, _ = strings.Cut(c.Target, "?")
	return nil
}

func (d *dropQuery) Request(context.Context, *httphook.RequestCall) error { return nil }

// TestFastHooks: a pure key is remembered, and all other phases before an answer keep the front out.
func TestFastHooks(t *testing.T) {
	for _, c := range []struct {
		name string
		spec httphook.Spec
		fast bool
	}{
		{"pureKey", httphook.Spec{Phases: httphook.OnKey, PureKey: true}, true},
		{"key", httphook.Spec{Phases: httphook.OnKey}, false},
		{"request", httphook.Spec{Phases: httphook.OnKey | httphook.OnRequest, PureKey: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			hook := &dropQuery{spec: c.spec}
			p := newFastPair(t, httpcache.Options{Hooks: []httphook.Hook{hook}}, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=1000")
				_, _ = io.WriteString(w, r.RequestURI)
			})
			answer, fast := p.both(t, fastRequest("/x?a", ""))
			if fast != c.fast || !strings.HasSuffix(answer, "/x") {
				t.Errorf("fast %v, want %v: %s", fast, c.fast, answer)
			}
			if other, _ := p.both(t, fastRequest("/x?b", "")); other != answer {
				t.Errorf("another query is answered with %s", other)
			}
		})
	}
}

func BenchmarkFast(b *testing.B) {
	p := newFastPair(b, httpcache.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=1000")
		_, _ = w.Write(make([]byte, 1<<10))
	})
	raw := []byte(fastRequest("/x", ""))
	for range 4 {
		tell(b, p.fast, p.fastReader, string(raw))
		tell(b, p.slow, p.slowReader, string(raw))
	}
	buf := make([]byte, 64<<10)
	for name, c := range map[string]net.Conn{"fast": p.fast, "handler": p.slow} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(raw); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Read(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
