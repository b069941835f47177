package fasth1

import (
	"bytes"
	"time"
	"unsafe"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/gate"
)

const (
	maxFields = 40
	maxValues = 16
)

// Request is a plain request. It and its strings are valid until Find returns.
type Request struct {
	// Host is the Host field, in lower case, with a port or without.
	Host string
	// Target is path and query as they came. It begins with a slash.
	Target string
	// Secure is true over TLS.
	Secure bool
	// Now is when it was read.
	Now time.Time
	// Scratch is for a Source to use, and to use again for another request.
	Scratch []byte

	unsure bool
	drop   map[string]struct{}
	n      int
	fields [maxFields]field
	used   int
	values [maxValues]string
}

// field is a line of the head.
type field struct {
	name, value string
	sure        bool // that everything before the cache lets it through
}

// Values returns the values of the field with the canonical name. It allocates nothing for usual requests.
func (r *Request) Values(name string) []string {
	first := r.used
	values := r.values[first:first]
	for i := range r.fields[:r.n] {
		f := &r.fields[i]
		if len(f.name) != len(name) || !same(f.name, name) {
			continue
		}
		_, dropped := r.drop[name]
		r.unsure = r.unsure || dropped || !f.sure
		values = append(values, f.value)
	}
	r.used = min(first+len(values), maxValues)
	return values
}

// Unsure reports whether Values has been asked for a field of the request that might not be what net/http's handlers see.
func (r *Request) Unsure() bool { return r.unsure }

// read reads a complete head and reports whether it is a plain request's. What it takes, net/http takes too, and in the same
// way; so it takes little.
func (r *Request) read(head []byte) bool {
	r.n, r.used, r.unsure, r.Host = 0, 0, false, ""
	const get, version = "GET ", " HTTP/1.1\r\n"
	if len(head) < len(get) || string(head[:len(get)]) != get {
		return false
	}
	rest, ok := r.target(head[len(get):])
	if !ok || len(rest) < len(version) || string(rest[:len(version)]) != version {
		return false
	}
	for rest = rest[len(version):]; ; {
		if len(rest) < 2 {
			return false
		}
		if rest[0] == '\r' {
			return rest[1] == '\n' && len(rest) == 2 && r.Host != ""
		}
		if rest, ok = r.field(rest); !ok {
			return false
		}
	}
}

// target takes path and query off b: of characters that no server changes, without empty or dot segments, which some would
// resolve.
func (r *Request) target(b []byte) ([]byte, bool) {
	if len(b) == 0 || b[0] != '/' {
		return nil, false
	}
	query := false
	i := 1
	for ; i < len(b) && b[i] != ' '; i++ {
		switch c := b[i]; {
		case c == '?':
			query = true
		case c == '%':
			if !escape(b[i:], query) {
				return nil, false
			}
		case (c == '.' || c == '/') && !query && b[i-1] == '/', !plain(c):
			return nil, false
		}
	}
	r.Target = view(b[:i])
	return b[i:], true
}

// escape reports whether b begins with an escape, and in a path not with that of a control character, or of one that could
// be taken for a part of the path's structure.
func escape(b []byte, query bool) bool {
	if len(b) < 3 || !hex(b[1]) || !hex(b[2]) {
		return false
	}
	if query {
		return true
	}
	switch b[1] {
	case '2':
		return b[2]|0x20 != 'e' && b[2]|0x20 != 'f' // . and /
	case '5':
		return b[2]|0x20 != 'c' // \
	}
	return b[1] != '0' && b[1] != '1'
}

func hex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// plain reports whether c is a character of paths and queries that net/url leaves as it is in both (RFC 3986 section 3.3).
func plain(c byte) bool {
	const (
		low  = 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<'+' | 1<<',' | 1<<'-' | 1<<'.' | 1<<'/' | (1<<10-1)<<'0' | 1<<':' | 1<<';' | 1<<'='
		high = 1<<('@'-64) | (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64) | 1<<('_'-64) | 1<<('~'-64)
	)
	switch c >> 6 {
	case 0:
		return low>>c&1 != 0
	case 1:
		return high>>(c-64)&1 != 0
	}
	return false
}

// field takes a line off b: a name, a colon, and a value of visible characters, spaces and tabs.
func (r *Request) field(b []byte) ([]byte, bool) {
	colon := 0
	for colon < len(b) && gate.Token(b[colon]) {
		colon++
	}
	if colon == 0 || colon == len(b) || b[colon] != ':' || r.n == maxFields {
		return nil, false
	}
	end := bytes.IndexByte(b, '\n')
	if end <= colon+1 || b[end-1] != '\r' {
		return nil, false
	}
	name, value := b[:colon], bytes.Trim(b[colon+1:end-1], " \t")
	for _, c := range value {
		if (c < ' ' || c >= 0x7f) && c != '\t' {
			return nil, false
		}
	}
	if !r.heed(name, value) {
		return nil, false
	}
	r.fields[r.n] = field{view(name), view(value), sure(name)}
	r.n++
	return b[end+1:], true
}

// heed decides by a field whether the request is plain.
func (r *Request) heed(name, value []byte) bool {
	switch name[0] | 0x20 {
	case 'h':
		if is(name, "host") {
			return r.host(value)
		}
		return !is(name, "http2-settings")
	case 'i':
		return !begins(name, "if-")
	case 'c':
		if is(name, "connection") {
			return is(value, "keep-alive") // which is what HTTP/1.1 does without it
		}
		return !is(name, "cache-control") && !begins(name, "content-")
	case 'a':
		return !is(name, "authorization")
	case 'p':
		return !is(name, "pragma") && !begins(name, "proxy")
	case 'r':
		return !is(name, "range")
	case 'e':
		return !is(name, "expect")
	case 'u':
		return !is(name, "upgrade")
	case 't':
		return !is(name, "te") && !begins(name, "trailer") && !begins(name, "transfer-")
	}
	return true
}

// host takes the one host, a name or an IPv4 address in lower case, with a port or without.
func (r *Request) host(value []byte) bool {
	if r.Host != "" || len(value) == 0 {
		return false
	}
	name := value
	if i := bytes.IndexByte(value, ':'); i >= 0 {
		name = value[:i]
		for _, c := range value[i+1:] {
			if c < '0' || c > '9' {
				return false
			}
		}
		if n := len(value) - i - 1; n == 0 || n > 5 {
			return false
		}
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	r.Host = view(value)
	return len(name) > 0
}

// sure reports whether a field is one that nothing in front of a cache takes away or rewrites.
func sure(name []byte) bool {
	switch name[0] | 0x20 {
	case 'a':
		return begins(name, "accept")
	case 'c':
		return is(name, "cookie")
	case 'd':
		return is(name, "dnt")
	case 'o':
		return is(name, "origin")
	case 'r':
		return is(name, "referer")
	case 's':
		return begins(name, "sec-") || is(name, "save-data")
	case 'u':
		return is(name, "user-agent")
	}
	return false
}

// is reports whether b is s, which is in lower case, but for the case of letters.
func is(b []byte, s string) bool { return len(b) == len(s) && gate.EqualFold(b, s) }

// begins reports whether b begins with s, which is in lower case, but for the case of letters.
func begins(b []byte, s string) bool { return len(b) >= len(s) && gate.EqualFold(b[:len(s)], s) }

// same reports whether two names of one length are the same but for the case of letters. Both are tokens.
func same(a, b string) bool {
	for i := range len(a) {
		if x, y := a[i], b[i]; x != y && (x^y != 0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// view returns b as a string that changes with it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
