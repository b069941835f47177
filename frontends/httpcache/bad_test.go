package httpcache_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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

// rawOrigin answers each connection's first request with bytes, and closes it.
func rawOrigin(t testing.TB, answer *atomic.Pointer[string]) *origin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{Server: &httptest.Server{URL: "http://" + l.Addr().String()}}
	tr := &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 200 * time.Millisecond}
	o.rt = tr
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				o.requests.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				s := *answer.Load()
				if s == "" { // silence
					_, _ = c.Read(make([]byte, 1))
					return
				}
				_, _ = io.WriteString(c, s)
				if strings.HasSuffix(s, "\x00reset") {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
			})
		}
	})
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		_ = l.Close()
		wg.Wait()
	})
	return o
}

const good = "HTTP/1.1 200 OK\r\nCache-Control: max-age=0%s\r\nContent-Length: 5\r\nEtag: \"x\"\r\n\r\nhello"

func TestBadAnswers(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
	tests := []struct {
		name, answer string
		status       int  // 0: the client's connection breaks
		stale        bool // something stale is sent if there is
	}{
		{"nothing", "\r\n", 502, true},
		{"silence", "", 504, true},
		{"not http", "SSH-2.0-OpenSSH\r\n", 502, true},
		{"garbage in the header", "HTTP/1.1 200 OK\r\nA\x01B\r\n\r\n", 502, true},
		{"header breaks off", head, 502, true},
		{"two lengths", head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 502, true},
		{"no number", head + "Content-Length: five\r\n\r\nhello", 502, true},
		{"unknown transfer coding", head + "Transfer-Encoding: x\r\n\r\nhello", 502, true},
		{"too short", head + "Content-Length: 50\r\n\r\nhello", 0, false},
		{"reset in the body", head + "Content-Length: 50\r\n\r\nhello\x00reset", 0, false},
		{"bad chunk", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", 0, false},
		{"no last chunk", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0, false},
		{"large and too short", head + "Content-Length: 400000\r\n\r\n" + strings.Repeat("x", 300000), 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var answer atomic.Pointer[string]
			answer.Store(&tt.answer)
			o := rawOrigin(t, &answer)
			s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
			for range 2 { // nothing is stored at the first time
				a, err := try(t, s, "/a")
				switch broken := err != nil || a.err != nil; {
				case tt.status == 0 && !broken:
					t.Fatalf("%d %q, want a broken connection", a.StatusCode, a.body)
				case tt.status != 0 && (broken || a.StatusCode != tt.status || !strings.Contains(a.cacheStatus(), "fwd=uri-miss; detail=origin-")):
					t.Fatalf("%+v (%v), want %d", a, err, tt.status)
				}
			}
			if o.requests.Load() != 2 {
				t.Errorf("%d requests, want 2", o.requests.Load())
			}
			stale := fmt.Sprintf(good, "")
			answer.Store(&stale)
			get(t, s, "/b")
			answer.Store(&tt.answer)
			a, err := try(t, s, "/b")
			if tt.stale && (err != nil || a.body != "hello" || a.StatusCode != 200 || !strings.Contains(a.cacheStatus(), "hit; ttl=0; detail=origin-")) {
				t.Errorf("with something stale: %d %q %q (%v), want that", a.StatusCode, a.body, a.cacheStatus(), err)
			}
		})
	}
}

// try is get of an answer that may not come.
func try(t testing.TB, s *httptest.Server, path string) (answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Transport.RoundTrip(r)
	if err != nil {
		return answer{Response: &http.Response{}}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b), err}, nil
}

func TestTooLongIsCut(t *testing.T) {
	var raw atomic.Pointer[string]
	text := "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello, and more"
	raw.Store(&text)
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(rawOrigin(t, &raw).forwarder()))
	for range 2 {
		if a := get(t, s, "/a"); a.body != "hello" {
			t.Errorf("body = %q, want what was announced", a.body)
		}
	}
}

func TestHandlerLiesAboutLength(t *testing.T) {
	for _, announced := range []string{"3", "50"} {
		s := serve(t, newCache(t, httpcache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Length", announced)
			_, _ = io.WriteString(w, "hello")
		})))
		for range 2 {
			if a, err := try(t, s, "/a"); err == nil && a.err == nil {
				t.Errorf("%s announced: %q, want a broken connection", announced, a.body)
			}
		}
	}
}

func TestStaleRules(t *testing.T) {
	unreachable := func(http.ResponseWriter) error { return httpcache.ErrUnreachable }
	timeout := func(http.ResponseWriter) error { return fmt.Errorf("%w: 3 s", httpcache.ErrTimeout) }
	status := func(code int) func(http.ResponseWriter) error {
		return func(w http.ResponseWriter) error {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "error")
			return nil
		}
	}
	tests := []struct {
		name, cacheControl string
		options            httpcache.Options
		fail               func(http.ResponseWriter) error
		after              time.Duration
		status             int // 200 is the stale one
	}{
		{"disconnected", "max-age=1", httpcache.Options{}, unreachable, time.Minute, 200},
		{"timed out", "max-age=1", httpcache.Options{}, timeout, time.Minute, 200},
		{"disconnected, not wanted", "max-age=1", httpcache.Options{NoStaleOnDisconnect: true}, unreachable, time.Minute, 504},
		{"must-revalidate", "max-age=1, must-revalidate", httpcache.Options{}, unreachable, time.Minute, 504},
		{"proxy-revalidate", "max-age=1, proxy-revalidate", httpcache.Options{}, unreachable, time.Minute, 504},
		{"s-maxage", "s-maxage=1", httpcache.Options{}, unreachable, time.Minute, 504},
		{"no-cache", "no-cache", httpcache.Options{}, unreachable, time.Minute, 504},
		{"503", "max-age=1", httpcache.Options{}, status(503), time.Minute, 503},
		{"503 within stale-if-error", "max-age=1, stale-if-error=120", httpcache.Options{}, status(503), time.Minute, 200},
		{"500", "max-age=1, stale-if-error=120", httpcache.Options{}, status(500), time.Minute, 200},
		{"502", "max-age=1, stale-if-error=120", httpcache.Options{}, status(502), time.Minute, 200},
		{"504", "max-age=1, stale-if-error=120", httpcache.Options{}, status(504), time.Minute, 200},
		{"501", "max-age=1, stale-if-error=120", httpcache.Options{}, status(501), time.Minute, 501},
		{"404", "max-age=1, stale-if-error=120", httpcache.Options{}, status(404), time.Minute, 404},
		{"503 after stale-if-error", "max-age=1, stale-if-error=30", httpcache.Options{}, status(503), time.Minute, 503},
		{"503 with a default", "max-age=1", httpcache.Options{StaleIfError: time.Hour}, status(503), time.Minute, 200},
		{"must-revalidate before stale-if-error", "max-age=1, must-revalidate, stale-if-error=120", httpcache.Options{}, status(503), time.Minute, 503},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var fail func(http.ResponseWriter) error
				h := newCache(t, tt.options).Proxy(httpcache.ForwarderFunc(func(w http.ResponseWriter, _ *http.Request) error {
					if fail != nil {
						return fail(w)
					}
					w.Header().Set("Cache-Control", tt.cacheControl)
					w.Header().Set("Etag", `"x"`)
					_, _ = io.WriteString(w, "hello")
					return nil
				}))
				ask(t.Context(), h, http.MethodGet, "http://h/a")
				fail = tt.fail
				time.Sleep(tt.after)
				w := ask(t.Context(), h, http.MethodGet, "http://h/a")
				if w.Code != tt.status {
					t.Fatalf("status = %d, want %d", w.Code, tt.status)
				}
				cs := w.Header().Get("Cache-Status")
				if hit := strings.Contains(cs, "; hit; ttl=-59; detail=origin-"); hit != (tt.status == 200) || strings.Contains(cs, "hit") && strings.Contains(cs, "fwd") {
					t.Errorf("Cache-Status = %q", cs)
				}
				if tt.status == 200 && (w.Body.String() != "hello" || w.Header().Get("Age") != "60") {
					t.Errorf("%q of age %s, want the stale one", w.Body, w.Header().Get("Age"))
				}
			})
		})
	}
}

func TestOnlyIfCached(t *testing.T) {
	o := newOrigin(t, tagged("hello", "max-age=60"))
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	if a := get(t, s, "/a", "Cache-Control: only-if-cached"); a.StatusCode != 504 || o.requests.Load() != 0 {
		t.Errorf("%d after %d requests, want 504 and none", a.StatusCode, o.requests.Load())
	}
	get(t, s, "/a")
	if a := get(t, s, "/a", "Cache-Control: only-if-cached"); a.StatusCode != 200 || o.requests.Load() != 1 {
		t.Errorf("%d after %d requests, want what is stored", a.StatusCode, o.requests.Load())
	}
}

func TestPanicsComeThrough(t *testing.T) {
	boom := errors.New("boom")
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		for _, written := range []string{"", "part"} {
			h := newCache(t, httpcache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "max-age=60")
				if written != "" {
					_, _ = io.WriteString(w, written)
				}
				panic(boom)
			}))
			for range 2 { // it is not stored
				if w := ask(t.Context(), h, method, "http://h/a"); w.panicked != any(boom) {
					t.Errorf("%s %q: panic = %v, want the handler's", method, written, w.panicked)
				}
			}
		}
	}
}

func TestSlowClientHoldsNobodyUp(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 32<<10) // 512 KiB
	o := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = w.Write(body)
	})
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/a", nil)
	stalled, err := s.Client().Transport.RoundTrip(r) // whose body is not read
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Body.Close()
	if a := get(t, s, "/a"); a.body != string(body) || o.requests.Load() != 1 {
		t.Errorf("%d bytes after %d requests, want all from one", len(a.body), o.requests.Load())
	}
	if b, err := io.ReadAll(stalled.Body); err != nil || !bytes.Equal(b, body) {
		t.Errorf("the stalled client gets %d bytes (%v), want all in the end", len(b), err)
	}
}

func TestClientGoneWhilePassing(t *testing.T) {
	ended := make(chan struct{})
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
	})
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/a", nil)
	res, err := s.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = res.Body.Close()
	<-ended // the origin's request ends with the client's
}
