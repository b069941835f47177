package fasth1_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/fasth1"
	"github.com/edgecache/edgecache/frontends/httpcache/guard"
)

// server is a server with a Front before it.
type server struct {
	*http.Server
	addr  string
	front *fasth1.Front
	ln    *guard.Listener
	done  chan error
}

// start serves h, from source first, through a guard with o.
func start(t testing.TB, source fasth1.Source, h http.Handler, o guard.Options, secure *tls.Config) *server {
	t.Helper()
	g, err := guard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Server: &http.Server{Handler: g.Handler(h)}, addr: ln.Addr().String(), front: fasth1.New(source), done: make(chan error, 1)}
	g.Server(s.Server)
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	s.ln = g.Listen(s.Server, ln, secure, s.front)
	go func() { s.done <- s.Serve(s.ln) }()
	t.Cleanup(func() {
		_ = s.Close() // it may be closed already
		<-s.done
	})
	return s
}

func dial(t testing.TB, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func say(t testing.TB, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

func hear(t testing.TB, br *bufio.Reader) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func plainGet(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n" }

// TestMixed: hits and others by turns on one connection, sent one by one and all at once.
func TestMixed(t *testing.T) {
	h := newShelf()
	s := start(t, h, h, guard.Options{}, nil)
	turns := []struct{ request, want string }{
		{plainGet("/small"), "xxx"},
		{"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "POST /small a HTTP/1.1 3 [] 3 <nil>"},
		{plainGet("/64k"), strings.Repeat("x", 64<<10)},
		{plainGet("/1m"), strings.Repeat("x", 1<<20)},
		{plainGet("/miss"), "GET /miss a HTTP/1.1 0 [] 0 <nil>"},
		{plainGet("/miss"), "GET /miss a HTTP/1.1 0 [] 0 <nil>"},
		{plainGet("/empty"), ""},
	}
	for _, atOnce := range []bool{false, true} {
		c, br := dial(t, s.addr)
		if atOnce {
			var all strings.Builder
			for range 20 {
				for _, turn := range turns {
					all.WriteString(turn.request)
				}
			}
			go func() { _, _ = io.WriteString(c, all.String()) }()
		}
		for range 20 {
			for _, turn := range turns {
				if !atOnce {
					say(t, c, turn.request)
				}
				if status, body := hear(t, br); status != 200 || !strings.HasPrefix(body, turn.want) || turn.want == "" && body != "" {
					t.Fatalf("%q: status %d, %.100q", turn.request, status, body)
				}
			}
		}
	}
	if got, want := s.front.Stats(), (fasth1.Stats{Hits: 160, Passed: 120}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestTLS(t *testing.T) {
	h := newShelf()
	ts := httptest.NewUnstartedServer(nil)
	ts.StartTLS()
	defer ts.Close()
	secure := &tls.Config{Certificates: ts.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	tlsShelf := newShelf()
	tlsShelf.put("https://a/small", []byte("not this one"), nil)
	s := start(t, secureOnly{h}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			t.Error("a request without TLS")
		}
		fmt.Fprint(w, r.Proto)
	}), guard.Options{}, secure)
	for _, c := range []struct {
		proto, path, want string
	}{{"http/1.1", "/small", "xxx"}, {"http/1.1", "/64k", strings.Repeat("x", 64<<10)}, {"http/1.1", "/miss", "HTTP/1.1"}, {"h2", "/small", "HTTP/2.0"}} {
		pool := ts.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		tr := &http.Transport{
			ForceAttemptHTTP2: c.proto == "h2", DisableCompression: true,
			TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "example.com", NextProtos: []string{c.proto}},
		}
		req, err := http.NewRequest(http.MethodGet, "https://"+s.addr+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "a"
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s %s: %v", c.proto, c.path, err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != c.want {
			t.Errorf("%s %s: %.100q %v, want %.100q", c.proto, c.path, body, err, c.want)
		}
		_ = resp.Body.Close()
		tr.CloseIdleConnections()
	}
	if got := s.front.Stats().Hits; got != 2 {
		t.Errorf("%d hits, want 2", got)
	}
}

// secureOnly is a shelf whose responses are those of TLS.
type secureOnly struct{ shelf }

func (s secureOnly) Find(r *fasth1.Request, dst []byte) (head, body []byte, ok bool) {
	if !r.Secure {
		return dst, nil, false
	}
	return s.shelf.Find(r, dst)
}

// TestIdle: a connection ends when nothing comes for the idle time, counted from the last answer, whoever gave it.
func TestIdle(t *testing.T) {
	h := newShelf()
	s := start(t, h, h, guard.Options{IdleTime: 200 * time.Millisecond, HeadTime: 5 * time.Second}, nil)
	for _, last := range []string{"/small", "/miss"} {
		c, br := dial(t, s.addr)
		say(t, c, plainGet("/miss")+plainGet("/small")+plainGet(last))
		for range 3 {
			hear(t, br)
		}
		before := time.Now()
		if _, err := br.ReadByte(); err != io.EOF {
			t.Errorf("after %s: %v, want the end", last, err)
		}
		if d := time.Since(before); d < 150*time.Millisecond || d > 3*time.Second {
			t.Errorf("after %s the connection ended in %v, want 200ms", last, d)
		}
	}
}

// TestSlowHead: a head that comes too slowly ends the connection, on a new one, after an answer from here, and from net/http.
func TestSlowHead(t *testing.T) {
	h := newShelf()
	s := start(t, h, h, guard.Options{HeadTime: 200 * time.Millisecond}, nil)
	for _, first := range []string{"", "/small", "/miss"} {
		c, br := dial(t, s.addr)
		if first != "" {
			say(t, c, plainGet(first))
			hear(t, br)
		}
		before := time.Now()
		go func() {
			for _, b := range []byte(plainGet("/" + strings.Repeat("x", 1000))) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				<-time.After(10 * time.Millisecond)
			}
		}()
		if _, err := br.ReadByte(); err == nil {
			t.Errorf("after %q: an answer", first)
		}
		if d := time.Since(before); d < 100*time.Millisecond || d > 3*time.Second {
			t.Errorf("after %q the connection ended in %v, want 200ms", first, d)
		}
	}
}

// TestSlowReader: a client that takes no answer loses its connection.
func TestSlowReader(t *testing.T) {
	found := make(chan struct{})
	stopped := make(chan error, 1)
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				stopped <- err
				return
			}
		}
	})
	big := finder(func(r *fasth1.Request, dst []byte) (head, body []byte, ok bool) {
		if r.Target != "/big" {
			return dst, nil, false
		}
		close(found)
		return append(dst, "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"...), make([]byte, 64<<20), true
	})
	s := start(t, big, endless, guard.Options{Stall: 200 * time.Millisecond, MinRate: 10 << 20}, nil)
	c, br := dial(t, s.addr)
	// Else the kernel may take all of it for the client.
	if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	say(t, c, plainGet("/big"))
	<-found
	if err := s.ln.Drain(context.Background()); err != nil { // until it is closed
		t.Error(err)
	}
	if n, err := io.Copy(io.Discard, br); n >= 64<<20 {
		t.Errorf("%d bytes came, %v", n, err)
	}
	c, _ = dial(t, s.addr)
	say(t, c, plainGet("/endless"))
	if err := <-stopped; err == nil {
		t.Error("no error")
	}
}

type finder func(*fasth1.Request, []byte) (head, body []byte, ok bool)

func (f finder) Find(r *fasth1.Request, dst []byte) (head, body []byte, ok bool) { return f(r, dst) }

// TestShutdown: it ends connections that only this package has answered on, at once, and idle ones, and lets requests end.
func TestShutdown(t *testing.T) {
	h := newShelf()
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, h, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-leave
	}), guard.Options{}, nil)
	fresh, freshReader := dial(t, s.addr)
	say(t, fresh, plainGet("/small"))
	hear(t, freshReader)
	busy, busyReader := dial(t, s.addr)
	say(t, busy, plainGet("/small")+plainGet("/busy"))
	hear(t, busyReader)
	<-entered
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	if _, err := freshReader.ReadByte(); err != io.EOF {
		t.Errorf("on an idle connection: %v, want the end", err)
	}
	close(leave)
	if status, _ := hear(t, busyReader); status != 200 {
		t.Errorf("status %d of what was under way", status)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	if err := s.ln.Drain(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestShutdownWaits: an answer that is being written when the server is shut down is written to its end, if Drain is waited for.
func TestShutdownWaits(t *testing.T) {
	h := newShelf()
	const size = 16 << 20
	h.put("http://a/big", make([]byte, size), nil)
	s := start(t, h, h, guard.Options{}, nil)
	c, br := dial(t, s.addr)
	say(t, c, plainGet("/miss"))
	hear(t, br) // so that the server takes it for idle
	say(t, c, plainGet("/big"))
	if _, err := br.Peek(1); err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.ln.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Drain: %v while an answer is being written", err)
	}
	if status, body := hear(t, br); status != 200 || len(body) != size {
		t.Errorf("status %d, %d bytes", status, len(body))
	}
	if err := s.ln.Drain(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
}

func TestHijack(t *testing.T) {
	h := newShelf()
	s := start(t, h, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		say(t, c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		line, err := rw.ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		say(t, c, line)
	}), guard.Options{}, nil)
	c, br := dial(t, s.addr)
	say(t, c, plainGet("/small")+"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nGET /small HTTP/1.1\n")
	hear(t, br)
	all, err := io.ReadAll(br)
	if err != nil || !bytes.HasSuffix(all, []byte("\r\n\r\nGET /small HTTP/1.1\n")) {
		t.Errorf("%q %v", all, err)
	}
}

func TestH2C(t *testing.T) {
	h := newShelf()
	s := start(t, h, h, guard.Options{}, nil)
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, "http://"+s.addr+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Errorf("protocol %s", resp.Proto)
	}
}

// TestAllocations: a hit allocates nothing, with the body in the head's write and beside it.
func TestAllocations(t *testing.T) {
	if race {
		t.Skip("sync.Pool forgets with the race detector")
	}
	h := newShelf()
	s := start(t, h, h, guard.Options{}, nil)
	for _, target := range []string{"/1k", "/64k", "/1m"} {
		c, br := dial(t, s.addr)
		ask := []byte("GET " + target + " HTTP/1.1\r\nHost: a\r\nUser-Agent: test\r\nAccept-Language: de\r\nConnection: keep-alive\r\n\r\n")
		want := len(h["http://a"+target].head) + len(h["http://a"+target].bodies[0])
		buf := make([]byte, want)
		exchange := func() {
			if _, err := c.Write(ask); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(br, buf); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			exchange()
		}
		if n := testing.AllocsPerRun(200, exchange); n > 0.1 {
			t.Errorf("%s: %v allocations a request, want none", target, n)
		}
	}
}

func BenchmarkHit(b *testing.B) {
	h := newShelf()
	net1 := httptest.NewServer(h)
	defer net1.Close()
	fast := start(b, h, h, guard.Options{}, nil)
	g, err := guard.New(guard.Options{})
	if err != nil {
		b.Fatal(err)
	}
	guarded := httptest.NewUnstartedServer(g.Handler(h))
	g.Server(guarded.Config)
	guarded.Listener = g.Listen(guarded.Config, guarded.Listener, nil, nil)
	guarded.Start()
	defer guarded.Close()
	for _, target := range []string{"/1k", "/64k"} {
		for _, c := range []struct{ name, addr string }{
			{"nethttp", net1.Listener.Addr().String()}, {"guarded", guarded.Listener.Addr().String()}, {"fast", fast.addr},
		} {
			b.Run(c.name+target, func(b *testing.B) {
				b.ReportAllocs()
				conn, _ := dial(b, c.addr)
				ask, buf := []byte(plainGet(target)), make([]byte, 128<<10)
				size := 0
				for b.Loop() {
					if _, err := conn.Write(ask); err != nil {
						b.Fatal(err)
					}
					for n := 0; n == 0 || n < size; {
						m, err := conn.Read(buf)
						if err != nil {
							b.Fatal(err)
						}
						if n += m; size == 0 {
							end := bytes.Index(buf[:n], []byte("\r\n\r\n")) + 4
							size = end + len(h["http://a"+target].bodies[0])
						}
					}
				}
			})
		}
	}
}
