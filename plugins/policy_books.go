package plugins

import (
	"encoding/binary"

	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/hostabi"
)

// books are what the host knows of a guest policy's cache, whatever the guest says: who is resident, and how much room that
// takes.
type books struct {
	objects        int
	capacity, used uint64
	most           uint64   // objects that can be resident at once
	resident       []uint64 // a bit for each object
	size           []uint32 // by id, of what is resident or was last; nil where each counts 1
	count          int      // residents; kept where past is

	past               *past // what the guest may remember; nil if it remembers nothing, or for ever
	evicted, forgotten func(uint32)
}

func newBooks(s *evict.Spec) books {
	b := books{
		objects: s.Objects, capacity: s.Capacity, most: uint64(s.Objects), resident: make([]uint64, (s.Objects+63)/64),
		evicted: s.Evicted, forgotten: s.Forgotten,
	}
	if s.Bytes {
		b.size = make([]uint32, s.Objects)
	} else {
		b.most = min(b.most, s.Capacity)
	}
	return b
}

// Contains reports whether an object is resident.
func (b *books) Contains(id uint32) bool { return b.resident[id>>6]>>(id&63)&1 == 1 }

// Used returns how much of the capacity is used.
func (b *books) Used() uint64 { return b.used }

// fits reports whether an object of that size can be resident at all.
func (b *books) fits(size uint32) bool { return b.size == nil || uint64(size) <= b.capacity }

// full reports whether something must go before an object of that size comes.
func (b *books) full(size uint32) bool {
	if b.size == nil {
		return b.used >= b.capacity
	}
	return b.used+uint64(size) > b.capacity
}

// came accounts for an object that is resident from here on.
func (b *books) came(id, size uint32) {
	b.enter(id, size)
	if b.past != nil {
		b.past.remove(id)
	}
}

func (b *books) enter(id, size uint32) {
	b.resident[id>>6] |= 1 << (id & 63)
	b.count++
	if b.size == nil {
		b.used++
		return
	}
	b.size[id] = size
	b.used += uint64(size)
}

// gone accounts for an object that is not resident any more.
func (b *books) gone(id uint32) {
	b.resident[id>>6] &^= 1 << (id & 63)
	b.count--
	if b.size == nil {
		b.used--
		return
	}
	b.used -= uint64(b.size[id])
}

// leaves accounts for an object that the guest throws out, unless it can't.
func (b *books) leaves(id uint32) error {
	if err := b.canGo(id); err != nil {
		return err
	}
	b.gone(id)
	b.tell(id)
	return nil
}

// wrongVictim says why an object was no victim.
func (b *books) wrongVictim(id uint32) error {
	if err := b.canGo(id); err != nil {
		return err
	}
	return protocolf("evicts object %d, which it says hits", id)
}

// canGo reports why an object can't be thrown out.
func (b *books) canGo(id uint32) error {
	switch {
	case uint64(id) >= uint64(b.objects):
		return protocolf("evicts object %d: there are %d, from 0 on", id, b.objects)
	case !b.Contains(id):
		return protocolf("evicts object %d, which is not resident", id)
	}
	return nil
}

// tell tells that an object was thrown out.
func (b *books) tell(id uint32) {
	if b.evicted != nil {
		b.evicted(id)
	}
	switch {
	case b.past != nil:
		b.past.push(id)
	case b.forgotten != nil:
		b.forgotten(id)
	}
}

// check holds what the guest says of a batch against the books, which follow. It returns the first mistake and the index of
// the request.
func (b *books) check(ids, sizes []uint32, hits, victims []byte) (index int, err error) {
	if b.size != nil || b.evicted != nil || b.forgotten != nil {
		return b.checkEach(ids, sizes, hits, victims)
	}
	return b.checkFast(ids, hits, victims)
}

// nowhere is the index of no request.
const nowhere = 1<<32 - 1

// victim returns the i-th of them.
func victim(victims []byte, i int) (at, id uint32) {
	if i *= hostabi.VictimSize; i < len(victims) {
		both := binary.LittleEndian.Uint64(victims[i:])
		return uint32(both), uint32(both >> 32)
	}
	return nowhere, 0
}

// checkEach is check for all caches.
func (b *books) checkEach(ids, sizes []uint32, hits, victims []byte) (index int, err error) {
	next := 0
	at, gone := victim(victims, next)
	for i, id := range ids {
		hit := hits[i>>3]>>(i&7)&1 == 1
		if err := b.checkHit(id, hit); err != nil {
			return i, err
		}
		size := uint32(1)
		if b.size != nil {
			size = sizes[i]
		}
		in := !hit // it comes in, and stays
		if !hit {
			b.enter(id, size)
		}
		for ; at == uint32(i); at, gone = victim(victims, next) {
			switch {
			case gone != id:
				err = b.leaves(gone)
			case !in:
				err = b.wrongVictim(id)
			default:
				b.gone(id)
				in = false
			}
			if err != nil {
				return i, err
			}
			next++
		}
		if b.used > b.capacity {
			return i, b.tooMuch(i, at)
		}
		if in && b.past != nil {
			b.past.remove(id)
		}
	}
	return allGone(len(ids), at, len(victims)/hostabi.VictimSize-next)
}

// checkHit reports a hit of an absent object, or a miss of a resident one.
func (b *books) checkHit(id uint32, hit bool) error {
	switch resident := b.Contains(id); {
	case hit && !resident:
		return protocolf("says that object %d hits, which is not resident", id)
	case !hit && resident:
		return protocolf("says that object %d misses, which is resident", id)
	}
	return nil
}

// tooMuch is the mistake that more is in use after request i than there is room for; at is the next victim's.
func (b *books) tooMuch(i int, at uint32) error {
	if at < uint32(i) {
		return outOfOrder(at)
	}
	return protocolf("has %d in a cache of %d", b.used, b.capacity)
}

// allGone demands that no victims are left after a batch of n; at is the next one's.
func allGone(n int, at uint32, left int) (index int, err error) {
	switch {
	case left == 0:
		return 0, nil
	case at >= uint32(n):
		return n - 1, protocolf("evicts for request %d of a batch of %d, from 0 on", at, n)
	default:
		return int(at), outOfOrder(at)
	}
}

func outOfOrder(at uint32) error {
	return protocolf("evicts for request %d of the batch after it did for a later one", at)
}

// checkFast is check where objects count and nobody is told what goes: the first loop of a simulation.
func (b *books) checkFast(ids []uint32, hits, victims []byte) (index int, err error) {
	resident, used, capacity := b.resident, b.used, b.capacity
	next := 0
	at, gone := victim(victims, next)
	var answers uint32
	for i, id := range ids {
		if i&31 == 0 {
			answers = binary.LittleEndian.Uint32(hits[i>>3:])
		}
		hit := uint64(answers & 1)
		answers >>= 1
		word := &resident[id>>6]
		if *word>>(id&63)&1 != hit {
			b.used = used
			return i, b.checkHit(id, hit == 1)
		}
		*word |= 1 << (id & 63)
		used += 1 - hit
		for at == uint32(i) {
			if hit == 1 && gone == id || uint64(gone) >= uint64(b.objects) || resident[gone>>6]>>(gone&63)&1 == 0 {
				return i, b.wrongVictim(gone)
			}
			resident[gone>>6] &^= 1 << (gone & 63)
			used--
			next++
			at, gone = victim(victims, next)
		}
		if used > capacity {
			b.used = used
			return i, b.tooMuch(i, at)
		}
	}
	b.used = used
	return allGone(len(ids), at, len(victims)/hostabi.VictimSize-next)
}
