package memory

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/evict"
)

// batchSize is how many requests the policy gets at once, at most.
const batchSize = 256

// batch is the requests that the policy gets next.
type batch struct {
	ids, sizes []uint32
	hits       [batchSize / 64]uint64
}

// drain tells the policy all that was noted, and removes what it threw out. The caller holds mu.
func (s *policyStore) drain() {
	list, bytes := s.changes.take()
	s.hits = s.recent.drain(s.hits[:0])
	if s.rule != nil {
		for _, c := range list {
			s.apply(c)
		}
		for _, n := range s.hits {
			if s.ids.holds(n) {
				s.ask(n)
			}
		}
		s.flush()
	}
	clear(s.hits)
	s.changes.settled(list, bytes)
}

// apply tells the policy of a change.
func (s *policyStore) apply(c change) {
	n := c.node
	switch c.what {
	case came:
		s.enter(n)
	case went:
		s.leave(n)
	case resized:
		s.flush() // so that it is known whether the policy has it
		if s.ids.holds(n) {
			s.rule.Remove(n.id)
			s.ask(n)
		}
	case timed:
		if s.ids.holds(n) {
			s.ids.start(n)
		}
	}
}

// enter asks the policy for a node that it does not have.
func (s *policyStore) enter(n *node) {
	if n.entry.Load() == nil {
		return // gone before the policy learned of it
	}
	if !s.ids.take(n) {
		s.makeRoom()
		if !s.ids.take(n) {
			s.evict(n)
			return
		}
	}
	s.ids.start(n)
	s.ask(n)
}

// leave takes a node that is gone away from the policy, if that has it.
func (s *policyStore) leave(n *node) {
	if !s.ids.holds(n) {
		return
	}
	s.flush()
	if s.ids.holds(n) {
		s.rule.Remove(n.id)
		s.forgetting()
		s.ids.release(n)
	}
}

// ask adds a request for a node to the batch.
func (s *policyStore) ask(n *node) {
	s.batch.ids = append(s.batch.ids, n.id)
	s.batch.sizes = append(s.batch.sizes, n.size.Load())
	if len(s.batch.ids) == batchSize {
		s.flush()
	}
}

// flush hands the batch to the policy. A node that it threw out may be asked for later in the same batch: then the policy has
// it again, and it stays.
func (s *policyStore) flush() {
	ids := s.batch.ids
	if len(ids) == 0 {
		return
	}
	misses := s.rule.Replay(ids, s.batch.sizes, s.batch.hits[:])
	s.batch.ids, s.batch.sizes = ids[:0], s.batch.sizes[:0]
	if err := failure(s.rule); err != nil {
		s.fallBack(err)
		return
	}
	for i := 0; misses > 0 && i < len(ids); i++ {
		if s.batch.hits[i>>6]>>(i&63)&1 == 0 {
			s.settle(ids[i])
		}
	}
	for _, id := range s.gone {
		s.settle(id)
	}
	s.gone = s.gone[:0]
	s.forgetting()
}

// settle removes the node of a number if the policy does not have it.
func (s *policyStore) settle(id uint32) {
	n := s.ids.nodes[id]
	if n == nil {
		return
	}
	if s.rule.Contains(id) {
		s.ids.known[id] = true
		return
	}
	s.ids.release(n)
	s.evict(n)
}

// evict removes a node that the policy does not have from its table, if it is still there.
func (s *policyStore) evict(n *node) {
	t, _ := s.locate(n.key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := n.entry.Load(); e != nil {
		s.unlink(t, n)
		s.evictions.Add(1)
		s.notices.tell(n.key, e, core.CauseEvicted)
	}
}

// forgetting frees the numbers of what the policy does not know any more.
func (s *policyStore) forgetting() {
	for _, id := range s.forgot {
		s.ids.forgotten(id)
	}
	s.forgot = s.forgot[:0]
}

// makeRoom evicts a node to get its number, for a policy that remembers so much that there are none left. It takes turns.
func (s *policyStore) makeRoom() {
	s.flush()
	for tried := 0; s.ids.free == 0 && s.ids.live > 0 && tried < batchSize; {
		s.hand = (s.hand + 1) % len(s.ids.nodes)
		if n := s.ids.nodes[s.hand]; n != nil {
			s.leave(n)
			s.evict(n)
			tried++
		}
	}
}

// sweep tells the policy what was noted and removes what has ended, a part at a time.
func (s *policyStore) sweep() {
	for more := true; more; {
		s.mu.Lock()
		s.drain()
		more = s.expire(1024)
		s.mu.Unlock()
	}
}

// expire looks at so many nodes whose timers ended, and reports whether there are more. The caller holds mu.
func (s *policyStore) expire(most int) (more bool) {
	now := s.now.Load()
	for range most {
		n := s.ids.dueNode(uint32(now >> tickBits))
		if n == nil {
			return false
		}
		if s.ended(n, now) {
			s.leave(n)
		} else {
			s.ids.start(n)
		}
	}
	return true
}

// ended takes a node out of its table if its entry has ended, else sets its due. It reports whether the node is gone.
func (s *policyStore) ended(n *node, now int64) bool {
	t, _ := s.locate(n.key)
	t.mu.Lock()
	defer t.mu.Unlock()
	e := n.entry.Load()
	switch {
	case e == nil:
		return true
	case e.Expires != 0 && e.Expires <= now:
		s.unlink(t, n)
		s.notices.tell(n.key, e, core.CauseExpired)
		return true
	default:
		n.due.Store(tickOf(e.Expires, now))
		return false
	}
}

// failure returns why a policy failed, if it is one that can.
func failure(p evict.Policy) error {
	if f, ok := p.(interface{ Err() error }); ok {
		return f.Err()
	}
	return nil
}

// fallBack puts lru in the place of a policy that failed, and gives it all nodes.
func (s *policyStore) fallBack(err error) {
	failed := s.working.Load().name
	s.logger.LogAttrs(context.Background(), slog.LevelError, "eviction policy failed, lru goes on",
		slog.String("policy", failed), slog.Any("error", err))
	s.dismiss()
	lru, impossible := evict.New("lru", s.spec)
	if impossible != nil {
		panic(impossible) // the spec was good for a policy before
	}
	s.rule = lru
	s.working.Store(&working{name: "lru", failure: fmt.Errorf("policy %s: %w", failed, err)})
	s.gone, s.forgot = s.gone[:0], s.forgot[:0]
	s.ids.forgetAll()
	for _, n := range s.ids.nodes {
		if n != nil {
			s.ask(n)
		}
	}
	s.flush()
}
