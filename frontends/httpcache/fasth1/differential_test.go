package fasth1_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/fasth1"
)

// The parts of a net.Conn and a net.Listener that a script needs beside.

func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *scripts) Close() error                    { return nil }
func (s *scripts) Addr() net.Addr                  { return &net.TCPAddr{} }

// play serves a connection on which in comes in pieces, and returns all that is answered.
func play(t *testing.T, in []byte, piece int, h shelf, front *fasth1.Front) []byte {
	c := &script{in: in, piece: max(piece, 1), done: make(chan struct{})}
	ln := &scripts{conn: make(chan net.Conn, 1)}
	ln.conn <- c
	closed := make(chan struct{})
	srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(closed)
		}
	}}
	var gated net.Listener = ln
	if front != nil {
		gated = front.Listen(srv, ln, nil)
	}
	served := make(chan struct{})
	go func() {
		_ = srv.Serve(gated)
		close(served)
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatalf("%q in pieces of %d: the connection does not end", in, piece)
	}
	close(ln.conn)
	<-served
	return c.out.Bytes()
}

// transcript makes what can be compared of answers: the order of fields cannot.
func transcript(out []byte) string {
	var b strings.Builder
	for br := bufio.NewReader(bytes.NewReader(out)); ; {
		resp, err := http.ReadResponse(br, nil)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			// The answer to HEAD has no body, which this reader does not know: what follows is compared as it is.
			rest, _ := io.ReadAll(br)
			fmt.Fprintf(&b, "%v %q", err, rest)
			return b.String()
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Fprintln(&b, resp.Status, resp.Proto, resp.Close, resp.ContentLength, resp.TransferEncoding, err)
		resp.Header.Del("Date")
		_ = resp.Header.Write(&b)
		fmt.Fprintf(&b, "%q\n", body)
	}
}

const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

// corpus are heads that one of two parsers could take for something else, most in front of another request.
var corpus = []string{
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\nGET /1k HTTP/1.1\r\nhost:a\r\nAccept: */*\r\n\r\nGET /miss HTTP/1.1\r\nHost: a\r\n\r\nGET /empty HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /vary HTTP/1.1\r\nHost: a\r\nAccept-Language: de\r\n\r\nGET /vary HTTP/1.1\r\nHost: a\r\naccept-language:\tde \r\n\r\n",
	"GET /vary HTTP/1.1\r\nHost: a\r\nAccept-Language: de\r\nAccept-Language: en\r\n\r\n",
	"GET /vary HTTP/1.1\r\nHost: a\r\nAccept-Language: de\r\n en\r\n\r\n",
	"GET /q?a=%2f HTTP/1.1\r\nHost: a\r\n\r\nGET /q?a=%2F HTTP/1.1\r\nHost: a\r\n\r\nGET /q?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /%73mall HTTP/1.1\r\nHost: a\r\n\r\nGET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /64k HTTP/1.1\r\nHost: a\r\n\r\nHEAD /small HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /small HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\r\n\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
	"GET /small HTTP/1.1\nHost: a\n\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /small HTTP/1.1\r\nHost: a\r\nX: a\nRange: bytes=0-0\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nX: a\rRange: bytes=0-0\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nX: a\x00\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nX: \xe4\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nX y: 1\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\n Folded: 1\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\n Host: a\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\n \r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\n\t\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost:\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: A\r\n\r\nGET /small HTTP/1.1\r\nHost: a:80\r\n\r\nGET /small HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"GET /small HTTP/1.0\r\nHost: a\r\n\r\n" + next,
	"GET /small HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" + next,
	"GET /small HTTP/1.2\r\nHost: a\r\n\r\n" + next,
	"GET /small HTTP/2.0\r\nHost: a\r\n\r\n" + next,
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"GET /small http/1.1\r\nHost: a\r\n\r\n" + next,
	"GET  /small HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	"GET /small  HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	"GET /small x HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	"GET\t/small HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	" GET /small HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	"get /small HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	"GET http://a/small HTTP/1.1\r\nHost: b\r\n\r\n" + next,
	"GET a/small HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	"GET * HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	"GET //small HTTP/1.1\r\nHost: a\r\n\r\nGET /x/../small HTTP/1.1\r\nHost: a\r\n\r\nGET /small#x HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
	"GET /small HTTP/1.1\r\nHost: a\r\nCache-Control: no-cache\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
	"GET /small HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n",
	"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 100) + "\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("b", 40<<10) + "\r\n\r\n" + next,
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\nGET /small HTTP/1.1\r\nHo",
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\nGET /sma",
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\n\r",
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\nG",
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
	"GET /small HTTP/1.1\r\nHost: a\r\n\r\na\n\n",
	"GET /miss HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
	"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
	"\x16\x03\x01\x00\x05hello",
	"\r\n",
	"",
}

// compare holds what is answered with a Front against net/http alone.
func compare(t *testing.T, in []byte, piece int) {
	h := newShelf()
	want := transcript(play(t, in, piece, h, nil))
	got := transcript(play(t, in, piece, h, fasth1.New(h)))
	if got != want {
		t.Errorf("%q in pieces of %d: answers\n%s\nwant, as net/http has them,\n%s", in, piece, got, want)
	}
}

func TestLikeNetHTTP(t *testing.T) {
	for _, in := range corpus {
		for _, piece := range []int{1 << 20, 1, 7} {
			compare(t, []byte(in), piece)
		}
	}
}

// FuzzLikeNetHTTP: for any bytes, in pieces of any size, a Front changes nothing but who answers.
func FuzzLikeNetHTTP(f *testing.F) {
	for i, in := range corpus {
		f.Add([]byte(in), uint16(i*97))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint16) {
		if len(in) > 16<<10 {
			t.Skip("too long")
		}
		compare(t, in, int(piece))
	})
}
