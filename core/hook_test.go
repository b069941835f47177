package core_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// testHook logs its calls and does what it is told.
type testHook struct {
	spec   core.HookSpec
	log    *[]string
	before func(cmd *core.Command, res *core.Result) error
	after  func(cmd *core.Command, res *core.Result) error
}

func (h *testHook) Spec() core.HookSpec { return h.spec }

func (h *testHook) Before(_ context.Context, cmd *core.Command, res *core.Result) error {
	if h.log != nil {
		*h.log = append(*h.log, "before "+h.spec.Name)
	}
	if h.before != nil {
		return h.before(cmd, res)
	}
	return nil
}

func (h *testHook) After(_ context.Context, cmd *core.Command, res *core.Result) error {
	if h.log != nil {
		*h.log = append(*h.log, "after "+h.spec.Name)
	}
	if h.after != nil {
		return h.after(cmd, res)
	}
	return nil
}

func allOps(name string) core.HookSpec {
	return core.HookSpec{Name: name, Before: core.AllOps, After: core.AllOps}
}

// TestHookOrder holds who is called, in which order, for how a command ends.
func TestHookOrder(t *testing.T) {
	answer := func(_ *core.Command, res *core.Result) error {
		res.Item = core.Item{Outcome: core.OutcomeHit, Entry: &core.Entry{Value: []byte("answer")}}
		return nil
	}
	refuse := func(*core.Command, *core.Result) error { return fmt.Errorf("%w: not today", core.ErrRejected) }
	for _, tt := range []struct {
		name   string
		second func(*core.Command, *core.Result) error
		get    string // outcome of the get
		calls  string
	}{
		{"pass", nil, "miss", "before 1, before 2, before 3, after 3, after 2, after 1"},
		{"answer", answer, "hit", "before 1, before 2, after 2, after 1"},
		{"refuse", refuse, "denied", "before 1, before 2, after 2, after 1"},
		{"fail", func(*core.Command, *core.Result) error { return core.ErrPlugin }, "error", "before 1, before 2, after 2, after 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log []string
			o := oneTier(t)
			o.Hooks = []core.Hook{
				&testHook{spec: allOps("1"), log: &log},
				&testHook{spec: allOps("2"), log: &log, before: tt.second},
				&testHook{spec: allOps("3"), log: &log},
				&testHook{spec: core.HookSpec{Name: "other", Before: core.Ops(core.OpSet)}, log: &log},
			}
			c := newCache(t, o)
			var res core.Result
			err := c.Do(context.Background(), &core.Command{Op: core.OpGet, Key: "k"}, &res)
			if res.Outcome.String() != tt.get || (err != nil) != (tt.get == "denied" || tt.get == "error") {
				t.Errorf("outcome %v, error %v, want %s", res.Outcome, err, tt.get)
			}
			if got := strings.Join(log, ", "); got != tt.calls {
				t.Errorf("calls: %s\nwant:  %s", got, tt.calls)
			}
		})
	}
}

// TestAfterRunsOnError lets the tier fail and the after hook see it.
func TestAfterRunsOnError(t *testing.T) {
	far := newFar(t)
	far.broken.Store(true)
	var seen error
	c := newCache(t, core.Options{
		Tiers: []core.Tier{{Name: "far", Backend: far, Remote: true}},
		Hooks: []core.Hook{&testHook{spec: allOps("h"), after: func(_ *core.Command, res *core.Result) error {
			seen = res.Err
			return errors.New("a later error")
		}}},
	})
	_, err := c.Get(context.Background(), "k")
	if !errors.Is(err, core.ErrUnavailable) || !errors.Is(seen, core.ErrUnavailable) {
		t.Errorf("error %v, the hook saw %v", err, seen)
	}
	var oe *core.OpError
	if !errors.As(err, &oe) || oe.Tier != "far" || oe.Key != "k" || oe.Op != core.OpGet {
		t.Errorf("error %#v, want an OpError of get, far and k", err)
	}
}

// TestHookRewrites changes key, value, TTL and namespace on the way, and the value on the way back.
func TestHookRewrites(t *testing.T) {
	ctx := context.Background()
	o := oneTier(t)
	o.Hooks = []core.Hook{&testHook{
		spec: allOps("h"),
		before: func(cmd *core.Command, _ *core.Result) error {
			for i := range cmd.Size() {
				key := *cmd.KeyAt(i)
				cmd.SetKey(i, append([]byte("v1:"), strings.ToLower(key)...))
				if v := cmd.ValueAt(i); v != nil {
					*v = append([]byte("<"), *v...)
				}
			}
			return cmd.SetNamespace("moved")
		},
		after: func(cmd *core.Command, res *core.Result) error {
			for i := range cmd.Size() {
				if it := res.At(cmd, i); it.Entry != nil {
					it.Entry = &core.Entry{Value: append(slices.Clone(it.Entry.Value), '>')}
				}
			}
			return nil
		},
	}}
	c := newCache(t, o)
	if err := c.Set(ctx, "KEY", []byte("v"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(ctx, "Key"); err != nil || string(v) != "<v>" {
		t.Errorf("Get = %q, %v", v, err)
	}
	if err := c.SetMany(ctx, []string{"A", "B"}, [][]byte{[]byte("1"), []byte("2")}, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetMany(ctx, []string{"b", "none", "a"})
	if err != nil || string(got[0]) != "<2>" || got[1] != nil || string(got[2]) != "<1>" {
		t.Errorf("GetMany = %q, %v", got, err)
	}
	if err := c.SetHooks(nil, nil); err != nil {
		t.Fatal(err)
	}
	keys, _ := c.Namespace("moved").Keys(ctx, "")
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"v1:a", "v1:b", "v1:key"}) {
		t.Errorf("stored keys %q", keys)
	}
}

// TestBatchSettledInPart lets a hook answer, skip and refuse single keys of a command on many.
func TestBatchSettledInPart(t *testing.T) {
	ctx := context.Background()
	for name, o := range map[string]core.Options{"one tier": oneTier(t), "two tiers": twoTiers(t, newFar(t))} {
		t.Run(name, func(t *testing.T) {
			var cookies []uint64
			o.Hooks = []core.Hook{
				&testHook{spec: core.HookSpec{Name: "first"}},
				&testHook{
					spec: core.HookSpec{Name: "h", Before: core.Ops(core.OpGetMany, core.OpDeleteMany), After: core.Ops(core.OpGetMany)},
					before: func(cmd *core.Command, res *core.Result) error {
						for i, key := range cmd.Keys {
							cmd.Cookies[i] = uint64(100 + i)
							switch key {
							case "answered":
								res.Items[i] = core.Item{Outcome: core.OutcomeHit, Entry: &core.Entry{Value: []byte("h")}}
							case "skipped":
								res.Items[i].Outcome = core.OutcomeBypass
							case "refused":
								res.Items[i] = core.Item{Outcome: core.OutcomeDenied, Err: core.ErrRejected}
							}
						}
						return nil
					},
					after: func(cmd *core.Command, _ *core.Result) error {
						cookies = slices.Clone(cmd.Cookies)
						return nil
					},
				},
			}
			c := newCache(t, o)
			keys := []string{"refused", "stored", "answered", "none", "skipped"}
			for _, k := range []string{"stored", "skipped", "refused"} {
				if err := c.Set(ctx, k, []byte("t"), core.EntryOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := c.GetMany(ctx, keys)
			var be *core.BatchError
			if !errors.As(err, &be) || !slices.Equal(be.Keys, []string{"refused"}) || !errors.Is(err, core.ErrRejected) {
				t.Errorf("error %v, want one of the refused key", err)
			}
			if string(got[1]) != "t" || string(got[2]) != "h" || got[0] != nil || got[3] != nil || got[4] != nil {
				t.Errorf("GetMany = %q", got)
			}
			if !slices.Equal(cookies, []uint64{100, 101, 102, 103, 104}) {
				t.Errorf("cookies %v", cookies)
			}
			if s := c.Stats(); s.Hits != 2 || s.Misses != 3 {
				t.Errorf("%d hits and %d misses, want 2 and 3", s.Hits, s.Misses)
			}
			if _, err = c.DeleteMany(ctx, keys); !errors.Is(err, core.ErrRejected) {
				t.Errorf("DeleteMany: %v", err)
			}
			if left, _ := c.Keys(ctx, ""); len(left) != 2 {
				t.Errorf("left %q, want the skipped and the refused key", left)
			}
		})
	}
}

// TestSetHooksUnderTraffic swaps hooks while commands run: each command sees one table from begin to end.
func TestSetHooksUnderTraffic(t *testing.T) {
	c := newCache(t, oneTier(t))
	var befores, afters atomic.Int64
	pair := func(name string) core.Hook {
		return &testHook{
			spec:   allOps(name),
			before: func(*core.Command, *core.Result) error { befores.Add(1); return nil },
			after:  func(*core.Command, *core.Result) error { afters.Add(1); return nil },
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = c.Get(context.Background(), "k")
				}
			}
		})
	}
	for i := range 200 {
		hooks := make([]core.Hook, i%4)
		for j := range hooks {
			hooks[j] = pair(fmt.Sprint(j))
		}
		if err := c.SetHooks(hooks, nil); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	if befores.Load() != afters.Load() {
		t.Errorf("%d before calls and %d after calls", befores.Load(), afters.Load())
	}
	for _, bad := range [][]core.Hook{{pair("")}, {pair("a"), pair("a")}} {
		if err := c.SetHooks(bad, nil); err == nil {
			t.Error("hooks with bad names were taken")
		}
	}
}

// countingObserver counts keys and commands; its fields are guarded by the promise of one call at a time.
type countingObserver struct {
	spec     core.ObserverSpec
	keys     int
	commands int
	events   []core.Event
	busy     atomic.Bool
}

func (o *countingObserver) Spec() core.ObserverSpec { return o.spec }

func (o *countingObserver) Observe(events []core.Event) {
	if o.busy.Swap(true) {
		panic("observed twice at a time")
	}
	for _, ev := range events {
		o.keys++
		if ev.Op&core.EventContinued == 0 {
			o.commands++
		}
		if len(o.events) < 16 {
			o.events = append(o.events, ev)
		}
	}
	o.busy.Store(false)
}

// TestObserversCountExactly runs 64 goroutines while observers come and go.
func TestObserversCountExactly(t *testing.T) {
	const goroutines, each = 64, 2000
	all := &countingObserver{spec: core.ObserverSpec{Name: "all", Ops: core.AllOps}}
	sets := &countingObserver{spec: core.ObserverSpec{Name: "sets", Ops: core.Ops(core.OpSet)}}
	o := oneTier(t)
	o.Observers = []core.Observer{all, sets}
	c := newCache(t, o)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			key := fmt.Sprint(g)
			for i := range each {
				if i%10 == 0 {
					_ = c.Set(context.Background(), key, nil, core.EntryOptions{})
				} else {
					_, _ = c.GetMany(context.Background(), []string{key, "none"})
				}
			}
		})
	}
	for range 20 {
		if err := c.SetHooks(nil, []core.Observer{all, sets}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	c.Flush()
	if want := goroutines * each; all.commands != want || all.keys != want+want*9/10 {
		t.Errorf("%d commands and %d keys, want %d and %d", all.commands, all.keys, want, want+want*9/10)
	}
	if want := goroutines * each / 10; sets.commands != want {
		t.Errorf("%d sets, want %d", sets.commands, want)
	}
}

// TestEvents holds what an event says.
func TestEvents(t *testing.T) {
	ctx := context.Background()
	plain := &countingObserver{spec: core.ObserverSpec{Name: "plain", Ops: core.AllOps}}
	o := oneTier(t)
	o.Observers = []core.Observer{plain}
	c := newCache(t, o).Namespace("ns")
	_ = c.Set(ctx, "k", []byte("12345"), core.EntryOptions{TTL: 1500e6})
	_, _ = c.Get(ctx, "k")
	_, _ = c.Get(ctx, "none")
	_, _ = c.GetMany(ctx, []string{"none", "k"})
	c.Flush()
	want := []core.Event{
		{Op: uint8(core.OpSet), Size: 5, TTL: 2, Namespace: 1, Result: uint8(core.OutcomeStored) | 1<<4},
		{Op: uint8(core.OpGet), Size: 5, Namespace: 1, Result: uint8(core.OutcomeHit) | 1<<4},
		{Op: uint8(core.OpGet), Namespace: 1, Result: uint8(core.OutcomeMiss)},
		{Op: uint8(core.OpGetMany), Namespace: 1, Result: uint8(core.OutcomeMiss)},
		{Op: uint8(core.OpGetMany) | core.EventContinued, Size: 5, Namespace: 1, Result: uint8(core.OutcomeHit) | 1<<4},
	}
	if !slices.Equal(plain.events, want) {
		t.Errorf("events %+v\nwant   %+v", plain.events, want)
	}
	if got := c.NamespacePath(1); got != "ns" {
		t.Errorf("namespace 1 is %q", got)
	}
	timed := &countingObserver{spec: core.ObserverSpec{Name: "timed", Ops: core.AllOps, Clock: true, KeyHash: true}}
	if err := c.SetHooks(nil, []core.Observer{timed}); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Get(ctx, "k")
	_, _ = c.Get(ctx, "k")
	_, _ = c.Get(ctx, "other")
	c.Flush()
	ev := timed.events
	if ev[0].KeyHash != ev[1].KeyHash || ev[0].KeyHash == ev[2].KeyHash || ev[0].KeyHash == 0 {
		t.Errorf("key hashes %x %x %x", ev[0].KeyHash, ev[1].KeyHash, ev[2].KeyHash)
	}
	if ev[0].Time == 0 || ev[0].Elapsed == 0 || ev[2].Time < ev[0].Time {
		t.Errorf("times %+v", ev)
	}
}

// TestAfterSeesTime gives after hooks the time that passed, if something measures time, and leaves the caller's Start.
func TestAfterSeesTime(t *testing.T) {
	var start, end int64
	hook := &testHook{spec: allOps("h"), after: func(cmd *core.Command, res *core.Result) error {
		start, end = cmd.Start, res.End
		return nil
	}}
	o := oneTier(t)
	o.Hooks = []core.Hook{hook}
	c := newCache(t, o)
	cmd, res := core.Command{Op: core.OpGet, Key: "k"}, core.Result{}
	if err := c.Do(context.Background(), &cmd, &res); err != nil || start != 0 || end != 0 || res.End != 0 {
		t.Errorf("nobody asked for the clock: %v, start %d, end %d and %d", err, start, end, res.End)
	}
	clock := &countingObserver{spec: core.ObserverSpec{Name: "clock", Ops: core.AllOps, Clock: true}}
	if err := c.SetHooks([]core.Hook{hook}, []core.Observer{clock}); err != nil {
		t.Fatal(err)
	}
	err := c.Do(context.Background(), &cmd, &res)
	if err != nil || start == 0 || end < start || res.End < end || cmd.Start != 0 {
		t.Errorf("%v, start %d, end %d and %d, the caller's start %d", err, start, end, res.End, cmd.Start)
	}
}

// TestObservedHitAllocatesNothing guards the path with observers and a hook that passes.
func TestObservedHitAllocatesNothing(t *testing.T) {
	o := oneTier(t)
	o.Observers = []core.Observer{&countingObserver{spec: core.ObserverSpec{Name: "o", Ops: core.AllOps, Clock: true}}}
	o.Hooks = []core.Hook{&testHook{spec: allOps("h")}}
	c := newCache(t, o)
	if err := c.Set(context.Background(), "k", nil, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 2000 { // the buffers that go round are made
		_, _ = c.Get(context.Background(), "k")
	}
	if n := testing.AllocsPerRun(2000, func() { _, _ = c.Get(context.Background(), "k") }); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}

// TestDrained holds a command in a hook while the hooks are replaced, twice: what is called once nobody uses the hooks any
// more must wait for it.
func TestDrained(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	first := &testHook{spec: allOps("first"), before: func(*core.Command, *core.Result) error {
		close(entered)
		<-leave
		return nil
	}}
	o := oneTier(t)
	o.Hooks = []core.Hook{first}
	c := newCache(t, o)
	var ended atomic.Bool
	got := make(chan error, 1)
	go func() {
		_, err := c.Get(t.Context(), "absent")
		ended.Store(true)
		got <- err
	}()
	<-entered
	var drained, early atomic.Int32
	count := func() {
		if !ended.Load() {
			early.Add(1)
		}
		drained.Add(1)
	}
	for range 2 {
		if err := c.ReplaceHooks([]core.Hook{&testHook{spec: allOps("second")}}, nil, count); err != nil {
			t.Fatal(err)
		}
	}
	bad := []core.Hook{&testHook{spec: allOps("")}}
	if err := c.ReplaceHooks(bad, nil, count); err == nil {
		t.Error("a hook without a name was taken")
	}
	for range 3 {
		runtime.GC()
	}
	close(leave)
	if err := <-got; !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Get = %v", err)
	}
	waitFor(t, "the hooks to be given back", func() bool {
		runtime.GC()
		return drained.Load() == 2
	})
	if n := early.Load(); n != 0 {
		t.Errorf("%d calls came while a command was under way", n)
	}
}
