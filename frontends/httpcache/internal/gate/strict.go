package gate

import (
	"bytes"
	"net/http"
)

const (
	http1   = "HTTP/1."
	preface = "PRI * HTTP/2.0" // RFC 9113 section 3.4
)

// Strict is a Judge that refuses what two readers of one message could take for two different things (RFC 9112 sections 5, 6
// and 11.2), and what is too much. What it lets pass it has understood as net/http will: net/http is stricter about the values
// of fields, and never more lenient.
type Strict struct {
	// MaxLine limits the request line to so many bytes. Zero is no limit of its own.
	MaxLine int
	// MaxFields limits how many fields a head may have. Zero is no limit.
	MaxFields int
	// BareLF accepts lines that end in LF alone.
	BareLF bool
}

// malformed is the Verdict on a malformed request.
func malformed(reason string) Verdict {
	return Verdict{Status: http.StatusBadRequest, Reason: reason}
}

// framing is what a head says about the end of its request, and for whom it is.
type framing struct {
	minor            byte // of the version, '0' or '1'
	hosts            int
	lengths, codings int
	length           int64
}

// Head implements Judge.
func (s *Strict) Head(head []byte) Verdict {
	line, rest, ok := s.line(head)
	if !ok {
		return malformed("a line does not end in CR LF")
	}
	if s.MaxLine > 0 && len(line) > s.MaxLine {
		return Verdict{Status: http.StatusRequestURITooLong, Reason: "the request line is too long"}
	}
	if len(line) == len(preface) && string(line) == preface {
		return Verdict{Body: Opaque} // HTTP/2, which the server knows how to speak or to refuse
	}
	var f framing
	if v := requestLine(line, &f); v.Status != 0 {
		return v
	}
	if v := s.fields(rest, &f); v.Status != 0 {
		return v
	}
	return f.verdict()
}

// TooLong implements Judge.
func (s *Strict) TooLong(part []byte) Verdict {
	if bytes.IndexByte(part, '\n') < 0 {
		return Verdict{Status: http.StatusRequestURITooLong, Reason: "the request line is too long"}
	}
	return Verdict{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: "the fields are too long"}
}

// line cuts a line off b, without its end, and reports whether that was as it must be.
func (s *Strict) line(b []byte) (line, rest []byte, ok bool) {
	n := bytes.IndexByte(b, '\n')
	if n < 0 {
		return b, nil, false
	}
	if line, rest = b[:n], b[n+1:]; n > 0 && b[n-1] == '\r' {
		return line[:n-1], rest, true
	}
	return line, rest, s.BareLF
}

// requestLine reads method, target and version, with one space between them (RFC 9112 section 3).
func requestLine(line []byte, f *framing) Verdict {
	method, rest := word(line)
	target, version := word(rest)
	if !token(method) || len(target) == 0 {
		return malformed("the request line is malformed")
	}
	for _, b := range target {
		if b <= ' ' || b >= 0x7f {
			return malformed("the target has a byte that must be escaped")
		}
	}
	if len(version) != len(http1)+1 || string(version[:len(http1)]) != http1 {
		return malformed("the request line is malformed")
	}
	if f.minor = version[len(http1)]; f.minor != '0' && f.minor != '1' {
		return Verdict{Status: http.StatusHTTPVersionNotSupported, Reason: "speak HTTP/1.1"}
	}
	return Verdict{}
}

// word cuts b at its first space.
func word(b []byte) (word, rest []byte) {
	word, rest, _ = bytes.Cut(b, []byte{' '})
	return word, rest
}

// fields reads the fields up to the empty line.
func (s *Strict) fields(b []byte, f *framing) Verdict {
	for n := 0; ; n++ {
		line, rest, ok := s.line(b)
		if !ok {
			return malformed("a line does not end in CR LF")
		}
		if len(line) == 0 {
			return Verdict{}
		}
		if s.MaxFields > 0 && n == s.MaxFields {
			return Verdict{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: "there are too many fields"}
		}
		if v := f.add(line); v.Status != 0 {
			return v
		}
		b = rest
	}
}

// add notes a field's line.
func (f *framing) add(line []byte) Verdict {
	colon := bytes.IndexByte(line, ':')
	switch {
	case line[0] == ' ', line[0] == '\t':
		return malformed("a field is folded over two lines") // RFC 9112 section 5.2
	case colon < 0 || !token(line[:colon]):
		return malformed("the name of a field is malformed") // RFC 9112 section 5.1
	}
	value := line[colon+1:]
	switch name := line[:colon]; len(name) {
	case len("Host"):
		if EqualFold(name, "host") {
			f.hosts++
		}
	case len("Content-Length"):
		if EqualFold(name, "content-length") {
			f.lengths++
			return f.setLength(value)
		}
	case len("Transfer-Encoding"):
		if EqualFold(name, "transfer-encoding") {
			f.codings++
		}
	}
	return Verdict{}
}

// setLength reads a Content-Length: digits and nothing else.
func (f *framing) setLength(value []byte) Verdict {
	value = bytes.Trim(value, " \t")
	if len(value) == 0 || len(value) > 18 {
		return malformed("the Content-Length is malformed")
	}
	f.length = 0
	for _, b := range value {
		if b < '0' || b > '9' {
			return malformed("the Content-Length is malformed")
		}
		f.length = f.length*10 + int64(b-'0')
	}
	return Verdict{}
}

// verdict decides by the fields together (RFC 9112 sections 3.2 and 6.3).
func (f *framing) verdict() Verdict {
	switch {
	case f.hosts > 1:
		return malformed("there are several Host fields")
	case f.hosts == 0 && f.minor == '1':
		return malformed("there is no Host field")
	case f.lengths > 1:
		return malformed("there are several Content-Length fields")
	case f.lengths > 0 && f.codings > 0:
		return malformed("there are Content-Length and Transfer-Encoding")
	case f.codings > 0 && f.minor == '0':
		return malformed("HTTP/1.0 has no Transfer-Encoding")
	case f.codings > 0:
		return Verdict{Body: Opaque}
	}
	return Verdict{Body: f.length}
}

// Lax is a Judge that refuses nothing: what Strict would refuse, and the rest of its connection, it leaves to net/http.
type Lax struct{}

// Head implements Judge.
func (Lax) Head(head []byte) Verdict {
	s := Strict{BareLF: true}
	if v := s.Head(head); v.Status == 0 {
		return v
	}
	return Verdict{Body: Opaque}
}

// TooLong implements Judge.
func (Lax) TooLong([]byte) Verdict { return Verdict{Body: Opaque} }

// EqualFold reports whether b is s, which is in lower case, but for the case of letters. Both are as long.
func EqualFold(b []byte, s string) bool {
	for i := range len(s) {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// token reports whether b is a token (RFC 9110 section 5.6.2).
func token(b []byte) bool {
	for _, c := range b {
		if !Token(c) {
			return false
		}
	}
	return len(b) > 0
}

// Token reports whether c may be in a token (RFC 9110 section 5.6.2).
func Token(c byte) bool {
	const (
		low  = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' | (1<<10-1)<<'0'
		high = (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64) | 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64)
	)
	switch c >> 6 {
	case 0:
		return low>>c&1 != 0
	case 1:
		return high>>(c-64)&1 != 0
	}
	return false
}

var (
	_ Judge = (*Strict)(nil)
	_ Judge = Lax{}
)
