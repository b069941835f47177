package evict

// clock is a queue in which an object that was asked for since it came to the head goes there again instead of out: second
// chance. With more bits it counts, and one is taken off for each turn.
//
// F. J. Corbató, A paging experiment with the Multics system, MIT Project MAC, 1968.
type clock struct {
	base
	at    nodes
	turns []uint8 // by id: 1 + how often it goes to the head again; 0 is absent
	most  uint8   // what turns may be
	list  list
}

func newClock(s Spec) (Policy, error) {
	bits, err := s.int("bits", 1, 7)
	if err != nil {
		return nil, err
	}
	return &clock{
		base: newBase(s), at: make(nodes, s.Objects), turns: make([]uint8, s.Objects), most: 1 << bits, list: newList(),
	}, nil
}

func (p *clock) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.turns[id] != 0 {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *clock) Hit(id uint32) { p.turns[id] = min(p.turns[id]+1, p.most) }

func (p *clock) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.list.push(p.at, id)
	p.turns[id] = 1
	return true
}

func (p *clock) evict() {
	for p.turns[p.list.tail] > 1 {
		p.turns[p.list.tail]--
		p.list.turn(p.at)
	}
	id := p.list.pop(p.at)
	p.turns[id] = 0
	p.threwOut(id)
}

func (p *clock) Remove(id uint32) {
	p.list.remove(p.at, id)
	p.turns[id] = 0
	p.went(id)
	p.forgot(id)
}

func (p *clock) Contains(id uint32) bool { return p.turns[id] != 0 }
