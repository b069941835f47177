package store

import (
	"context"
	"sync"
)

// readers counts who reads the segments of bodies, and remembers what is to be freed once nobody does.
type readers struct {
	mu    sync.Mutex
	count map[bodyID]int
	after map[bodyID][]part // what to free when the last one leaves
}

func (x *readers) enter(parts []part) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range parts {
		x.count[p.id]++
	}
}

// leave returns the parts to be freed now.
func (x *readers) leave(parts []part) (free []part) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range parts {
		if x.count[p.id]--; x.count[p.id] == 0 {
			delete(x.count, p.id)
			free = append(free, x.after[p.id]...)
			delete(x.after, p.id)
		}
	}
	return free
}

// unread returns those of the parts that nobody reads. The others it keeps for leave.
func (x *readers) unread(parts []part) (free []part) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range parts {
		if x.count[p.id] > 0 {
			x.after[p.id] = append(x.after[p.id], p)
		} else {
			free = append(free, p)
		}
	}
	return free
}

// leave ends a reading that readers.enter began.
func (s *Store) leave(parts []part) {
	if free := s.readers.leave(parts); len(free) > 0 {
		s.enqueue(garbage{parts: free})
	}
}

// free has segments deleted that no response has any more, behind the caller's back and once nobody in this process reads
// them. Where there is too much to do, it is left to expire or to be evicted.
func (s *Store) free(parts []part) {
	if free := s.readers.unread(parts); len(free) > 0 {
		s.enqueue(garbage{parts: free})
	}
}

// garbage is what is stored and not found any more: segments, or variants of an epoch.
type garbage struct {
	parts    []part
	epoch    epoch
	variants []ref
}

func (s *Store) enqueue(g garbage) {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return
	}
	select {
	case s.garbage <- g:
	default:
	}
}

// sweep deletes garbage until Close.
func (s *Store) sweep() {
	ctx := context.Background()
	for g := range s.garbage {
		for _, p := range g.parts {
			s.deletePart(ctx, p)
		}
		for _, v := range g.variants {
			s.dropVariant(ctx, g.epoch, v)
		}
	}
}

// dropVariant deletes a variant that no index has any more, unless one has it again.
func (s *Store) dropVariant(ctx context.Context, e epoch, v ref) {
	h := home{s.variants, string(variantKey(nil, e, v.hash))}
	old := s.quiet(ctx, h)
	if old == nil {
		return
	}
	if x := s.index(ctx, old.key); x != nil && x.epoch == e && x.has(v.hash) {
		return
	}
	if _, err := h.cache.Delete(ctx, h.key); err != nil {
		s.trouble("a variant that nobody needs can't be deleted", err)
		return
	}
	s.freeBut(old, nil)
}

// sweepBatch is how many segments are deleted in one round trip.
const sweepBatch = 256

func (s *Store) deletePart(ctx context.Context, p part) {
	keys := make([]string, 0, sweepBatch)
	for n := p.first / SegmentSize; n*SegmentSize < p.end; n++ {
		if keys = append(keys, string(segmentKey(nil, p.id, n))); len(keys) == sweepBatch {
			s.deleteKeys(ctx, keys)
			keys = keys[:0]
		}
	}
	s.deleteKeys(ctx, keys)
}

func (s *Store) deleteKeys(ctx context.Context, keys []string) {
	if len(keys) == 0 {
		return
	}
	if _, err := s.bodies.DeleteMany(ctx, keys); err != nil {
		s.trouble("segments that nobody needs can't be deleted", err)
	}
}
