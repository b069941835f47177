package bench

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/evict"
)

// TestLiveHitRatio replays traces through the memory tier, by one goroutine and by 8, and holds the hit ratio against that of
// the policy alone, which is told of everything at once.
func TestLiveHitRatio(t *testing.T) {
	const most, valueBytes, near = 4 << 20, 100, .01
	for _, spec := range []string{"zipf:1.1,50000,100000+scan:50000", "loop:20000,60000+zipf:1.0,50000,90000"} {
		tr, err := trace.Generate(spec, 1)
		if err != nil {
			t.Fatal(err)
		}
		keys := make([]string, tr.Objects)
		for id := range keys {
			keys[id] = hotKey(id)
		}
		for _, name := range []string{"lru", "sieve", "s3fifo", "arc", "lirs", "wtinylfu"} {
			simulated := simulate(t, name, tr, most, uint32(memory.EntryOverhead+len(keys[0])+valueBytes))
			for _, goroutines := range []int{1, 8} {
				live := replay(t, openMemory(t, name, most), keys, tr.IDs, valueBytes, goroutines)
				t.Logf("%s: %s, %d goroutines: %.4f live, %.4f simulated", spec, name, goroutines, live, simulated)
				if live < simulated-near || live > simulated+near {
					t.Errorf("%s: %s with %d goroutines hits %.4f, simulated %.4f", spec, name, goroutines, live, simulated)
				}
			}
		}
	}
}

// simulate returns the hit ratio of the policy alone, in a cache of bytes where all objects weigh the same.
func simulate(t *testing.T, name string, tr *trace.Trace, most uint64, weight uint32) float64 {
	p, err := evict.New(name, evict.Spec{Objects: tr.Objects, Capacity: most, Bytes: true, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	sizes := make([]uint32, len(tr.IDs))
	for i := range sizes {
		sizes[i] = weight
	}
	misses := p.Replay(tr.IDs, sizes, make([]uint64, len(tr.IDs)/64+1))
	return 1 - float64(misses)/float64(len(tr.IDs))
}

// replay asks for the objects, in turns where there are several goroutines, and sets those that miss. It returns the hit ratio.
func replay(t *testing.T, backend *memory.Backend, keys []string, ids []uint32, valueBytes, goroutines int) float64 {
	var next, hits atomic.Int64
	ctx := t.Context()
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(ids)); i = next.Add(1) - 1 {
				key := keys[ids[i]]
				if _, err := backend.Get(ctx, key); err == nil {
					hits.Add(1)
				} else {
					_ = backend.Set(ctx, key, &core.Entry{Value: make([]byte, valueBytes)})
				}
				if goroutines > 1 && i%64 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
	return float64(hits.Load()) / float64(len(ids))
}
