package httpguest

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/edgecache/edgecache/httphook"
)

const (
	memoSlots = 8192
	// memoLongest is how long host and target, and what becomes of them, may be together: others are not remembered. So a
	// memo takes some 8 MiB at most.
	memoLongest = 512
)

// memo remembers what a guest with a pure key made of hosts and targets: a table of fixed size in which each has one place.
// It is safe for concurrent use and takes no lock.
type memo struct {
	seed  maphash.Seed
	slots [memoSlots]memoSlot
}

type memoSlot struct {
	entry atomic.Pointer[memoEntry]
	seen  atomic.Uint64 // hash of the last that was not found here: only what comes twice is remembered
}

// memoEntry is immutable.
type memoEntry struct {
	generation           uint64 // of the plugin
	scheme, host, target string
	// What the call began with besides, which hooks ahead have made.
	forward bool
	extra   string
	// What became of it. vary is what was added.
	toTarget, toExtra string
	toForward         bool
	vary              []httphook.Field
}

func newMemo() *memo { return &memo{seed: maphash.MakeSeed()} }

func (m *memo) hash(c *httphook.KeyCall) uint64 {
	return maphash.String(m.seed, c.Request.Host)*31 ^ maphash.String(m.seed, c.Target)
}

// get does what is remembered for the call, and reports whether there is something.
func (m *memo) get(hash, generation uint64, c *httphook.KeyCall) bool {
	e := m.slots[hash%memoSlots].entry.Load()
	if e == nil || e.generation != generation || e.target != c.Target || e.host != c.Request.Host ||
		e.scheme != c.Request.Scheme || e.extra != c.Extra || e.forward != c.Forward {
		return false
	}
	c.Target, c.Extra, c.Forward = e.toTarget, e.toExtra, e.toForward
	if len(e.vary) > 0 {
		c.Vary = append(c.Vary, e.vary...)
	}
	return true
}

// put remembers that a call that was before has become after, by a plugin's generation.
func (m *memo) put(hash, generation uint64, before, after *httphook.KeyCall) {
	s := &m.slots[hash%memoSlots]
	if s.seen.Load() != hash {
		s.seen.Store(hash)
		return
	}
	e := &memoEntry{
		generation: generation, scheme: strings.Clone(before.Request.Scheme), host: strings.Clone(before.Request.Host),
		target: strings.Clone(before.Target), extra: strings.Clone(before.Extra), forward: before.Forward,
		toTarget: strings.Clone(after.Target), toExtra: strings.Clone(after.Extra), toForward: after.Forward,
		vary: slices.Clone(after.Vary[len(before.Vary):]),
	}
	if e.size() <= memoLongest {
		s.entry.Store(e)
	}
}

// size is how long the entry's strings are.
func (e *memoEntry) size() int {
	n := len(e.host) + len(e.target) + len(e.extra) + len(e.toTarget) + len(e.toExtra)
	for _, f := range e.vary {
		n += len(f.Name) + len(f.Value)
	}
	return n
}
