package httpcache_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

func TestTrailersPass(t *testing.T) {
	for _, cacheControl := range []string{"no-store", "max-age=60"} {
		o := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Cache-Control", cacheControl)
			h.Set("Trailer", "X-Announced")
			_, _ = io.WriteString(w, "hello")
			h.Set("X-Announced", "1")
			h.Set(http.TrailerPrefix+"X-Not-Announced", "2")
		})
		s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
		a := get(t, s, "/a")
		if a.body != "hello" || a.Trailer.Get("X-Announced") != "1" || a.Trailer.Get("X-Not-Announced") != "2" {
			t.Errorf("%s: %q with trailers %v, want both", cacheControl, a.body, a.Trailer)
		}
		if a := get(t, s, "/a"); a.body != "hello" || a.Header.Get("X-Announced") != "" {
			t.Errorf("%s: %q with %v at the second time", cacheControl, a.body, a.Header)
		}
	}
}

func TestInterimResponsesPass(t *testing.T) {
	for _, cacheControl := range []string{"no-store", "max-age=60"} {
		o := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			w.Header().Set("Cache-Control", cacheControl)
			_, _ = io.WriteString(w, "hello")
		})
		s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
		var hints []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
				return nil
			},
		})
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/a", nil)
		res, err := s.Client().Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if !slices.Equal(hints, []string{"103 </style.css>; rel=preload"}) || string(b) != "hello" || res.Header.Get("Link") != "" {
			t.Errorf("%s: %q, %v and %v, want the hints alone before", cacheControl, b, hints, res.Header)
		}
	}
}

func TestUpgradePasses(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" {
			t.Errorf("header = %v, want the upgrade", r.Header)
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(c, line)
	})
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /a HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n")
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v (%v), want 101", res, err)
	}
	defer res.Body.Close()
	_, _ = io.WriteString(c, "hello\n")
	if line, _ := br.ReadString('\n'); line != "hello\n" {
		t.Errorf("echo = %q", line)
	}
}

func TestHandlerMayHijack(t *testing.T) {
	s := serve(t, newCache(t, httpcache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nown")
		_ = c.Close()
	})))
	for range 2 {
		if a := get(t, s, "/a"); a.body != "own" {
			t.Errorf("%q, want what the handler wrote itself", a.body)
		}
	}
}

func TestEventsStream(t *testing.T) {
	for _, cacheControl := range []string{"no-store", "max-age=60"} {
		more := make(chan struct{})
		o := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", cacheControl)
			for i := range 3 {
				_, _ = fmt.Fprintf(w, "data: %d\n", i)
				_ = http.NewResponseController(w).Flush()
				<-more
			}
		})
		s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/a", nil)
		res, err := s.Client().Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(res.Body)
		for i := range 3 {
			if line, err := br.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("%s: %q (%v) while the origin waits", cacheControl, line, err)
			}
			more <- struct{}{}
		}
		_ = res.Body.Close()
	}
}

func TestUploadStreams(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		br := bufio.NewReader(r.Body)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, "got "+line)
			_ = rc.Flush()
		}
	})
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	pr, pw := io.Pipe()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/a", pr)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.WriteString(pw, "one\ntwo\n"); _ = pw.Close() })
	res, err := s.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	wg.Wait()
	if err != nil || string(b) != "got one\ngot two\n" {
		t.Errorf("%q (%v)", b, err)
	}
}

func TestOddStatusesAndMethodsPass(t *testing.T) {
	s := serve(t, newCache(t, httpcache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Body", string(b))
		w.WriteHeader(map[string]int{"/599": 599, "/999": 999}[r.URL.Path])
	})))
	for _, method := range []string{http.MethodPut, http.MethodPatch, "BREW"} {
		for path, want := range map[string]int{"/599": 599, "/999": 999} {
			if a := do(t, s, method, path, "data"); a.StatusCode != want || a.Header.Get("X-Body") != "data" {
				t.Errorf("%s %s = %d %q", method, path, a.StatusCode, a.Header.Get("X-Body"))
			}
		}
	}
}

func TestRequestsThatAreNotLookedUp(t *testing.T) {
	o := newOrigin(t, tagged("hello", "max-age=60"))
	s := serve(t, newCache(t, httpcache.Options{
		Routes: []httpcache.Route{{Host: "*.example.com", Path: "/api/", Bypass: true}},
	}).Proxy(o.forwarder()))
	tests := []struct {
		name, method, path, body, host, fwd string
		stored                              bool
	}{
		{"body of a get", http.MethodGet, "/a", "body", "h", "fwd=bypass", false},
		{"route", http.MethodGet, "/api/a", "", "www.example.com:80", "fwd=bypass", false},
		{"route of another host", http.MethodGet, "/api/a", "", "example.com", "fwd=uri-miss", true},
		{"other path", http.MethodGet, "/ap", "", "www.example.com", "fwd=uri-miss", true},
		{"long key", http.MethodGet, "/" + strings.Repeat("x", 17<<10), "", "h", "fwd=bypass", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := o.requests.Load()
			first := do(t, s, tt.method, tt.path, tt.body, "Host: "+tt.host)
			do(t, s, tt.method, tt.path, tt.body, "Host: "+tt.host)
			if stored := o.requests.Load()-before == 1; stored != tt.stored || !strings.Contains(first.cacheStatus(), tt.fwd) {
				t.Errorf("stored: %v, Cache-Status %q, want %v and %s", stored, first.cacheStatus(), tt.stored, tt.fwd)
			}
		})
	}
}

func TestCacheStatusIsAppended(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Status", "inner; hit")
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Age", "20")
		w.Header().Set("Via", "1.0 inner")
		_, _ = io.WriteString(w, "hello")
	})
	s := serve(t, newCache(t, httpcache.Options{ShowKey: true, Name: "edge"}).Proxy(o.forwarder()))
	for i, want := range []string{`edge; fwd=uri-miss; fwd-status=200; stored; ttl=40; key="http://h/a"`, `edge; hit; ttl=40; key="http://h/a"`} {
		a := get(t, s, "/a", "Host: h")
		got := a.Header.Values("Cache-Status")
		if !slices.Equal(got, []string{"inner; hit", want}) {
			t.Errorf("Cache-Status %d = %q, want %q", i, got, want)
		}
		if via := strings.Join(a.Header.Values("Via"), ", "); via != "1.0 inner, 1.1 edge" || a.Header.Get("Age") != "20" {
			t.Errorf("Via %q, Age %q, want another and 20", via, a.Header.Get("Age"))
		}
	}
}

func TestOriginGetsTheClientsRequest(t *testing.T) {
	var got http.Header
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("Cache-Control", "no-store")
	})
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	get(t, s, "/a?b=%20", "X-Mine: 1", "Cache-Control: max-stale", "Cookie: a=b")
	if got.Get("X-Mine") != "1" || got.Get("Cache-Control") != "max-stale" || got.Get("Cookie") != "a=b" {
		t.Errorf("header = %v, want the client's", got)
	}
}

func TestCloseIsIdempotent(t *testing.T) {
	c := newCache(t, httpcache.Options{})
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
