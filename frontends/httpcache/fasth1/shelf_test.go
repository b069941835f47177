package fasth1_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/edgecache/edgecache/frontends/httpcache/fasth1"
)

// shelf is a Source of a few responses, and a handler that does with them what a cache behind net/http would do.
type shelf map[string]page

// page is a response. It varies by Accept-Language where it has two bodies.
type page struct {
	head   []byte // with the empty line
	bodies [2][]byte
}

const date = "Mon, 01 Jan 2024 00:00:00 GMT"

func newShelf() shelf {
	s := make(shelf)
	for target, size := range map[string]int{"/small": 3, "/empty": 0, "/1k": 1 << 10, "/64k": 64 << 10, "/1m": 1 << 20, "/q?a=%2f": 9} {
		s.put("http://a"+target, bytes.Repeat([]byte("x"), size), nil)
	}
	s.put("http://a/vary", []byte("en"), []byte("de"))
	return s
}

func (s shelf) put(key string, body, other []byte) {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nAge: 7\r\n\r\n", date, len(body))
	s[key] = page{[]byte(head), [2][]byte{body, other}}
}

// Find implements fasth1.Source.
func (s shelf) Find(r *fasth1.Request, dst []byte) (head, body []byte, ok bool) {
	r.Scratch = append(append(append(r.Scratch[:0], "http://"...), r.Host...), r.Target...)
	p, ok := s[string(r.Scratch)]
	if !ok {
		return dst, nil, false
	}
	return append(dst, p.head...), p.pick(r.Values("Accept-Language")), !r.Unsure()
}

func (p *page) pick(languages []string) []byte {
	if p.bodies[1] != nil && len(languages) == 1 && languages[0] == "de" {
		return p.bodies[1]
	}
	return p.bodies[0]
}

// ServeHTTP answers plain requests from the shelf and echoes all others.
func (s shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h := w.Header()
	h.Set("Date", date)
	h.Set("Content-Type", "text/plain")
	if p, ok := s["http://"+r.Host+r.RequestURI]; ok && err == nil && plain(r) {
		b := p.pick(r.Header["Accept-Language"])
		h.Set("Age", "7")
		h.Set("Content-Length", strconv.Itoa(len(b)))
		_, _ = w.Write(b)
		return
	}
	fmt.Fprintln(w, r.Method, r.RequestURI, r.Host, r.Proto, r.ContentLength, r.TransferEncoding, len(body), err)
	_ = r.Header.Write(w)
}

// plain reports whether the request may be answered with what is stored and nothing else.
func plain(r *http.Request) bool {
	for name := range r.Header {
		switch name {
		case "Range", "Cache-Control", "Pragma", "Authorization", "Expect", "Upgrade", "Te", "Trailer", "Content-Length":
			return false
		}
		if strings.HasPrefix(name, "If-") {
			return false
		}
	}
	c := r.Header["Connection"]
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && r.ContentLength == 0 &&
		(len(c) == 0 || len(c) == 1 && strings.EqualFold(c[0], "keep-alive"))
}

// script is a connection on which the client has said everything already: it comes in pieces of so many bytes.
type script struct {
	net.Conn
	in    []byte
	piece int
	out   bytes.Buffer
	done  chan struct{}
	once  sync.Once
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.piece)], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) { return s.out.Write(p) }

func (s *script) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// scripts is a listener with one connection.
type scripts struct {
	net.Listener
	conn chan net.Conn
}

func (s *scripts) Accept() (net.Conn, error) {
	if c, ok := <-s.conn; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
