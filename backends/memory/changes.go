package memory

import (
	"sync"
	"sync/atomic"
)

// changes are what writers did since the policy was told last, in the order in which they did it. None is lost.
type changes struct {
	mu    sync.Mutex
	list  []change
	spare []change // empty; for when list is taken

	// lag is an upper bound of the bytes that the policy does not know of. It counts those of the taken until they are settled.
	lag atomic.Int64
	n   atomic.Int64 // the length of list
}

// change is what was done to a node.
type change struct {
	node *node
	what what
}

type what uint8

const (
	came    what = iota // the key was not there
	went                // it is not there any more
	resized             // its size is another
	timed               // its due is another
)

// manyChanges is how many are kept at most in the spare list.
const manyChanges = 1 << 12

// add notes a change, which brings so many bytes. The caller holds the lock of the node's table.
func (c *changes) add(n *node, w what, bytes int64) {
	c.mu.Lock()
	c.list = append(c.list, change{n, w})
	c.n.Store(int64(len(c.list)))
	c.lag.Add(bytes)
	c.mu.Unlock()
}

// take returns all changes, and the bytes that they bring. The list is for settled to give back.
func (c *changes) take() (list []change, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, bytes = c.list, c.lag.Load()
	c.list, c.spare = c.spare, nil
	c.n.Store(0)
	return list, bytes
}

// settled says that the policy knows of changes that were taken.
func (c *changes) settled(list []change, bytes int64) {
	c.lag.Add(-bytes)
	clear(list)
	if cap(list) <= manyChanges {
		c.mu.Lock()
		c.spare = list[:0]
		c.mu.Unlock()
	}
}
