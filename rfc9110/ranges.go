package rfc9110

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Span is a part of a body, in bytes.
type Span struct{ Start, Length int64 }

// ContentRange is the span as Content-Range has it for a body of size bytes, or one whose size is not known yet, below 0.
func (s Span) ContentRange(size int64) string {
	b := append(make([]byte, 0, 64), "bytes "...)
	b = strconv.AppendInt(b, s.Start, 10)
	b = strconv.AppendInt(append(b, '-'), s.Start+s.Length-1, 10)
	if size < 0 {
		return string(append(b, "/*"...))
	}
	return string(strconv.AppendInt(append(b, '/'), size, 10))
}

// Unsatisfied is Content-Range in an answer 416 (section 15.5.17).
func Unsatisfied(size int64) string { return "bytes */" + strconv.FormatInt(size, 10) }

// MaxRanges is how many ranges a request may have. Those with more get the whole (section 17.15).
const MaxRanges = 64

// Ranges returns the parts that a request asks for of a body of size bytes with these validators. ok is false where the whole
// is to be sent: it is no GET (section 14.2), the body is empty, If-Range holds it back, or ParseRange ignores it. Without
// spans the answer is 416. Header keys must be canonical.
func Ranges(method string, h http.Header, v *Validators, size int64) (spans []Span, ok bool) {
	lines := h["Range"]
	if len(lines) != 1 || method != http.MethodGet || size <= 0 || !IfRange(h, v) {
		return nil, false
	}
	return ParseRange(lines[0], size)
}

// ParseRange reads Range for a body of size bytes, which must be above 0, as section 14.1 has it. ok is false for what shall
// be ignored: another unit, what is malformed, and more than MaxRanges. Without spans no range can be satisfied. Spans come
// in the order asked for, but those that overlap are one, at the place of the first (section 15.3.7.2): together they are
// never more than the whole.
func ParseRange(header string, size int64) (spans []Span, ok bool) {
	unit, set, found := strings.Cut(header, "=")
	if !found || !strings.EqualFold(trim(unit), "bytes") {
		return nil, false
	}
	elements := 0
	for element := range strings.SplitSeq(set, ",") {
		if element = trim(element); element == "" {
			continue // lists may have empty elements (section 5.6.1.2)
		}
		s, valid := parseSpan(element, size)
		if elements++; !valid || elements > MaxRanges {
			return nil, false
		}
		if s.Length > 0 {
			spans = coalesce(spans, s)
		}
	}
	return spans, elements > 0
}

// coalesce adds s to spans, of which no two overlap, and makes one of it and those that it overlaps.
func coalesce(spans []Span, s Span) []Span {
	at := len(spans)
	for i := 0; i < len(spans); i++ {
		if !spans[i].overlaps(s) {
			continue
		}
		s, at = spans[i].union(s), min(at, i)
		spans = slices.Delete(spans, i, i+1)
		i = -1 // it may now overlap those before
	}
	return slices.Insert(spans, at, s)
}

func (s Span) overlaps(o Span) bool { return s.Start < o.Start+o.Length && o.Start < s.Start+s.Length }

// union is the least span that has both, which overlap.
func (s Span) union(o Span) Span {
	start, end := min(s.Start, o.Start), max(s.Start+s.Length, o.Start+o.Length)
	return Span{start, end - start}
}

// parseSpan reads "first-last", "first-" or "-length". One that can't be satisfied is empty.
func parseSpan(s string, size int64) (Span, bool) {
	first, last, found := strings.Cut(s, "-")
	if !found {
		return Span{}, false
	}
	if first == "" {
		n, ok := parsePosition(last)
		n = min(n, size)
		return Span{size - n, n}, ok
	}
	start, ok := parsePosition(first)
	if !ok {
		return Span{}, false
	}
	end := int64(math.MaxInt64)
	if last != "" {
		if end, ok = parsePosition(last); !ok || end < start {
			return Span{}, false
		}
	}
	if start >= size {
		return Span{}, true
	}
	return Span{start, min(end, size-1) - start + 1}, true
}

// parsePosition reads digits. Numbers that are too large are as good as the largest.
func parsePosition(s string) (n int64, ok bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n, (math.MaxInt64-9)/10)*10 + int64(c-'0')
	}
	return n, s != ""
}
