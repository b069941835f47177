package core

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// loadTable has the loads that callers of loaders share. keyTable keeps order among tiers; this one, above the hooks, sees
// to it that a key's loader runs once for all who want its value meanwhile.
//
// Lock order: loadTable.mu, then those of keyTable.
type loadTable struct {
	mu      sync.Mutex
	flights map[loadKey]*loading
	// landed counts the ends of loads, by hash of the key: who has missed a key, and finds that none has ended since
	// before it looked, need not look again before it loads.
	landed [256]atomic.Uint64
	// active counts the loads whose marks are to be kept: while there are any, writes of one-tier caches pass keyTable too.
	active atomic.Int64
	// behind bounds the writes that go on after their values were handed out.
	behind chan struct{}
}

// maxBehind is how many background writes there are at most; further loads write before they hand out their values.
const maxBehind = 256

// loadKey names what a load makes: the value of a key, of a type that kind stands for.
type loadKey struct {
	kind        any // a nil pointer to the type
	prefix, key string
}

// loading is one key's load.
type loading struct {
	key  loadKey
	mark *mark // nil: the tiers were not asked
	trip *trip
	done chan struct{}
	// What follows is written before done is closed.
	value any    // a pointer of the key's kind
	data  []byte // value as it was encoded, if it was
	err   error
}

// trip is one call of a loader, for one key or several.
type trip struct {
	cancel context.CancelFunc
	stays  bool // it goes on when nobody waits; guarded by the table's mu
	refs   int  // who waits; guarded by the table's mu
	gone   bool // nobody did any more, and it was cancelled; guarded by the table's mu
}

// mark is what a load must find unchanged at its key when it writes, or when others join it: no other writer has been
// there since it began.
type mark struct {
	load
	expected atomic.Uint64 // of keyState.writes: as at the beginning, and with the load's own write once that has its turn
}

func newLoadTable() *loadTable {
	return &loadTable{flights: make(map[loadKey]*loading), behind: make(chan struct{}, maxBehind)}
}

// count returns the counter of ends of loads for key.
func (t *loadTable) count(key string) *atomic.Uint64 {
	return &t.landed[hashKey(0, key)%uint64(len(t.landed))]
}

// mark notes the state of a key as the tiers have it. unmark must follow.
func (e *engine) mark(stored string) *mark {
	e.loaders.active.Add(1)
	m := &mark{load: e.keys.beginLoad(stored)}
	m.expected.Store(m.writes)
	return m
}

func (e *engine) unmark(m *mark) {
	if m != nil {
		e.keys.leave(m.key)
		e.loaders.active.Add(-1)
	}
}

// kept reports whether no other writer has been at the key and is done. One that has begun, perhaps the load itself, is
// not waited for.
func (m *mark) kept(t *keyTable) bool {
	writes, expected := m.key.writes.Load(), m.expected.Load()
	return writes <= expected+1 && t.sweeps.Load() == m.sweeps
}

// take reports whether the load's own write, which has its turn at k, may take place, and expects its end if so. Where
// hooks have led the write to another key than the read there is nothing to compare.
func (m *mark) take(t *keyTable, k *keyState) bool {
	switch {
	case m == nil || m.key != k:
		return true
	case k.writes.Load() != m.writes+1 || t.sweeps.Load() != m.sweeps:
		return false
	default:
		m.expected.Store(m.writes + 2)
		return true
	}
}

// join returns the load of key and whether the caller leads it, which must then end. The caller waits for it. t is the
// trip of a load that is new; stored is the key as the tiers have it, "" if they were not asked.
func (e *engine) join(key loadKey, stored string, t *trip) (f *loading, leads bool) {
	l := e.loaders
	l.mu.Lock()
	defer l.mu.Unlock()
	if f = l.flights[key]; f != nil && !f.trip.gone && (f.mark == nil || f.mark.kept(e.keys)) {
		f.trip.refs++
		return f, false
	}
	f = &loading{key: key, trip: t, done: make(chan struct{})}
	if stored != "" {
		f.mark = e.mark(stored)
	}
	l.flights[key] = f
	t.refs++
	return f, true
}

// alone returns a load that nobody else joins.
func (e *engine) alone(key loadKey, t *trip) *loading {
	e.loaders.mu.Lock()
	defer e.loaders.mu.Unlock()
	t.refs++
	return &loading{key: key, trip: t, done: make(chan struct{})}
}

// part says that a caller has stopped waiting. The last one cancels the trip, unless it stays.
func (t *loadTable) part(p *trip) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.refs--; p.refs == 0 && !p.stays {
		p.gone = true
		p.cancel()
	}
}

// arrived says that the trip's loader has returned: from here on there is nothing to cancel.
func (t *loadTable) arrived(p *trip) {
	t.mu.Lock()
	p.stays = true
	t.mu.Unlock()
}

// land ends a load: nobody joins it any more.
func (e *engine) land(f *loading) {
	l := e.loaders
	l.mu.Lock()
	l.count(f.key.key).Add(1)
	if l.flights[f.key] == f {
		delete(l.flights, f.key)
	}
	l.mu.Unlock()
	e.unmark(f.mark)
}

// end lands a load and then lets go who waits for it: who comes after one of those has returned does not join it.
func (e *engine) end(f *loading) {
	e.land(f)
	close(f.done)
}

// writeBehind ends the loads after write, or where that may stay behind, lets go who waits before it.
func (e *engine) writeBehind(background bool, fs []*loading, write func()) {
	if background {
		select {
		case e.loaders.behind <- struct{}{}:
			defer func() { <-e.loaders.behind }()
			for _, f := range fs {
				close(f.done)
			}
			write()
			for _, f := range fs {
				e.land(f)
			}
			return
		default:
		}
	}
	write()
	for _, f := range fs {
		e.end(f)
	}
}

// wait returns when the load is done or ctx is.
func (e *engine) wait(ctx context.Context, f *loading) error {
	defer e.loaders.part(f.trip)
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// PanicError is the error of a loader that panicked, for all who waited for it. It is also ErrLoad, and Value if that is
// an error.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where, as debug.Stack writes it
}

func (e *PanicError) Error() string { return fmt.Sprintf("loader panicked: %v", e.Value) }

// Unwrap returns ErrLoad and the cause.
func (e *PanicError) Unwrap() []error {
	if err, ok := e.Value.(error); ok {
		return []error{ErrLoad, err}
	}
	return []error{ErrLoad}
}

// safely calls fn. Its panic is an error, and so is the end of its goroutine, which done is told before that ends.
func safely[T any](fn func() (T, error), done func(T, error)) {
	var v T
	err := fmt.Errorf("%w: the loader ended its goroutine", ErrLoad)
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{Value: r, Stack: debug.Stack()}
		}
		done(v, err)
	}()
	v, err = fn()
}
