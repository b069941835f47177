package plugins

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"math"
	"sync"

	"github.com/edgecache/edgecache/hostabi"
)

const (
	defaultKVBytes   = 1 << 20
	defaultKVEntries = 10_000
	// kvOverhead is what an entry counts besides its key and value: about half of what it takes to keep a small one.
	kvOverhead = 64
	kvNumber   = 8 // bytes of a number
)

// kvStore is what a plugin keeps by capability kv. It is safe for concurrent use. It copies what it keeps and what it gives
// away. What has expired is absent, and goes when its key is asked for or its room is needed.
type kvStore struct {
	now func() int64 // a clock in nanoseconds

	mu         sync.Mutex
	entries    map[string]*kvEntry // guarded by mu
	ending     expiries            // guarded by mu: those that expire
	bytes      int                 // guarded by mu: what all count
	maxBytes   int                 // guarded by mu
	maxEntries int                 // guarded by mu
}

// kvEntry is guarded by its store's mu.
type kvEntry struct {
	key     string
	value   []byte
	expires int64 // a reading of the clock, 0 is never
	index   int   // in expiries
}

func newKVStore(now func() int64) *kvStore {
	return &kvStore{now: now, entries: make(map[string]*kvEntry)}
}

// limit sets what the store may hold. It throws nothing out, but lets nothing grow beyond it.
func (s *kvStore) limit(g Grants) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maxBytes, s.maxEntries = g.KVBytes, g.KVEntries
	if g.KVBytes == 0 {
		s.maxBytes = defaultKVBytes
	}
	if g.KVEntries == 0 {
		s.maxEntries = defaultKVEntries
	}
}

// clear throws everything out.
func (s *kvStore) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries, s.ending, s.bytes = make(map[string]*kvEntry), nil, 0
}

// figures returns how many entries there are and what they count.
func (s *kvStore) figures() (entries, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	return len(s.entries), s.bytes
}

// get copies as much of an entry's value as there is room for. It returns the whole length, or hostabi.KVAbsent.
func (s *kvStore) get(key, to []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(key)
	if e == nil {
		return hostabi.KVAbsent
	}
	copy(to, e.value)
	return len(e.value)
}

// set sets an entry and its time to live in milliseconds.
func (s *kvStore) set(key, value []byte, ttl int64) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(key, value, ttl)
}

// swap is set if the entry is old, or absent where old is nil.
func (s *kvStore) swap(key, old, value []byte, ttl int64) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tooLong(key, value) {
		return hostabi.KVFull
	}
	if e := s.find(key); (e == nil) != (old == nil) || e != nil && !bytes.Equal(e.value, old) {
		return hostabi.KVDiffers
	}
	return s.put(key, value, ttl)
}

// add adds to a number, which keeps the time to live that its first addition gave it. It returns the sum, or
// hostabi.KVFailed, having changed nothing, where the entry is no number, the sum is none, or there is no room.
func (s *kvStore) add(key []byte, delta, ttl int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(key)
	switch {
	case e == nil:
		var number [kvNumber]byte
		binary.LittleEndian.PutUint64(number[:], uint64(delta))
		if delta == hostabi.KVFailed || s.put(key, number[:], ttl) != hostabi.KVOK {
			return hostabi.KVFailed
		}
		return delta
	case len(e.value) != kvNumber:
		return hostabi.KVFailed
	}
	n := int64(binary.LittleEndian.Uint64(e.value))
	sum := n + delta
	if (sum < n) != (delta < 0) || sum == hostabi.KVFailed {
		return hostabi.KVFailed
	}
	binary.LittleEndian.PutUint64(e.value, uint64(sum))
	return sum
}

// remove deletes an entry.
func (s *kvStore) remove(key []byte) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(key)
	if e == nil {
		return hostabi.KVAbsent
	}
	s.drop(e)
	return hostabi.KVOK
}

// find returns an entry that has not expired, or nil. mu is held, as for all that follows.
func (s *kvStore) find(key []byte) *kvEntry {
	e := s.entries[string(key)]
	if e == nil || e.expires == 0 || e.expires > s.now() {
		return e
	}
	s.drop(e)
	return nil
}

func tooLong(key, value []byte) bool {
	return len(key) > hostabi.MaxKVKey || len(value) > hostabi.MaxKVValue
}

// put sets an entry if there is room, for which it throws out what has expired.
func (s *kvStore) put(key, value []byte, ttl int64) int32 {
	if tooLong(key, value) {
		return hostabi.KVFull
	}
	if !s.fits(key, value) {
		if s.expire(); !s.fits(key, value) {
			return hostabi.KVFull
		}
	}
	e := s.entries[string(key)]
	if e == nil {
		e = &kvEntry{key: string(key)}
		s.entries[e.key] = e
		s.bytes += e.size()
	}
	s.bytes += len(value) - len(e.value)
	if len(value) == len(e.value) {
		copy(e.value, value)
	} else {
		e.value = bytes.Clone(value)
	}
	s.schedule(e, s.deadline(ttl))
	return hostabi.KVOK
}

// fits reports whether an entry can be set: it may always shrink.
func (s *kvStore) fits(key, value []byte) bool {
	more := kvOverhead + len(key) + len(value)
	if e := s.entries[string(key)]; e != nil {
		more -= e.size()
	} else if len(s.entries) >= s.maxEntries {
		return false
	}
	return more <= 0 || s.bytes+more <= s.maxBytes
}

// size is what the entry counts.
func (e *kvEntry) size() int { return kvOverhead + len(e.key) + len(e.value) }

// drop takes an entry out.
func (s *kvStore) drop(e *kvEntry) {
	s.schedule(e, 0)
	delete(s.entries, e.key)
	s.bytes -= e.size()
}

// expire throws out what has expired.
func (s *kvStore) expire() {
	if len(s.ending) == 0 {
		return
	}
	for now := s.now(); len(s.ending) > 0 && s.ending[0].expires <= now; {
		s.drop(s.ending[0])
	}
}

// schedule sets when an entry expires.
func (s *kvStore) schedule(e *kvEntry, expires int64) {
	had := e.expires != 0
	switch e.expires = expires; {
	case had && expires != 0:
		heap.Fix(&s.ending, e.index)
	case had:
		heap.Remove(&s.ending, e.index)
	case expires != 0:
		heap.Push(&s.ending, e)
	}
}

// deadline is when a time to live that begins now ends, 0 for never.
func (s *kvStore) deadline(ttl int64) int64 {
	d := int64(ttlOf(ttl))
	if d <= 0 {
		return 0
	}
	now := s.now()
	if d > math.MaxInt64-now {
		return 0
	}
	return now + d
}

// expiries is a heap of the entries that expire, the next one first.
type expiries []*kvEntry

func (h expiries) Len() int           { return len(h) }
func (h expiries) Less(i, j int) bool { return h[i].expires < h[j].expires }

func (h expiries) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push appends an entry, for package heap.
func (h *expiries) Push(e any) {
	entry := e.(*kvEntry)
	entry.index = len(*h)
	*h = append(*h, entry)
}

// Pop takes the last entry off, for package heap.
func (h *expiries) Pop() any {
	old := *h
	last := len(old) - 1
	e := old[last]
	old[last] = nil
	*h = old[:last]
	return e
}
