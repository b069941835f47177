package evict

// lruK throws out the object whose k-th last request is the longest ago; those with fewer requests go first, and among them
// what was not asked for the longest. It remembers the requests for what it threw out, for as many objects as fit into a
// multiple of the cache, the oldest forgotten first.
//
// E. J. O'Neil, P. E. O'Neil, G. Weikum, The LRU-K page replacement algorithm for database disk buffering, SIGMOD 1993, with
// no correlated reference period: each request counts. Times are numbers of requests, so that there are no ties.
type lruK struct {
	base
	k       int
	asked   []uint64 // by id, k each: when the last requests were, newest first; 0 where there was none
	now     uint64
	in      []uint8 // by id: one of the lruK constants
	at      nodes   // of young and past
	young   list    // residents with fewer than k requests
	past    segment
	maxPast uint64
	// old has the other residents by their k-th last request, which may have been later since: that matters only on top.
	old heap
}

const (
	lruKNone = iota
	lruKYoung
	lruKOld
	lruKPast
)

func newLRUK(s Spec) (Policy, error) {
	k, err := s.int("k", 1, 16)
	if err != nil {
		return nil, err
	}
	past, err := s.float("ghost", 0, 1000)
	if err != nil {
		return nil, err
	}
	return &lruK{
		base: newBase(s), k: k, asked: make([]uint64, k*s.Objects), in: make([]uint8, s.Objects),
		at: make(nodes, s.Objects), young: newList(), past: newSegment(), maxPast: uint64(past * float64(s.Capacity)),
		old: newHeap(s.Objects),
	}, nil
}

func (p *lruK) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.Contains(id) {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *lruK) Hit(id uint32) {
	p.ask(id)
	if p.in[id] == lruKOld {
		return
	}
	p.young.remove(p.at, id)
	p.settle(id)
}

func (p *lruK) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	if p.in[id] == lruKPast {
		p.drop(&p.past, p.at, id)
	}
	for p.full(size) {
		p.evict()
	}
	p.ask(id)
	p.came(id, size)
	p.settle(id)
	return true
}

// ask notes a request.
func (p *lruK) ask(id uint32) {
	p.now++
	times := p.times(id)
	copy(times[1:], times)
	times[0] = p.now
}

// times are those of the last k requests for an object, newest first.
func (p *lruK) times(id uint32) []uint64 { return p.asked[int(id)*p.k:][:p.k] }

// kth returns when the k-th last request for an object was.
func (p *lruK) kth(id uint32) uint64 { return p.asked[int(id)*p.k+p.k-1] }

// settle puts a resident, which is in no list, where its requests say.
func (p *lruK) settle(id uint32) {
	when := p.kth(id)
	if when == 0 {
		p.in[id] = lruKYoung
		p.young.push(p.at, id)
		return
	}
	p.in[id] = lruKOld
	p.old.push(id, rank{tie: when})
}

func (p *lruK) evict() {
	id := p.young.tail
	if id != nobody {
		p.young.remove(p.at, id)
	} else {
		id = p.oldest()
		p.old.remove(id)
	}
	p.went(id)
	p.told(id)
	p.in[id] = lruKPast
	p.add(&p.past, p.at, id)
	for p.past.room > p.maxPast {
		oldest := p.past.tail
		p.drop(&p.past, p.at, oldest)
		p.forget(oldest)
	}
}

// oldest brings what is on top of old up to date until that is really the oldest.
func (p *lruK) oldest() uint32 {
	for {
		id := p.old.top()
		when := rank{tie: p.kth(id)}
		if p.old.rank(id) == when {
			return id
		}
		p.old.fix(id, when)
	}
}

// forget forgets an object that is in no list.
func (p *lruK) forget(id uint32) {
	p.in[id] = lruKNone
	clear(p.times(id))
	p.forgot(id)
}

func (p *lruK) Remove(id uint32) {
	if p.in[id] == lruKYoung {
		p.young.remove(p.at, id)
	} else {
		p.old.remove(id)
	}
	p.went(id)
	p.forget(id)
}

func (p *lruK) Contains(id uint32) bool { return p.in[id]-lruKYoung <= lruKOld-lruKYoung }
