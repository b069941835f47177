package core

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
)

// sampler tells one observer of the commands on a sample of the keys: all commands on a key, or none. A command on another
// key pays for a hash and a comparison.
type sampler struct {
	ops  OpMask
	mask *atomic.Uint64 // see ObserverSpec.Sample
	seed uint64         // of the hash; nobody outside can choose keys that are in the sample
	ring *ring
}

// newSampler returns what tells o, or nil of nil.
func newSampler(o Observer, c *counters) (*sampler, error) {
	if o == nil {
		return nil, nil //nolint:nilnil // no sampler is what the options ask for
	}
	b := boundObserver{observer: o, spec: o.Spec()}
	if b.spec.Sample == nil {
		return nil, errors.New("core: the sampler's spec says no sample")
	}
	b.spec.Ops &= AllOps
	s := &sampler{ops: b.spec.Ops, mask: b.spec.Sample, seed: rand.Uint64(), ring: newRing(c)}
	s.ring.replace([]boundObserver{b})
	return s, nil
}

// wants reports whether a key is in the sample.
func (s *sampler) wants(namespace uint16, key string) bool {
	return s.hash(namespace, key)&s.mask.Load() == 0
}

// tell leaves an event for each of the command's keys that is in the sample.
func (s *sampler) tell(cmd *Command, res *Result) {
	mask := s.mask.Load()
	if !cmd.Op.Many() {
		if h := s.hash(cmd.Namespace.id, cmd.Key); h&mask == 0 {
			s.put(cmd, 0, &res.Item, h)
		}
		return
	}
	for i := range res.Items {
		if h := s.hash(cmd.Namespace.id, cmd.Keys[i]); h&mask == 0 {
			item := &res.Items[i]
			if item.Outcome == OutcomeNone { // refused as a whole
				item = &res.Item
			}
			s.put(cmd, i, item, h)
		}
	}
}

// put leaves the event of the i-th key.
func (s *sampler) put(cmd *Command, i int, item *Item, hash uint64) {
	size := len(cmd.Namespace.prefix) + len(*cmd.KeyAt(i))
	if item.Entry != nil {
		size += item.size()
	} else if value := cmd.ValueAt(i); value != nil {
		size += len(*value)
	}
	ev := Event{
		KeyHash: hash, Op: uint8(cmd.Op), Namespace: cmd.Namespace.id,
		Size: uint32(min(size, math.MaxUint32)), Result: uint8(item.Outcome) | item.Tier<<4,
	}
	if cmd.Op.writesTTL() {
		ev.TTL = eventTTL(cmd.TTL)
	}
	s.ring.put(&ev)
}

// flush is that of the ring.
func (s *sampler) flush() {
	if s != nil {
		s.ring.flush()
	}
}

func (s *sampler) close() {
	if s != nil {
		s.ring.close()
	}
}

// Odd numbers with as many ones as zeros in each byte: wyhash's.
const (
	wy0 = 0xa0761d6478bd642f
	wy1 = 0xe7037ed1a0b428db
	wy2 = 0x8ebc6af09c88c6e3
)

// hash is a 64-bit hash of a namespace's number and a key. It is wyhash in what it does to each 16 bytes, and made for keys
// of up to 32, where the processor does it beside what the command waits for: hash/maphash takes twice as long.
func (s *sampler) hash(namespace uint16, key string) uint64 {
	n := len(key)
	seed := s.seed ^ uint64(namespace)*wy1
	switch {
	case n > 32:
		return hashLong(seed, key)
	case n > 16:
		first, last := key[:16], key[n-16:]
		x := fold(le64(first, 0)^seed, le64(first, 8)^wy1)
		y := fold(le64(last, 0)^seed, le64(last, 8)^wy2)
		return fold(x^wy0^uint64(n), y^wy1)
	case n >= 8:
		return end(le64(key, 0)^seed, le64(key[n-8:], 0)^wy1, n)
	default:
		var b [8]byte
		copy(b[:], key)
		return end(binary.LittleEndian.Uint64(b[:])^seed, wy1, n)
	}
}

// hashLong is hash for keys of more than 16 bytes. The last 16 may be read twice.
func hashLong(seed uint64, key string) uint64 {
	n := len(key)
	h := seed
	for at := 0; at < n-16; at += 16 {
		h = fold(le64(key, at)^h, le64(key, at+8)^wy1)
	}
	return end(le64(key, n-16)^h, le64(key, n-8)^wy2, n)
}

// end multiplies twice: after once, keys that are numbers in order are not spread evenly.
func end(a, b uint64, n int) uint64 {
	hi, lo := bits.Mul64(a, b)
	return fold(lo^wy0^uint64(n), hi^wy1)
}

// fold multiplies and adds the halves of the product, without carries.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// le64 returns the 8 bytes of s from at on. The compiler makes one load of it.
func le64(s string, at int) uint64 {
	b := s[at : at+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}
