package evict

import (
	"math/bits"
	"slices"
)

// opt throws out what will not be asked for the longest, which no policy can beat that lets everything in and counts objects.
// It knows nothing of sizes: where bytes count it is no bound, see PFOOL. Of what is never asked for again, the one that was
// asked for last goes first.
//
// Of each resident object the position of its next request is in a set, whose largest one is the object to throw out.
// Positions that passed stay there: they are below all that are to come and never are the largest.
//
// L. A. Belady, A study of replacement algorithms for a virtual-storage computer, IBM Systems Journal 5(2), 1966.
type opt struct {
	base
	ids      []uint32 // all requests, in their order
	next     []uint32 // by position, the next one of the same object; nobody if there is none
	now      int      // position of the request that comes now
	ahead    positions
	done     []uint32 // residents, or once so, that are never asked for again
	resident []bool
}

func newOPT(s Spec) (Policy, error) {
	return &opt{base: newBase(s), resident: make([]bool, s.Objects)}, nil
}

// Prepare takes the requests that will come, in this order, through Replay or one by one through Hit and Insert: less than
// 2^32-1 of them.
func (p *opt) Prepare(ids, _ []uint32) {
	p.ids, p.next = ids, nextUses(ids, p.spec.Objects)
	p.ahead = newPositions(len(ids))
}

// nextUses returns for each request the position of the next one of the same object, nobody if there is none.
func nextUses(ids []uint32, objects int) []uint32 {
	seen := make([]uint32, objects)
	for id := range seen {
		seen[id] = nobody
	}
	next := make([]uint32, len(ids))
	for i := len(ids) - 1; i >= 0; i-- {
		id := ids[i]
		next[i] = seen[id]
		seen[id] = uint32(i)
	}
	return next
}

func (p *opt) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.resident[id] {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *opt) Hit(id uint32) {
	if next := p.next[p.now]; next != nobody {
		p.ahead.add(next)
	} else {
		p.done = append(p.done, id)
	}
	p.now++
}

func (p *opt) Insert(id, size uint32) bool {
	if !p.fits(size) {
		p.now++
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.resident[id] = true
	p.Hit(id)
	return true
}

func (p *opt) evict() {
	id := p.farthest()
	for !p.resident[id] { // it was removed
		id = p.farthest()
	}
	p.resident[id] = false
	p.threwOut(id)
}

// farthest takes out who comes last of all.
func (p *opt) farthest() uint32 {
	if n := len(p.done); n > 0 {
		id := p.done[n-1]
		p.done = p.done[:n-1]
		return id
	}
	return p.ids[p.ahead.takeLargest()]
}

func (p *opt) Remove(id uint32) {
	p.resident[id] = false
	p.went(id)
	p.forgot(id)
}

func (p *opt) Contains(id uint32) bool { return p.resident[id] }

// positions is a set of numbers below a limit. It is a bitmap, and above it one with a bit for each word of the one below
// that is not 0, up to one of a single word.
type positions [][]uint64

func newPositions(limit int) positions {
	var p positions
	for n := limit; ; {
		n = (n + 63) >> 6
		p = append(p, make([]uint64, max(n, 1)))
		if n <= 1 {
			return p
		}
	}
}

// add puts n in, which may be in already.
func (p positions) add(n uint32) {
	for _, level := range p {
		word := &level[n>>6]
		before := *word
		*word = before | 1<<(n&63)
		if before != 0 {
			return
		}
		n >>= 6
	}
}

// takeLargest takes the largest number out. There must be one.
func (p positions) takeLargest() uint32 {
	var n uint32
	for _, level := range slices.Backward(p) {
		n = n<<6 | uint32(bits.Len64(level[n])-1)
	}
	at := n
	for _, level := range p {
		word := &level[at>>6]
		*word &^= 1 << (at & 63)
		if *word != 0 {
			break
		}
		at >>= 6
	}
	return n
}
