package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/edgecache/edgecache/bench/product"
	"github.com/edgecache/edgecache/bench/sim"
	"github.com/edgecache/edgecache/bench/trace"
)

// Hits is what a cache hits of a trace: as a simulation has it, if there is one, asked by one goroutine, and by many.
type Hits struct {
	Trace     string   `json:"trace"`
	Entries   int      `json:"entries"`
	Cache     string   `json:"cache"`
	Simulated *float64 `json:"simulated,omitempty"`
	One       float64  `json:"one"`
	Many      float64  `json:"many"`
}

const (
	many  = 16 // goroutines
	chunk = 64 // requests that a goroutine takes at a time, so that their order is nearly the trace's
)

// measureHits replays traces into caches for a tenth of their objects: what is not there is set.
func measureHits(ctx context.Context, traces []*trace.Trace) ([]Hits, error) {
	var all []Hits
	for _, t := range traces {
		keys := keysOf(t.Objects)
		for _, c := range contestants() {
			h := Hits{Trace: t.Name, Entries: t.Objects / 10, Cache: c.name}
			var err error
			if h.Simulated, err = simulate(ctx, t, c.simulated); err != nil {
				return nil, err
			}
			if h.One, err = replay(c, h.Entries, t.IDs, keys, 1); err != nil {
				return nil, err
			}
			if h.Many, err = replay(c, h.Entries, t.IDs, keys, many); err != nil {
				return nil, err
			}
			all = append(all, h)
		}
	}
	return all, nil
}

// simulate returns the hit ratio of a policy in a cache for a tenth of the objects, or nil for "".
func simulate(ctx context.Context, t *trace.Trace, policy string) (*float64, error) {
	if policy == "" {
		return nil, nil
	}
	policies, err := sim.ParsePolicies([]string{policy}, product.Policy)
	if err != nil {
		return nil, err
	}
	size, err := sim.ParseSize(fmt.Sprint(t.Objects / 10))
	if err != nil {
		return nil, err
	}
	r, err := sim.Run(ctx, sim.Options{Trace: t, Policies: policies, Sizes: []sim.Size{size}})
	if err != nil {
		return nil, err
	}
	if failure := r.Results[0].Error; failure != "" {
		return nil, fmt.Errorf("%s: %s", policy, failure)
	}
	ratio := 1 - r.Results[0].MissRatio
	return &ratio, nil
}

// replay returns the hit ratio where so many goroutines share the requests.
func replay(c contestant, entries int, ids []uint32, keys []string, goroutines int) (float64, error) {
	cache, err := c.open(entries)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.name, err)
	}
	defer cache.close()
	v := &value{Value: make([]byte, valueBytes)}
	var next, hits atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for {
				from := int(next.Add(chunk)) - chunk
				if from >= len(ids) {
					return
				}
				hit := 0
				for _, id := range ids[from:min(from+chunk, len(ids))] {
					if cache.get(keys[id]) {
						hit++
					} else {
						cache.set(keys[id], v)
					}
				}
				hits.Add(int64(hit))
			}
		})
	}
	all.Wait()
	return float64(hits.Load()) / float64(len(ids)), nil
}

// Weight is what a full cache takes of the heap for each entry, beside the key and the value.
type Weight struct {
	Cache   string  `json:"cache"`
	Entries int     `json:"entries"`
	Bytes   float64 `json:"bytes_per_entry"`
}

// measureWeights fills each cache to nine tenths, so that nothing is thrown out, and weighs it. All share one value.
func measureWeights(entries int) ([]Weight, error) {
	keys := keysOf(entries * 9 / 10)
	v := &value{Value: make([]byte, valueBytes)}
	var all []Weight
	for _, c := range contestants() {
		before := heap()
		cache, err := c.open(entries)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		for i, key := range keys {
			cache.set(key, v)
			if i%chunk == 0 {
				cache.settle() // ristretto drops what comes too fast
			}
		}
		cache.settle()
		there := 0
		for _, key := range keys {
			if cache.get(key) {
				there++
			}
		}
		taken := heap() - before
		cache.close()
		all = append(all, Weight{Cache: c.name, Entries: there, Bytes: float64(taken) / float64(max(1, there))})
	}
	runtime.KeepAlive(keys)
	return all, nil
}

// heap returns how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers held is gone with the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
