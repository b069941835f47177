package memory

import (
	"iter"

	"github.com/edgecache/edgecache/core"
)

// store holds entries by key and bounds what they weigh. It is safe for concurrent use. An entry that has expired is not
// there. A key that writes is kept, one that reads is not. Entries given to it are not too large and have not expired.
type store interface {
	editor
	sweeper
	// keys are all, in no order. What comes or goes meanwhile may be there or not. It waits for a compute that is under way.
	keys() iter.Seq[string]
	clear()
	figures() figures
	// close ends what the store started and drops what it holds. Calls that still come do no harm.
	close()
}

// sweeper is what a store does with many entries at once.
type sweeper interface {
	// ranked calls list for the entries in the order in which they would be evicted, until it returns false, and reports
	// whether the policy knows that order. Eviction waits: list must be quick and must not call the store. A key is left out as
	// long as the write that it came with is not through, though others may find it and change it.
	ranked(list func(key string, e *core.Entry) bool) (ok bool)
	// lastFirst reports whether of entries that come and are not asked for the last is evicted first.
	lastFirst() bool
	// expired removes what has expired and returns how many entries that were.
	expired() int64
	// settleAll has the policy told of all that was written, and returns how many entries it did not let stay.
	settleAll() int64
}

// editor is what a store does with one key.
type editor interface {
	// get returns the entry, and lets the policy know that it was asked for.
	get(key string) (*core.Entry, bool)
	// peek returns the entry, and the key that it was written with, which may be kept. The policy learns nothing.
	peek(key string) (own string, e *core.Entry, ok bool)
	set(key string, e *core.Entry)
	remove(key string) bool
	// compute calls fn once with the entry, nil if there is none, and does with what it returns what it says. It returns what
	// is there then. Writers of a few other keys wait, and so may eviction: fn must be quick and must not call the store.
	compute(key string, fn func(old *core.Entry) (*core.Entry, verdict)) *core.Entry
}

// verdict is what becomes of an entry.
type verdict uint8

const (
	keep  verdict = iota // leave everything as it is
	write                // store what was returned
	drop                 // remove what is there
)

// figures are what a store tells of itself.
type figures struct {
	entries, bytes int64
	evictions      int64  // how many entries made room for others, or were not let in
	policy         string // the name of the one at work
	failure        error  // why that is not the one that was asked for
}
