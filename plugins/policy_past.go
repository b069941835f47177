package plugins

// past is what a guest policy may remember: objects that it threw out, the latest ones, in the order in which they went. No
// object is resident and in it.
type past struct {
	newer, older []uint32 // by id, of what is in it: its neighbours; the list is closed by the end
	end          uint32   // stands before the oldest and behind the newest
	in           []bool   // by id
	n            int
}

func newPast(objects int) *past {
	p := &past{newer: make([]uint32, objects+1), older: make([]uint32, objects+1), end: uint32(objects), in: make([]bool, objects)}
	p.newer[p.end], p.older[p.end] = p.end, p.end
	return p
}

// push makes id, which is not in, the newest.
func (p *past) push(id uint32) {
	last := p.older[p.end]
	p.newer[last], p.older[id] = id, last
	p.newer[id], p.older[p.end] = p.end, id
	p.in[id] = true
	p.n++
}

// remove takes id out, if it is in.
func (p *past) remove(id uint32) {
	if !p.in[id] {
		return
	}
	older, newer := p.older[id], p.newer[id]
	p.newer[older], p.older[newer] = newer, older
	p.in[id] = false
	p.n--
}

// pop takes the oldest out. There must be one.
func (p *past) pop() uint32 {
	id := p.newer[p.end]
	p.remove(id)
	return id
}
