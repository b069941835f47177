package evict

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// models are policies that say the same in the plainest way, for a cache of that capacity.
func models() map[string]func(c uint64) model {
	return map[string]func(c uint64) model{
		"fifo": func(c uint64) model { return &queueModel{capacity: c} },
		"lifo": func(c uint64) model { return &queueModel{capacity: c, newest: true} },
		"lru":  func(c uint64) model { return &queueModel{capacity: c, touch: true} },
		"mru":  func(c uint64) model { return &queueModel{capacity: c, touch: true, newest: true} },

		"clock":        func(c uint64) model { return &clockModel{capacity: c, most: 1} },
		"clock:bits=3": func(c uint64) model { return &clockModel{capacity: c, most: 7} },
		"sieve":        func(c uint64) model { return &sieveModel{capacity: c} },
		"lfu":          func(c uint64) model { return &lfuModel{capacity: c} },
		"lfuda":        func(c uint64) model { return &lfuModel{capacity: c, ages: true} },
		"gdsf":         func(c uint64) model { return &gdsfModel{capacity: c} },

		"2q":               func(c uint64) model { return &twoqModel{capacity: c, most: c / 4, remembers: c / 2} },
		"s3fifo":           func(c uint64) model { return &s3Model{capacity: c, most: max(c/10, 1), remembers: c * 9 / 10} },
		"s3fifo:small=0.5": func(c uint64) model { return &s3Model{capacity: c, most: max(c/2, 1), remembers: c * 9 / 10} },
		"slru":             func(c uint64) model { return &slruModel{capacity: c, most: c / 4, segments: make([]items, 4)} },
		"slru:segments=2":  func(c uint64) model { return &slruModel{capacity: c, most: c / 2, segments: make([]items, 2)} },

		"arc":              func(c uint64) model { return &arcModel{capacity: int(c)} },
		"car":              func(c uint64) model { return &carModel{capacity: int(c)} },
		"lruk":             func(c uint64) model { return newLRUKModel(c, 2, c) },
		"lruk:k=3,ghost=2": func(c uint64) model { return newLRUKModel(c, 3, 2*c) },
	}
}

// TestModels compares policies with models on many short traces, in caches that are mostly small, and of any size up to one
// in which all fits. In bytes an object comes with another size each time, at times with none or one that no cache has room
// for.
func TestModels(t *testing.T) {
	seeds := uint64(3000)
	if testing.Short() {
		seeds /= 10
	}
	for name, build := range models() {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds {
				compareWithModel(t, name, build, rand.New(rand.NewPCG(seed, 1)), seed%2 == 1)
			}
		})
	}
}

func compareWithModel(t *testing.T, name string, build func(uint64) model, dice *rand.Rand, bytes bool) {
	objects := 1 + dice.IntN(30)
	capacity := 1 + dice.Uint64N(uint64(objects)+2)
	if dice.IntN(3) == 0 {
		capacity = 1 + dice.Uint64N(5)
	}
	ids, sizes := make([]uint32, 150), make([]uint32, 150)
	for i := range ids {
		ids[i] = dice.Uint32N(1 + dice.Uint32N(uint32(objects)))
		sizes[i] = dice.Uint32N(8)
	}
	m := build(capacity)
	if _, counts := m.(interface{ countsObjects() }); counts {
		bytes = false
	} else if bytes && dice.IntN(2) == 0 {
		capacity *= 4
		m = build(capacity)
	}
	p, err := New(name, Spec{Objects: objects, Capacity: capacity, Bytes: bytes})
	if err != nil {
		t.Fatal(err)
	}
	hits := make([]uint64, len(ids)/64+1)
	p.Replay(ids, sizes, hits)
	for i, id := range ids {
		weight := uint64(1)
		if bytes {
			weight = uint64(sizes[i])
		}
		hit := hits[i>>6]>>(i&63)&1 == 1
		if want := m.request(item{id: id, weight: weight}); hit != want {
			t.Fatalf("capacity %d, bytes %v, %v, sizes %v: request %d, for object %d: hit = %v, want %v",
				capacity, bytes, ids[:i+1], sizes[:i+1], i, id, hit, want)
		}
	}
}

// model is a cache that is asked for an object, and reports whether it has it.
type model interface{ request(it item) bool }

// item is an object, and how often it was asked for or what else the model counts.
type item struct {
	id               uint32
	weight, n, count uint64
}

// items are some in an order, which begins with the oldest.
type items []item

func (q items) find(id uint32) int {
	for i, it := range q {
		if it.id == id {
			return i
		}
	}
	return -1
}

func (q items) weight() (sum uint64) {
	for _, it := range q {
		sum += it.weight
	}
	return sum
}

func (q *items) put(it item) { *q = append(*q, it) }

func (q *items) take(i int) item {
	it := (*q)[i]
	*q = append((*q)[:i], (*q)[i+1:]...)
	return it
}

// queueModel is FIFO, LIFO, LRU and MRU.
type queueModel struct {
	items
	capacity      uint64
	touch, newest bool
}

func (m *queueModel) request(it item) bool {
	if i := m.find(it.id); i >= 0 {
		if m.touch {
			m.put(m.take(i))
		}
		return true
	}
	if it.weight > m.capacity {
		return false
	}
	for m.weight()+it.weight > m.capacity {
		if m.newest {
			m.take(len(m.items) - 1)
		} else {
			m.take(0)
		}
	}
	m.put(it)
	return false
}

type clockModel struct {
	items
	capacity, most uint64
}

func (m *clockModel) request(it item) bool {
	if i := m.find(it.id); i >= 0 {
		m.items[i].n = min(m.items[i].n+1, m.most)
		return true
	}
	if it.weight > m.capacity {
		return false
	}
	for m.weight()+it.weight > m.capacity {
		oldest := m.take(0)
		if oldest.n > 0 {
			oldest.n--
			m.put(oldest)
		}
	}
	m.put(it)
	return false
}

type sieveModel struct {
	items
	capacity uint64
	hand     int
}

func (m *sieveModel) request(it item) bool {
	if i := m.find(it.id); i >= 0 {
		m.items[i].n = 1
		return true
	}
	if it.weight > m.capacity {
		return false
	}
	for m.weight()+it.weight > m.capacity {
		if m.items[m.hand].n == 0 {
			m.take(m.hand)
		} else {
			m.items[m.hand].n = 0
			m.hand++
		}
		if m.hand == len(m.items) {
			m.hand = 0
		}
	}
	m.put(it)
	return false
}

// lfuModel is LFU and LFU-DA. What came to its rank last is last.
type lfuModel struct {
	items
	capacity, age uint64
	ages          bool
}

func (m *lfuModel) request(it item) bool {
	if i := m.find(it.id); i >= 0 {
		old := m.take(i)
		old.count++
		old.n = old.count + m.age
		m.put(old)
		return true
	}
	if it.weight > m.capacity {
		return false
	}
	for m.weight()+it.weight > m.capacity {
		least := 0
		for i, other := range m.items {
			if other.n < m.items[least].n {
				least = i
			}
		}
		if out := m.take(least); m.ages {
			m.age = out.n
		}
	}
	it.count, it.n = 1, 1+m.age
	m.put(it)
	return false
}

type twoqModel struct {
	in, main, out             items
	capacity, most, remembers uint64
}

func (m *twoqModel) request(it item) bool {
	if m.in.find(it.id) >= 0 {
		return true
	}
	if i := m.main.find(it.id); i >= 0 {
		m.main.put(m.main.take(i))
		return true
	}
	if it.weight > m.capacity || m.most == 0 {
		return false
	}
	to := &m.in
	if i := m.out.find(it.id); i >= 0 {
		m.out.take(i)
		to = &m.main
	}
	for m.in.weight()+m.main.weight()+it.weight > m.capacity {
		if m.in.weight() > m.most || len(m.main) == 0 {
			m.out.put(m.in.take(0))
		} else {
			m.main.take(0)
		}
		for m.out.weight() > m.remembers {
			m.out.take(0)
		}
	}
	to.put(it)
	return false
}

type s3Model struct {
	small, main, ghost        items
	capacity, most, remembers uint64
}

func (m *s3Model) request(it item) bool {
	for _, q := range []items{m.small, m.main} {
		if i := q.find(it.id); i >= 0 {
			q[i].n = min(q[i].n+1, 3)
			return true
		}
	}
	if it.weight > m.capacity || it.weight > 1 && it.weight > m.most {
		return false
	}
	to := &m.small
	if i := m.ghost.find(it.id); i >= 0 {
		m.ghost.take(i)
		to = &m.main
	}
	for m.small.weight()+m.main.weight()+it.weight > m.capacity {
		if m.main.weight() > m.capacity-m.most || len(m.small) == 0 {
			if oldest := m.main.take(0); oldest.n > 0 {
				oldest.n--
				m.main = append(m.main, oldest)
			}
			continue
		}
		for len(m.small) > 0 { // even where main gets too large by it
			oldest := m.small.take(0)
			if oldest.n < 2 {
				m.ghost.put(oldest)
				break
			}
			m.main.put(item{id: oldest.id, weight: oldest.weight})
		}
		for m.ghost.weight() > m.remembers {
			m.ghost.take(0)
		}
	}
	to.put(it)
	return false
}

type slruModel struct {
	segments       []items
	capacity, most uint64
}

func (m *slruModel) request(it item) bool {
	for level := range m.segments {
		if i := m.segments[level].find(it.id); i >= 0 {
			it = m.segments[level].take(i)
			level = min(level+1, len(m.segments)-1)
			m.makeRoom(level, it.weight)
			m.segments[level].put(it)
			return true
		}
	}
	if it.weight > m.capacity || m.most == 0 {
		return false
	}
	for m.weight()+it.weight > m.capacity {
		level := 0
		for len(m.segments[level]) == 0 {
			level++
		}
		m.segments[level].take(0)
	}
	for level := range m.segments {
		if m.segments[level].weight()+it.weight <= m.most {
			m.segments[level].put(it)
			return false
		}
	}
	m.segments[0].put(it)
	return false
}

func (m *slruModel) makeRoom(level int, weight uint64) {
	for len(m.segments[level]) > 0 && m.segments[level].weight()+weight > m.most {
		oldest := m.segments[level].take(0)
		if level > 0 {
			m.makeRoom(level-1, oldest.weight)
			m.segments[level-1].put(oldest)
		}
	}
}

func (m *slruModel) weight() (sum uint64) {
	for _, s := range m.segments {
		sum += s.weight()
	}
	return sum
}

// gdsfModel looks through all for the least value; what was asked for last is last.
type gdsfModel struct {
	items
	capacity uint64
	values   []float64 // of items, in the same order
	aged     float64
}

func (m *gdsfModel) request(it item) bool {
	i := m.find(it.id)
	hit := i >= 0
	if hit {
		it = m.drop(i)
	} else if it.weight > m.capacity {
		return false
	}
	for m.weight()+it.weight > m.capacity {
		least := slices.Index(m.values, slices.Min(m.values))
		m.aged = m.values[least]
		m.drop(least)
	}
	it.count++
	m.put(it)
	m.values = append(m.values, m.aged+1e6*float64(it.count)/float64(max(it.weight, 1)))
	return hit
}

func (m *gdsfModel) drop(i int) item {
	m.values = slices.Delete(m.values, i, i+1)
	return m.take(i)
}

// arcModel is figure 4 of the paper. The oldest of a list is in front.
type arcModel struct {
	capacity       int
	t1, t2, b1, b2 items
	p              float64
}

func (*arcModel) countsObjects() {}

func (m *arcModel) request(x item) bool {
	c := m.capacity
	for _, t := range []*items{&m.t1, &m.t2} { // case I
		if i := t.find(x.id); i >= 0 {
			m.t2.put(t.take(i))
			return true
		}
	}
	if i := m.b1.find(x.id); i >= 0 { // case II
		m.p = min(m.p+max(float64(len(m.b2))/float64(len(m.b1)), 1), float64(c))
		m.replace(false)
		m.t2.put(m.b1.take(m.b1.find(x.id)))
		return false
	}
	if i := m.b2.find(x.id); i >= 0 { // case III
		m.p = max(m.p-max(float64(len(m.b1))/float64(len(m.b2)), 1), 0)
		m.replace(true)
		m.t2.put(m.b2.take(m.b2.find(x.id)))
		return false
	}
	all := len(m.t1) + len(m.t2) + len(m.b1) + len(m.b2)
	switch { // case IV
	case len(m.t1) == c:
		m.t1.take(0)
	case len(m.t1)+len(m.b1) == c:
		m.b1.take(0)
		m.replace(false)
	case all >= c:
		if all == 2*c {
			m.b2.take(0)
		}
		m.replace(false)
	}
	m.t1.put(x)
	return false
}

func (m *arcModel) replace(inB2 bool) {
	n := float64(len(m.t1))
	if n > 0 && (n > m.p || inB2 && n == m.p) || len(m.t2) == 0 {
		m.b1.put(m.t1.take(0))
	} else {
		m.b2.put(m.t2.take(0))
	}
}

// carModel is figure 2 of the paper, with whole numbers. The hand of a clock is in front; n is the reference bit.
type carModel struct {
	capacity       int
	t1, t2, b1, b2 items
	p              int
}

func (*carModel) countsObjects() {}

func (m *carModel) request(x item) bool {
	c := m.capacity
	for _, t := range []items{m.t1, m.t2} {
		if i := t.find(x.id); i >= 0 {
			t[i].n = 1
			return true
		}
	}
	known := m.b1.find(x.id) >= 0 || m.b2.find(x.id) >= 0
	if len(m.t1)+len(m.t2) == c {
		m.replace()
		if !known && len(m.t1)+len(m.b1) == c {
			m.b1.take(0)
		} else if !known && len(m.t1)+len(m.t2)+len(m.b1)+len(m.b2) == 2*c {
			m.b2.take(0)
		}
	}
	if i := m.b1.find(x.id); i >= 0 {
		m.p = min(m.p+max(1, len(m.b2)/len(m.b1)), c)
		m.t2.put(m.b1.take(i))
	} else if i := m.b2.find(x.id); i >= 0 {
		m.p = max(m.p-max(1, len(m.b1)/len(m.b2)), 0)
		m.t2.put(m.b2.take(i))
	} else {
		m.t1.put(x)
	}
	return false
}

func (m *carModel) replace() {
	for {
		from, to := &m.t2, &m.b2
		if len(m.t1) >= max(1, m.p) || len(m.t2) == 0 {
			from, to = &m.t1, &m.b1
		}
		it := from.take(0)
		if it.n == 0 {
			to.put(it)
			return
		}
		it.n = 0
		m.t2.put(it)
	}
}

// lruKModel remembers the times of all requests for what it has or remembers.
type lruKModel struct {
	residents, past     items
	capacity, remembers uint64
	k                   int
	times               map[uint32][]int
	now                 int
}

func newLRUKModel(capacity uint64, k int, remembers uint64) *lruKModel {
	return &lruKModel{capacity: capacity, remembers: remembers, k: k, times: make(map[uint32][]int)}
}

func (m *lruKModel) request(it item) bool {
	hit := m.residents.find(it.id) >= 0
	if !hit && it.weight > m.capacity {
		return false
	}
	if i := m.past.find(it.id); i >= 0 {
		m.past.take(i)
	}
	for !hit && m.residents.weight()+it.weight > m.capacity {
		m.past.put(m.residents.take(m.worst()))
		for m.past.weight() > m.remembers {
			delete(m.times, m.past.take(0).id)
		}
	}
	if !hit {
		m.residents.put(it)
	}
	m.now++
	m.times[it.id] = append(m.times[it.id], m.now)
	return hit
}

// worst is the index of the resident whose k-th last request is the oldest: one that never was is older than any, and of
// these counts the last one.
func (m *lruKModel) worst() (at int) {
	rank := func(i int) int {
		times := m.times[m.residents[i].id]
		if len(times) < m.k {
			return times[len(times)-1] - 1e6
		}
		return times[len(times)-m.k]
	}
	for i := range m.residents {
		if rank(i) < rank(at) {
			at = i
		}
	}
	return at
}
