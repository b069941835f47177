package bench

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// rewriteRules make another key of 35 bytes out of one of 32.
const rewriteRules = `{"rules":[{"lowercase":true},{"prefix":"v1:"}]}`

// load returns a reference plugin. Unless memo is set, a pure plugin counts as one that is not: what is measured is the
// guest, not the memory of what it did before.
func load(b *testing.B, name, config string, memo bool) *plugins.Plugin {
	b.Helper()
	host, err := plugins.NewHost(context.Background(), plugins.HostOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = host.Close(context.Background()) })
	wasm, manifest, ok := examples.Lookup(name)
	if !ok {
		b.Fatalf("no plugin %q", name)
	}
	if manifest == nil {
		manifest, _, err = hostabi.ReadManifest(wasm)
	}
	if err != nil {
		b.Fatal(err)
	}
	if !memo {
		manifest = bytes.Replace(manifest, []byte(`"pure": true`), []byte(`"pure": false`), 1)
	}
	p, err := host.Load(context.Background(), plugins.Source{Name: name, Wasm: wasm, Manifest: manifest, Config: []byte(config)})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// settle is a hook that answers every command, so that what is measured is the hooks before it and not the tier.
type settle struct{}

func (settle) Spec() core.HookSpec { return core.HookSpec{Name: "settle", Before: core.AllOps} }

func (settle) Before(_ context.Context, _ *core.Command, res *core.Result) error {
	res.Outcome = core.OutcomeHit
	return nil
}

func (settle) After(context.Context, *core.Command, *core.Result) error { return nil }

// BenchmarkHook is a command through a sync WASM hook: an instance from the pool, the key in, the guest, the verdict out.
// What the hook costs is the difference to "none".
func BenchmarkHook(b *testing.B) {
	for _, bench := range []struct {
		name, config string
		memo         bool
	}{
		{"none", "", false},
		{"pass", `{}`, false},
		{"rewrite", rewriteRules, false},
		{"rewrite-memo", rewriteRules, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c, keys := newCache(b, core.Options{Hooks: hooks(b, bench.config, bench.memo)})
			do(b, c, keys)
		})
	}
}

// BenchmarkHookParallel is the rewriting hook on as many goroutines as processors: with two, ns/op should halve.
func BenchmarkHookParallel(b *testing.B) {
	c, keys := newCache(b, core.Options{Hooks: hooks(b, rewriteRules, false)})
	b.RunParallel(func(pb *testing.PB) {
		var cmd core.Command
		var res core.Result
		for i := 0; pb.Next(); i++ {
			cmd.Op, cmd.Key = core.OpGet, keys[i&(hotKeys-1)]
			if err := c.Do(context.Background(), &cmd, &res); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// hooks returns keyrewrite, unless config is "", and settle.
func hooks(b *testing.B, config string, memo bool) []core.Hook {
	if config == "" {
		return []core.Hook{settle{}}
	}
	return []core.Hook{load(b, "keyrewrite", config, memo).Hook(), settle{}}
}

// BenchmarkHit with the reference plugins: what a hit costs more with each is the difference.
func BenchmarkHitWith(b *testing.B) {
	for _, bench := range []struct {
		name      string
		observers []string
		rules     string
	}{
		{name: "nothing"},
		{name: "hitratio", observers: []string{"hitratio"}},
		{name: "hitratio+timing", observers: []string{"hitratio", "timing"}},
		{name: "keyrewrite-idle", rules: `{}`},
		{name: "all", observers: []string{"hitratio", "timing"}, rules: `{}`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var o core.Options
			for _, name := range bench.observers {
				o.Observers = append(o.Observers, load(b, name, "", true).Observer())
			}
			if bench.rules != "" {
				o.Hooks = append(o.Hooks, load(b, "keyrewrite", bench.rules, true).Hook())
			}
			c, keys := newCache(b, o)
			do(b, c, keys)
		})
	}
	b.Run("clock", func(b *testing.B) { // what timing adds by asking for two readings
		var n int64
		for b.Loop() {
			n += core.Clock() + core.Clock()
		}
		_ = n
	})
}

// BenchmarkObserve is an event in the guest, its copy into the guest's memory included.
func BenchmarkObserve(b *testing.B) {
	events := make([]core.Event, hostabi.EventBatch)
	for i := range events {
		events[i] = core.Event{
			Op: uint8(core.OpGet), Result: uint8(core.OutcomeHit) | 1<<4, Namespace: uint16(i % 3),
			Elapsed: uint32(100 + i*37), Time: uint64(time.Now().UnixNano()), Size: 64,
		}
	}
	for _, name := range []string{"hitratio", "timing"} {
		b.Run(fmt.Sprintf("%s-%d", name, len(events)), func(b *testing.B) {
			o := load(b, name, "", true).Observer()
			for b.Loop() {
				o.Observe(events)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
		})
	}
}
