package plugins

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
)

// cacheModel is the simplest cache there is: it says whether a guest's answer can be, with no regard to why not.
type cacheModel struct {
	objects  uint32
	capacity uint64
	resident map[uint32]uint64 // sizes by id
}

func (m *cacheModel) used() (n uint64) {
	for _, size := range m.resident {
		n += size
	}
	return n
}

type goes struct{ at, id uint32 }

// takes follows a batch, and reports whether it can be.
func (m *cacheModel) takes(ids, sizes []uint32, hit []bool, gone []goes) bool {
	for i, id := range ids {
		if _, in := m.resident[id]; in != hit[i] {
			return false
		}
		if !hit[i] {
			m.resident[id] = uint64(sizes[i])
		}
		for len(gone) > 0 && gone[0].at == uint32(i) {
			if _, in := m.resident[gone[0].id]; !in || hit[i] && gone[0].id == id {
				return false
			}
			delete(m.resident, gone[0].id)
			gone = gone[1:]
		}
		if m.used() > m.capacity {
			return false
		}
	}
	return len(gone) == 0
}

// honest is what a FIFO that keeps the residents in order answers; it follows in m.
func (m *cacheModel) honest(order *[]uint32, ids, sizes []uint32) (hit []bool, gone []goes) {
	for i, id := range ids {
		_, in := m.resident[id]
		if hit = append(hit, in); in {
			continue
		}
		for m.used()+uint64(sizes[i]) > m.capacity && len(*order) > 0 {
			gone = append(gone, goes{uint32(i), (*order)[0]})
			delete(m.resident, (*order)[0])
			*order = (*order)[1:]
		}
		m.resident[id] = uint64(sizes[i])
		*order = append(*order, id)
	}
	return hit, gone
}

// tamper changes an answer as two bytes say.
func tamper(hit []bool, gone []goes, what, how byte) []goes {
	switch i := int(what >> 3); what & 7 {
	case 0:
		hit[i%len(hit)] = !hit[i%len(hit)]
	case 1:
		gone = append(gone, goes{uint32(i), uint32(how)})
	case 2:
		gone = slices.Insert(gone, i%(len(gone)+1), goes{uint32(how % 32), uint32(how >> 3)})
	case 3:
		if len(gone) > 0 {
			gone[i%len(gone)].id = uint32(how)
		}
	case 4:
		if len(gone) > 0 {
			gone[i%len(gone)].at += uint32(int8(how))
		}
	case 5:
		if len(gone) > 0 {
			gone = slices.Delete(gone, i%len(gone), i%len(gone)+1)
		}
	case 6:
		if len(gone) > 1 {
			gone[0], gone[i%len(gone)] = gone[i%len(gone)], gone[0]
		}
	}
	return gone
}

// encode writes an answer as a guest does. Bits behind the batch are set: they do not count.
func encode(hit []bool, gone []goes) (hits []byte, v victims) {
	hits = slices.Repeat([]byte{0xff}, (len(hit)+31)/32*4)
	for i, is := range hit {
		if !is {
			hits[i/8] &^= 1 << (i % 8)
		}
	}
	for _, g := range gone {
		v = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(v, g.at), g.id)
	}
	return hits, v
}

// FuzzPolicyAnswers gives the host's books answers of a guest that is not always honest: they must take them if, and only if,
// the model does, and then have the same residents.
func FuzzPolicyAnswers(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 0, 1, 4, 5, 6, 0}, uint16(3), false, []byte{})
	f.Add(slices.Repeat([]byte{9, 1, 2, 200, 31, 64, 7}, 60), uint16(5), false, []byte{0, 0, 4, 255})
	f.Add(slices.Repeat([]byte{9, 1, 2, 200, 31, 64, 7, 100}, 60), uint16(90), true, []byte{2, 7, 11, 4, 20, 1})
	for what := range byte(8) {
		f.Add(slices.Repeat([]byte{3, 1, 2, 20, 31, 6, 7}, 40), uint16(4), what&1 == 1, []byte{what | 32, 3})
	}
	f.Fuzz(func(t *testing.T, requests []byte, capacity uint16, bytes bool, tampering []byte) {
		const objects, batch = 200, 70
		spec := evict.Spec{Objects: objects, Capacity: uint64(capacity) + 1, Bytes: bytes}
		fast := newBooks(&spec)
		spec.Evicted = func(uint32) {}
		slow := newBooks(&spec)
		m := cacheModel{objects: objects, capacity: spec.Capacity, resident: make(map[uint32]uint64)}
		var order []uint32
		for n := 0; len(requests) > 0 && n < 64; n++ {
			ids, sizes := make([]uint32, min(len(requests), batch)), make([]uint32, min(len(requests), batch))
			for i := range ids {
				ids[i], sizes[i] = uint32(requests[i])%objects, 1
				if bytes {
					sizes[i] = min(ids[i]%16, uint32(capacity)+1)
				}
			}
			requests = requests[len(ids):]
			before := maps.Clone(m.resident)
			hit, gone := m.honest(&order, ids, sizes)
			honest := maps.Clone(m.resident)
			lied := len(tampering) > 1 && n%2 == 1
			if lied {
				gone = tamper(hit, gone, tampering[0], tampering[1])
				tampering = tampering[2:]
			}
			m.resident = before
			want := m.takes(ids, sizes, hit, gone)
			if !lied && !want {
				t.Fatal("the model does not take what is honest")
			}
			hits, v := encode(hit, gone)
			i, err := fast.check(ids, sizes, hits, v)
			j, err2 := slow.check(ids, sizes, hits, v)
			if (err == nil) != want || errorText(err) != errorText(err2) || i != j {
				t.Fatalf("hits %v, victims %v: %v at %d and %v at %d, but the model says %v", hit, gone, err, i, err2, j, want)
			}
			if !want {
				return
			}
			sameResidents(t, &fast, &m)
			sameResidents(t, &slow, &m)
			if !maps.Equal(honest, m.resident) {
				return // it lied well, and would not know its own order any more
			}
		}
	})
}

func sameResidents(t *testing.T, b *books, m *cacheModel) {
	t.Helper()
	for id := range m.objects {
		if _, in := m.resident[id]; in != b.Contains(id) {
			t.Fatalf("object %d is resident: %v, want %v", id, b.Contains(id), in)
		}
	}
	if b.used != m.used() {
		t.Fatalf("%d in use, want %d", b.used, m.used())
	}
}
