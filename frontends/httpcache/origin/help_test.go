package origin

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

// rawOrigin is a server of bytes.
type rawOrigin struct {
	url   string
	conns atomic.Int64
}

// raw serves every connection with answer, which gets its number and may read from it; it is closed afterwards.
func raw(t *testing.T, answer func(n int64, c *net.TCPConn, in *bufio.Reader)) *rawOrigin {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	o := &rawOrigin{url: "http://" + ln.Addr().String()}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			n := o.conns.Add(1)
			go func() {
				defer c.Close()
				answer(n, c.(*net.TCPConn), bufio.NewReader(c))
			}()
		}
	}()
	return o
}

// says is an answer that reads a request's header and sends bytes. In them, "!" is a reset and "~" a silence that only the
// other side ends; otherwise the connection is closed.
func says(text string) func(int64, *net.TCPConn, *bufio.Reader) {
	return func(_ int64, c *net.TCPConn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		send, how := strings.TrimRight(text, "!~"), text[len(strings.TrimRight(text, "!~")):]
		_, _ = io.WriteString(c, send)
		switch how {
		case "!":
			_ = c.SetLinger(0)
		case "~":
			_, _ = io.Copy(io.Discard, in)
		}
	}
}

// forwarder returns one of a route to the URLs, with short time-outs.
func forwarder(t *testing.T, o Options, urls ...string) *Forwarder {
	t.Helper()
	if len(o.Routes) == 0 {
		o.Routes = []Route{{}}
		for _, u := range urls {
			o.Routes[0].Origins = append(o.Routes[0].Origins, Origin{URL: u})
		}
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// front serves a forwarder as the cache would, and sends what it fails with to the channel.
func front(t *testing.T, f *Forwarder) (server *httptest.Server, failed <-chan error) {
	t.Helper()
	errs := make(chan error, 100)
	s := httptest.NewUnstartedServer(Duplex(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := f.Forward(w, r)
		if err == nil {
			return
		}
		errs <- err
		status := http.StatusBadGateway
		if errors.Is(err, httpcache.ErrTimeout) {
			status = http.StatusGatewayTimeout
		}
		w.WriteHeader(status)
	})))
	s.EnableHTTP2 = true
	s.Start()
	t.Cleanup(s.Close)
	return s, errs
}

// frontend is front where errors don't matter.
func frontend(t *testing.T, f *Forwarder) *httptest.Server {
	t.Helper()
	s, _ := front(t, f)
	return s
}

// server is an origin of net/http.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// answer is what a client got. Its body is read and closed.
type answer struct{ *http.Response }

func get(t *testing.T, url string) (res answer, body string, err error) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, q)
}

func do(t *testing.T, q *http.Request) (res answer, body string, err error) {
	t.Helper()
	r, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return answer{}, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return answer{r}, string(text), err
}

// await receives within a time that no test needs.
func await[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not happen", what)
	}
	return v
}
