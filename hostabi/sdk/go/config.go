package edgecache

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Fields are the fields that a JSON object may have, each with the function that reads its value.
type Fields map[string]func(r *Reader)

// ReadConfig reads a configuration that is one JSON object. It is strict: fields that are unknown or appear twice are
// errors. An error says at which byte (from 0) what is wrong.
//
// encoding/json does the same, but makes a small module twice as large.
func ReadConfig(config []byte, fields Fields) error {
	r := &Reader{text: string(config)}
	r.Object(fields)
	if r.peek() != 0 || r.at < len(r.text) {
		r.want("the end")
	}
	return r.err
}

// Reader reads JSON values one after another, as its caller knows the structure. The first error sticks: from then on
// values are zero and loops end.
type Reader struct {
	text  string
	at    int // the next byte to read
	begin int // where the last value begins
	err   error
}

// Fail says what is wrong with the value that was read last: of an array or object, with the last one in it.
func (r *Reader) Fail(what string) { r.FailAt(r.begin, what) }

// Here returns where the next value begins, for FailAt.
func (r *Reader) Here() int {
	r.peek()
	return r.at
}

// FailAt says what is wrong with the value that begins at a byte.
func (r *Reader) FailAt(at int, what string) {
	if r.err == nil {
		r.err = errors.New("config byte " + strconv.Itoa(at) + ": " + what)
	}
}

// want fails because something else than what stands here.
func (r *Reader) want(what string) {
	found := "the end"
	if r.peek() != 0 || r.at < len(r.text) {
		_, n := utf8.DecodeRuneInString(r.text[r.at:])
		found = strconv.Quote(r.text[r.at : r.at+n])
	}
	r.FailAt(r.at, "want "+what+", found "+found)
}

// peek steps over white space and returns the next byte without taking it, or 0 at the end.
func (r *Reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		if c := r.text[r.at]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

// take takes the next byte if it is c.
func (r *Reader) take(c byte) bool {
	if r.err != nil || r.peek() != c || r.at == len(r.text) {
		return false
	}
	r.at++
	return true
}

// value marks where a value begins.
func (r *Reader) value() { r.begin = r.Here() }

// more reports whether the n-th element of an object or array that ends with closing follows, and steps to it.
func (r *Reader) more(n int, closing byte) bool {
	if r.take(closing) {
		return false
	}
	if n > 0 && !r.take(',') {
		r.want("a comma or " + strconv.Quote(string(closing)))
	}
	return r.err == nil
}

// Object reads an object of these fields, all of which may be missing.
func (r *Reader) Object(fields Fields) {
	r.value()
	if !r.take('{') {
		r.want("an object")
	}
	var seen []string
	for n := 0; r.err == nil && r.more(n, '}'); n++ {
		name := r.Text()
		read, known := fields[name]
		switch {
		case r.err != nil:
			return
		case !known:
			r.Fail("unknown field " + quote(name) + ": want " + names(fields))
		case slices.Contains(seen, name):
			r.Fail("field " + quote(name) + " appears twice")
		case !r.take(':'):
			r.want("a colon")
		default:
			seen = append(seen, name)
			read(r)
		}
	}
}

func names(fields Fields) string {
	var all []string
	for name := range fields {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// quote quotes as much of a text as an error should show.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

// Array reads an array; element reads one value of it.
func (r *Reader) Array(element func(r *Reader)) {
	r.value()
	if !r.take('[') {
		r.want("an array")
	}
	for n := 0; r.err == nil && r.more(n, ']'); n++ {
		element(r)
	}
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	r.value()
	rest := r.text[r.at:]
	switch {
	case r.err != nil:
	case strings.HasPrefix(rest, "true"):
		r.at += len("true")
		return true
	case strings.HasPrefix(rest, "false"):
		r.at += len("false")
	default:
		r.want("true or false")
	}
	return false
}

// Int reads a whole number within these bounds.
func (r *Reader) Int(least, most int64) int64 {
	n, err := strconv.ParseInt(r.number(), 10, 64)
	if err != nil || n < least || n > most {
		r.wantNumber(strconv.FormatInt(least, 10), strconv.FormatInt(most, 10))
		return 0
	}
	return n
}

// Float reads a number within these bounds.
func (r *Reader) Float(least, most float64) float64 {
	x, err := strconv.ParseFloat(r.number(), 64)
	if err != nil || x < least || x > most {
		r.wantNumber(strconv.FormatFloat(least, 'g', -1, 64), strconv.FormatFloat(most, 'g', -1, 64))
		return 0
	}
	return x
}

func (r *Reader) wantNumber(least, most string) {
	r.at = r.begin
	r.want("a number from " + least + " to " + most)
}

// number takes a number as JSON writes it, or returns "".
func (r *Reader) number() string {
	r.value()
	rest := strings.TrimPrefix(r.text[r.at:], "-")
	n := digits(rest)
	if r.err != nil || n == 0 || n > 1 && rest[0] == '0' {
		return ""
	}
	rest = rest[n:]
	if fraction, ok := strings.CutPrefix(rest, "."); ok {
		if n = digits(fraction); n == 0 {
			return ""
		}
		rest = fraction[n:]
	}
	if exponent := strings.TrimLeft(rest, "eE"); len(exponent) == len(rest)-1 {
		if exponent != "" && (exponent[0] == '+' || exponent[0] == '-') {
			exponent = exponent[1:]
		}
		if n = digits(exponent); n == 0 {
			return ""
		}
		rest = exponent[n:]
	}
	r.at = len(r.text) - len(rest)
	return r.text[r.begin:r.at]
}

// digits returns how many digits s begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// Text reads a string. Its bytes need not be UTF-8.
func (r *Reader) Text() string {
	r.value()
	if !r.take('"') {
		r.want("a string")
	}
	var s []byte
	for r.err == nil {
		if r.at == len(r.text) {
			r.Fail("string without an end")
			break
		}
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(s)
		case c < ' ':
			r.FailAt(r.at-1, "control character in a string")
		case c == '\\':
			s = r.escape(s)
		default:
			s = append(s, c)
		}
	}
	return ""
}

// escape reads what follows a backslash and appends what it means.
func (r *Reader) escape(s []byte) []byte {
	const names, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	at := r.at - 1
	if r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		if c == 'u' {
			if u, ok := r.rune(); ok {
				return utf8.AppendRune(s, u)
			}
		}
		if i := strings.IndexByte(names, c); i >= 0 {
			return append(s, meant[i])
		}
	}
	r.FailAt(at, "bad escape in a string")
	return s
}

// rune reads what follows \u, with the second half of a surrogate pair.
func (r *Reader) rune() (rune, bool) {
	u, ok := r.hex()
	if !ok || !utf16.IsSurrogate(u) {
		return u, ok
	}
	if !strings.HasPrefix(r.text[r.at:], `\u`) {
		return 0, false
	}
	r.at += len(`\u`)
	low, ok := r.hex()
	u = utf16.DecodeRune(u, low)
	return u, ok && u != utf8.RuneError
}

// hex reads four hexadecimal digits.
func (r *Reader) hex() (rune, bool) {
	digits := r.text[r.at:min(r.at+4, len(r.text))]
	u, err := strconv.ParseUint(digits, 16, 16)
	if err != nil || len(digits) < 4 {
		return 0, false
	}
	r.at += 4
	return rune(u), true
}
