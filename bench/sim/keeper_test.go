package sim

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/bench/trace"
)

// TestLives has caches that are large enough for all.
func TestLives(t *testing.T) {
	type request struct {
		at  int64
		id  uint32
		op  trace.Op
		ttl uint32
	}
	const get, set, del, other = trace.OpGet, trace.OpSet, trace.OpDelete, trace.OpOther
	for _, tt := range []struct {
		what            string
		requests        []request
		ttl             int64
		aside           bool
		misses, expired uint64
	}{
		{"a get after the end", []request{{0, 0, set, 10}, {9, 0, get, 0}, {10, 0, get, 0}, {11, 0, get, 0}}, SourceTTL, false, 2, 1},
		{"a set prolongs", []request{{0, 0, set, 10}, {9, 0, set, 10}, {18, 0, get, 0}, {19, 0, get, 0}}, SourceTTL, false, 2, 1},
		{"a set without an end", []request{{0, 0, set, 10}, {9, 0, set, 0}, {99, 0, get, 0}}, SourceTTL, false, 1, 0},
		{"another may prolong", []request{{0, 0, set, 10}, {5, 0, other, 90}, {50, 0, other, 0}, {94, 0, get, 0}, {95, 0, get, 0}}, SourceTTL, false, 2, 1},
		{"a get does not prolong", []request{{0, 0, get, 10}, {9, 0, get, 10}, {10, 0, get, 10}}, SourceTTL, false, 2, 1},
		{"a fetch begins a life", []request{{0, 0, get, 10}, {12, 0, get, 10}, {21, 0, get, 10}, {22, 0, get, 10}}, SourceTTL, false, 3, 2},
		{"one for all", []request{{0, 0, get, 0}, {5, 0, get, 99}, {6, 0, get, 0}, {9, 0, other, 50}, {12, 0, get, 0}}, 6, false, 3, 2},
		{"longer than time is", []request{{math.MaxInt64 - 1, 0, get, 10}, {math.MaxInt64 - 1, 0, get, 10}}, SourceTTL, false, 1, 0},
		{"beside, gets fetch nothing", []request{{0, 0, get, 0}, {0, 0, set, 10}, {9, 0, get, 0}, {10, 0, get, 0}, {11, 0, get, 0}}, SourceTTL, true, 3, 1},
		{"beside, a late set is no miss", []request{{0, 0, set, 0}, {9, 0, set, 0}, {10, 0, get, 0}}, 5, true, 0, 0},
		{"beside, a delete ends", []request{{0, 0, set, 0}, {1, 0, del, 0}, {2, 0, get, 0}}, 100, true, 1, 0},
		{"beside, another may prolong", []request{{0, 0, set, 3}, {1, 0, other, 50}, {9, 0, get, 0}, {9, 1, other, 0}}, SourceTTL, true, 0, 0},
	} {
		tr := &trace.Trace{Name: "t", Objects: 2, Footprint: 2}
		for _, r := range tt.requests {
			tr.IDs, tr.Times, tr.Ops, tr.TTLs = append(tr.IDs, r.id), append(tr.Times, r.at), append(tr.Ops, r.op), append(tr.TTLs, r.ttl)
		}
		r, err := Run(t.Context(), Options{
			Trace: tr, Policies: mustPolicies(t, "all"), Sizes: mustSizes(t, "100"), TTL: tt.ttl, LookAside: tt.aside, Gap: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Results {
			if p.Error != "" || p.Misses != tt.misses || p.ExpiredMisses != tt.expired || p.Evictions != 0 {
				t.Errorf("%s: %+v, want %d misses, %d of them expired", tt.what, p, tt.misses, tt.expired)
			}
		}
		if r.Find("opt", 100) != nil || r.Find("lru", 100) == nil {
			t.Errorf("%s: who knows the future ran, or nobody else: %+v", tt.what, r.Results)
		}
	}
	opt := Options{Trace: made(1, 100, 10), Policies: mustPolicies(t, "opt"), Sizes: mustSizes(t, "5"), TTL: 5}
	if _, err := Run(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "policies that know the future") {
		t.Errorf("OPT alone: %v", err)
	}
}

// TestAges compares with the simplest LRU cache that looks at the age of what it finds.
func TestAges(t *testing.T) {
	const capacity = 40
	tr := made(12, 9000, 300)
	for i, id := range tr.IDs {
		tr.TTLs = append(tr.TTLs, id%4*70)
		tr.Times = append(tr.Times, int64(1000+i/3))
	}
	var misses, expired uint64
	var resident []uint32
	dies := make(map[uint32]int64)
	for i, id := range tr.IDs {
		if at := slices.Index(resident, id); at >= 0 {
			resident = slices.Delete(resident, at, at+1)
			if dies[id] == 0 || tr.Times[i] < dies[id] {
				resident = append(resident, id)
				continue
			}
			expired++
		}
		misses++
		if len(resident) == capacity {
			resident = resident[1:]
		}
		resident = append(resident, id)
		dies[id] = 0
		if tr.TTLs[i] > 0 {
			dies[id] = tr.Times[i] + int64(tr.TTLs[i])
		}
	}
	r, err := Run(t.Context(), Options{Trace: tr, Policies: mustPolicies(t, "lru"), Sizes: mustSizes(t, "40"), TTL: SourceTTL})
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Results[0]; p.Misses != misses || p.ExpiredMisses != expired || expired == 0 {
		t.Errorf("%d misses, %d of them expired, want %d and %d", p.Misses, p.ExpiredMisses, misses, expired)
	}
	s := sample(tr, 0.5, 1)
	if len(s.ttls) != len(s.ids) || len(s.times) != len(s.ids) {
		t.Errorf("a sample of %d requests has %d TTLs and %d times", len(s.ids), len(s.ttls), len(s.times))
	}
}
