package origin

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

// turns returns a route of servers a, b, c... of these weights.
func turns(weights ...int) *route {
	r := new(route)
	p := &Passive{Failures: 2, Window: 10 * time.Second, Backoff: time.Second, MaxBackoff: 3 * time.Second}
	for i, w := range weights {
		r.servers = append(r.servers, &server{name: string(rune('a' + i)), weight: w, passive: p})
	}
	return r
}

// names returns whose turns the next n are.
func (r *route) names(n int, now time.Time) string {
	var b strings.Builder
	for range n {
		var tried uint64
		s := r.pick(&tried, now)
		if s == nil {
			return b.String() + "-"
		}
		b.WriteString(s.name)
	}
	return b.String()
}

func TestTurns(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	for want, weights := range map[string][]int{
		"aabacaaaabacaa": {5, 1, 1},
		"ababab":         {1, 1},
		"abcabc":         {2, 2, 2},
		"aaaa":           {7},
		"babbab":         {1, 2},
	} {
		if got := turns(weights...).names(len(want), now); got != want {
			t.Errorf("turns of %v are %s, want %s", weights, got, want)
		}
	}
}

func TestEachOriginOnce(t *testing.T) {
	t.Parallel()
	r, now := turns(3, 1, 1), time.Unix(1000, 0)
	var tried uint64
	var got strings.Builder
	for s := r.pick(&tried, now); s != nil; s = r.pick(&tried, now) {
		got.WriteString(s.name)
	}
	if got := got.String(); len(got) != 3 || !strings.Contains(got, "a") || !strings.Contains(got, "b") || !strings.Contains(got, "c") {
		t.Errorf("tried %s, want each once", got)
	}
}

func TestFailuresTakeOut(t *testing.T) {
	t.Parallel()
	r, now := turns(1, 1), time.Unix(1000, 0)
	a := r.servers[0]
	check := func(what, want string) {
		t.Helper()
		if got := r.names(len(want), now); strings.Count(got, "a") != strings.Count(want, "a") {
			t.Errorf("%s: turns %s, want as many of a as in %s", what, got, want)
		}
	}
	if a.fail(now) != 0 {
		t.Error("one failure takes a out")
	}
	now = now.Add(11 * time.Second)
	if a.fail(now) != 0 {
		t.Error("failures of two windows take a out")
	}
	check("in", "abab")
	if out := a.fail(now); out != time.Second {
		t.Errorf("the second failure takes it out for %v, want 1s", out)
	}
	check("out", "bbbb")
	now = now.Add(time.Second)
	check("one request tries it", "abbb")
	if out := a.fail(now); out != 2*time.Second {
		t.Errorf("the try fails: out for %v, want 2s", out)
	}
	now = now.Add(2 * time.Second)
	a.fail(now)
	if out := a.fail(now); out != 3*time.Second {
		t.Errorf("out for %v, want the most, 3s", out)
	}
	now = now.Add(3 * time.Second)
	check("one request tries it again", "abbb")
	if !a.answered() {
		t.Error("the answer does not bring it back")
	}
	check("back", "abab")
	if out := a.fail(now); out != 0 {
		t.Errorf("one failure after that: out for %v", out)
	}
}

func TestAllOut(t *testing.T) {
	t.Parallel()
	r, now := turns(1, 1), time.Unix(1000, 0)
	for _, s := range r.servers {
		s.fail(now)
		s.fail(now)
	}
	if got := r.names(4, now); strings.Count(got, "a") != 2 {
		t.Errorf("turns %s where all are out, want both", got)
	}
	r.servers[0].down.Store(true)
	if got := r.names(2, now); got != "bb" {
		t.Errorf("turns %s where a is down, want b", got)
	}
	r.servers[1].down.Store(true)
	if got := r.names(1, now); got != "-" {
		t.Errorf("turns %s where all are down, want none", got)
	}
}

func TestNoPassiveChecks(t *testing.T) {
	t.Parallel()
	s := &server{passive: &Passive{Failures: -1}}
	for range 100 {
		if s.fail(time.Unix(1, 0)) != 0 {
			t.Fatal("out")
		}
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		method, body string
		retries      int
		origins      string // x fails, i informs and fails, o answers
		want         int
		asked        int64
	}{
		"get":               {"GET", "", 0, "xo", 200, 2},
		"head":              {"HEAD", "", 0, "xo", 200, 2},
		"get with a body":   {"GET", "body", 0, "xo", 502, 1},
		"post":              {"POST", "", 0, "xo", 502, 1},
		"put":               {"PUT", "", 0, "xo", 502, 1},
		"one retry of many": {"GET", "", 0, "xxo", 502, 2},
		"two retries":       {"GET", "", 2, "xxo", 200, 3},
		"none":              {"GET", "", -1, "xo", 502, 1},
		"nobody else":       {"GET", "", 5, "x", 502, 1},
		"all fail":          {"GET", "", 5, "xxx", 502, 3},
		"informed":          {"GET", "", 0, "io", 502, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			var urls []string
			for _, how := range tt.origins {
				urls = append(urls, serve(t, func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					_, _ = io.Copy(io.Discard, r.Body)
					if how == 'i' {
						w.WriteHeader(http.StatusEarlyHints)
					}
					if how != 'o' {
						panic(http.ErrAbortHandler)
					}
				}))
			}
			s := frontend(t, forwarder(t, Options{Retries: tt.retries}, urls...))
			var body io.Reader = http.NoBody
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			q, err := http.NewRequestWithContext(t.Context(), tt.method, s.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			res, _, err := do(t, q)
			if err != nil || res.StatusCode != tt.want || asked.Load() != tt.asked {
				t.Errorf("%v, %v, %d requests, want status %d after %d", res, err, asked.Load(), tt.want, tt.asked)
			}
		})
	}
}

func TestActiveChecks(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	status.Store(200)
	checked := make(chan string)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			return
		}
		w.WriteHeader(int(status.Load()))
		select {
		case checked <- r.Host:
		case <-t.Context().Done():
		}
	})
	f := forwarder(t, Options{
		Routes: []Route{{Origins: []Origin{{URL: url}}}},
		Active: Active{Path: "/health", Host: "check.example", Interval: time.Millisecond, Fall: 2, Rise: 2},
	})
	until := func(down bool) {
		t.Helper()
		for range 1000 {
			if host := await(t, "a check", checked); host != "check.example" {
				t.Fatalf("a check has the host %q", host)
			}
			if f.Stats()[0].Down == down {
				return
			}
		}
		t.Fatalf("down is %v after 1000 checks", !down)
	}
	ask := func() error {
		return f.Forward(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	}
	until(false)
	if err := ask(); err != nil {
		t.Error(err)
	}
	status.Store(503)
	until(true)
	if err := ask(); !errors.Is(err, httpcache.ErrUnreachable) || !errors.Is(err, errNone) {
		t.Errorf("error %v of an origin that is down", err)
	}
	status.Store(302)
	until(false)
	if err := ask(); err != nil {
		t.Error(err)
	}
	closed := make(chan error)
	go func() { closed <- f.Close() }()
	for waiting := true; waiting; {
		select {
		case <-checked:
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
			waiting = false
		}
	}
}

func TestCheckReports(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"HTTP/1.1 204 No Content\r\n\r\n":                     true,
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello":   false,
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n": false,
		"nothing": false, "~": false,
	} {
		f := forwarder(t, Options{Active: Active{Path: "/", Interval: time.Hour, Timeout: 200 * time.Millisecond}}, raw(t, says(text)).url)
		if err := f.check(t.Context(), f.all[0]); (err == nil) != ok {
			t.Errorf("check of %q: %v", text, err)
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	one := func(host, prefix string) Route {
		return Route{Host: host, Prefix: prefix, Origins: []Origin{{URL: "http://127.0.0.1:1"}}}
	}
	f := forwarder(t, Options{Routes: []Route{
		one("", "/api"), one("a.example", ""), one("a.example", "/img/"), one("a.example:81", ""), one("*.example", ""),
		one("*.b.example", "/x"), one("", "/api/v2"),
	}})
	for request, want := range map[string]string{
		"a.example/":         "a.example",
		"A.Example/":         "a.example",
		"a.example:80/":      "a.example",
		"a.example:81/":      "a.example:81",
		"a.example/img":      "a.example/img",
		"a.example/img/a":    "a.example/img",
		"a.example/images":   "a.example",
		"b.example/":         "*.example",
		".example/":          "",
		"x.b.example/x":      "*.b.example/x",
		"x.b.example/y":      "*.example",
		"example/":           "",
		"example/api":        "/api",
		"example/apix":       "",
		"example/api/v2/a":   "/api/v2",
		"[::1]:80/api/v2a":   "/api",
		"c.b.example:1/x/y/": "*.b.example/x",
	} {
		host, path, _ := strings.Cut(request, "/")
		got := ""
		if r := f.find(host, "/"+path); r != nil {
			got = r.host + r.prefix
		}
		if got != want {
			t.Errorf("%s goes to %q, want %q", request, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := []Origin{{URL: "http://a"}}
	for want, routes := range map[string][]Route{
		"no routes":          nil,
		"no origins":         {{Host: "a"}},
		"with a slash":       {{Prefix: "a", Origins: good}},
		"lower case":         {{Host: "A", Origins: good}},
		"*. and one":         {{Host: "a.*", Origins: good}},
		"a port behind":      {{Host: "*.a:80", Origins: good}},
		"given twice":        {{Prefix: "/a", Origins: good}, {Prefix: "/a/", Origins: good}},
		"is no origin":       {{Origins: []Origin{{URL: "127.0.0.1:80"}}}},
		"has a user":         {{Origins: []Origin{{URL: "http://user:secret@a"}}}},
		"has a path":         {{Origins: []Origin{{URL: "http://a/b"}}}},
		"unknown scheme":     {{Origins: []Origin{{URL: "ftp://a"}}}},
		"weight -1":          {{Origins: []Origin{{URL: "http://a", Weight: -1}}}},
		"64 are the most":    {{Origins: make([]Origin, 65)}},
		`"http://a?b" is no`: {{Origins: []Origin{{URL: "http://a?b"}}}},
	} {
		f, err := New(Options{Routes: routes})
		if err == nil {
			_ = f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v", want, err)
		}
	}
}
