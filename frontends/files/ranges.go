package files

import (
	"math"
	"strconv"
	"strings"
)

// span is a part of a body.
type span struct{ start, length int64 }

// contentRange is the span as Content-Range has it.
func (s span) contentRange(size int64) string {
	return "bytes " + strconv.FormatInt(s.start, 10) + "-" + strconv.FormatInt(s.start+s.length-1, 10) + "/" + strconv.FormatInt(size, 10)
}

// maxSpans is how many ranges a request may have. Those with more get the whole (RFC 9110, section 17.15).
const maxSpans = 64

// parseRange reads Range for a body of size bytes, which must not be 0, as RFC 9110, section 14.1 has it. ok is false for
// what shall be ignored: another unit, what is malformed, and more or larger ranges than the whole is worth. Without spans
// no range can be satisfied.
func parseRange(header string, size int64) (spans []span, ok bool) {
	unit, set, found := strings.Cut(header, "=")
	if !found || !strings.EqualFold(trim(unit), "bytes") {
		return nil, false
	}
	elements, total := 0, int64(0)
	for element := range strings.SplitSeq(set, ",") {
		if element = trim(element); element == "" {
			continue // lists may have empty elements (section 5.6.1.2)
		}
		s, valid := parseSpan(element, size)
		if elements++; !valid || elements > maxSpans {
			return nil, false
		}
		if s.length == 0 {
			continue
		}
		if spans = append(spans, s); s.length > size-total {
			return nil, false
		}
		total += s.length
	}
	return spans, elements > 0
}

// parseSpan reads "first-last", "first-" or "-length". One that can't be satisfied is empty.
func parseSpan(s string, size int64) (span, bool) {
	first, last, found := strings.Cut(s, "-")
	if !found {
		return span{}, false
	}
	if first == "" {
		n, ok := parsePosition(last)
		n = min(n, size)
		return span{size - n, n}, ok
	}
	start, ok := parsePosition(first)
	if !ok {
		return span{}, false
	}
	end := int64(math.MaxInt64)
	if last != "" {
		if end, ok = parsePosition(last); !ok || end < start {
			return span{}, false
		}
	}
	if start >= size {
		return span{}, true
	}
	return span{start, min(end, size-1) - start + 1}, true
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
