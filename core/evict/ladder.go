package evict

// ladder keeps objects in the order of a number, and those of the same number in the order in which they came to it. The
// least is at hand, and going up costs a step for each number in between that others have.
type ladder struct {
	at  nodes
	on  []uint32 // by id: the index of its rung; 0 is none
	all []rung   // a ring of those in use, from the lowest up; the first has no objects and joins the ends
	// spare is the first of the rungs that are not in use, which go on by higher. 0 is none.
	spare uint32
}

// rung has the objects of one number.
type rung struct {
	number        uint64
	objects       list
	lower, higher uint32
}

// manyRungs is how many there are room for at first. Counts that all differ add up: to have more takes 2 billion requests.
const manyRungs = 1 << 16

func newLadder(s *Spec) ladder {
	return ladder{at: make(nodes, s.Objects), on: make([]uint32, s.Objects), all: make([]rung, 1, 1+min(s.most(), manyRungs))}
}

// has reports whether id has a rung.
func (l *ladder) has(id uint32) bool { return l.on[id] != 0 }

// number returns what id, which has a rung, stands on.
func (l *ladder) number(id uint32) uint64 { return l.all[l.on[id]].number }

// least returns the object that came first to the lowest rung. There must be one.
func (l *ladder) least() uint32 { return l.all[l.all[0].higher].objects.tail }

// add puts id, which is on no rung.
func (l *ladder) add(id uint32, number uint64) { l.join(id, l.rung(l.below(0, number), number)) }

// raise gives id a greater number than it has.
func (l *ladder) raise(id uint32, number uint64) {
	from := l.on[id]
	below := l.below(from, number)
	if below == from && l.all[from].objects.n == 1 {
		l.all[from].number = number
		return
	}
	to := l.rung(below, number)
	l.leave(id, from)
	l.join(id, to)
}

// remove takes the rung of id.
func (l *ladder) remove(id uint32) {
	l.leave(id, l.on[id])
	l.on[id] = 0
}

// below returns the last rung from i upwards whose number is not greater.
func (l *ladder) below(i uint32, number uint64) uint32 {
	for {
		next := l.all[i].higher
		if next == 0 || l.all[next].number > number {
			return i
		}
		i = next
	}
}

// rung returns the rung of number: below, or a new one right above it.
func (l *ladder) rung(below uint32, number uint64) uint32 {
	if below != 0 && l.all[below].number == number {
		return below
	}
	i := l.spare
	if i != 0 {
		l.spare = l.all[i].higher
	} else {
		i = uint32(len(l.all))
		l.all = append(l.all, rung{})
	}
	above := l.all[below].higher
	l.all[i] = rung{number: number, objects: newList(), lower: below, higher: above}
	l.all[below].higher, l.all[above].lower = i, i
	return i
}

func (l *ladder) join(id, i uint32) {
	l.all[i].objects.push(l.at, id)
	l.on[id] = i
}

// leave takes id out of rung i, which ends with its last object.
func (l *ladder) leave(id, i uint32) {
	old := &l.all[i]
	old.objects.remove(l.at, id)
	if old.objects.n > 0 {
		return
	}
	l.all[old.lower].higher, l.all[old.higher].lower = old.higher, old.lower
	old.higher, l.spare = l.spare, i
}
