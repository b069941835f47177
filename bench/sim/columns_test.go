package sim

import (
	"slices"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
)

// TestWhatComesInAndGoes demands that what follows from the misses is what is counted one by one, for all policies.
func TestWhatComesInAndGoes(t *testing.T) {
	for _, bytes := range []bool{false, true} {
		tr := made(11, 9000, 500)
		tr.TTLs = make([]uint32, len(tr.IDs))
		for i, id := range tr.IDs {
			tr.TTLs[i] = id % 5 * 500
		}
		var each []Policy
		all := mustPolicies(t, "all", "lru+always", "arc+second-hit", "sieve+probability:p=0.5", "wtinylfu+tinylfu")
		for _, p := range all {
			each = append(each, Policy{Name: p.Name, New: p.New})
		}
		o := Options{Trace: tr, Policies: all, Sizes: mustSizes(t, "1", "3", "1%", "20%"), Bytes: bytes}
		if bytes {
			o.TTL = SourceTTL
		}
		derived, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		o.Policies = each
		counted, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range derived.Results {
			want := counted.Results[i]
			if got.Error != "" || got.Evictions != want.Evictions || got.AdmittedBytes != want.AdmittedBytes || got.ExpiredMisses != want.ExpiredMisses {
				t.Errorf("bytes %v: %+v, counted one by one %+v", bytes, got, want)
			}
			if got.AdmittedBytes > got.OriginBytes || got.Evictions > got.Misses {
				t.Errorf("bytes %v: more came in than missed: %+v", bytes, got)
			}
		}
	}
}

func TestAdmissionAlwaysChangesNothing(t *testing.T) {
	for _, bytes := range []bool{false, true} {
		o := Options{Trace: made(13, 8000, 500), Policies: mustPolicies(t, "all"), Sizes: mustSizes(t, "2%"), Bytes: bytes}
		o.Policies = append(o.Policies, mustPolicies(t, "all+always")...)
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range r.Results {
			name, admission := evict.SplitAdmission(got.Policy)
			if admission == "" {
				continue
			}
			want := r.Find(name, got.CacheSize)
			if got.Error != "" || got.Misses != want.Misses || got.Evictions != want.Evictions || got.AdmittedBytes != want.AdmittedBytes {
				t.Errorf("bytes %v: %+v, without the stage %+v", bytes, got, *want)
			}
		}
	}
}

// TestExpiry compares with the simplest LRU cache that looks at the age of what it finds.
func TestExpiry(t *testing.T) {
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

// declares is a policy that says how much it keeps.
type declares struct{ evict.Policy }

func (declares) MetadataBytes() uint64 { return 12_345 }

func TestMetadata(t *testing.T) {
	const objects = 10_000
	build := func(name string, bytes bool) evict.Policy {
		p, err := evict.New(name, evict.Spec{Objects: objects, Capacity: 100, Bytes: bytes})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct {
		policy evict.Policy
		want   float64 // bytes an object
	}{
		{build("fifo", false), 8 + 1}, // neighbours in the list, whether it is resident
		{build("lru", false), 8 + 1},
		{build("lru", true), 8 + 1 + 4}, // and its size
		{build("random", false), 4 + 100*4./objects},
		{build("lru+second-hit", false), 8 + 1 + 2./8},
		{build("lru+always+second-hit", false), 8 + 1 + 2./8},
		{declares{build("lru", false)}, 1.2345},
		{struct{ evict.Policy }{build("lru", false)}, 0}, // nobody knows what else is in there
	} {
		got := float64(metadata(tt.policy)) / objects
		if got < tt.want || got > tt.want+0.1 {
			t.Errorf("%T keeps %v bytes for an object, want %v", tt.policy, got, tt.want)
		}
	}
	ids := make([]uint32, 50_000)
	opt := build("opt", false)
	opt.(evict.Offline).Prepare(ids, nil)
	if all, own := metadata(opt), metadata(opt, ids); all-own != 4*uint64(len(ids)) {
		t.Errorf("OPT keeps %d bytes, and %d without the trace", all, own)
	}
}
