package shadow

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/bench/sim"
	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core"
)

// overhead is what the tests say that an entry takes.
const overhead = 200

// keyOf is the key of an object of a trace: as long as the others'.
func keyOf(id uint32) string { return "k" + strconv.Itoa(int(id)+1e9) }

// weights are the sizes of a trace's requests as the tier weighs them, with a size for each object where the trace has none.
func weights(tr *trace.Trace) []uint32 {
	all := make([]uint32, len(tr.IDs))
	for i, id := range tr.IDs {
		all[i] = overhead + uint32(len(keyOf(id))) + 100
		if tr.Sizes != nil {
			all[i] += tr.Sizes[i]
		}
	}
	return all
}

// loadTrace returns a public trace, and skips the test where there is none.
func loadTrace(t *testing.T, file string) *trace.Trace {
	t.Helper()
	dir := cmp.Or(os.Getenv("EDGECACHE_TRACES"), filepath.Join("..", "..", "..", "shared", "traces"))
	path := filepath.Join(dir, file)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no public trace: %v", err)
	}
	tr, err := trace.Load(t.Context(), path, trace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// zipfAndScan is a trace in which few objects are asked for often, and now and then many in a row.
func zipfAndScan() *trace.Trace {
	const popular, scanned, requests = 120_000, 80_000, 1_200_000
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, 1.05, 8, popular-1)
	tr := &trace.Trace{Name: "zipf and scan", Objects: popular + scanned}
	next := uint32(0)
	for len(tr.IDs) < requests {
		if len(tr.IDs)%100_000 < 15_000 && len(tr.IDs) > 50_000 {
			tr.IDs = append(tr.IDs, popular+next%scanned)
			next++
			continue
		}
		tr.IDs = append(tr.IDs, uint32(z.Uint64()))
	}
	return tr
}

// observe has a cache serve the trace, look-aside, and returns what its shadow reports.
func observe(t *testing.T, tr *trace.Trace, o Options) *Report {
	t.Helper()
	o.Overhead = overhead
	var cache *core.Cache
	o.Reads = func() uint64 {
		if cache == nil {
			return 0
		}
		s := cache.Stats()
		return s.Hits + s.Misses
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	backend, err := memory.New(memory.Options{MaxBytes: max(o.Bytes, 1<<20), MaxEntryBytes: max(o.Bytes, 1<<20)})
	if err != nil {
		t.Fatal(err)
	}
	if cache, err = core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}, Sampler: s}); err != nil {
		t.Fatal(err)
	}
	serve(t, cache, tr)
	cache.Flush()
	r, err := s.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

func serve(t *testing.T, cache *core.Cache, tr *trace.Trace) {
	t.Helper()
	sizes := weights(tr)
	value := make([]byte, slices.Max(sizes))
	ctx := context.Background()
	for i, id := range tr.IDs {
		key := keyOf(id)
		_, err := cache.Get(ctx, key)
		if err == nil {
			continue
		}
		n := int(sizes[i]) - overhead - len(key)
		if err := cache.Set(ctx, key, value[:n:n], core.EntryOptions{}); err != nil && !errors.Is(err, core.ErrTooLarge) {
			t.Fatal(err)
		}
	}
}

// exact simulates all policies and sizes of a report on the whole trace.
func exact(t *testing.T, tr *trace.Trace, r *Report) map[string]*sim.Result {
	t.Helper()
	whole := *tr
	whole.Sizes = weights(tr)
	o := sim.Options{Trace: &whole, Bytes: true, Workers: 1}
	for _, c := range r.Results {
		p, err := sim.Native(c.Policy)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(o.Policies, func(q sim.Policy) bool { return q.Name == p.Name }) {
			o.Policies = append(o.Policies, p)
		}
		size, err := sim.ParseSize(strconv.FormatInt(c.Bytes, 10))
		if err != nil {
			t.Fatal(err)
		}
		o.Sizes = append(o.Sizes, size)
	}
	out, err := sim.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*sim.Result)
	for i := range out.Results {
		c := &out.Results[i]
		all[c.Policy+"@"+strconv.FormatUint(c.CacheSize, 10)] = c
	}
	return all
}

// TestAccuracy compares what the shadow of a live cache tells with what the policies miss on the whole traffic. Which keys
// are in the sample differs from run to run.
func TestAccuracy(t *testing.T) {
	for _, tt := range []struct {
		name  string
		load  func(t *testing.T) *trace.Trace
		shift uint // leaves 8192 objects or more, of P3 as many as there are on live traffic
	}{
		{"zipf and scan", func(*testing.T) *trace.Trace { return zipfAndScan() }, 3},
		{"OLTP", func(t *testing.T) *trace.Trace { return loadTrace(t, "arc.OLTP.lis.zst") }, 3},
		{"cloudphysics", func(t *testing.T) *trace.Trace { return loadTrace(t, "cloudPhysicsIO.csv") }, 2},
		{"scarab", func(t *testing.T) *trace.Trace { return loadTrace(t, "scarab-recs.trace.xz") }, 3},
		{"P3", func(t *testing.T) *trace.Trace { return loadTrace(t, "arc.P3.lis.zst") }, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && tt.name != "zipf and scan" {
				t.Skip("it takes seconds")
			}
			tr := tt.load(t)
			r := observe(t, tr, Options{Bytes: footprint(tr) / 10, shift: &tt.shift, whole: true})
			if r.Sample.Objects < minObjects || r.Sample.Lost > 0 || r.Sample.OneIn != 1<<tt.shift {
				t.Errorf("sample %+v", r.Sample)
			}
			compare(t, r, exact(t, tr, r))
		})
	}
}

// footprint returns what all objects weigh.
func footprint(tr *trace.Trace) (sum int64) {
	seen := make([]bool, tr.Objects)
	for i, w := range weights(tr) {
		if id := tr.IDs[i]; !seen[id] {
			seen[id] = true
			sum += int64(w)
		}
	}
	return sum
}

// compare holds estimates against what is true: each, their order, and their bands.
func compare(t *testing.T, r *Report, want map[string]*sim.Result) {
	t.Helper()
	of := func(c *Result) *sim.Result { return want[c.Policy+"@"+strconv.FormatInt(c.Bytes, 10)] }
	var sum, most float64
	outside := 0
	for i := range r.Results {
		c, w := &r.Results[i], of(&r.Results[i])
		off, offBytes := c.Miss.Ratio-w.MissRatio, c.ByteMiss.Ratio-w.ByteMissRatio
		sum, most = sum+math.Abs(off), max(most, math.Abs(off))
		if math.Abs(off) > c.Miss.Band {
			outside++
		}
		if math.Abs(off) > max(tolerance, 1.5*c.Miss.Band) || math.Abs(offBytes) > max(tolerance, 1.5*c.ByteMiss.Band) {
			t.Errorf("%s at %v: miss ratio %.4f ± %.4f, want %.4f; bytes %.4f ± %.4f, want %.4f", c.Policy, c.Factor,
				c.Miss.Ratio, c.Miss.Band, w.MissRatio, c.ByteMiss.Ratio, c.ByteMiss.Band, w.ByteMissRatio)
		}
		for j := range r.Results {
			d := &r.Results[j]
			if d.Factor == c.Factor && w.MissRatio < of(d).MissRatio-0.03 && c.Miss.Ratio >= d.Miss.Ratio {
				t.Errorf("at %v, %s does not miss less than %s", c.Factor, c.Policy, d.Policy)
			}
		}
	}
	t.Logf("%d objects, one in %d: mean error %.4f, largest %.4f, %d of %d outside the band", r.Sample.Objects, r.Sample.OneIn,
		sum/float64(len(r.Results)), most, outside, len(r.Results))
}

// tolerance is how far an estimate may be off. A trace in which few objects matter has a wider band.
const tolerance = 0.02
