package plugins

import (
	"context"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// Keys of 32 bytes, the word to the guest included.
const (
	passKey    = "pass:users/profile/0123456789abc"
	rewriteKey = "up:users/profile/0123456789abcde"
)

// settle is a hook that answers every command, so that what is measured is the hooks before it.
type settle struct{}

func (settle) Spec() core.HookSpec { return core.HookSpec{Name: "settle", Before: core.AllOps} }
func (settle) Before(_ context.Context, _ *core.Command, res *core.Result) error {
	res.Outcome = core.OutcomeBypass
	return nil
}
func (settle) After(context.Context, *core.Command, *core.Result) error { return nil }

// hookedCache returns a cache whose commands pass the hook, if any, and go no further.
func hookedCache(tb testing.TB, hooks ...core.Hook) *core.Cache {
	tb.Helper()
	c := newCache(tb)
	if err := c.SetHooks(append(hooks, settle{}), nil); err != nil {
		tb.Fatal(err)
	}
	return c
}

// only is the actor as nothing but a hook before.
func only(changes ...string) Source {
	return actorSource(append(changes, `["before", "after", "observe"]`, `["before"]`)...)
}

// pureSource is the actor with its promise that it is pure.
func pureSource() Source {
	return only(`"name": "actor"`, `"name": "pure"`, `"memory_pages"`, `"pure": true, "memory_pages"`)
}

func TestAllocations(t *testing.T) {
	h, _ := newHost(t)
	p, pure := load(t, h, actorSource()), load(t, h, pureSource())
	for _, test := range []struct {
		name string
		key  string
		hook core.Hook
	}{
		{"pass", passKey, p.Hook()},
		{"rewrite", rewriteKey, p.Hook()},
		{"remembered", rewriteKey, pure.Hook()},
		{"cookie", "cookie:1", p.Hook()},
	} {
		c := hookedCache(t, test.hook)
		var cmd core.Command
		var res core.Result
		allocs := testing.AllocsPerRun(1000, func() {
			cmd.Op, cmd.Key = core.OpGet, test.key
			if err := c.Do(context.Background(), &cmd, &res); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", test.name, allocs)
		}
	}
	o, events := p.Observer(), eventsOf(256)
	if allocs := testing.AllocsPerRun(1000, func() { o.Observe(events) }); allocs != 0 {
		t.Errorf("observe: %v allocations", allocs)
	}
}

// BenchmarkBefore is a command through the hook. What "none" takes is the chain without it.
func BenchmarkBefore(b *testing.B) {
	h, _ := newHost(b)
	p, pure := load(b, h, only()), load(b, h, pureSource())
	for _, bench := range []struct {
		name, key string
		hooks     []core.Hook
	}{
		{"none", passKey, nil},
		{"pass", passKey, []core.Hook{p.Hook()}},
		{"rewrite", rewriteKey, []core.Hook{p.Hook()}},
		{"remembered", rewriteKey, []core.Hook{pure.Hook()}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			c := hookedCache(b, bench.hooks...)
			var cmd core.Command
			var res core.Result
			for b.Loop() {
				cmd.Op, cmd.Key = core.OpGet, bench.key
				if err := c.Do(context.Background(), &cmd, &res); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParallel is the passing hook alone. Compare -cpu 1,2.
func BenchmarkParallel(b *testing.B) {
	h, _ := newHost(b)
	hook := load(b, h, only()).Hook()
	b.RunParallel(func(pb *testing.PB) {
		cmd := core.Command{Op: core.OpGet, Key: passKey, Namespace: pureNamespace, Cookies: make([]uint64, 1)}
		var res core.Result
		for pb.Next() {
			if err := hook.Before(context.Background(), &cmd, &res); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkObserve is an event handed to a guest that does little with it.
func BenchmarkObserve(b *testing.B) {
	h, _ := newHost(b)
	o := load(b, h, actorSource()).Observer()
	events := eventsOf(256)
	for b.Loop() {
		o.Observe(events)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/256, "ns/event")
}

// BenchmarkHostCall is a command whose hook calls a host function ten times. What a call costs is a tenth of the difference to
// "none".
func BenchmarkHostCall(b *testing.B) {
	const free = scriptFree
	for _, bench := range []struct {
		function string
		args     []any
	}{
		{"none", nil},
		{hostabi.HostMono, nil},
		{hostabi.HostHash, []any{region2{free, 32}}},
		{hostabi.HostKVGet, []any{"counter", region2{free, 8}}},
		{hostabi.HostKVAdd, []any{"counter", 1, 0}},
		{hostabi.HostValueRead, []any{0, region2{free, 1024}}},
	} {
		b.Run(bench.function, func(b *testing.B) {
			s := newScript("clock", "kv", "value")
			for range 10 {
				if bench.function != "none" {
					s.call(hostabi.ExportBefore, bench.function, bench.args...)
				}
			}
			s.end(hostabi.ExportBefore, hostabi.ActionNone, scriptBuf, 0)
			h, _ := newHost(b)
			hook := load(b, h, s.source()).Hook()
			cmd := core.Command{Op: core.OpSet, Key: "k", Value: make([]byte, 1024), Namespace: pureNamespace, Cookies: make([]uint64, 1)}
			var res core.Result
			for b.Loop() {
				if err := hook.Before(context.Background(), &cmd, &res); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
