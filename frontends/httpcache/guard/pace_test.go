package guard_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/guard"
)

// TestSlowBody: a body that comes more slowly than the rate fails, and ends the connection; one that keeps to it does not, though
// it takes longer than any limit there is for the time without progress.
func TestSlowBody(t *testing.T) {
	for _, c := range []struct {
		name  string
		stall time.Duration
		rate  int
		slow  bool
	}{{"tooSlow", 150 * time.Millisecond, 1000, true}, {"slowEnough", time.Second, 10, false}} {
		t.Run(c.name, func(t *testing.T) {
			failed := make(chan error, 1)
			addr := serve(t, guard.Options{Stall: c.stall, MinRate: c.rate}, func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				failed <- err
			})
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, post("Content-Length: 30\r\n", "")); err != nil {
				t.Fatal(err)
			}
			tick := time.NewTicker(40 * time.Millisecond)
			defer tick.Stop()
			for range 30 {
				<-tick.C
				if _, err := io.WriteString(conn, "x"); err != nil {
					break
				}
			}
			if err := <-failed; (err != nil) != c.slow {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestUnreadBody: a client can't hold a connection by a body that nobody reads.
func TestUnreadBody(t *testing.T) {
	addr := serve(t, guard.Options{Stall: 100 * time.Millisecond}, func(http.ResponseWriter, *http.Request) {})
	for _, raw := range []string{post("Content-Length: 30\r\n", "x"), "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nx"} {
		if answers := talk(t, addr, raw); len(answers) != 1 {
			t.Errorf("%d answers", len(answers))
		}
	}
}

// TestFastBody: a slow reader of a body is not the client's fault.
func TestFastBody(t *testing.T) {
	addr := serve(t, guard.Options{Stall: 150 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		<-time.After(400 * time.Millisecond)
		echo(w, r)
	})
	answers := talk(t, addr, post("Content-Length: 3\r\n", "abc")+probe)
	if len(answers) != 2 || answers[0].seen == nil || answers[0].seen.Body != "abc" {
		t.Errorf("answers: %+v", answers)
	}
}

// secure starts a server over TLS and returns a client of it that speaks HTTP/2.
func secure(t *testing.T, o guard.Options, next http.HandlerFunc) (*http.Client, string) {
	t.Helper()
	g, err := guard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewUnstartedServer(nil)
	ts.StartTLS() // for its certificate
	t.Cleanup(ts.Close)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: g.Handler(next)}
	g.Server(srv)
	gated := g.Listen(srv, ln, &tls.Config{Certificates: ts.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}, nil)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(gated) }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	client := ts.Client()
	tr := client.Transport.(*http.Transport)
	tr.ForceAttemptHTTP2 = true
	tr.DialContext = nil
	tr.TLSClientConfig.ServerName = "example.com"
	t.Cleanup(tr.CloseIdleConnections)
	return client, "https://" + ln.Addr().String()
}

// TestHTTP2: the handler's part of the guard is for HTTP/2 too.
func TestHTTP2(t *testing.T) {
	client, url := secure(t, guard.Options{MaxFields: 10, MaxLine: 100, RefuseDotSegments: true}, echo)
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"plain", func(*http.Request) {}, 200},
		{"fields", func(r *http.Request) { r.Header["A"] = strings.Split(strings.Repeat("b ", 12), " ") }, 431},
		{"line", func(r *http.Request) { r.URL.Path = "/" + strings.Repeat("x", 200) }, 414},
		{"host", func(r *http.Request) { r.Host = "a;b" }, 400},
		{"dots", func(r *http.Request) { r.URL.Path = "/a/../b" }, 400},
		{"trace", func(r *http.Request) { r.Method = "TRACE" }, 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodGet, url+"/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Forwarded-Host", "evil")
			c.change(r)
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.ProtoMajor != 2 || resp.StatusCode != c.status || strings.Contains(string(body), "evil") {
				t.Errorf("%s: status %d, want %d: %s", resp.Proto, resp.StatusCode, c.status, body)
			}
		})
	}
}

// TestStalledStream: a stream whose client takes nothing ends, though its connection lives.
func TestStalledStream(t *testing.T) {
	failed := make(chan error, 1)
	client, url := secure(t, guard.Options{Stall: 200 * time.Millisecond, MinRate: 100 << 20}, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				failed <- err
				return
			}
		}
	})
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := <-failed; err == nil {
		t.Error("no error")
	}
}
