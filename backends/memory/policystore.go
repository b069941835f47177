package memory

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/evict"
)

// policyStore is a hash table with an evict.Policy, which lags behind: a hit is a lookup without a lock and a note in a
// stripe; a writer changes the table and notes what it did. Whoever finds enough notes drains them to the policy, in one
// batch after the other, and then removes from the table what the policy threw out or did not let in.
//
// Locks are taken in this order: mu, a table's, then that of changes or of a stripe.
type policyStore struct {
	tables  [tables]table
	seed    maphash.Seed
	now     atomic.Int64 // unix nanoseconds, as the worker read them last
	most    int64        // for one entry
	slack   int64
	waits   bool // hits wait for the policy
	recent  *recent
	changes changes
	logger  *slog.Logger
	notices *notices

	entries, bytes, evictions atomic.Int64

	mu     sync.Mutex // of what is below
	spec   evict.Spec
	rule   evict.Policy // nil once closed
	ids    *ids
	batch  batch
	hits   []*node
	gone   []uint32 // what the policy threw out in this batch
	forgot []uint32 // what it knows nothing of any more
	hand   int      // where makeRoom was last

	working atomic.Pointer[working]
	quit    chan struct{}
	worker  sync.WaitGroup
}

const (
	tables     = 256
	tableShift = 64 - 8
	// keeps is 1 over the share of its size by which an entry may be lighter than the policy takes it for.
	keeps = 8
	// soon is how many changes may wait while nobody is told.
	soon = 64
)

// working is which policy is at work.
type working struct {
	name    string
	failure error
}

func newPolicyStore(o Options, n *notices) (*policyStore, error) {
	s := &policyStore{
		seed: maphash.MakeSeed(), most: o.MaxEntryBytes, slack: o.slack(), waits: o.Lossless, recent: newRecent(),
		logger: o.Logger, notices: n, quit: make(chan struct{}),
	}
	s.spec = evict.Spec{
		Objects: numbers(o.MaxBytes, o.Policy.Ghosts), Capacity: uint64(o.MaxBytes), Bytes: true, Seed: rand.Uint64(),
		Evicted: s.evicted, Forgotten: s.forgotten,
	}
	s.ids = newIDs(s.spec.Objects)
	rule, err := o.Policy.New(s.spec)
	if err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	s.rule = rule
	s.working.Store(&working{name: o.Policy.Name})
	for i := range s.tables {
		s.tables[i].init()
	}
	s.now.Store(time.Now().UnixNano())
	s.ids.wheel.now = uint32(s.now.Load() >> tickBits)
	s.worker.Go(s.serve)
	return s, nil
}

// numbers returns how many numbers the policy gets: one for each entry that can be there, as many as ghosts times that for
// what it remembers, and some for what comes before something goes.
func numbers(most int64, ghosts float64) int {
	entries := float64(most/overhead + 1)
	return int(min(entries*(1+max(ghosts, 1))+2*batchSize, math.MaxInt32/2))
}

func (s *policyStore) evicted(id uint32) {
	s.ids.known[id] = true
	s.gone = append(s.gone, id)
}

func (s *policyStore) forgotten(id uint32) {
	s.ids.known[id] = false
	s.forgot = append(s.forgot, id)
}

// serve keeps the time, and has the policy told and what has ended removed when there is nobody else to do it.
func (s *policyStore) serve() {
	clock := time.NewTicker(resolution)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			before := s.now.Load()
			now := time.Now().UnixNano()
			s.now.Store(now)
			if before>>tickBits != now>>tickBits {
				s.sweep()
			}
		case <-s.quit:
			return
		}
	}
}

// locate returns the table of a key and its hash there.
func (s *policyStore) locate(key string) (*table, uint32) {
	hash := maphash.String(s.seed, key)
	return &s.tables[hash>>tableShift], uint32(hash)
}

// current returns the node's entry unless it is gone or has ended.
func (s *policyStore) current(n *node) *core.Entry {
	if n == nil {
		return nil
	}
	if e := n.entry.Load(); e != nil && (e.Expires == 0 || e.Expires > s.now.Load()) {
		return e
	}
	return nil
}

func (s *policyStore) get(key string) (*core.Entry, bool) {
	t, hash := s.locate(key)
	n := t.get(hash, key)
	e := s.current(n)
	if e == nil {
		return nil, false
	}
	s.hit(n)
	return e, true
}

func (s *policyStore) peek(key string) (own string, e *core.Entry, ok bool) {
	t, hash := s.locate(key)
	n := t.get(hash, key)
	if e = s.current(n); e == nil {
		return "", nil, false
	}
	return n.key, e, true
}

// hit notes that a node was asked for, and tells the policy where the stripe is full.
func (s *policyStore) hit(n *node) {
	stripe := s.recent.local()
	if s.waits {
		for !stripe.wait(n) {
			s.mu.Lock()
			s.drain()
			s.mu.Unlock()
		}
		return
	}
	if stripe.note(n) {
		s.tryDrain()
	}
}

func (s *policyStore) tryDrain() {
	if s.mu.TryLock() {
		s.drain()
		s.mu.Unlock()
	}
}

// help has the policy told of changes where there are enough, and makes the writer wait for that where too much is outstanding.
func (s *policyStore) help() {
	if s.changes.lag.Load() > s.slack {
		s.mu.Lock()
		if s.changes.lag.Load() > s.slack {
			s.drain()
		}
		s.mu.Unlock()
	} else if s.changes.n.Load() >= soon {
		s.tryDrain()
	}
}

func (s *policyStore) set(key string, e *core.Entry) {
	t, hash := s.locate(key)
	t.mu.Lock()
	hit := s.put(t, t.find(hash, key), hash, key, e)
	t.mu.Unlock()
	s.wrote(hit)
}

// wrote is what a writer does at the end, who has no lock. hit is the node that was asked for, or nil.
func (s *policyStore) wrote(hit *node) {
	if hit != nil {
		s.hit(hit)
	}
	s.help()
}

func (s *policyStore) remove(key string) (found bool) {
	t, hash := s.locate(key)
	t.mu.Lock()
	n := t.find(hash, key)
	if n != nil {
		found = s.current(n) != nil
		s.dismount(t, n, found)
	}
	t.mu.Unlock()
	s.help()
	return found
}

func (s *policyStore) compute(key string, fn func(old *core.Entry) (*core.Entry, verdict)) *core.Entry {
	e, hit := s.edit(key, fn)
	s.wrote(hit)
	return e
}

func (s *policyStore) edit(key string, fn func(old *core.Entry) (*core.Entry, verdict)) (e *core.Entry, hit *node) {
	t, hash := s.locate(key)
	t.mu.Lock()
	defer t.mu.Unlock() // also where fn panics
	n := t.find(hash, key)
	old := s.current(n)
	switch e, what := fn(old); what {
	case write:
		return e, s.put(t, n, hash, key, e)
	case drop:
		if n != nil {
			s.dismount(t, n, old != nil)
		}
		return nil, nil
	default:
		return old, nil
	}
}

// put stores e in the node of the key, a new one if that is nil. It returns the node if to the policy it was asked for: if it
// was there, and weighs about the same. Else the policy will take it out and in again. The caller holds the table's lock.
func (s *policyStore) put(t *table, n *node, hash uint32, key string, e *core.Entry) (hit *node) {
	due := tickOf(e.Expires, s.now.Load())
	if n == nil {
		n = &node{key: key, hash: hash}
		n.entry.Store(e)
		n.size.Store(uint32(weight(key, e)))
		n.due.Store(due)
		t.add(n)
		s.entries.Add(1)
		s.bytes.Add(weight(key, e))
		s.changes.add(n, came, weight(key, e))
		return nil
	}
	old := n.entry.Swap(e)
	if old.Expires != 0 && old.Expires <= s.now.Load() {
		s.notices.tell(key, old, core.CauseExpired)
	}
	s.bytes.Add(weight(key, e) - weight(key, old))
	if before := n.due.Load(); due != 0 && (before == 0 || int32(due-before) < 0) {
		n.due.Store(due)
		s.changes.add(n, timed, overhead)
	}
	if size := s.resize(int64(n.size.Load()), weight(key, e)); size != 0 {
		n.size.Store(uint32(size))
		s.changes.add(n, resized, size)
		return nil
	}
	return n
}

// resize returns what the policy is to take an entry for that it takes for size and that weighs now, 0 for the same: it may
// be lighter by an eighth. One that grew gets an eighth more than it needs, as it may grow on.
func (s *policyStore) resize(size, now int64) int64 {
	switch {
	case now > size:
		return min(now+now/keeps, s.most)
	case now < size-size/keeps:
		return now
	default:
		return 0
	}
}

// dismount takes a node out that a command removes, which found its entry, or removes only what has ended. The caller holds
// the table's lock.
func (s *policyStore) dismount(t *table, n *node, found bool) {
	if e := n.entry.Load(); !found {
		s.notices.tell(n.key, e, core.CauseExpired)
	}
	s.unlink(t, n)
	s.changes.add(n, went, overhead)
}

// unlink takes a node out of its table. The caller holds the table's lock.
func (s *policyStore) unlink(t *table, n *node) {
	t.drop(n)
	s.entries.Add(-1)
	s.bytes.Add(-weight(n.key, n.entry.Swap(nil)))
}

func (s *policyStore) keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range s.tables {
			t := &s.tables[i]
			t.mu.Lock()
			nodes := t.all()
			t.mu.Unlock()
			for _, n := range nodes {
				if s.current(n) != nil && !yield(n.key) {
					return
				}
			}
		}
	}
}

// clear drops one table after the other. What is told to the policy waits for none of it.
func (s *policyStore) clear() {
	for i := range s.tables {
		t := &s.tables[i]
		t.mu.Lock()
		for _, n := range t.all() {
			s.unlink(t, n)
			s.changes.add(n, went, overhead)
		}
		t.init()
		t.mu.Unlock()
		s.help()
	}
}

// ranked asks the policy, after it was told everything.
func (s *policyStore) ranked(list func(key string, e *core.Entry) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drain()
	r, ok := s.rule.(evict.Ranker)
	if !ok {
		return false
	}
	ids, _ := r.Ranked()
	for id := range ids {
		n := s.ids.nodes[id]
		if e := s.current(n); e != nil && !list(n.key, e) {
			break
		}
	}
	return true
}

func (s *policyStore) lastFirst() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rule.(evict.Ranker)
	if !ok {
		return false
	}
	_, lastFirst := r.Ranked()
	return lastFirst
}

// expired looks at one table after the other.
func (s *policyStore) expired() (n int64) {
	now := time.Now().UnixNano()
	for i := range s.tables {
		t := &s.tables[i]
		t.mu.Lock()
		for _, node := range t.all() {
			if e := node.entry.Load(); e.Expires != 0 && e.Expires <= now {
				s.dismount(t, node, false)
				n++
			}
		}
		t.mu.Unlock()
		s.help()
	}
	return n
}

func (s *policyStore) settleAll() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.evictions.Load()
	s.drain()
	return s.evictions.Load() - before
}

func (s *policyStore) figures() figures {
	w := s.working.Load()
	return figures{
		entries: s.entries.Load(), bytes: s.bytes.Load(), evictions: s.evictions.Load(), policy: w.name, failure: w.failure,
	}
}

func (s *policyStore) close() {
	close(s.quit)
	s.worker.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dismiss()
	s.rule = nil
}

// dismiss gives back what the policy holds, if it is of that kind.
func (s *policyStore) dismiss() {
	c, ok := s.rule.(interface{ Close() error })
	if !ok {
		return
	}
	if err := c.Close(); err != nil {
		s.logger.LogAttrs(context.Background(), slog.LevelWarn, "eviction policy did not close",
			slog.String("policy", s.working.Load().name), slog.Any("error", err))
	}
}
