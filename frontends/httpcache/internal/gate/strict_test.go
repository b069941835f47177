package gate_test

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/gate"
)

var heads = []struct {
	name, head string
	want       gate.Verdict
}{
	{"plain", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", gate.Verdict{}},
	{"length", "POST / HTTP/1.1\r\nhost: a\r\ncontent-LENGTH: \t012 \r\n\r\n", gate.Verdict{Body: 12}},
	{"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", gate.Verdict{Body: gate.Opaque}},
	{"preface", "PRI * HTTP/2.0\r\n\r\n", gate.Verdict{Body: gate.Opaque}},
	{"old", "GET / HTTP/1.0\r\n\r\n", gate.Verdict{}},
	{"line", "GET /" + strings.Repeat("x", 100) + " HTTP/1.1\r\nHost: a\r\n\r\n", gate.Verdict{Status: 414}},
	{"fields", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n", gate.Verdict{Status: 431}},
	{"bareLF", "GET / HTTP/1.1\r\nHost: a\n\r\n", gate.Verdict{Status: 400}},
	{"empty", "", gate.Verdict{Status: 400}},
	{"version", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", gate.Verdict{Status: 505}},
}

func TestStrict(t *testing.T) {
	s := &gate.Strict{MaxLine: 80, MaxFields: 4}
	for _, c := range heads {
		got := s.Head([]byte(c.head))
		if (got.Reason != "") != (got.Status != 0) {
			t.Errorf("%s: status %d with reason %q", c.name, got.Status, got.Reason)
		}
		if got.Reason = ""; got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// FuzzStrict: what passes, net/http refuses or reads in the same way: all of the head, and a body of the same length.
func FuzzStrict(f *testing.F) {
	for _, c := range heads {
		f.Add([]byte(c.head))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 || bytes.HasPrefix(b, []byte("\r\n")) {
			t.Skip("no head")
		}
		head := b[:end+4]
		s := gate.Strict{}
		v := s.Head(head)
		if v.Status != 0 || v.Body == gate.Opaque {
			return
		}
		br := bufio.NewReaderSize(bytes.NewReader(append(bytes.Clone(head), "rest"...)), 64<<10)
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		if r.ContentLength != v.Body || len(r.TransferEncoding) > 0 {
			t.Errorf("%q: a body of %d bytes, net/http has %d %v", head, v.Body, r.ContentLength, r.TransferEncoding)
		}
		if rest, err := br.Peek(4); err != nil || string(rest) != "rest" {
			t.Errorf("%q: net/http has left %q", head, rest)
		}
	})
}
