package invalid

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// The log is an entry, the head, with the last purges and the names of segments, which are entries with those before. A
// head is replaced whole, if it has not changed meanwhile; a segment is written before a head names it, and never changes.
const (
	headKey    = "head"
	segmentKey = "segment/" // and the time of its last record
)

// perSegment is how many records a segment has, and headBytes about how large they may be in a head.
const (
	perSegment = 128
	headBytes  = 48 << 10
)

// head is the newest part of the log.
type head struct {
	id       uint64 // another one if the log was begun anew by who did not know the last one
	last     int64  // the time of the last record
	all      int64  // everything before it is purged
	tagged   int64  // everything before it that has a tag is
	segments []segment
	records  []record // in the order of their times
}

// segment names a part of the log.
type segment struct {
	end  int64 // the time of its last record
	urls bool  // it has records of URLs or prefixes
}

// errDamaged is returned for bytes that are no part of a log. errVersion is for those that a newer program has written.
var (
	errDamaged = errors.New("the log of purges is damaged")
	errVersion = errors.New("the log of purges is of a newer version: update this node")
)

// version is the first byte of a head and of a segment.
const version = 1

// encode returns the head's bytes.
func (h *head) encode() []byte {
	b := append(make([]byte, 0, 64+16*len(h.segments)+32*len(h.records)), version)
	b = binary.BigEndian.AppendUint64(b, h.id)
	for _, n := range []int64{h.last, h.all, h.tagged} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.AppendUvarint(b, uint64(len(h.segments)))
	for _, s := range h.segments {
		flags := byte(0)
		if s.urls {
			flags = 1
		}
		b = append(binary.BigEndian.AppendUint64(b, uint64(s.end)), flags)
	}
	return sum(appendRecords(b, h.records))
}

// decodeHead reads what encode has made.
func decodeHead(b []byte) (*head, error) {
	r, err := checked(b)
	if err != nil {
		return nil, err
	}
	h := &head{id: r.uint64(), last: r.time(), all: r.time(), tagged: r.time()}
	for n := r.count(9); n > 0; n-- {
		h.segments = append(h.segments, segment{end: r.time(), urls: r.byte() != 0})
	}
	h.records = r.records()
	if r.bad || len(r.b) > 0 || h.id == 0 {
		return nil, errDamaged
	}
	return h, nil
}

// encodeSegment returns the bytes of a segment.
func encodeSegment(records []record) []byte { return sum(appendRecords([]byte{version}, records)) }

// decodeSegment reads what encodeSegment has made.
func decodeSegment(b []byte) ([]record, error) {
	r, err := checked(b)
	if err != nil {
		return nil, err
	}
	records := r.records()
	if r.bad || len(r.b) > 0 {
		return nil, errDamaged
	}
	return records, nil
}

// appendRecords appends the records, which are in the order of their times, each as what its time is more than the last one's.
func appendRecords(b []byte, records []record) []byte {
	b = binary.AppendUvarint(b, uint64(len(records)))
	last := int64(0)
	for i := range records {
		r := &records[i]
		b = binary.AppendUvarint(b, uint64(r.time-last))
		last = r.time
		flags := byte(r.kind) << 1
		if r.soft {
			flags |= 1
		}
		b = append(b, flags)
		if r.kind == Prefix || r.kind == tagged {
			b = append(binary.AppendUvarint(b, uint64(len(r.prefix))), r.prefix...)
		} else {
			b = binary.BigEndian.AppendUint64(b, r.hash)
		}
	}
	return b
}

// sum appends a hash of the bytes.
func sum(b []byte) []byte { return binary.BigEndian.AppendUint64(b, xxhash.Sum64(b)) }

// checked returns a reader of what is between the version and the hash.
func checked(b []byte) (*reader, error) {
	switch n := len(b) - 8; {
	case n < 1 || binary.BigEndian.Uint64(b[n:]) != xxhash.Sum64(b[:n]):
		return nil, errDamaged
	case b[0] != version:
		return nil, fmt.Errorf("%w: %d", errVersion, b[0])
	default:
		return &reader{b: b[1:n]}, nil
	}
}

// reader reads parts of bytes until it is bad.
type reader struct {
	b   []byte
	bad bool
}

// take returns the next n bytes, or that many zeros up to 8.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return make([]byte, min(n, 8))
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte { return r.take(1)[0] }

func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// time reads a time, which is not negative.
func (r *reader) time() int64 {
	n := r.uint64()
	r.bad = r.bad || n >= unlogged
	return int64(n)
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

// count reads how many things follow that take at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) records() []record {
	var records []record
	last := uint64(0)
	for n := r.count(3); n > 0 && !r.bad; n-- {
		step := r.uvarint()
		if step > math.MaxInt64-1-last {
			r.bad = true
			break
		}
		last += step
		flags := r.byte()
		one := record{time: int64(last), kind: Kind(flags >> 1), soft: flags&1 != 0}
		switch one.kind {
		case Tag, URL:
			one.hash = r.uint64()
		case Prefix, tagged:
			one.prefix = string(r.take(min(r.uvarint(), MaxName+1)))
			r.bad = r.bad || len(one.prefix) > MaxName
		default:
			r.bad = true
		}
		records = append(records, one)
	}
	return records
}

// add adds a record, which is newer than all others, and drops those that it makes superfluous.
func (h *head) add(r record) {
	h.last = r.time
	switch {
	case r.soft:
	case r.kind == Prefix && r.prefix == "":
		h.all, h.segments, h.records = r.time, nil, nil
		return
	case r.kind == tagged:
		h.tagged = r.time
		return
	}
	h.records = slices.DeleteFunc(h.records, func(o record) bool { return r.beats(&o) })
	h.records = append(h.records, r)
}

// size is about how many bytes the records take.
func (h *head) size() int {
	n := 0
	for i := range h.records {
		n += 16 + len(h.records[i].prefix)
	}
	return n
}

// has reports whether the log has the purge r, or one that does as much.
func (h *head) has(r *record) bool {
	if r.time <= h.all || r.kind == Tag && r.time <= h.tagged {
		return true
	}
	if n := len(h.segments); n > 0 && h.segments[n-1].end >= r.time {
		return true
	}
	return slices.ContainsFunc(h.records, func(o record) bool { return o.time >= r.time && o.beats(r) })
}

// forget drops what is older than all responses that there can be.
func (h *head) forget(horizon int64) {
	h.segments = slices.DeleteFunc(h.segments, func(s segment) bool { return s.end < horizon })
	h.records = slices.DeleteFunc(h.records, func(r record) bool { return r.time < horizon })
}

// drop drops the oldest segment and makes up for it.
func (h *head) drop() {
	if s := h.segments[0]; s.urls {
		h.all = max(h.all, s.end)
	} else {
		h.tagged = max(h.tagged, s.end)
	}
	h.segments = h.segments[1:]
}
