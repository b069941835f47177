package evict

// slru has segments of equal size. A new object comes into the lowest that has room; each time it is asked for it goes one
// up, and what is too much there goes one down, and out of the lowest. Where none has room, the lowest takes what the cache
// has left; when that is full, the least recently used of the lowest segment that has any is thrown out.
//
// A cache that is smaller than the number of its segments lets nothing in.
//
// R. Karedla, J. S. Love and B. G. Wherry, Caching strategies to improve disk system performance, Computer 27(3), 1994.
type slru struct {
	base
	at       nodes
	level    []uint8 // by id: 1 + its segment; 0 is absent
	segments []segment
	most     uint64 // the room of each
}

func newSLRU(s Spec) (Policy, error) {
	n, err := s.int("segments", 1, 100)
	if err != nil {
		return nil, err
	}
	p := &slru{
		base: newBase(s), at: make(nodes, s.Objects), level: make([]uint8, s.Objects),
		segments: make([]segment, n), most: s.room(s.Capacity / uint64(n)),
	}
	for i := range p.segments {
		p.segments[i] = newSegment()
	}
	return p, nil
}

func (p *slru) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.level[id] != 0 {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *slru) Hit(id uint32) {
	i := int(p.level[id]) - 1
	if i == len(p.segments)-1 {
		p.segments[i].touch(p.at, id)
		return
	}
	p.drop(&p.segments[i], p.at, id)
	p.lower(i+1, p.weight(id))
	p.join(id, i+1)
}

// lower moves the oldest of a segment one down, or throws them out, until so much more has room.
func (p *slru) lower(i int, weight uint64) {
	for s := &p.segments[i]; s.room+weight > p.most && s.n > 0; {
		if i == 0 {
			p.evict()
			continue
		}
		id := p.pop(s, p.at)
		p.lower(i-1, p.weight(id))
		p.join(id, i-1)
	}
}

// join makes an object that is in no segment the newest of one.
func (p *slru) join(id uint32, i int) {
	p.add(&p.segments[i], p.at, id)
	p.level[id] = uint8(i) + 1
}

func (p *slru) Insert(id, size uint32) bool {
	if !p.fits(size) || p.most == 0 {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	to := 0
	for i := range p.segments {
		if p.segments[i].room+p.weight(id) <= p.most {
			to = i
			break
		}
	}
	p.join(id, to)
	return true
}

func (p *slru) evict() {
	for i := range p.segments {
		if s := &p.segments[i]; s.n > 0 {
			id := p.pop(s, p.at)
			p.level[id] = 0
			p.threwOut(id)
			return
		}
	}
}

func (p *slru) Remove(id uint32) {
	p.drop(&p.segments[p.level[id]-1], p.at, id)
	p.level[id] = 0
	p.went(id)
	p.forgot(id)
}

func (p *slru) Contains(id uint32) bool { return p.level[id] != 0 }
