package origin

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

func TestOriginsThatFailBeforeTheHeader(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		says   string
		status int
		kind   error
	}{
		"closes at once":              {"", 502, httpcache.ErrUnreachable},
		"resets":                      {"!", 502, httpcache.ErrUnreachable},
		"is silent":                   {"~", 504, httpcache.ErrTimeout},
		"breaks off in the status":    {"HTTP/1.1 20", 502, httpcache.ErrBadResponse},
		"breaks off in the header":    {"HTTP/1.1 200 OK\r\nContent-Le", 502, httpcache.ErrBadResponse},
		"is silent in the header":     {"HTTP/1.1 200 OK\r\nA: b\r\n~", 504, httpcache.ErrTimeout},
		"speaks no HTTP":              {"SSH-2.0-OpenSSH_9.2\r\n\r\n", 502, httpcache.ErrBadResponse},
		"sends bytes":                 {"\x16\x03\x01\x00\x00\r\n\r\n", 502, httpcache.ErrBadResponse},
		"has a field without a colon": {"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", 502, httpcache.ErrBadResponse},
		"has a status of two digits":  {"HTTP/1.1 20 OK\r\n\r\n", 502, httpcache.ErrBadResponse},
		"has an unknown coding":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: oompa\r\n\r\n0\r\n\r\n", 502, httpcache.ErrBadResponse},
		"has two lengths":             {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502, httpcache.ErrBadResponse},
		"has a negative length":       {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 502, httpcache.ErrBadResponse},
		"has a word for a length":     {"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", 502, httpcache.ErrBadResponse},
		"has too long a header":       {"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", 502, httpcache.ErrBadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := raw(t, says(tt.says))
			f := forwarder(t, Options{HeaderTimeout: 200 * time.Millisecond, MaxHeaderBytes: 10 << 10}, o.url)
			s, failed := front(t, f)
			for range 2 {
				res, _, err := get(t, s.URL)
				if err != nil || res.StatusCode != tt.status {
					t.Fatalf("answer %v, error %v, want status %d", res, err, tt.status)
				}
				if err := await(t, "the failure", failed); !errors.Is(err, tt.kind) {
					t.Errorf("error %v, want %v", err, tt.kind)
				}
			}
			if n := o.conns.Load(); n != 2 {
				t.Errorf("%d connections for 2 requests: one that failed was used again", n)
			}
			if st := f.Stats()[0]; st.Requests != 2 || st.Failures != 2 || st.InFlight != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestUpgradeNobodyAskedFor(t *testing.T) {
	t.Parallel()
	o := raw(t, says("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n~"))
	s, failed := front(t, forwarder(t, Options{}, o.url))
	res, _, err := get(t, s.URL)
	if err != nil || res.StatusCode != 502 {
		t.Fatalf("answer %v, error %v", res, err)
	}
	if err := await(t, "the failure", failed); !errors.Is(err, httpcache.ErrBadResponse) {
		t.Errorf("error %v", err)
	}
}

func TestFieldsThatAreNone(t *testing.T) {
	t.Parallel()
	f := forwarder(t, Options{}, raw(t, says("HTTP/1.1 200 OK\r\nA B: c\r\nF: g\r\nContent-Length: 0\r\n\r\n")).url)
	w := httptest.NewRecorder()
	err := f.Forward(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	if err != nil || len(w.Header()) != 2 || w.Header().Get("F") != "g" {
		t.Errorf("header %v, %v", w.Header(), err)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	s, failed := front(t, forwarder(t, Options{}, "http://"+ln.Addr().String()))
	res, _, err := get(t, s.URL)
	if err != nil || res.StatusCode != 502 {
		t.Fatalf("answer %v, error %v", res, err)
	}
	var e *Error
	if err := await(t, "the failure", failed); !errors.Is(err, httpcache.ErrUnreachable) || !errors.As(err, &e) || e.Origin == "" {
		t.Errorf("error %v", err)
	}
}

func TestAnswersThatBreakOff(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"short body":            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		"reset":                 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello!",
		"silence":               "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello~",
		"no last chunk":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"garbage between chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n\r\n",
		"silence between":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n~",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := forwarder(t, Options{BodyTimeout: 200 * time.Millisecond}, raw(t, says(text)).url)
			res, body, err := get(t, frontend(t, f).URL)
			if err == nil {
				t.Errorf("the client takes %d, %q for whole", res.StatusCode, body)
			}
			// the same without a server, whose absence net/http/httputil takes for a test of old
			defer func() {
				if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
					t.Errorf("panic %v, want http.ErrAbortHandler", got)
				}
				if st := f.Stats()[0]; st.Failures != 2 || st.InFlight != 0 {
					t.Errorf("stats %+v", st)
				}
			}()
			err = f.Forward(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			t.Errorf("Forward returns %v", err)
		})
	}
}

// TestBytesBehindAnAnswer has an origin that sends more than its answer's length: nobody may get it. Between two requests the
// transport has time to find it.
func TestBytesBehindAnAnswer(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	o := raw(t, func(_ int64, c *net.TCPConn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
		_, _ = io.Copy(io.Discard, in)
		closed <- struct{}{}
	})
	s := frontend(t, forwarder(t, Options{}, o.url))
	for i := range int64(3) {
		_, body, err := get(t, s.URL)
		if err != nil || body != "hello" || o.conns.Load() != i+1 {
			t.Fatalf("%q, %v on connection %d, want hello on one of its own", body, err, o.conns.Load())
		}
		await(t, "the end of the connection", closed)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	o := raw(t, func(_ int64, c *net.TCPConn, in *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
		}
	})
	s := frontend(t, forwarder(t, Options{}, o.url))
	for range 5 {
		if _, body, err := get(t, s.URL); err != nil || body != "hello" {
			t.Fatalf("%q, %v", body, err)
		}
	}
	if n := o.conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// TestEarlyAnswer has an origin answer before it has the body, which it does not want.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	o := raw(t, func(_ int64, c *net.TCPConn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n")
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, in)
	})
	s := frontend(t, forwarder(t, Options{}, o.url))
	for i := range int64(2) {
		body, send := io.Pipe()
		go func() {
			for range 64 {
				if _, err := send.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
			_ = send.Close()
		}()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		res, text, err := do(t, q)
		if err != nil || res.StatusCode != 413 || text != "no\n" {
			t.Fatalf("answer %v, %q, error %v", res, text, err)
		}
		if n := o.conns.Load(); n != i+1 {
			t.Errorf("%d connections for %d requests", n, i+1)
		}
	}
}

// TestOriginTakesNoBody has an origin that stops to read.
func TestOriginTakesNoBody(t *testing.T) {
	t.Parallel()
	o := raw(t, func(_ int64, c *net.TCPConn, _ *bufio.Reader) {
		<-t.Context().Done()
		_ = c.SetLinger(0)
	})
	s, failed := front(t, forwarder(t, Options{BodyTimeout: 200 * time.Millisecond}, o.url))
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, endless{})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _, _ = do(t, q) }() // its answer may be lost, since the body is not read
	if err := await(t, "the failure", failed); !errors.Is(err, httpcache.ErrTimeout) {
		t.Errorf("error %v, want a time-out", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestClientSendsNoBody has a client whose body can't be read: that is not the origin's fault.
func TestClientSendsNoBody(t *testing.T) {
	t.Parallel()
	f := forwarder(t, Options{}, serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.MultiReader(strings.NewReader("some"), broken{}))
	w := httptest.NewRecorder()
	if err := f.Forward(w, r); err != nil || w.Code != 400 {
		t.Errorf("status %d, %v", w.Code, err)
	}
	if st := f.Stats()[0]; st.Failures != 0 {
		t.Errorf("stats %+v", st)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	f := forwarder(t, Options{}, raw(t, says("~")).url)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	err := f.Forward(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
	if !errors.Is(err, context.Canceled) || errors.Is(err, httpcache.ErrBadResponse) {
		t.Errorf("error %v, want that the request was canceled", err)
	}
	if st := f.Stats()[0]; st.Failures != 0 || st.InFlight != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestInformationalAnswers(t *testing.T) {
	t.Parallel()
	s := frontend(t, forwarder(t, Options{}, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "done")
	})))
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, h["Link"]))
			return nil
		},
	})
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, body, err := do(t, q)
	if err != nil || body != "done" || res.Header["Link"] != nil || len(hints) != 1 || hints[0] != "103 [</a.css>; rel=preload]" {
		t.Errorf("%v, %q, %v, hints %q", res, body, err, hints)
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{true, false} {
		s := frontend(t, forwarder(t, Options{}, serve(t, func(w http.ResponseWriter, r *http.Request) {
			if !wanted {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			_, _ = io.Copy(w, r.Body)
		})))
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
		in := bufio.NewReader(c)
		line, err := in.ReadString('\n')
		if want := map[bool]string{true: "HTTP/1.1 100 Continue\r\n", false: "HTTP/1.1 403 Forbidden\r\n"}[wanted]; line != want {
			t.Errorf("%q, %v, want %q", line, err, want)
		}
		if wanted {
			_, _ = in.ReadString('\n')
			_, _ = io.WriteString(c, "body")
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); string(body) != "body" {
				t.Errorf("%q, %v", body, err)
			}
			_ = res.Body.Close()
		}
		_ = c.Close()
	}
}

func TestTrailers(t *testing.T) {
	t.Parallel()
	s := frontend(t, forwarder(t, Options{}, serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "Announced")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("Announced", "1")
		w.Header().Set(http.TrailerPrefix+"Unannounced", r.Trailer.Get("Asked"))
	})))
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, io.NopCloser(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	q.Trailer = http.Header{"Asked": {"2"}}
	res, body, err := do(t, q)
	if err != nil || body != "body" || res.Trailer.Get("Announced") != "1" || res.Trailer.Get("Unannounced") != "2" {
		t.Errorf("%q, %v, trailers %v", body, err, res.Trailer)
	}
}

// echoes upgrades and sends back what comes.
func echoes(w http.ResponseWriter, r *http.Request) {
	c, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
	_, _ = io.Copy(c, buffered)
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	f := forwarder(t, Options{BodyTimeout: 50 * time.Millisecond}, serve(t, echoes))
	s := frontend(t, f)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%v, %v", res, err)
	}
	_ = res.Body.Close()
	pause := time.NewTimer(150 * time.Millisecond) // longer than bodies may pause
	for range 3 {
		_, _ = io.WriteString(c, "ping\n")
		if line, err := in.ReadString('\n'); line != "ping\n" {
			t.Fatalf("%q, %v", line, err)
		}
		<-pause.C
		pause.Reset(0)
	}
	if st := f.Stats()[0]; st.InFlight != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	o := raw(t, func(_ int64, c *net.TCPConn, in *bufio.Reader) {
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			for rest := line; rest != "\r\n"; {
				if rest, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			target := strings.Fields(line)[1]
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(target), target)
		}
	})
	s := frontend(t, forwarder(t, Options{}, o.url))
	for target, want := range map[string]string{
		"/":                         "/",
		"/?":                        "/?",
		"/a/../b/./c":               "/a/../b/./c",
		"/%2e%2E/%2f%7e~":           "/%2e%2E/%2f%7e~",
		"//a//b":                    "//a//b",
		`/a"b[c]{d}|e^f`:            `/a"b[c]{d}|e^f`,
		"/ä":                        "/ä",
		"/a;b=c,d":                  "/a;b=c,d",
		"/a?b=c;d&&=e&%zz&+=%20#f":  "/a?b=c;d&&=e&%zz&+=%20#f",
		"/a#b":                      "/a#b",
		"//h\"x":                    o.url + "//h\"x",
		"http://other.example/x?y":  "/x?y",
		"http://other.example":      "/",
		"http://other.example/a%2F": "/a%2F",
	} {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", target)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if string(got) != want {
			t.Errorf("%s is asked for as %q, %v, want %q", target, got, err, want)
		}
		_ = res.Body.Close()
		_ = c.Close()
	}
}

func TestOptionsForAll(t *testing.T) {
	t.Parallel()
	o := raw(t, func(_ int64, c *net.TCPConn, in *bufio.Reader) {
		line, _ := in.ReadString('\n')
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(line), line)
	})
	f := forwarder(t, Options{}, o.url)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "*", http.NoBody)
	w := httptest.NewRecorder()
	if err := f.Forward(w, r); err != nil || w.Body.String() != "OPTIONS * HTTP/1.1\r\n" {
		t.Errorf("the origin is sent %q, %v", w.Body, err)
	}
}

func TestOwnAnswers(t *testing.T) {
	t.Parallel()
	f := forwarder(t, Options{Routes: []Route{{Host: "a.example", Origins: []Origin{{URL: "http://127.0.0.1:1"}}}}})
	for name, tt := range map[string]struct {
		method, host string
		header       http.Header
		status       int
	}{
		"another host":   {"GET", "b.example", nil, 421},
		"a loop":         {"GET", "a.example", http.Header{"Via": {"1.1 x, 2 " + f.via}}, 508},
		"connect":        {"CONNECT", "a.example", nil, 405},
		"last trace":     {"TRACE", "a.example", http.Header{"Max-Forwards": {"0"}}, 405},
		"last options":   {"OPTIONS", "a.example", http.Header{"Max-Forwards": {"0"}}, 200},
		"another's hops": {"GET", "b.example", http.Header{"Max-Forwards": {"0"}}, 421},
	} {
		r := httptest.NewRequestWithContext(t.Context(), tt.method, "http://"+tt.host+"/", http.NoBody)
		r.Header = tt.header
		if r.Header == nil {
			r.Header = make(http.Header)
		}
		w := httptest.NewRecorder()
		if err := f.Forward(w, r); err != nil || w.Code != tt.status {
			t.Errorf("%s: status %d, %v, want %d", name, w.Code, err, tt.status)
		}
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	says := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "End")
		_, _ = fmt.Fprint(w, r.Proto, " ", r.RequestURI)
		w.Header().Set("End", "yes")
	})
	secure := httptest.NewUnstartedServer(says)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewUnstartedServer(says)
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	t.Cleanup(plain.Close)
	trusts := secure.Client().Transport.(*http.Transport).TLSClientConfig
	for _, url := range []string{secure.URL, "h2c://" + plain.Listener.Addr().String()} {
		s := frontend(t, forwarder(t, Options{TLS: &tls.Config{RootCAs: trusts.RootCAs}}, url))
		for _, target := range []string{"/x?y", "/a%2Fb", `/a|b`, "//a"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			u, err := r.URL.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			u.Opaque = target
			if strings.HasPrefix(target, "//") {
				u.Opaque, u.Path = "", target
			}
			res, body, err := do(t, (&http.Request{Method: "GET", URL: u, Header: http.Header{}}).WithContext(t.Context()))
			if err != nil || body != "HTTP/2.0 "+target || res.Trailer.Get("End") != "yes" {
				t.Errorf("%s%s: %q, %v, %v", url, target, body, res.Trailer, err)
			}
		}
	}
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	s := frontend(t, forwarder(t, Options{}, serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(text)
	})))
	body := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodPatch, "ODD"} {
		q, err := http.NewRequestWithContext(t.Context(), method, s.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if res, text, err := do(t, q); err != nil || res.StatusCode != 201 || text != body {
			t.Errorf("%s: %v, %d bytes, %v", method, res, len(text), err)
		}
	}
}

// TestAnswerWhileTheBodyComes has an origin whose answer is under way while the client still sends: no byte of either may be lost.
func TestAnswerWhileTheBodyComes(t *testing.T) {
	t.Parallel()
	s := frontend(t, forwarder(t, Options{}, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		body := bufio.NewReader(r.Body)
		for line, err := "go on\n", error(nil); err == nil; line, err = body.ReadString('\n') {
			_, _ = io.WriteString(w, line)
			_ = http.NewResponseController(w).Flush()
		}
	})))
	body, send := io.Pipe()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(send, "first\n") }() // with which the header goes out
	res, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewReader(res.Body)
	for _, want := range []string{"go on\n", "first\n"} {
		if line, err := in.ReadString('\n'); line != want {
			t.Fatalf("%q, %v, want %q", line, err, want)
		}
	}
	for range 5 {
		if _, err := io.WriteString(send, "more\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := in.ReadString('\n'); line != "more\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	_ = send.Close()
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}
