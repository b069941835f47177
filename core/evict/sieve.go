package evict

// sieve is a queue through which a hand goes from the oldest object to the newest, and throws out the first that was not
// asked for since the hand came by. Objects stay where they are, so that new ones are looked at soon and old ones rarely.
//
// Y. Zhang et al., SIEVE is simpler than LRU: an efficient turn-key eviction algorithm for web caches, NSDI 2024.
type sieve struct {
	base
	at   nodes
	mark []uint8 // by id: 0 is absent, 1 resident, 2 resident and asked for
	list list
	hand uint32 // the next to look at; nobody is the oldest
}

func newSIEVE(s Spec) (Policy, error) {
	return &sieve{
		base: newBase(s), at: make(nodes, s.Objects), mark: make([]uint8, s.Objects), list: newList(), hand: nobody,
	}, nil
}

func (p *sieve) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.mark[id] != 0 {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *sieve) Hit(id uint32) { p.mark[id] = 2 }

func (p *sieve) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.list.push(p.at, id)
	p.mark[id] = 1
	return true
}

func (p *sieve) evict() {
	id := p.hand
	if id == nobody {
		id = p.list.tail
	}
	for p.mark[id] == 2 {
		p.mark[id] = 1
		if id = p.at[id].newer; id == nobody {
			id = p.list.tail
		}
	}
	p.hand = p.at[id].newer
	p.list.remove(p.at, id)
	p.mark[id] = 0
	p.threwOut(id)
}

func (p *sieve) Remove(id uint32) {
	if p.hand == id {
		p.hand = p.at[id].newer
	}
	p.list.remove(p.at, id)
	p.mark[id] = 0
	p.went(id)
	p.forgot(id)
}

func (p *sieve) Contains(id uint32) bool { return p.mark[id] != 0 }
