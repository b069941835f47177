package httpcache

import (
	"hash/maphash"
	"sync"
)

// maxVoids is how many keys are remembered one by one. Of those forgotten it is assumed that they have all been made void.
const maxVoids = 8192

// voids know which keys were made void lately, so that an answer that the origin was asked for before is not stored afterwards,
// however late it comes. They are safe for concurrent use.
type voids struct {
	seed  maphash.Seed
	mu    sync.Mutex
	now   uint64            // counts what was made void
	floor uint64            // all keys were, up to this
	at    map[uint64]uint64 // when, by hash of the key
}

func newVoids() *voids { return &voids{seed: maphash.MakeSeed(), at: map[uint64]uint64{}} }

// moment returns the time, as these count it: that of a request to the origin, taken ahead of it.
func (v *voids) moment() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// add notes that key is made void now.
func (v *voids) add(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.at) >= maxVoids {
		clear(v.at)
		v.floor = v.now
	}
	v.now++
	v.at[maphash.String(v.seed, key)] = v.now
}

// since reports whether key may have been made void after a moment.
func (v *voids) since(key string, moment uint64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.floor > moment || v.at[maphash.String(v.seed, key)] > moment
}
