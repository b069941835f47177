package guard_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/guard"
)

// seen is what the origin behind a guard was asked for.
type seen struct {
	Method, Target, Path, Host, Body string
	Header                           http.Header
	Length                           int64
}

// echo answers with what it was asked for.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b, err := json.Marshal(seen{r.Method, r.RequestURI, r.URL.Path, r.Host, string(body), r.Header, r.ContentLength})
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
}

// serve starts a server with a guard before next and returns its address.
func serve(t *testing.T, o guard.Options, next http.HandlerFunc) string {
	t.Helper()
	g, err := guard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: g.Handler(next)}
	g.Server(srv)
	done := make(chan error, 1)
	gated := g.Listen(srv, ln, nil, nil)
	go func() { done <- srv.Serve(gated) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return ln.Addr().String()
}

// answer is a response and what the origin saw, if it was asked.
type answer struct {
	*http.Response
	body string
	seen *seen
}

// talk sends raw at once and returns the answers until the server closes the connection.
func talk(t *testing.T, addr, raw string) []answer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	var answers []answer
	for br := bufio.NewReader(c); ; method = "GET" {
		resp, err := http.ReadResponse(br, &http.Request{Method: method})
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return answers
		}
		if err != nil {
			t.Fatalf("after %d answers to %q: %v", len(answers), raw, err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		a := answer{Response: resp, body: string(body)}
		if resp.Header.Get("Content-Type") == "application/json" && method != "HEAD" {
			a.seen = new(seen)
			if err := json.Unmarshal(body, a.seen); err != nil {
				t.Fatal(err)
			}
		}
		answers = append(answers, a)
	}
}

// probe follows each request. Where the connection goes on, it is answered, and it alone, with what it asks for.
const probe = "GET /probe HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"

func get(fields string) string { return "GET /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" }

func post(fields, body string) string {
	return "POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body
}

// TestRawMessages sends the hand-made requests of which servers make different things.
func TestRawMessages(t *testing.T) {
	addr := serve(t, guard.Options{}, echo)
	for _, c := range []struct {
		name, raw string
		status    int
		goesOn    bool // the connection is used further
		body      string
	}{
		{name: "plain", raw: get(""), status: 200, goesOn: true},
		{name: "post", raw: post("Content-Length: 3\r\n", "abc"), status: 200, goesOn: true, body: "abc"},
		{name: "chunked", raw: post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), status: 200, body: "abc"},
		{name: "lengthAndCoding", raw: post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), status: 400},
		{name: "codingAndLength", raw: post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "3\r\nabc\r\n0\r\n\r\n"), status: 400},
		{name: "equalLengths", raw: post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), status: 400},
		{name: "differentLengths", raw: post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), status: 400},
		{name: "lengthList", raw: post("Content-Length: 3, 3\r\n", "abc"), status: 400},
		{name: "lengthSigned", raw: post("Content-Length: +3\r\n", "abc"), status: 400},
		{name: "lengthNegative", raw: post("Content-Length: -1\r\n", "abc"), status: 400},
		{name: "lengthHuge", raw: post("Content-Length: 99999999999999999999\r\n", "abc"), status: 400},
		{name: "lengthEmpty", raw: post("Content-Length:\r\n", "abc"), status: 400},
		{name: "lengthHex", raw: post("Content-Length: 0x3\r\n", "abc"), status: 400},
		{name: "codingOnHTTP10", raw: "POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", status: 400},
		{name: "codingUnknown", raw: post("Transfer-Encoding: gzip\r\n", "abc"), status: 501},
		{name: "codingTwice", raw: post("Transfer-Encoding: gzip, chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), status: 501},
		{name: "codingIdentity", raw: post("Transfer-Encoding: identity\r\n", "abc"), status: 501},
		{name: "codingWithVT", raw: post("Transfer-Encoding: \vchunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), status: 400},
		{name: "chunkSizeSigned", raw: post("Transfer-Encoding: chunked\r\n", "+3\r\nabc\r\n0\r\n\r\n"), status: 400},
		{name: "chunkBareLF", raw: post("Transfer-Encoding: chunked\r\n", "3\nabc\n0\n\n"), status: 400},
		{name: "spaceBeforeColon", raw: post("Content-Length : 3\r\n", "abc"), status: 400},
		{name: "leadingSpace", raw: "GET /x HTTP/1.1\r\n Host: a\r\n\r\n", status: 400},
		{name: "obsFold", raw: get("A: b\r\n c\r\n"), status: 400},
		{name: "obsFoldOfCoding", raw: post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), status: 400},
		{name: "bareCR", raw: get("A: b\rContent-Length: 3\r\n"), status: 400},
		{name: "nul", raw: get("A: b\x00c\r\n"), status: 400},
		{name: "bareLF", raw: "GET /x HTTP/1.1\nHost: a\n\n", status: 400},
		{name: "oneBareLF", raw: "GET /x HTTP/1.1\r\nHost: a\r\nA: b\nContent-Length: 3\r\n\r\nabc", status: 400},
		{name: "badName", raw: get("Fo(o: b\r\n"), status: 400},
		{name: "noName", raw: get(": b\r\n"), status: 400},
		{name: "noColon", raw: get("nonsense\r\n"), status: 400},
		{name: "noHost", raw: "GET /x HTTP/1.1\r\n\r\n", status: 400},
		{name: "noHostHTTP10", raw: "GET /x HTTP/1.0\r\n\r\n", status: 400},
		{name: "twoHosts", raw: get("Host: b\r\n"), status: 400},
		{name: "twoHostsHTTP10", raw: "GET /x HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", status: 400},
		{name: "hostWithSpace", raw: "GET /x HTTP/1.1\r\nHost: a/b c\r\n\r\n", status: 400},
		{name: "hostWithPath", raw: "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", status: 400},
		{name: "hostWithUser", raw: "GET /x HTTP/1.1\r\nHost: u@a\r\n\r\n", status: 400},
		{name: "hostWithMarkup", raw: "GET /x HTTP/1.1\r\nHost: a\"><script>\r\n\r\n", status: 400},
		{name: "hostList", raw: "GET /x HTTP/1.1\r\nHost: a, b\r\n\r\n", status: 400},
		{name: "hostPort", raw: "GET /x HTTP/1.1\r\nHost: a:99x\r\n\r\n", status: 400},
		{name: "hostEmpty", raw: "GET /x HTTP/1.1\r\nHost:\r\n\r\n", status: 400},
		{name: "twoSpaces", raw: "GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", status: 400},
		{name: "tab", raw: "GET\t/x HTTP/1.1\r\nHost: a\r\n\r\n", status: 400},
		{name: "spaceInTarget", raw: "GET /x y HTTP/1.1\r\nHost: a\r\n\r\n", status: 400},
		{name: "badEscape", raw: "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", status: 400},
		{name: "fragment", raw: "GET /x#y HTTP/1.1\r\nHost: a\r\n\r\n", status: 400},
		{name: "eightBits", raw: "GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", status: 400},
		{name: "noVersion", raw: "GET /x\r\nHost: a\r\n\r\n", status: 400},
		{name: "lowerCaseVersion", raw: "GET /x http/1.1\r\nHost: a\r\n\r\n", status: 400},
		{name: "version12", raw: "GET /x HTTP/1.2\r\nHost: a\r\n\r\n", status: 505},
		{name: "version20", raw: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 400},
		{name: "leadingEmptyLine", raw: "\r\n" + get(""), status: 400},
		{name: "emptyLineAfterPost", raw: post("Content-Length: 3\r\n", "abc\r\n"), status: 200, goesOn: true, body: "abc"},
		{name: "trace", raw: "TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n", status: 405},
		{name: "connect", raw: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", status: 405},
		{name: "connectionNamesHost", raw: get("Connection: Host\r\n"), status: 400},
		{name: "connectionNamesLength", raw: post("Connection: Content-Length\r\nContent-Length: 3\r\n", "abc"), status: 400},
		{name: "http10", raw: "GET /x HTTP/1.0\r\nHost: a\r\n\r\n", status: 200},
		{name: "http10KeptAlive", raw: "GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", status: 200, goesOn: true},
		{name: "otherMethod", raw: "BREW /x HTTP/1.1\r\nHost: a\r\n\r\n", status: 200, goesOn: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers := talk(t, addr, c.raw+probe)
			if len(answers) == 0 {
				t.Fatal("no answer")
			}
			first := answers[0]
			if first.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", first.StatusCode, c.status, first.body)
			}
			if c.status >= 400 && first.seen != nil {
				t.Errorf("the origin was asked: %+v", first.seen)
			}
			if first.seen != nil && first.seen.Body != c.body {
				t.Errorf("body %q, want %q", first.seen.Body, c.body)
			}
			checkProbe(t, answers, c.goesOn)
		})
	}
}

// checkProbe checks that the second answer is that to the probe, if the connection goes on, and that there is none otherwise.
func checkProbe(t *testing.T, answers []answer, goesOn bool) {
	t.Helper()
	switch {
	case !goesOn && len(answers) > 1:
		t.Errorf("the connection went on: %+v", answers[1].seen)
	case goesOn && len(answers) != 2:
		t.Errorf("%d answers, want 2", len(answers))
	case goesOn && (answers[1].seen == nil || answers[1].seen.Target != "/probe" || answers[1].seen.Host != "probe"):
		t.Errorf("the probe was answered with %s", answers[1].body)
	}
}

// TestRefusalsAreNotCached: what a client gets for a malformed request must not be kept for another's well-formed one.
func TestRefusalsAreNotCached(t *testing.T) {
	addr := serve(t, guard.Options{Hosts: []string{"a", "probe"}, MaxLine: 100}, echo)
	for _, raw := range []string{
		get("A: b\r\n c\r\n"), "GET /x HTTP/1.1\r\nHost: other\r\n\r\n", "GET /" + strings.Repeat("x", 200) + " HTTP/1.1\r\nHost: a\r\n\r\n",
		"TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a,b\r\n\r\n",
	} {
		a := talk(t, addr, raw)[0]
		if a.StatusCode < 400 || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: status %d, Cache-Control %q", raw, a.StatusCode, a.Header.Get("Cache-Control"))
		}
		if a.Header.Get("Connection") != "close" && !a.Close {
			t.Errorf("%q: the connection is kept", raw)
		}
	}
}

func TestBodiesOfGETAreDropped(t *testing.T) {
	addr := serve(t, guard.Options{}, echo)
	big := strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		name, raw string
		goesOn    bool
	}{
		{"length", "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 29\r\n\r\nGET /evil HTTP/1.1\r\nHost: e\r\n", true},
		{"head", "HEAD /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", true},
		{"chunked", "GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false},
		{"big", "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n" + big, false},
		{"expect", "GET /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers := talk(t, addr, c.raw+probe)
			if len(answers) == 0 || answers[0].StatusCode != 200 {
				t.Fatalf("answers: %+v", answers)
			}
			if s := answers[0].seen; s != nil && (s.Body != "" || s.Length != 0 || s.Header.Get("Content-Length") != "") {
				t.Errorf("the origin saw %+v", s)
			}
			checkProbe(t, answers, c.goesOn)
		})
	}
}

// TestUnkeyedFields: what an origin obeys and a cache does not see comes from trusted peers alone.
func TestUnkeyedFields(t *testing.T) {
	fields := []string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Scheme",
		"X-Forwarded-Server", "Forwarded", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Real-IP", "X-Host",
		"X-Evil",
	}
	always := []string{"Proxy", "Content_Length", "X_Forwarded_Host", "Dropped-Hop"}
	var raw strings.Builder
	for _, f := range append(fields, always...) {
		raw.WriteString(f + ": evil\r\n")
	}
	raw.WriteString("Kept: yes\r\nConnection: close, dropped-hop\r\n")
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, c := range []struct {
		name    string
		trusted []netip.Prefix
	}{{"untrusted", nil}, {"trusted", loopback}, {"other", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}} {
		t.Run(c.name, func(t *testing.T) {
			addr := serve(t, guard.Options{Trusted: c.trusted, Drop: []string{"x-evil"}}, echo)
			s := talk(t, addr, get(raw.String()))[0].seen
			for _, f := range fields {
				if got, want := s.Header.Get(f) != "", c.name == "trusted"; got != want {
					t.Errorf("%s: passed %v, want %v", f, got, want)
				}
			}
			for _, f := range always {
				if _, ok := s.Header[http.CanonicalHeaderKey(f)]; ok {
					t.Errorf("%s passed", f)
				}
			}
			if s.Header.Get("Kept") != "yes" {
				t.Error("an innocent field was dropped")
			}
		})
	}
}

func TestUnderscoresKept(t *testing.T) {
	addr := serve(t, guard.Options{KeepUnderscores: true}, echo)
	if s := talk(t, addr, get("My_Field: 1\r\nConnection: close\r\n"))[0].seen; s.Header.Get("My_field") != "1" {
		t.Errorf("the origin saw %v", s.Header)
	}
}

func TestHosts(t *testing.T) {
	addr := serve(t, guard.Options{Hosts: []string{"Example.com", "*.example.org", "[::1]"}}, echo)
	for host, status := range map[string]int{
		"example.com": 200, "EXAMPLE.COM": 200, "example.com:8080": 200, "example.com.": 200, "a.example.org": 200,
		"a.b.example.org": 200, "example.org": 421, "badexample.org": 421, "example.com.evil": 421, "[::1]:80": 200, "[::2]": 421,
	} {
		if a := talk(t, addr, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"); a[0].StatusCode != status {
			t.Errorf("%s: status %d, want %d", host, a[0].StatusCode, status)
		}
	}
}

// TestAbsoluteForm: the target's host overrides the field's (RFC 9112 section 3.2.2).
func TestAbsoluteForm(t *testing.T) {
	addr := serve(t, guard.Options{Hosts: []string{"good"}}, echo)
	for _, c := range []struct {
		target, host string
		status       int
		want         string
	}{
		{"http://good/x?y=%2f", "evil", 200, "/x?y=%2f"},
		{"http://good", "evil", 200, "/"},
		{"http://good?q", "evil", 200, "/?q"},
		{"HTTPS://good/%2e%2E/", "good", 200, "/%2e%2E/"},
		{"http://evil/x", "good", 421, ""},
		{"http://user:password@good/x", "good", 400, ""},
		{"ftp://good/x", "good", 400, ""},
		{"good/x", "good", 400, ""},
		{"//good/x", "good", 200, "//good/x"},
	} {
		a := talk(t, addr, "GET "+c.target+" HTTP/1.1\r\nHost: "+c.host+"\r\nConnection: close\r\n\r\n")[0]
		if a.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.target, a.StatusCode, c.status)
		} else if s := a.seen; s != nil && (s.Target != c.want || s.Host != "good") {
			t.Errorf("%s: the origin saw %s at %s", c.target, s.Target, s.Host)
		}
	}
}

func TestDotSegments(t *testing.T) {
	strict, lenient := serve(t, guard.Options{RefuseDotSegments: true}, echo), serve(t, guard.Options{}, echo)
	for target, status := range map[string]int{
		"/a/b": 200, "/a/b/": 200, "/": 200, "/a.b/..c/...": 200, "/a?../..": 200, "//test/../config/x": 400, "/a/../b": 400,
		"/a/..": 400, "/./a": 400, "/%2e%2e/a": 400, "/a/.%2E/b": 400, "//a": 400, "/a//b": 400, "/a%2f..%2fb": 400,
		"/a/..;x/b": 400, "/a%5c..%5Cb": 400,
	} {
		raw := "GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
		if a := talk(t, strict, raw)[0]; a.StatusCode != status {
			t.Errorf("%s: status %d, want %d", target, a.StatusCode, status)
		}
		if s := talk(t, lenient, raw)[0].seen; s == nil || s.Target != target {
			t.Errorf("%s: the origin saw %+v", target, s)
		}
	}
}

func TestLimits(t *testing.T) {
	addr := serve(t, guard.Options{MaxLine: 200, MaxHead: 1000, MaxFields: 10}, echo)
	for _, c := range []struct {
		name, raw string
		status    int
	}{
		{"line", "GET /" + strings.Repeat("x", 190) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"endlessLine", "GET /" + strings.Repeat("x", 2000), 414},
		{"fieldsSize", get("A: " + strings.Repeat("x", 2000) + "\r\n"), 431},
		{"endlessField", "GET /x HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("x", 2000), 431},
		{"fields", get(strings.Repeat("A: b\r\n", 10)), 431},
		{"fieldsAllowed", get(strings.Repeat("A: b\r\n", 8) + "Connection: close\r\n"), 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers := talk(t, addr, c.raw)
			if len(answers) != 1 || answers[0].StatusCode != c.status {
				t.Errorf("answers %+v, want one of status %d", answers, c.status)
			}
		})
	}
}

func TestBareLFAllowed(t *testing.T) {
	addr := serve(t, guard.Options{BareLF: true}, echo)
	answers := talk(t, addr, "POST /x HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc"+probe)
	if len(answers) != 2 || answers[0].seen == nil || answers[0].seen.Body != "abc" {
		t.Fatalf("answers: %+v", answers)
	}
	checkProbe(t, answers, true)
}

// TestPipeline: many requests sent at once are answered one by one, each with its own body.
func TestPipeline(t *testing.T) {
	addr := serve(t, guard.Options{}, echo)
	var raw strings.Builder
	for range 50 {
		raw.WriteString(get("") + post("Content-Length: 20\r\n", "GET /evil HTTP/1.1\r\n") + "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, raw.String()+probe); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(c)
	for i := range 151 {
		method := []string{"GET", "POST", "HEAD"}[i%3]
		resp, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		var s seen
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		} else if method != "HEAD" {
			if err := json.Unmarshal(body, &s); err != nil || s.Method != method || i == 150 && s.Target != "/probe" {
				t.Fatalf("answer %d: %s %v", i, body, err)
			}
		}
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("after the last answer: %v, want the end", err)
	}
}

// TestChunkedIsLast: whatever a handler does, and without a gate that has seen the head, what comes behind a chunked request is
// not served.
func TestChunkedIsLast(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"write":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) },
		"early": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			clear(w.Header())
			w.WriteHeader(http.StatusNoContent)
		},
		"flush": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
	}
	g, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, next := range handlers {
		t.Run(name, func(t *testing.T) {
			ts := httptest.NewServer(g.Handler(next))
			defer ts.Close()
			raw := post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "3\r\nabc\r\n0\r\n\r\n")
			answers := talk(t, ts.Listener.Addr().String(), raw+probe)
			final := 0
			for _, a := range answers {
				if a.StatusCode >= 200 {
					final++
				}
			}
			if final != 1 || !answers[len(answers)-1].Close {
				t.Errorf("%d answers, want 1, the last of its connection", final)
			}
		})
	}
}

// TestRefusalBesideHTTP2: a server that looks for the preface of HTTP/2 asks a connection twice that has ended. It is refused once.
func TestRefusalBesideHTTP2(t *testing.T) {
	g, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewUnstartedServer(g.Handler(http.HandlerFunc(echo)))
	ts.Config.Protocols = new(http.Protocols)
	ts.Config.Protocols.SetHTTP1(true)
	ts.Config.Protocols.SetUnencryptedHTTP2(true)
	g.Server(ts.Config)
	ts.Listener = g.Listen(ts.Config, ts.Listener, nil, nil)
	ts.Start()
	defer ts.Close()
	answers := talk(t, ts.Listener.Addr().String(), get("Content-Length: 1\r\nContent-Length: 1\r\n")+probe)
	if len(answers) != 1 || answers[0].StatusCode != 400 {
		t.Errorf("answers: %+v", answers)
	}
}
