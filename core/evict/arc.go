package evict

// arc balances objects asked for once lately, in t1, with those asked for more often, in t2. It remembers what it threw out
// of either, in b1 and b2, and a request for one of these says which side was too small.
//
// N. Megiddo, D. S. Modha, ARC: A self-tuning, low overhead replacement cache, FAST 2003. Where sizes count, all lengths of
// the paper are bytes, and the step of the target is as many times the size of the object. The target is a real number; the
// oldest of a list goes first, and at |t1| = p the choice is t2, except for an object that b2 remembers.
type arc struct {
	base
	at             nodes
	in             []uint8 // by id: one of the arc constants
	t1, t2, b1, b2 segment
	p              float64 // the target for t1
}

const (
	arcNone = iota
	arcT1
	arcT2
	arcB1
	arcB2
)

func newARC(s Spec) (Policy, error) {
	return &arc{
		base: newBase(s), at: make(nodes, s.Objects), in: make([]uint8, s.Objects),
		t1: newSegment(), t2: newSegment(), b1: newSegment(), b2: newSegment(),
	}, nil
}

func (p *arc) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
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

func (p *arc) Hit(id uint32) {
	if p.in[id] == arcT2 {
		p.t2.touch(p.at, id)
		return
	}
	p.drop(&p.t1, p.at, id)
	p.join(&p.t2, arcT2, id)
}

func (p *arc) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	switch p.in[id] {
	case arcB1:
		p.p = min(p.p+p.step(&p.b2, &p.b1, size), float64(p.spec.Capacity))
		p.evictFor(size, false)
		p.drop(&p.b1, p.at, id)
	case arcB2:
		p.p = max(p.p-p.step(&p.b1, &p.b2, size), 0)
		p.evictFor(size, true)
		p.drop(&p.b2, p.at, id)
	default:
		p.forgetFor(size)
		p.evictFor(size, false)
		p.came(id, size)
		p.join(&p.t1, arcT1, id)
		return true
	}
	p.came(id, size)
	p.join(&p.t2, arcT2, id)
	return true
}

// step is how far the target moves for an object of that size, which own remembers.
func (p *arc) step(other, own *segment, size uint32) float64 {
	return max(float64(other.room)/float64(max(own.room, 1)), 1) * float64(p.weigh(size))
}

// forgetFor makes room in what is remembered for an object that is not: t1 and b1 together hold no more than the cache,
// everything together twice as much.
func (p *arc) forgetFor(size uint32) {
	room := p.weigh(size)
	for p.t1.room+p.b1.room+room > p.spec.Capacity {
		if p.b1.n == 0 {
			id := p.t1.tail
			p.drop(&p.t1, p.at, id)
			p.in[id] = arcNone
			p.threwOut(id)
			continue
		}
		p.forget(&p.b1)
	}
	for p.b2.n > 0 && p.used+p.b1.room+p.b2.room+room > 2*p.spec.Capacity {
		p.forget(&p.b2)
	}
}

// forget forgets the oldest of b1 or b2.
func (p *arc) forget(from *segment) {
	id := from.tail
	p.drop(from, p.at, id)
	p.in[id] = arcNone
	p.forgot(id)
}

// evictFor throws out until an object of that size fits. again says that b2 remembers it.
func (p *arc) evictFor(size uint32, again bool) {
	for p.full(size) {
		t1 := float64(p.t1.room)
		if p.t2.n == 0 || p.t1.n > 0 && (t1 > p.p || again && t1 == p.p) {
			p.remember(&p.t1, &p.b1, arcB1)
		} else {
			p.remember(&p.t2, &p.b2, arcB2)
		}
	}
}

// remember throws out the oldest of from.
func (p *arc) remember(from, to *segment, in uint8) {
	id := from.tail
	p.drop(from, p.at, id)
	p.join(to, in, id)
	p.went(id)
	p.told(id)
}

// join makes id the newest of s, which is known as in.
func (p *arc) join(s *segment, in uint8, id uint32) {
	p.add(s, p.at, id)
	p.in[id] = in
}

func (p *arc) Remove(id uint32) {
	if p.in[id] == arcT1 {
		p.drop(&p.t1, p.at, id)
	} else {
		p.drop(&p.t2, p.at, id)
	}
	p.in[id] = arcNone
	p.went(id)
	p.forgot(id)
}

func (p *arc) Contains(id uint32) bool { return p.in[id]-arcT1 <= arcT2-arcT1 }
