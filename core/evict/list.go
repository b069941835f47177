package evict

// nobody is no object's id.
const nobody = 1<<32 - 1

// links are the neighbours of an object in a list: newer ones towards the head.
type links struct{ newer, older uint32 }

// nodes are the links of all objects, for lists that no object is in two of.
type nodes []links

// list is a doubly linked list of objects.
type list struct {
	head, tail uint32 // newest and oldest; nobody in an empty list
	n          int
}

func newList() list { return list{head: nobody, tail: nobody} }

// push makes id the newest.
func (l *list) push(at nodes, id uint32) {
	at[id] = links{newer: nobody, older: l.head}
	if l.head != nobody {
		at[l.head].newer = id
	} else {
		l.tail = id
	}
	l.head = id
	l.n++
}

// remove takes id out.
func (l *list) remove(at nodes, id uint32) {
	n := at[id]
	if n.newer != nobody {
		at[n.newer].older = n.older
	} else {
		l.head = n.older
	}
	if n.older != nobody {
		at[n.older].newer = n.newer
	} else {
		l.tail = n.newer
	}
	l.n--
}

// pop takes the oldest out. There must be one.
func (l *list) pop(at nodes) uint32 {
	id := l.tail
	l.tail = at[id].newer
	if l.tail != nobody {
		at[l.tail].older = nobody
	} else {
		l.head = nobody
	}
	l.n--
	return id
}

// turn makes the oldest the newest. There must be one.
func (l *list) turn(at nodes) {
	id := l.tail
	if id == l.head {
		return
	}
	l.tail = at[id].newer
	at[l.tail].older = nobody
	at[l.head].newer = id
	at[id] = links{newer: nobody, older: l.head}
	l.head = id
}

// touch makes id, which is in the list, the newest.
func (l *list) touch(at nodes, id uint32) {
	if l.head != id {
		l.remove(at, id)
		l.push(at, id)
	}
}
