package core

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// guard stands before a remote tier: every call to it has a deadline, a bounded number of companions, a breaker, and no
// panic that leaves it.
type guard struct {
	limits   Limits
	slots    chan struct{}
	breaker  breaker
	failures atomic.Uint64
}

func newGuard(l Limits) *guard {
	l = l.withDefaults()
	return &guard{limits: l, slots: make(chan struct{}, l.MaxConcurrent), breaker: breaker{limits: l}}
}

// do runs fn under the guard, for timeout at most. fn must honour its context.
func (g *guard) do(ctx context.Context, timeout time.Duration, fn func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !g.breaker.allow(Clock()) {
		g.failures.Add(1)
		return fmt.Errorf("%w: breaker is open", ErrUnavailable)
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := g.run(limited, fn)
	switch {
	case !tierFailed(err):
		g.breaker.succeeded()
	case ctx.Err() != nil: // the caller went away or had less time than the tier is given: not the tier's fault
		g.breaker.abandoned()
	default:
		g.failures.Add(1)
		g.breaker.failed(Clock())
	}
	return err
}

func (g *guard) run(ctx context.Context, fn func(context.Context) error) (err error) {
	select {
	case g.slots <- struct{}{}:
	default:
		select {
		case g.slots <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("%w: %d calls under way: %w", ErrUnavailable, g.limits.MaxConcurrent, ctx.Err())
		}
	}
	defer func() {
		<-g.slots
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: client panicked: %v\n%s", ErrUnavailable, p, debug.Stack())
		}
	}()
	err = fn(ctx)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrTimeout) {
		err = fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

// tierFailed reports whether err says that the store did not answer, in contrast to an answer that is an error.
func tierFailed(err error) bool {
	return err != nil && (errors.Is(err, ErrUnavailable) || errors.Is(err, ErrTimeout) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
}

// breaker keeps calls from a store that has stopped answering. Closed, it counts failures in a row; open, it refuses all
// until a pause is over; half-open, it lets one call probe.
type breaker struct {
	limits  Limits
	tripped atomic.Bool // not closed: what allow looks at first

	mu      sync.Mutex
	row     int           // failures in a row
	last    int64         // Clock of the last one
	until   int64         // while open: Clock at which a probe may go
	pause   time.Duration // how long the breaker was opened last
	probing bool
}

// allow reports whether a call may go at now, a reading of Clock. If so, one of the other methods must follow.
func (b *breaker) allow(now int64) bool {
	if !b.tripped.Load() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.tripped.Load() {
		return true
	}
	if now < b.until || b.probing {
		return false
	}
	b.probing = true
	return true
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	b.row, b.pause, b.probing = 0, 0, false
	b.tripped.Store(false)
	b.mu.Unlock()
}

// abandoned says that the call told nothing about the store.
func (b *breaker) abandoned() {
	b.mu.Lock()
	b.probing = false
	b.mu.Unlock()
}

func (b *breaker) failed(now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now-b.last > int64(b.limits.BreakerWindow) {
		b.row = 0
	}
	b.row, b.last = b.row+1, now
	if !b.probing && (b.tripped.Load() || b.row < b.limits.BreakerFailures) {
		return
	}
	b.pause = min(max(b.pause*2, b.limits.BreakerPause), 16*b.limits.BreakerPause)
	b.until, b.probing = now+int64(b.pause), false
	b.tripped.Store(true)
}

// state names what the breaker does at now.
func (b *breaker) state(now int64) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.tripped.Load():
		return "closed"
	case b.probing || now >= b.until:
		return "half-open"
	default:
		return "open"
	}
}
