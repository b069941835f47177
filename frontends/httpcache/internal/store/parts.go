package store

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"slices"
)

// bodyID names the segments of a body. It is random, so that no two fills ever write the same segment, but for those that
// complete each other on purpose.
type bodyID [16]byte

func newBodyID() (id bodyID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

func (id bodyID) String() string { return hex.EncodeToString(id[:]) }

// part is a stretch of a representation that is stored, from first up to end, in the segments of one body.
type part struct {
	first, end int64
	id         bodyID
}

// aligned reports whether segments that lie in the stretch from first to end are whole: others may add to them.
func aligned(first, end, size int64) bool {
	return first%SegmentSize == 0 && (end%SegmentSize == 0 || end == size)
}

// join returns the parts of old, which are sorted and don't overlap, and p in the place of what it covers. Neighbours of one
// body become one. Of more than MaxParts the shortest go.
func join(old []part, p part) []part {
	parts := []part{p}
	for _, o := range old {
		if left := (part{o.first, min(o.end, p.first), o.id}); left.first < left.end {
			parts = append(parts, left)
		}
		if right := (part{max(o.first, p.end), o.end, o.id}); right.first < right.end {
			parts = append(parts, right)
		}
	}
	return shorten(merge(parts))
}

// cut returns the parts without the stretch from first to end.
func cut(old []part, first, end int64) []part {
	parts := join(old, part{first: first, end: end})
	return slices.DeleteFunc(parts, func(p part) bool { return p.id == bodyID{} })
}

// merge sorts parts that don't overlap and makes neighbours of one body one.
func merge(parts []part) []part {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.first, b.first) })
	out := parts[:1]
	for _, p := range parts[1:] {
		if last := &out[len(out)-1]; last.end == p.first && last.id == p.id {
			last.end = p.end
			continue
		}
		out = append(out, p)
	}
	return out
}

// shorten drops the shortest parts beyond MaxParts.
func shorten(parts []part) []part {
	for len(parts) > MaxParts {
		least := 0
		for i, p := range parts {
			if p.end-p.first < parts[least].end-parts[least].first {
				least = i
			}
		}
		parts = slices.Delete(parts, least, least+1)
	}
	return parts
}

// missing returns the first stretch from first up to end that no part covers; equal if there is none.
func missing(parts []part, first, end int64) (from, to int64) {
	for _, p := range parts {
		switch {
		case p.end <= first:
		case p.first > first:
			return first, min(p.first, end)
		default:
			first = p.end
		}
		if first >= end {
			return end, end
		}
	}
	return first, max(first, end)
}

// at returns the part that covers a position.
func at(parts []part, pos int64) (part, bool) {
	for _, p := range parts {
		if p.first <= pos && pos < p.end {
			return p, true
		}
	}
	return part{}, false
}
