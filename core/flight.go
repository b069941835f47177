package core

import (
	"context"
	"sync"
	"sync/atomic"
)

// keyTable keeps order between the readers and writers of one key where copies of it may be in several tiers:
//
//   - writers of a key take turns, so that tiers end with the same write;
//   - a reader that brings an entry up from a far tier only leaves a copy in the near ones if no writer was at the key
//     from before it asked until the copy is in place;
//   - readers of the same missing key share one load.
//
// A key is in the table only while someone is at work on it. Lock order: keyState.turn, sweep, keyShard.mu.
type keyTable struct {
	shards [64]keyShard
	// sweeps counts the beginnings and ends of Clear. Copies are made under sweep's read lock, so that Clear, which
	// sweeps the near tiers under its write lock, leaves none behind.
	sweeps atomic.Uint64
	sweep  sync.RWMutex
}

type keyShard struct {
	mu   sync.Mutex
	keys map[string]*keyState
	_    [40]byte
}

// keyState is a key at work.
type keyState struct {
	key    string
	turn   chan struct{} // holds a token while a writer, or a reader placing copies, has its turn
	writes atomic.Uint64 // beginnings and ends of writes
	refs   int           // guarded by the shard's mu
	flight *flight       // guarded by the shard's mu
}

// flight is a load that several readers wait for. The fields are written before done is closed.
type flight struct {
	done  chan struct{}
	entry *Entry
	tier  uint8
	err   error
}

func newKeyTable() *keyTable {
	t := &keyTable{}
	for i := range t.shards {
		t.shards[i].keys = make(map[string]*keyState)
	}
	return t
}

func (t *keyTable) shard(key string) *keyShard {
	return &t.shards[hashKey(0, key)%uint64(len(t.shards))]
}

// enter returns the key's state and keeps it in the table until leave. key must stay as it is.
func (t *keyTable) enter(key string) *keyState {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enter(key)
}

func (s *keyShard) enter(key string) *keyState {
	k := s.keys[key]
	if k == nil {
		k = &keyState{key: key, turn: make(chan struct{}, 1)}
		s.keys[key] = k
	}
	k.refs++
	return k
}

func (t *keyTable) leave(k *keyState) {
	s := t.shard(k.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.refs--; k.refs == 0 {
		delete(s.keys, k.key)
	}
}

// beginWrite waits for the writer's turn. endWrite must follow unless it returns an error.
func (t *keyTable) beginWrite(ctx context.Context, key string) (*keyState, error) {
	k := t.enter(key)
	select {
	case k.turn <- struct{}{}:
	default:
		select {
		case k.turn <- struct{}{}:
		case <-ctx.Done():
			t.leave(k)
			return nil, ctx.Err()
		}
	}
	k.writes.Add(1)
	return k, nil
}

// endWrite gives the turn to the next. Loads begun before now are nobody's to join any more: they may bring what was
// there before the write.
func (t *keyTable) endWrite(k *keyState) {
	k.writes.Add(1)
	s := t.shard(k.key)
	s.mu.Lock()
	k.flight = nil
	s.mu.Unlock()
	<-k.turn
	t.leave(k)
}

// load is a reader on its way to the far tiers.
type load struct {
	key    *keyState
	writes uint64
	sweeps uint64
}

// beginLoad notes what the reader must find unchanged when it places its copies. key must stay as it is.
func (t *keyTable) beginLoad(key string) load { return t.loadOf(t.enter(key)) }

func (t *keyTable) loadOf(k *keyState) load {
	return load{key: k, writes: k.writes.Load(), sweeps: t.sweeps.Load()}
}

// endLoad calls place, if not nil and no writer has come between, and leaves the key.
func (t *keyTable) endLoad(l load, place func()) {
	defer t.leave(l.key)
	if place == nil {
		return
	}
	select {
	case l.key.turn <- struct{}{}:
		defer func() { <-l.key.turn }()
	default:
		return // a writer is at it
	}
	t.sweep.RLock()
	defer t.sweep.RUnlock()
	if l.key.writes.Load() == l.writes && t.sweeps.Load() == l.sweeps {
		place()
	}
}

// join returns the key's flight and whether the caller leads it. The leader holds the returned load and must land.
// key is copied if the flight is new.
func (t *keyTable) join(key string, keep func(string) string) (f *flight, l load, leads bool) {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keys[key]; k != nil && k.flight != nil {
		return k.flight, load{}, false
	}
	k := s.enter(keep(key))
	f = &flight{done: make(chan struct{})}
	k.flight = f
	return f, t.loadOf(k), true
}

// land ends the leader's flight: its waiters go on.
func (t *keyTable) land(f *flight, l load) {
	s := t.shard(l.key.key)
	s.mu.Lock()
	if l.key.flight == f {
		l.key.flight = nil
	}
	s.mu.Unlock()
	close(f.done)
}

// clearing runs far, which clears the far tier, and near, which clears all others, so that no reader leaves a copy of
// what was there before.
func (t *keyTable) clearing(far, near func() error) error {
	t.sweeps.Add(1)
	err := far()
	t.sweep.Lock()
	defer t.sweep.Unlock()
	nearErr := near()
	t.sweeps.Add(1)
	t.dropFlights()
	if err != nil {
		return err
	}
	return nearErr
}

func (t *keyTable) dropFlights() {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, k := range s.keys {
			k.flight = nil
		}
		s.mu.Unlock()
	}
}
