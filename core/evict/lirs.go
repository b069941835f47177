package evict

// lirs keeps the objects whose last two requests were close to each other: the hot ones (LIR), for which nearly the whole
// cache is. The others (HIR) pass through a small queue, and what leaves it stays on the stack for a while as a memory. An
// object that is asked for while it is on the stack becomes hot, and the oldest hot one takes its place in the queue.
//
// S. Jiang, X. Zhang, LIRS: An efficient low inter-reference recency set replacement policy to improve buffer cache
// performance, SIGMETRICS 2002. The oldest of the queue goes first. The queue has 1 % of the cache, but no less than 2
// objects; what is only remembered is bounded to a multiple of the cache, and what was thrown out first is forgotten first.
// Where sizes count, all lengths are bytes. A second request right after the one that brought an object does not make it hot.
type lirs struct {
	base
	status []uint8 // by id: one of the lirs constants, and lirsOnStack
	// on is the stack, newest first, with hot objects, others and memories; its oldest is always a hot one.
	on    nodes
	stack list
	// off is for two lists that share no object: the queue of residents that are not hot, and the memories, which are all
	// on the stack.
	off             nodes
	queue, memories segment
	hot             uint64 // how much the hot ones take
	maxHot, maxPast uint64
}

const (
	lirsNone = iota
	lirsHot
	lirsCold
	lirsMemory

	lirsOnStack = 4
	lirsStatus  = 3
)

func newLIRS(s Spec) (Policy, error) {
	past, err := s.float("ghost", 1, 1000)
	if err != nil {
		return nil, err
	}
	cold := max(s.Capacity/100, min(2, s.Capacity))
	return &lirs{
		base: newBase(s), status: make([]uint8, s.Objects),
		on: make(nodes, s.Objects), stack: newList(),
		off: make(nodes, s.Objects), queue: newSegment(), memories: newSegment(),
		maxHot: s.Capacity - cold, maxPast: uint64(past * float64(s.Capacity)),
	}, nil
}

func (p *lirs) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
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

func (p *lirs) Hit(id uint32) {
	switch {
	case p.stack.head == id:
		if p.status[id]&lirsStatus == lirsCold {
			p.queue.touch(p.off, id)
		}
	case p.status[id]&lirsStatus == lirsHot:
		p.stack.touch(p.on, id)
		p.prune()
	case p.status[id]&lirsOnStack != 0:
		p.drop(&p.queue, p.off, id)
		p.stack.touch(p.on, id)
		p.heat(id)
	default:
		p.queue.touch(p.off, id)
		p.stackUp(id)
		p.prune()
	}
}

func (p *lirs) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	heats := p.hot+p.weigh(size) <= p.maxHot && !p.full(size)
	if p.status[id]&lirsStatus == lirsMemory {
		p.drop(&p.memories, p.off, id)
		p.unstack(id)
		heats = true
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.stackUp(id)
	if heats {
		p.heat(id)
		return true
	}
	p.add(&p.queue, p.off, id)
	p.status[id] = lirsCold | lirsOnStack
	p.prune()
	return true
}

// stackUp puts an object that is not there on top of the stack.
func (p *lirs) stackUp(id uint32) {
	p.stack.push(p.on, id)
	p.status[id] |= lirsOnStack
}

// unstack takes an object off the stack.
func (p *lirs) unstack(id uint32) {
	p.stack.remove(p.on, id)
	p.status[id] &^= lirsOnStack
}

// heat makes id, which is resident and on top of the stack alone, hot; the oldest hot ones make room for it.
func (p *lirs) heat(id uint32) {
	p.status[id] = lirsHot | lirsOnStack
	p.hot += p.weight(id)
	for p.hot > p.maxHot {
		p.cool()
	}
	p.prune()
}

// cool moves the oldest hot object into the queue.
func (p *lirs) cool() {
	p.prune()
	id := p.stack.tail
	p.unstack(id)
	p.hot -= p.weight(id)
	p.status[id] = lirsCold
	p.add(&p.queue, p.off, id)
}

// evict throws out the oldest of the queue, into which one of the hot goes first if it is empty.
func (p *lirs) evict() {
	if p.queue.n == 0 {
		p.cool()
	}
	id := p.queue.tail
	p.drop(&p.queue, p.off, id)
	p.went(id)
	p.told(id)
	if p.status[id]&lirsOnStack == 0 {
		p.status[id] = lirsNone
		p.forgot(id)
		return
	}
	p.status[id] = lirsMemory | lirsOnStack
	p.add(&p.memories, p.off, id)
	for p.memories.room > p.maxPast {
		p.forget(p.memories.tail)
	}
}

// prune takes off the stack what is older than all hot objects.
func (p *lirs) prune() {
	for p.stack.n > 0 {
		id := p.stack.tail
		switch p.status[id] & lirsStatus {
		case lirsHot:
			return
		case lirsMemory:
			p.forget(id)
		default:
			p.unstack(id)
		}
	}
}

// forget forgets a memory.
func (p *lirs) forget(id uint32) {
	p.drop(&p.memories, p.off, id)
	p.unstack(id)
	p.status[id] = lirsNone
	p.forgot(id)
}

func (p *lirs) Remove(id uint32) {
	if p.status[id]&lirsOnStack != 0 {
		p.unstack(id)
	}
	if p.status[id] == lirsHot {
		p.hot -= p.weight(id)
	} else {
		p.drop(&p.queue, p.off, id)
	}
	p.status[id] = lirsNone
	p.went(id)
	p.forgot(id)
	p.prune()
}

func (p *lirs) Contains(id uint32) bool { return p.status[id]&lirsStatus-lirsHot <= lirsCold-lirsHot }
