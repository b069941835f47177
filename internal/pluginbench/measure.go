package pluginbench

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins"
)

const (
	// batchTime is about how long a batch of calls takes.
	batchTime = time.Millisecond
	// share is the part of the whole duration that each of up to about eight measurements gets.
	share = 8
	// singles bounds how many calls are timed one by one.
	singles = 200_000
	// counted is how many calls allocations and fuel are counted over.
	counted = 2000
)

// hook measures one hook.
func (r *run) hook(ctx context.Context, p *plugins.Plugin, name string, hook core.Hook) (h Hook, err error) {
	h.Hook = name
	if h.NS, err = r.pace(ctx, p, name, hook); err != nil {
		return h, err
	}
	l, err := r.load(ctx, p, hook)
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, r.end(l)) }()
	for range 2 * len(r.options.Keys) { // a cache of its own begins with nothing remembered
		l.do()
	}
	h.Allocs, h.Fuel = count(p, l.do)
	if hook == nil {
		h.Allocs, h.Fuel = h.Allocs/hostabi.EventBatch, h.Fuel/hostabi.EventBatch
		return h, nil // an event is too short to be timed alone
	}
	base, err := r.subject()
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, base.cache.Close()) }()
	limit := r.options.Duration / share
	off := median(timed(limit, func() { base.do(ctx) }))
	all := timed(limit, l.do)
	slices.Sort(all)
	for _, q := range []struct {
		to *float64
		at float64
	}{{&h.P50, 0.5}, {&h.P99, 0.99}, {&h.P999, 0.999}} {
		*q.to = max(0, quantile(all, q.at)-off)
	}
	return h, nil
}

// pace returns the nanoseconds of a call, or for an observer of an event: the median of batches with the hook less that of
// batches without, by turns.
func (r *run) pace(ctx context.Context, p *plugins.Plugin, name string, hook core.Hook) (ns float64, err error) {
	l, err := r.load(ctx, p, hook)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.end(l)) }()
	base, err := r.subject()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, base.cache.Close()) }()
	without := func() { base.do(ctx) }
	if name == hostabi.HookObserve {
		without = func() {}
	}
	n, m := calibrate(l.do), calibrate(without)
	var with, off []float64
	for begun := time.Now(); time.Since(begun) < r.options.Duration/share || len(with) < 5; {
		with, off = append(with, batch(n, l.do)), append(off, batch(m, without))
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	ns = max(0, median(with)-median(off))
	if name == hostabi.HookObserve {
		ns /= hostabi.EventBatch
	}
	return ns, nil
}

// load is what is measured: a command through a hook, or a batch of events for an observer, without subject.
type load struct {
	do      func()
	subject *subject
}

// load makes a load for a hook, nil for the plugin's observer. The caller ends it.
func (r *run) load(ctx context.Context, p *plugins.Plugin, hook core.Hook) (*load, error) {
	if hook == nil {
		o, events := p.Observer(), r.events()
		return &load{do: func() { o.Observe(events) }}, nil
	}
	s, err := r.subject(hook)
	if err != nil {
		return nil, err
	}
	return &load{do: func() { s.do(ctx) }, subject: s}, nil
}

// end gives back what the load needed, and keeps how many of its commands were refused.
func (r *run) end(l *load) error {
	if l.subject == nil {
		return nil
	}
	r.res.Refused = max(r.res.Refused, float64(l.subject.refused)/float64(max(1, l.subject.done)))
	return l.subject.cache.Close()
}

// events returns a batch of events about the commands.
func (r *run) events() []core.Event {
	all := make([]core.Event, hostabi.EventBatch)
	now := uint64(time.Now().UnixNano())
	for i := range all {
		all[i] = core.Event{
			KeyHash: uint64(i%len(r.options.Keys)) * 0x9e3779b97f4a7c15, Time: now, Elapsed: uint32(200 + i),
			Size: uint32(r.options.ValueSize), Op: uint8(r.options.Op), Result: uint8(core.OutcomeHit) | 1<<hostabi.TierShift,
		}
	}
	return all
}

// calibrate returns how many calls take batchTime, after having made as many.
func calibrate(call func()) int {
	for n := 1; ; n *= 2 {
		begun := time.Now()
		for range n {
			call()
		}
		if time.Since(begun) >= batchTime/2 || n >= 1<<22 {
			return n
		}
	}
}

// batch returns the nanoseconds of one of n calls.
func batch(n int, call func()) float64 {
	begun := core.Clock()
	for range n {
		call()
	}
	return float64(core.Clock()-begun) / float64(n)
}

// timed returns the nanoseconds of calls, each with two readings of the clock.
func timed(limit time.Duration, call func()) []float64 {
	all := make([]float64, 0, singles)
	for end := core.Clock() + int64(limit); len(all) < singles; {
		begun := core.Clock()
		call()
		ended := core.Clock()
		all = append(all, float64(ended-begun))
		if ended > end {
			break
		}
	}
	return all
}

// count returns the allocations and the units of fuel of a call.
func count(p *plugins.Plugin, call func()) (allocs, fuel float64) {
	var before, after runtime.MemStats
	burnt := p.Stats().Fuel
	runtime.ReadMemStats(&before)
	for range counted {
		call()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / counted), float64(p.Stats().Fuel-burnt) / counted
}

func median(all []float64) float64 {
	slices.Sort(all)
	return quantile(all, 0.5)
}

// quantile returns what the share q of the sorted figures does not exceed.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*q))]
}
