package sim

import (
	"testing"

	"github.com/edgecache/edgecache/bench/trace"
)

// asideTrace has a set for some gets that miss, and one delete.
func asideTrace() *trace.Trace {
	const get, set, del = trace.OpGet, trace.OpSet, trace.OpDelete
	return &trace.Trace{
		Name:  "t",
		IDs:   []uint32{0, 0, 0, 1, 1, 1, 0, 0, 2, 2},
		Ops:   []trace.Op{get, set, get, get, get, set, del, get, set, get},
		Sizes: []uint32{10, 10, 10, 20, 20, 20, 10, 10, 30, 30}, Objects: 3, Footprint: 60,
	}
}

func TestLookAside(t *testing.T) {
	for _, name := range []string{"lru", "fifo", "sieve", "s3fifo", "arc"} {
		p, err := Native(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(t.Context(), Options{
			Trace: asideTrace(), Policies: []Policy{p}, Sizes: []Size{{count: 1000}}, Bytes: true, LookAside: true, Gap: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		got := r.Results[0]
		// Gets miss at first, twice before the second set, and after the delete.
		if got.Error != "" || got.Requests != 6 || got.Misses != 4 || got.Evictions != 0 || got.ByteMissRatio != 60.0/100 {
			t.Errorf("%s: %+v, want 4 misses of 6 gets", name, got)
		}
	}
}

func TestLookAsideNeedsSets(t *testing.T) {
	tr := asideTrace()
	tr.Ops = nil
	lru, err := Native("lru")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{Trace: tr, Policies: []Policy{lru}, Sizes: []Size{{count: 2}}, LookAside: true}); err == nil {
		t.Error("a trace without sets was taken")
	}
}

func TestLookAsideLeavesOutWhoKnowsTheFuture(t *testing.T) {
	policies, err := ParsePolicies([]string{"all"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Options{Trace: asideTrace(), Policies: policies, Sizes: []Size{{count: 2}}, LookAside: true})
	if err != nil || len(r.Failed()) > 0 {
		t.Fatalf("%v, %+v", err, r.Failed())
	}
	if r.Find("opt", 2) != nil || r.Find(boundName, 2) != nil || r.Find("lru", 2) == nil {
		t.Errorf("results are %+v", r.Results)
	}
	opt, err := Native("opt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{Trace: asideTrace(), Policies: []Policy{opt}, Sizes: []Size{{count: 2}}, LookAside: true}); err == nil {
		t.Error("opt ran")
	}
}
