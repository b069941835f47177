package evict

// lfu throws out what was asked for least since it came; of several, what came to that count first. It forgets the count of
// what it throws out, and never ages that of what stays.
//
// J. T. Robinson and M. V. Devarakonda, Data cache management using frequency-based replacement, SIGMETRICS 1990.
type lfu struct {
	base
	ladder ladder // by count
}

func newLFU(s Spec) (Policy, error) { return &lfu{base: newBase(s), ladder: newLadder(&s)}, nil }

func (p *lfu) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
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

func (p *lfu) Hit(id uint32) { p.ladder.raise(id, p.ladder.number(id)+1) }

func (p *lfu) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.ladder.add(id, 1)
	return true
}

func (p *lfu) evict() {
	id := p.ladder.least()
	p.ladder.remove(id)
	p.threwOut(id)
}

func (p *lfu) Remove(id uint32) {
	p.ladder.remove(id)
	p.went(id)
	p.forgot(id)
}

func (p *lfu) Contains(id uint32) bool { return p.ladder.has(id) }
