package policytest

import "testing"

// state is what a policy knows of an object.
type state uint8

const (
	unknown state = iota
	remembered
	resident
)

func (s state) String() string {
	return [...]string{"it does not know", "was thrown out", "is resident"}[s]
}

// witness follows what a policy throws out and forgets.
type witness struct {
	t        *testing.T
	state    []state
	size     []uint64
	used     uint64
	capacity uint64
	lost     bool // the object that is inserted now was told to be forgotten
	coming   int  // that object; -1 is none
	// told is all that the policy told, in its order: ids, with the highest bit set where they were forgotten.
	told []uint64
	// blind is for a policy that is given batches, in which the witness can't know what comes.
	blind bool
}

func newWitness(t *testing.T, objects int) *witness {
	return &witness{t: t, state: make([]state, objects), size: make([]uint64, objects), coming: -1}
}

func (w *witness) evicted(id uint32) {
	w.told = append(w.told, uint64(id))
	if w.blind {
		return
	}
	if w.state[id] != resident {
		w.t.Fatalf("Evicted(%d) of an object that %s", id, w.state[id])
	}
	w.gone(id)
}

func (w *witness) forgotten(id uint32) {
	w.told = append(w.told, 1<<63|uint64(id))
	if w.blind {
		return
	}
	if w.state[id] != remembered {
		w.t.Fatalf("Forgotten(%d) of an object that %s", id, w.state[id])
	}
	w.state[id] = unknown
	w.lost = w.lost || int(id) == w.coming
}

// comes says that an object will be inserted.
func (w *witness) comes(id, size uint32) {
	w.coming, w.lost = int(id), false
	w.size[id] = uint64(size)
}

// came says whether the object that was to come is in.
func (w *witness) came(id uint32, in bool) {
	w.coming = -1
	if !in {
		return
	}
	if w.lost {
		w.t.Fatalf("Forgotten(%d) of an object that Insert lets in", id)
	}
	w.state[id] = resident
	w.used += w.size[id]
}

// gone says that a resident object is not any more.
func (w *witness) gone(id uint32) {
	w.state[id] = remembered
	w.used -= w.size[id]
}
