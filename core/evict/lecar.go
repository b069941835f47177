package evict

import (
	"math"
	"math/rand/v2"
)

// lecar asks one of two each time that something must go: LRU, or LFU of the residents. Each is asked with the chance of its
// weight, and has a memory of what went on its word. An object that is asked for while in one of those memories was a mistake
// of that one, which then loses weight, the more the shorter ago the mistake was. Equally frequent ones go in the order of
// their last requests.
//
// G. Vietri et al., Driving cache replacement with ML-based LeCaR, HotStorage 2018. Each memory has half as much room as the
// cache, and what both would throw out is not remembered. A mistake fades with as many requests as the capacity is, so hardly
// where bytes count. An object that comes back counts from 1 again, or, with keep=1, goes on with the count that it had.
type lecar struct {
	base
	at       nodes // of recent and of both memories: no object is in two
	recent   list
	counts   heap // residents by count, then by last request
	count    []uint32
	state    []uint8 // by id: one of the expert constants
	left     []uint64
	past     [2]memory
	lru      weight
	dice     *rand.Rand
	rate     float64
	discount float64 // what is left of a mistake after as many requests as the capacity is
	keep     bool
	now      uint64
}

// What an object is to policies that weigh experts. The memories of the two experts are numbered as these are.
const (
	expertLRU = iota
	expertLFU
	expertResident
	expertNothing
)

func newLeCaR(s Spec) (Policy, error) {
	rate, err := s.float("rate", 0, 100)
	if err != nil {
		return nil, err
	}
	discount, err := s.float("discount", 0, 1)
	if err != nil {
		return nil, err
	}
	keep, err := s.int("keep", 0, 1)
	if err != nil {
		return nil, err
	}
	return &lecar{
		base: newBase(s), at: make(nodes, s.Objects), recent: newList(), counts: newHeap(s.Objects),
		count: make([]uint32, s.Objects), state: newStates(s.Objects), left: make([]uint64, s.Objects),
		past: [2]memory{newMemory(s.Capacity / 2), newMemory(s.Capacity / 2)},
		lru:  0.5, dice: rand.New(rand.NewPCG(s.Seed, 0)), rate: rate, discount: discount, keep: keep == 1,
	}, nil
}

func (p *lecar) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.state[id] == expertResident {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *lecar) Hit(id uint32) {
	p.now++
	p.count[id]++
	p.recent.touch(p.at, id)
	p.counts.fix(id, rank{float64(p.count[id]), p.now})
}

func (p *lecar) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	p.now++
	if by := p.state[id]; by != expertNothing {
		p.past[by].remove(&p.base, p.at, id)
		p.blame(by, p.now-p.left[id])
	}
	if p.state[id] == expertNothing || !p.keep {
		p.count[id] = 0
	}
	p.state[id] = expertResident
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.count[id]++
	p.recent.push(p.at, id)
	p.counts.push(id, rank{float64(p.count[id]), p.now})
	return true
}

// blame takes weight from an expert for a mistake that many requests ago.
func (p *lecar) blame(expert uint8, ago uint64) {
	p.lru.learn(expert, p.rate*math.Pow(p.discount, float64(ago)/float64(p.spec.Capacity)), 0.001)
}

func (p *lecar) evict() {
	oldest, rarest := p.recent.tail, p.counts.top()
	id, by := oldest, uint8(expertNothing)
	if oldest != rarest {
		by = p.lru.choose(p.dice)
		if by == expertLFU {
			id = rarest
		}
	}
	p.vacate(id)
	p.told(id)
	if by == expertNothing {
		p.forgot(id)
		return
	}
	p.state[id] = by
	p.left[id] = p.now
	past := &p.past[by]
	past.add(&p.base, p.at, id)
	for past.full() {
		p.state[past.tail] = expertNothing
		past.forgetOldest(&p.base, p.at)
	}
}

// vacate takes a resident object out.
func (p *lecar) vacate(id uint32) {
	p.recent.remove(p.at, id)
	p.counts.remove(id)
	p.state[id] = expertNothing
	p.went(id)
}

func (p *lecar) Remove(id uint32) {
	p.vacate(id)
	p.forgot(id)
}

func (p *lecar) Contains(id uint32) bool { return p.state[id] == expertResident }

// weight is that of LRU, from 0.001 to 0.999, so that each is asked at times. LFU has the rest of 1.
type weight float64

// choose returns expertLRU or expertLFU.
func (w weight) choose(dice *rand.Rand) uint8 {
	if dice.Float64() < float64(w) {
		return expertLRU
	}
	return expertLFU
}

// learn takes weight from an expert, which keeps least.
func (w *weight) learn(expert uint8, loss, least float64) {
	lru, lfu := float64(*w), 1-float64(*w)
	if expert == expertLRU {
		lru *= math.Exp(-loss)
	} else {
		lfu *= math.Exp(-loss)
	}
	*w = weight(min(max(lru/(lru+lfu), least), 1-least))
}

// newStates returns a state for each object, of which nothing is known.
func newStates(objects int) []uint8 {
	states := make([]uint8, objects)
	for id := range states {
		states[id] = expertNothing
	}
	return states
}

// memory has objects that were thrown out, as many as would fit into most.
type memory struct {
	list
	used, most uint64
}

func newMemory(most uint64) memory { return memory{list: newList(), most: most} }

// add makes id the newest.
func (m *memory) add(b *base, at nodes, id uint32) {
	m.push(at, id)
	m.used += took(b, id)
}

// remove takes id out.
func (m *memory) remove(b *base, at nodes, id uint32) {
	m.list.remove(at, id)
	m.used -= took(b, id)
}

// full reports whether the oldest must be forgotten.
func (m *memory) full() bool { return m.used > m.most }

// forgetOldest takes the oldest out and tells that nothing is known of it any more.
func (m *memory) forgetOldest(b *base, at nodes) {
	id := m.tail
	m.remove(b, at, id)
	b.forgot(id)
}

// took returns how much room an object takes or took when it was resident.
func took(b *base, id uint32) uint64 {
	if b.size == nil {
		return 1
	}
	return uint64(b.size[id])
}
