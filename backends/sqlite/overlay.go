package sqlite

import (
	"sync"

	"github.com/edgecache/edgecache/core"
)

const (
	// maxBatchBytes bounds the memory of a batch beside its number of writes.
	maxBatchBytes = 8 << 20
	// maxForgotten bounds how many keys are known one by one not to be what the database says.
	maxForgotten = 100_000
)

// batch is writes that are committed together.
type batch struct {
	entries map[string]*core.Entry // nil is deleted
	bytes   int
	forget  bool          // of what is in the database nothing is true any more
	taken   chan struct{} // closed when the commit begins
	done    chan struct{} // closed when it has ended
	err     error         // why it failed; set before done is closed
}

func newBatch() *batch {
	return &batch{entries: make(map[string]*core.Entry), taken: make(chan struct{}), done: make(chan struct{})}
}

func (b *batch) put(key string, e *core.Entry) {
	b.entries[key] = e
	b.bytes += len(key)
	if e != nil {
		b.bytes += len(e.Value)
	}
}

// get returns what the batch says of the key, nil for deleted, and whether it says something.
func (b *batch) get(key string) (*core.Entry, bool) {
	if b == nil {
		return nil, false
	}
	e, ok := b.entries[key]
	return e, ok || b.forget
}

// overlay is what was written and is not in the database yet: readers look here first. One batch fills while another one
// is committed. A commit that fails gives its keys back, so that nothing older shows through.
type overlay struct {
	size int // how many writes fill a batch

	mu         sync.RWMutex
	next       *batch // fills
	committing *batch // nil while there is no commit
	closed     bool
}

// get returns the entry that was written to the key, nil if it was deleted, and whether there is anything.
func (o *overlay) get(key string) (*core.Entry, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if e, ok := o.next.get(key); ok {
		return e, true
	}
	return o.committing.get(key)
}

// put adds a write and returns its batch and whether that is full. Where there is no room it returns no batch, and what
// to wait for before the next try.
func (o *overlay) put(key string, e *core.Entry) (b *batch, full bool, wait <-chan struct{}, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return nil, false, nil, core.ErrClosed
	case !o.full():
		o.next.put(key, e)
		return o.next, o.full(), nil, nil
	case o.committing != nil:
		return nil, true, o.committing.done, nil
	default:
		return nil, true, o.next.taken, nil
	}
}

func (o *overlay) full() bool { return len(o.next.entries) >= o.size || o.next.bytes >= maxBatchBytes }

// forget has the key read as absent, whatever the database says and however full the batch is.
func (o *overlay) forget(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next.put(key, nil); len(o.next.entries) > o.size+maxForgotten {
		clear(o.next.entries)
		o.next.forget = true
	}
}

// take begins a commit: it returns the batch and lets the next one fill. settle must follow.
func (o *overlay) take() *batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.committing = o.next
	o.next = newBatch()
	close(o.committing.taken)
	return o.committing
}

// settle ends a commit. Where it failed, its keys are to be written with the next batch, unless that knows better: with what
// was set if keep says so, else without, since a batch that has no room now may never have any.
func (o *overlay) settle(err error, keep bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.committing
	o.committing = nil
	if err != nil && !o.next.forget {
		for key, e := range b.entries {
			if _, newer := o.next.entries[key]; newer {
				continue
			}
			if !keep {
				e = nil
			}
			o.next.put(key, e)
		}
		o.next.forget = b.forget
	}
	b.err = err
	close(b.done)
}

// empty reports whether everything is in the database.
func (o *overlay) empty() bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.committing == nil && len(o.next.entries) == 0 && !o.next.forget
}

// close refuses further writes.
func (o *overlay) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}
