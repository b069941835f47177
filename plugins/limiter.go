package plugins

import (
	"sync"
	"time"
)

const (
	logBurst = 20                            // lines that a plugin may log at once, unless the host says otherwise
	logEvery = int64(200 * time.Millisecond) // and then one in this time
)

// limiter bounds how many lines a plugin brings into the log. Safe for concurrent use.
type limiter struct {
	burst   int64 // lines at once
	mu      sync.Mutex
	full    int64 // guarded by mu: when all of the burst is there again
	dropped int   // guarded by mu: lines dropped since the last that was allowed
}

// allow reports whether a line may be logged at now, a reading of the clock, and how many were dropped before it.
func (l *limiter) allow(now int64) (ok bool, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := max(l.full, now) + logEvery
	if full-now > l.burst*logEvery {
		l.dropped++
		return false, 0
	}
	dropped, l.full, l.dropped = l.dropped, full, 0
	return true, dropped
}
