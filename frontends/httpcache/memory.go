package httpcache

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

const (
	memorySets = 4096
	memoryWays = 4
)

// memory remembers of keys, for a while, that their responses can't be stored: a fixed table, in which the oldest of a set
// makes way. What it says is a hint; one key in four billion is taken for another. It is safe for concurrent use.
type memory struct {
	seed maphash.Seed
	life int64 // seconds
	sets *[memorySets][memoryWays]atomic.Uint64
}

func newMemory(life time.Duration) *memory {
	return &memory{seed: maphash.MakeSeed(), life: int64((life + time.Second - 1) / time.Second), sets: new([memorySets][memoryWays]atomic.Uint64)}
}

// place returns the set of key and what its slot has in the upper half.
func (m *memory) place(key string) (*[memoryWays]atomic.Uint64, uint64) {
	h := maphash.String(m.seed, key)
	return &m.sets[h%memorySets], h &^ 0xffffffff
}

// has reports whether key is remembered at now, in unix nanoseconds.
func (m *memory) has(key string, now int64) bool {
	set, tag := m.place(key)
	for i := range set {
		if v := set[i].Load(); v&^0xffffffff == tag && int64(uint32(v)) > now/1e9 {
			return true
		}
	}
	return false
}

// add remembers key from now on.
func (m *memory) add(key string, now int64) {
	set, tag := m.place(key)
	oldest, least := 0, uint32(1<<32-1)
	for i := range set {
		v := set[i].Load()
		if v&^0xffffffff == tag {
			oldest = i
			break
		}
		if until := uint32(v); until < least {
			oldest, least = i, until
		}
	}
	set[oldest].Store(tag | uint64(uint32(now/1e9+m.life)))
}

// forget ends what is remembered of key.
func (m *memory) forget(key string) {
	set, tag := m.place(key)
	for i := range set {
		if v := set[i].Load(); v&^0xffffffff == tag {
			set[i].CompareAndSwap(v, 0)
		}
	}
}
