package memory

import (
	"slices"
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

	retired atomic.Bool            // updates go to the newer one
	prev    atomic.Pointer[opened] // nil but while entries are moved
}

func (o Options) openStore(n *notices) (h *opened, err error) {
	h = &opened{options: o, most: o.MaxBytes}
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

// older returns the entry of a key that is not in the newer store.
func (h *opened) older(key string) (*core.Entry, error) {
	if p := h.prev.Load(); p != nil {
		e, ok := p.store.get(key)
		if !ok {
			e, ok = h.store.get(key) // moved between the two looks
		}
		if ok {
			return e, nil
		}
	}
	return nil, core.ErrNotFound
}

func (h *opened) peek(key string) (own string, e *core.Entry, ok bool) {
	if own, e, ok = h.store.peek(key); ok {
		return own, e, true
	}
	if p := h.prev.Load(); p != nil {
		if own, e, ok = p.store.peek(key); !ok {
			own, e, ok = h.store.peek(key)
		}
	}
	return own, e, ok
}

func (h *opened) get(key string) (*core.Entry, bool) {
	if e, ok := h.store.get(key); ok {
		return e, true
	}
	e, err := h.older(key)
	return e, err == nil
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
	p := h.prev.Load()
	return p != nil && p.store.remove(key)
}

// pull takes the entry of a key that is not in the newer store from the older one, nil if there is none. It is called below
// the lock of the key in the newer one.
func (h *opened) pull(key string) *core.Entry {
	if p := h.prev.Load(); p != nil {
		return take(p.store, key)
	}
	return nil
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
	h.prev.Store(old)
	old.retired.Store(true)
	b.open.Store(h)
	h.move(old)
	h.prev.Store(nil)
	old.store.close()
	return nil
}

// resize changes the bounds of otter's store.
func (b *Backend) resize(old *opened, o Options) {
	h := &opened{store: old.store, otter: old.otter, options: o, most: o.MaxBytes, before: old.before}
	h.otter.slack.Store(o.slack())
	h.otter.cache.SetMaximum(uint64(o.MaxBytes))
	b.open.Store(h)
}

// move takes all entries over that are still in the old store.
func (h *opened) move(old *opened) {
	var keys []string
	list := func(key string, _ *core.Entry) bool {
		keys = append(keys, key)
		return true
	}
	if !old.ranked(list) {
		for key := range old.keys() {
			list(key, nil)
		}
	}
	if h.lastFirst() {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		h.store.compute(key, func(now *core.Entry) (*core.Entry, verdict) {
			e := take(old.store, key)
			if now != nil || e == nil || h.tooLarge(key, e) {
				return now, keep
			}
			return e, write
		})
	}
}

// again reports whether h is not the store any more, so that what was written to it must be written once more.
func (b *Backend) again(h *opened) bool { return b.open.Load() != h }
