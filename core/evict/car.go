package evict

// car is ARC with clocks for lists: a hit only sets a mark. t1 and t2 are clocks, b1 and b2 remember what went out of them.
//
// S. Bansal, D. S. Modha, CAR: Clock with adaptive replacement, FAST 2004. Where sizes count, all lengths of the paper are
// bytes, and the step of the target is as many times the size of the object. At |t1| = p the choice is t1.
type car struct {
	base
	at             nodes
	in             []uint8 // by id: one of the arc constants, and carMark
	t1, t2, b1, b2 segment // the hand of a clock is at its oldest
	p              uint64  // the target for t1
}

// carMark is on residents that were asked for again.
const carMark = 8

func newCAR(s Spec) (Policy, error) {
	return &car{
		base: newBase(s), at: make(nodes, s.Objects), in: make([]uint8, s.Objects),
		t1: newSegment(), t2: newSegment(), b1: newSegment(), b2: newSegment(),
	}, nil
}

func (p *car) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.Contains(id) {
			p.in[id] |= carMark
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *car) Hit(id uint32) { p.in[id] |= carMark }

func (p *car) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	switch p.in[id] {
	case arcB1:
		p.p = min(p.p+p.step(&p.b2, &p.b1, size), p.spec.Capacity)
		p.drop(&p.b1, p.at, id)
	case arcB2:
		p.p -= min(p.p, p.step(&p.b1, &p.b2, size))
		p.drop(&p.b2, p.at, id)
	default:
		p.forgetFor(size)
		p.came(id, size)
		p.join(&p.t1, arcT1, id)
		return true
	}
	p.came(id, size)
	p.join(&p.t2, arcT2, id)
	return true
}

// step is how far the target moves for an object of that size, which own remembers.
func (p *car) step(other, own *segment, size uint32) uint64 {
	return max(other.room/max(own.room, 1), 1) * p.weigh(size)
}

// forgetFor makes room in what is remembered for an object that is not: t1 and b1 together hold no more than the cache,
// everything together twice as much.
func (p *car) forgetFor(size uint32) {
	room := p.weigh(size)
	for p.b1.n > 0 && p.t1.room+p.b1.room+room > p.spec.Capacity {
		p.forget(&p.b1)
	}
	for p.b2.n > 0 && p.used+p.b1.room+p.b2.room+room > 2*p.spec.Capacity {
		p.forget(&p.b2)
	}
}

// forget forgets the oldest of b1 or b2.
func (p *car) forget(from *segment) {
	id := from.tail
	p.drop(from, p.at, id)
	p.in[id] = arcNone
	p.forgot(id)
}

// evict turns the clocks until one of them throws out.
func (p *car) evict() {
	for {
		from, to, in := &p.t1, &p.b1, uint8(arcB1)
		if p.t1.n == 0 || p.t2.n > 0 && p.t1.room < max(1, p.p) {
			from, to, in = &p.t2, &p.b2, arcB2
		}
		id := from.tail
		p.drop(from, p.at, id)
		if p.in[id]&carMark == 0 {
			p.join(to, in, id)
			p.went(id)
			p.told(id)
			return
		}
		p.join(&p.t2, arcT2, id)
	}
}

// join makes id, without a mark, the newest of s, which is known as in.
func (p *car) join(s *segment, in uint8, id uint32) {
	p.add(s, p.at, id)
	p.in[id] = in
}

func (p *car) Remove(id uint32) {
	if p.in[id]&^carMark == arcT1 {
		p.drop(&p.t1, p.at, id)
	} else {
		p.drop(&p.t2, p.at, id)
	}
	p.in[id] = arcNone
	p.went(id)
	p.forgot(id)
}

func (p *car) Contains(id uint32) bool { return p.in[id]&^carMark-arcT1 <= arcT2-arcT1 }
