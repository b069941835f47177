package evict

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// wTinyLFU lets every object into a small window first. What leaves the window comes into the main part only if it was
// asked for more often lately than what would have to go for it. In the main part, objects that were asked for again are
// protected from that choice.
//
// G. Einziger, R. Friedman, B. Manes, TinyLFU: A highly efficient cache admission policy, ACM Transactions on Storage 13(4),
// 2017. All three parts are LRU, and 80 % of main is for the protected. Counts are those of a sketch for as many objects as
// fit; in bytes, for as many as ever did. At equal counts the newcomer goes, and so it does with a lower one, except that of
// those with a count of 6 and more one in 128 stays by chance: else what was popular once could lock the cache up. Where
// sizes count, all lengths are bytes, and each object that leaves the window competes with one victim after the other.
//
// The sketch counts numbers, so that one may stand for another object only once its count is gone: what was thrown out is
// remembered until the halving that makes it zero, the fourth at the latest, or until too many are: those whose count would
// be zero first are forgotten first then. Results do not depend on that.
//
// The window is fixed, or follows a climber: G. Einziger, O. Eytan, R. Friedman, B. Manes, Adaptive software cache
// management, Middleware 2018.
type wTinyLFU struct {
	base
	at                           nodes
	in                           []uint8 // by id: one of the tiny constants
	window, probation, protected segment
	maxWindow, maxProtected      uint64
	asked                        sketch
	fading                       [tinyFades]list // what is remembered, by the halving that makes its count zero
	remembered                   uint64          // how many objects are fading
	ghost                        float64         // how many may be, for each that fits
	resident, most               uint64          // how many objects are, and most that ever were
	random                       rand.PCG

	climber *climber // nil where the window is fixed
	filled  bool     // the cache was full before
	part    float64  // of the window's size that is no whole number
}

const (
	tinyNone = iota
	tinyWindow
	tinyProbation
	tinyProtected
	tinyFading // and more, for each list

	tinyFades = 5 // halvings until any count is zero, and one for now
)

func newWTinyLFU(s Spec) (Policy, error) {
	return buildWTinyLFU(s)
}

func newAdaptiveWTinyLFU(s Spec) (Policy, error) {
	p, err := buildWTinyLFU(s)
	if err != nil {
		return nil, err
	}
	p.climber = newClimber(s.Capacity)
	return p, nil
}

func buildWTinyLFU(s Spec) (*wTinyLFU, error) {
	window, err := s.float("window", 0, 1)
	if err != nil {
		return nil, err
	}
	ghost, err := s.float("ghost", 0, 1000)
	if err != nil {
		return nil, err
	}
	main := min(uint64(float64(s.Capacity)*(1-window)), s.Capacity-1)
	p := &wTinyLFU{
		base: newBase(s), at: make(nodes, s.Objects), in: make([]uint8, s.Objects),
		window: newSegment(), probation: newSegment(), protected: newSegment(),
		maxWindow: s.Capacity - main, maxProtected: uint64(float64(main) * 0.8),
		ghost:  ghost,
		random: *rand.NewPCG(s.Seed, 0),
	}
	p.asked = newSketch(p.objects())
	for i := range p.fading {
		p.fading[i] = newList()
	}
	return p, nil
}

func (p *wTinyLFU) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
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

func (p *wTinyLFU) Hit(id uint32) {
	p.count(id)
	switch p.in[id] {
	case tinyWindow:
		p.window.touch(p.at, id)
	case tinyProtected:
		p.protected.touch(p.at, id)
	default:
		p.protect(id)
	}
	if p.climber != nil {
		p.climb(true)
	}
}

func (p *wTinyLFU) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	known := p.in[id] >= tinyFading
	if known {
		p.unfade(id)
	}
	p.count(id)
	p.came(id, size)
	p.resident++
	if p.size != nil && p.resident > p.most {
		p.most = p.resident
		p.asked.grow(p.most)
	}
	p.join(&p.window, tinyWindow, id)
	in := p.evict(p.leaveWindow(), id)
	if !in && known {
		p.fade(id)
	}
	if p.climber != nil {
		p.climb(false)
	}
	return in
}

// protect protects an object that is on probation, if it is not too large for that.
func (p *wTinyLFU) protect(id uint32) {
	if p.weight(id) > p.maxProtected {
		p.probation.touch(p.at, id)
		return
	}
	p.drop(&p.probation, p.at, id)
	p.join(&p.protected, tinyProtected, id)
	p.unprotect()
}

// unprotect puts the oldest of the protected on probation while they are too many.
func (p *wTinyLFU) unprotect() {
	for p.protected.room > p.maxProtected {
		id := p.protected.tail
		p.drop(&p.protected, p.at, id)
		p.join(&p.probation, tinyProbation, id)
	}
}

// leaveWindow puts the oldest of the window on probation while they are too many, and returns the first of these, or nobody.
func (p *wTinyLFU) leaveWindow() uint32 {
	first := uint32(nobody)
	for p.window.room > p.maxWindow {
		id := p.window.tail
		p.drop(&p.window, p.at, id)
		p.join(&p.probation, tinyProbation, id)
		if first == nobody {
			first = id
		}
	}
	return first
}

// evict throws out until what is there fits, and reports whether coming, which is new, stays. candidate and those that are
// newer than it have just come from the window.
func (p *wTinyLFU) evict(candidate, coming uint32) (stays bool) {
	stays = true
	for p.used > p.spec.Capacity {
		p.filled = true
		loser, from := p.victim()
		switch {
		case candidate == nobody || candidate == loser:
			candidate = nobody
		case p.admits(candidate, loser):
			candidate = p.at[candidate].newer
		default:
			loser, from, candidate = candidate, &p.probation, p.at[candidate].newer
		}
		p.leave(loser, from)
		if loser == coming {
			stays = false
			continue
		}
		p.told(loser)
		p.fade(loser)
	}
	return stays
}

// victim returns who goes if nothing else is said: the oldest on probation, else of the protected, else of the window.
func (p *wTinyLFU) victim() (uint32, *segment) {
	for _, from := range [...]*segment{&p.probation, &p.protected} {
		if from.n > 0 {
			return from.tail, from
		}
	}
	return p.window.tail, &p.window
}

// admits reports whether the candidate stays and the victim goes.
func (p *wTinyLFU) admits(candidate, victim uint32) bool {
	const (
		warm   = 6
		chance = 7 // bits
	)
	n := p.asked.of(candidate)
	return n > p.asked.of(victim) || n >= warm && p.random.Uint64()>>(64-chance) == 0
}

// leave takes a resident out of one of the parts.
func (p *wTinyLFU) leave(id uint32, from *segment) {
	p.drop(from, p.at, id)
	p.in[id] = tinyNone
	p.resident--
	p.went(id)
}

// fade remembers an object, which is in no list, until the halving that makes its count zero.
func (p *wTinyLFU) fade(id uint32) {
	n := p.asked.of(id)
	if n == 0 {
		p.in[id] = tinyNone
		p.forgot(id)
		return
	}
	list := (p.asked.halvings + uint64(bits.Len(uint(n)))) % tinyFades
	p.in[id] = tinyFading + uint8(list)
	p.fading[list].push(p.at, id)
	p.remembered++
	for float64(p.remembered) > p.ghost*float64(p.objects()) {
		p.forgetNext()
	}
}

// unfade takes an object out of those that fade.
func (p *wTinyLFU) unfade(id uint32) {
	p.fading[p.in[id]-tinyFading].remove(p.at, id)
	p.in[id] = tinyNone
	p.remembered--
}

// forgetNext forgets the first thrown out of those whose count will be zero first. There must be some.
func (p *wTinyLFU) forgetNext() {
	for i := range uint64(tinyFades) {
		next := &p.fading[(p.asked.halvings+i)%tinyFades]
		if next.n > 0 {
			id := next.tail
			p.unfade(id)
			p.forgot(id)
			return
		}
	}
}

// count counts a request for an object that is not fading, and forgets what has faded.
func (p *wTinyLFU) count(id uint32) {
	if !p.asked.add(id) {
		return
	}
	for faded := &p.fading[p.asked.halvings%tinyFades]; faded.n > 0; {
		p.forgetNext()
	}
}

// objects returns how many fit, as far as that is known.
func (p *wTinyLFU) objects() uint64 {
	if p.size == nil {
		return min(p.spec.Capacity, uint64(max(p.spec.Objects, 1)))
	}
	return max(p.most, 1)
}

// climb tells the climber of a request once the cache is full, and moves the border between window and main as it says.
func (p *wTinyLFU) climb(hit bool) {
	if !p.filled {
		p.filled = p.used >= p.spec.Capacity
		return
	}
	step := p.climber.request(hit, p.objects())
	if step == 0 {
		return
	}
	step = max(min(step, float64(p.maxProtected)), -float64(p.maxWindow))
	to := math.Floor(p.part + step)
	p.part += step - to
	if to >= 0 {
		p.growWindow(uint64(to))
	} else {
		p.shrinkWindow(uint64(-to))
	}
}

// growWindow takes room from the protected, and the oldest on probation into the window.
func (p *wTinyLFU) growWindow(room uint64) {
	p.maxWindow += room
	p.maxProtected -= room
	p.unprotect()
	for p.probation.n > 0 && p.window.room+p.weight(p.probation.tail) <= p.maxWindow {
		id := p.probation.tail
		p.drop(&p.probation, p.at, id)
		p.join(&p.window, tinyWindow, id)
	}
}

// shrinkWindow gives room to the protected, and puts the oldest of the window on probation as its oldest.
func (p *wTinyLFU) shrinkWindow(room uint64) {
	p.maxWindow -= room
	p.maxProtected += room
	for p.window.room > p.maxWindow {
		id := p.window.tail
		p.drop(&p.window, p.at, id)
		p.addOldest(&p.probation, p.at, id)
		p.in[id] = tinyProbation
	}
}

// join makes id the newest of s, which is known as in.
func (p *wTinyLFU) join(s *segment, in uint8, id uint32) {
	p.add(s, p.at, id)
	p.in[id] = in
}

func (p *wTinyLFU) Remove(id uint32) {
	switch p.in[id] {
	case tinyWindow:
		p.leave(id, &p.window)
	case tinyProbation:
		p.leave(id, &p.probation)
	default:
		p.leave(id, &p.protected)
	}
	p.fade(id)
}

func (p *wTinyLFU) Contains(id uint32) bool { return p.in[id]-tinyWindow <= tinyProtected-tinyWindow }
