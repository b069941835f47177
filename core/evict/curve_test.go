package evict

import (
	"math/rand/v2"
	"testing"
)

// sizedTrace makes requests for some objects, few of them most of the time, and the sizes that the objects have.
func sizedTrace(dice *rand.Rand, requests, objects int, largest uint32) (ids, sizes []uint32) {
	size := make([]uint32, objects)
	for id := range size {
		size[id] = dice.Uint32N(largest + 1)
	}
	ids, sizes = make([]uint32, requests), make([]uint32, requests)
	for i := range ids {
		id := dice.IntN(objects)
		if dice.IntN(3) > 0 {
			id = dice.IntN(id + 1)
		}
		ids[i], sizes[i] = uint32(id), size[id]
	}
	return ids, sizes
}

// replayAll returns what a policy misses of a trace, in batches of an odd size.
func replayAll(t *testing.T, name string, ids, sizes []uint32, s Spec) Point {
	t.Helper()
	for _, id := range ids {
		s.Objects = max(s.Objects, int(id)+1)
	}
	p, err := New(name, s)
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := p.(Offline); ok {
		o.Prepare(ids, sizes)
	}
	missed := Point{Capacity: s.Capacity}
	hits := make([]uint64, 16)
	for from := 0; from < len(ids); from += 999 {
		to := min(from+999, len(ids))
		missed.Misses += p.Replay(ids[from:to], sizes[from:to], hits)
		for i, size := range sizes[from:to] {
			if hits[i>>6]>>(i&63)&1 == 0 {
				missed.MissBytes += uint64(size)
			}
		}
		if p.Used() > s.Capacity {
			t.Fatalf("%s uses %d of %d", name, p.Used(), s.Capacity)
		}
	}
	return missed
}

func TestLRUCurveIsLRUAtEverySize(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for _, bytes := range []bool{false, true} {
		for _, objects := range []int{1, 7, 60} {
			ids, sizes := sizedTrace(dice, 4000, objects, 9)
			var capacities []uint64
			for c := uint64(1); c < 400; c++ {
				capacities = append(capacities, c)
			}
			dice.Shuffle(len(capacities), func(i, j int) { capacities[i], capacities[j] = capacities[j], capacities[i] })
			for _, got := range LRUCurve(ids, sizes, capacities, bytes) {
				want := replayAll(t, "lru", ids, sizes, Spec{Capacity: got.Capacity, Bytes: bytes})
				if got != want {
					t.Fatalf("LRUCurve of %d objects, bytes %v = %+v, want %+v", objects, bytes, got, want)
				}
			}
		}
	}
}

func TestLRUCurveWithoutSizes(t *testing.T) {
	got := LRUCurve([]uint32{0, 1, 0, 2, 1}, nil, []uint64{1, 2, 3}, false)
	for i, want := range []int{5, 4, 3} {
		if p := (Point{Capacity: uint64(i + 1), Misses: want, MissBytes: uint64(want)}); got[i] != p {
			t.Errorf("LRUCurve[%d] = %+v, want %+v", i, got[i], p)
		}
	}
	if got := LRUCurve(nil, nil, []uint64{5}, true); got[0] != (Point{Capacity: 5}) {
		t.Errorf("LRUCurve of nothing = %+v", got)
	}
}

func BenchmarkLRUCurve(b *testing.B) {
	ids, sizes := sizedTrace(rand.New(rand.NewPCG(1, 2)), 1e6, 1e5, 1000)
	for _, bytes := range []bool{false, true} {
		b.Run(map[bool]string{false: "objects", true: "bytes"}[bytes], func(b *testing.B) {
			for b.Loop() {
				LRUCurve(ids, sizes, []uint64{1e3, 1e4, 1e5, 1e6}, bytes)
			}
			b.ReportMetric(float64(len(ids)*b.N)/b.Elapsed().Seconds()/1e6, "Mreq/s")
		})
	}
}
