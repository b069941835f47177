package evict

import (
	"math/rand/v2"
	"testing"
)

// TestPFOOLBoundsTheOptimum compares with the best that can be done at all, which is found by trying everything.
func TestPFOOLBoundsTheOptimum(t *testing.T) {
	dice := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		ids, sizes := sizedTrace(dice, 20, 5, 8)
		bytes := dice.IntN(2) == 0
		bound := PFOOL(ids, sizes, []uint64{1 + dice.Uint64N(12)}, bytes)[0]
		misses, missBytes := best(ids, sizes, bound.Capacity, bytes)
		if misses < bound.Misses || missBytes < bound.MissBytes {
			t.Fatalf("PFOOL(%v, %v, %v) = %+v, but %d misses and %d bytes are possible", ids, sizes, bytes, bound, misses, missBytes)
		}
	}
}

// best returns the fewest misses and the fewest missed bytes that any choices lead to, for up to 5 objects.
func best(ids, sizes []uint32, capacity uint64, bytes bool) (misses int, missBytes uint64) {
	const sets, never = 1 << 5, 1 << 40
	var weight [5]uint64
	for i, id := range ids {
		weight[id] = 1
		if bytes {
			weight[id] = uint64(sizes[i])
		}
	}
	var fits [sets]bool
	for set := range fits {
		var sum uint64
		for id, w := range weight {
			sum += w * uint64(set>>id&1)
		}
		fits[set] = sum <= capacity
	}
	var cost [sets][2]uint64 // to have that set resident now: misses, bytes
	for set := 1; set < sets; set++ {
		cost[set] = [2]uint64{never, never}
	}
	for i, id := range ids {
		var after [sets][2]uint64
		for set := range after {
			after[set] = [2]uint64{never, never}
		}
		for before := range cost {
			missed := uint64(1 - before>>id&1)
			for set := range after {
				if fits[set] && set&^(before|1<<id) == 0 {
					after[set][0] = min(after[set][0], cost[before][0]+missed)
					after[set][1] = min(after[set][1], cost[before][1]+missed*uint64(sizes[i]))
				}
			}
		}
		cost = after
	}
	fewest := cost[0]
	for _, c := range cost {
		fewest[0], fewest[1] = min(fewest[0], c[0]), min(fewest[1], c[1])
	}
	return int(fewest[0]), fewest[1]
}

func TestPFOOLOfACacheForAll(t *testing.T) {
	ids := []uint32{0, 1, 2, 0, 1, 2}
	sizes := []uint32{4, 5, 6, 4, 5, 6}
	for _, bytes := range []bool{false, true} {
		if got, want := PFOOL(ids, sizes, []uint64{1 << 63}, bytes)[0], (Point{1 << 63, 3, 15}); got != want {
			t.Errorf("PFOOL, bytes %v = %+v, want %+v", bytes, got, want)
		}
	}
	if got := PFOOL(nil, nil, []uint64{5}, true); got[0] != (Point{Capacity: 5}) {
		t.Errorf("PFOOL of nothing = %+v", got)
	}
}
