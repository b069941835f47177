package shadow

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/evict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options Options
		want    string // part of the error
	}{
		{"defaults", Options{Bytes: 1 << 20}, ""},
		{"parameters", Options{Bytes: 1 << 20, Policies: []string{"slru:segments=2"}}, ""},
		{"no size", Options{}, "a tier of 0 bytes"},
		{"no such policy", Options{Bytes: 1, Policies: []string{"lur"}}, `no policy is called "lur"`},
		{"not online", Options{Bytes: 1, Policies: []string{"opt"}}, "knows the future"},
		{"size", Options{Bytes: 1, Sizes: []float64{0}}, "size 0"},
		{"many sizes", Options{Bytes: 1, Sizes: []float64{2, 3, 4, 5, 6, 7, 8, 9}}, "at most 16 and 8"},
	} {
		s, err := New(tt.options)
		if err == nil {
			_ = s.Close()
		}
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestClosed(t *testing.T) {
	s, err := New(Options{Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 2 * queued {
		s.Observe(make([]core.Event, 10)) // goes nowhere, and does not wait
	}
	if _, err := s.Report(t.Context()); !errors.Is(err, errClosed) && !errors.Is(err, context.Canceled) {
		t.Errorf("Report after Close: %v", err)
	}
}

// step is an event on one object and what is counted after it.
type step struct {
	op           core.Op
	outcome      core.Outcome
	tier         uint8
	size         uint32
	ttl          uint32
	after        time.Duration // since the step before
	reads        uint64
	missed       uint64 // in each shadow cache
	missedInTier uint64
}

func TestSteps(t *testing.T) {
	get := func(outcome core.Outcome, size uint32, reads, missed, inTier uint64) step {
		tier := uint8(0)
		if outcome == core.OutcomeHit {
			tier = 1
		}
		return step{op: core.OpGet, outcome: outcome, tier: tier, size: size, reads: reads, missed: missed, missedInTier: inTier}
	}
	write := func(size, ttl uint32, reads, missed, inTier uint64) step {
		return step{op: core.OpSet, outcome: core.OutcomeStored, tier: 1, size: size, ttl: ttl, reads: reads, missed: missed, missedInTier: inTier}
	}
	gone := func(s step) step { s.op, s.outcome = core.OpDelete, core.OutcomeHit; return s }
	late := func(s step, d time.Duration) step { s.after = d; return s }
	const hit, miss = core.OutcomeHit, core.OutcomeMiss
	for _, tt := range []struct {
		name   string
		maxTTL time.Duration
		steps  []step
	}{
		{"a miss and the write after it are one request", 0, []step{
			get(miss, 5, 0, 0, 1), write(100, 0, 1, 1, 1), get(hit, 100, 2, 1, 1),
		}},
		{"a miss of a known size is looked at at once", 0, []step{
			write(100, 0, 0, 0, 0), get(miss, 5, 1, 0, 1), write(100, 0, 1, 0, 1), get(hit, 100, 2, 0, 1),
		}},
		{"what is never written misses everywhere", 0, []step{
			get(miss, 5, 0, 0, 1), get(miss, 5, 1, 1, 2), get(miss, 5, 2, 2, 3),
		}},
		{"a write alone is not counted", 0, []step{write(100, 0, 0, 0, 0), get(hit, 100, 1, 0, 0)}},
		{"a hit of what was there before", 0, []step{get(hit, 100, 1, 1, 0), get(hit, 100, 2, 1, 0)}},
		{"deleted", 0, []step{
			write(100, 0, 0, 0, 0), gone(write(0, 0, 0, 0, 0)), get(miss, 5, 1, 1, 1), write(100, 0, 1, 1, 1), get(hit, 100, 2, 1, 1),
		}},
		{"expired", 0, []step{
			write(100, 2, 0, 0, 0), late(get(miss, 5, 1, 0, 1), time.Second), late(get(miss, 5, 2, 1, 2), 2*time.Second),
		}},
		{"of another size", 0, []step{
			write(100, 0, 0, 0, 0), write(1000, 0, 0, 0, 0), get(hit, 1000, 1, 0, 0), get(hit, 100, 2, 1, 0),
		}},
		{"a farther tier had it", 5 * time.Second, []step{
			{op: core.OpGet, outcome: hit, tier: 2, size: 100, reads: 1, missed: 1, missedInTier: 1},
			get(hit, 100, 2, 1, 1),
			late(step{op: core.OpGet, outcome: hit, tier: 2, size: 100, reads: 3, missed: 2, missedInTier: 2}, 6*time.Second),
		}},
		{"a plugin answered", 0, []step{{op: core.OpGet, outcome: hit, size: 100}}},
		{"refused", 0, []step{{op: core.OpGet, outcome: core.OutcomeDenied}, {op: core.OpSet, outcome: core.OutcomeDenied, size: 9}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, err := Options{Bytes: 1 << 20, Overhead: 10, MaxTTL: tt.maxTTL, whole: true}.withDefaults()
				if err != nil {
					t.Fatal(err)
				}
				s := new(Shadow)
				l, err := newLive(o, &s.mask, &s.lost)
				if err != nil {
					t.Fatal(err)
				}
				for i, step := range tt.steps {
					<-time.After(step.after)
					l.take([]core.Event{{
						KeyHash: 1 << 40, Op: uint8(step.op), Result: uint8(step.outcome) | step.tier<<4, Size: step.size, TTL: step.ttl,
					}})
					l.flush()
					if n := l.readsNow(); n != step.reads || l.missed.now[0].n != step.missedInTier {
						t.Fatalf("step %d: %d reads, the tier missed %d; want %d, %d", i+1, n, l.missed.now[0].n, step.reads, step.missedInTier)
					}
					for _, c := range l.caches {
						if c.misses.now[0].n != step.missed {
							t.Fatalf("step %d: %s missed %d, want %d", i+1, c.name, c.misses.now[0].n, step.missed)
						}
					}
				}
			})
		})
	}
}

// play has l look at reads of n objects of 300 bytes, look-aside, of which some are asked for more often.
func play(l *live, r *rand.Rand, objects uint64, reads int) {
	z := rand.NewZipf(r, 1.01, float64(objects)/8, objects-1)
	events := make([]core.Event, 0, 256)
	for range reads {
		hash := mix(z.Uint64())
		if hash&l.mask.Load() != 0 {
			continue
		}
		events = append(events,
			core.Event{KeyHash: hash, Op: uint8(core.OpGet), Result: uint8(core.OutcomeMiss), Size: 20},
			core.Event{KeyHash: hash, Op: uint8(core.OpSet), Result: uint8(core.OutcomeStored) | 1<<4, Size: 300})
		if len(events) == cap(events) {
			l.take(events)
			events = events[:0]
		}
	}
	l.take(events)
}

// mix is splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// TestRate lets the rate follow the number of objects: the sample is bounded, and large enough.
func TestRate(t *testing.T) {
	o, err := Options{Bytes: 100 << 20, Policies: []string{"lru"}, Sizes: []float64{1}, Reads: func() uint64 { return 1 << 60 }}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	count := uint64(0)
	o.Reads = func() uint64 { count += 1 << 30; return count } // whatever it costs is little for so many
	s := new(Shadow)
	l, err := newLive(o, &s.mask, &s.lost)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	play(l, r, 20_000, 200_000)
	if l.shift != 0 || l.objects.n < 15_000 {
		t.Errorf("20000 objects: one in %d, %d objects", 1<<l.shift, l.objects.n)
	}
	if a := l.report().Advice; a.Action == Wait {
		t.Errorf("after 200000 reads: %s", a.Text)
	}
	play(l, r, 2_000_000, 3_000_000)
	if l.shift < 3 || l.shift > 7 || l.objects.n < minObjects || l.objects.n > maxObjects {
		t.Errorf("2000000 objects: one in %d, %d objects", 1<<l.shift, l.objects.n)
	}
	if l.load() > maxObjects/4 {
		t.Errorf("the largest caches hold %d objects", l.load())
	}
	for id := l.objects.oldest; id != nobody; id = l.objects.order[id].newer {
		if l.objects.hash[id]&l.mask.Load() != 0 {
			t.Fatal("an object is not in the sample")
		}
	}
}

// TestCost looks at the rate where every event counts as dear: it becomes smaller, and the report says of how few objects it
// is.
func TestCost(t *testing.T) {
	o, err := Options{Bytes: 100 << 20, Policies: []string{"lru"}, Sizes: []float64{1}, Reads: func() uint64 { return 0 }}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := new(Shadow)
	l, err := newLive(o, &s.mask, &s.lost)
	if err != nil {
		t.Fatal(err)
	}
	play(l, rand.New(rand.NewPCG(5, 6)), 20_000, 300_000)
	if l.shift < 2 {
		t.Errorf("one in %d", 1<<l.shift)
	}
}

func TestNotEnoughTraffic(t *testing.T) {
	o, err := Options{Bytes: 100 << 20}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := new(Shadow)
	l, err := newLive(o, &s.mask, &s.lost)
	if err != nil {
		t.Fatal(err)
	}
	play(l, rand.New(rand.NewPCG(5, 6)), 500, 700)
	r := l.report()
	if r.Advice.Action != Wait || r.Advice.Text != "not enough traffic yet: 700 of 24576 sampled reads" {
		t.Errorf("%+v", r.Advice)
	}
}

// broken fails from the second batch on.
type broken struct {
	evict.Policy
	batches int
}

func (p *broken) Replay(ids, sizes []uint32, hits []uint64) int {
	p.batches++
	return p.Policy.Replay(ids, sizes, hits)
}

func (p *broken) Err() error {
	if p.batches > 1 {
		return errors.New("trap in request 1025")
	}
	return nil
}

func TestFailingPolicy(t *testing.T) {
	o, err := Options{
		Bytes: 1 << 20, Policies: []string{"broken", "lru"}, Current: "lru", whole: true, shift: new(uint),
		New: func(name string, s evict.Spec) (evict.Policy, error) {
			p, err := evict.New("lru", s)
			if name == "broken" {
				p = &broken{Policy: p}
			}
			return p, err
		},
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := new(Shadow)
	l, err := newLive(o, &s.mask, &s.lost)
	if err != nil {
		t.Fatal(err)
	}
	play(l, rand.New(rand.NewPCG(5, 6)), 5000, 40_000)
	r := l.report()
	for i := range r.Results {
		c := &r.Results[i]
		if c.Policy == "broken" && c.Error != "broken: trap in request 1025" || c.Policy == "lru" && (c.Error != "" || c.Miss.Ratio == 0) {
			t.Errorf("%+v", c)
		}
	}
	if r.Advice.Action != Stay {
		t.Errorf("%+v", r.Advice)
	}
}

func TestRegression(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var hot, even, misses, ratio series
	for i := range hot {
		hot[i], even[i] = 1000+20*r.NormFloat64(), 1000+200*r.NormFloat64()
		misses[i] = 300 + r.NormFloat64()
		ratio[i] = 0.3 * even[i]
	}
	hot[3] += 50_000 // one key, which always hits
	for _, tt := range []struct {
		name     string
		x, y     series
		expected float64
		want     float64
	}{
		{"a key too many", hot, misses, 1000, 0.3},
		{"even", even, ratio, 1000, 0.3},
		{"nothing is expected", even, ratio, 0, 0.3},
	} {
		reads := reads{sampled: tt.x, expected: tt.expected, rate: 0.01}
		got := reads.ratio(&tt.y)
		if d := got.value - tt.want; d > 0.003 || d < -0.003 || got.band > 0.003 {
			t.Errorf("%s: %.4f ± %.4f, want %v", tt.name, got.value, got.band, tt.want)
		}
	}
}

func TestFormat(t *testing.T) {
	for n, want := range map[int64]string{1000: "1000 B", 256 << 20: "256 MiB", 3 << 29: "1.5 GiB"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
	r := Result{Gain: Ratio{Ratio: 0.031, Band: 0.004}, SavedPerSecond: 41.2e6}
	if got, want := r.change(), "-3.1 points of miss ratio (± 0.4), saves 41.2 MB/s of origin traffic"; got != want {
		t.Errorf("change() = %q, want %q", got, want)
	}
}
