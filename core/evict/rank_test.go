package evict

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRanked has every Ranker say what goes next, and then throw out everything for one object that fills the cache.
func TestRanked(t *testing.T) {
	rankers := 0
	for _, info := range Policies() {
		const objects = 40
		var out []uint32
		p, err := New(info.Name, Spec{Objects: objects + 1, Capacity: 20, Bytes: true, Seed: 1, Evicted: func(id uint32) { out = append(out, id) }})
		if err != nil {
			t.Fatal(err)
		}
		r, ok := p.(Ranker)
		if !ok {
			continue
		}
		rankers++
		t.Run(info.Name, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(7, 7))
			for range 500 {
				p.Replay([]uint32{uint32(dice.IntN(1 + dice.IntN(objects)))}, []uint32{1 + dice.Uint32N(2)}, make([]uint64, 1))
			}
			ids, lastFirst := r.Ranked()
			ranked, first := slices.Collect(ids), uint32(0)
			for first = range ids {
				break
			}
			out = nil
			if !p.Insert(objects, 20) {
				t.Fatal("an object that fills the cache did not come in")
			}
			if info.Random {
				slices.Sort(ranked)
				slices.Sort(out)
			} else if first != ranked[0] {
				t.Errorf("a walk that ends began with %d, want %d", first, ranked[0])
			}
			if !slices.Equal(ranked, out) {
				t.Errorf("ranked %v, thrown out %v", ranked, out)
			}
			if want := info.Name == "lifo" || info.Name == "mru"; lastFirst != want {
				t.Errorf("lastFirst = %v", lastFirst)
			}
		})
	}
	if rankers != 10 {
		t.Errorf("%d policies rank, want 10", rankers)
	}
}
