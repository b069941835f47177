package core

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

// lockSpace is the namespace below the cache's own that holds its locks, so that no lock meets a key.
const lockSpace = "locks"

// Those who wait for a lock that another process holds ask for it again after firstPoll, then less and less often, up to
// every lastPoll.
const (
	firstPoll = 5 * time.Millisecond
	lastPoll  = 50 * time.Millisecond
)

// Lease is a lock that this process holds for a time. It is safe for concurrent use.
//
// A lease lasts from before the lock was asked for, by this process's clock, so it is over here before it is over in the
// store, unless the two clocks run at different speeds. What must not happen twice needs more than a lock: a process that
// stood still learns too late that its lease is over. Give Fence to whatever the lock guards, and let that refuse a number
// smaller than the greatest it has seen.
type Lease struct {
	cache *Cache // the namespace of the locks
	key   string
	token string
	value []byte // token as the store has it: hooks may have changed it
	turn  *turn
	done  chan struct{}

	mu    sync.Mutex
	timer *time.Timer // guarded by mu
	until time.Time   // guarded by mu
	over  bool        // guarded by mu
}

// Lock waits until nobody else holds the lock of key, and holds it for lease, a positive duration, unless Extend makes
// that longer or Release shorter. It ends with an error that is ErrLocked and ctx's when ctx ends. Goroutines of one
// process have the lock in the order in which they came; those of others ask for it every 5 to 50 ms.
//
// A lock is an entry of the authority in the namespace "locks" below this one, added by an OpAdd whose value is the
// lease's token. It is as lasting as the store: Clear takes it away, and a store that evicts may, too. It has nothing to
// do with the entry of key, which anybody may read and write meanwhile.
func (c *Cache) Lock(ctx context.Context, key string, lease time.Duration) (*Lease, error) {
	locks := c.Namespace(lockSpace)
	turn, err := c.engine.locks.take(ctx, locks.ns.prefix+key)
	if err != nil {
		return nil, locks.notLocked(key, err)
	}
	for wait := (backoff{firstPoll, lastPoll}); ; {
		l, err := locks.claim(ctx, key, lease, turn)
		if err == nil {
			return l, nil
		}
		if errors.Is(err, ErrLocked) && wait.pause(ctx) == nil {
			continue
		}
		c.engine.locks.give(turn)
		if ctx.Err() != nil {
			err = locks.notLocked(key, ctx.Err())
		}
		return nil, err
	}
}

// TryLock is Lock without waiting: it returns ErrLocked if somebody holds the lock or waits for it in this process.
func (c *Cache) TryLock(ctx context.Context, key string, lease time.Duration) (*Lease, error) {
	locks := c.Namespace(lockSpace)
	turn := c.engine.locks.try(locks.ns.prefix + key)
	if turn == nil {
		return nil, ErrLocked
	}
	l, err := locks.claim(ctx, key, lease, turn)
	if err != nil {
		c.engine.locks.give(turn)
	}
	return l, err
}

// LockOrWait is for work that need only be done once. Who finds the lock free has it, as by Lock. Who does not waits until
// it is free, but for no longer than lease, and gets ErrLocked itself: the work is done, or has to be done all the same.
func (c *Cache) LockOrWait(ctx context.Context, key string, lease time.Duration) (*Lease, error) {
	l, err := c.TryLock(ctx, key, lease)
	if !errors.Is(err, ErrLocked) {
		return l, err
	}
	locks := c.Namespace(lockSpace)
	end := time.Now().Add(lease)
	within, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	err = locks.awaitFree(within, key)
	switch {
	case ctx.Err() != nil:
		return nil, locks.notLocked(key, ctx.Err())
	case err != nil && time.Now().Before(end): // a store's client can notice the end before the context does
		return nil, err
	default:
		return nil, ErrLocked
	}
}

// awaitFree waits until nobody holds the lock. One goroutine of the process asks the store.
func (c *Cache) awaitFree(ctx context.Context, key string) error {
	turn, err := c.engine.locks.take(ctx, c.ns.prefix+key)
	if err != nil {
		return err
	}
	defer c.engine.locks.give(turn)
	for wait := (backoff{firstPoll, lastPoll}); ; {
		_, err := c.TTL(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err != nil:
			return err
		}
		if err := wait.pause(ctx); err != nil {
			return err
		}
	}
}

// notLocked is the error of who waited in vain.
func (c *Cache) notLocked(key string, cause error) error {
	return &OpError{Op: OpAdd, Namespace: c.ns.path, Key: key, Err: fmt.Errorf("%w: %w", ErrLocked, cause)}
}

// claim asks the store for the lock of key in the namespace of locks. The turn is the lease's if there is no error.
func (c *Cache) claim(ctx context.Context, key string, lease time.Duration, turn *turn) (*Lease, error) {
	if lease <= 0 {
		return nil, &OpError{Op: OpAdd, Namespace: c.ns.path, Key: key, Err: fmt.Errorf("%w: lease of %v", ErrBadTTL, lease)}
	}
	l := &Lease{cache: c, key: key, token: rand.Text(), turn: turn, done: make(chan struct{})}
	begin := time.Now()
	lease, err := l.add(ctx, lease)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = begin.Add(lease)
	l.timer = time.AfterFunc(time.Until(l.until), l.runOut)
	return l, nil
}

// add puts the lock into the store and returns how long it stays, which hooks may have changed.
func (l *Lease) add(ctx context.Context, lease time.Duration) (time.Duration, error) {
	c := l.cache
	k := c.call(OpAdd, l.key).options(EntryOptions{TTL: lease, Jitter: -1})
	defer c.free(k)
	k.cmd.Value = []byte(l.token)
	err := c.Do(ctx, &k.cmd, &k.res)
	l.value = bytes.Clone(k.cmd.Value)
	switch {
	case err != nil:
		if ctx.Err() != nil || errors.Is(err, ErrTimeout) || errors.Is(err, ErrUnavailable) {
			l.abandon() // the lock may be there
		}
		return 0, err
	case k.res.Outcome == OutcomeNotStored:
		return 0, ErrLocked
	case k.res.Outcome != OutcomeStored:
		return 0, c.opError(&k.cmd, fmt.Errorf("%w: a hook kept the lock from the store", ErrRejected))
	}
	if k.cmd.TTL > 0 {
		lease = k.cmd.TTL
	}
	return lease, nil
}

// Token returns what the store has as the lock's value: random text that no other lease has.
func (l *Lease) Token() string { return l.token }

// Done returns a channel that is closed when the lease is over: released, run out by this process's clock, or found to be
// lost by Extend or Fence.
func (l *Lease) Done() <-chan struct{} { return l.done }

// Release gives the lock back, if it is still this lease's: one atomic update. It goes on when ctx is cancelled, within the
// tier's limits, so it may be deferred. It returns ErrLockLost if the lease was over. After another error the lock stays
// until it runs out.
func (l *Lease) Release(ctx context.Context) error {
	err := l.change(context.WithoutCancel(ctx), OpDelete, DefaultTTL)
	l.end()
	return err
}

// Extend makes the lease last for a duration from now on, longer or shorter than it was, if the lock is still this
// lease's. It returns ErrLockLost if not. After another error it is not known which of both the store has; Done goes by
// the old.
func (l *Lease) Extend(ctx context.Context, lease time.Duration) error {
	if lease <= 0 {
		return &OpError{Op: OpExpire, Namespace: l.cache.ns.path, Key: l.key, Err: fmt.Errorf("%w: lease of %v", ErrBadTTL, lease)}
	}
	if l.isOver() {
		return ErrLockLost
	}
	until := time.Now().Add(lease)
	switch err := l.change(ctx, OpExpire, lease); {
	case errors.Is(err, ErrLockLost):
		l.end()
		return err
	case err != nil:
		return err
	}
	if !l.last(until) {
		l.abandon() // it ran out meanwhile, and somebody of this process may wait for it
		return ErrLockLost
	}
	return nil
}

// Fence returns a number that is greater than all that earlier leases of the lock were given, and less than those of later
// ones. It returns ErrLockLost if the lock is not this lease's any more. The numbers are kept for a day in the
// namespace "fences" below the locks, and begin at the time in microseconds.
func (l *Lease) Fence(ctx context.Context) (uint64, error) {
	n, err := l.cache.nextFence(ctx, l.key)
	if err != nil {
		return 0, err
	}
	// Only what was counted while the lease lasted comes before what the next lease will count.
	if err := l.change(ctx, OpExpire, KeepTTL); err != nil {
		if errors.Is(err, ErrLockLost) {
			l.end()
		}
		return 0, err
	}
	return n, nil
}

// change deletes the lock or gives it another time to live, if it is this lease's.
func (l *Lease) change(ctx context.Context, op Op, ttl time.Duration) error {
	c := l.cache
	k := c.call(op, l.key).options(EntryOptions{TTL: ttl, Jitter: -1})
	defer c.free(k)
	k.cmd.Flags, k.cmd.Value = FlagIfValue, l.value
	err := c.Do(ctx, &k.cmd, &k.res)
	switch {
	case err != nil:
		return err
	case k.res.Outcome == OutcomeNotStored, k.res.Outcome == OutcomeMiss:
		return ErrLockLost
	case k.res.Outcome != OutcomeHit:
		return c.opError(&k.cmd, fmt.Errorf("%w: a hook kept the lock from the store", ErrRejected))
	}
	return nil
}

// abandon removes the lock from the store, if it is there, in the background.
func (l *Lease) abandon() {
	l.cache.engine.loads.Go(func() {
		_ = l.change(context.Background(), OpDelete, DefaultTTL) // where that fails, the lock runs out
	})
}

// last makes the lease last until the given time, unless it is over.
func (l *Lease) last(until time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.until = until
	l.timer.Reset(time.Until(until))
	return true
}

// runOut ends the lease, if its time has come: Extend may have been faster than the timer.
func (l *Lease) runOut() {
	l.mu.Lock()
	left := time.Until(l.until)
	if left > 0 {
		l.timer.Reset(left)
	}
	l.mu.Unlock()
	if left <= 0 {
		l.end()
	}
}

// end lets the next goroutine of this process try, once.
func (l *Lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	l.timer.Stop()
	close(l.done)
	l.cache.engine.locks.give(l.turn)
}

func (l *Lease) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}
