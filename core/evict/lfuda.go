package evict

// lfuda is lfu with dynamic aging: an object is ranked by its count plus the age of the cache when it was last asked for, and
// the age is the rank of what was thrown out last. Of equals, what came to that rank first goes.
//
// J. Dilley and M. Arlitt, Improving proxy cache performance: analysis of three replacement policies, IEEE Internet Computing
// 3(6), 1999.
type lfuda struct {
	base
	ladder ladder   // by count + age
	count  []uint32 // by id, of residents
	age    uint64
}

func newLFUDA(s Spec) (Policy, error) {
	return &lfuda{base: newBase(s), ladder: newLadder(&s), count: make([]uint32, s.Objects)}, nil
}

func (p *lfuda) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.ladder.has(id) {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *lfuda) Hit(id uint32) {
	p.count[id]++
	p.ladder.raise(id, uint64(p.count[id])+p.age)
}

func (p *lfuda) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.count[id] = 1
	p.ladder.add(id, 1+p.age)
	return true
}

func (p *lfuda) evict() {
	id := p.ladder.least()
	p.age = p.ladder.number(id)
	p.ladder.remove(id)
	p.threwOut(id)
}

func (p *lfuda) Remove(id uint32) {
	p.ladder.remove(id)
	p.went(id)
	p.forgot(id)
}

func (p *lfuda) Contains(id uint32) bool { return p.ladder.has(id) }
