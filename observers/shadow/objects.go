package shadow

import "math"

// objects are those of the sample: a hash table from the hash of a key to a dense id, what is known of each, and the order in
// which they were asked for last. Their number is bounded.
type objects struct {
	hash    []uint64
	size    []uint32 // as the tier weighs it; 0 is not known yet
	expires []int64  // in unix milliseconds; 0 is never
	state   []uint8  // flags
	order   []links
	newest  uint32 // of order; nobody where there is none
	oldest  uint32
	slots   []uint32 // id+1 at the place of its hash or behind it
	spare   []uint32 // ids that are not used
	n       int      // ids that are used
	sized   int      // those of a known size
	bytes   uint64   // all their sizes
	squares float64  // all these squared
}

// links are the neighbours in the order.
type links struct{ newer, older uint32 }

const nobody = 1<<32 - 1

// The flags of an object.
const (
	waiting = 1 << iota // a read missed, and no write came since: the next one belongs to that read
	pending             // that read was not looked at, since the size is not known
	gone                // it was deleted
)

func newObjects(most int) *objects {
	t := &objects{
		hash: make([]uint64, most), size: make([]uint32, most), expires: make([]int64, most), state: make([]uint8, most),
		order: make([]links, most), newest: nobody, oldest: nobody,
		slots: make([]uint32, 2*most), spare: make([]uint32, most),
	}
	for i := range t.spare {
		t.spare[i] = uint32(most - 1 - i)
	}
	return t
}

// place is where the search for a hash begins. The lowest bits are the sample's, the highest those of groups.
func (t *objects) place(hash uint64) int { return int(hash>>maxShift) & (len(t.slots) - 1) }

func (t *objects) next(slot int) int { return (slot + 1) & (len(t.slots) - 1) }

// find returns the id of a hash, and whether there is one.
func (t *objects) find(hash uint64) (uint32, bool) {
	for slot := t.place(hash); t.slots[slot] != 0; slot = t.next(slot) {
		if id := t.slots[slot] - 1; t.hash[id] == hash {
			return id, true
		}
	}
	return 0, false
}

func (t *objects) full() bool { return len(t.spare) == 0 }

// add makes a hash that is not there an object, of which nothing is known, as the newest. There must be room.
func (t *objects) add(hash uint64) uint32 {
	last := len(t.spare) - 1
	id := t.spare[last]
	t.spare = t.spare[:last]
	slot := t.place(hash)
	for t.slots[slot] != 0 {
		slot = t.next(slot)
	}
	t.slots[slot] = id + 1
	t.hash[id], t.size[id], t.expires[id], t.state[id] = hash, 0, 0, 0
	t.n++
	t.push(id)
	return id
}

// remove forgets an object; its id may become another's.
func (t *objects) remove(id uint32) {
	t.resize(id, 0)
	t.unlink(id)
	slot := t.place(t.hash[id])
	for t.slots[slot] != id+1 {
		slot = t.next(slot)
	}
	t.closeGap(slot)
	t.spare = append(t.spare, id)
	t.n--
}

// closeGap empties a slot and moves those back that were put behind it for want of it (Knuth, TAOCP 3, 6.4, algorithm R).
func (t *objects) closeGap(slot int) {
	mask := len(t.slots) - 1
	for next := t.next(slot); t.slots[next] != 0; next = t.next(next) {
		home := t.place(t.hash[t.slots[next]-1])
		if (next-home)&mask >= (next-slot)&mask {
			t.slots[slot] = t.slots[next]
			slot = next
		}
	}
	t.slots[slot] = 0
}

// resize sets what an object weighs.
func (t *objects) resize(id, size uint32) {
	old := t.size[id]
	t.bytes += uint64(size) - uint64(old)
	t.squares += float64(size)*float64(size) - float64(old)*float64(old)
	switch {
	case old == 0 && size != 0:
		t.sized++
	case old != 0 && size == 0:
		t.sized--
	}
	t.size[id] = size
}

// mean returns what an object of known size weighs. There must be one.
func (t *objects) mean() uint64 { return t.bytes / uint64(t.sized) }

// spread returns by what share of it the bytes of all that a sample of one in 1<<shift would hold in a cache of that capacity
// differ from sample to sample: the standard error.
func (t *objects) spread(capacity uint64, shift uint) float64 {
	if t.sized == 0 || capacity == 0 {
		return 0
	}
	biased := t.squares / float64(t.bytes) // the mean weight, by weight
	return math.Sqrt(max(0, biased) / float64(capacity) * (1 - 1/float64(uint64(1)<<shift)))
}

// touch makes an object the newest.
func (t *objects) touch(id uint32) {
	if t.newest != id {
		t.unlink(id)
		t.push(id)
	}
}

func (t *objects) push(id uint32) {
	t.order[id] = links{newer: nobody, older: t.newest}
	if t.newest == nobody {
		t.oldest = id
	} else {
		t.order[t.newest].newer = id
	}
	t.newest = id
}

func (t *objects) unlink(id uint32) {
	at := t.order[id]
	if at.newer == nobody {
		t.newest = at.older
	} else {
		t.order[at.newer].older = at.older
	}
	if at.older == nobody {
		t.oldest = at.newer
	} else {
		t.order[at.older].newer = at.newer
	}
}
