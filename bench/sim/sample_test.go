package sim

import (
	"math"
	"testing"
)

func TestSampleHasAllRequestsOfItsObjects(t *testing.T) {
	tr := made(1, 100_000, 20_000)
	requests := make([]int, tr.Objects)
	for _, id := range tr.IDs {
		requests[id]++
	}
	s := sample(tr, 0.25, 7)
	if share := float64(s.objects) / float64(tr.Objects); math.Abs(share-0.25) > 0.02 {
		t.Errorf("%v of the objects are in a sample of 0.25", share)
	}
	// Ids of the sample are dense and in the order of their first appearance in the trace's order of ids.
	var chosen []uint32
	for id := range tr.Objects {
		if mix(uint64(id)^mix(7)) < 1<<62 {
			chosen = append(chosen, uint32(id))
		}
	}
	if len(chosen) != s.objects {
		t.Fatalf("the sample has %d objects, want %d", s.objects, len(chosen))
	}
	seen := make([]int, s.objects)
	for i, id := range s.ids {
		seen[id]++
		if s.sizes[i] == 0 || s.costs[i] != float32(chosen[id]%7) {
			t.Fatalf("object %d has size %d and cost %v", chosen[id], s.sizes[i], s.costs[i])
		}
	}
	for id, n := range seen {
		if n != requests[chosen[id]] {
			t.Errorf("object %d has %d requests in the sample and %d in the trace", chosen[id], n, requests[chosen[id]])
		}
	}
	if other := sample(tr, 0.25, 8); other.objects == s.objects && len(other.ids) == len(s.ids) {
		t.Error("another seed has the same sample")
	}
}

func TestEstimatesAreNear(t *testing.T) {
	tr := made(3, 1_000_000, 200_000)
	o := Options{Trace: tr, Policies: mustPolicies(t, "lru", "sieve"), Sizes: mustSizes(t, "1%", "10%", "50%")}
	exact, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Sample = 0.2
	sampled, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if s := sampled.Sample; s == nil || s.Seeds != 5 || s.Objects < MinSampled {
		t.Fatalf("the sample is %+v", s)
	}
	for i, p := range sampled.Results {
		e, want := p.Estimate, exact.Results[i].MissRatio
		best := e.Best()
		if math.Abs(best.Ratio-want) > 0.02 {
			t.Errorf("%s at %d: estimate %v, exactly %v", p.Policy, p.CacheSize, best, want)
		}
		if e.Raw.Ratio != p.MissRatio || e.Raw.Low > e.Raw.Ratio || e.Raw.High < e.Raw.Ratio ||
			e.Adjusted.Low > e.Adjusted.Ratio || e.Adjusted.High < e.Adjusted.Ratio || e.Raw.Low == e.Raw.High {
			t.Errorf("%s at %d: estimate %+v", p.Policy, p.CacheSize, e)
		}
	}
}
