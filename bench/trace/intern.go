package trace

import "math"

// interner gives keys dense ids in the order of their first appearance: open addressing, at most half full.
type interner struct {
	slots []slot
	n     uint32
}

type slot struct {
	key uint64
	ref uint32 // the id + 1, or 0 where the slot is free
}

const (
	firstSlots = 1 << 12
	// mostObjects is how many ids there can be: core/evict keeps the largest for nobody.
	mostObjects = math.MaxUint32 - 1
)

func newInterner() interner { return interner{slots: make([]slot, firstSlots)} }

// id returns the id of a key, and whether it was not there before.
func (t *interner) id(key uint64) (id uint32, fresh bool) {
	mask := uint64(len(t.slots) - 1)
	for i := splitmix64(key) & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		switch {
		case s.ref == 0:
			id = t.n
			t.n++
			*s = slot{key, t.n}
			if int(t.n) > len(t.slots)/2 {
				t.grow()
			}
			return id, true
		case s.key == key:
			return s.ref - 1, false
		}
	}
}

func (t *interner) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s.ref == 0 {
			continue
		}
		i := splitmix64(s.key) & mask
		for t.slots[i].ref != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}
