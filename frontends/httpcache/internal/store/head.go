package store

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// cacheStatus is a field that is kept, but not delivered as it is: a cache adds its own member (RFC 9211 section 2).
const cacheStatus = "Cache-Status"

// appendLines appends the fields of a header as HTTP/1.1 has them, sorted by name, those of one name together. It leaves out
// what the store makes (Content-Length), what changes (Age), what is kept apart, and names that are no tokens.
func appendLines(dst []byte, h http.Header) []byte {
	var space [24]string
	names := space[:0]
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name != "Content-Length" && name != "Age" && name != cacheStatus && isToken(name) {
			dst = appendField(dst, name, h[name])
		}
	}
	return dst
}

// appendHidden appends what of h is kept and not delivered: Cache-Status, and what is not in shown.
func appendHidden(dst []byte, h, shown http.Header) []byte {
	dst = appendField(dst, cacheStatus, h[cacheStatus])
	if len(shown) == len(h) {
		return dst
	}
	rest := make(http.Header, len(h)-len(shown))
	for name, values := range h {
		if _, ok := shown[name]; !ok {
			rest[name] = values
		}
	}
	return appendLines(dst, rest)
}

// appendField appends a line for each value, in which what would end the line is a space, as net/http has it.
func appendField(dst []byte, name string, values []string) []byte {
	for _, v := range values {
		dst = append(append(dst, name...), ": "...)
		for _, c := range []byte(strings.Trim(v, " \t")) {
			if c == '\r' || c == '\n' || c == 0 {
				c = ' '
			}
			dst = append(dst, c)
		}
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// isToken reports whether s is a field name (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return s != ""
}

// appendStatus appends the status line.
func appendStatus(dst []byte, status int) []byte {
	dst = strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(status), 10)
	dst = append(append(dst, ' '), http.StatusText(status)...)
	return append(dst, "\r\n"...)
}

// hasLength reports whether responses with a status say how long they are (RFC 9110 section 8.6).
func hasLength(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// field is a name and where in the response's values its own are.
type field struct {
	name     string
	first, n uint16
}

// parseLines appends the fields that lines have. The strings are views.
func parseLines(fields []field, values []string, lines string) ([]field, []string, error) {
	for lines != "" {
		line, rest, ok := strings.Cut(lines, "\r\n")
		name, value, named := strings.Cut(line, ": ")
		if !ok || !named || !isToken(name) || len(values) == maxFields {
			return nil, nil, fmt.Errorf("%w: line %.64q of the header", errFrame, line)
		}
		if last := len(fields) - 1; last >= 0 && fields[last].name == name {
			fields[last].n++
		} else {
			fields = append(fields, field{name, uint16(len(values)), 1})
		}
		values = append(values, value)
		lines = rest
	}
	return fields, values, nil
}

// maxFields is how many lines a header may have.
const maxFields = 1 << 14
