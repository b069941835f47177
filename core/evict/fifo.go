package evict

// fifo throws out what came first, however often it was asked for.
//
// L. A. Belady, A study of replacement algorithms for a virtual-storage computer, IBM Systems Journal 5(2), 1966.
type fifo struct {
	base
	at       nodes
	resident []bool
	list     list
}

func newFIFO(s Spec) (Policy, error) {
	return &fifo{base: newBase(s), at: make(nodes, s.Objects), resident: make([]bool, s.Objects), list: newList()}, nil
}

func (p *fifo) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
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

func (p *fifo) Hit(uint32) {}

func (p *fifo) Insert(id, size uint32) bool {
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

func (p *fifo) evict() {
	id := p.list.pop(p.at)
	p.resident[id] = false
	p.threwOut(id)
}

func (p *fifo) Remove(id uint32) {
	p.list.remove(p.at, id)
	p.resident[id] = false
	p.went(id)
	p.forgot(id)
}

func (p *fifo) Contains(id uint32) bool { return p.resident[id] }
