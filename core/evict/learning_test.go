package evict

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// loopTrace asks for some objects over and over in the same order.
func loopTrace(requests, objects int) (ids, sizes []uint32) {
	ids, sizes = make([]uint32, requests), make([]uint32, requests)
	for i := range ids {
		ids[i], sizes[i] = uint32(i%objects), 1
	}
	return ids, sizes
}

// TestLearnersKeepPartOfALoop asks for more than fits in a loop: LRU always throws out what comes next.
func TestLearnersKeepPartOfALoop(t *testing.T) {
	ids, sizes := loopTrace(200000, 1000)
	if lru := replayAll(t, "lru", ids, sizes, Spec{Capacity: 200}); lru.Misses != len(ids) {
		t.Fatalf("LRU misses %d of %d", lru.Misses, len(ids))
	}
	for _, name := range []string{"cacheus", "lhd:interval=5000"} {
		got := replayAll(t, name, ids, sizes, Spec{Capacity: 200, Seed: 1})
		if most := len(ids) * 85 / 100; got.Misses > most {
			t.Errorf("%s misses %d of a loop, want %d at most", name, got.Misses, most)
		}
	}
}

// TestFrequentOnesStay asks for some objects often, for others once.
func TestFrequentOnesStay(t *testing.T) {
	dice := rand.New(rand.NewPCG(11, 12))
	ids, sizes := loopTrace(100000, 100000)
	for i := range ids {
		if i%3 > 0 {
			ids[i] = dice.Uint32N(50)
		}
	}
	for _, name := range []string{"gdsf", "lecar", "lecar:keep=1", "hyperbolic", "lhd", "cacheus"} {
		got := replayAll(t, name, ids, sizes, Spec{Capacity: 80, Seed: 1})
		if most := len(ids) * 45 / 100; got.Misses > most {
			t.Errorf("%s misses %d, want %d at most", name, got.Misses, most)
		}
	}
}

func TestGDSFThrowsOutTheLargest(t *testing.T) {
	p, err := New("gdsf", Spec{Objects: 4, Capacity: 100, Bytes: true})
	if err != nil {
		t.Fatal(err)
	}
	p.Insert(0, 70)
	p.Insert(1, 20)
	p.Insert(2, 10)
	p.Hit(0)
	p.Insert(3, 1) // two requests for 70 bytes are less than one for 20 or 10
	for id, want := range []bool{false, true, true, true} {
		if got := p.Contains(uint32(id)); got != want {
			t.Errorf("Contains(%d) = %v, want %v", id, got, want)
		}
	}
}

func TestHeapIsInOrder(t *testing.T) {
	dice := rand.New(rand.NewPCG(13, 14))
	h := newHeap(500)
	ranks := make(map[uint32]rank)
	for range 20000 {
		id := dice.Uint32N(500)
		r := rank{float64(dice.IntN(50)), dice.Uint64N(4)<<32 | uint64(id)}
		_, in := ranks[id]
		switch {
		case !in:
			h.push(id, r)
			ranks[id] = r
		case dice.IntN(2) == 0:
			h.fix(id, r)
			ranks[id] = r
		default:
			h.remove(id)
			delete(ranks, id)
		}
	}
	for len(ranks) > 0 {
		top := h.top()
		for id, r := range ranks {
			if r.less(ranks[top]) {
				t.Fatalf("%d with %v is on top, where %d has %v", top, ranks[top], id, r)
			}
		}
		if h.rank(top) != ranks[top] {
			t.Fatalf("rank(%d) = %v, want %v", top, h.rank(top), ranks[top])
		}
		h.remove(top)
		delete(ranks, top)
	}
}

func TestRescaleKeepsTheSum(t *testing.T) {
	for _, shift := range []uint{1, 5, 9} {
		counts := []float32{8, 0, 4, 0, 0, 2, 0, 1}
		rescale(counts, 5, shift)
		var sum float32
		for _, n := range counts {
			sum += n
		}
		if sum != 15 {
			t.Errorf("from 5 to %d: %v has %v in all, want 15", shift, counts, sum)
		}
	}
	counts := []float32{1, 2, 3, 4}
	rescale(counts, 3, 4)
	if want := []float32{3, 7, 0, 0}; !slices.Equal(counts, want) {
		t.Errorf("from 3 to 4: %v, want %v", counts, want)
	}
	rescale(counts, 4, 3)
	if want := []float32{1.5, 1.5, 3.5, 3.5}; !slices.Equal(counts, want) {
		t.Errorf("from 4 to 3: %v, want %v", counts, want)
	}
}

func TestWeightGoesToWhoIsRight(t *testing.T) {
	w := weight(0.5)
	w.learn(expertLRU, math.Ln2, 0.01)
	if math.Abs(float64(w)-1./3) > 1e-12 {
		t.Errorf("weight of LRU after it lost half = %v, want 1/3", w)
	}
	for range 1000 {
		w.learn(expertLFU, 1, 0.01)
	}
	if w != 0.99 {
		t.Errorf("weight of LRU where LFU is always wrong = %v, want 0.99", w)
	}
}
