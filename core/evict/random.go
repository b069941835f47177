package evict

import "math/rand/v2"

// random throws out any object, each with the same chance.
//
// L. A. Belady, A study of replacement algorithms for a virtual-storage computer, IBM Systems Journal 5(2), 1966.
type random struct {
	base
	residents []uint32 // in no order
	place     []uint32 // by id: 1 + its index in residents; 0 is absent
	dice      *rand.Rand
}

func newRandom(s Spec) (Policy, error) {
	return &random{
		base: newBase(s), place: make([]uint32, s.Objects), residents: make([]uint32, 0, s.most()),
		dice: rand.New(rand.NewPCG(s.Seed, 0)),
	}, nil
}

func (p *random) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.place[id] != 0 {
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *random) Hit(uint32) {}

func (p *random) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.residents = append(p.residents, id)
	p.place[id] = uint32(len(p.residents))
	return true
}

func (p *random) evict() {
	id := p.residents[p.dice.IntN(len(p.residents))]
	p.vacate(id)
	p.threwOut(id)
}

// vacate gives the place of an object to the last one.
func (p *random) vacate(id uint32) {
	place, last := p.place[id], p.residents[len(p.residents)-1]
	p.residents[place-1] = last
	p.place[last] = place
	p.place[id] = 0
	p.residents = p.residents[:len(p.residents)-1]
}

func (p *random) Remove(id uint32) {
	p.vacate(id)
	p.went(id)
	p.forgot(id)
}

func (p *random) Contains(id uint32) bool { return p.place[id] != 0 }
