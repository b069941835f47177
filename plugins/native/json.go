package native

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ConfigError says what is wrong with a configuration, and where.
type ConfigError struct {
	// Plugin is the one that the configuration is for.
	Plugin string
	// At is the byte that the problem is about, from 0.
	At int
	// Problem says what is wrong and what would be right.
	Problem string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s: config byte %d: %s", e.Plugin, e.At, e.Problem)
}

// reader reads JSON of a known structure. The first problem sticks: from then on its methods return false or nothing,
// and more ends every loop. It is strict where encoding/json is not, and says where.
type reader struct {
	text    []byte
	at      int // the next byte to read
	fieldAt int // where the name of the last field stands
	errAt   int
	problem string // "" is none
}

func (r *reader) failed() bool { return r.problem != "" }

func (r *reader) fail(at int, format string, args ...any) {
	if !r.failed() {
		r.errAt, r.problem = at, fmt.Sprintf(format, args...)
	}
}

// want fails because something else than what stands here.
func (r *reader) want(what string) {
	found := "the end"
	if r.peek(); r.at < len(r.text) {
		found = quote(r.text[r.at : r.at+1])
	}
	r.fail(r.at, "want %s, found %s", what, found)
}

// quote returns up to 40 bytes of s between quotes, with a question mark for what is not plain ASCII.
func quote(s []byte) string {
	q := []byte{'"'}
	for _, c := range s[:min(len(s), 40)] {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			c = '?'
		}
		q = append(q, c)
	}
	return string(append(q, '"'))
}

// peek steps over white space and returns the next byte without taking it, or 0 at the end.
func (r *reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// place returns where the next value begins.
func (r *reader) place() int {
	r.peek()
	return r.at
}

// take takes the next byte if it is c.
func (r *reader) take(c byte) bool {
	if r.failed() || r.peek() != c {
		return false
	}
	r.at++
	return true
}

// list calls element for each element of the array that stands here, until the first problem.
func (r *reader) list(element func()) {
	if !r.take('[') {
		r.want("an array")
	}
	r.elements(']', "a comma or the end of the array", element)
}

// object calls field for each field of the object that stands here, with the name's place in names.
func (r *reader) object(names []string, known string, field func(int)) {
	if !r.take('{') {
		r.want("an object")
	}
	seen := make([]bool, len(names))
	r.elements('}', "a comma or the end of the object", func() {
		if i := r.field(names, seen, known); !r.failed() {
			field(i)
		}
	})
}

func (r *reader) elements(end byte, separator string, element func()) {
	for n := 0; !r.failed() && !r.take(end); n++ {
		if n > 0 && !r.take(',') {
			r.want(separator)
			return
		}
		element()
	}
}

// field reads the name of a field and its colon, and returns the name's place in names.
func (r *reader) field(names []string, seen []bool, known string) int {
	r.fieldAt = r.place()
	name := r.string()
	if r.failed() {
		return 0
	}
	for i := range names {
		if names[i] != string(name) {
			continue
		}
		if seen[i] {
			r.fail(r.fieldAt, "field %s appears twice", quote(name))
		} else if !r.take(':') {
			r.want("a colon")
		}
		seen[i] = true
		return i
	}
	r.fail(r.fieldAt, "unknown field %s: want %s", quote(name), known)
	return 0
}

// string reads a string. Its bytes need not be UTF-8.
func (r *reader) string() []byte {
	if !r.take('"') {
		r.want("a string")
		return nil
	}
	start := r.at - 1
	out := []byte{}
	for !r.failed() {
		if r.at == len(r.text) {
			r.fail(start, "string without an end")
			break
		}
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return out
		case c < ' ':
			r.fail(r.at-1, "control character in a string")
		case c == '\\':
			out = r.escape(out)
		default:
			out = append(out, c)
		}
	}
	return nil
}

// escape reads what follows a backslash and appends what it means to out.
func (r *reader) escape(out []byte) []byte {
	const names, meant = "\"\\/bfnrt", "\"\\/\b\f\n\r\t"
	at := r.at - 1
	c := byte(0)
	if r.at < len(r.text) {
		c = r.text[r.at]
		r.at++
	}
	if c == 'u' {
		if v, ok := r.rune(); ok {
			return utf8.AppendRune(out, v)
		}
	}
	i := bytes.IndexByte([]byte(names), c)
	if i < 0 {
		r.fail(at, "bad escape in a string")
		return out
	}
	return append(out, meant[i])
}

// rune reads what follows \u, with the second half of a surrogate pair.
func (r *reader) rune() (rune, bool) {
	v, ok := r.hex()
	if !ok || !utf16.IsSurrogate(v) {
		return v, ok
	}
	if !bytes.HasPrefix(r.text[r.at:], []byte(`\u`)) {
		return 0, false
	}
	r.at += 2
	low, ok := r.hex()
	v = utf16.DecodeRune(v, low)
	return v, ok && v != utf8.RuneError
}

// hex reads four hexadecimal digits.
func (r *reader) hex() (rune, bool) {
	if len(r.text)-r.at < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(r.text[r.at:r.at+4]), 16, 16)
	r.at += 4
	return rune(v), err == nil
}

// word reads the given word.
func (r *reader) word(w string) {
	if !bytes.HasPrefix(r.text[r.place():], []byte(w)) {
		r.want(w)
		return
	}
	r.at += len(w)
}

// number reads an integer from least to most.
func (r *reader) number(least, most int) int {
	start, v := r.place(), 0
	for ; r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' && v <= most; r.at++ {
		v = v*10 + int(r.text[r.at]-'0')
	}
	if r.at == start || r.text[start] == '0' || v < least || v > most {
		r.at = start
		r.want(fmt.Sprintf("a number from %d to %d", least, most))
	}
	return v
}

// end fails unless only white space is left.
func (r *reader) end() {
	if r.place() < len(r.text) {
		r.want("nothing more")
	}
}
