package evict

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestModels compares policies with ones that say the same in the plainest way.
func TestModels(t *testing.T) {
	models := map[string]func(capacity uint64) model{
		"fifo": func(c uint64) model { return &queueModel{capacity: c} },
		"lifo": func(c uint64) model { return &queueModel{capacity: c, newest: true} },
		"lru":  func(c uint64) model { return &queueModel{capacity: c, touch: true} },
		"mru":  func(c uint64) model { return &queueModel{capacity: c, touch: true, newest: true} },

		"clock":        func(c uint64) model { return &clockModel{capacity: c, most: 1} },
		"clock:bits=3": func(c uint64) model { return &clockModel{capacity: c, most: 7} },
		"sieve":        func(c uint64) model { return &sieveModel{capacity: c} },
		"lfu":          func(c uint64) model { return &lfuModel{capacity: c} },
		"lfuda":        func(c uint64) model { return &lfuModel{capacity: c, ages: true} },

		"2q":               func(c uint64) model { return &twoqModel{capacity: c, most: c / 4, remembers: c / 2} },
		"s3fifo":           func(c uint64) model { return &s3Model{capacity: c, most: max(c/10, 1), remembers: c * 9 / 10} },
		"s3fifo:small=0.5": func(c uint64) model { return &s3Model{capacity: c, most: max(c/2, 1), remembers: c * 9 / 10} },
		"slru":             func(c uint64) model { return &slruModel{capacity: c, most: c / 4, segments: make([]items, 4)} },
		"slru:segments=2":  func(c uint64) model { return &slruModel{capacity: c, most: c / 2, segments: make([]items, 2)} },
	}
	const objects, requests = 60, 4000
	dice := rand.New(rand.NewPCG(1, 1))
	ids, sizes := make([]uint32, requests), make([]uint32, requests)
	for i := range ids {
		ids[i] = dice.Uint32N(1 + dice.Uint32N(objects))
		sizes[i] = dice.Uint32N(20)
	}
	hits := make([]uint64, requests/64+1)
	for name, build := range models {
		for capacity := range uint64(objects + 2) {
			for _, bytes := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d, bytes %v", name, capacity+1, bytes), func(t *testing.T) {
					p, err := New(name, Spec{Objects: objects, Capacity: capacity + 1, Bytes: bytes})
					if err != nil {
						t.Fatal(err)
					}
					p.Replay(ids, sizes, hits)
					m := build(capacity + 1)
					for i, id := range ids {
						weight := uint64(1)
						if bytes {
							weight = uint64(sizes[i])
						}
						hit := hits[i>>6]>>(i&63)&1 == 1
						if want := m.request(item{id: id, weight: weight}); hit != want {
							t.Fatalf("request %d, for object %d: hit = %v, want %v", i, id, hit, want)
						}
					}
				})
			}
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
