package evict

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestOPTThrowsOutTheFarthest(t *testing.T) {
	dice := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		objects := 1 + dice.IntN(30)
		ids, sizes := sizedTrace(dice, 150, objects, 9)
		capacity := 1 + dice.IntN(min(5, objects))
		if dice.IntN(2) == 0 {
			capacity = 1 + dice.IntN(objects+2)
		}
		got := replayAll(t, "opt", ids, sizes, Spec{Capacity: uint64(capacity)})
		if want := farthestMisses(ids, capacity); got.Misses != want {
			t.Fatalf("OPT with %d misses %d, want %d", capacity, got.Misses, want)
		}
	}
}

// farthestMisses counts what misses by looking ahead for every choice.
func farthestMisses(ids []uint32, capacity int) (misses int) {
	var residents []uint32
	for i, id := range ids {
		if slices.Contains(residents, id) {
			continue
		}
		misses++
		if len(residents) == capacity {
			last, at := -1, 0
			for r, resident := range residents {
				next := slices.Index(ids[i:], resident)
				if next < 0 {
					next = len(ids)
				}
				if next > last {
					last, at = next, r
				}
			}
			residents = slices.Delete(residents, at, at+1)
		}
		residents = append(residents, id)
	}
	return misses
}

func TestOPTWithoutWhatWasRemoved(t *testing.T) {
	ids := []uint32{0, 1, 2, 1, 3, 0, 1, 3}
	p, err := New("opt", Spec{Objects: 4, Capacity: 2})
	if err != nil {
		t.Fatal(err)
	}
	p.(Offline).Prepare(ids, nil)
	p.Insert(0, 1)
	p.Insert(1, 1)
	p.Remove(0) // comes later than 1, so it is the first that a full cache would look for
	p.Insert(2, 1)
	p.Hit(1)
	p.Insert(3, 1) // 2 goes: it never comes again
	p.Insert(0, 1) // 3 goes: it comes after 1
	for id, want := range []bool{true, true, false, false} {
		if got := p.Contains(uint32(id)); got != want {
			t.Errorf("Contains(%d) = %v, want %v", id, got, want)
		}
	}
}

func TestPositionsGiveTheLargest(t *testing.T) {
	dice := rand.New(rand.NewPCG(9, 10))
	for _, limit := range []uint32{1, 63, 64, 65, 5000, 300000} {
		p := newPositions(int(limit))
		in := make(map[uint32]bool)
		for range 500 {
			n := dice.Uint32N(limit)
			p.add(n)
			in[n] = true
		}
		var got []uint32
		for range in {
			got = append(got, p.takeLargest())
		}
		if !slices.IsSortedFunc(got, func(a, b uint32) int { return int(b) - int(a) }) || len(slices.Compact(got)) != len(in) {
			t.Errorf("below %d: %v is not what was added, largest first", limit, got)
		}
	}
}
