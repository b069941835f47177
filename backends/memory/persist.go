package memory

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"time"

	"github.com/edgecache/edgecache/core"
)

// A stream of Persist is streamMagic and then records, those worth the most first. A record is the length of its body and
// the CRC-32C of that, 32 bits each, and the body: expiry, version (64 bits), flags (32), codec (8), the key's length (32),
// the key, and the value up to the end. Numbers are little-endian; expiries are unix nanoseconds, 0 is never. The last record
// has the length endMark, and its body is how many there were before it, 64 bits.
const (
	streamMagic  = "ECSAVE\x00\x01" // the last byte is the version
	recordHead   = 4 + 4
	bodyHead     = 8 + 8 + 4 + 1 + 4
	endMark      = math.MaxUint32
	longestBody  = 1 << 31
	streamBuffer = 64 << 10
)

// pair is an entry with its key.
type pair struct {
	key   string
	entry *core.Entry
}

// Persist writes the entries in the reverse of the order in which the policy would evict them, or in none if it does not
// tell that. It holds the policy up while it lists them, not while it writes. An entry may be left out while the write that
// its key came with is under way.
func (b *Backend) Persist(ctx context.Context, w io.Writer) (n int64, err error) {
	pairs, err := b.hottestFirst()
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, streamBuffer)
	_, _ = out.WriteString(streamMagic)
	var head []byte
	now := time.Now()
	for _, p := range pairs {
		if p.entry.Expired(now) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
		head = appendHead(head[:0], p)
		_, _ = out.Write(head)
		_, _ = out.WriteString(p.key)
		if _, err := out.Write(p.entry.Value); err != nil {
			return n, fmt.Errorf("memory: persist: %w", err)
		}
		n++
	}
	_, _ = out.Write(appendEnd(head[:0], n))
	if err := out.Flush(); err != nil {
		return n, fmt.Errorf("memory: persist: %w", err)
	}
	return n, nil
}

// hottestFirst lists all entries.
func (b *Backend) hottestFirst() (pairs []pair, err error) {
	h, release := b.whole()
	defer release()
	if h == nil {
		return nil, core.ErrClosed
	}
	list := func(key string, e *core.Entry) bool {
		pairs = append(pairs, pair{key, e})
		return true
	}
	if !h.ranked(list) {
		for key := range h.keys() {
			if own, e, ok := h.peek(key); ok {
				list(own, e)
			}
		}
	}
	slices.Reverse(pairs)
	return pairs, nil
}

// appendHead appends what comes before the key of a record.
func appendHead(dst []byte, p pair) []byte {
	e := p.entry
	dst = binary.LittleEndian.AppendUint32(dst, uint32(bodyHead+len(p.key)+len(e.Value)))
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Expires))
	dst = binary.LittleEndian.AppendUint64(dst, e.Version)
	dst = binary.LittleEndian.AppendUint32(dst, e.Flags)
	dst = append(dst, e.Codec)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p.key)))
	sum := crc32.Update(0, castagnoli(), dst[at+4:])
	sum = crc32.Update(sum, castagnoli(), []byte(p.key))
	sum = crc32.Update(sum, castagnoli(), e.Value)
	binary.LittleEndian.PutUint32(dst[at:], sum)
	return dst
}

// castagnoli is made once by the standard library.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func appendEnd(dst []byte, n int64) []byte {
	body := binary.LittleEndian.AppendUint64(nil, uint64(n))
	dst = binary.LittleEndian.AppendUint32(dst, endMark)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(body, castagnoli()))
	return append(dst, body...)
}

// Restore reads until what came would fill the tier, so of what a larger one wrote it takes the best part. The entries come
// to the policy in the order in which it has them last that are worth the most. It may read past the end of the stream.
func (b *Backend) Restore(ctx context.Context, r io.Reader) (n int64, err error) {
	in := stream{in: bufio.NewReaderSize(r, streamBuffer)}
	pairs, damage := b.readPairs(ctx, &in)
	h, release := b.whole()
	defer release()
	if h == nil {
		return 0, core.ErrClosed
	}
	if !h.lastFirst() {
		slices.Reverse(pairs)
	}
	for _, p := range pairs {
		added := false
		h.compute(p.key, func(old *core.Entry) (*core.Entry, verdict) {
			if added = old == nil; !added {
				return old, keep
			}
			return p.entry, write
		})
		if added {
			n++
		}
	}
	return n, damage
}

// readPairs returns the records that there is room for, and why there are no more if that is not their end.
func (b *Backend) readPairs(ctx context.Context, in *stream) (pairs []pair, err error) {
	h := b.open.Load()
	if h == nil {
		return nil, core.ErrClosed
	}
	if err := in.magic(); err != nil {
		return nil, err
	}
	now, room := time.Now(), h.most
	for {
		if err := ctx.Err(); err != nil {
			return pairs, err
		}
		p, err := in.next()
		if errors.Is(err, io.EOF) {
			return pairs, nil
		}
		if err != nil {
			return pairs, err
		}
		if p.entry.Expired(now) || h.tooLarge(p.key, p.entry) {
			continue
		}
		if room -= weight(p.key, p.entry); room < 0 {
			return pairs, nil
		}
		pairs = append(pairs, p)
	}
}

// stream reads what Persist wrote.
type stream struct {
	in     *bufio.Reader
	at     int64 // where the record begins that is read
	record int64 // its number, from 0
	body   bytes.Buffer
}

// damaged says where.
func (s *stream) damaged(what string) error {
	return fmt.Errorf("memory: restore: record %d, at byte %d: %s: %w", s.record, s.at, what, core.ErrDecode)
}

// failed is damaged for a stream that ends early, and another error of reading as it is.
func (s *stream) failed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return s.damaged("the stream ends within it")
	}
	return fmt.Errorf("memory: restore: record %d, at byte %d: %w", s.record, s.at, err)
}

func (s *stream) magic() error {
	var b [len(streamMagic)]byte
	n, err := io.ReadFull(s.in, b[:])
	const name = len(streamMagic) - 1
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("memory: restore: %w", err)
	case n < len(b) || string(b[:name]) != streamMagic[:name]:
		return fmt.Errorf("memory: restore: this is no saved memory tier: %w", core.ErrDecode)
	case b[name] != streamMagic[name]:
		return fmt.Errorf("memory: restore: form %d is not known, only %d: it is of another version of edgecache: %w",
			b[name], streamMagic[name], core.ErrDecode)
	}
	s.at = int64(len(b))
	return nil
}

// next returns the next record, or io.EOF after the last.
func (s *stream) next() (p pair, err error) {
	var head [recordHead]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return p, s.failed(err)
	}
	length, sum := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
	size := int64(length)
	if length == endMark {
		size = 8
	}
	if size > longestBody {
		return p, s.damaged("its length can't be right")
	}
	s.body.Reset()
	if n, err := io.CopyN(&s.body, s.in, size); err != nil || n != size { // grows with what comes, not with what is said
		return p, s.failed(err)
	}
	body := s.body.Bytes()
	switch {
	case crc32.Checksum(body, castagnoli()) != sum:
		return p, s.damaged("its checksum is another")
	case length == endMark && binary.LittleEndian.Uint64(body) != uint64(s.record):
		return p, s.damaged("there are records missing")
	case length == endMark:
		return p, io.EOF
	}
	if p, err = decodePair(body); err != nil {
		return p, s.damaged(err.Error())
	}
	s.at += recordHead + size
	s.record++
	return p, nil
}

// decodePair copies what it keeps.
func decodePair(body []byte) (p pair, err error) {
	if len(body) < bodyHead {
		return p, errors.New("it is too short")
	}
	length := int64(binary.LittleEndian.Uint32(body[21:]))
	rest := body[bodyHead:]
	if length > int64(len(rest)) {
		return p, errors.New("its key is longer than it is")
	}
	p.key = string(rest[:length])
	p.entry = &core.Entry{
		Expires: int64(binary.LittleEndian.Uint64(body)), Version: binary.LittleEndian.Uint64(body[8:]),
		Flags: binary.LittleEndian.Uint32(body[16:]), Codec: body[20], Value: make([]byte, int64(len(rest))-length), // not a byte more, since that has its weight
	}
	copy(p.entry.Value, rest[length:])
	return p, nil
}
