package rfc9111

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// sfKind is the type of a structured value (RFC 9651, 3.3).
type sfKind uint8

const (
	sfInteger sfKind = iota
	sfDecimal
	sfString
	sfToken
	sfBytes
	sfBoolean
	sfDate
	sfDisplay
	sfInnerList
)

// sfValue is a structured value without its parameters, which no field here has a use for. Decimals, byte sequences, dates and
// display strings are checked, but not kept.
type sfValue struct {
	kind   sfKind
	number int64     // of an integer
	truth  bool      // of a boolean
	text   string    // of a string or token
	items  []sfValue // of an inner list
}

// strings returns the items of an inner list of strings.
func (v sfValue) strings() (texts []string, ok bool) {
	for _, item := range v.items {
		if item.kind != sfString {
			return nil, false
		}
		texts = append(texts, item.text)
	}
	return texts, v.kind == sfInnerList
}

// readDictionary calls member for every member of the dictionary (RFC 9651, 4.2.2) that the lines of a field make up, in order;
// of several with one key the last counts. If it reports false, the field is broken and what member was told is void.
func readDictionary(lines []string, member func(key string, v sfValue)) bool {
	r := sfReader{rest: strings.Join(lines, ", ")}
	return r.members(func() {
		key := r.key()
		if !r.take('=') {
			r.parameters()
			member(key, sfValue{kind: sfBoolean, truth: true})
			return
		}
		member(key, r.itemOrInnerList())
	})
}

// readList calls member for every member of the list (RFC 9651, 4.2.1) that the lines of a field make up, as readDictionary does.
func readList(lines []string, member func(v sfValue)) bool {
	r := sfReader{rest: strings.Join(lines, ", ")}
	return r.members(func() { member(r.itemOrInnerList()) })
}

// readStrings reads a list of strings. It reports false if it is anything else.
func readStrings(lines []string) (texts []string, ok bool) {
	all := true
	ok = readList(lines, func(v sfValue) {
		all = all && v.kind == sfString
		texts = append(texts, v.text)
	})
	if !ok || !all {
		return nil, false
	}
	return texts, true
}

// sfReader takes a field value apart from its front (RFC 9651, 4.2). Once it fails, rest is empty and bad stays.
type sfReader struct {
	rest string
	bad  bool
}

// members calls one for each of the members between commas, and reports whether all was well.
func (r *sfReader) members(one func()) bool {
	r.rest = strings.Trim(r.rest, " ")
	for r.rest != "" {
		one()
		r.rest = strings.TrimLeft(r.rest, " \t")
		if r.rest == "" {
			break
		}
		if !r.take(',') {
			return false
		}
		r.rest = strings.TrimLeft(r.rest, " \t")
		r.bad = r.bad || r.rest == "" // a comma at the end
	}
	return !r.bad
}

func (r *sfReader) fail() { r.bad, r.rest = true, "" }

// peek returns the next byte, zero at the end.
func (r *sfReader) peek() byte {
	if r.rest == "" {
		return 0
	}
	return r.rest[0]
}

// take skips c if it is next.
func (r *sfReader) take(c byte) bool {
	if r.peek() != c || r.rest == "" {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// span takes the bytes that is accepts, as many as there are.
func (r *sfReader) span(is func(c byte) bool) string {
	n := 0
	for n < len(r.rest) && is(r.rest[n]) {
		n++
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// key reads the name of a member or parameter (RFC 9651, 4.2.3.3).
func (r *sfReader) key() string {
	if c := r.peek(); !isLower(c) && c != '*' {
		r.fail()
		return ""
	}
	return r.span(func(c byte) bool { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 })
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

// parameters checks what a value has of them (RFC 9651, 4.2.3.2).
func (r *sfReader) parameters() {
	for r.take(';') {
		r.rest = strings.TrimLeft(r.rest, " ")
		r.key()
		if r.take('=') {
			r.bare()
		}
	}
}

func (r *sfReader) itemOrInnerList() (v sfValue) {
	if r.peek() == '(' {
		v = r.innerList()
	} else {
		v = r.bare()
	}
	r.parameters()
	return v
}

// innerList reads items in brackets (RFC 9651, 4.2.1.2).
func (r *sfReader) innerList() sfValue {
	v := sfValue{kind: sfInnerList}
	r.take('(')
	for {
		r.rest = strings.TrimLeft(r.rest, " ")
		if r.take(')') {
			return v
		}
		if r.rest == "" {
			r.fail()
			return v
		}
		v.items = append(v.items, r.bare())
		r.parameters()
		if c := r.peek(); c != ' ' && c != ')' {
			r.fail()
		}
	}
}

// bare reads a bare item (RFC 9651, 4.2.3.1).
func (r *sfReader) bare() sfValue {
	switch c := r.peek(); {
	case isDigit(c), c == '-':
		return r.numeral()
	case c == '"':
		return sfValue{kind: sfString, text: r.quoted()}
	case isAlpha(c), c == '*':
		return sfValue{kind: sfToken, text: r.span(func(c byte) bool { return isTokenByte(c) || c == ':' || c == '/' })}
	case c == ':':
		return r.bytes()
	case c == '?':
		return r.boolean()
	case c == '@':
		r.take('@')
		if v := r.numeral(); v.kind == sfInteger {
			return sfValue{kind: sfDate}
		}
	case c == '%':
		return r.display()
	}
	r.fail()
	return sfValue{}
}

// numeral reads an integer or a decimal (RFC 9651, 4.2.4).
func (r *sfReader) numeral() sfValue {
	negative := r.take('-')
	whole := r.span(isDigit)
	if r.peek() == '.' {
		r.take('.')
		fraction := r.span(isDigit)
		if whole == "" || len(whole) > 12 || fraction == "" || len(fraction) > 3 {
			r.fail()
		}
		return sfValue{kind: sfDecimal}
	}
	if whole == "" || len(whole) > 15 {
		r.fail()
		return sfValue{}
	}
	v := sfValue{kind: sfInteger}
	for i := range len(whole) {
		v.number = v.number*10 + int64(whole[i]-'0')
	}
	if negative {
		v.number = -v.number
	}
	return v
}

// quoted reads a string (RFC 9651, 4.2.5).
func (r *sfReader) quoted() string {
	end := closingQuote(r.rest)
	if end == 0 {
		r.fail()
		return ""
	}
	text := r.rest[1:end]
	r.rest = r.rest[end+1:]
	var plain []byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' {
			if plain == nil {
				plain = append(make([]byte, 0, len(text)), text[:i]...)
			}
			i++
			c = text[i]
			if c != '"' && c != '\\' {
				r.fail()
				return ""
			}
		} else if !isPrintable(c) {
			r.fail()
			return ""
		}
		if plain != nil {
			plain = append(plain, c)
		}
	}
	if plain != nil {
		return string(plain)
	}
	return text
}

// isPrintable reports whether c is a space or a visible character of ASCII.
func isPrintable(c byte) bool { return 0x20 <= c && c < 0x7f }

// bytes checks a byte sequence (RFC 9651, 4.2.7).
func (r *sfReader) bytes() sfValue {
	r.take(':')
	encoded := r.span(func(c byte) bool { return c != ':' })
	_, err := base64.StdEncoding.DecodeString(encoded)
	if !r.take(':') || err != nil || strings.ContainsAny(encoded, "\r\n") {
		r.fail()
	}
	return sfValue{kind: sfBytes}
}

// boolean reads ?0 or ?1 (RFC 9651, 4.2.8).
func (r *sfReader) boolean() sfValue {
	r.take('?')
	truth := r.take('1')
	if !truth && !r.take('0') {
		r.fail()
	}
	return sfValue{kind: sfBoolean, truth: truth}
}

// display checks a display string (RFC 9651, 4.2.10).
func (r *sfReader) display() sfValue {
	r.take('%')
	if !r.take('"') {
		r.fail()
	}
	var text []byte
	for {
		c := r.peek()
		if r.rest == "" || !isPrintable(c) {
			r.fail()
			return sfValue{}
		}
		r.take(c)
		switch c {
		case '"':
			r.bad = r.bad || !utf8.Valid(text)
			return sfValue{kind: sfDisplay}
		case '%':
			high, low := r.hex(), r.hex()
			text = append(text, high<<4|low)
		default:
			text = append(text, c)
		}
	}
}

// hex reads a lower-case hexadecimal digit.
func (r *sfReader) hex() byte {
	c := r.peek()
	r.take(c)
	switch {
	case isDigit(c):
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	r.fail()
	return 0
}
