package memory

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/edgecache/edgecache/core"
)

// opened is the store of a backend, and beside it, while Reconfigure moves entries over, the one before it.
//
// While there are two, a key is in one of them: who writes it takes it out of the older one first, and the move takes it from
// there under the lock that writers of the key in the newer one have. Who writes to the older one because the newer one came
// meanwhile finds that out afterwards and does it again; what must not be done twice, an update, asks under the key's lock.
type opened struct {
	store
	otter   *otterStore // the same, if it is one: for Get, which shall not pay for the choice
	options Options
	most    int64 // Options.MaxBytes
	before  int64 // what was evicted by older stores

	retired *atomic.Bool // updates go to the newer one; shared by all that have this store
	prev    *opened      // where entries may still be; nil if they all are here
}

func (o Options) openStore(n *notices) (h *opened, err error) {
	h = &opened{options: o, most: o.MaxBytes, retired: new(atomic.Bool)}
	if o.Policy == nil {
		h.otter, err = newOtter(o, n)
		h.store = h.otter
	} else {
		h.store, err = newPolicyStore(o, n)
	}
	return h, err
}

// tooLarge reports whether the entry is beyond MaxEntryBytes.
func (h *opened) tooLarge(key string, e *core.Entry) bool {
	return weight(key, e) > h.options.MaxEntryBytes
}

// older looks for a key that was not found in the newer store.
func (h *opened) older(key string) *core.Entry {
	if h.prev == nil {
		return nil
	}
	return h.search(key)
}

// search looks into the older store, and then once more into the newer one, waiting for a move of the key that is under way.
func (h *opened) search(key string) *core.Entry {
	if _, e, ok := h.prev.peek(key); ok {
		return e
	}
	return h.compute(key, func(old *core.Entry) (*core.Entry, verdict) { return old, keep })
}

// peek returns the entry and the key that may be kept, or core.ErrNotFound. The policy learns nothing.
func (b *Backend) peek(key string) (own string, e *core.Entry, err error) {
	h := b.open.Load()
	if h == nil {
		return "", nil, core.ErrClosed
	}
	if own, e, ok := h.peek(key); ok {
		return own, e, nil
	}
	if e = h.older(key); e != nil {
		return strings.Clone(key), e, nil
	}
	if b.open.Load() != h {
		return b.peek(key)
	}
	return "", nil, core.ErrNotFound
}

func (h *opened) set(key string, e *core.Entry) {
	h.drop(key)
	h.store.set(key, e)
}

func (h *opened) remove(key string) bool {
	found := h.drop(key)
	return h.store.remove(key) || found
}

// drop takes a key out of the older store.
func (h *opened) drop(key string) bool {
	return h.prev != nil && h.prev.store.remove(key)
}

// pull takes the entry of a key that is not in the newer store from the older one, nil if there is none. It is called below
// the lock of the key in the newer one.
func (h *opened) pull(key string) *core.Entry {
	if h.prev == nil {
		return nil
	}
	return take(h.prev.store, key)
}

// figures counts what older stores evicted.
func (h *opened) figures() figures {
	f := h.store.figures()
	f.evictions += h.before
	return f
}

// whole returns the store, nil once closed, for who needs all keys in one: until release is called nothing is moved.
func (b *Backend) whole() (h *opened, release func()) {
	b.moving.RLock()
	return b.open.Load(), b.moving.RUnlock
}

// Reconfigure gives the backend other options while it is used. Where only sizes change and the policy is Default, what is
// too much is evicted at once. Otherwise a new store takes the place of the old one, and the entries move over, those worth
// the most last: commands come through meanwhile, but for those on all keys. The new policy knows of the entries that they
// are there, and of what the old one had learned only their order, as far as that told it. With an error, which is about the
// options, everything stays as it is.
func (b *Backend) Reconfigure(o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	b.moving.Lock()
	defer b.moving.Unlock()
	old := b.open.Load()
	if old == nil {
		return core.ErrClosed
	}
	if old.otter != nil && o.Policy == nil {
		b.resize(old, o)
		return nil
	}
	h, err := o.openStore(&b.notices)
	if err != nil {
		return err
	}
	h.before = old.figures().evictions
	h.prev = old
	old.retired.Store(true)
	b.open.Store(h)
	h.move(old)
	alone := *h // who has h goes on looking into the old store, where nothing is left
	alone.prev = nil
	b.open.Store(&alone)
	old.close()
	return nil
}

// resize changes the bounds of otter's store.
func (b *Backend) resize(old *opened, o Options) {
	h := *old
	h.options, h.most = o, o.MaxBytes
	h.otter.slack.Store(o.slack())
	h.otter.cache.SetMaximum(uint64(o.MaxBytes))
	b.open.Store(&h)
}

// move takes all entries over that are still in the old store. What its policy was not yet told of comes after those whose
// order it knows: a key of which the first write is not through may be changed by others already.
func (h *opened) move(old *opened) {
	var keys []string
	old.ranked(func(key string, _ *core.Entry) bool {
		keys = append(keys, key)
		return true
	})
	if h.lastFirst() {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		h.fetch(old, key)
	}
	for key := range old.keys() {
		h.fetch(old, key)
	}
}

// fetch takes the entry of a key over, if it is still in the old store.
func (h *opened) fetch(old *opened, key string) {
	h.compute(key, func(now *core.Entry) (*core.Entry, verdict) {
		e := take(old.store, key)
		if now != nil || e == nil || h.tooLarge(key, e) {
			return now, keep
		}
		return e, write
	})
}
