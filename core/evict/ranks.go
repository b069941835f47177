package evict

// ranks keeps objects in the order of a number, and those of the same number in the order in which they came to it. The least
// is at hand, and going up costs a step for each number in between that others have.
type ranks struct {
	at  nodes
	of  []uint32 // by id: the index of its rank; 0 is none
	all []rank   // a ring of those in use, from the lowest up; the first has no objects and joins the ends
	// spare is the first of the ranks that are not in use, which go on by higher. 0 is none.
	spare uint32
}

// rank has the objects of one number.
type rank struct {
	number        uint64
	objects       list
	lower, higher uint32
}

// manyRanks is how many there are room for at first. Counts that all differ add up: to have more takes 2 billion requests.
const manyRanks = 1 << 16

func newRanks(s *Spec) ranks {
	return ranks{at: make(nodes, s.Objects), of: make([]uint32, s.Objects), all: make([]rank, 1, 1+min(s.most(), manyRanks))}
}

// has reports whether id has a rank.
func (r *ranks) has(id uint32) bool { return r.of[id] != 0 }

// number returns what id, which has a rank, is ranked by.
func (r *ranks) number(id uint32) uint64 { return r.all[r.of[id]].number }

// least returns the object that came first to the lowest rank. There must be one.
func (r *ranks) least() uint32 { return r.all[r.all[0].higher].objects.tail }

// add ranks id, which has no rank.
func (r *ranks) add(id uint32, number uint64) { r.join(id, r.rank(r.below(0, number), number)) }

// raise gives id a greater number than it has.
func (r *ranks) raise(id uint32, number uint64) {
	from := r.of[id]
	below := r.below(from, number)
	if below == from && r.all[from].objects.n == 1 {
		r.all[from].number = number
		return
	}
	to := r.rank(below, number)
	r.leave(id, from)
	r.join(id, to)
}

// remove takes the rank of id.
func (r *ranks) remove(id uint32) {
	r.leave(id, r.of[id])
	r.of[id] = 0
}

// below returns the last rank from i upwards whose number is not greater.
func (r *ranks) below(i uint32, number uint64) uint32 {
	for {
		next := r.all[i].higher
		if next == 0 || r.all[next].number > number {
			return i
		}
		i = next
	}
}

// rank returns the rank of number: below, or a new one right above it.
func (r *ranks) rank(below uint32, number uint64) uint32 {
	if below != 0 && r.all[below].number == number {
		return below
	}
	i := r.spare
	if i != 0 {
		r.spare = r.all[i].higher
	} else {
		i = uint32(len(r.all))
		r.all = append(r.all, rank{})
	}
	above := r.all[below].higher
	r.all[i] = rank{number: number, objects: newList(), lower: below, higher: above}
	r.all[below].higher, r.all[above].lower = i, i
	return i
}

func (r *ranks) join(id, i uint32) {
	r.all[i].objects.push(r.at, id)
	r.of[id] = i
}

// leave takes id out of rank i, which ends with its last object.
func (r *ranks) leave(id, i uint32) {
	old := &r.all[i]
	old.objects.remove(r.at, id)
	if old.objects.n > 0 {
		return
	}
	r.all[old.lower].higher, r.all[old.higher].lower = old.higher, old.lower
	old.higher, r.spare = r.spare, i
}
