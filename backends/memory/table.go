package memory

import (
	"sync"
	"sync/atomic"

	"github.com/edgecache/edgecache/core"
)

// node is a key that is there, or was.
type node struct {
	next  atomic.Pointer[node] // in its chain of the table
	key   string
	entry atomic.Pointer[core.Entry] // nil once the key is gone; another node takes its place when it comes again
	hash  uint32
	size  atomic.Uint32 // what it weighs to the policy, at least what it does weigh
	due   atomic.Uint32 // the tick of its timer, 0 for none: see wheel
	id    uint32        // its number to the policy if ids.holds it; guarded by policyStore.mu
}

// table is a hash table of nodes in chains, one of many in a store, for a share of its keys. Readers take no lock; they see
// what was there when they began, unless it goes meanwhile.
type table struct {
	mu sync.Mutex // of writers: of what is below, and of entry, size and due of the nodes
	n  int

	buckets atomic.Pointer[[]atomic.Pointer[node]] // a power of two
	moves   atomic.Uint32                          // odd while nodes move to other chains
	_       [64]byte
}

const fewBuckets = 8

// init makes the table empty.
func (t *table) init() {
	buckets := make([]atomic.Pointer[node], fewBuckets)
	t.buckets.Store(&buckets)
	t.n = 0
}

// get returns the node of the key, or nil.
func (t *table) get(hash uint32, key string) *node {
	moves := t.moves.Load()
	if n := t.find(hash, key); n != nil {
		return n
	}
	if moves&1 == 0 && t.moves.Load() == moves {
		return nil
	}
	// Chains were changed under way, and a node may have been left out.
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.find(hash, key)
}

// find looks the key up. A writer may rely on what it does not find.
func (t *table) find(hash uint32, key string) *node {
	buckets := *t.buckets.Load()
	for n := buckets[hash&uint32(len(buckets)-1)].Load(); n != nil; n = n.next.Load() {
		if n.hash == hash && n.key == key {
			return n
		}
	}
	return nil
}

// add adds a node whose key is not there. The caller holds mu, as it does for what follows.
func (t *table) add(n *node) {
	if t.n++; t.n > len(*t.buckets.Load()) {
		t.grow()
	}
	buckets := *t.buckets.Load()
	push(&buckets[n.hash&uint32(len(buckets)-1)], n)
}

// grow doubles the buckets. A reader that is in a chain then goes on in the one where its node went.
func (t *table) grow() {
	old := *t.buckets.Load()
	buckets := make([]atomic.Pointer[node], 2*len(old))
	t.moves.Add(1)
	for i := range old {
		for n := old[i].Load(); n != nil; {
			next := n.next.Load()
			push(&buckets[n.hash&uint32(len(buckets)-1)], n)
			n = next
		}
	}
	t.buckets.Store(&buckets)
	t.moves.Add(1)
}

func push(chain *atomic.Pointer[node], n *node) {
	n.next.Store(chain.Load())
	chain.Store(n)
}

// drop takes a node out that is there. It still leads readers who are at it to those behind it.
func (t *table) drop(n *node) {
	t.n--
	buckets := *t.buckets.Load()
	at := &buckets[n.hash&uint32(len(buckets)-1)]
	for at.Load() != n {
		at = &at.Load().next
	}
	at.Store(n.next.Load())
}

// all returns the nodes that are there.
func (t *table) all() []*node {
	nodes := make([]*node, 0, t.n)
	for i := range *t.buckets.Load() {
		for n := (*t.buckets.Load())[i].Load(); n != nil; n = n.next.Load() {
			nodes = append(nodes, n)
		}
	}
	return nodes
}
