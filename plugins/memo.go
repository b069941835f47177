package plugins

import (
	"bytes"
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/edgecache/edgecache/core"
)

const (
	memoSlots  = 4096
	memoMaxKey = 512 // longer keys are not remembered
)

// memo remembers what a pure guest made of keys: a table of fixed size in which a key has one place. It is safe for
// concurrent use and takes no lock.
type memo struct {
	seed  maphash.Seed
	slots [memoSlots]memoSlot
}

type memoSlot struct {
	entry atomic.Pointer[memoEntry]
	seen  atomic.Uint64 // hash of the last key that was not found here: only one that comes twice is remembered
}

// memoEntry is immutable.
type memoEntry struct {
	namespace *core.Namespace
	key       string
	to        []byte // nil: the key stays as it is
}

func newMemo() *memo { return &memo{seed: maphash.MakeSeed()} }

func (m *memo) slot(ns *core.Namespace, key string) (*memoSlot, uint64) {
	h := maphash.String(m.seed, key) ^ uint64(ns.ID())*0x9e3779b97f4a7c15
	return &m.slots[h%memoSlots], h
}

// get returns what key becomes, nil for itself, and whether that is known.
func (m *memo) get(ns *core.Namespace, key string) (to []byte, ok bool) {
	s, _ := m.slot(ns, key)
	e := s.entry.Load()
	if e == nil || e.key != key || e.namespace != ns {
		return nil, false
	}
	return e.to, true
}

// put remembers that key becomes to, of which it keeps a copy, or itself if to is nil.
func (m *memo) put(ns *core.Namespace, key string, to []byte) {
	if len(key) > memoMaxKey || len(to) > memoMaxKey {
		return
	}
	s, h := m.slot(ns, key)
	if s.seen.Load() != h {
		s.seen.Store(h)
		return
	}
	s.entry.Store(&memoEntry{namespace: ns, key: strings.Clone(key), to: bytes.Clone(to)})
}
