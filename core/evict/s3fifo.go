package evict

// s3fifo keeps new objects in a small queue, from which only those asked for at least twice go to the main one; of the others
// it remembers the ids, and what comes back soon goes to main at once. Main is a clock that counts to three.
//
// The small queue has room for one object at least. In byte mode an object that is larger than it is not let in.
//
// J. Yang et al., FIFO queues are all you need for cache eviction, SOSP 2023.
type s3fifo struct {
	base
	at                             nodes
	state                          []uint8 // by id: see s3Ghost
	small, main, ghost             segment
	smallMost, mainMost, ghostMost uint64 // their rooms
}

// The state of an object is where it is, and in the two lowest bits of a resident how often it was asked for there.
const (
	s3Absent = 0
	s3Ghost  = 1
	s3Small  = 4
	s3Main   = 8
	s3Count  = 3 // the bits that count
)

func newS3FIFO(s Spec) (Policy, error) {
	small, err := s.float("small", 0, 1)
	if err != nil {
		return nil, err
	}
	ghost, err := s.float("ghost", 0, 1)
	if err != nil {
		return nil, err
	}
	room := max(s.part(small), 1)
	return &s3fifo{
		base: newBase(s), at: make(nodes, s.Objects), state: make([]uint8, s.Objects),
		small: newSegment(), main: newSegment(), ghost: newSegment(),
		smallMost: room, mainMost: s.Capacity - room, ghostMost: s.part(ghost),
	}, nil
}

func (p *s3fifo) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.state[id] >= s3Small {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *s3fifo) Hit(id uint32) {
	if p.state[id]&s3Count < s3Count {
		p.state[id]++
	}
}

func (p *s3fifo) Insert(id, size uint32) bool {
	if !p.fits(size) || p.size != nil && uint64(size) > p.smallMost {
		return false
	}
	known := p.state[id] == s3Ghost
	if known {
		p.drop(&p.ghost, p.at, id)
		p.state[id] = s3Absent
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	if known {
		p.add(&p.main, p.at, id)
		p.state[id] = s3Main
	} else {
		p.add(&p.small, p.at, id)
		p.state[id] = s3Small
	}
	return true
}

func (p *s3fifo) evict() {
	if p.main.room > p.mainMost || p.small.n == 0 {
		p.evictMain()
	} else {
		p.evictSmall()
	}
}

// evictSmall throws out the oldest of the small queue that does not go to main, if there is one.
func (p *s3fifo) evictSmall() {
	for p.small.n > 0 {
		id := p.pop(&p.small, p.at)
		if p.state[id]&s3Count < 2 {
			p.went(id)
			p.told(id)
			p.remember(id)
			return
		}
		p.add(&p.main, p.at, id)
		p.state[id] = s3Main
	}
}

// remember makes an object that was thrown out a ghost.
func (p *s3fifo) remember(id uint32) {
	p.add(&p.ghost, p.at, id)
	p.state[id] = s3Ghost
	for p.ghost.room > p.ghostMost {
		oldest := p.pop(&p.ghost, p.at)
		p.state[oldest] = s3Absent
		p.forgot(oldest)
	}
}

// evictMain throws out the oldest of main whose count is used up.
func (p *s3fifo) evictMain() {
	for p.state[p.main.tail]&s3Count > 0 {
		p.state[p.main.tail]--
		p.main.turn(p.at)
	}
	id := p.pop(&p.main, p.at)
	p.state[id] = s3Absent
	p.threwOut(id)
}

func (p *s3fifo) Remove(id uint32) {
	if p.state[id] >= s3Main {
		p.drop(&p.main, p.at, id)
	} else {
		p.drop(&p.small, p.at, id)
	}
	p.state[id] = s3Absent
	p.went(id)
	p.forgot(id)
}

func (p *s3fifo) Contains(id uint32) bool { return p.state[id] >= s3Small }
