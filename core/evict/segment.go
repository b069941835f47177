package evict

// segment is a list that knows how much room its objects take: in bytes where sizes count, else each 1. It remembers what
// an object took when it came, so that objects that are not resident any more can be in one.
type segment struct {
	list
	room uint64
}

func newSegment() segment { return segment{list: newList()} }

// weight is what a resident object takes, or took when it was resident.
func (b *base) weight(id uint32) uint64 {
	if b.size == nil {
		return 1
	}
	return uint64(b.size[id])
}

// weigh is what an object of that size takes when it comes.
func (b *base) weigh(size uint32) uint64 {
	if b.size == nil {
		return 1
	}
	return uint64(size)
}

// add makes id, of which b knows the size, the newest of s.
func (b *base) add(s *segment, at nodes, id uint32) {
	s.push(at, id)
	s.room += b.weight(id)
}

// addOldest makes id, of which b knows the size, the oldest of s.
func (b *base) addOldest(s *segment, at nodes, id uint32) {
	s.pushOldest(at, id)
	s.room += b.weight(id)
}

// drop takes id out of s.
func (b *base) drop(s *segment, at nodes, id uint32) {
	s.remove(at, id)
	s.room -= b.weight(id)
}

// pop takes the oldest of s out. There must be one.
func (b *base) pop(s *segment, at nodes) uint32 {
	id := s.pop(at)
	s.room -= b.weight(id)
	return id
}

// pushOldest makes id the oldest.
func (l *list) pushOldest(at nodes, id uint32) {
	at[id] = links{newer: l.tail, older: nobody}
	if l.tail != nobody {
		at[l.tail].older = id
	} else {
		l.head = id
	}
	l.tail = id
	l.n++
}
