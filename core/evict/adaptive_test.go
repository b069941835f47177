package evict_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
)

// replayed returns how many requests of a trace miss, and which hit.
func replayed(t *testing.T, name string, capacity uint64, ids, sizes []uint32) (misses int, hits []uint64) {
	t.Helper()
	p, err := evict.New(name, evict.Spec{Objects: int(slices.Max(ids)) + 1, Capacity: capacity, Bytes: sizes != nil})
	if err != nil {
		t.Fatal(err)
	}
	hits = make([]uint64, len(ids)/64+1)
	return p.Replay(ids, sizes, hits), hits
}

func TestPoliciesThatBecomeLRU(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	ids, sizes := make([]uint32, 20000), make([]uint32, 20000)
	for i := range ids {
		ids[i] = uint32(dice.ExpFloat64() * 100)
		sizes[i] = 1 + ids[i]*7919%50
	}
	for _, name := range []string{"lruk:k=1", "lruk:k=1,ghost=0", "wtinylfu:window=1"} {
		for _, capacity := range []uint64{1, 2, 3, 10, 100, 1000} {
			for _, sizes := range [][]uint32{nil, sizes} {
				_, want := replayed(t, "lru", capacity, ids, sizes)
				if _, got := replayed(t, name, capacity, ids, sizes); !slices.Equal(got, want) {
					t.Errorf("%s with capacity %d, bytes %v: other requests hit than in LRU", name, capacity, sizes != nil)
				}
			}
		}
	}
}

// A loop that is a little larger than the cache is what LRU can do nothing with.
func TestPoliciesOnALoop(t *testing.T) {
	const objects, rounds, capacity = 1100, 50, 1000
	var ids []uint32
	for range rounds {
		for id := range uint32(objects) {
			ids = append(ids, id)
		}
	}
	best := objects + (rounds-1)*(objects-capacity) // misses, about
	for name, most := range map[string]int{
		"lirs": best + best/5, "clockproplus": best + best/5, "lruk": len(ids), "wtinylfu": 3 * best, "wtinylfu-adaptive": 5 * best,
	} {
		if misses, _ := replayed(t, name, capacity, ids, nil); misses > most {
			t.Errorf("%s misses %d of %d requests, want at most %d", name, misses, len(ids), most)
		}
	}
	if misses, _ := replayed(t, "lru", capacity, ids, nil); misses != len(ids) {
		t.Errorf("LRU misses %d of %d requests, want all", misses, len(ids))
	}
}

// What was asked for twice outlives a scan of objects that are asked for once.
func TestPoliciesOnAScan(t *testing.T) {
	const popular, scanned, capacity = 500, 100000, 1000
	var ids []uint32
	for range 5 {
		for id := range uint32(popular) {
			ids = append(ids, id)
		}
	}
	for id := range uint32(scanned) {
		ids = append(ids, popular+id)
	}
	before := len(ids)
	for id := range uint32(popular) {
		ids = append(ids, id)
	}
	for _, name := range []string{"arc", "car", "lirs", "clockproplus", "lruk", "wtinylfu", "wtinylfu-adaptive"} {
		all, _ := replayed(t, name, capacity, ids, nil)
		scan, _ := replayed(t, name, capacity, ids[:before], nil)
		if lost := all - scan; lost > popular/20 {
			t.Errorf("%s lost %d of %d popular objects to a scan, want at most %d", name, lost, popular, popular/20)
		}
	}
}

// LRU-2 throws out the object whose last request but one is the oldest, not the one whose last request is.
func TestLRUKThrowsOutByTheKthLastRequest(t *testing.T) {
	var gone []uint32
	p, err := evict.New("lruk", evict.Spec{Objects: 4, Capacity: 3, Evicted: func(id uint32) { gone = append(gone, id) }})
	if err != nil {
		t.Fatal(err)
	}
	p.Replay([]uint32{0, 1, 1, 2, 2, 0, 3}, nil, make([]uint64, 1))
	if !slices.Equal(gone, []uint32{0}) {
		t.Errorf("thrown out: %v, want 0, of which the last request but one is the oldest", gone)
	}
}

func TestPoliciesRefuseParameters(t *testing.T) {
	for _, name := range []string{
		"lruk:k=0", "lruk:k=17", "lruk:k=two", "lruk:ghost=-1", "lirs:ghost=NaN", "lirs:ghost=", "lirs:ghost=0.5", "wtinylfu:window=1.1",
		"wtinylfu-adaptive:window=-0.1", "arc:p=1", "clockproplus:cold=0.5",
	} {
		if _, err := evict.New(name, evict.Spec{Objects: 1, Capacity: 1}); err == nil {
			t.Errorf("New(%q) made a policy", name)
		}
	}
}
