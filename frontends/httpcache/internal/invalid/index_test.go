package invalid

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// newBackend returns a memory that is closed with the test.
func newBackend(tb testing.TB) core.Backend {
	tb.Helper()
	b, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func newCache(tb testing.TB, backends ...core.Backend) *core.Cache {
	tb.Helper()
	if backends == nil {
		backends = []core.Backend{newBackend(tb)}
	}
	var o core.Options
	for i, b := range backends {
		o.Tiers = append(o.Tiers, core.Tier{Name: fmt.Sprint("tier", i), Backend: b})
	}
	c, err := core.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c.Namespace("purge")
}

func newIndex(tb testing.TB, o Options) *Index {
	tb.Helper()
	if o.Cache == nil {
		o.Cache = newCache(tb)
	}
	x, err := New(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = x.Close() })
	return x
}

func purge(tb testing.TB, x *Index, targets ...Target) {
	tb.Helper()
	if err := x.Purge(context.Background(), targets...); err != nil {
		tb.Fatal(err)
	}
}

// fetched returns the marks of a response that this node fetches now.
func fetched(x *Index, key string, tags ...string) *Marks { return x.Resolve(key, tags, x.Stamp()) }

// reread returns the marks of a response that was fetched as m was, when a node reads it from a store.
func reread(x *Index, m *Marks, tags ...string) *Marks {
	return x.Resolve(m.key, tags, Stamp{Position: m.stamp.Position})
}

// state is "hard", "soft" or "".
func state(x *Index, m *Marks) string {
	hard, since := x.State(m)
	switch {
	case hard:
		return "hard"
	case since != 0:
		return "soft"
	default:
		return ""
	}
}

func want(tb testing.TB, x *Index, m *Marks, wanted, when string) {
	tb.Helper()
	if got := state(x, m); got != wanted {
		tb.Errorf("%s: %s is %q, want %q", when, m.key, got, wanted)
	}
}

func TestPurge(t *testing.T) {
	const key = "https://a.example/blog/1?x=1"
	for name, c := range map[string]struct {
		targets []Target
		tags    []string
		want    string
	}{
		"none":                          {nil, []string{"t"}, ""},
		"tag":                           {[]Target{{Tag, "t", false}}, []string{"s", "t"}, "hard"},
		"tag, softly":                   {[]Target{{Tag, "t", true}}, []string{"t"}, "soft"},
		"another tag":                   {[]Target{{Tag, "u", false}}, []string{"t"}, ""},
		"a tag in another case":         {[]Target{{Tag, "T", false}}, []string{"t"}, ""},
		"tag of what has none":          {[]Target{{Tag, "t", false}}, nil, ""},
		"url":                           {[]Target{{URL, key, false}}, nil, "hard"},
		"url, softly":                   {[]Target{{URL, key, true}}, nil, "soft"},
		"url with more behind":          {[]Target{{URL, key + "\x1fb", false}}, nil, "hard"},
		"another url":                   {[]Target{{URL, key + "0", false}}, nil, ""},
		"a tag that is called as a url": {[]Target{{Tag, key, false}}, nil, ""},
		"a url that is called as a tag": {[]Target{{URL, "t", false}}, []string{"t"}, ""},
		"prefix":                        {[]Target{{Prefix, "https://a.example/blog/", false}}, nil, "hard"},
		"prefix, softly":                {[]Target{{Prefix, "https://a.example/blog/", true}}, nil, "soft"},
		"prefix of another scheme":      {[]Target{{Prefix, "http://a.example/", false}}, nil, ""},
		"everything":                    {[]Target{{Prefix, "", false}}, nil, "hard"},
		"soft, then hard":               {[]Target{{Tag, "t", true}, {URL, key, false}}, []string{"t"}, "hard"},
		"hard, then soft":               {[]Target{{Tag, "t", false}, {Tag, "t", true}}, []string{"t"}, "hard"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newIndex(t, Options{})
			stamp, before := x.Stamp(), fetched(x, key, c.tags...)
			purge(t, x, c.targets...)
			if purged := x.Purged(key, c.tags, stamp); purged != (c.want != "") {
				t.Errorf("Purged = %v, want %q", purged, c.want)
			}
			if x.Purged(key, c.tags, x.Stamp()) {
				t.Error("Purged = true for what is fetched after")
			}
			want(t, x, before, c.want, "fetched before")
			want(t, x, reread(x, before, c.tags...), c.want, "fetched before, read from a store")
			after := fetched(x, key, c.tags...)
			want(t, x, after, "", "fetched after")
			want(t, x, reread(x, after, c.tags...), "", "fetched after, read from a store")
			purge(t, x, c.targets...)
			want(t, x, after, c.want, "purged again")
		})
	}
}

func TestSoftSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newIndex(t, Options{})
		defer func() { _ = x.Close() }()
		m := fetched(x, "k", "t", "u")
		time.Sleep(time.Minute)
		first := time.Now().UnixNano()
		purge(t, x, Target{Tag, "t", true})
		x.State(m)
		time.Sleep(time.Minute)
		purge(t, x, Target{Tag, "u", true}, Target{Tag, "t", true})
		if _, since := x.State(m); since != first {
			t.Errorf("stale since %d, want the first of the purges, %d", since, first)
		}
		purge(t, x, Target{Prefix, "k", false})
		want(t, x, m, "hard", "hard after soft")
	})
}

func TestBadTargets(t *testing.T) {
	x := newIndex(t, Options{})
	m := fetched(x, "k", "t")
	for _, bad := range []Target{{Tag, "", false}, {URL, "", false}, {tagged, "x", false}, {9, "x", false}, {Prefix, strings.Repeat("x", MaxName+1), false}} {
		if err := x.Purge(t.Context(), Target{Tag, "t", false}, bad); !errors.Is(err, ErrBadTarget) {
			t.Errorf("Purge(%.20v) = %v, want ErrBadTarget", bad, err)
		}
	}
	want(t, x, m, "", "beside bad targets")
	if err := x.Purge(t.Context()); err != nil || x.Stats() != (Stats{}) {
		t.Errorf("nothing purged: %v, %+v", err, x.Stats())
	}
}

func TestOptions(t *testing.T) {
	cache := newCache(t)
	for name, o := range map[string]Options{
		"no cache": {}, "negative life": {Cache: cache, Life: -1}, "negative interval": {Cache: cache, Interval: -1},
		"too few records": {Cache: cache, Records: 1023},
	} {
		if x, err := New(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
			_ = x.Close()
		}
	}
}

// TestModel purges and fetches at random on three nodes, of which all but one have heard of nothing else than they were told,
// and compares with what a list of all that happened says.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { runModel(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

// stored is a response in the model: which purges (by number) its node had heard of when it was fetched.
type stored struct {
	marks *Marks
	node  int
	key   string
	tags  []string
	heard int
}

func runModel(t *testing.T, r *rand.Rand) {
	cache := newCache(t)
	nodes := make([]*Index, 3)
	for i := range nodes {
		nodes[i] = newIndex(t, Options{Cache: cache, Interval: time.Hour, Records: 1024})
		defer func() { _ = nodes[i].Close() }()
	}
	var done []Target
	heard := make([]int, len(nodes))
	var all []stored
	name := func() string { return string(rune('a' + r.IntN(8))) }
	purges := func(g Target, s *stored) bool {
		switch g.Kind {
		case Tag:
			return strings.Contains(strings.Join(s.tags, ""), g.Name)
		case URL:
			return s.key == g.Name
		default:
			return strings.HasPrefix(s.key, g.Name)
		}
	}
	for range 400 {
		n := r.IntN(len(nodes))
		switch r.IntN(8) {
		case 0, 1:
			g := Target{Kind: Kind(r.IntN(3)), Name: name(), Soft: r.IntN(2) == 0}
			switch {
			case g.Kind == URL:
				g.Name += name()
			case g.Kind == Prefix && r.IntN(8) == 0:
				g.Name = ""
			}
			purge(t, nodes[n], g)
			done = append(done, g)
			heard[n] = len(done)
		case 2:
			nodes[n].look(t.Context())
			heard[n] = len(done)
		default:
			s := stored{node: n, key: name() + name(), heard: heard[n]}
			for range r.IntN(3) {
				s.tags = append(s.tags, name())
			}
			s.marks = fetched(nodes[n], s.key, s.tags...)
			all = append(all, s)
		}
		for range 5 {
			if len(all) == 0 {
				break
			}
			s := &all[r.IntN(len(all))]
			wanted := [2]string{}
			for i, node := range []int{s.node, n} {
				for _, g := range done[s.heard:max(heard[node], s.heard)] {
					if purges(g, s) && wanted[i] != "hard" {
						wanted[i] = "hard"
						if g.Soft {
							wanted[i] = "soft"
						}
					}
				}
			}
			if got := state(nodes[s.node], s.marks); got != wanted[0] {
				t.Fatalf("%+v on its node is %q, want %q", s, got, wanted[0])
			}
			if got := state(nodes[n], reread(nodes[n], s.marks, s.tags...)); got != wanted[1] {
				t.Fatalf("%+v on node %d is %q, want %q", s, n, got, wanted[1])
			}
		}
	}
}

// TestManyTargets purges more tags than the first tables have room for.
func TestManyTargets(t *testing.T) {
	x := newIndex(t, Options{})
	kept := fetched(x, "k", "kept")
	var all []*Marks
	for i := range 5000 {
		all = append(all, fetched(x, "k", fmt.Sprint("t", i)))
	}
	for i := 0; i < len(all); i += 500 {
		targets := make([]Target, 500)
		for j := range targets {
			targets[j] = Target{Tag, fmt.Sprint("t", i+j), false}
		}
		purge(t, x, targets...)
	}
	for i, m := range all {
		if state(x, m) != "hard" {
			t.Fatalf("t%d is not purged", i)
		}
	}
	want(t, x, kept, "", "after 5000 purges of others")
}

// TestManyRules purges more prefixes than are kept apart.
func TestManyRules(t *testing.T) {
	x := newIndex(t, Options{})
	other := fetched(x, "http://b/")
	var all []*Marks
	for i := range maxRules + 100 {
		m := fetched(x, fmt.Sprintf("http://a/%d/x", i))
		all = append(all, m)
		purge(t, x, Target{Prefix, fmt.Sprintf("http://a/%d/", i), false})
	}
	for _, m := range all {
		want(t, x, m, "hard", "after all purges")
	}
	want(t, x, other, "", "after purges of another host")
	if n := x.Stats().Rules; n > maxRules {
		t.Errorf("%d rules, want %d at most", n, maxRules)
	}
	purge(t, x, Target{Prefix, "http://a/", false})
	if n := x.Stats().Rules; n != 1 {
		t.Errorf("%d rules after one that covers all, want 1", n)
	}
}

func TestStateDoesNotAllocate(t *testing.T) {
	x := newIndex(t, Options{})
	m := fetched(x, "https://a.example/", "a", "b", "c")
	i := 0
	targets := []Target{{Tag, "x", false}, {URL, "y", false}, {Prefix, "z", true}}
	for _, g := range targets {
		purge(t, x, g)
	}
	if n := testing.AllocsPerRun(100, func() {
		m.checked.Store(0) // everything is looked at again
		x.State(m)
		i++
	}); n != 0 {
		t.Errorf("State allocates %v times, want 0", n)
	}
}

// TestHammer purges beside many who look, and checks that what was fetched before a purge is never good after it.
func TestHammer(t *testing.T) {
	x := newIndex(t, Options{Interval: time.Millisecond})
	var last atomic.Pointer[Marks] // fetched before the purge that is under way
	var gone atomic.Pointer[Marks] // fetched before a purge that is over
	last.Store(fetched(x, "k", "t"))
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				m := gone.Load()
				x.State(last.Load())
				if m == nil {
					continue
				}
				if hard, _ := x.State(m); !hard {
					t.Error("what was purged is good again")
					return
				}
			}
		})
	}
	for i := range 500 {
		old := last.Load()
		g := []Target{{Tag, "t", false}, {URL, "k", false}, {Prefix, "k", false}}[i%3]
		purge(t, x, g, Target{Tag, fmt.Sprint("other", i), i%2 == 0})
		gone.Store(old)
		m := fetched(x, "k", "t")
		if hard, _ := x.State(m); hard {
			t.Error("what was fetched after a purge is purged")
		}
		last.Store(m)
	}
	stop()
	wg.Wait()
}

func BenchmarkState(b *testing.B) {
	x := newIndex(b, Options{})
	m := fetched(x, "https://a.example/", "a", "b", "c")
	purge(b, x, Target{Tag, "x", false})
	for b.Loop() {
		x.State(m)
	}
}

// BenchmarkResolve has no purges behind it; "tags" has ten tags.
func BenchmarkResolve(b *testing.B) {
	x := newIndex(b, Options{})
	tags := strings.Fields("aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj")
	for name, tags := range map[string][]string{"none": nil, "tags": tags} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Resolve("https://a.example/some/path?q=1", tags, Stamp{})
			}
		})
	}
}

// BenchmarkPurgeTag purges a tag that 100,000 of 1,000,000 responses have. "least-µs" is the least time of all calls until
// one of these responses is known to be purged.
func BenchmarkPurgeTag(b *testing.B) {
	x := newIndex(b, Options{})
	all := make([]*Marks, 1_000_000)
	for i := range all {
		tags := []string{fmt.Sprint("page", i), "site"}
		if i%10 == 0 {
			tags = append(tags, "tenth")
		}
		all[i] = fetched(x, fmt.Sprint("https://a.example/", i), tags...)
	}
	least := time.Hour
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		m := fetched(x, "k", "tenth")
		start := time.Now()
		purge(b, x, Target{Tag, "tenth", false})
		if hard, _ := x.State(m); !hard {
			b.Fatal("not purged")
		}
		least = min(least, time.Since(start))
	}
	b.ReportMetric(float64(least.Nanoseconds())/1e3, "least-µs")
	purged := 0
	for _, m := range all {
		if hard, _ := x.State(m); hard {
			purged++
		}
	}
	if purged != len(all)/10 {
		b.Fatalf("%d responses are purged, want %d", purged, len(all)/10)
	}
}
