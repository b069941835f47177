package rfc9111

import (
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
)

// Fields is where the fields of a request are read from; an http.Header is one. What is returned is not changed.
type Fields interface {
	// Values returns the lines of the field with a canonical name.
	Values(name string) []string
}

// VaryFields returns the names of the request fields that a response with header h was selected by (RFC 9110, 12.5.5):
// canonical, sorted, each once. star is true for "*" and for what is no list of names: no request matches (4.1).
func VaryFields(h http.Header) (names []string, star bool) {
	names, ok := fieldNames(h["Vary"])
	if !ok || slices.Contains(names, "*") {
		return nil, true
	}
	slices.Sort(names)
	return slices.Compact(names), false
}

// AppendVariant appends to dst what tells the variants of one URI apart: the values that the fields in names, which is from
// VaryFields, have in a request. Two requests get the same bytes if and only if they match (4.1): a field is absent in both,
// or AppendSelecting makes the same of both. It allocates nothing when dst has the room, but for several lines with quotes and more
// than 16 languages.
func AppendVariant(dst []byte, names []string, req Fields) []byte {
	for _, name := range names {
		dst = appendNamed(dst, name, req.Values(name))
	}
	return dst
}

// AppendVariantFor is AppendVariant for a request that differs from req in asking for one language alone. See
// PreferredLanguage.
func AppendVariantFor(dst []byte, names []string, req Fields, language string) []byte {
	for _, name := range names {
		values := req.Values(name)
		if name == acceptLanguage {
			values = []string{language}
		}
		dst = appendNamed(dst, name, values)
	}
	return dst
}

// appendNamed appends a name and the normal form of its values so that what follows can't be taken for a part of them: a zero
// after the name for no values, else a one, then four bytes with the length of the form.
func appendNamed(dst []byte, name string, values []string) []byte {
	dst = append(dst, name...)
	if len(values) == 0 {
		return append(dst, 0)
	}
	dst = append(dst, 1, 0, 0, 0, 0)
	start := len(dst)
	dst = AppendSelecting(dst, name, values)
	binary.BigEndian.PutUint32(dst[start-4:], uint32(len(dst)-start))
	return dst
}

const (
	acceptEncoding = "Accept-Encoding"
	acceptLanguage = "Accept-Language"
)

// AppendSelecting appends the normal form of the values of the request field with the canonical name. Several lines are one
// list; space around its commas does not count. Accept-Encoding is reduced to what of br, zstd and gzip it accepts, see
// AcceptedCodings. Accept-Language is in lower case, by falling weight and then by name. Forms are for comparing alone.
func AppendSelecting(dst []byte, name string, values []string) []byte {
	switch name {
	case acceptEncoding:
		return append(dst, AcceptedCodings(values).String()...)
	case acceptLanguage:
		return appendLanguages(dst, values)
	}
	return appendList(dst, values)
}

// appendList appends the members of a list with nothing but a comma between them. Commas and space in quoted strings are left
// alone.
func appendList(dst []byte, lines []string) []byte {
	start := len(dst)
	if len(lines) > 1 && slices.ContainsFunc(lines, hasQuote) {
		lines = []string{strings.Join(lines, ", ")} // a string may begin on one line and end on another
	}
	r := listReader{lines: lines}
	for r.next() {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, r.member...)
	}
	return dst
}

func hasQuote(s string) bool { return strings.IndexByte(s, '"') >= 0 }

// listReader goes through the members of a list (RFC 9110, 5.6.1) on all lines of a field, without the empty ones.
type listReader struct {
	lines        []string
	rest, member string
}

func (r *listReader) next() bool {
	for {
		if r.rest == "" {
			if len(r.lines) == 0 {
				return false
			}
			r.rest, r.lines = r.lines[0], r.lines[1:]
		}
		end := memberEnd(r.rest)
		r.member = trim(r.rest[:end])
		r.rest = r.rest[min(end+1, len(r.rest)):]
		if r.member != "" {
			return true
		}
	}
}

// memberEnd returns where the first member of s ends: at a comma outside of quotes.
func memberEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ',':
			return i
		case '"':
			i += closingQuote(s[i:]) // nothing if it is never closed
		}
	}
	return len(s)
}
