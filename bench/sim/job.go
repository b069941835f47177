package sim

import (
	"context"
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
)

// batch is how many requests a policy is given at once. Their bits and sizes are in the processor's first cache when they
// are counted.
const batch = 4096

// stream is what a cache is asked for. It is shared by caches, which only read it.
type stream struct {
	ids, sizes []uint32   // sizes is nil where the trace has none
	costs      []float32  // of a miss; nil where the trace has none
	ops        []trace.Op // nil where they do not matter
	objects    int
	requests   uint64  // that can miss
	bytes      uint64  // of all of these; their number where sizes is nil
	cost       float64 // of all of these if they missed
	rate       float64 // of the sample; 1 for all
}

func whole(t *trace.Trace) *stream {
	s := &stream{ids: t.IDs, sizes: t.Sizes, costs: t.Costs, ops: t.Ops, objects: t.Objects, rate: 1}
	s.count()
	return s
}

// count fills in s.requests, s.bytes and s.cost.
func (s *stream) count() {
	s.requests, s.bytes, s.cost = 0, 0, 0
	for i := range s.ids {
		if s.ops != nil && s.ops[i] != trace.OpGet {
			continue
		}
		s.requests++
		if s.costs != nil {
			s.cost += float64(s.costs[i])
		}
		if s.sizes != nil {
			s.bytes += uint64(s.sizes[i])
		}
	}
	if s.sizes == nil {
		s.bytes = s.requests
	}
}

// scale returns the capacity of the cache that stands for one of that capacity.
func (s *stream) scale(capacity uint64) uint64 {
	if s.rate == 1 {
		return capacity
	}
	return max(1, uint64(float64(capacity)*s.rate))
}

// job is one cache: what it is, and what came out.
type job struct {
	policy   Policy
	stream   *stream
	capacity uint64
	bytes    bool
	seed     uint64

	misses    uint64
	missBytes uint64
	missCost  float64
	evictions uint64
	elapsed   time.Duration
	err       error
}

// run replays the stream. What the policy does wrong is in j.err.
func (j *job) run(ctx context.Context) {
	at := 0
	defer func() {
		if trouble := recover(); trouble != nil {
			j.err = fmt.Errorf("it panicked in the %d requests from number %d on: %v", batch, at, trouble)
		}
	}()
	p, err := j.policy.New(evict.Spec{
		Objects: j.stream.objects, Capacity: j.capacity, Bytes: j.bytes, Scaled: j.stream.rate < 1, Seed: j.seed,
	})
	if err != nil {
		j.err = err
		return
	}
	if c, ok := p.(io.Closer); ok {
		defer c.Close() //nolint:errcheck // what it came to is known by then
	}
	if j.stream.ops != nil {
		p = newAside(p, j.stream, j.capacity, j.bytes)
	}
	j.err = j.replay(ctx, p, &at)
}

// runCurve does jobs that differ in nothing but their capacity.
func runCurve(jobs []*job) {
	first := jobs[0]
	defer func() {
		if trouble := recover(); trouble != nil {
			for _, j := range jobs {
				j.err = fmt.Errorf("it panicked: %v", trouble)
			}
		}
	}()
	capacities := make([]uint64, len(jobs))
	for i, j := range jobs {
		capacities[i] = j.capacity
	}
	start := time.Now()
	points := first.policy.Curve(first.stream.ids, first.stream.sizes, capacities, first.bytes)
	elapsed := time.Since(start) / time.Duration(len(jobs))
	for i, j := range jobs {
		j.misses, j.missBytes, j.elapsed = uint64(points[i].Misses), points[i].MissBytes, elapsed
		if j.policy.New != nil { // it is a policy, of caches that hold objects
			j.evictions = j.misses - min(j.capacity, uint64(j.stream.objects))
		}
	}
}

// replay leaves in at where the batch begins that the policy is in.
func (j *job) replay(ctx context.Context, p evict.Policy, at *int) error {
	var weights []uint32 // what the policy sees
	if j.bytes {
		weights = j.stream.sizes
	}
	start := time.Now()
	if knows, ok := p.(evict.Offline); ok {
		knows.Prepare(j.stream.ids, weights)
	}
	count := j.counter()
	var hits [batch / 64]uint64
	for ; *at < len(j.stream.ids); *at += batch {
		end := min(*at+batch, len(j.stream.ids))
		misses := p.Replay(j.stream.ids[*at:end], part(weights, *at, end), hits[:])
		if f, ok := p.(Failing); ok && f.Err() != nil {
			return f.Err()
		}
		if n := count.misses(hits[:], end-*at); n != misses {
			return fmt.Errorf("in requests %d to %d it says %d misses and marks %d", *at, end-1, misses, n)
		}
		count.bytes(hits[:], part(j.stream.sizes, *at, end))
		count.cost(hits[:], part(j.stream.costs, *at, end))
		if p.Used() > j.capacity {
			return fmt.Errorf("after request %d it has %d in a cache of %d", end-1, p.Used(), j.capacity)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	j.elapsed = time.Since(start)
	j.misses, j.missBytes, j.missCost = count.total, count.missBytes, count.missCost
	if j.stream.sizes == nil {
		j.missBytes = j.misses
	}
	j.evictions = j.thrownOut(p, count.tooLarge)
	return nil
}

// thrownOut is how many objects came in, of those that missed, and are not there any more. One that a policy does not let
// in counts as thrown out at once; one larger than the cache does not.
func (j *job) thrownOut(p evict.Policy, tooLarge uint64) uint64 {
	resident := p.Used()
	if j.bytes {
		resident = 0
		for id := range uint32(j.stream.objects) {
			if p.Contains(id) {
				resident++
			}
		}
	}
	if a, ok := p.(*aside); ok {
		return a.inserted - resident
	}
	return j.misses - tooLarge - resident
}

// part is the slice from one request to another, or nil of nil.
func part[T any](column []T, from, to int) []T {
	if column == nil {
		return nil
	}
	return column[from:to]
}

// counter counts misses from the bits of hits.
type counter struct {
	limit                      uint64 // larger objects are never let in
	total, missBytes, tooLarge uint64
	missCost                   float64
}

func (j *job) counter() counter {
	c := counter{limit: 1<<64 - 1}
	if j.bytes {
		c.limit = j.capacity
	}
	return c
}

// misses counts n requests and returns how many of them missed.
func (c *counter) misses(hits []uint64, n int) int {
	missed := n
	for i := range (n + 63) / 64 {
		missed -= bits.OnesCount64(hits[i])
	}
	c.total += uint64(missed)
	return missed
}

// bytes counts the bytes that missed, and the objects that cannot be let in.
func (c *counter) bytes(hits []uint64, sizes []uint32) {
	for i := 0; i < len(sizes); i += 64 {
		for missed := missesAt(hits, i, len(sizes)); missed != 0; missed &= missed - 1 {
			size := uint64(sizes[i+bits.TrailingZeros64(missed)])
			c.missBytes += size
			if size > c.limit {
				c.tooLarge++
			}
		}
	}
}

// cost counts what the misses cost.
func (c *counter) cost(hits []uint64, costs []float32) {
	for i := 0; i < len(costs); i += 64 {
		for missed := missesAt(hits, i, len(costs)); missed != 0; missed &= missed - 1 {
			c.missCost += float64(costs[i+bits.TrailingZeros64(missed)])
		}
	}
}

// missesAt returns a bit for each of 64 requests from number i on, of n, that misses.
func missesAt(hits []uint64, i, n int) uint64 {
	missed := ^hits[i/64]
	if n-i < 64 {
		missed &= 1<<(n-i) - 1
	}
	return missed
}
