package bench

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/hostabi/abitest"
	"github.com/edgecache/edgecache/plugins"
)

// prefixRule makes another key of 35 bytes out of one of 32, as rewriteRules does.
const prefixRule = `{"prefix":"v1:"}`

// hostWith returns a host that is closed with the benchmark.
func hostWith(b *testing.B, o plugins.HostOptions) *plugins.Host {
	b.Helper()
	host, err := plugins.NewHost(context.Background(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = host.Close(context.Background()) })
	return host
}

// source returns an example that is built when it is needed, not taken for pure so that the guest is called.
func source(b *testing.B, name, language, config string) plugins.Source {
	b.Helper()
	wasm := abitest.Build(b, name, language)
	manifest, _, err := hostabi.ReadManifest(wasm)
	if err != nil {
		b.Fatal(err)
	}
	manifest = bytes.Replace(manifest, []byte(`"pure": true`), []byte(`"pure": false`), 1)
	return plugins.Source{Name: name, Wasm: wasm, Manifest: manifest, Config: []byte(config)}
}

// BenchmarkGuest is a command through lowercase in each language: it rewrites the key, lets it pass as it is, or rewrites it
// without being metered. What the hook costs is the difference to Hook/none.
func BenchmarkGuest(b *testing.B) {
	for _, language := range abitest.Languages() {
		for _, bench := range []struct {
			name, config string
			unmetered    bool
		}{
			{language, prefixRule, false}, {language + "-unmetered", prefixRule, true}, {language + "-pass", `{}`, false},
		} {
			b.Run(bench.name, func(b *testing.B) {
				host := hostWith(b, plugins.HostOptions{Unmetered: bench.unmetered})
				p, err := host.Load(context.Background(), source(b, "lowercase", language, bench.config))
				if err != nil {
					b.Fatal(err)
				}
				c, keys := newCache(b, core.Options{Hooks: []core.Hook{p.Hook(), settle{}}})
				do(b, c, keys)
			})
		}
	}
}

// BenchmarkLoad is a plugin loaded, its first instances made: the first time, and by a host that has its compiled code on
// disk, as a process that starts does.
func BenchmarkLoad(b *testing.B) {
	for _, language := range abitest.Languages() {
		b.Run(language+"-first", func(b *testing.B) {
			src := source(b, "lowercase", language, prefixRule)
			for range b.N {
				b.StopTimer()
				loadOnce(b, b.TempDir(), src)
			}
		})
		b.Run(language, func(b *testing.B) {
			b.StopTimer()
			src, dir := source(b, "lowercase", language, prefixRule), b.TempDir()
			loadOnce(b, dir, src)
			b.ResetTimer()
			for range b.N {
				loadOnce(b, dir, src)
			}
		})
	}
}

// loadOnce loads a plugin by a new host that keeps compiled code in dir. The timer runs while it does.
func loadOnce(b *testing.B, dir string, src plugins.Source) {
	b.Helper()
	host, err := plugins.NewHost(context.Background(), plugins.HostOptions{CacheDir: dir})
	if err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
	_, err = host.Load(context.Background(), src)
	b.StopTimer()
	if err := errors.Join(err, host.Close(context.Background())); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRunaway is a guest that never returns, from the call until its caller has the error: stopped by what fuel a hook
// has, or by the clock after 10 ms. While the clock runs the collector is forced; reported is by how much the world's
// stopping took longer than without such a guest.
func BenchmarkRunaway(b *testing.B) {
	actor, err := os.ReadFile("../plugins/testdata/actor.wasm")
	if err != nil {
		b.Fatal(err)
	}
	call := func(b *testing.B, p *plugins.Plugin) time.Duration {
		b.Helper()
		c, _ := newCache(b, core.Options{Hooks: []core.Hook{p.Hook(), settle{}}})
		cmd, res := core.Command{Op: core.OpGet, Key: "spin"}, core.Result{}
		begin := time.Now()
		if err := c.Do(context.Background(), &cmd, &res); !errors.Is(err, core.ErrPlugin) {
			b.Fatalf("the guest ended: %v", err)
		}
		return time.Since(begin)
	}
	fresh := func(b *testing.B, host *plugins.Host, fuel int64) *plugins.Plugin {
		b.Helper()
		p, err := host.Load(context.Background(), plugins.Source{
			Wasm: actor, Grants: plugins.Grants{Fuel: fuel, Failure: hostabi.FailClosed},
		})
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	b.Run("fuel", func(b *testing.B) {
		host, took := hostWith(b, plugins.HostOptions{}), time.Duration(math.MaxInt64)
		for b.Loop() {
			took = min(took, call(b, fresh(b, host, 0)))
		}
		b.ReportMetric(float64(took.Microseconds()), "us")
	})
	b.Run("clock", func(b *testing.B) {
		host, took := hostWith(b, plugins.HostOptions{CallTimeout: 10 * time.Millisecond}), time.Duration(math.MaxInt64)
		pause := time.Duration(math.MaxInt64)
		for b.Loop() {
			p := fresh(b, host, 1<<40)
			done := make(chan time.Duration)
			go func() { done <- call(b, p) }()
			pause = min(pause, longestStop(func() {
				for range 3 {
					runtime.GC()
				}
			}))
			took = min(took, <-done)
		}
		b.ReportMetric(float64(took.Microseconds()), "us")
		b.ReportMetric(float64(pause.Microseconds()), "pause-us")
	})
}

// longestStop returns how long it took at most, while f ran, until all goroutines had stopped for the collector.
func longestStop(f func()) time.Duration {
	sample := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(sample)
	before := slices.Clone(sample[0].Value.Float64Histogram().Counts)
	f()
	metrics.Read(sample)
	h := sample[0].Value.Float64Histogram()
	for i, n := range slices.Backward(h.Counts) {
		if n > before[i] {
			return time.Duration(h.Buckets[i+1] * float64(time.Second))
		}
	}
	return 0
}
