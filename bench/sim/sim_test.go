package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
)

// made returns a trace with skewed popularity, in which an object keeps its size, and misses have costs.
func made(seed uint64, requests, objects int) *trace.Trace {
	r := rand.New(rand.NewPCG(seed, 0))
	popularity := rand.NewZipf(r, 1.1, 4, uint64(objects-1))
	known := make(map[uint64]uint32)
	sizes := make([]uint32, 0, objects)
	t := &trace.Trace{Name: "made", Format: "keys"}
	for range requests {
		key := popularity.Uint64()
		id, ok := known[key]
		if !ok {
			id = uint32(len(known))
			known[key] = id
			sizes = append(sizes, 1+r.Uint32N(200))
			t.Footprint += uint64(sizes[id])
		}
		t.IDs = append(t.IDs, id)
		t.Sizes = append(t.Sizes, sizes[id])
		t.Costs = append(t.Costs, float32(id%7))
	}
	t.Objects = len(known)
	return t
}

func mustPolicies(t *testing.T, names ...string) []Policy {
	t.Helper()
	all, err := ParsePolicies(names, nil)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func mustSizes(t *testing.T, words ...string) []Size {
	t.Helper()
	all, err := ParseSizes(words)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// queue is the simplest cache: a slice with what is thrown out next in front. It is FIFO, or LRU where hits move things.
func queue(tr *trace.Trace, capacity uint64, bytes, moves bool) (misses, missBytes, evictions uint64, missCost float64) {
	var used uint64
	var resident []uint32
	sizes := make([]uint64, tr.Objects)
	for i, id := range tr.IDs {
		if at := slices.Index(resident, id); at >= 0 {
			if moves {
				resident = append(slices.Delete(resident, at, at+1), id)
			}
			continue
		}
		misses++
		missBytes += uint64(tr.Size(i))
		missCost += float64(tr.Costs[i])
		sizes[id] = 1
		if bytes {
			sizes[id] = uint64(tr.Size(i))
		}
		if sizes[id] > capacity {
			continue
		}
		for ; used+sizes[id] > capacity; resident = resident[1:] {
			used -= sizes[resident[0]]
			evictions++
		}
		resident = append(resident, id)
		used += sizes[id]
	}
	return misses, missBytes, evictions, missCost
}

func TestRunAgainstTheSimplestCache(t *testing.T) {
	for _, bytes := range []bool{false, true} {
		for _, requests := range []int{1, 63, 64, 4095, 4096, 4097, 9000} {
			tr := made(uint64(requests), requests, 500)
			o := Options{Trace: tr, Policies: mustPolicies(t, "lru", "fifo"), Sizes: mustSizes(t, "1", "7", "10%", "150", "100%"), Bytes: bytes}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range r.Results {
				misses, missBytes, evictions, missCost := queue(tr, p.CacheSize, bytes, p.Policy == "lru")
				want := ratio(float64(missBytes), float64(tr.Bytes()))
				cost := 0.0
				for _, c := range tr.Costs {
					cost += float64(c)
				}
				if p.CostMissRatio == nil || *p.CostMissRatio != ratio(missCost, cost) {
					t.Errorf("%d requests, bytes %v: cost miss ratio %v, want %v", requests, bytes, p.CostMissRatio, ratio(missCost, cost))
				}
				if p.Requests != uint64(requests) || p.Misses != misses || p.Evictions != evictions || p.ByteMissRatio != want {
					t.Errorf("%d requests, bytes %v: %+v, want %d misses, byte miss ratio %v, %d evictions",
						requests, bytes, p, misses, want, evictions)
				}
			}
		}
	}
}

func TestResultsAreInOrderAndTheSameWithAnyWorkers(t *testing.T) {
	var want []string
	for _, workers := range []int{1, 3, 64} {
		var seen Progress
		r, err := Run(t.Context(), Options{
			Trace: made(1, 20_000, 1000), Policies: mustPolicies(t, "sieve", "lru", "random", "lru"), Sizes: mustSizes(t, "90", "10", "90"),
			Workers: workers, Progress: func(p Progress) { seen = p },
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range r.Results {
			got = append(got, fmt.Sprintf("%s@%d: %d", p.Policy, p.CacheSize, p.Misses))
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) || len(got) != 6 || !strings.HasPrefix(got[0], "sieve@10:") || !strings.HasPrefix(got[3], "lru@90:") {
			t.Errorf("with %d workers: %v, want %v", workers, got, want)
		}
		if seen.Done != 6 || seen.Jobs != 6 || seen.Requests != 120_000 {
			t.Errorf("progress ended with %+v", seen)
		}
	}
}

// broken is a policy that does something wrong in its second batch.
type broken struct {
	evict.Policy
	batches int
	closed  *atomic.Bool
	wrong   func() (misses int, used uint64)
	err     error
	used    uint64
}

func (p *broken) Replay(ids, sizes []uint32, hits []uint64) int {
	misses := p.Policy.Replay(ids, sizes, hits)
	if p.batches++; p.batches == 2 {
		more, used := p.wrong()
		misses += more
		p.used = used
		if more == 0 && used == 0 {
			p.err = errors.New("the guest trapped")
		}
	}
	return misses
}

func (p *broken) Err() error   { return p.err }
func (p *broken) Used() uint64 { return p.Policy.Used() + p.used }
func (p *broken) Close() error { p.closed.Store(true); return nil }

func TestPoliciesThatFailDoNotStopOthers(t *testing.T) {
	var closed [4]atomic.Bool
	broke := func(i int, name string, wrong func() (int, uint64)) Policy {
		return Policy{Name: name, New: func(s evict.Spec) (evict.Policy, error) {
			p, err := evict.New("lru", s)
			return &broken{Policy: p, closed: &closed[i], wrong: wrong}, err
		}}
	}
	policies := append([]Policy{
		broke(0, "panics", func() (int, uint64) { panic("out of range") }),
		broke(1, "miscounts", func() (int, uint64) { return 3, 0 }),
		broke(2, "overflows", func() (int, uint64) { return 0, 1 }),
		broke(3, "traps", func() (int, uint64) { return 0, 0 }),
		{Name: "refuses", New: func(evict.Spec) (evict.Policy, error) { return nil, errors.New("no module") }},
	}, mustPolicies(t, "lru")...)
	r, err := Run(t.Context(), Options{Trace: made(1, 10_000, 500), Policies: policies, Sizes: mustSizes(t, "20"), Gap: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"it panicked in the 4096 requests from number 4096 on: out of range", "misses and marks", "after request 8191 it has 21 in a cache of 20",
		"the guest trapped", "no module", "",
	} {
		if p := r.Results[i]; !strings.Contains(p.Error, want) || (want == "") != (p.Error == "") {
			t.Errorf("%s failed with %q, want %q", p.Policy, p.Error, want)
		}
	}
	for i := range closed {
		if !closed[i].Load() {
			t.Errorf("policy %s was not closed", policies[i].Name)
		}
	}
	if len(r.Results) != 6 || r.Results[5].Misses == 0 || len(r.Failed()) != 5 {
		t.Errorf("results are %+v", r.Results)
	}
}

func TestCancelledRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := Options{Trace: made(1, 50_000, 500), Policies: mustPolicies(t, "lru", "fifo"), Sizes: mustSizes(t, "5", "6", "7"), Workers: 1}
	o.Progress = func(Progress) { cancel() }
	if r, err := Run(ctx, o); !errors.Is(err, context.Canceled) || r != nil {
		t.Errorf("Run = %v, %v, want that it was cancelled", r, err)
	}
}

func TestOptionsThatAreNotPossible(t *testing.T) {
	good := Options{Trace: made(1, 100, 50), Policies: mustPolicies(t, "lru"), Sizes: mustSizes(t, "5")}
	unsized := *good.Trace
	unsized.Sizes = nil
	for want, change := range map[string]func(o *Options){
		"has no requests":      func(o *Options) { o.Trace = &trace.Trace{} },
		"no policy":            func(o *Options) { o.Policies = nil },
		"no size":              func(o *Options) { o.Sizes = nil },
		"made has no sizes":    func(o *Options) { o.Trace, o.Bytes = &unsized, true },
		"how long objects":     func(o *Options) { o.TTL = SourceTTL },
		"live for -2":          func(o *Options) { o.TTL = -2 },
		"less than 1":          func(o *Options) { o.Sample = 1 },
		"says nothing: run wi": func(o *Options) { o.Sample = 0.5 },
		"hold objects":         func(o *Options) { o.Sizes = mustSizes(t, "5MiB") },
	} {
		o := good
		change(&o)
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run: %v, want %q", err, want)
		}
	}
}

func TestGap(t *testing.T) {
	r := &Report{Requests: 1000, Results: []Result{
		{Policy: "x", CacheSize: 1, MissRatio: 0.4},
		{Policy: "x", CacheSize: 2, MissRatio: 0.6},
		{Policy: "x", CacheSize: 3, MissRatio: 0.5},
		{Policy: "fifo", CacheSize: 1, MissRatio: 0.5},
		{Policy: "fifo", CacheSize: 2, MissRatio: 0.5},
		{Policy: "fifo", CacheSize: 3, MissRatio: 0.5},
		{Policy: "opt", CacheSize: 1, MissRatio: 0.1},
		{Policy: "opt", CacheSize: 2, MissRatio: 0.1},
		{Policy: "opt", CacheSize: 3, MissRatio: 0.49995},
	}}
	r.fillGap()
	for i, want := range []float64{0.25, -0.25} {
		if p := r.Results[i]; p.Gap == nil || *p.Gap != want {
			t.Errorf("gap at %d is %v, want %v", p.CacheSize, p.Gap, want)
		}
	}
	if p := r.Results[2]; p.Gap != nil {
		t.Errorf("gap is %v where FIFO and OPT are the same", *p.Gap)
	}
}

func TestGapIsWhatFIFOAndTheBestLeave(t *testing.T) {
	for _, bytes := range []bool{false, true} {
		best := bestOf(bytes)
		o := Options{Trace: made(5, 30_000, 2000), Policies: mustPolicies(t, "lru", best, "fifo"), Sizes: mustSizes(t, "5%", "20%"), Bytes: bytes, Gap: true}
		all, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		o.Policies = o.Policies[:1]
		alone, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(alone.Results) != 2 {
			t.Errorf("bytes %v: results are %+v, want those of LRU alone", bytes, alone.Results)
		}
		for i, p := range alone.Results {
			if q := all.Results[i]; p.Gap == nil || q.Gap == nil || *p.Gap != *q.Gap || *p.Gap <= 0 || *p.Gap >= 1 {
				t.Errorf("bytes %v: gap of LRU at %d is %v and %v, want something between 0 and 1", bytes, p.CacheSize, p.Gap, q.Gap)
			}
			if up, down := all.Find(best, p.CacheSize), all.Find("fifo", p.CacheSize); *up.Gap != 1 || *down.Gap != 0 {
				t.Errorf("bytes %v: gaps of the ends are %v and %v", bytes, *up.Gap, *down.Gap)
			}
		}
	}
}

func TestCurveIsTheSameAsOneCacheAfterTheOther(t *testing.T) {
	lru := mustPolicies(t, "lru")[0]
	slow := Policy{Name: "slow", New: lru.New}
	tr := made(2, 50_000, 9000)
	tr.Costs = nil
	for _, n := range []int{fromCurve - 1, 2 * fromCurve} {
		r, err := Run(t.Context(), Options{Trace: tr, Policies: []Policy{lru, slow}, Sizes: CurveSizes(n)})
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range r.CacheSizes() {
			got, want := *r.Find("lru", size), *r.Find("slow", size)
			got.MreqPerS, got.Policy = want.MreqPerS, want.Policy
			if got != want {
				t.Errorf("at once it is %+v, want %+v", got, want)
			}
		}
	}
}

func TestParsePolicies(t *testing.T) {
	guest := func(name string) (Policy, bool, error) {
		if name == "broken.wasm" {
			return Policy{}, true, errors.New("no magic")
		}
		return Policy{Name: name, New: mustPolicies(t, "lru")[0].New}, strings.HasSuffix(name, ".wasm"), nil
	}
	for _, tt := range []struct{ words, want string }{
		{"lru", "lru"},
		{"lru fifo lru", "lru fifo"},
		{"slru:segments=2 lru", "slru:segments=2 lru"},
		{"lru my.wasm", "lru my.wasm"},
		{"", "no policy is named"},
		{"lru broken.wasm", "no magic"},
		{"lrx", "no policy is called \"lrx\""},
		{"lru:x=1", "is not known"},
		{"lru a=1", "no policy is called"},
		{"lru+second-hit my.wasm+size:max=1KB", "lru+second-hit my.wasm+size:max=1KB"},
		{"wtinylfu:window=0.1 ghost=2+second-hit:ghost=3 lru", "wtinylfu:window=0.1,ghost=2+second-hit:ghost=3 lru"},
		{"lru+second", "no admission is called"},
		{"lru+size:max=x", "lru+size:max=x: admission size"},
		{"lrx+always", "no policy is called \"lrx\""},
		{"pfoo-l+always", "knows the future"},
		{"opt+always", "knows the future"},
	} {
		all, err := ParsePolicies(strings.Fields(tt.words), guest)
		var names []string
		for _, p := range all {
			names = append(names, p.Name)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
			t.Errorf("ParsePolicies(%q) = %q, want %q", tt.words, got, tt.want)
		}
	}
	if got := join([]string{"a:x=1", "y=2", "b", "c=3", "d:z=4"}); !slices.Equal(got, []string{"a:x=1,y=2", "b", "c=3", "d:z=4"}) {
		t.Errorf("join = %q", got)
	}
	if all := mustPolicies(t, "all"); len(all) != len(evict.Policies()) {
		t.Errorf("all are %d policies, want %d", len(all), len(evict.Policies()))
	}
	if all := mustPolicies(t, "all+always"); len(all) != len(evict.Policies())-1 || all[0].Name != "2q+always" {
		t.Errorf("all with admission are %d policies, the first %s", len(all), all[0].Name)
	}
}

func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		text           string
		objects, bytes uint64 // of 1000 objects and of 304213576 bytes; 0 is an error
	}{
		{"5000", 5000, 5000},
		{"0.1%", 1, 304213},
		{"1%", 10, 3042135},
		{"10%", 100, 30421357},
		{"0.0001%", 1, 304},
		{"100%", 1000, 304213576},
		{"33.3%", 333, 101303120},
		{"150%", 1500, 456320364},
		{"512MiB", 0, 512 << 20},
		{"1.5KiB", 0, 1536},
		{"2GB", 0, 2e9},
		{"100B", 0, 100},
	} {
		s, err := ParseSize(tt.text)
		if err != nil {
			t.Error(err)
			continue
		}
		objects, err := s.of(1000, false)
		if objects != tt.objects || (err != nil) != (tt.objects == 0) {
			t.Errorf("%s of 1000 objects is %d, %v, want %d", tt.text, objects, err, tt.objects)
		}
		if bytes, err := s.of(304213576, true); err != nil || bytes != tt.bytes {
			t.Errorf("%s of 304213576 bytes is %d, %v, want %d", tt.text, bytes, err, tt.bytes)
		}
	}
	for _, text := range []string{"", "%", "0", "-1", "0%", "-5%", "1.5", "1/2", "1e3", "0x10", "NaN%", "Inf", "5 apples", "MiB", "99999999999TiB", "0.1B", "5kb", "1_000"} {
		if s, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %+v, want an error", text, s)
		}
	}
}

func TestCurveSizes(t *testing.T) {
	var all []uint64
	for _, s := range CurveSizes(4) {
		c, err := s.of(50_000, false)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if !slices.Equal(all, []uint64{50, 500, 5000, 50_000}) {
		t.Errorf("4 sizes of a curve are %v", all)
	}
	if n := len(CurveSizes(0)) + len(CurveSizes(1)); n != 1 {
		t.Errorf("none and one are %d", n)
	}
}
