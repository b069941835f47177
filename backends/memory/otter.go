package memory

import (
	"fmt"
	"iter"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/edgecache/edgecache/core"
)

// otterStore is an otter cache: adaptive W-TinyLFU.
type otterStore struct {
	cache   *otter.Cache[string, *core.Entry]
	clock   *otter.CoarseClock
	notices *notices
	evicted atomic.Int64
	ended   atomic.Int64 // how many entries have expired

	// The worker runs otter's maintenance beside the callers.
	work   chan func()
	quit   chan struct{}
	worker sync.WaitGroup

	// Otter evicts when it replays writes, which lag behind; unswept is an upper bound of the bytes that lag.
	// Writers that find more than slack wait for each other and for the eviction.
	unswept  atomic.Int64
	slack    atomic.Int64
	sweeping sync.Mutex
}

func newOtter(o Options, n *notices) (*otterStore, error) {
	s := &otterStore{
		clock:   otter.NewCoarseClock(resolution),
		work:    make(chan func()),
		quit:    make(chan struct{}),
		notices: n,
	}
	s.slack.Store(o.slack())
	cache, err := otter.New(&otter.Options[string, *core.Entry]{
		MaximumWeight:    uint64(o.MaxBytes),
		Weigher:          func(key string, e *core.Entry) uint32 { return uint32(weight(key, e)) },
		ExpiryCalculator: otter.ExpiryWritingFunc(lifetime),
		OnAtomicDeletion: s.deleted,
		Executor:         s.maintain,
		Clock:            s.clock,
	})
	if err != nil {
		s.clock.Stop()
		return nil, fmt.Errorf("memory: %w", err)
	}
	s.cache = cache
	s.worker.Go(s.serve)
	return s, nil
}

// maintain hands a task to the worker, or runs it where the worker is busy or gone.
func (s *otterStore) maintain(task func()) {
	select {
	case s.work <- task:
	default:
		task()
	}
}

func (s *otterStore) serve() {
	for {
		select {
		case task := <-s.work:
			task()
		case <-s.quit:
			return
		}
	}
}

// lifetime translates Expires, which the wall clock counts, to otter's clock, which does not follow the wall clock's
// steps. While both agree the difference to otter's own reading is exact.
func lifetime(oe otter.Entry[string, *core.Entry]) time.Duration {
	expires := oe.Value.Expires
	if expires == 0 {
		return math.MaxInt64
	}
	now := oe.SnapshotAtNano
	if wall := time.Now().UnixNano(); wall-now > int64(time.Second) || now-wall > int64(time.Second) {
		now = wall
	}
	return time.Duration(max(expires-now, 1)) // otter ignores what is not positive
}

func (s *otterStore) deleted(e otter.DeletionEvent[string, *core.Entry]) {
	switch e.Cause {
	case otter.CauseOverflow:
		s.evicted.Add(1)
		s.notices.tell(e.Key, e.Value, core.CauseEvicted)
	case otter.CauseExpiration:
		s.ended.Add(1)
		s.notices.tell(e.Key, e.Value, core.CauseExpired)
	default: // a command's doing
	}
}

func (s *otterStore) get(key string) (*core.Entry, bool) { return s.cache.GetIfPresent(key) }

func (s *otterStore) peek(key string) (own string, e *core.Entry, ok bool) {
	held, ok := s.cache.GetEntryQuietly(key)
	return held.Key, held.Value, ok
}

func (s *otterStore) set(key string, e *core.Entry) {
	s.cache.Set(key, e)
	s.swept(weight(key, e))
}

// swept accounts for n bytes just written and makes the writer wait for eviction where too much of it is outstanding.
func (s *otterStore) swept(n int64) {
	if s.unswept.Add(n) <= s.slack.Load() {
		return
	}
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	if done := s.unswept.Load(); done > s.slack.Load() {
		s.cache.CleanUp()
		s.unswept.Add(-done)
	}
}

func (s *otterStore) remove(key string) bool {
	_, ok := s.cache.Invalidate(key)
	return ok
}

func (s *otterStore) compute(key string, fn func(old *core.Entry) (*core.Entry, verdict)) *core.Entry {
	written := int64(0)
	now, _ := s.cache.Compute(key, func(old *core.Entry, _ bool) (*core.Entry, otter.ComputeOp) {
		switch e, what := fn(old); what {
		case write:
			written = weight(key, e)
			return e, otter.WriteOp
		case drop:
			return nil, otter.InvalidateOp
		default:
			return old, otter.CancelOp
		}
	})
	s.swept(written)
	return now
}

func (s *otterStore) keys() iter.Seq[string] { return s.cache.Keys() }

func (s *otterStore) clear() { s.cache.InvalidateAll() }

func (s *otterStore) ranked(list func(key string, e *core.Entry) bool) bool {
	for held := range s.cache.Coldest() {
		if !list(held.Key, held.Value) {
			break
		}
	}
	return true
}

func (s *otterStore) lastFirst() bool { return false }

// expired has otter look at its timers, which it keeps by the second.
func (s *otterStore) expired() int64 {
	before := s.ended.Load()
	s.cache.CleanUp()
	return s.ended.Load() - before
}

func (s *otterStore) settleAll() int64 {
	before := s.evicted.Load()
	s.cache.CleanUp()
	return s.evicted.Load() - before
}

func (s *otterStore) figures() figures {
	return figures{
		entries: int64(s.cache.EstimatedSize()), bytes: int64(s.cache.WeightedSize()), evictions: s.evicted.Load(),
		policy: Default,
	}
}

func (s *otterStore) close() {
	close(s.quit)
	s.worker.Wait()
	s.cache.StopAllGoroutines()
	s.clock.Stop()
}
