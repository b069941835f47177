package evict

import "iter"

var (
	_ Ranker = (*fifo)(nil)
	_ Ranker = (*lifo)(nil)
	_ Ranker = (*lru)(nil)
	_ Ranker = (*mru)(nil)
	_ Ranker = (*lfu)(nil)
	_ Ranker = (*lfuda)(nil)
	_ Ranker = (*clock)(nil)
	_ Ranker = (*sieve)(nil)
	_ Ranker = (*slru)(nil)
	_ Ranker = (*random)(nil)
)

func (p *fifo) Ranked() (ids iter.Seq[uint32], lastFirst bool) {
	return p.list.oldestFirst(p.at), false
}

func (p *lru) Ranked() (ids iter.Seq[uint32], lastFirst bool) { return p.list.oldestFirst(p.at), false }

func (p *lifo) Ranked() (ids iter.Seq[uint32], lastFirst bool) { return p.list.newestFirst(p.at), true }

func (p *mru) Ranked() (ids iter.Seq[uint32], lastFirst bool) { return p.list.newestFirst(p.at), true }

func (p *lfu) Ranked() (ids iter.Seq[uint32], lastFirst bool) { return p.ladder.lowestFirst(), false }

func (p *lfuda) Ranked() (ids iter.Seq[uint32], lastFirst bool) { return p.ladder.lowestFirst(), false }

// Ranked begins anywhere: of what goes by chance, everything may be next.
func (p *random) Ranked() (ids iter.Seq[uint32], lastFirst bool) {
	return func(yield func(uint32) bool) {
		n := len(p.residents)
		if n == 0 {
			return
		}
		for i, first := 0, p.dice.IntN(n); i < n; i++ {
			if !yield(p.residents[(first+i)%n]) {
				return
			}
		}
	}, false
}

// Ranked goes round the queue: what has one turn more goes a round later.
func (p *clock) Ranked() (ids iter.Seq[uint32], lastFirst bool) {
	return func(yield func(uint32) bool) {
		for turns := uint8(1); turns <= p.most; turns++ {
			for id := range p.list.oldestFirst(p.at) {
				if p.turns[id] == turns && !yield(id) {
					return
				}
			}
		}
	}, false
}

// Ranked goes the way of the hand: the first time round those go that were not asked for, then the others.
func (p *sieve) Ranked() (ids iter.Seq[uint32], lastFirst bool) {
	return func(yield func(uint32) bool) {
		for mark := uint8(1); mark <= 2; mark++ {
			for id := range p.byHand() {
				if p.mark[id] == mark && !yield(id) {
					return
				}
			}
		}
	}, false
}

// byHand walks the objects from the hand on to where it is again.
func (p *sieve) byHand() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		id := p.hand
		for range p.list.n {
			if id == nobody {
				id = p.list.tail
			}
			if !yield(id) {
				return
			}
			id = p.at[id].newer
		}
	}
}

func (p *slru) Ranked() (ids iter.Seq[uint32], lastFirst bool) {
	return func(yield func(uint32) bool) {
		for i := range p.segments {
			for id := range p.segments[i].oldestFirst(p.at) {
				if !yield(id) {
					return
				}
			}
		}
	}, false
}

// oldestFirst walks the list from its tail.
func (l *list) oldestFirst(at nodes) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for id := l.tail; id != nobody && yield(id); {
			id = at[id].newer
		}
	}
}

// newestFirst walks the list from its head.
func (l *list) newestFirst(at nodes) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for id := l.head; id != nobody && yield(id); {
			id = at[id].older
		}
	}
}

// lowestFirst walks the rungs upwards, and on each what came first to it.
func (l *ladder) lowestFirst() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := l.all[0].higher; i != 0; i = l.all[i].higher {
			for id := range l.all[i].objects.oldestFirst(l.at) {
				if !yield(id) {
					return
				}
			}
		}
	}
}
