package plugins

import (
	"errors"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// figure returns a figure of the first row of a plugin's report.
func figure(t testing.TB, p *Plugin, name string) uint64 {
	t.Helper()
	r, err := p.Report()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Rows[0].Figures {
		if f.Name == name {
			return f.Count
		}
	}
	t.Fatalf("no figure %q in %+v", name, r)
	return 0
}

func versionOf(v string, changes ...string) Source {
	return actorSource(append(changes, `"version": "1"`, `"version": "`+v+`"`)...)
}

// TestSwapUnderLoad calls and observes from many goroutines while versions are replaced a thousand times: no call may fail,
// the guests must have counted every one, and nothing of the old versions may stay.
func TestSwapUnderLoad(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	c := newCache(t, p)
	const goroutines, swaps = 64, 1000
	var done sync.WaitGroup
	var stop atomic.Bool
	var gets atomic.Uint64
	load := func() {
		for !stop.Load() {
			if _, err := c.Get(t.Context(), "respond:1"); err != nil {
				t.Errorf("Get = %v", err)
			}
			if gets.Add(1)%16 == 0 {
				goruntime.Gosched() // as commands do that come by the network: else a swap waits for the scheduler alone
			}
		}
	}
	swap := func(n int) {
		for i := range n {
			if err := p.Swap(t.Context(), versionOf([]string{"2", "3"}[i%2])); err != nil {
				t.Fatal(err)
			}
		}
	}
	swap(10)
	atRest := goruntime.NumGoroutine()
	for range goroutines {
		done.Go(load)
	}
	swap(10)
	heap := heapInUse()
	swap(swaps - 20)
	if grown := int64(heapInUse()) - int64(heap); grown > 16<<20 { // instances in use are 64 KiB each
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	stop.Store(true)
	done.Wait()
	c.Flush()
	waitFor(t, func() bool { return goruntime.NumGoroutine() <= atRest })
	// Each command was counted by ec_before and by ec_observe.
	if n, want := figure(t, p, "calls"), 2*gets.Load(); n != want || want < goroutines {
		t.Errorf("guests counted %d calls in %d versions, want %d", n, swaps+1, want)
	}
	if n := figure(t, p, "longest"); n != uint64(len("respond:1")) {
		t.Errorf("longest = %d", n)
	}
	s := p.Stats()
	if s.Swaps != swaps || s.Lost != 0 || len(s.Failures) != 0 || s.Instances > p.current.Load().hooks.max+1 {
		t.Errorf("stats %+v after %d swaps", s, swaps)
	}
	t.Logf("%d swaps under %d commands", swaps, gets.Load())
}

func TestSwap(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	cmd, res := core.Command{Op: core.OpGet, Key: "pass"}, core.Result{}
	if err := before(t, p, &cmd, &res); err != nil {
		t.Fatal(err)
	}
	old := p.current.Load()
	for name, test := range map[string]struct {
		src  Source
		want string
	}{
		"hooks":  {versionOf("2", `["before", "after", "observe"]`, `["before"]`), "load it as another plugin"},
		"needs":  {versionOf("2", `"clock", "log", "rng"`, `"clock", "log", "rng", "hash"`), "load it as another plugin"},
		"module": {Source{Wasm: passing().bytes(), Manifest: []byte(actorManifest)}, "export ec_after is missing"},
		"same":   {actorSource(), ""},
	} {
		err := p.Swap(t.Context(), test.src)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: Swap = %v, want %q", name, err, test.want)
		}
		if p.current.Load() != old {
			t.Fatalf("%s: the version was replaced", name)
		}
	}
	if err := p.Swap(t.Context(), versionOf("2")); err != nil || p.Manifest().Version != "2" || figure(t, p, "calls") != 1 {
		t.Errorf("Swap = %v, %+v, %d calls", err, p.Manifest(), figure(t, p, "calls"))
	}
	if err := p.Swap(t.Context(), versionOf("2", `"longest"`, `"other"`)); err != nil || figure(t, p, "calls") != 0 {
		t.Errorf("Swap with other columns = %v, %d calls", err, figure(t, p, "calls"))
	}
}

func TestClosed(t *testing.T) {
	h, _ := newHost(t)
	for policy, want := range map[string]error{"open": nil, "closed": core.ErrPlugin} {
		src := actorSource()
		src.Grants.Failure = policy
		p := load(t, h, src)
		hook, observer := p.Hook(), p.Observer()
		for range 2 {
			if err := p.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		cmd := core.Command{Op: core.OpGet, Key: "up:a", Namespace: pureNamespace, Cookies: make([]uint64, 1)}
		if err := hook.Before(t.Context(), &cmd, new(core.Result)); !errors.Is(err, want) || cmd.Key != "up:a" {
			t.Errorf("%s: Before = %v, %q", policy, err, cmd.Key)
		}
		observer.Observe(eventsOf(3))
		if s := p.Stats(); s.Lost != 3 || s.Skipped != 1 || s.Instances != 0 {
			t.Errorf("%s: stats %+v", policy, s)
		}
		if _, err := p.Report(); !errors.Is(err, core.ErrPlugin) {
			t.Errorf("%s: Report = %v", policy, err)
		}
		if err := p.Swap(t.Context(), actorSource()); !errors.Is(err, core.ErrPlugin) {
			t.Errorf("%s: Swap = %v", policy, err)
		}
		if p.Hook() != nil || p.Observer() != nil {
			t.Errorf("%s: a closed plugin has a hook", policy)
		}
	}
}

// TestTrapsUnderLoad lets instances die while others are in use: what they had counted must not be lost.
func TestTrapsUnderLoad(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	hook := p.Hook()
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for i := range 500 {
				cmd := core.Command{Op: core.OpGet, Key: "up:a", Namespace: pureNamespace, Cookies: make([]uint64, 1)}
				if i%50 == 0 {
					cmd.Key = "trap"
				}
				p.current.Load().breaker.succeeded() // keep it out of this
				if err := hook.Before(t.Context(), &cmd, new(core.Result)); err != nil {
					t.Errorf("Before = %v", err)
				}
				if i%100 == 0 {
					_ = p.Stats()
				}
			}
		})
	}
	done.Wait()
	s := p.Stats()
	if s.Failures["trap"] == 0 || s.Failures["trap"]+s.Skipped/50 > 80 {
		t.Errorf("stats %+v", s)
	}
	if n := figure(t, p, "calls"); n != 8*500-s.Skipped {
		t.Errorf("guests counted %d calls, want %d", n, 8*500-s.Skipped)
	}
	if n := p.current.Load().hooks.max; s.Instances > n+1 {
		t.Errorf("%d instances, at most %d are allowed", s.Instances, n+1)
	}
}

func TestObserver(t *testing.T) {
	h, l := newHost(t)
	p := load(t, h, actorSource())
	o := p.Observer()
	for _, n := range []int{1, 256, 257, 1000} {
		o.Observe(eventsOf(n))
	}
	if n := figure(t, p, "calls"); n != 1514 {
		t.Errorf("the guest counted %d events, want 1514", n)
	}
	bad := eventsOf(300)
	bad[299].Size = 0xdead
	o.Observe(bad) // the second batch, of 44, fails
	o.Observe(eventsOf(10))
	if n := figure(t, p, "calls"); n != 1514+256+10 {
		t.Errorf("the guests counted %d events, want %d", n, 1514+256+10)
	}
	if s := p.Stats(); s.Lost != 44 || s.Failures["trap"] != 1 {
		t.Errorf("stats %+v", s)
	}
	if !strings.Contains(l.String(), "ec_observe: trap: unreachable") {
		t.Errorf("log: %s", l)
	}
}

func TestStateful(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource(`"memory_pages"`, `"stateful": true, "memory_pages"`))
	hook := p.Hook()
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 200 {
				cmd := core.Command{Op: core.OpGet, Key: "pass", Namespace: pureNamespace, Cookies: make([]uint64, 1)}
				if err := hook.Before(t.Context(), &cmd, new(core.Result)); err != nil {
					t.Errorf("Before = %v", err)
				}
			}
		})
	}
	p.Observer().Observe(eventsOf(100))
	done.Wait()
	if s := p.Stats(); s.Instances != 1 {
		t.Errorf("stats %+v", s)
	}
	if n := figure(t, p, "calls"); n != 8*200+100 {
		t.Errorf("the guest counted %d", n)
	}
}

// TestShadow refuses a version that fails for keys which the plugin is called for.
func TestShadow(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	for range 2 * timedCalls {
		if err := call(t, p, "spin:10"); err != nil {
			t.Fatal(err)
		}
	}
	in := p.current.Load()
	err := p.Swap(t.Context(), versionOf("2", `"memory_pages"`, `"fuel": 1000, "memory_pages"`))
	if err == nil || !strings.Contains(err.Error(), "ec_before in the shadow: fuel: it used up 1000 units") || p.current.Load() != in {
		t.Errorf("Swap = %v", err)
	}
	if s := p.Stats(); s.Swaps != 0 || s.Instances != 2 || len(s.Failures) != 0 {
		t.Errorf("stats %+v", s)
	}
	if err := p.Swap(t.Context(), versionOf("3")); err != nil {
		t.Errorf("Swap = %v", err)
	}
}

func TestRollback(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	rollback := func(want string) {
		t.Helper()
		err := p.Rollback(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Rollback = %v, want %q", err, want)
		}
	}
	rollback("there is no version to go back to")
	if err := p.Swap(t.Context(), versionOf("2")); err != nil {
		t.Fatal(err)
	}
	rollback("")
	if v := p.Manifest().Version; v != "1" {
		t.Errorf("version %s", v)
	}
	rollback("there is no version to go back to")
	if s := p.Stats(); s.Swaps != 2 || s.Rollbacks != 1 {
		t.Errorf("stats %+v", s)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	rollback("closed")
}

// TestRegret has a new version fail until its breaker opens: the old one comes back by itself.
func TestRegret(t *testing.T) {
	h, l := newHost(t)
	p := load(t, h, actorSource())
	if err := p.Swap(t.Context(), versionOf("2", `"memory_pages"`, `"fuel": 1000, "memory_pages"`)); err != nil {
		t.Fatal(err)
	}
	for range breakerFailures {
		call(t, p, "spin:10")
	}
	waitFor(t, func() bool { return p.Manifest().Version == "1" })
	cmd, res := core.Command{Op: core.OpGet, Key: "up:again"}, core.Result{}
	if err := before(t, p, &cmd, &res); err != nil || cmd.Key != "UP:AGAIN" {
		t.Errorf("afterwards: %q, %v", cmd.Key, err)
	}
	if s := p.Stats(); s.Rollbacks != 1 || s.Breaker != "closed" {
		t.Errorf("stats %+v", s)
	}
	waitFor(t, func() bool { return strings.Contains(l.String(), "plugin rolled back") })
}

// TestLossy floods an observer that is slow and may lose events: nobody waits for it, and what it did not count is lost.
func TestLossy(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource(`["before", "after", "observe"]`, `["observe"]`, `"memory_pages"`, `"lossy": true, "fuel": 1000000000, "memory_pages"`))
	slow := eventsOf(256)
	slow[0].Size = 0xb10c
	const batches = 200
	for range batches {
		p.Observer().Observe(slow)
	}
	seen := func() uint64 { return figure(t, p, "calls") }
	waitFor(t, func() bool { return seen()+p.Stats().Lost == batches*256 })
	if lost := p.Stats().Lost; lost == 0 || seen() < queueLength*256 {
		t.Errorf("%d events were lost, %d seen", lost, seen())
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost := p.Stats().Lost
	p.queue.put(eventBytes(slow))
	if n := p.Stats().Lost - lost; n != 256 {
		t.Errorf("%d events were lost after Close", n)
	}
}
