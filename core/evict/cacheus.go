package evict

import (
	"math"
	"math/rand/v2"
)

// cacheus asks one of two each time that something must go, as LeCaR does, but both are better prepared, and how fast it
// learns is learned, too. The first is LRU that resists scans: what is new, or was not asked for again for long, is in a
// list of its own, whose oldest goes; what was asked for again is in the other, from which nothing goes while the first has
// any. The second is LFU that resists churn: of equally frequent ones goes who was asked for last.
//
// The room of the two lists shifts by what turns out to be wrong: an object is asked for that was moved to the first list, or
// one that went from it without having been asked for again.
//
// L. V. Rodriguez et al., Learning cache replacement with CACHEUS, FAST 2021. Each memory has half as much room as the cache,
// and what both would throw out is not remembered. An object that comes back goes on with the count that it had, to which its
// return does not add. How fast the rate changes where the paper leaves it open is as its authors have it.
type cacheus struct {
	base
	at          nodes // of all four lists: no object is in two
	scan        memory
	reused      memory // its most is its share of the cache
	counts      heap   // residents by count, then by last request, the latest first
	count       []uint32
	state       []uint8 // by id: one of the expert constants
	mark        []uint8 // by id: the cacheus constants
	past        [2]memory
	demoted     int // how many residents have that mark
	fresh       int // how many that LRU threw out have that mark
	lru         weight
	rate        rate
	dice        *rand.Rand
	now         uint64
	asked, hits int // in this round of learning the rate
}

// Marks of objects.
const (
	cacheusReused  = 1 << iota // is in the list of those asked for again
	cacheusDemoted             // was in it and is resident
	cacheusFresh               // came when there was no room for all, and was never asked for again
)

func newCacheus(s Spec) (Policy, error) {
	p := &cacheus{
		base: newBase(s), at: make(nodes, s.Objects), scan: newMemory(s.Capacity),
		reused: newMemory(mostReused(s.Capacity, s.Capacity/100)), counts: newHeap(s.Objects),
		count: make([]uint32, s.Objects), state: newStates(s.Objects), mark: make([]uint8, s.Objects),
		past: [2]memory{newMemory(s.Capacity / 2), newMemory(s.Capacity / 2)},
		lru:  0.5, dice: rand.New(rand.NewPCG(s.Seed, 0)),
	}
	p.rate = newRate(p.round())
	return p, nil
}

// mostReused is what those asked for again can take at most, so that the others have some room, and that for two at least:
// of a single one, which is the oldest and the newest, nothing would ever be learned.
func mostReused(capacity, others uint64) uint64 { return capacity - min(max(others, 2), capacity) }

func (p *cacheus) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.state[id] == expertResident {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *cacheus) Hit(id uint32) {
	p.tick()
	p.hits++
	p.count[id]++
	p.counts.fix(id, p.rank(id))
	if p.mark[id]&cacheusReused != 0 {
		p.mark[id] = cacheusReused
		p.reused.touch(p.at, id)
		return
	}
	if p.mark[id]&cacheusDemoted != 0 {
		step := shift(p.fresh, p.demoted)
		p.reused.most = min(p.reused.most+step*took(&p.base, id), mostReused(p.spec.Capacity, 2))
		p.demoted--
	}
	p.scan.remove(&p.base, p.at, id)
	p.reuse(id)
}

func (p *cacheus) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	p.tick()
	by := p.state[id]
	if by != expertNothing {
		p.recall(id, by)
	} else {
		p.count[id] = 1
	}
	p.state[id] = expertResident
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.counts.push(id, p.rank(id))
	switch {
	case by != expertNothing:
		p.reuse(id)
	case p.scan.n == 0 && p.reused.used+took(&p.base, id) <= p.reused.most: // there is room for all so far
		p.mark[id] = cacheusReused
		p.reused.add(&p.base, p.at, id)
	default:
		p.mark[id] = cacheusFresh
		p.scan.add(&p.base, p.at, id)
	}
	return true
}

// rank is that of an object that is asked for now.
func (p *cacheus) rank(id uint32) rank { return rank{float64(p.count[id]), math.MaxUint64 - p.now} }

// reuse puts an object, which is in no list, into that of those asked for again, and those too much into the other.
func (p *cacheus) reuse(id uint32) {
	p.mark[id] = cacheusReused
	p.reused.add(&p.base, p.at, id)
	for p.reused.full() {
		old := p.reused.tail
		p.reused.remove(&p.base, p.at, old)
		p.scan.add(&p.base, p.at, old)
		p.mark[old] = cacheusDemoted
		p.demoted++
	}
}

// shift is how many objects the border between the lists moves by: the more, the rarer the mistakes are that it is for.
func shift(others, these int) uint64 {
	return max(1, uint64(float64(others)/float64(max(these, 1))+0.5))
}

// recall takes an object that comes back out of the memory of what an expert threw out.
func (p *cacheus) recall(id uint32, by uint8) {
	if by == expertLRU && p.mark[id]&cacheusFresh != 0 {
		p.fresh--
		step := shift(p.demoted, p.fresh) * took(&p.base, id)
		p.reused.most -= min(step, p.reused.most)
	}
	p.past[by].remove(&p.base, p.at, id)
	p.lru.learn(by, p.rate.now, 0.01)
}

func (p *cacheus) evict() {
	oldest, rarest := p.scan.tail, p.counts.top()
	if p.scan.n == 0 {
		oldest = p.reused.tail
	}
	id, by := oldest, uint8(expertNothing)
	if oldest != rarest {
		by = p.lru.choose(p.dice)
		if by == expertLFU {
			id = rarest
		}
	}
	p.vacate(id)
	p.told(id)
	if by == expertNothing {
		p.forgot(id)
		return
	}
	p.remember(id, by)
}

// remember keeps an object, which an expert threw out, in its memory.
func (p *cacheus) remember(id uint32, by uint8) {
	p.state[id] = by
	past := &p.past[by]
	past.add(&p.base, p.at, id)
	if by == expertLRU && p.mark[id]&cacheusFresh != 0 {
		p.fresh++
	}
	for past.full() {
		old := past.tail
		if by == expertLRU && p.mark[old]&cacheusFresh != 0 {
			p.fresh--
		}
		p.state[old] = expertNothing
		past.forgetOldest(&p.base, p.at)
	}
}

// vacate takes a resident object out.
func (p *cacheus) vacate(id uint32) {
	if p.mark[id]&cacheusReused != 0 {
		p.reused.remove(&p.base, p.at, id)
	} else {
		p.scan.remove(&p.base, p.at, id)
	}
	if p.mark[id]&cacheusDemoted != 0 {
		p.demoted--
	}
	p.counts.remove(id)
	p.state[id] = expertNothing
	p.went(id)
}

func (p *cacheus) Remove(id uint32) {
	p.vacate(id)
	p.forgot(id)
}

func (p *cacheus) Contains(id uint32) bool { return p.state[id] == expertResident }

// round is for how many requests the rate of learning stays: as many as there is room for objects.
func (p *cacheus) round() int {
	if p.size == nil {
		return int(min(p.spec.Capacity, math.MaxInt))
	}
	return max(len(p.counts.nodes), 1)
}

// tick counts a request.
func (p *cacheus) tick() {
	p.now++
	p.asked++
	if p.asked >= p.round() {
		p.rate.learn(float64(p.hits)/float64(p.asked), p.dice)
		p.asked, p.hits = 0, 0
	}
}

// rate is how fast cacheus learns. It climbs: what made the hit ratio better is done again, else the opposite.
type rate struct {
	now, before, start float64
	ratio              float64 // of hits, in the round before
	stuck, worse       int     // rounds without success
}

const (
	leastRate, aboveLeastRate = 0.001, 0.005
	mostRate, belowMostRate   = 1, 0.9
	patience                  = 10 // rounds without success until the rate starts anew
)

func newRate(round int) rate {
	start := min(max(math.Sqrt(2*math.Ln2/float64(round)), leastRate), mostRate)
	return rate{now: start, start: start}
}

// learn changes the rate after a round with that ratio of hits.
func (r *rate) learn(ratio float64, dice *rand.Rand) {
	ratio = thousandths(ratio)
	better, step, now := ratio-r.ratio, thousandths(r.now)-thousandths(r.before), r.now
	switch success := better * step; {
	case success > 0:
		r.now = min(now+math.Abs(now*step), mostRate)
		r.stuck, r.worse = 0, 0
	case success < 0:
		r.now = max(now-math.Abs(now*step), leastRate)
		r.stuck, r.worse = 0, 0
	case better < 0 || ratio == 0:
		r.fail(better < 0, dice)
	}
	r.before, r.ratio = now, ratio
}

// fail changes the rate after a round that was worse, or had no hits, as the one before it.
func (r *rate) fail(worse bool, dice *rand.Rand) {
	r.stuck++
	if worse {
		r.worse++
	}
	switch {
	case r.stuck >= patience || r.worse >= patience:
		r.now, r.stuck, r.worse = r.start, 0, 0
	case worse && r.now >= mostRate:
		r.now = belowMostRate
	case worse && r.now <= leastRate:
		r.now = aboveLeastRate
	case worse && dice.IntN(2) == 0:
		r.now = min(r.now*1.25, mostRate)
	case worse:
		r.now = max(r.now*0.75, leastRate)
	}
}

// thousandths rounds to three digits.
func thousandths(x float64) float64 { return math.Round(x*1000) / 1000 }
