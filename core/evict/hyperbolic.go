package evict

import "math/rand/v2"

// hyperbolic throws out, of some residents taken at random, the one with the fewest requests for the time since it came.
// Each keeps its place in that order while it is young as when it is old: it is not asked for less because it was often
// asked for long ago. Of equals the one taken first goes.
//
// A. Blankstein, S. Sen, M. J. Freedman, Hyperbolic caching: flexible caching for web applications, USENIX ATC 2017. The cost
// of a miss is the same for all, and sizes do not count in the order.
type hyperbolic struct {
	base
	pool   pool
	since  []since // by id, of residents
	dice   *rand.Rand
	sample int
	now    uint64
}

// since is how often an object was asked for since it came.
type since struct {
	count uint64
	came  uint64
}

func newHyperbolic(s Spec) (Policy, error) {
	sample, err := s.int("sample", 1, 1<<20)
	if err != nil {
		return nil, err
	}
	return &hyperbolic{
		base: newBase(s), pool: newPool(s.Objects), since: make([]since, s.Objects),
		dice: rand.New(rand.NewPCG(s.Seed, 0)), sample: sample,
	}, nil
}

func (p *hyperbolic) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.pool.has(id) {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		if sizes == nil {
			p.Insert(id, 1)
		} else {
			p.Insert(id, sizes[i])
		}
	}
	return misses
}

func (p *hyperbolic) Hit(id uint32) {
	p.now++
	p.since[id].count++
}

func (p *hyperbolic) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	p.now++
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.pool.add(id)
	p.since[id] = since{count: 1, came: p.now}
	return true
}

func (p *hyperbolic) evict() {
	id := p.pool.any(p.dice)
	for range p.sample - 1 {
		if other := p.pool.any(p.dice); p.rarer(other, id) {
			id = other
		}
	}
	p.pool.remove(id)
	p.threwOut(id)
}

// rarer reports whether a was asked for less often than b for its time.
func (p *hyperbolic) rarer(a, b uint32) bool {
	x, y := &p.since[a], &p.since[b]
	return float64(x.count)*float64(p.now-y.came) < float64(y.count)*float64(p.now-x.came)
}

func (p *hyperbolic) Remove(id uint32) {
	p.pool.remove(id)
	p.went(id)
	p.forgot(id)
}

func (p *hyperbolic) Contains(id uint32) bool { return p.pool.has(id) }

// pool has objects in no order, to take some at random.
type pool struct {
	ids []uint32
	at  []uint32 // by id: its index and 1, 0 for those not in
}

func newPool(objects int) pool { return pool{at: make([]uint32, objects)} }

func (p *pool) has(id uint32) bool { return p.at[id] != 0 }

// add puts id in.
func (p *pool) add(id uint32) {
	p.ids = append(p.ids, id)
	p.at[id] = uint32(len(p.ids))
}

// remove takes id out. The last one takes its place.
func (p *pool) remove(id uint32) {
	at, last := p.at[id], p.ids[len(p.ids)-1]
	p.ids[at-1] = last
	p.at[last] = at
	p.at[id] = 0
	p.ids = p.ids[:len(p.ids)-1]
}

// any returns one of them, each with the same chance.
func (p *pool) any(dice *rand.Rand) uint32 { return p.ids[dice.Uint32N(uint32(len(p.ids)))] }
