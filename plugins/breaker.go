package plugins

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	breakerFailures = 5                       // so many failures
	breakerWindow   = int64(10 * time.Second) // within this time open the breaker
	breakerPause    = int64(time.Second)      // for this long at first
	breakerMaxPause = int64(60 * time.Second) // and this long at most
)

// breaker keeps calls from a guest that fails again and again. Times are readings of one clock, at least 1.
type breaker struct {
	until atomic.Int64 // 0: closed. Else calls are skipped until then; after it one may probe, which moves it on

	mu       sync.Mutex
	failures [breakerFailures]int64 // guarded by mu: when the last ones were
	next     int                    // guarded by mu: which of them is the oldest
	pause    int64                  // guarded by mu: how long it is open, 0 while closed
}

// closed reports whether calls go through as usual.
func (b *breaker) closed() bool { return b.until.Load() == 0 }

// probe reports whether a call may go ahead at now although the breaker is not closed. Its end must be told to succeeded
// or failed; if it never is, another may probe after the pause.
func (b *breaker) probe(now int64) bool {
	until := b.until.Load()
	if until == 0 || now < until {
		return until == 0
	}
	b.mu.Lock()
	pause := b.pause
	b.mu.Unlock()
	return b.until.CompareAndSwap(until, now+max(pause, breakerPause))
}

// succeeded closes the breaker after a probe.
func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.pause = [breakerFailures]int64{}, 0
	b.until.Store(0)
}

// failed counts a failure at now, that of a probe or of a usual call, and reports whether it opened the breaker.
func (b *breaker) failed(now int64, probe bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.pause = min(2*b.pause, breakerMaxPause)
		b.until.Store(now + b.pause)
		return false
	}
	b.failures[b.next] = now
	b.next = (b.next + 1) % breakerFailures
	if b.pause != 0 || b.failures[b.next] == 0 || now-b.failures[b.next] > breakerWindow {
		return false
	}
	b.pause = breakerPause
	b.until.Store(now + b.pause)
	return true
}

// state returns "closed", "open" or "half-open".
func (b *breaker) state(now int64) string {
	switch until := b.until.Load(); {
	case until == 0:
		return "closed"
	case now < until:
		return "open"
	default:
		return "half-open"
	}
}
