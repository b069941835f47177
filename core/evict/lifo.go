package evict

// lifo throws out what came last: once the cache is full, all but one of its objects stay for ever.
//
// E. G. Coffman, P. J. Denning, Operating Systems Theory, Prentice-Hall 1973.
type lifo struct {
	base
	at       nodes
	resident []bool
	list     list
}

func newLIFO(s Spec) (Policy, error) {
	return &lifo{base: newBase(s), at: make(nodes, s.Objects), resident: make([]bool, s.Objects), list: newList()}, nil
}

func (p *lifo) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.resident[id] {
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *lifo) Hit(uint32) {}

func (p *lifo) Insert(id, size uint32) bool {
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

func (p *lifo) evict() {
	id := p.list.head
	p.list.remove(p.at, id)
	p.resident[id] = false
	p.threwOut(id)
}

func (p *lifo) Remove(id uint32) {
	p.list.remove(p.at, id)
	p.resident[id] = false
	p.went(id)
	p.forgot(id)
}

func (p *lifo) Contains(id uint32) bool { return p.resident[id] }
