package sim

import (
	"context"
	"fmt"
	"io"
	"math"
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
	ops        []trace.Op // nil where the trace has none
	ttls       []uint32   // nil where the trace has none
	times      []int64    // nil where the trace has none: then a request's time is its position
	sizeOf     []uint32   // by id; nil where the trace has no sizes
	objects    int
	aside      bool    // see Options.LookAside
	ttl        int64   // see Options.TTL
	requests   uint64  // that can miss
	bytes      uint64  // of all of these; their number where sizes is nil
	cost       float64 // of all of these if they missed
	rate       float64 // of the sample; 1 for all
}

func whole(t *trace.Trace) *stream {
	return &stream{
		ids: t.IDs, sizes: t.Sizes, costs: t.Costs, ops: t.Ops, ttls: t.TTLs, times: t.Times, objects: t.Objects, rate: 1,
	}
}

// count fills in s.requests, s.bytes, s.cost and s.sizeOf.
func (s *stream) count() {
	if s.sizes != nil {
		s.sizeOf = make([]uint32, s.objects)
	}
	for i, id := range s.ids {
		if s.sizes != nil {
			s.sizeOf[id] = s.sizes[i]
		}
		if !s.canMiss(i) {
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

// canMiss reports whether request i is one that hits or misses.
func (s *stream) canMiss(i int) bool { return !s.aside || s.ops[i] == trace.OpGet }

// oneByOne reports whether a request needs to be looked at before a policy knows of it.
func (s *stream) oneByOne() bool { return s.aside || s.ttl != 0 }

// time returns when request i comes.
func (s *stream) time(i int) int64 {
	if s.times == nil {
		return int64(i)
	}
	return s.times[i]
}

// op returns what request i does.
func (s *stream) op(i int) trace.Op {
	if s.ops == nil {
		return trace.OpGet
	}
	return s.ops[i]
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
	expired   uint64 // of misses, those of objects that were there but too old
	evicted   moved
	removed   moved // for their age, or deleted
	admitted  moved
	metadata  uint64 // bytes of what the policy keeps; 0 where that is not known
	elapsed   time.Duration
	err       error
}

// moved are objects that came in or went, and their bytes: 1 each where the trace has no sizes.
type moved struct{ objects, bytes uint64 }

func (m *moved) add(s *stream, id uint32) {
	m.objects++
	if s.sizeOf != nil {
		m.bytes += uint64(s.sizeOf[id])
	} else {
		m.bytes++
	}
}

// run replays the stream. What the policy does wrong is in j.err.
func (j *job) run(ctx context.Context) {
	at := 0
	defer func() {
		if trouble := recover(); trouble != nil {
			j.err = fmt.Errorf("it panicked in the %d requests from number %d on: %v", batch, at, trouble)
		}
	}()
	p, err := j.policy.New(j.spec())
	if err != nil {
		j.err = err
		return
	}
	if c, ok := p.(io.Closer); ok {
		defer c.Close() //nolint:errcheck // what it came to is known by then
	}
	j.err = j.replay(ctx, p, &at)
}

// spec is the cache of the job, which counts what is thrown out where that does not follow from the misses.
func (j *job) spec() evict.Spec {
	s := evict.Spec{Objects: j.stream.objects, Capacity: j.capacity, Bytes: j.bytes, Scaled: j.stream.rate < 1, Seed: j.seed}
	if !j.policy.admitsAll {
		s.Evicted = func(id uint32) { j.evicted.add(j.stream, id) }
	}
	return s
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
	}
	if first.policy.New == nil {
		return // a bound
	}
	p, err := first.policy.New(evict.Spec{Objects: first.stream.objects, Capacity: first.capacity})
	for _, j := range jobs { // of caches that hold objects, and let all in
		j.evicted.objects = j.misses - min(j.capacity, uint64(j.stream.objects))
		j.admitted = moved{j.misses, j.missBytes}
		if j.err = err; err == nil {
			j.metadata = metadata(p)
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
	keeper := j.keeper(p)
	var hits [batch / 64]uint64
	for ; *at < len(j.stream.ids); *at += batch {
		end := min(*at+batch, len(j.stream.ids))
		var misses int
		if keeper == nil {
			misses = p.Replay(j.stream.ids[*at:end], part(weights, *at, end), hits[:])
		} else {
			misses = keeper.replay(*at, end, weights, hits[:])
		}
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
	came := moved{j.misses - count.tooLarge.objects, j.missBytes - count.tooLarge.bytes}
	if keeper != nil {
		came, j.expired, j.removed = keeper.came, keeper.expired, keeper.removed
	}
	j.account(p, came)
	j.metadata = metadata(p, j.stream.ids, j.stream.sizes)
	return nil
}

// account fills in what came in and was thrown out: all that came in is still there, went or was removed. came is what a
// policy that lets everything in let in.
func (j *job) account(p evict.Policy, came moved) {
	resident := j.residents(p)
	if j.policy.admitsAll {
		j.admitted = came
		j.evicted.objects = came.objects - resident.objects - j.removed.objects
		return
	}
	j.admitted = moved{
		j.evicted.objects + j.removed.objects + resident.objects, j.evicted.bytes + j.removed.bytes + resident.bytes,
	}
}

// residents counts what is there.
func (j *job) residents(p evict.Policy) (all moved) {
	if !j.bytes && j.stream.sizeOf == nil {
		return moved{p.Used(), p.Used()}
	}
	for id := range uint32(j.stream.objects) {
		if p.Contains(id) {
			all.add(j.stream, id)
		}
	}
	return all
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
	limit            uint64 // larger objects are never let in
	total, missBytes uint64
	tooLarge         moved
	missCost         float64
}

func (j *job) counter() counter { return counter{limit: j.limit()} }

// limit is the size above which objects never come in.
func (j *job) limit() uint64 {
	if j.bytes {
		return j.capacity
	}
	return math.MaxUint64
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

// bytes counts the bytes that missed, and what cannot be let in.
func (c *counter) bytes(hits []uint64, sizes []uint32) {
	for i := 0; i < len(sizes); i += 64 {
		for missed := missesAt(hits, i, len(sizes)); missed != 0; missed &= missed - 1 {
			size := uint64(sizes[i+bits.TrailingZeros64(missed)])
			c.missBytes += size
			if size > c.limit {
				c.tooLarge.objects++
				c.tooLarge.bytes += size
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
