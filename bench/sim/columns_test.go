package sim

import (
	"testing"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
)

// TestWhatComesInAndGoes demands that what follows from the misses is what is counted one by one, for all policies.
func TestWhatComesInAndGoes(t *testing.T) {
	tr := made(11, 9000, 500)
	for i, id := range tr.IDs {
		tr.TTLs = append(tr.TTLs, id%5*500)
		tr.Ops = append(tr.Ops, [...]trace.Op{trace.OpGet, trace.OpGet, trace.OpSet, trace.OpDelete}[i*7%11%4])
	}
	for _, o := range []Options{{}, {Bytes: true}, {TTL: SourceTTL, Bytes: true}, {TTL: 700}, {LookAside: true}, {LookAside: true, TTL: 900, Bytes: true}} {
		o.Trace, o.Sizes = tr, mustSizes(t, "1", "3", "1%", "20%")
		o.Policies = mustPolicies(t, "all", "lru+always", "arc+second-hit", "sieve+probability:p=0.5", "wtinylfu+tinylfu")
		derived, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range o.Policies {
			o.Policies[i] = Policy{Name: p.Name, New: p.New}
		}
		counted, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range derived.Results {
			want := counted.Results[i]
			if got.Error != "" || got.Evictions != want.Evictions || got.AdmittedBytes != want.AdmittedBytes || got.ExpiredMisses != want.ExpiredMisses {
				t.Errorf("TTL %d, beside %v, bytes %v: %+v, counted one by one %+v", o.TTL, o.LookAside, o.Bytes, got, want)
			}
			if !o.LookAside && (got.AdmittedBytes > got.OriginBytes || got.Evictions > got.Misses) {
				t.Errorf("TTL %d, bytes %v: more came in than missed: %+v", o.TTL, o.Bytes, got)
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
