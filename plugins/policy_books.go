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
func (b *books) check(ids, sizes []uint32, hits []byte, v victims) (index int, err error) {
	if b.size != nil || b.evicted != nil || b.forgotten != nil {
		return b.checkEach(ids, sizes, hits, v)
	}
	return b.checkFast(ids, hits, v)
}

// nowhere is the index of no request.
const nowhere = 1<<32 - 1

// victims are those that the guest has written and that were not looked at yet.
type victims []byte

// first returns the first of them and the index of its request, which is nowhere if there is none.
func (v victims) first() (at, id uint32) {
	if len(v) < hostabi.VictimSize {
		return nowhere, 0
	}
	both := binary.LittleEndian.Uint64(v)
	return uint32(both), uint32(both >> 32)
}

// are reports whether the first is of request i.
func (v victims) are(i int) bool {
	at, _ := v.first()
	return at == uint32(i)
}

// checkEach is check for all caches.
func (b *books) checkEach(ids, sizes []uint32, hits []byte, v victims) (index int, err error) {
	for i, id := range ids {
		hit := hits[i>>3]>>(i&7)&1 == 1
		size := uint32(1)
		if b.size != nil {
			size = sizes[i]
		}
		if v, err = b.checkOne(i, id, size, hit, v); err != nil {
			return i, err
		}
	}
	return v.none(len(ids))
}

// checkOne is checkEach for request i. It returns the victims behind its own.
func (b *books) checkOne(i int, id, size uint32, hit bool, v victims) (victims, error) {
	if hit != b.Contains(id) {
		return v, b.wrongAnswer(id, hit)
	}
	in := !hit // it comes in, and stays
	if in {
		b.enter(id, size)
	}
	for ; v.are(i); v = v[hostabi.VictimSize:] {
		switch _, gone := v.first(); {
		case gone != id:
			if err := b.leaves(gone); err != nil {
				return v, err
			}
		case !in:
			return v, b.wrongVictim(id)
		default:
			b.gone(id)
			in = false
		}
	}
	if at, _ := v.first(); at < uint32(i) {
		return v, protocolf("evicts for request %d of the batch after it did for request %d, from 0 on", at, i)
	}
	if b.used > b.capacity {
		return v, protocolf("has %d in a cache of %d", b.used, b.capacity)
	}
	if in && b.past != nil {
		b.past.remove(id)
	}
	return v, nil
}

// wrongAnswer is the mistake of a hit of an absent object, or of a miss of a resident one.
func (b *books) wrongAnswer(id uint32, hit bool) error {
	if hit {
		return protocolf("says that object %d hits, which is not resident", id)
	}
	return protocolf("says that object %d misses, which is resident", id)
}

// none demands that no victims are left after a batch of n.
func (v victims) none(n int) (index int, err error) {
	if len(v) == 0 {
		return 0, nil
	}
	at, _ := v.first()
	return n - 1, protocolf("evicts for request %d of a batch of %d, from 0 on", at, n)
}

// checkFast is check where objects count and nobody is told what goes, as in a simulation.
func (b *books) checkFast(ids []uint32, hits []byte, v victims) (index int, err error) {
	for begin := 0; begin < len(ids); begin += 32 {
		group, answers := ids[begin:min(begin+32, len(ids))], binary.LittleEndian.Uint32(hits[begin>>3:])
		for i := 0; i < len(group); i++ {
			if len(group) == 32 {
				if i, v = b.checkUsual((*[32]uint32)(group), answers, begin, i, v); i == 32 {
					break
				}
			}
			if v, err = b.checkOne(begin+i, group[i], 1, answers>>i&1 == 1, v); err != nil {
				return begin + i, err
			}
		}
	}
	return v.none(len(ids))
}

// checkUsual checks the requests from number i on of a group of 32, which begins at number begin, as long as all is as most
// policies do it with a cache that is full: a miss has one victim, a hit none. It returns the number of the request where it
// stops, and the victims left. It has no branch that depends on what hits, which no processor could foresee, and leaves what
// is unusual, and all mistakes, to checkOne.
func (b *books) checkUsual(group *[32]uint32, answers uint32, begin, i int, v victims) (stop int, left victims) {
	resident := b.resident
	for answers >>= i & 31; i < 32 && len(v) >= 2*hostabi.VictimSize; i++ {
		id := group[i&31]
		hit := answers & 1
		miss, due := hit^1, uint32(0)
		at, gone := v.first()
		if at == uint32(begin+i) {
			due = 1
		}
		next, _ := v[hostabi.VictimSize:].first()
		slot, goneSlot := id>>6, gone>>6&-miss
		if due != miss || next <= uint32(begin+i) || uint64(goneSlot) >= uint64(len(resident)) {
			break
		}
		word, bit := resident[slot], uint64(miss)<<(gone&63)
		if uint32(word>>(id&63))&1 != hit || resident[goneSlot]&bit != bit {
			break
		}
		resident[slot] = word | 1<<(id&63)
		resident[goneSlot] &^= bit
		v = v[miss*hostabi.VictimSize:]
		answers >>= 1
	}
	return i, v
}
