package examples

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache"
	"github.com/edgecache/edgecache/httphook"
)

// engine is an HTTP cache with hooks, in front of an origin that counts.
type engine struct {
	http.Handler
	asked atomic.Int64
}

// newEngine returns one whose origin answers with what it was asked for.
func newEngine(t *testing.T, header http.Header, hooks ...httphook.Hook) *engine {
	t.Helper()
	tier, err := memory.New(memory.Options{MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	under, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: tier}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := httpcache.New(httpcache.Options{Cache: under, Hooks: hooks})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := under.Close(); err != nil {
			t.Error(err)
		}
	})
	e := new(engine)
	e.Handler = c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		maps.Copy(w.Header(), header)
		fmt.Fprintf(w, "%s %s", r.URL.RequestURI(), r.Header.Get("X-Variant"))
	}))
	return e
}

// get asks for a target and returns the answer, its body, and whether the origin was asked.
func (e *engine) get(t *testing.T, target string, fields ...string) (answer *httptest.ResponseRecorder, body string, asked bool) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	answer = httptest.NewRecorder()
	before := e.asked.Load()
	e.ServeHTTP(answer, r)
	return answer, answer.Body.String(), e.asked.Load() != before
}

var fresh = http.Header{"Cache-Control": {"max-age=60"}, "Content-Type": {"text/html"}}

func TestHTTPKeyInTheCache(t *testing.T) {
	e := newEngine(t, fresh, loadHTTP(t, httpHost(t), "httpkey", "c", ""))
	for i, target := range []string{"/a?b=2&utm_source=x&a=1", "/a?a=1&b=2", "/a?gclid=7&b=2&a=1", "/a?a=1&b=2"} {
		if _, body, asked := e.get(t, target); body != "/a?a=1&b=2 " || asked != (i == 0) {
			t.Errorf("GET %s = %q, the origin was asked: %v", target, body, asked)
		}
	}
	if _, _, asked := e.get(t, "/a?a=1&b=3"); !asked {
		t.Error("another page came from the cache")
	}
}

func TestABTestInTheCache(t *testing.T) {
	e := newEngine(t, http.Header{"Cache-Control": {"max-age=60"}, "Vary": {"Cookie"}}, loadHTTP(t, httpHost(t), "abtest", "rust", ""))
	for i, cookie := range []string{"ab=a", "ab=b", "x=1; ab=a", "ab=b; y=2"} {
		if _, body, asked := e.get(t, "/", "Cookie: "+cookie); body != "/ "+cookie[strings.Index(cookie, "ab=")+3:][:1] || asked != (i < 2) {
			t.Errorf("with %s: %q, the origin was asked: %v", cookie, body, asked)
		}
	}
	answer, body, _ := e.get(t, "/")
	if got := answer.Header().Get("Set-Cookie"); !strings.HasPrefix(got, "ab="+body[2:]+";") {
		t.Errorf("a new client gets %q with the cookie %q", body, got)
	}
	if answer, _, asked := e.get(t, "/", "Cookie: ab=a"); answer.Header().Get("Set-Cookie") != "" || asked {
		t.Errorf("the cookie was kept: %v", answer.Header())
	}
}

func TestHTTPTTLInTheCache(t *testing.T) {
	g := loadHTTP(t, httpHost(t), "httpttl", "go", `{"rules": [{"type": "image/*", "ttl_s": 60}, {"type": "*/*", "ttl_s": 0}]}`)
	for _, test := range []struct {
		header http.Header
		kept   bool
	}{
		{http.Header{"Content-Type": {"image/png"}}, true},
		{http.Header{"Content-Type": {"text/html"}}, false},
		{http.Header{"Content-Type": {"image/png"}, "Cache-Control": {"no-store"}}, false},
		{http.Header{"Content-Type": {"image/png"}, "Cache-Control": {"private"}}, false},
	} {
		e := newEngine(t, test.header, g)
		e.get(t, "/x")
		if _, _, asked := e.get(t, "/x"); asked == test.kept {
			t.Errorf("%v: the origin was asked again: %v", test.header, asked)
		}
	}
}

func TestBotDenyInTheCache(t *testing.T) {
	e := newEngine(t, fresh, loadHTTP(t, httpHost(t), "botdeny", "as", ""))
	e.get(t, "/")
	answer, body, asked := e.get(t, "/", "User-Agent: GPTBot/1.0")
	if answer.Code != 403 || body != "Robots are not served here.\n" || asked || answer.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("a robot gets %d %q %v, the origin was asked: %v", answer.Code, body, answer.Header(), asked)
	}
	if answer, _, asked := e.get(t, "/", "User-Agent: Firefox"); answer.Code != 200 || asked {
		t.Errorf("others get %d, the origin was asked: %v", answer.Code, asked)
	}
}
