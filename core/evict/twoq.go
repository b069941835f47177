package evict

// twoq keeps new objects in a queue, in which being asked for again changes nothing, and remembers the ids that fall out of
// it. What comes back while its id is remembered goes to the main list, which is an LRU.
//
// A cache whose queue has no room, such as one of less than four objects, lets nothing in.
//
// T. Johnson and D. Shasha, 2Q: a low overhead high performance buffer management replacement algorithm, VLDB 1994: the full
// version.
type twoq struct {
	base
	at              nodes
	state           []uint8 // by id: see twoqOut
	in, out, main   segment
	inMost, outMost uint64 // their rooms
}

const (
	twoqAbsent = iota
	twoqOut
	twoqIn
	twoqMain
)

func newTwoQ(s Spec) (Policy, error) {
	in, err := s.float("in", 0, 1)
	if err != nil {
		return nil, err
	}
	out, err := s.float("out", 0, 1)
	if err != nil {
		return nil, err
	}
	return &twoq{
		base: newBase(s), at: make(nodes, s.Objects), state: make([]uint8, s.Objects),
		in: newSegment(), out: newSegment(), main: newSegment(), inMost: s.part(in), outMost: s.part(out),
	}, nil
}

func (p *twoq) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.state[id] >= twoqIn {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *twoq) Hit(id uint32) {
	if p.state[id] == twoqMain {
		p.main.touch(p.at, id)
	}
}

func (p *twoq) Insert(id, size uint32) bool {
	if !p.fits(size) || p.inMost == 0 {
		return false
	}
	known := p.state[id] == twoqOut
	if known {
		p.drop(&p.out, p.at, id)
		p.state[id] = twoqAbsent
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	if known {
		p.add(&p.main, p.at, id)
		p.state[id] = twoqMain
	} else {
		p.add(&p.in, p.at, id)
		p.state[id] = twoqIn
	}
	return true
}

func (p *twoq) evict() {
	if p.in.room <= p.inMost && p.main.n > 0 {
		id := p.pop(&p.main, p.at)
		p.state[id] = twoqAbsent
		p.threwOut(id)
		return
	}
	id := p.pop(&p.in, p.at)
	p.went(id)
	p.told(id)
	p.add(&p.out, p.at, id)
	p.state[id] = twoqOut
	for p.out.room > p.outMost {
		oldest := p.pop(&p.out, p.at)
		p.state[oldest] = twoqAbsent
		p.forgot(oldest)
	}
}

func (p *twoq) Remove(id uint32) {
	if p.state[id] == twoqMain {
		p.drop(&p.main, p.at, id)
	} else {
		p.drop(&p.in, p.at, id)
	}
	p.state[id] = twoqAbsent
	p.went(id)
	p.forgot(id)
}

func (p *twoq) Contains(id uint32) bool { return p.state[id] >= twoqIn }
