package peers

import (
	"bytes"
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	extism "github.com/extism/go-sdk"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/plugins"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// Keys of 32 bytes, and what becomes of the first.
const (
	key       = "GET/Products/0123456789abcdef012"
	rewritten = "v1:get/products/0123456789abcdef012"
)

// rewriter turns a key into another.
type rewriter func(key string) string

// extismGuest is extism/rewrite.c.
//
//go:embed extism/rewrite.wasm
var extismGuest []byte

// newExtism returns the guest in Extism's Go SDK, used as its documentation does: compiled once, one instance, Call.
func newExtism(tb testing.TB) rewriter {
	tb.Helper()
	ctx := context.Background() // outlives the test's own
	m := extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: extismGuest}}}
	compiled, err := extism.NewCompiledPlugin(ctx, m, extism.PluginConfig{}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = compiled.Close(ctx) })
	p, err := compiled.Instance(ctx, extism.PluginInstanceConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close(ctx) })
	return func(key string) string {
		code, out, err := p.Call("rewrite", []byte(key))
		if err != nil || code != 0 {
			tb.Fatalf("extism: %d, %v", code, err)
		}
		return string(out)
	}
}

// settle ends every command where the tiers would be asked, and keeps its key.
type settle struct{ key string }

func (*settle) Spec() core.HookSpec { return core.HookSpec{Name: "settle", Before: core.AllOps} }

func (s *settle) Before(_ context.Context, cmd *core.Command, res *core.Result) error {
	s.key, res.Outcome = cmd.Key, core.OutcomeBypass
	return nil
}

func (*settle) After(context.Context, *core.Command, *core.Result) error { return nil }

// newEdgecache returns commands through a cache with the hooks, as a frontend sends them. The key is good until the next.
func newEdgecache(tb testing.TB, hooks ...core.Hook) rewriter {
	tb.Helper()
	tier, err := memory.New(memory.Options{MaxBytes: 1 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	end := &settle{}
	c, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: tier}}, Hooks: append(hooks, end)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	var cmd core.Command
	var res core.Result
	return func(key string) string {
		cmd.Op, cmd.Key = core.OpGet, key
		if err := c.Do(context.Background(), &cmd, &res); err != nil {
			tb.Fatal(err)
		}
		return end.key
	}
}

// hook loads a plugin of edgecache as a server does. A pure one counts as one that is not, so that every command calls the
// guest instead of being remembered.
func hook(tb testing.TB, wasm, manifest []byte, config string) core.Hook {
	tb.Helper()
	ctx := context.Background()
	host, err := plugins.NewHost(ctx, plugins.HostOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = host.Close(ctx) })
	manifest = bytes.Replace(manifest, []byte(`"pure": true`), []byte(`"pure": false`), 1)
	p, err := host.Load(ctx, plugins.Source{Wasm: wasm, Manifest: manifest, Config: []byte(config)})
	if err != nil {
		tb.Fatal(err)
	}
	return p.Hook()
}

// keyrewrite is the plugin that edgecache has built in, told to do the same.
func keyrewrite(tb testing.TB) core.Hook {
	tb.Helper()
	wasm, manifest, _ := examples.Lookup("keyrewrite")
	return hook(tb, wasm, manifest, `{"rules":[{"lowercase":true},{"prefix":"v1:"}]}`)
}

// lowercase is the example in C that does this and nothing else. It is built here.
func lowercase(tb testing.TB) core.Hook {
	tb.Helper()
	folder := filepath.Join("..", "..", "wasm-examples")
	if out, err := exec.Command("make", "-s", "-C", folder, "build/lowercase-c.wasm").CombinedOutput(); err != nil {
		if strings.Contains(string(out), "no compiler") && os.Getenv("EDGECACHE_REQUIRE_GUESTS") != "1" {
			tb.Skipf("lowercase can't be built: %s", out)
		}
		tb.Fatalf("make: %v: %s", err, out)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(folder, "build", name))
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
	return hook(tb, read("lowercase-c.wasm"), read("lowercase-c.wasm.json"), `{"prefix":"v1:"}`)
}

func TestAllGiveTheSameKey(t *testing.T) {
	for name, start := range map[string]func(testing.TB) rewriter{
		"extism":     newExtism,
		"keyrewrite": func(tb testing.TB) rewriter { return newEdgecache(tb, keyrewrite(tb)) },
		"lowercase":  func(tb testing.TB) rewriter { return newEdgecache(tb, lowercase(tb)) },
	} {
		t.Run(name, func(t *testing.T) {
			rewrite := start(t)
			for key, want := range map[string]string{
				key: rewritten, "": "v1:", "A": "v1:a", "v1:": "v1:v1:", "É\xff\x00Z[@`{": "v1:É\xff\x00z[@`{", key + key + "X": rewritten + rewritten[3:] + "x",
			} {
				if got := rewrite(key); got != want {
					t.Errorf("%q becomes %q, want %q", key, got, want)
				}
			}
		})
	}
}

// BenchmarkRewrite is one key through each: what a plugin of edgecache costs is the difference to none.
func BenchmarkRewrite(b *testing.B) {
	for _, bench := range []struct {
		name  string
		start func(testing.TB) rewriter
		want  string
	}{
		{"none", func(tb testing.TB) rewriter { return newEdgecache(tb) }, key},
		{"lowercase", func(tb testing.TB) rewriter { return newEdgecache(tb, lowercase(tb)) }, rewritten},
		{"keyrewrite", func(tb testing.TB) rewriter { return newEdgecache(tb, keyrewrite(tb)) }, rewritten},
		{"extism", newExtism, rewritten},
	} {
		b.Run(bench.name, func(b *testing.B) {
			rewrite := bench.start(b)
			b.ReportAllocs()
			for b.Loop() {
				if got := rewrite(key); got != bench.want {
					b.Fatalf("the key is %q, want %q", got, bench.want)
				}
			}
		})
	}
}

// BenchmarkPair runs Extism and a plugin of edgecache by turns, some milliseconds each, so that what else the machine does
// falls on both, and little of collecting Extism's garbage on edgecache. It reports how many commands through the plugin
// fit into one call of Extism's: the cache's own part of a command counts against edgecache.
func BenchmarkPair(b *testing.B) {
	const calls, commands = 100, 20_000
	for _, bench := range []struct {
		name string
		hook func(testing.TB) core.Hook
	}{{"lowercase", lowercase}, {"keyrewrite", keyrewrite}} {
		b.Run(bench.name, func(b *testing.B) {
			theirs, ours := newExtism(b), newEdgecache(b, bench.hook(b))
			var their, our time.Duration
			for b.Loop() {
				their += elapsed(theirs, calls)
				our += elapsed(ours, commands)
			}
			perCall, perCommand := float64(their)/float64(calls*b.N), float64(our)/float64(commands*b.N)
			b.ReportMetric(perCall, "extism-ns")
			b.ReportMetric(perCommand, "edgecache-ns")
			b.ReportMetric(perCall/perCommand, "x")
		})
	}
}

// elapsed is how long n rewrites take.
func elapsed(rewrite rewriter, n int) time.Duration {
	begin := time.Now()
	for range n {
		rewrite(key)
	}
	return time.Since(begin)
}
