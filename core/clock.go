package core

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// epoch is where Clock begins, epochUnix the same in unix nanoseconds. They are never changed.
var (
	epoch     = time.Now()
	epochUnix = epoch.UnixNano()
)

// Clock returns the nanoseconds since the process began, by the monotonic clock. It is at least 1, and about half as
// dear as time.Now.
func Clock() int64 { return int64(time.Since(epoch)) + 1 }

// unixAt turns a reading of Clock into unix nanoseconds.
func unixAt(clock int64) uint64 { return uint64(epochUnix + clock) }

// versionClock makes Entry.Version: a hybrid logical clock, 48 bits of unix milliseconds and 16 of count. The count of a
// millisecond begins anywhere: two nodes that write a key within one must not give it the same version.
type versionClock struct{ last atomic.Uint64 }

// at returns a version greater than all before it, and not less than now.
func (v *versionClock) at(now time.Time) uint64 {
	wall := uint64(now.UnixMilli()) << 16
	for {
		last := v.last.Load()
		next := last + 1
		if next < wall {
			next = wall | uint64(rand.Uint32()>>16)
		}
		if v.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// next returns a version greater than all before it without reading the time. It is for entries that stay in this
// process.
func (v *versionClock) next() uint64 { return v.last.Add(1) }
