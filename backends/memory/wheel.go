package memory

import "math/bits"

// wheel says where the timers are that ids keeps for its nodes, in rings: each of its levels has 64, of which each stands for
// one tick on the lowest level and for all of the level below on the others. Ticks are 32 bits that begin anew after 18 years;
// timers that are further than the highest level reaches end early, and are set again.
//
// G. Varghese, T. Lauck, Hashed and hierarchical timing wheels, SOSP 1987.
type wheel struct {
	now   uint32 // the tick that was looked at last
	timed int    // how many nodes have timers
}

const (
	wheelBits   = 6
	wheelRound  = 1 << wheelBits
	wheelLevels = 4
	wheelRings  = wheelLevels * wheelRound
	wheelReach  = 1 << (wheelBits * wheelLevels)
	wheelJump   = 1 << (wheelBits * (wheelLevels - 1)) // so far the wheel turns by single ticks

	tickBits = 27 // a tick is 2^27 ns, 134 ms
)

// tickOf returns the tick at which what ends then has ended, 0 for what never ends.
func tickOf(expires, now int64) uint32 {
	if expires == 0 {
		return 0
	}
	tick := min(expires>>tickBits, now>>tickBits+wheelReach) + 1
	return max(uint32(tick), 1) // the one that is 0 is left out
}

// start sets the timer of a node that ids holds to its due, or stops it if that is 0.
func (s *ids) start(n *node) {
	s.stop(n)
	due := n.due.Load()
	if due == 0 {
		return
	}
	now := s.wheel.now
	due = now + uint32(min(max(int32(due-now), 0), wheelReach-1))
	level := min(uint32(bits.Len32((due^now)|1)-1)/wheelBits, wheelLevels-1)
	s.rings.add(level*wheelRound+due>>(wheelBits*level)%wheelRound, n.id+anchors)
	s.wheel.timed++
}

// stop stops the timer of a node that ids holds.
func (s *ids) stop(n *node) {
	if s.rings.in(n.id + anchors) {
		s.rings.drop(n.id + anchors)
		s.wheel.timed--
	}
}

// dueNode returns a node whose timer ended until now, and stops that; nil where there is none.
func (s *ids) dueNode(now uint32) *node {
	if ahead := int32(now - s.wheel.now); ahead > wheelJump || ahead < -wheelJump {
		s.jump(now)
	}
	for s.wheel.timed > 0 {
		if anchor := s.wheel.now % wheelRound; s.rings.in(anchor) {
			n := s.nodes[s.rings[anchor].next-anchors]
			s.stop(n)
			return n
		}
		if int32(now-s.wheel.now) <= 0 {
			return nil
		}
		s.wheel.now++
		s.cascade()
	}
	s.wheel.now = now
	return nil
}

// cascade spreads the rings of higher levels that begin now over the lower ones.
func (s *ids) cascade() {
	for level := uint32(1); level < wheelLevels && s.wheel.now%(1<<(wheelBits*level)) == 0; level++ {
		anchor := level*wheelRound + s.wheel.now>>(wheelBits*level)%wheelRound
		for s.rings.in(anchor) {
			s.start(s.nodes[s.rings[anchor].next-anchors])
		}
	}
}

// jump is for a clock that was set: every timer ends, so that whoever set it looks at the time again.
func (s *ids) jump(now uint32) {
	s.wheel.now = now
	for _, n := range s.nodes {
		if n != nil && s.rings.in(n.id+anchors) {
			n.due.Store(max(now, 1))
			s.start(n)
		}
	}
}
