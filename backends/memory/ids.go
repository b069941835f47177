package memory

// ids gives nodes their numbers to the policy, which are all that it knows them by. What a policy remembers of a key that is
// gone, it remembers of its number: so a key that comes back gets the number that it had, if that is still free, and the
// number that is free for the longest goes to others first. Two keys in four billion are taken for each other here.
type ids struct {
	most  int     // numbers are less
	nodes []*node // by number: the one that the policy has there; nil for a number that is free, or of which it remembers
	known []bool  // by number: the policy may know something of it
	live  int     // how many nodes there are
	free  int     // how many numbers can be given to any key

	// past finds numbers without a node by the hash of the key that they were of, in chains: heads has the first by the low
	// bits of the hash, 1 more than the number, 0 for none.
	past  []formerly
	heads []uint32

	rings rings // of free numbers, the oldest first, and the wheel's of numbers with nodes; anchors first
	wheel wheel
}

type formerly struct{ hash, next uint32 }

// freeRing is the anchor of the free numbers, those of the wheel are before it.
const (
	freeRing = wheelRings
	anchors  = freeRing + 1
)

func newIDs(most int) *ids {
	s := &ids{most: most, heads: make([]uint32, 1024)}
	for range anchors {
		s.rings.grow()
	}
	return s
}

// holds reports whether the policy has that node.
func (s *ids) holds(n *node) bool { return int(n.id) < len(s.nodes) && s.nodes[n.id] == n }

// take gives a node a number. It reports false if there is none until the policy forgets something.
func (s *ids) take(n *node) bool {
	id, ok := s.find(n.hash)
	if !ok {
		id, ok = s.next()
	}
	if !ok {
		return false
	}
	n.id = id
	s.nodes[id] = n
	s.live++
	return true
}

// find returns the number that a key with that hash had, and makes it one without a past.
func (s *ids) find(hash uint32) (uint32, bool) {
	for at := &s.heads[hash&uint32(len(s.heads)-1)]; *at != 0; at = &s.past[*at-1].next {
		id := *at - 1
		if s.past[id].hash == hash {
			*at = s.past[id].next
			s.leaveFree(id)
			return id, true
		}
	}
	return 0, false
}

// next returns the number to use next: the one that is free for the longest if there are more of these than nodes, else a new
// one as long as there are any.
func (s *ids) next() (uint32, bool) {
	if s.free > s.live || s.free > 0 && len(s.nodes) == s.most {
		id := s.rings[freeRing].next - anchors
		s.unlist(id)
		s.leaveFree(id)
		return id, true
	}
	if len(s.nodes) == s.most {
		return 0, false
	}
	s.nodes = append(s.nodes, nil)
	s.known = append(s.known, false)
	s.past = append(s.past, formerly{})
	s.rings.grow()
	if len(s.nodes) > len(s.heads) {
		s.rehash()
	}
	return uint32(len(s.nodes) - 1), true
}

// unlist takes a number out of those with a past.
func (s *ids) unlist(id uint32) {
	at := &s.heads[s.past[id].hash&uint32(len(s.heads)-1)]
	for *at != id+1 {
		at = &s.past[*at-1].next
	}
	*at = s.past[id].next
}

// list adds a number to those with a past.
func (s *ids) list(id uint32) {
	head := &s.heads[s.past[id].hash&uint32(len(s.heads)-1)]
	s.past[id].next = *head
	*head = id + 1
}

// rehash doubles the heads of the chains.
func (s *ids) rehash() {
	s.heads = make([]uint32, 2*len(s.heads))
	for id, n := range s.nodes[:len(s.nodes)-1] { // the last has no past yet
		if n == nil {
			s.list(uint32(id))
		}
	}
}

func (s *ids) leaveFree(id uint32) {
	if s.rings.in(id + anchors) {
		s.rings.drop(id + anchors)
		s.free--
	}
}

// release takes the number of a node that the policy does not have any more. It is free once the policy has forgotten it.
func (s *ids) release(n *node) {
	s.stop(n)
	s.nodes[n.id] = nil
	s.live--
	s.past[n.id].hash = n.hash
	s.list(n.id)
	if !s.known[n.id] {
		s.forgotten(n.id)
	}
}

// forgotten makes a number free of which the policy knows nothing any more, unless it has a node.
func (s *ids) forgotten(id uint32) {
	if s.nodes[id] == nil && !s.known[id] && !s.rings.in(id+anchors) {
		s.rings.add(freeRing, id+anchors)
		s.free++
	}
}

// forgetAll is for a policy that knows nothing yet.
func (s *ids) forgetAll() {
	clear(s.known)
	for id := range s.nodes {
		s.forgotten(uint32(id))
	}
}
