package evict

// clockProPlus is LIRS with clocks: all objects are on one, in the order in which they came or were moved to its head, and
// a hit only sets a mark. Hot objects have most of the cache. Cold ones are in their test at first, in which another request
// makes them hot, and stay on the clock as a memory until the test ends if they are thrown out before. How much is for cold
// ones follows what was thrown out too early and what was cooled too early.
//
// S. Jiang, F. Chen, X. Zhang, CLOCK-Pro: An effective improvement of the CLOCK replacement, USENIX ATC 2005; C. Li,
// CLOCK-Pro+: Improving CLOCK-Pro cache replacement with utility-driven adaptation, SYSTOR 2019. The hands decide all ties.
// Cold ones have 1 % of the cache, but no less than 2 objects, to 50 %; memories as much as the cache. An object that finds
// no hot one unmarked that is older than itself stays cold. Where sizes count, all lengths are bytes, and the step of the
// target is as many times the size of the object. A request for what the last one asked for does not count.
type clockProPlus struct {
	base
	at    nodes
	clock list
	state []uint8 // by id: one of the clockPro constants and flags
	// The hands point to the oldest object of their kind, or to nobody: cold residents, hot ones, those in their test.
	handCold, handHot, handTest uint32
	last                        uint32 // what was asked for last
	hot, cold, past             clockProKind
	tests                       int    // how many are in their test, resident or not
	cooled                      uint64 // how much those take that were hot, and were not asked for since
	target, least, most         uint64 // for cold residents
}

// clockProKind is how many objects are of a kind and what they take.
type clockProKind struct {
	n    int
	room uint64
}

const (
	clockProNone = iota
	clockProHot
	clockProCold
	clockProColdTest
	clockProPast // in its test, and not resident

	clockProKinds  = 7
	clockProMark   = 8  // asked for
	clockProCooled = 16 // was hot
)

func newClockProPlus(s Spec) (Policy, error) {
	least := min(max(2, s.Capacity/100), max(1, s.Capacity/2))
	return &clockProPlus{
		base: newBase(s), at: make(nodes, s.Objects), clock: newList(), state: make([]uint8, s.Objects),
		handCold: nobody, handHot: nobody, handTest: nobody, last: nobody,
		target: least, least: least, most: max(least, min(s.Capacity-least, s.Capacity/2)),
	}, nil
}

func (p *clockProPlus) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
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

func (p *clockProPlus) Hit(id uint32) {
	if id != p.last {
		p.state[id] |= clockProMark
		p.last = id
	}
}

func (p *clockProPlus) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	p.last = id
	to := uint8(clockProColdTest)
	switch {
	case p.used+p.weigh(size) <= p.spec.Capacity-p.least:
		to = clockProHot
	case p.full(size):
		for p.full(size) {
			p.runCold()
		}
		if p.state[id] == clockProPast && p.promotes(id) {
			to = clockProHot
		}
	}
	if p.state[id] == clockProPast {
		p.leave(id)
	}
	p.came(id, size)
	p.enter(id, to)
	p.findAll()
	return true
}

// runCold moves the cold hand past one object, which is thrown out if it has no mark.
func (p *clockProPlus) runCold() {
	for p.cold.n == 0 {
		p.runHot(nobody)
	}
	id := p.handCold
	switch {
	case p.state[id] == clockProColdTest|clockProMark:
		to := uint8(clockProColdTest)
		if p.promotes(id) {
			to = clockProHot
		}
		p.move(id, to)
	case p.state[id]&clockProMark != 0:
		p.wanted(id)
		p.move(id, clockProColdTest)
	case p.state[id] == clockProColdTest:
		p.become(id, clockProPast)
		p.handCold = p.newer(id)
		p.went(id)
		p.told(id)
		for p.past.room > p.spec.Capacity {
			p.endTest(p.handTest)
			p.findTest()
		}
	default:
		p.leave(id)
		p.threwOut(id)
	}
	p.findCold()
}

// promotes reports whether id, which is in its test, may become hot: others are cooled as far as needed.
func (p *clockProPlus) promotes(id uint32) bool {
	if p.state[id] == clockProPast {
		p.missed(id)
	}
	for p.hot.room+p.weight(id) > p.spec.Capacity-p.target {
		if !p.inTest(id) || !p.runHot(id) {
			return false
		}
	}
	return true
}

// runHot cools the oldest hot object without a mark, ending all tests up to there, and reports whether it found one before
// it came to id.
func (p *clockProPlus) runHot(id uint32) (found bool) {
	for p.handHot != nobody && p.handHot != id && !found {
		at := p.handHot
		switch {
		case p.state[at] == clockProHot:
			p.move(at, clockProCold|clockProCooled)
			found = true
		case p.isHot(at):
			p.move(at, clockProHot)
		default:
			if p.state[at]&clockProMark != 0 {
				p.wanted(at)
			}
			p.handHot = p.newer(at)
			p.endTest(at)
		}
	}
	p.findHot()
	return found
}

// wanted makes less room for cold objects if id, which was asked for, was cooled before.
func (p *clockProPlus) wanted(id uint32) {
	if p.state[id]&clockProCooled != 0 {
		step := max(p.past.room/max(p.cooled, 1), 1) * p.weight(id)
		p.target = max(p.target, p.least+step) - step
		p.state[id] &^= clockProCooled
		p.cooled -= p.weight(id)
	}
}

// missed makes more room for cold objects, as id was thrown out too early.
func (p *clockProPlus) missed(id uint32) {
	step := max(p.cooled/max(p.past.room, 1), 1) * p.weight(id)
	p.target = min(p.target+step, p.most)
}

// endTest ends the test of an object, if it is in one. Nobody is told of one that is coming in right now.
func (p *clockProPlus) endTest(id uint32) {
	switch p.state[id] & clockProKinds {
	case clockProColdTest:
		p.become(id, clockProCold|p.state[id]&clockProMark)
	case clockProPast:
		p.leave(id)
		if id != p.last {
			p.forgot(id)
		}
	}
}

func (p *clockProPlus) isHot(id uint32) bool { return p.state[id]&clockProKinds == clockProHot }

func (p *clockProPlus) isCold(id uint32) bool {
	return p.state[id]&clockProKinds-clockProCold <= clockProColdTest-clockProCold
}

func (p *clockProPlus) inTest(id uint32) bool { return p.state[id]&clockProKinds >= clockProColdTest }

// findAll moves the hands on to objects of their kind.
func (p *clockProPlus) findAll() {
	p.findCold()
	p.findHot()
	p.findTest()
}

func (p *clockProPlus) findCold() {
	if p.cold.n == 0 {
		p.handCold = nobody
		return
	}
	for !p.isCold(p.handCold) {
		p.handCold = p.newer(p.handCold)
	}
}

// findHot ends the tests of all that it passes.
func (p *clockProPlus) findHot() {
	if p.hot.n == 0 {
		p.handHot = nobody
		return
	}
	for !p.isHot(p.handHot) {
		at := p.handHot
		p.handHot = p.newer(at)
		p.endTest(at)
	}
	p.findTest()
}

func (p *clockProPlus) findTest() {
	if p.tests == 0 {
		p.handTest = nobody
		return
	}
	for !p.inTest(p.handTest) {
		p.handTest = p.newer(p.handTest)
	}
}

// newer returns the next object on the way of the hands, which ends where it began.
func (p *clockProPlus) newer(id uint32) uint32 {
	if n := p.at[id].newer; n != nobody {
		return n
	}
	return p.clock.tail
}

// enter puts id, which is not on the clock, at its head. A hand that had nothing to point to finds it at once.
func (p *clockProPlus) enter(id uint32, state uint8) {
	p.clock.push(p.at, id)
	p.state[id] = state
	p.count(id, 1)
	if p.handCold == nobody && p.isCold(id) {
		p.handCold = id
	}
	if p.handHot == nobody && p.isHot(id) {
		p.handHot = id
	}
	if p.handTest == nobody && p.inTest(id) {
		p.handTest = id
	}
}

// leave takes id off the clock. Hands on it move on.
func (p *clockProPlus) leave(id uint32) {
	next := p.newer(id)
	if next == id {
		next = nobody
	}
	for _, hand := range [...]*uint32{&p.handCold, &p.handHot, &p.handTest} {
		if *hand == id {
			*hand = next
		}
	}
	p.clock.remove(p.at, id)
	p.count(id, -1)
	p.state[id] = clockProNone
}

// move puts id, which is on the clock, at its head.
func (p *clockProPlus) move(id uint32, state uint8) {
	p.leave(id)
	p.enter(id, state)
}

// become changes the state of id where it is.
func (p *clockProPlus) become(id uint32, state uint8) {
	p.count(id, -1)
	p.state[id] = state
	p.count(id, 1)
}

// count counts id among its kind, or takes it out with n = -1.
func (p *clockProPlus) count(id uint32, n int) {
	room := uint64(n) * p.weight(id)
	switch p.state[id] & clockProKinds {
	case clockProHot:
		p.hot.n += n
		p.hot.room += room
	case clockProCold, clockProColdTest:
		p.cold.n += n
		p.cold.room += room
	case clockProPast:
		p.past.n += n
		p.past.room += room
	}
	if p.inTest(id) {
		p.tests += n
	}
	if p.state[id]&clockProCooled != 0 {
		p.cooled += room
	}
}

func (p *clockProPlus) Remove(id uint32) {
	p.leave(id)
	p.findAll()
	p.went(id)
	p.forgot(id)
	if p.last == id {
		p.last = nobody
	}
}

func (p *clockProPlus) Contains(id uint32) bool {
	return p.state[id]&clockProKinds-clockProHot <= clockProColdTest-clockProHot
}
