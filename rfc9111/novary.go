package rfc9111

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// SearchVariance says which parts of the query of a URI do not matter: the "URL variation config" of
// draft-ietf-httpbis-no-vary-search-05. The zero value is the default: all of it matters, to the byte.
type SearchVariance struct {
	// KeyOrder says that the order of different keys does not matter.
	KeyOrder bool
	// Except turns Keys round: they are the only ones that matter.
	Except bool
	// Keys are the decoded keys that do not matter, sorted.
	Keys []string
}

// IsDefault reports whether v leaves everything as it is without No-Vary-Search.
func (v *SearchVariance) IsDefault() bool { return !v.KeyOrder && !v.Except && len(v.Keys) == 0 }

// ParseNoVarySearch reads No-Vary-Search (the draft's 5.1). What is missing, broken or means nothing is the default.
func ParseNoVarySearch(h http.Header) SearchVariance {
	lines := h["No-Vary-Search"]
	if len(lines) == 0 {
		return SearchVariance{}
	}
	var keyOrder, params, except sfValue
	var has [3]bool
	ok := readDictionary(lines, func(key string, value sfValue) {
		switch key {
		case "key-order":
			keyOrder, has[0] = value, true
		case "params":
			params, has[1] = value, true
		case "except":
			except, has[2] = value, true
		}
	})
	if !ok || has[0] && keyOrder.kind != sfBoolean || has[1] == has[2] {
		return SearchVariance{}
	}
	if has[2] {
		params = except
	}
	keys, ok := params.strings()
	if !ok {
		return SearchVariance{}
	}
	for i, key := range keys {
		keys[i] = decodeForm(key)
	}
	slices.Sort(keys)
	return SearchVariance{KeyOrder: keyOrder.truth, Except: has[2], Keys: slices.Compact(keys)}
}

// Append appends v as a field value; ParseNoVarySearch of it is v again. Equal variances have equal values.
func (v *SearchVariance) Append(dst []byte) []byte {
	if v.KeyOrder {
		dst = append(dst, "key-order, "...)
	}
	if v.Except {
		dst = append(dst, "except=("...)
	} else {
		dst = append(dst, "params=("...)
	}
	for i, key := range v.Keys {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, '"')
		dst = appendForm(dst, key)
		dst = append(dst, '"')
	}
	return append(dst, ')')
}

// AppendCanonical appends to dst the form of a raw query, without its "?", that all queries that are equivalent under v (the
// draft's 6) have in common, and no other has. The form is such a query itself, and its own form. Under the default it is the
// query as it is.
func (v *SearchVariance) AppendCanonical(dst []byte, query string) []byte {
	if v.IsDefault() {
		return append(dst, query...)
	}
	pairs := v.pairs(query)
	if v.KeyOrder {
		slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.key, b.key) })
	}
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = appendForm(dst, p.key)
		dst = append(dst, '=')
		dst = appendForm(dst, p.value)
	}
	return dst
}

// pair is a key and a value of a query, decoded.
type pair struct{ key, value string }

// pairs takes a query apart as application/x-www-form-urlencoded and leaves out what does not matter.
func (v *SearchVariance) pairs(query string) []pair {
	var pairs []pair
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		key = decodeForm(key)
		if _, named := slices.BinarySearch(v.Keys, key); named == v.Except {
			pairs = append(pairs, pair{key, decodeForm(value)})
		}
	}
	return pairs
}

// decodeForm decodes "+" and percent signs, and what that gives as UTF-8.
func decodeForm(s string) string {
	if !strings.ContainsAny(s, "+%") && isASCII(s) {
		return s
	}
	raw := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(s) {
			if high, low := unhex(s[i+1]), unhex(s[i+2]); high >= 0 && low >= 0 {
				c = byte(high<<4 | low)
				i += 2
			}
		}
		raw = append(raw, c)
	}
	return decodeUTF8(raw)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func unhex(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// decodeUTF8 puts U+FFFD in the place of what is no UTF-8, one for each maximal part of a character as the Encoding standard
// has it. (Go's own conversions put one for each byte; two queries that differ could then seem equal.)
func decodeUTF8(raw []byte) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	var b strings.Builder
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		if r == utf8.RuneError && size == 1 {
			size = brokenPart(raw)
		}
		b.WriteRune(r)
		raw = raw[size:]
	}
	return b.String()
}

// brokenPart returns how many bytes at the front of raw, which is no character, could be the beginning of one; at least one.
func brokenPart(raw []byte) int {
	n := 1
	for n < len(raw) && !utf8.FullRune(raw[:n+1]) {
		n++
	}
	return n
}

// appendForm encodes s: what is no letter, digit, or one of "*-._" by percent signs, and space as "+".
func appendForm(dst []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case isAlpha(c), isDigit(c), strings.IndexByte("*-._", c) >= 0:
			dst = append(dst, c)
		case c == ' ':
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}
