package rfc9111

import "net/http"

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

// ParseContentRange reads Content-Range. It reports false for other units, for the form of a 416 and for ranges that contradict
// themselves.
func ParseContentRange(s string) (ContentRange, bool) { return ContentRange{}, false }

// PartRange returns the range that a 206 with header h has. It reports false when there is none that can be trusted: several parts, a
// repeated field, or a Content-Length that disagrees.
func PartRange(h http.Header) (ContentRange, bool) { return ContentRange{}, false }

// Combines reports whether two responses of one URI hold parts of the same bytes (3.4): both have the same strong ETag, and their
// Content-Range, where they have one, agree on the size.
func Combines(stored, got http.Header) bool { return false }
