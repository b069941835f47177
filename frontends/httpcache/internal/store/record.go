package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgecache/edgecache/rfc9111"
)

// record is what is stored of a response. When it was read, its strings and bytes are views of the frame.
type record struct {
	inline    bool
	status    int
	id        bodyID // of the response: what combines or freshens it goes on with it
	epoch     epoch  // of the index that a variant belongs to
	date      int64
	position  int64         // of the index of purges
	keep      time.Duration // from its receipt or the last validation on; 0 is without end
	ends      int64         // when its segments end, in unix nanoseconds; 0 never
	size      int64         // of the representation
	freshness rfc9111.Freshness
	key       string // the primary one
	rule      string // what a variant varies by
	selecting string // the variant's values of it
	language  string // what selecting is for requests that want its language above all others; "" without one
	tags      []string
	parts     []part // sorted; none if inline
	head      string // status line and fields that are delivered
	hidden    string // those that are not
	body      []byte // if inline
}

const flagInline = 1

// encode returns the frame of the record.
func (r *record) encode() []byte {
	size := frameSize + 256 + len(r.key) + len(r.rule) + 2*len(r.selecting) + len(r.head) + len(r.hidden) + len(r.body) + 32*len(r.parts)
	for _, t := range r.tags {
		size += 4 + len(t)
	}
	var flags byte
	if r.inline {
		flags = flagInline
	}
	b := append(beginFrame(make([]byte, 0, size), kindResponse), flags)
	b = binary.LittleEndian.AppendUint16(b, uint16(r.status))
	b = append(b, r.id[:]...)
	b = append(b, r.epoch[:]...)
	for _, n := range []int64{r.date, r.position, int64(r.keep), r.ends, r.size} {
		b = appendU64(b, uint64(n))
	}
	var space [128]byte
	b = appendText(b, r.freshness.Append(space[:0]))
	for _, s := range []string{r.key, r.rule, r.selecting, r.language, r.head, r.hidden} {
		b = appendText(b, s)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.tags)))
	for _, t := range r.tags {
		b = appendText(b, t)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.parts)))
	for _, p := range r.parts {
		b = append(appendU64(appendU64(b, uint64(p.first)), uint64(p.end)), p.id[:]...)
	}
	b = append(b, r.body...)
	endFrame(b)
	return b
}

// decodeRecord reads a proven frame's data. It takes nothing on trust: a checksum is no signature.
func decodeRecord(data []byte) (*record, error) {
	c := &cursor{data: data}
	r := &record{inline: c.u8() == flagInline, status: int(c.u16())}
	copy(r.id[:], c.bytes(uint64(len(r.id))))
	copy(r.epoch[:], c.bytes(uint64(len(r.epoch))))
	r.date, r.position, r.keep = int64(c.u64()), int64(c.u64()), time.Duration(c.u64())
	r.ends, r.size = int64(c.u64()), int64(c.u64())
	f, rest, ok := rfc9111.ReadFreshness(c.bytes(uint64(c.u32())))
	r.freshness = f
	for _, s := range []*string{&r.key, &r.rule, &r.selecting, &r.language, &r.head, &r.hidden} {
		*s = c.text()
	}
	for n := c.u32(); n > 0 && !c.failed; n-- {
		r.tags = append(r.tags, c.text())
	}
	for n := c.u32(); n > 0 && !c.failed; n-- {
		p := part{first: int64(c.u64()), end: int64(c.u64())}
		copy(p.id[:], c.bytes(uint64(len(p.id))))
		r.parts = append(r.parts, p)
	}
	r.body = slices.Clip(c.data)
	if c.failed || !ok || len(rest) > 0 {
		return nil, fmt.Errorf("%w: response cut short", errFrame)
	}
	return r, r.check()
}

// check reports what can't be true of a response.
func (r *record) check() error {
	var space [128]byte
	line, _, _ := strings.Cut(r.head, "\r\n")
	switch {
	case r.status < 100 || r.status > 999 || line+"\r\n" != string(appendStatus(space[:0], r.status)):
		return fmt.Errorf("%w: status %d with %.64q", errFrame, r.status, line)
	case r.size < 0 || r.keep < 0:
		return fmt.Errorf("%w: %d bytes kept for %v", errFrame, r.size, r.keep)
	case r.inline && (r.size != int64(len(r.body)) || len(r.parts) > 0), !r.inline && len(r.body) > 0:
		return fmt.Errorf("%w: body of %d bytes, not %d", errFrame, len(r.body), r.size)
	}
	before := int64(0)
	for _, p := range r.parts {
		if p.first < before || p.end <= p.first || p.end > r.size {
			return fmt.Errorf("%w: part from %d to %d of %d", errFrame, p.first, p.end, r.size)
		}
		before = p.end
	}
	return nil
}
