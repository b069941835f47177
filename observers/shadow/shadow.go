// Package shadow tells what other eviction policies, and memory tiers of other sizes, would miss on the traffic that there
// is. It looks at a sample of the keys and runs caches without values for it, one for each policy and size and as much smaller
// as the sample is.
//
// C. Waldspurger et al., Efficient MRC construction with SHARDS, FAST 2015, and for policies in general: Cache modeling and
// optimization using miniature simulations, USENIX ATC 2017.
package shadow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/evict"
)

// Options configures New.
type Options struct {
	// Policies are those that are compared, by the names of core/evict, which may have parameters behind them. nil means
	// DefaultPolicies.
	Policies []string
	// Current is the policy of the tier as it is. It is compared with the others, and need not be among Policies. "" means
	// wtinylfu-adaptive, which is what the memory tier does unless told otherwise.
	Current string
	// Sizes are compared, as multiples of Bytes. 1 need not be among them. nil means 0.5, 1 and 2.
	Sizes []float64
	// Bytes is how much the tier holds. It is required.
	Bytes int64
	// Overhead is what an entry takes in the tier beside its key and value.
	Overhead int64
	// MaxTTL is how long a copy of what a farther tier has may stay in the tier; 0 is no bound.
	MaxTTL time.Duration
	// Reads returns how many keys were read from the cache so far, in the sample or not: without it estimates are worse
	// where few keys have most of the traffic. nil is not known.
	Reads func() uint64
	// New returns a policy, for those that core/evict does not know. nil means evict.New.
	New func(name string, s evict.Spec) (evict.Policy, error)

	shift *uint // fixes the rate, for tests
	whole bool  // loses nothing, counts from the first request on and forgets nothing, for tests
}

// DefaultPolicies returns the names of those that are compared if nothing else is said.
func DefaultPolicies() []string {
	return []string{"arc", "clockproplus", "lru", "s3fifo", "sieve", "wtinylfu-adaptive"}
}

// DefaultCurrent is what comes closest to the memory tier without a policy of its own.
const DefaultCurrent = "wtinylfu-adaptive"

// Most policies and sizes that can be compared.
const (
	mostPolicies = 16
	mostSizes    = 8
)

func (o Options) withDefaults() (Options, error) {
	if o.Policies == nil {
		o.Policies = DefaultPolicies()
	}
	if o.Current == "" {
		o.Current = DefaultCurrent
	}
	if o.Sizes == nil {
		o.Sizes = []float64{0.5, 1, 2}
	}
	if o.New == nil {
		o.New = evict.New
	}
	o.Policies = append(slices.Clone(o.Policies), o.Current)
	slices.Sort(o.Policies)
	o.Policies = slices.Compact(o.Policies)
	o.Sizes = append(slices.Clone(o.Sizes), 1)
	slices.Sort(o.Sizes)
	o.Sizes = slices.Compact(o.Sizes)
	return o, o.validate()
}

func (o *Options) validate() error {
	switch {
	case o.Bytes < 1 || o.Overhead < 0 || o.MaxTTL < 0:
		return fmt.Errorf("shadow: a tier of %d bytes, %d for an entry and a TTL of %v is not possible", o.Bytes, o.Overhead, o.MaxTTL)
	case len(o.Policies) > mostPolicies || len(o.Sizes) > mostSizes:
		return fmt.Errorf("shadow: %d policies and %d sizes, with those of the tier: at most %d and %d can be compared",
			len(o.Policies), len(o.Sizes), mostPolicies, mostSizes)
	}
	for _, f := range o.Sizes {
		if !(f >= 0.01 && f <= 100) {
			return fmt.Errorf("shadow: size %v: from 0.01 to 100 times that of the tier is possible", f)
		}
	}
	for _, name := range o.Policies {
		p, err := o.New(name, evict.Spec{Objects: 1, Capacity: 1, Bytes: true})
		if err != nil {
			return fmt.Errorf("shadow: %w", err)
		}
		release(p)
		if _, offline := p.(evict.Offline); offline {
			return fmt.Errorf("shadow: policy %s knows the future, which live traffic does not tell", name)
		}
	}
	return nil
}

// Shadow is the sampler of a cache (core.Options.Sampler). What commands leave for it is looked at by a goroutine of its own:
// where that does not keep up, what is too much is lost, and counted.
type Shadow struct {
	spec  core.ObserverSpec
	mask  atomic.Uint64
	wait  bool
	tasks chan task
	free  chan []core.Event
	lost  atomic.Uint64
	stop  chan struct{}
	ended chan struct{}
	close sync.Once
}

var _ core.Observer = (*Shadow)(nil)

// task is events, or somebody who waits for a report.
type task struct {
	events []core.Event
	report chan<- *Report
}

// queued is how many batches may wait.
const queued = 32

// New returns a Shadow, or an error that says what is not possible. Close ends its goroutine.
func New(o Options) (*Shadow, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Shadow{
		wait: o.whole, tasks: make(chan task, queued), free: make(chan []core.Event, queued),
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	s.spec = core.ObserverSpec{
		Name: "shadow", Sample: &s.mask,
		Ops: core.Ops(core.OpGet, core.OpGetMany, core.OpSet, core.OpSetMany, core.OpAdd, core.OpReplace, core.OpCompareAndSwap,
			core.OpExpire, core.OpDelete, core.OpDeleteMany),
	}
	l, err := newLive(o, &s.mask, &s.lost)
	if err != nil {
		return nil, fmt.Errorf("shadow: %w", err)
	}
	go s.run(l)
	return s, nil
}

// Spec says that the cache is to send a sample of reads and writes. Its size follows the traffic.
func (s *Shadow) Spec() core.ObserverSpec { return s.spec }

// Observe copies the events for the goroutine.
func (s *Shadow) Observe(events []core.Event) {
	t := task{events: append(s.buffer(), events...)}
	if s.wait {
		select {
		case s.tasks <- t:
		case <-s.stop:
		}
		return
	}
	select {
	case s.tasks <- t:
	default:
		s.lost.Add(uint64(len(events)))
		s.giveBack(t.events)
	}
}

func (s *Shadow) buffer() []core.Event {
	select {
	case b := <-s.free:
		return b
	default:
		return nil
	}
}

func (s *Shadow) giveBack(b []core.Event) {
	select {
	case s.free <- b[:0]:
	default:
	}
}

// run looks at what comes until Close.
func (s *Shadow) run(l *live) {
	defer close(s.ended)
	defer l.release()
	for {
		select {
		case t := <-s.tasks:
			if t.report != nil {
				t.report <- l.report()
				continue
			}
			l.take(t.events)
			s.giveBack(t.events)
		case <-s.stop:
			return
		}
	}
}

// errClosed is what Report returns after Close.
var errClosed = errors.New("shadow: closed")

// Report returns what was found out from all events so far that are not lost. It waits for what stands before it.
func (s *Shadow) Report(ctx context.Context) (*Report, error) {
	answer := make(chan *Report, 1)
	select {
	case s.tasks <- task{report: answer}:
	case <-s.ended:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-answer:
		return r, nil
	case <-s.ended:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close ends the goroutine. It is idempotent. The cache should be closed before.
func (s *Shadow) Close() error {
	s.close.Do(func() { close(s.stop) })
	<-s.ended
	return nil
}

// release gives a policy back that holds more than memory.
func release(p evict.Policy) {
	if c, ok := p.(interface{ Close() error }); ok {
		_ = c.Close() // what it found out does not count any more
	}
}
