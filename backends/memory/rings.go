package memory

// rings are doubly linked rings of numbers over one array. Some numbers are anchors, where a ring begins and ends; each other
// one is in one ring at most.
type rings []ring

type ring struct{ prev, next uint32 }

// grow adds a number, which is in no ring, or an empty ring if it is to be an anchor.
func (r *rings) grow() {
	i := uint32(len(*r))
	*r = append(*r, ring{i, i})
}

// in reports whether i is in a ring, or has one if it is an anchor.
func (r rings) in(i uint32) bool { return r[i].next != i }

// add puts i, which is in no ring, at the end of the ring of that anchor.
func (r rings) add(anchor, i uint32) {
	last := r[anchor].prev
	r[i] = ring{last, anchor}
	r[last].next = i
	r[anchor].prev = i
}

// drop takes i out of its ring, if it is in one.
func (r rings) drop(i uint32) {
	at := r[i]
	r[at.prev].next = at.next
	r[at.next].prev = at.prev
	r[i] = ring{i, i}
}
