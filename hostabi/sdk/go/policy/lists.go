package policy

// Lists are lists of objects, from the newest to the oldest, that are called 0, 1 and so on. An object is in one of them or in
// none. Each is a ring through a place of its own behind those of the objects, its root, so that no end needs care.
type Lists struct {
	at      []links
	objects uint32
}

// links are the neighbours of an object. Of a root, they are the oldest and the newest, or the root itself.
type links struct{ newer, older uint32 }

// Lists returns n empty lists.
func (s *Spec) Lists(n uint32) Lists {
	l := Lists{make([]links, uint64(s.Objects)+uint64(n)), s.Objects}
	for i := range n {
		l.at[l.Root(i)] = links{l.Root(i), l.Root(i)}
	}
	return l
}

// Root returns what stands in the place of an object at the ends of a list.
func (l *Lists) Root(list uint32) uint32 { return l.objects + list }

// Newer returns the one that came after an object into its list, the root behind the newest; of a root, the oldest.
func (l *Lists) Newer(id uint32) uint32 { return l.at[id].newer }

// Older returns the one that came before an object into its list, the root before the oldest; of a root, the newest.
func (l *Lists) Older(id uint32) uint32 { return l.at[id].older }

// Push makes an object that is in no list the newest of one.
func (l *Lists) Push(list, id uint32) {
	root := l.Root(list)
	newest := l.at[root].older
	l.at[id] = links{newer: root, older: newest}
	l.at[newest].newer = id
	l.at[root].older = id
}

// Unlink takes an object out of the list that it is in.
func (l *Lists) Unlink(id uint32) {
	n := l.at[id]
	l.at[n.newer].older = n.older
	l.at[n.older].newer = n.newer
}

// Touch makes an object of a list, whichever it is in, the newest of one.
func (l *Lists) Touch(list, id uint32) {
	l.Unlink(id)
	l.Push(list, id)
}

// Oldest returns the oldest of a list, its root if it is empty.
func (l *Lists) Oldest(list uint32) uint32 { return l.at[l.Root(list)].newer }

// Pop takes the oldest out of a list, which must not be empty, and returns it.
func (l *Lists) Pop(list uint32) uint32 {
	id := l.Oldest(list)
	l.Unlink(id)
	return id
}
