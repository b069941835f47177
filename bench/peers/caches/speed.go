package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/edgecache/edgecache/bench/trace"
)

// Speed is one measurement.
type Speed struct {
	Load       string  `json:"load"`
	Cache      string  `json:"cache"`
	Goroutines int     `json:"goroutines"`
	Ops        int     `json:"ops"`
	NsPerOp    float64 `json:"ns_per_op"`     // of the wall clock, over all goroutines together
	CPUPerOp   float64 `json:"cpu_ns_per_op"` // of all processors, what runs in the background included
	P50        int64   `json:"p50_ns"`        // of single ones, the reading of the clock included
	P99        int64   `json:"p99_ns"`
}

// The loads: reads that all hit, and a mix of three reads and a write of objects that do not all fit.
const (
	loadHit   = "GetHit"
	loadMixed = "Mixed"
)

// timedEach is of how many operations one is timed for itself, so that the clock costs little.
const timedEach = 64

// measureSpeeds measures all caches by turns. asked is what is asked for in the mix; reads that hit ask for what fits of it.
func measureSpeeds(o *options, asked *trace.Trace) ([]Speed, error) {
	keys := keysOf(asked.Objects)
	var all []Speed
	for range o.rounds {
		for _, load := range []string{loadHit, loadMixed} {
			for _, c := range append(contestants(), contestant{name: "nothing", open: openNothing}) {
				for _, goroutines := range []int{1, 2, 16} {
					s, err := measureSpeed(o, c, load, goroutines, asked.IDs, keys)
					if err != nil {
						return nil, fmt.Errorf("%s: %w", c.name, err)
					}
					all = append(all, s)
				}
			}
		}
	}
	return all, nil
}

// nothing shows what the measurement itself takes.
type nothing struct{}

func openNothing(int) (cache, error) { return nothing{}, nil }
func (nothing) get(string) bool      { return true }
func (nothing) set(string, *value)   {}
func (nothing) settle()              {}
func (nothing) close()               {}

func measureSpeed(o *options, c contestant, load string, goroutines int, asked []uint32, keys []string) (Speed, error) {
	cache, err := c.open(o.entries)
	if err != nil {
		return Speed{}, err
	}
	defer cache.close()
	below, writes := uint32(len(keys)), true
	if load == loadHit {
		below, writes = uint32(o.entries/2), false
	}
	v := &value{Value: make([]byte, valueBytes)}
	for _, key := range keys[:min(o.entries/2, len(keys))] {
		cache.set(key, v)
	}
	cache.settle()
	w := &work{cache: cache, keys: keys, asked: asked, below: below, writes: writes, value: v}
	w.spread(goroutines, 1<<12) // warms up
	begin := time.Now()
	w.spread(goroutines, 1<<14)
	ops := max(1<<14, int(float64(goroutines<<14)*float64(o.each)/float64(time.Since(begin)))/goroutines)
	begin, used := time.Now(), processorTime()
	single := w.spread(goroutines, ops)
	elapsed := time.Since(begin)
	used = processorTime() - used
	slices.Sort(single)
	return Speed{
		Load: load, Cache: c.name, Goroutines: goroutines, Ops: ops * goroutines,
		NsPerOp: float64(elapsed) / float64(ops*goroutines), CPUPerOp: float64(used) / float64(ops*goroutines),
		P50: int64(single[len(single)/2]), P99: int64(single[len(single)*99/100]),
	}, nil
}

// processorTime returns how long the process had a processor so far, which neighbours add little to.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// work is what goroutines do with a cache.
type work struct {
	cache  cache
	keys   []string
	asked  []uint32 // ids of keys
	below  uint32   // ids are taken modulo this
	writes bool
	value  *value
	turns  atomic.Uint32 // so that no two goroutines ask for the same in the same order
}

// spread runs ops operations on each goroutine and returns how long single ones took.
func (w *work) spread(goroutines, ops int) []time.Duration {
	single := make([][]time.Duration, goroutines)
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() { single[g] = w.run(ops) })
	}
	all.Wait()
	return slices.Concat(single...)
}

func (w *work) run(ops int) []time.Duration {
	single := make([]time.Duration, 0, ops/timedEach+1)
	at := int(w.turns.Add(1)) * 7919 * timedEach % len(w.asked)
	for i := range ops {
		key := w.keys[w.asked[at]%w.below]
		if at++; at == len(w.asked) {
			at = 0
		}
		write := w.writes && i%oneOf == 1
		if i%timedEach > 1 { // a read and, in the mix, a write are timed
			w.do(key, write)
			continue
		}
		begin := time.Now()
		w.do(key, write)
		single = append(single, time.Since(begin))
	}
	return single
}

func (w *work) do(key string, write bool) {
	if write {
		w.cache.set(key, w.value)
	} else {
		w.cache.get(key)
	}
}
