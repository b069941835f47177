package rfc9111

import (
	"net/http"
	"strconv"
	"strings"
)

// ContentRange is a satisfied byte range (RFC 9110, 14.4).
type ContentRange struct {
	// First and Last are the positions of its first and last byte.
	First, Last int64
	// Size is that of the whole representation, -1 if it is not known.
	Size int64
}

// Length returns how many bytes the range has.
func (c ContentRange) Length() int64 { return c.Last - c.First + 1 }

// Complete reports whether the range is all of the representation.
func (c ContentRange) Complete() bool { return c.First == 0 && c.Last == c.Size-1 }

// ParseContentRange reads Content-Range. It reports false for other units than bytes, for the form of a 416 and for ranges that
// contradict themselves.
func ParseContentRange(s string) (ContentRange, bool) {
	const unit = "bytes "
	if len(s) < len(unit) || !strings.EqualFold(s[:len(unit)], unit) {
		return ContentRange{}, false
	}
	span, size, slash := strings.Cut(s[len(unit):], "/")
	first, last, dash := strings.Cut(span, "-")
	c := ContentRange{Size: -1}
	var ok [3]bool
	c.First, ok[0] = position(first)
	c.Last, ok[1] = position(last)
	ok[2] = true
	if size != "*" {
		c.Size, ok[2] = position(size)
	}
	good := slash && dash && ok == [3]bool{true, true, true} && c.First <= c.Last && (c.Size < 0 || c.Last < c.Size)
	if !good {
		return ContentRange{}, false
	}
	return c, true
}

// position reads a number of bytes: digits alone.
func position(s string) (int64, bool) {
	if s == "" || !isDigit(s[0]) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n < 1<<62
}

// PartRange returns the range that a 206 with header h has. It reports false when there is none that can be trusted: several
// parts, a field twice, or a Content-Length that disagrees.
func PartRange(h http.Header) (ContentRange, bool) {
	if len(h["Content-Range"]) != 1 {
		return ContentRange{}, false
	}
	c, ok := ParseContentRange(h["Content-Range"][0])
	if !ok {
		return ContentRange{}, false
	}
	for _, line := range h["Content-Length"] {
		if n, ok := position(line); !ok || n != c.Length() {
			return ContentRange{}, false
		}
	}
	return c, true
}

// Combines reports whether two responses for one URI hold parts of the same bytes (3.4): they have the same strong ETag and the
// same Content-Encoding, and their Content-Range, where they have one, agree on the size.
func Combines(stored, got http.Header) bool {
	etag := firstLine(stored["Etag"])
	if !isStrong(etag) || firstLine(got["Etag"]) != etag ||
		firstLine(stored["Content-Encoding"]) != firstLine(got["Content-Encoding"]) {
		return false
	}
	was, now := sizeOf(stored), sizeOf(got)
	return was == now || was < 0 || now < 0
}

// sizeOf returns the size of the representation that a header tells of a part or of the whole, -1 if it does not.
func sizeOf(h http.Header) int64 {
	if lines := h["Content-Range"]; len(lines) > 0 {
		c, ok := ParseContentRange(lines[0])
		if !ok {
			return -1
		}
		return c.Size
	}
	if n, ok := position(firstLine(h["Content-Length"])); ok {
		return n
	}
	return -1
}
