// Package product has caches that others wrote as eviction policies, so that a simulation tells what the real thing does: its
// buffers, its sketch and its climber, and not what a paper says of them.
package product

import (
	"fmt"
	"math"
	"strings"

	"github.com/maypok86/otter/v2"

	"github.com/edgecache/edgecache/bench/sim"
	"github.com/edgecache/edgecache/core/evict"
)

// Prefix is what names of products begin with.
const Prefix = "product:"

// Policy returns the policy that a name such as "product:otter" means. ok says that the name begins with Prefix; if it does
// and no product is called so, err says what there is.
func Policy(name string) (p sim.Policy, ok bool, err error) {
	product, ok := strings.CutPrefix(name, Prefix)
	if !ok {
		return sim.Policy{}, false, nil
	}
	if product != "otter" {
		return sim.Policy{}, true, fmt.Errorf("no product is called %q: there is %sotter", product, Prefix)
	}
	return sim.Policy{Name: name, New: newOtter}, true, nil
}

// otterPolicy is an otter cache whose entries are ids. Maintenance runs on the caller's goroutine, so that what is too much
// is gone when a request is done.
//
// Otter hashes with seeds of its own and takes chances, so that results differ by run, whatever Spec.Seed is. An object of no
// bytes is never evicted.
type otterPolicy struct {
	cache   *otter.Cache[uint32, uint32] // sizes by id
	spec    evict.Spec
	present []uint64 // a bit for each id
	used    uint64
	coming  int64 // the id that is inserted now; -1 is none
}

func newOtter(s evict.Spec) (evict.Policy, error) {
	if s.Capacity < 1 {
		return nil, fmt.Errorf("otter: a cache of %d is not possible", s.Capacity)
	}
	p := &otterPolicy{spec: s, present: make([]uint64, (s.Objects+63)/64), coming: -1}
	o := otter.Options[uint32, uint32]{
		Executor:         func(task func()) { task() },
		OnAtomicDeletion: p.deleted,
	}
	if s.Bytes {
		o.MaximumWeight = s.Capacity
		o.Weigher = func(_, size uint32) uint32 { return size }
	} else {
		o.MaximumSize = int(min(s.Capacity, math.MaxInt))
	}
	cache, err := otter.New(&o)
	if err != nil {
		return nil, fmt.Errorf("otter: %w", err)
	}
	p.cache = cache
	return p, nil
}

// deleted follows what otter throws out, which it may do within any call.
func (p *otterPolicy) deleted(e otter.DeletionEvent[uint32, uint32]) {
	if e.Cause != otter.CauseOverflow {
		return
	}
	p.went(e.Key, e.Value)
	if int64(e.Key) == p.coming {
		return // it was not let in
	}
	if p.spec.Evicted != nil {
		p.spec.Evicted(e.Key)
	}
	if p.spec.Forgotten != nil {
		p.spec.Forgotten(e.Key)
	}
}

func (p *otterPolicy) went(id, size uint32) {
	p.present[id>>6] &^= 1 << (id & 63)
	p.used -= uint64(size)
}

func (p *otterPolicy) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	clear(hits[:(len(ids)+63)/64])
	for i, id := range ids {
		if p.Contains(id) {
			p.Hit(id)
			hits[i>>6] |= 1 << (i & 63)
			continue
		}
		misses++
		size := uint32(1)
		if sizes != nil {
			size = sizes[i]
		}
		p.Insert(id, size)
	}
	return misses
}

func (p *otterPolicy) Hit(id uint32) { p.cache.GetIfPresent(id) }

func (p *otterPolicy) Insert(id, size uint32) bool {
	if !p.spec.Bytes {
		size = 1
	}
	if uint64(size) > p.spec.Capacity {
		return false
	}
	p.coming = int64(id)
	p.present[id>>6] |= 1 << (id & 63)
	p.used += uint64(size)
	p.cache.Set(id, size)
	p.coming = -1
	return p.Contains(id)
}

func (p *otterPolicy) Remove(id uint32) {
	size, ok := p.cache.Invalidate(id)
	if !ok {
		return
	}
	p.went(id, size)
	if p.spec.Forgotten != nil {
		p.spec.Forgotten(id)
	}
}

func (p *otterPolicy) Contains(id uint32) bool { return p.present[id>>6]>>(id&63)&1 == 1 }

func (p *otterPolicy) Used() uint64 { return p.used }

// Close ends what otter runs beside its callers.
func (p *otterPolicy) Close() error {
	p.cache.StopAllGoroutines()
	return nil
}
