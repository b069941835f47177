package evict

// lru throws out what was not asked for the longest.
//
// R. L. Mattson et al., Evaluation techniques for storage hierarchies, IBM Systems Journal 9(2), 1970.
type lru struct {
	base
	at       nodes
	resident []bool
	list     list
}

func newLRU(s Spec) (Policy, error) {
	return &lru{base: newBase(s), at: make(nodes, s.Objects), resident: make([]bool, s.Objects), list: newList()}, nil
}

func (p *lru) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
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

func (p *lru) Hit(id uint32) { p.list.touch(p.at, id) }

func (p *lru) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.list.push(p.at, id)
	p.resident[id] = true
	return true
}

func (p *lru) evict() {
	id := p.list.pop(p.at)
	p.resident[id] = false
	p.threwOut(id)
}

func (p *lru) Remove(id uint32) {
	p.list.remove(p.at, id)
	p.resident[id] = false
	p.went(id)
	p.forgot(id)
}

func (p *lru) Contains(id uint32) bool { return p.resident[id] }
