package policytest_test

import (
	"math/rand/v2"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/core/evict/policytest"
)

func TestPolicies(t *testing.T) {
	for _, p := range evict.Policies() {
		t.Run(p.Name, func(t *testing.T) { policytest.Run(t, p.Name) })
	}
}

// TestInclusion demands that what LRU, or OPT, has in a cache it has in every larger one, so that a hit stays a hit.
func TestInclusion(t *testing.T) {
	for _, name := range []string{"lru", "lruk:k=1", "opt"} {
		for seed := range uint64(20) {
			dice := rand.New(rand.NewPCG(seed, 1))
			ids := make([]uint32, 512)
			for i := range ids {
				ids[i] = dice.Uint32N(1 + dice.Uint32N(60))
			}
			var smaller [8]uint64
			for capacity := range uint64(62) {
				p, err := evict.New(name, evict.Spec{Objects: 60, Capacity: capacity + 1})
				if err != nil {
					t.Fatal(err)
				}
				if offline, ok := p.(evict.Offline); ok {
					offline.Prepare(ids, nil)
				}
				var hits [8]uint64
				p.Replay(ids, nil, hits[:])
				for i, word := range smaller {
					if lost := word &^ hits[i]; lost != 0 {
						t.Fatalf("%s, seed %d: of requests from %d on, %#x hit in a cache of %d and miss in one of %d",
							name, seed, 64*i, lost, capacity, capacity+1)
					}
				}
				smaller = hits
			}
		}
	}
}

func TestAdmissions(t *testing.T) {
	for _, a := range evict.Admissions() {
		for _, policy := range []string{"lru", "s3fifo", "arc", "wtinylfu"} {
			name := policy + "+" + a.Name
			if a.Name == "adaptsize" {
				name += ":interval=3200" // so that it chooses
			}
			t.Run(name, func(t *testing.T) { policytest.RunAdmission(t, name) })
		}
	}
}
