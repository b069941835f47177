// Package sim replays traces through eviction policies and tells what they miss.
package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/bench/trace"
)

// Options are what to simulate. Nothing of it changes during Run.
type Options struct {
	// Trace is what is asked for. At least one request is required.
	Trace *trace.Trace
	// Policies and Sizes are run each with each. At least one of both is required.
	Policies []Policy
	Sizes    []Size
	// Bytes makes caches hold bytes. Else every object counts 1, whatever the trace says of its size.
	Bytes bool
	// Gap fills in Result.Gap; FIFO and OPT, or PFOO-L with Bytes, run for it where they are not among Policies.
	Gap bool
	// LookAside leaves it to the sets of the trace to fill caches, and to its deletes to empty them: a get that misses changes
	// nothing. Only gets count then, and policies that know the future are left out. Else every request that misses brings
	// its object in.
	LookAside bool
	// TTL is how long objects live, in the unit of Trace.Times, or SourceTTL: as long as Trace.TTLs says, where 0 is forever. 0
	// is forever for all. A life begins when the object comes in, in each cache for itself, and anew with a set, or another
	// request that says how long from there on; gets do not prolong it. A request for what is too old misses, and takes it out
	// or fetches it again: until then it takes its room. Policies that know the future are left out then.
	TTL int64
	// Sample is the share of the objects that is looked at, and scales the caches: see Estimate. 0 looks at all.
	Sample float64
	// Seeds is how often a sample is taken, each time another. 0 means 5.
	Seeds int
	// Seed is of the policies that choose at random, and of the first sample.
	Seed uint64
	// Workers is how many caches run at a time; each has arrays of Trace.Objects, which bounds the memory. 0 means one for
	// each processor.
	Workers int
	// Progress, if not nil, is told each time that a cache is done, by one goroutine at a time.
	Progress func(Progress)
}

// SourceTTL is an Options.TTL.
const SourceTTL = -1

// Progress is how far a run is.
type Progress struct {
	Done, Jobs int
	// Requests is how many were replayed so far, in all caches.
	Requests uint64
	Elapsed  time.Duration
}

// MinSampled is how many objects a sample must have to say anything. Below it, the error of a curve is larger than what
// policies differ by.
const MinSampled = 8192

// defaultSeeds is how many samples are taken.
const defaultSeeds = 5

func (o *Options) validate() error {
	switch {
	case o.Trace == nil || len(o.Trace.IDs) == 0:
		return errors.New("sim: the trace has no requests")
	case len(o.Policies) == 0:
		return errors.New("sim: no policy is given")
	case len(o.Sizes) == 0:
		return errors.New("sim: no size is given")
	case o.Bytes && o.Trace.Sizes == nil:
		return fmt.Errorf("sim: %s has no sizes: caches of bytes are not possible", o.Trace.Name)
	case o.TTL < SourceTTL:
		return fmt.Errorf("sim: objects can't live for %d", o.TTL)
	case o.TTL == SourceTTL && o.Trace.TTLs == nil:
		return fmt.Errorf("sim: %s does not say how long objects live: give one lifetime for all", o.Trace.Name)
	case o.Sample < 0 || o.Sample >= 1:
		return fmt.Errorf("sim: a sample of %v of the objects: more than 0 and less than 1 is possible", o.Sample)
	case o.Sample > 0 && o.Sample*float64(o.Trace.Objects) < MinSampled:
		return fewSampled(o.Sample, o.Trace.Objects)
	}
	return nil
}

func fewSampled(rate float64, objects int) error {
	hint := "run without a sample, which is exact"
	if enough := float64(MinSampled) / float64(objects); enough < 1 {
		hint = fmt.Sprintf("take %.2g or more, or %s", enough, hint)
	}
	return fmt.Errorf("sim: a sample of %v has about %.0f objects, and below %d it says nothing: %s",
		rate, rate*float64(objects), MinSampled, hint)
}

// Run runs each policy in a cache of each size. A policy that fails has its error in Result.Error, and does not stop the
// others; an error of Run is one of the options, or ctx's.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := o.presentOnly(); err != nil {
		return nil, err
	}
	capacities, err := o.capacities()
	if err != nil {
		return nil, err
	}
	if o.Seeds == 0 {
		o.Seeds = defaultSeeds
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	streams := o.streams()
	policies := o.withGapPolicies()
	jobs := make([]*job, 0, len(policies)*len(capacities)*len(streams))
	for _, p := range policies {
		for _, c := range capacities {
			for i, s := range streams {
				jobs = append(jobs, &job{policy: p, stream: s, capacity: s.scale(c), bytes: o.Bytes, seed: o.Seed + uint64(i)})
			}
		}
	}
	if err := runTasks(ctx, o.tasks(jobs, len(capacities), len(streams)), len(jobs), &o); err != nil {
		return nil, err
	}
	return newReport(&o, capacities, len(policies), streams, jobs), nil
}

// streams are what the caches are asked for: the trace, or samples of it.
func (o *Options) streams() []*stream {
	if o.Sample == 0 {
		return []*stream{o.stream(whole(o.Trace))}
	}
	all := make([]*stream, o.Seeds)
	for i := range all {
		all[i] = o.stream(sample(o.Trace, o.Sample, o.Seed+uint64(i)))
	}
	return all
}

// stream has s replayed as the options say.
func (o *Options) stream(s *stream) *stream {
	s.aside, s.ttl = o.LookAside, o.TTL
	s.count()
	return s
}

// capacities are the sizes in the order of the results, without those that come twice.
func (o *Options) capacities() ([]uint64, error) {
	total := uint64(o.Trace.Objects)
	if o.Bytes {
		total = o.Trace.Footprint
	}
	all := make([]uint64, 0, len(o.Sizes))
	for _, s := range o.Sizes {
		c, err := s.of(total, o.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// task is what one worker does at a time: one cache, or all of a policy that tells all sizes at once.
type task []*job

// tasks puts jobs together that are done at once. jobs are in the order policies, capacities, streams.
func (o *Options) tasks(jobs []*job, capacities, streams int) []task {
	var all []task
	for of := range slices.Chunk(jobs, capacities*streams) {
		if !of[0].policy.atOnce(capacities, of[0].stream, o.Bytes) {
			for _, j := range of {
				all = append(all, task{j})
			}
			continue
		}
		for i := range streams {
			var t task
			for j := i; j < len(of); j += streams {
				t = append(t, of[j])
			}
			all = append(all, t)
		}
	}
	return all
}

func (t task) run(ctx context.Context) {
	if t[0].policy.atOnce(len(t), t[0].stream, t[0].bytes) {
		runCurve(t)
	} else {
		t[0].run(ctx)
	}
}

// compare orders tasks by how long they take, roughly: larger caches have more memory to walk over, and those of all sizes
// have most to do.
func (t task) compare(other task) int {
	return cmp.Or(cmp.Compare(len(t), len(other)), cmp.Compare(t[0].capacity, other[0].capacity))
}

// runTasks runs them on o.Workers goroutines, the longest first, so that none is left at the end on its own.
func runTasks(ctx context.Context, tasks []task, jobs int, o *Options) error {
	slices.SortStableFunc(tasks, func(a, b task) int { return b.compare(a) })
	var (
		next    atomic.Int64
		workers sync.WaitGroup
		mu      sync.Mutex // of done and of the calls of Progress
		done    = Progress{Jobs: jobs}
		start   = time.Now()
	)
	for range min(o.Workers, len(tasks)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(tasks)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				t := tasks[i]
				t.run(ctx)
				mu.Lock()
				done.Done += len(t)
				done.Requests += uint64(len(t) * len(t[0].stream.ids))
				done.Elapsed = time.Since(start)
				if o.Progress != nil {
					o.Progress(done)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return ctx.Err()
}
