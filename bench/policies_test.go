package bench

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/hostabi/abitest"
	"github.com/edgecache/edgecache/plugins"
)

// policyTrace is what BenchmarkGuestPolicy asks for: arc_P3 where it is there, or else something made up.
func policyTrace(b *testing.B) *trace.Trace {
	b.Helper()
	path := filepath.Join(cmp.Or(os.Getenv("EDGECACHE_TRACES"), "../../shared/traces"), "arc.P3.lis.zst")
	t, err := trace.Load(b.Context(), path, trace.Options{})
	if err != nil {
		b.Logf("made up: %v", err)
		t, err = trace.Generate("zipf:0.8,7e5,4e6", 1)
	}
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// BenchmarkGuestPolicy is a whole trace through LRU in a cache of a tenth of the objects: by a guest in C, in batches and by
// events, what the host checks included, metered as in a simulation or not, and by the native one.
func BenchmarkGuestPolicy(b *testing.B) {
	t := policyTrace(b)
	wasm, err := os.ReadFile("../plugins/testdata/policy/lru.wasm")
	if err != nil {
		b.Fatal(err)
	}
	load := func(b *testing.B, unmetered bool, form string) func(evict.Spec) (evict.Policy, error) {
		b.Helper()
		m, err := hostWith(b, plugins.HostOptions{Unmetered: unmetered}).LoadPolicy(context.Background(), plugins.Source{
			Wasm: wasm, Manifest: []byte(`{"name": "lru", "version": "1", "abi": "policy/1"}`),
		})
		if err != nil {
			b.Fatal(err)
		}
		return func(s evict.Spec) (evict.Policy, error) {
			s.Params = map[string]string{"form": form}
			return m.New(s)
		}
	}
	native := func(s evict.Spec) (evict.Policy, error) { return evict.New("lru", s) }
	b.Run("native", func(b *testing.B) { replayTrace(b, t, native) })
	for _, form := range []string{"batch", "event"} {
		b.Run(form, func(b *testing.B) { replayTrace(b, t, load(b, false, form)) })
		b.Run(form+"-unmetered", func(b *testing.B) { replayTrace(b, t, load(b, true, form)) })
	}
}

// BenchmarkGuestPolicyLanguages is LRU and SIEVE in every language, in batches, metered.
func BenchmarkGuestPolicyLanguages(b *testing.B) {
	t := policyTrace(b)
	for _, name := range []string{"lru", "sieve"} {
		for _, language := range []string{"c", "rust", "as", "go"} {
			b.Run(name+"/"+language, func(b *testing.B) {
				m, err := hostWith(b, plugins.HostOptions{}).LoadPolicy(context.Background(), plugins.Source{
					Wasm: abitest.Build(b, name, language),
				})
				if err != nil {
					b.Fatal(err)
				}
				replayTrace(b, t, func(s evict.Spec) (evict.Policy, error) { return m.New(s) })
			})
		}
	}
}

// replayTrace asks for the whole trace in batches as a simulation does, and reports the least time of the processor that a request
// took of all repetitions.
func replayTrace(b *testing.B, t *trace.Trace, build func(evict.Spec) (evict.Policy, error)) {
	const batch = 4096
	hits := make([]uint64, batch/64)
	least := 0.0
	for b.Loop() {
		p, err := build(evict.Spec{Objects: t.Objects, Capacity: uint64(t.Objects / 10)})
		if err != nil {
			b.Fatal(err)
		}
		begin := cpuTime(b)
		for at := 0; at < len(t.IDs); at += batch {
			p.Replay(t.IDs[at:min(at+batch, len(t.IDs))], nil, hits)
		}
		took := float64(cpuTime(b) - begin)
		if least == 0 || took < least {
			least = took
		}
		if f, ok := p.(plugins.PolicyCache); ok {
			if err := f.Err(); err != nil {
				b.Fatal(err)
			}
			_ = f.Close()
		}
	}
	b.ReportMetric(float64(len(t.IDs))/least*1e3, "Mreq/s")
}

// cpuTime is how long the process has had a processor.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
