package invalid

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

// manual is for nodes that look at the log when a test has them do so.
const manual = 1000 * time.Hour

// look has a node look at the log.
func look(x *Index) { x.look(context.Background()) }

// TestNodesFollow has one node hear of another one's purges by itself.
func TestNodesFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := newCache(t)
		a, b := newIndex(t, Options{Cache: cache}), newIndex(t, Options{Cache: cache})
		defer func() { _, _ = a.Close(), b.Close() }()
		before := fetched(b, "k", "t")
		for range 3 {
			purge(t, a, Target{Tag, "t", false})
			want(t, b, before, "", "before the other node can know")
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			want(t, b, before, "hard", "after the interval and half of it")
			before = fetched(b, "k", "t")
			want(t, b, before, "", "fetched after the node knows")
		}
	})
}

// TestLaggingNode: what a node fetches before it hears of a purge is purged everywhere, as nobody knows when it was.
func TestLaggingNode(t *testing.T) {
	cache := newCache(t)
	a, b := newIndex(t, Options{Cache: cache, Interval: manual}), newIndex(t, Options{Cache: cache, Interval: manual})
	purge(t, a, Target{Tag, "t", false})
	m := fetched(b, "k", "t")
	want(t, a, reread(a, m, "t"), "hard", "on the node that purged")
	look(b)
	want(t, b, m, "hard", "on the node that fetched it")
	purge(t, b, Target{Tag, "u", false})
	want(t, b, reread(b, m, "t"), "hard", "on the node that fetched it, later")
	purge(t, a, Target{Prefix, "x", true})
	for _, x := range []*Index{a, b} {
		want(t, x, reread(x, fetched(b, "k", "t"), "t"), "", "fetched when it knew")
	}
}

// TestRestart: what was purged stays so for a process that begins, and what came after stays good.
func TestRestart(t *testing.T) {
	cache := newCache(t)
	a := newIndex(t, Options{Cache: cache, Interval: manual})
	before := fetched(a, "k", "t")
	const n = 3*perSegment + 5
	for i := range n {
		purge(t, a, Target{Tag, fmt.Sprint("t", i), false}, Target{URL, fmt.Sprint("u", i), i%2 == 0})
	}
	purge(t, a, Target{Tag, "t", false}, Target{Prefix, "p", true})
	after := fetched(a, "p", "t", "t7")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := newIndex(t, Options{Cache: cache, Interval: manual})
	want(t, b, reread(b, before, "t"), "hard", "fetched before")
	want(t, b, reread(b, after, "t", "t7"), "", "fetched after")
	for i := range n {
		old := Stamp{Position: before.stamp.Position}
		want(t, b, b.Resolve("k", []string{fmt.Sprint("t", i)}, old), "hard", fmt.Sprint("tag ", i))
		want(t, b, b.Resolve(fmt.Sprint("u", i), nil, old), map[bool]string{true: "soft", false: "hard"}[i%2 == 0], fmt.Sprint("url ", i))
	}
	if b.Stats().Position != a.Stats().Position {
		t.Errorf("position %d, want %d", b.Stats().Position, a.Stats().Position)
	}
}

// flaky is a memory that can't be reached at times.
type flaky struct {
	core.Backend
	down atomic.Bool
}

func (f *flaky) Get(ctx context.Context, key string) (*core.Entry, error) {
	if f.down.Load() {
		return nil, core.ErrUnavailable
	}
	return f.Backend.Get(ctx, key)
}

func (f *flaky) Set(ctx context.Context, key string, e *core.Entry) error {
	if f.down.Load() {
		return core.ErrUnavailable
	}
	return f.Backend.Set(ctx, key, e)
}

func (f *flaky) Update(ctx context.Context, key string, fn func(*core.Entry) (*core.Entry, error)) (*core.Entry, error) {
	if f.down.Load() {
		return nil, core.ErrUnavailable
	}
	return f.Backend.(core.Updater).Update(ctx, key, fn)
}

// TestUnreachable: a node that can't reach the log goes on by itself, and makes up for it.
func TestUnreachable(t *testing.T) {
	store := &flaky{Backend: newBackend(t)}
	cache := newCache(t, newBackend(t), store)
	var log strings.Builder
	a := newIndex(t, Options{Cache: cache, Interval: manual, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	b := newIndex(t, Options{Cache: cache, Interval: manual})
	purge(t, a, Target{Tag, "first", false})
	onA, onB := fetched(a, "k", "t"), fetched(b, "k", "t")
	store.down.Store(true)
	for range 3 {
		if err := a.Purge(t.Context(), Target{Tag, "t", false}); !errors.Is(err, ErrNotShared) || !errors.Is(err, core.ErrUnavailable) {
			t.Fatalf("Purge = %v, want ErrNotShared and why", err)
		}
	}
	want(t, a, onA, "hard", "on the node itself")
	after := fetched(a, "k", "t")
	want(t, a, after, "", "fetched by the node itself afterwards")
	want(t, a, reread(a, onB, "t"), "hard", "of another node")
	look(a)
	if n := a.Stats().Pending; n != 1 {
		t.Errorf("%d purges wait for the log, want 1", n)
	}
	store.down.Store(false)
	look(a)
	if n := a.Stats().Pending; n != 0 {
		t.Errorf("%d purges wait for the log that is there again", n)
	}
	want(t, a, after, "", "fetched by the node itself, when the log is there again")
	look(b)
	want(t, b, onB, "hard", "on the other node, later")
	if s := log.String(); strings.Count(s, "can't be used") != 1 || strings.Count(s, "can be used again") != 1 {
		t.Errorf("the log says:\n%s", s)
	}
}

// TestStartWithoutStore: a node that began when the log could not be reached takes it in when it can.
func TestStartWithoutStore(t *testing.T) {
	store := &flaky{Backend: newBackend(t)}
	cache := newCache(t, store)
	a := newIndex(t, Options{Cache: cache, Interval: manual})
	m := fetched(a, "k", "t")
	purge(t, a, Target{Tag, "t", false})
	store.down.Store(true)
	b := newIndex(t, Options{Cache: cache, Interval: manual})
	if err := b.Purge(t.Context(), Target{Tag, "u", false}); !errors.Is(err, ErrNotShared) {
		t.Fatalf("Purge = %v, want ErrNotShared", err)
	}
	store.down.Store(false)
	look(b)
	want(t, b, reread(b, m, "t"), "hard", "purged before the node began")
	look(a)
	want(t, a, reread(a, m, "u"), "hard", "purged by the node that began")
}

// TestTooMuchPending: where more waits for the log than is remembered, everything is purged.
func TestTooMuchPending(t *testing.T) {
	store := &flaky{Backend: newBackend(t)}
	cache := newCache(t, store)
	a, b := newIndex(t, Options{Cache: cache, Interval: manual, Records: minRecords}), newIndex(t, Options{Cache: cache, Interval: manual})
	purge(t, a, Target{Tag, "x", false})
	look(b)
	m := fetched(b, "k")
	store.down.Store(true)
	for i := range minRecords + 1 {
		_ = a.Purge(t.Context(), Target{Tag, fmt.Sprint(i), false})
	}
	store.down.Store(false)
	look(a)
	look(b)
	want(t, b, m, "hard", "after more purges than are remembered")
	want(t, b, fetched(b, "k"), "", "fetched after them")
}

// clearLog has the store lose the log.
func clearLog(t *testing.T, cache *core.Cache) {
	t.Helper()
	if err := cache.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestLogIsLost: nodes put back what the store has lost, and nothing is purged twice.
func TestLogIsLost(t *testing.T) {
	cache := newCache(t)
	a, b := newIndex(t, Options{Cache: cache, Interval: manual}), newIndex(t, Options{Cache: cache, Interval: manual})
	before := fetched(a, "k", "t0")
	for i := range 2 * perSegment {
		purge(t, a, Target{Tag, fmt.Sprint("t", i), false}, Target{URL, fmt.Sprint("u", i), true})
	}
	purge(t, a, Target{Prefix, "p/", false})
	look(b)
	after, afterB := fetched(a, "p/", "t0"), fetched(b, "u3", "t9")
	clearLog(t, cache)
	look(b)
	look(a)
	look(b)
	want(t, a, after, "", "fetched before the log was lost")
	want(t, b, afterB, "", "fetched before the log was lost, by the other")
	c := newIndex(t, Options{Cache: cache, Interval: manual})
	want(t, c, reread(c, before, "t0"), "hard", "on a node that began afterwards")
	want(t, c, c.Resolve("p/x", nil, before.stamp), "hard", "a prefix, on a node that began afterwards")
	want(t, c, reread(c, after, "t0"), "", "fetched after the purge, on a node that began afterwards")
}

// TestLogIsBegunAnew: one that knows nothing has begun a log in the place of one that the store has lost.
func TestLogIsBegunAnew(t *testing.T) {
	cache := newCache(t)
	a, b := newIndex(t, Options{Cache: cache, Interval: manual}), newIndex(t, Options{Cache: cache, Interval: manual})
	old := fetched(a, "k", "t")
	oldU := fetched(a, "k", "u")
	purge(t, a, Target{Tag, "t", false})
	look(b)
	clearLog(t, cache)
	c := newIndex(t, Options{Cache: cache, Interval: manual})
	purge(t, c, Target{Tag, "u", false})
	for range 2 {
		for _, x := range []*Index{a, b, c} {
			look(x)
		}
	}
	for i, x := range []*Index{a, b, c} {
		want(t, x, reread(x, old, "t"), "hard", fmt.Sprint("what the lost log had, node ", i))
		want(t, x, reread(x, oldU, "u"), "hard", fmt.Sprint("what the new one has, node ", i))
		want(t, x, fetched(x, "k", "t", "u"), "", fmt.Sprint("fetched now, node ", i))
		if n := x.Stats().Pending; n != 0 {
			t.Errorf("node %d has %d pending purges", i, n)
		}
	}
}

// TestSkewedNode: a log begun anew by a node whose clock is behind has times that others are past already.
func TestSkewedNode(t *testing.T) {
	cache := newCache(t)
	a := newIndex(t, Options{Cache: cache, Interval: manual})
	purge(t, a, Target{Tag, "x", false})
	m := fetched(a, "k", "u")
	h := &head{id: 77, last: 1000, records: []record{{time: 1000, kind: Tag, hash: hashTag("u")}}} // of 1970
	if err := cache.Set(t.Context(), headKey, h.encode(), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	look(a)
	want(t, a, m, "hard", "purged by a node that is behind")
	after := fetched(a, "k", "u")
	b := newIndex(t, Options{Cache: cache, Interval: manual})
	want(t, b, reread(b, m, "u"), "hard", "on a third node")
	want(t, b, reread(b, after, "u"), "", "fetched afterwards, on a third node")
	want(t, b, b.Resolve("k", []string{"x"}, Stamp{}), "hard", "what the first log had")
}

// TestRolledBack: a store that fails over to a copy of itself loses the last purges, and others go on from there.
func TestRolledBack(t *testing.T) {
	for name, next := range map[string]func(t *testing.T, a, b *Index){
		"nothing else":             func(*testing.T, *Index, *Index) {},
		"another node has purged":  func(t *testing.T, _, b *Index) { purge(t, b, Target{Tag, "v", false}) },
		"the same node has purged": func(t *testing.T, a, _ *Index) { purge(t, a, Target{Tag, "v", false}) },
	} {
		t.Run(name, func(t *testing.T) {
			cache := newCache(t)
			a, b := newIndex(t, Options{Cache: cache, Interval: manual}), newIndex(t, Options{Cache: cache, Interval: manual})
			purge(t, a, Target{Tag, "s", false})
			look(b)
			copied, err := cache.Get(t.Context(), headKey)
			if err != nil {
				t.Fatal(err)
			}
			m := fetched(b, "k", "t")
			purge(t, a, Target{Tag, "t", false})
			if err := cache.Set(t.Context(), headKey, copied, core.EntryOptions{}); err != nil {
				t.Fatal(err)
			}
			next(t, a, b)
			for range 2 {
				look(a)
				look(b)
			}
			want(t, b, m, "hard", "purged before the store went back")
			c := newIndex(t, Options{Cache: cache, Interval: manual})
			want(t, c, reread(c, m, "t"), "hard", "on a node that began afterwards")
		})
	}
}

// TestDamagedLog: where it is not known what was purged, everything is.
func TestDamagedLog(t *testing.T) {
	cache := newCache(t)
	a := newIndex(t, Options{Cache: cache, Interval: manual})
	purge(t, a, Target{Tag, "t", false})
	m := fetched(a, "k")
	if err := cache.Set(t.Context(), headKey, []byte("no log"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	look(a)
	want(t, a, m, "hard", "with a damaged log")
	want(t, a, fetched(a, "k"), "", "fetched after that")
	b := newIndex(t, Options{Cache: cache, Interval: manual})
	want(t, b, reread(b, m), "hard", "on a node that began afterwards")
}

// TestNewerVersion: the log of a newer program is left alone.
func TestNewerVersion(t *testing.T) {
	cache := newCache(t)
	newer := sum([]byte{version + 1, 1, 2, 3})
	if err := cache.Set(t.Context(), headKey, newer, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	a := newIndex(t, Options{Cache: cache, Interval: manual})
	if err := a.Purge(t.Context(), Target{Tag, "t", false}); !errors.Is(err, errVersion) {
		t.Errorf("Purge = %v, want %v", err, errVersion)
	}
	if v, err := cache.Get(t.Context(), headKey); err != nil || string(v) != string(newer) {
		t.Errorf("the log was changed: %q, %v", v, err)
	}
}

// TestSegmentIsGone: a node that begins and can't know all that was purged takes everything of before for purged.
func TestSegmentIsGone(t *testing.T) {
	cache := newCache(t)
	a := newIndex(t, Options{Cache: cache, Interval: manual})
	before := fetched(a, "k")
	for i := range 3 * perSegment {
		purge(t, a, Target{Tag, fmt.Sprint("t", i), false})
	}
	after := fetched(a, "k")
	if n, err := cache.DeleteMatch(t.Context(), core.Matcher{Prefix: segmentKey}); err != nil || n == 0 {
		t.Fatalf("DeleteMatch = %d, %v", n, err)
	}
	b := newIndex(t, Options{Cache: cache, Interval: manual})
	want(t, b, reread(b, before), "hard", "fetched before the segments that are gone")
	want(t, b, reread(b, after), "", "fetched after them")
}

// TestOverflow: what is purged beyond what is remembered is made up for, by no more than is needed.
func TestOverflow(t *testing.T) {
	for name, c := range map[string]struct {
		kind            Kind
		plain, withATag string
	}{
		"tags": {Tag, "", "hard"},
		"urls": {URL, "hard", "hard"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := newCache(t)
			a := newIndex(t, Options{Cache: cache, Interval: manual, Records: minRecords})
			plain, withATag := fetched(a, "k"), fetched(a, "k", "x")
			for i := range minRecords * 7 / 4 {
				purge(t, a, Target{c.kind, fmt.Sprint(i), false})
			}
			want(t, a, withATag, "", "on the node that remembers it all")
			after := fetched(a, "k", "x")
			b := newIndex(t, Options{Cache: cache, Interval: manual, Records: minRecords})
			want(t, b, reread(b, plain), c.plain, "without a tag, fetched before")
			want(t, b, reread(b, withATag, "x"), c.withATag, "with a tag, fetched before")
			want(t, b, reread(b, after, "x"), "", "fetched after")
			if n := b.Stats().Targets; n > 2*minRecords {
				t.Errorf("%d targets are remembered", n)
			}
		})
	}
}

// TestForgetsHere: a node bounds what it remembers by itself.
func TestForgetsHere(t *testing.T) {
	x := newIndex(t, Options{Interval: manual, Records: minRecords})
	old := make([]*Marks, 0, 5)
	for i := range 5 {
		old = append(old, fetched(x, "k", fmt.Sprint("t", i)))
		purge(t, x, Target{Tag, fmt.Sprint("t", i), false})
	}
	for i := range 10 * minRecords {
		purge(t, x, Target{Tag, fmt.Sprint("other", i), false})
	}
	for i, m := range old {
		want(t, x, reread(x, m, fmt.Sprint("t", i)), "hard", "long forgotten")
	}
	if n := x.Stats().Targets; n > 5*minRecords {
		t.Errorf("%d targets are remembered, Records is %d", n, minRecords)
	}
	want(t, x, fetched(x, "k", "t1"), "", "fetched now")
}

// TestForget: what is older than all responses is forgotten.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := newCache(t)
		x := newIndex(t, Options{Cache: cache, Interval: manual, Life: time.Hour})
		defer func() { _ = x.Close() }()
		for i := range 3 * perSegment {
			purge(t, x, Target{Tag, fmt.Sprint("t", i), false})
		}
		time.Sleep(time.Hour + margin + time.Second)
		purge(t, x, Target{Tag, "u", false})
		b, err := cache.Get(t.Context(), headKey)
		if err != nil {
			t.Fatal(err)
		}
		if h, err := decodeHead(b); err != nil || len(h.segments) != 0 || len(h.records) != 1 || h.all != 0 || h.tagged != 0 {
			t.Errorf("the log has %+v, %v; want the last purge alone", h, err)
		}
	})
}

// TestTwoNodesOnRedis has two processes' worth of tiers, each a memory before one real Redis.
func TestTwoNodesOnRedis(t *testing.T) {
	server := testserver.Redis(t)
	node := func() (*core.Cache, *Index) {
		remote, err := redis.Open(server.URL(), redis.Options{})
		if err != nil {
			t.Fatal(err)
		}
		cache := newCache(t, newBackend(t), remote)
		return cache, newIndex(t, Options{Cache: cache, Interval: 20 * time.Millisecond})
	}
	_, a := node()
	_, b := node()
	m := fetched(b, "https://h/x", "t")
	purge(t, a, Target{Tag, "t", false})
	hears(t, b, m, "hard")
	after := fetched(b, "https://h/x", "t")
	purge(t, b, Target{Prefix, "https://h/", true}, Target{URL, "u", false})
	hears(t, a, reread(a, after, "t"), "soft")
	want(t, b, fetched(b, "https://h/x", "t"), "", "fetched after all")

	t.Run("the store fails", func(t *testing.T) {
		m := fetched(b, "https://h/y", "y")
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := a.Purge(t.Context(), Target{Tag, "y", false}); !errors.Is(err, ErrNotShared) {
			t.Errorf("Purge = %v, want ErrNotShared", err)
		}
		if err := server.Restart(t.Context()); err != nil { // with nothing in it
			t.Fatal(err)
		}
		hears(t, b, m, "hard")
		_, c := node()
		old := c.Resolve("https://h/x", []string{"t"}, Stamp{})
		hears(t, c, old, "hard")
	})
}

// hears waits until the node knows what became of m.
func hears(t *testing.T, x *Index, m *Marks, wanted string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); state(x, m) != wanted; {
		if time.Now().After(deadline) {
			t.Fatalf("%s is %q after 20 s, want %q", m.key, state(x, m), wanted)
		}
		<-tick.C
	}
}
