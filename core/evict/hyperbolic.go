package evict

// hyperbolic throws out, of some residents taken at random, the one with the fewest requests for the time since it came.
// Each keeps its place in that order while it is young as when it is old: it is not asked for less because it was often
// asked for long ago. Of equals the one taken first goes.
//
// A. Blankstein, S. Sen, M. J. Freedman, Hyperbolic caching: flexible caching for web applications, USENIX ATC 2017. The cost
// of a miss is the same for all, and sizes do not count in the order.
type hyperbolic struct {
	base
	pool   pool[since]
	sample int
	now    uint64
}

// since is how often an object was asked for since it came.
type since struct {
	count uint64
	came  uint64
}

func newHyperbolic(s Spec) (Policy, error) {
	sample, err := s.int("sample", 1, 1<<20)
	if err != nil {
		return nil, err
	}
	return &hyperbolic{base: newBase(s), pool: newPool[since](&s), sample: sample}, nil
}

func (p *hyperbolic) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.pool.has(id) {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *hyperbolic) Hit(id uint32) {
	p.now++
	p.pool.of(id).count++
}

func (p *hyperbolic) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	p.now++
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.pool.add(id, since{count: 1, came: p.now})
	return true
}

func (p *hyperbolic) evict() {
	least := p.pool.any()
	for range p.sample - 1 {
		if i := p.pool.any(); p.rarer(&p.pool.what[i], &p.pool.what[least]) {
			least = i
		}
	}
	id := p.pool.ids[least]
	p.pool.remove(id)
	p.threwOut(id)
}

// rarer reports whether a was asked for less often than b for its time.
func (p *hyperbolic) rarer(a, b *since) bool {
	return float64(a.count)*float64(p.now-b.came) < float64(b.count)*float64(p.now-a.came)
}

func (p *hyperbolic) Remove(id uint32) {
	p.pool.remove(id)
	p.went(id)
	p.forgot(id)
}

func (p *hyperbolic) Contains(id uint32) bool { return p.pool.has(id) }
