package evict

// rank orders objects: by value, then by tie.
type rank struct {
	value float64
	tie   uint64
}

func (a rank) less(b rank) bool { return a.value < b.value || a.value == b.value && a.tie < b.tie }

// heap has objects in the order of their ranks, the lowest one on top. Each node has four below it.
type heap struct {
	nodes []ranked
	at    []uint32 // by id, of those in the heap: the node's index
}

type ranked struct {
	rank
	id uint32
}

func newHeap(objects int) heap { return heap{at: make([]uint32, objects)} }

// top returns the object of the lowest rank. There must be one.
func (h *heap) top() uint32 { return h.nodes[0].id }

// push puts id in.
func (h *heap) push(id uint32, r rank) {
	h.nodes = append(h.nodes, ranked{})
	h.rise(len(h.nodes)-1, ranked{r, id})
}

// rank returns the rank of id, which is in.
func (h *heap) rank(id uint32) rank { return h.nodes[h.at[id]].rank }

// fix gives id, which is in, another rank.
func (h *heap) fix(id uint32, r rank) {
	i := int(h.at[id])
	if r.less(h.nodes[i].rank) {
		h.rise(i, ranked{r, id})
	} else {
		h.sink(i, ranked{r, id})
	}
}

// remove takes id out.
func (h *heap) remove(id uint32) {
	last := len(h.nodes) - 1
	moved := h.nodes[last]
	h.nodes = h.nodes[:last]
	if moved.id != id {
		at := h.at[id]
		h.nodes[at].id = moved.id
		h.at[moved.id] = at
		h.fix(moved.id, moved.rank)
	}
}

// rise puts n at i or above.
func (h *heap) rise(i int, n ranked) {
	for i > 0 {
		up := (i - 1) / 4
		if !n.less(h.nodes[up].rank) {
			break
		}
		h.put(i, h.nodes[up])
		i = up
	}
	h.put(i, n)
}

// sink puts n at i or below.
func (h *heap) sink(i int, n ranked) {
	for {
		first := 4*i + 1
		if first >= len(h.nodes) {
			break
		}
		least := first
		for j := first + 1; j < min(first+4, len(h.nodes)); j++ {
			if h.nodes[j].less(h.nodes[least].rank) {
				least = j
			}
		}
		if !h.nodes[least].less(n.rank) {
			break
		}
		h.put(i, h.nodes[least])
		i = least
	}
	h.put(i, n)
}

func (h *heap) put(i int, n ranked) {
	h.nodes[i] = n
	h.at[n.id] = uint32(i)
}
