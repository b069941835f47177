package evict

import "sort"

// Point is what a cache of one capacity misses, of all requests of a trace.
type Point struct {
	Capacity uint64
	Misses   int
	// MissBytes are the bytes of the requests that miss: as many as Misses where there are no sizes.
	MissBytes uint64
}

// LRUCurve returns what LRU misses with each of the capacities, which may be in any order: exactly what Replay counts, in one
// pass for all of them. The capacities are bytes if bytes is set, else objects. sizes may be nil, then each is 1. Ids are
// dense, so that the largest tells how many there are, and the size of an object is that of its first request.
//
// A cache hits if it has room for the object and all others that were asked for since. Bytes make one exception, objects
// larger than the cache: they never come in and so take no room. Capacities below the largest object are replayed one by one.
//
// R. L. Mattson et al., Evaluation techniques for storage hierarchies, IBM Systems Journal 9(2), 1970; the tree is that of
// P. M. Fenwick, A new data structure for cumulative frequency tables, Software: Practice and Experience 24(3), 1994.
func LRUCurve(ids, sizes []uint32, capacities []uint64, bytes bool) []Point {
	own := ownSizes(ids, sizes)
	points := make([]Point, len(capacities))
	var order []int // of those that one pass does, by capacity
	for i, capacity := range capacities {
		points[i].Capacity = capacity
		if bytes && capacity < uint64(own.largest) {
			points[i].replay(ids, own)
		} else {
			order = append(order, i)
		}
	}
	sort.Slice(order, func(a, b int) bool { return capacities[order[a]] < capacities[order[b]] })
	ascending := make([]uint64, len(order))
	for at, i := range order {
		ascending[at] = capacities[i]
	}
	var hits uint64
	var hitBytes uint64
	first := firstHits(ids, own, ascending, bytes)
	for at, i := range order {
		hits += first[at].n
		hitBytes += first[at].bytes
		points[i].Misses = len(ids) - int(hits)
		points[i].MissBytes = own.total - hitBytes
	}
	return points
}

// sizesOf are the sizes of the objects of a trace.
type sizesOf struct {
	of      []uint32 // by id
	largest uint32
	total   uint64 // of all requests
}

// ownSizes finds the size of each object. sizes may be nil, then each is 1.
func ownSizes(ids, sizes []uint32) sizesOf {
	var objects uint32
	for _, id := range ids {
		objects = max(objects, id+1)
	}
	s := sizesOf{of: make([]uint32, objects)}
	seen := make([]bool, objects)
	for i, id := range ids {
		if !seen[id] {
			seen[id] = true
			s.of[id] = 1
			if sizes != nil {
				s.of[id] = sizes[i]
			}
			s.largest = max(s.largest, s.of[id])
		}
		s.total += uint64(s.of[id])
	}
	return s
}

// replay counts what LRU misses where bytes count, by running it.
func (c *Point) replay(ids []uint32, own sizesOf) {
	p := &lru{
		base: newBase(Spec{Objects: len(own.of), Capacity: c.Capacity, Bytes: true}),
		at:   make(nodes, len(own.of)), resident: make([]bool, len(own.of)), list: newList(),
	}
	for _, id := range ids {
		if p.resident[id] {
			p.Hit(id)
			continue
		}
		c.Misses++
		c.MissBytes += uint64(own.of[id])
		p.Insert(id, own.of[id])
	}
}

// tally counts requests.
type tally struct{ n, bytes uint64 }

// firstHits counts for each capacity, which ascend, the requests for which it is the smallest one that hits.
func firstHits(ids []uint32, own sizesOf, ascending []uint64, bytes bool) []tally {
	first := make([]tally, len(ascending)+1) // the last one is for those that none hits
	s := newStack(len(own.of))
	for _, id := range ids {
		weight := uint32(1)
		if bytes {
			weight = own.of[id]
		}
		if room, again := s.touch(id, weight); again {
			t := &first[sort.Search(len(ascending), func(i int) bool { return ascending[i] >= room })]
			t.n++
			t.bytes += uint64(own.of[id])
		}
	}
	return first
}

// blockSlots is how many slots a block has: as many as fill one line of a processor's cache.
const blockSlots = 16

// stack has the objects in the order of their last requests. Each one's weight is in a slot, later ones in later slots; slots
// that objects left are empty. When the last slot is taken, all move together.
type stack struct {
	slot   []uint32 // by id: its slot and 1, 0 for those not yet asked for
	who    []uint32 // by slot
	weight []uint32 // by slot
	tree   []uint64 // Fenwick tree over the weights of blocks: node i, from 1, has those of i&-i blocks up to block i-1
	next   uint32   // first slot not yet taken
	total  uint64
}

func newStack(objects int) *stack {
	blocks := (2*objects + 1<<10) / blockSlots
	return &stack{
		slot: make([]uint32, objects), who: make([]uint32, blocks*blockSlots), weight: make([]uint32, blocks*blockSlots),
		tree: make([]uint64, blocks+1),
	}
}

// touch makes id the last one asked for. It returns how much room it takes together with all that were asked for since it
// was, and false if it was not.
func (s *stack) touch(id, weight uint32) (room uint64, again bool) {
	if at := s.slot[id]; at != 0 {
		room, again = s.total-s.before(at-1), true
		s.weight[at-1] = 0
		s.add(at-1, -uint64(weight))
	}
	if int(s.next) == len(s.who) {
		s.slot[id] = 0
		s.compact()
	}
	s.who[s.next], s.weight[s.next] = id, weight
	s.add(s.next, uint64(weight))
	s.next++
	s.slot[id] = s.next
	return room, again
}

// before returns the weight of all slots before one.
func (s *stack) before(slot uint32) uint64 {
	var sum uint64
	block := slot / blockSlots
	for _, w := range s.weight[block*blockSlots : slot] {
		sum += uint64(w)
	}
	for i := block; i > 0; i &= i - 1 {
		sum += s.tree[i]
	}
	return sum
}

// add adds to the weight of a slot, modulo 2^64.
func (s *stack) add(slot uint32, weight uint64) {
	s.total += weight
	for i := int(slot/blockSlots) + 1; i < len(s.tree); i += i & -i {
		s.tree[i] += weight
	}
}

// compact moves all objects to the first slots.
func (s *stack) compact() {
	var n uint32
	for slot, id := range s.who {
		if s.slot[id] != uint32(slot)+1 {
			continue
		}
		s.who[n], s.weight[n] = id, s.weight[slot]
		n++
		s.slot[id] = n
	}
	s.next = n
	clear(s.weight[n:])
	s.rebuild()
}

// rebuild makes the tree anew from the weights.
func (s *stack) rebuild() {
	clear(s.tree)
	for i := 1; i < len(s.tree); i++ {
		for _, w := range s.weight[(i-1)*blockSlots : i*blockSlots] {
			s.tree[i] += uint64(w)
		}
		if up := i + i&-i; up < len(s.tree) {
			s.tree[up] += s.tree[i]
		}
	}
}
