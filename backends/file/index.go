package file

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// item is what the index knows of a file. It takes about 130 bytes beside the key. A write makes a new one, so that the
// same item means the same file.
type item struct {
	key     string
	size    int64 // of the file
	expires int64 // unix nanoseconds, 0 never

	// Guarded by index.mu.
	used         uint64 // greater for what was used later
	newer, older *item  // in the ring of all, by use
	at           int32  // in expiring, -1 if not there

	proven atomic.Uint32 // checksum of the head of the file whose value has been proven, 0 for none
}

func (it *item) expired(now int64) bool { return it.expires != 0 && it.expires <= now }

// index knows all files, which were used last, and which expire first. It is safe for concurrent use, and never touches a
// file. One that has expired is there until it is removed.
type index struct {
	mu       sync.Mutex
	shards   [256]map[name]*item // by a name's first byte; so that nobody has to hold mu for all items
	ring     item                // an anchor: ring.older is the item used last, ring.newer the one longest ago
	expiring expiring
	entries  int64
	bytes    int64
	uses     uint64
}

func newIndex() *index {
	x := new(index)
	x.ring.newer, x.ring.older = &x.ring, &x.ring
	for i := range x.shards {
		x.shards[i] = make(map[name]*item)
	}
	return x
}

// at returns the item of a name, of whatever key, expired or not; nil if there is none.
func (x *index) at(n name) *item {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shards[n[0]][n]
}

// get returns the item of a key, nil if it is absent or has expired, and notes the use if that is asked for.
func (x *index) get(n name, key string, now int64, use bool) *item {
	x.mu.Lock()
	defer x.mu.Unlock()
	it := x.shards[n[0]][n]
	if it == nil || it.key != key || it.expired(now) {
		return nil
	}
	if use {
		x.unlink(it)
		x.link(it)
	}
	return it
}

// put adds an item as the one used last, in the place of what had the name.
func (x *index) put(n name, it *item) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forget(n, x.shards[n[0]][n])
	x.shards[n[0]][n] = it
	x.link(it)
	it.at = -1
	if it.expires != 0 {
		heap.Push(&x.expiring, it)
	}
	x.entries++
	x.bytes += it.size
}

// remove removes an item if it still has the name.
func (x *index) remove(n name, it *item) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.shards[n[0]][n] == it {
		x.forget(n, it)
	}
}

func (x *index) forget(n name, it *item) {
	if it == nil {
		return
	}
	delete(x.shards[n[0]], n)
	x.unlink(it)
	if it.at >= 0 {
		heap.Remove(&x.expiring, int(it.at))
	}
	x.entries--
	x.bytes -= it.size
}

func (x *index) link(it *item) {
	x.uses++
	it.used = x.uses
	it.newer, it.older = &x.ring, x.ring.older
	it.newer.older, it.older.newer = it, it
}

func (x *index) unlink(it *item) {
	it.newer.older, it.older.newer = it.older, it.newer
}

// size returns how many items there are and what their files take.
func (x *index) size() (entries, bytes int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.entries, x.bytes
}

// ended returns the item that expired first, nil if none has until now.
func (x *index) ended(now int64) *item {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.firstEnded(now)
}

func (x *index) firstEnded(now int64) *item {
	if len(x.expiring) > 0 && x.expiring[0].expired(now) {
		return x.expiring[0]
	}
	return nil
}

// excess returns the item to remove next while there are more than so many entries or bytes: the one that expired first,
// or if none has, the one used longest ago. It returns nil once they are within the bounds.
func (x *index) excess(entries, bytes, now int64) *item {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.entries <= entries && x.bytes <= bytes || x.entries == 0 {
		return nil
	}
	if it := x.firstEnded(now); it != nil {
		return it
	}
	return x.ring.newer
}

// oldest returns, of the keys that begin with prefix, the one used longest ago that has not expired.
func (x *index) oldest(prefix string, now int64) (key string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for it := x.ring.newer; it != &x.ring; it = it.newer {
		if strings.HasPrefix(it.key, prefix) && !it.expired(now) {
			return it.key, true
		}
	}
	return "", false
}

// shard returns the items whose names begin with the byte i.
func (x *index) shard(i int) []*item {
	x.mu.Lock()
	defer x.mu.Unlock()
	items := make([]*item, 0, len(x.shards[i]))
	for _, it := range x.shards[i] {
		items = append(items, it)
	}
	return items
}

// byUse returns all items, the one used longest ago first. What comes, goes or is used meanwhile may be there or not.
func (x *index) byUse() []*item {
	type use struct {
		*item
		used uint64
	}
	var uses []use
	for i := range x.shards {
		x.mu.Lock()
		for _, it := range x.shards[i] {
			uses = append(uses, use{it, it.used})
		}
		x.mu.Unlock()
	}
	slices.SortFunc(uses, func(a, b use) int { return cmp.Compare(a.used, b.used) })
	items := make([]*item, len(uses))
	for i := range uses {
		items[i] = uses[i].item
	}
	return items
}

// expiring is a heap of the items that expire, the next one on top.
type expiring []*item

func (h expiring) Len() int           { return len(h) }
func (h expiring) Less(i, j int) bool { return h[i].expires < h[j].expires }

func (h expiring) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = int32(i), int32(j)
}

// Push is heap.Interface's.
func (h *expiring) Push(x any) {
	it := x.(*item)
	it.at = int32(len(*h))
	*h = append(*h, it)
}

// Pop is heap.Interface's.
func (h *expiring) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	it.at = -1
	return it
}
