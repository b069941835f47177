package evict

// mru throws out what was asked for last. It is right for loops that are larger than the cache.
//
// H.-T. Chou and D. J. DeWitt, An evaluation of buffer management strategies for relational database systems, VLDB 1985.
type mru struct {
	base
	at       nodes
	resident []bool
	list     list
}

func newMRU(s Spec) (Policy, error) {
	return &mru{base: newBase(s), at: make(nodes, s.Objects), resident: make([]bool, s.Objects), list: newList()}, nil
}

func (p *mru) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
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

func (p *mru) Hit(id uint32) { p.list.touch(p.at, id) }

func (p *mru) Insert(id, size uint32) bool {
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

func (p *mru) evict() {
	id := p.list.head
	p.list.remove(p.at, id)
	p.resident[id] = false
	p.threwOut(id)
}

func (p *mru) Remove(id uint32) {
	p.list.remove(p.at, id)
	p.resident[id] = false
	p.went(id)
	p.forgot(id)
}

func (p *mru) Contains(id uint32) bool { return p.resident[id] }
