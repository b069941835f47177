package evict

import (
	"math"
	"math/bits"
	"slices"
)

// lhd throws out, of some residents taken at random and some that came last, the one from which the fewest hits are to be
// expected for the room and the time that it will take: its hit density. That depends on how long ago it was asked for, its
// age, and on how old it was at its two hits before, which makes its class; it is learned from what happened to objects of the
// same class at that age. Of equals the one taken first goes.
//
// N. Beckmann, H. Chen, A. Cidon, LHD: improving cache hit rate by maximizing hit density, NSDI 2018. Constants, and what the
// paper leaves open, are as in the simulator that its authors published. What was learned is put to use every interval
// requests; before the first time, age alone counts, and among the equally old the class a little. In the first rounds few
// residents are looked at, and some objects are explorers, which seldom go, so that old ages are known, too.
type lhd struct {
	base
	pool   pool[lastHits]
	dim    [8]uint32 // what came last of that which would not have stayed, in a ring; some may be gone
	dimAt  int
	usual  float32 // the hit density of what is thrown out, later ones more
	sample int     // how many residents are looked at for each that goes
	early  int     // the same, in the first rounds
	now    uint64
	shift  uint // log2 of how many requests an age is

	hits, evictions, density []float32 // by class and age
	residents, rounds        float64   // sum of the numbers of residents over the rounds of learning, older ones less
	explore                  int64     // how much room there is for explorers
	learned                  int
	interval, untilLearning  int
}

// lastHits is what lhd knows of a resident object.
type lastHits struct {
	asked       uint64 // when it was asked for last
	age, before uint32 // its ages at its last hit and the one before
	class       uint8
	explores    bool
}

const (
	lhdClasses     = 16
	lhdAges        = 20000
	lhdFirstShift  = 10
	lhdFirstWorth  = 17
	lhdDecay       = 0.9  // of what was learned, by round, and of usual, by eviction
	lhdError       = 0.01 // how much an age may be, by the number of residents
	lhdExplorers   = 0.01 // share of the cache
	lhdExploreOdds = 32
	lhdExploring   = 50 // the first rounds
)

func newLHD(s Spec) (Policy, error) {
	sample, err := s.int("sample", 1, 1<<20)
	if err != nil {
		return nil, err
	}
	early, err := s.int("early", 1, 1<<20)
	if err != nil {
		return nil, err
	}
	interval, err := s.int("interval", 1, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	p := &lhd{
		base: newBase(s), pool: newPool[lastHits](&s), sample: sample, early: early, shift: lhdFirstShift,
		hits:      make([]float32, lhdClasses*lhdAges),
		evictions: make([]float32, lhdClasses*lhdAges),
		density:   make([]float32, lhdClasses*lhdAges),
		explore:   int64(lhdExplorers * float64(s.Capacity)),
		interval:  interval, untilLearning: interval,
	}
	for i := range p.dim {
		p.dim[i] = nobody
	}
	for i := range p.density {
		p.density[i] = float32(lhdFirstWorth+i/lhdAges) / float32(i%lhdAges+1)
	}
	return p, nil
}

func (p *lhd) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.pool.has(id) {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *lhd) Hit(id uint32) {
	last := p.pool.of(id)
	age := p.age(last)
	p.hits[index(last.class, age)]++
	p.settle(id, last)
	last.before, last.age = last.age, age
	last.class = classOf(last.before + last.age)
	p.asks(id, last)
	p.passes()
}

func (p *lhd) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.pool.add(id, lastHits{before: lhdAges, class: classOf(lhdAges)})
	last := p.pool.of(id)
	drawn := p.asks(id, last)
	if !drawn && p.worth(p.pool.at[id]-1) < p.usual {
		p.dim[p.dimAt%len(p.dim)] = id
		p.dimAt++
	}
	p.passes()
	return true
}

// asks notes that id, which is resident, is asked for now. It reports whether it was drawn to explore, which takes room for
// explorers, too.
func (p *lhd) asks(id uint32, last *lastHits) (drawn bool) {
	last.asked = p.now
	drawn = p.pool.random()%lhdExploreOdds == 0
	last.explores = drawn && p.explore > 0 && p.learned < lhdExploring
	if last.explores {
		p.explore -= p.takes(id)
	}
	return drawn
}

// passes ends a request.
func (p *lhd) passes() {
	p.now++
	p.untilLearning--
	if p.untilLearning == 0 {
		p.untilLearning = p.interval
		p.learn()
	}
}

// settle gives the room that id takes back to explorers, if it is one.
func (p *lhd) settle(id uint32, last *lastHits) {
	if last.explores {
		p.explore += p.takes(id)
	}
}

// takes returns how much room a resident object takes.
func (p *lhd) takes(id uint32) int64 {
	if p.size == nil {
		return 1
	}
	return int64(p.size[id])
}

// age returns how long ago an object was asked for.
func (p *lhd) age(last *lastHits) uint32 {
	return uint32(min((p.now-last.asked)>>p.shift, lhdAges-1))
}

// classOf returns the class for the sum of two ages: 0 for those of lhdAges and more, one more for each half of that.
func classOf(age uint32) uint8 {
	if age == 0 {
		return lhdClasses - 1
	}
	class := 0
	for age < lhdAges && class < lhdClasses-1 {
		age <<= 1
		class++
	}
	return uint8(class)
}

// index is where a class has what is known of an age.
func index(class uint8, age uint32) int { return int(class)*lhdAges + int(age) }

func (p *lhd) evict() {
	victim, least := p.leastOf()
	p.usual = lhdDecay*p.usual + (1-lhdDecay)*max(least, 0)
	id, last := p.pool.ids[victim], &p.pool.what[victim]
	p.evictions[index(last.class, p.age(last))]++
	p.vacate(id)
	p.threwOut(id)
}

// leastOf returns the index of what is to go, and its hit density.
func (p *lhd) leastOf() (victim uint32, least float32) {
	victim = p.pool.any()
	least = p.worth(victim)
	for range p.looks() - 1 {
		i := p.pool.any()
		if worth := p.worth(i); worth < least {
			victim, least = i, worth
		}
	}
	for _, id := range p.dim {
		if id == nobody || !p.pool.has(id) {
			continue
		}
		i := p.pool.at[id] - 1
		if worth := p.worth(i); worth < least {
			victim, least = i, worth
		}
	}
	return victim, least
}

// looks returns at how many residents, taken at random, to look.
func (p *lhd) looks() int {
	if p.learned > lhdExploring {
		return p.sample
	}
	return p.early
}

// worth is the hit density of the object at an index of the pool.
func (p *lhd) worth(i uint32) float32 {
	last := &p.pool.what[i]
	age := p.age(last)
	if age == lhdAges-1 {
		return -1
	}
	worth := p.density[index(last.class, age)]
	if p.size != nil {
		worth /= float32(max(p.size[p.pool.ids[i]], 1))
	}
	if last.explores {
		worth++
	}
	return worth
}

// vacate takes a resident object out.
func (p *lhd) vacate(id uint32) {
	p.settle(id, p.pool.of(id))
	p.pool.remove(id)
}

func (p *lhd) Remove(id uint32) {
	p.vacate(id)
	p.went(id)
	p.forgot(id)
}

func (p *lhd) Contains(id uint32) bool { return p.pool.has(id) }

// learn computes the densities from what happened.
func (p *lhd) learn() {
	for i := range p.hits {
		p.hits[i] *= lhdDecay
		p.evictions[i] *= lhdDecay
	}
	p.residents = p.residents*lhdDecay + float64(len(p.pool.ids))
	p.rounds = p.rounds*lhdDecay + 1
	if p.learned == 5 || p.learned == 25 {
		p.scale()
	}
	for class := range lhdClasses {
		p.expect(class * lhdAges)
	}
	p.learned++
}

// expect computes the densities of the class whose ages start there: of what reaches an age, the hits to come by the time to
// come.
func (p *lhd) expect(from int) {
	var hits, events, time float64
	for i := from + lhdAges - 1; i >= from; i-- {
		hits += float64(p.hits[i])
		events += float64(p.hits[i]) + float64(p.evictions[i])
		time += events
		if events > 1e-5 {
			p.density[i] = float32(hits / time)
		} else {
			p.density[i] = 0
		}
	}
}

// scale chooses how many requests an age is, so that it is small beside the time that objects stay, and moves what is known.
func (p *lhd) scale() {
	want := p.residents / p.rounds / (lhdError * lhdAges)
	shift := max(uint(bits.Len64(uint64(math.Ceil(max(want, 1)))-1)), 1)
	for class := range lhdClasses {
		from, to := class*lhdAges, (class+1)*lhdAges
		rescale(p.hits[from:to], p.shift, shift)
		rescale(p.evictions[from:to], p.shift, shift)
	}
	p.shift = shift
	p.residents *= 8 // so that they weigh more than those of the rounds to come
	p.rounds *= 8
}

// rescale moves counts by age from ages of 1<<before requests to such of 1<<after.
func rescale(counts []float32, before, after uint) {
	if after >= before {
		for age, n := range counts {
			counts[age] = 0
			counts[age>>(after-before)] += n
		}
		return
	}
	each := 1 << (before - after)
	for age, n := range slices.Backward(counts) {
		counts[age] = 0
		for i := range each {
			counts[min(age*each+i, len(counts)-1)] += n / float32(each)
		}
	}
}
