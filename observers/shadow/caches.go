package shadow

import (
	"fmt"
	"math/bits"

	"github.com/edgecache/edgecache/core/evict"
)

// batchSize is how many requests go into a policy at once. One policy after the other goes through them, so that its arrays
// are in the processor's caches meanwhile.
const batchSize = 1024

// batch is requests that wait.
type batch struct {
	ids, sizes []uint32
	groups     []uint8 // uncounted for writes, which are no reads to hit or miss
	cuts       []cut
}

// cut is an object that went for another reason than a policy's, before request number at.
type cut struct {
	at int
	id uint32
}

// uncounted is the group of requests that are not counted.
const uncounted = 0xff

func newBatch() batch {
	return batch{ids: make([]uint32, 0, batchSize), sizes: make([]uint32, 0, batchSize), groups: make([]uint8, 0, batchSize)}
}

func (b *batch) full() bool { return len(b.ids) == batchSize || len(b.cuts) == batchSize }

func (b *batch) add(id, size uint32, group uint8) {
	b.ids, b.sizes, b.groups = append(b.ids, id), append(b.sizes, size), append(b.groups, group)
}

func (b *batch) cut(id uint32) { b.cuts = append(b.cuts, cut{at: len(b.ids), id: id}) }

func (b *batch) reset() {
	b.ids, b.sizes, b.groups, b.cuts = b.ids[:0], b.sizes[:0], b.groups[:0], b.cuts[:0]
}

// cache is the shadow of one policy at one size.
type cache struct {
	name   string
	factor float64 // of the tier's size

	policy   evict.Policy
	capacity uint64
	err      error // what the policy did wrong; it is not asked any more
	misses   counts
	hits     [batchSize / 64]uint64
}

// build gives the cache a new policy, for a tier of so many bytes of which the sample is one in 1<<shift.
func (c *cache) build(o *Options, shift uint) error {
	c.release()
	c.capacity = max(1, uint64(float64(o.Bytes)*c.factor)>>shift)
	p, err := o.New(c.name, evict.Spec{Objects: maxObjects, Capacity: c.capacity, Bytes: true})
	if err != nil {
		return err
	}
	c.policy, c.err = p, nil
	return nil
}

func (c *cache) release() {
	if c.policy != nil {
		release(c.policy)
	}
}

// replay asks for the requests of a batch.
func (c *cache) replay(b *batch) {
	defer func() {
		if trouble := recover(); trouble != nil {
			c.err = fmt.Errorf("it panicked: %v", trouble)
		}
	}()
	from := 0
	for _, cut := range b.cuts {
		c.ask(b, from, cut.at)
		c.drop(cut.id)
		from = cut.at
	}
	c.ask(b, from, len(b.ids))
	if f, ok := c.policy.(interface{ Err() error }); ok && c.err == nil {
		c.err = f.Err()
	}
}

func (c *cache) drop(id uint32) {
	if c.policy.Contains(id) {
		c.policy.Remove(id)
	}
}

// ask asks for a part of the batch and counts what misses.
func (c *cache) ask(b *batch, from, to int) {
	if from == to {
		return
	}
	c.policy.Replay(b.ids[from:to], b.sizes[from:to], c.hits[:])
	for i := 0; i < to-from; i += 64 {
		missed := ^c.hits[i/64]
		if rest := to - from - i; rest < 64 {
			missed &= 1<<rest - 1
		}
		for ; missed != 0; missed &= missed - 1 {
			at := from + i + bits.TrailingZeros64(missed)
			if group := b.groups[at]; group != uncounted {
				c.misses.now[group].n++
				c.misses.now[group].bytes += uint64(b.sizes[at])
			}
		}
	}
}

// groups are parts of the sample, by hash: how much they differ tells how far the estimates may be off.
const groups = 32

func groupOf(hash uint64) uint8 { return uint8(hash >> (64 - 5)) }

// counts are of requests, by group.
type counts struct {
	now  [groups]struct{ n, bytes uint64 } // of this epoch
	past [groups]sum                       // of those before, which fade
}

// sum is of requests.
type sum struct{ n, bytes float64 }

// fold ends the epoch. What was before counts keep times.
func (c *counts) fold(keep float64) {
	for i := range c.now {
		c.past[i].n = c.past[i].n*keep + float64(c.now[i].n)
		c.past[i].bytes = c.past[i].bytes*keep + float64(c.now[i].bytes)
		c.now[i].n, c.now[i].bytes = 0, 0
	}
}

// requests returns how many there are in each group, amounts their bytes.
func (c *counts) requests() (s series) {
	for i := range s {
		s[i] = c.past[i].n + float64(c.now[i].n)
	}
	return s
}

func (c *counts) amounts() (s series) {
	for i := range s {
		s[i] = c.past[i].bytes + float64(c.now[i].bytes)
	}
	return s
}
