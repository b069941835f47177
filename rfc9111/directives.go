package rfc9111

import (
	"net/http"
	"strings"
	"time"
)

// Absent is the value of a duration that a field does not have.
const Absent time.Duration = -1

// Directives are the cache directives of a response (5.2.2, RFC 5861, RFC 8246), from Cache-Control or from a targeted field.
// Durations are whole seconds of at most MaxDelta, or Absent.
type Directives struct {
	// Source is the canonical name of the targeted field they are from, empty for Cache-Control.
	Source string

	MaxAge, SMaxAge                    time.Duration
	StaleWhileRevalidate, StaleIfError time.Duration

	NoStore, NoTransform, Public, Immutable         bool
	MustRevalidate, ProxyRevalidate, MustUnderstand bool
	// NoCache and Private are the unqualified forms; with a list of fields they are NoCacheFields and PrivateFields,
	// canonical names.
	NoCache, Private             bool
	NoCacheFields, PrivateFields []string
}

// ParseResponse reads the directives of a response with header h. The first of targets that is in h as a valid dictionary
// with at least one member is taken whole (RFC 9213, 2.2); without one, it is Cache-Control.
//
// Of several values of one directive in Cache-Control the first counts (4.2.1), in a targeted field the last (RFC 9651, 4.2.2).
// What is not known is left out. A max-age or s-maxage in Cache-Control that is broken is one of zero; a no-cache or private
// whose list is broken has none.
func ParseResponse(h http.Header, targets []string) Directives {
	for _, name := range targets {
		if d, ok := parseTargeted(h[name]); ok {
			d.Source = name
			return d
		}
	}
	d := noDirectives()
	r := directiveReader{lines: h["Cache-Control"]}
	for r.next() {
		d.add(r.name, r.value, r.form)
	}
	return d
}

// noDirectives returns those of a response that has none.
func noDirectives() Directives {
	return Directives{MaxAge: Absent, SMaxAge: Absent, StaleWhileRevalidate: Absent, StaleIfError: Absent}
}

// add takes one directive of Cache-Control in.
func (d *Directives) add(name, value string, form argument) {
	switch {
	case strings.EqualFold(name, "max-age"):
		first(&d.MaxAge, orZero(value, form))
	case strings.EqualFold(name, "s-maxage"):
		first(&d.SMaxAge, orZero(value, form))
	case strings.EqualFold(name, "stale-while-revalidate"):
		first(&d.StaleWhileRevalidate, orAbsent(value, form))
	case strings.EqualFold(name, "stale-if-error"):
		first(&d.StaleIfError, orAbsent(value, form))
	case strings.EqualFold(name, "no-cache"):
		qualified(&d.NoCache, &d.NoCacheFields, value, form)
	case strings.EqualFold(name, "private"):
		qualified(&d.Private, &d.PrivateFields, value, form)
	case strings.EqualFold(name, "public") && form != argumentNone: // what gives leave is taken by the letter
	default:
		if flag := d.flag(strings.ToLower(name)); flag != nil {
			*flag = true
		}
	}
}

// first sets to if nothing has set it before.
func first(to *time.Duration, value time.Duration) {
	if *to == Absent {
		*to = value
	}
}

// orZero reads delta-seconds; what is broken is zero, so that the response is stale (4.2.1).
func orZero(value string, form argument) time.Duration {
	return max(0, orAbsent(value, form))
}

func orAbsent(value string, form argument) time.Duration {
	if delta, ok := ParseDelta(value); ok && form == argumentGood {
		return delta
	}
	return Absent
}

// qualified takes in no-cache and private: with names of fields into fields, otherwise as a whole.
func qualified(whole *bool, fields *[]string, value string, form argument) {
	names, ok := fieldNames([]string{value})
	if form != argumentGood || !ok || len(names) == 0 {
		*whole = true
		return
	}
	*fields = append(*fields, names...)
}

// argument says what a directive has after its name.
type argument uint8

const (
	argumentNone argument = iota
	argumentGood
	// argumentBroken is one with space beside the "=", or with something after its closing quote.
	argumentBroken
)

// directiveReader reads the members of Cache-Control (5.2) one by one, from all its lines. It allocates nothing: an argument in
// quotes is given as it is, escapes and all.
type directiveReader struct {
	lines       []string
	rest        string
	name, value string
	form        argument
}

// next goes to the next directive and reports whether there is one.
func (r *directiveReader) next() bool {
	for {
		r.rest = strings.TrimLeft(r.rest, ", \t")
		if r.rest != "" {
			r.read()
			return true
		}
		if len(r.lines) == 0 {
			return false
		}
		r.rest, r.lines = r.lines[0], r.lines[1:]
	}
}

// read takes the directive that rest begins with.
func (r *directiveReader) read() {
	end := strings.IndexAny(r.rest, ",=")
	if end < 0 || r.rest[end] == ',' {
		r.name, r.value, r.form = trim(r.cut(end)), "", argumentNone
		return
	}
	name := r.cut(end)
	r.name, r.form = trim(name), argumentGood
	r.rest = r.rest[1:]
	if end := closingQuote(r.rest); end > 0 {
		r.value = r.rest[1:end]
		r.rest = r.rest[end+1:]
		if trim(r.cut(strings.IndexByte(r.rest, ','))) != "" {
			r.form = argumentBroken
		}
	} else {
		value := r.cut(strings.IndexByte(r.rest, ','))
		r.value = trim(value)
		if value != "" && (value[0] == ' ' || value[0] == '\t') {
			r.form = argumentBroken
		}
	}
	if r.name != name {
		r.form = argumentBroken
	}
}

// cut takes what is before end off rest; all of it if end is negative.
func (r *directiveReader) cut(end int) (before string) {
	if end < 0 {
		end = len(r.rest)
	}
	before, r.rest = r.rest[:end], r.rest[end:]
	return before
}

// closingQuote returns where the quoted string ends that s begins with, zero if there is none.
func closingQuote(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return 0
}

// trim returns s without the white space that a list has around its members (RFC 9110, 5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }

// fieldNames reads a list of names of fields into their canonical form, without empty members. It reports false when there
// is something else in it.
func fieldNames(lines []string) (names []string, ok bool) {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = trim(name); name == "" {
				continue
			}
			if !isToken(name) {
				return nil, false
			}
			names = append(names, http.CanonicalHeaderKey(name))
		}
	}
	return names, true
}

// isToken reports whether s is a token (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
