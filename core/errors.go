package core

import (
	"errors"
	"fmt"
	"strings"

	"github.com/edgecache/edgecache/core/codec"
)

// What callers branch on, with errors.Is. On the hit path they are returned as they are.
var (
	// ErrNotFound is returned for a key that is absent or expired.
	ErrNotFound = errors.New("key not found")
	// ErrExists is returned by Add for a key that is there.
	ErrExists = errors.New("key exists")
	// ErrConflict is returned by CompareAndSwap for an entry that has changed, or was changed too often meanwhile.
	ErrConflict = errors.New("entry has changed")
	// ErrLocked is returned for a lock that somebody else holds.
	ErrLocked = errors.New("lock is held by another")
	// ErrLockLost is returned for a lease that is over: it ran out, or its lock was cleared or evicted. Somebody else may
	// hold the lock by now, or have held it.
	ErrLockLost = errors.New("lease is over")
	// ErrNotInteger is returned by Increment and Decrement for a value that is not a decimal int64.
	ErrNotInteger = errors.New("value is not an integer or out of range")
	// ErrOverflow is returned by Increment and Decrement for a sum outside int64.
	ErrOverflow = errors.New("increment or decrement would overflow")
	// ErrBadKey is returned for a key that a tier can't hold.
	ErrBadKey = errors.New("invalid key")
	// ErrBadTTL is returned for a negative time to live that is no constant of this package.
	ErrBadTTL = errors.New("invalid time to live")
	// ErrBadMatcher is returned for a Matcher that has no rule, or rules that do not go together.
	ErrBadMatcher = errors.New("invalid matcher")
	// ErrTooLarge is returned for an entry that a tier can't hold.
	ErrTooLarge = errors.New("entry too large")
	// ErrUnsupported is returned for what a tier's store can't do.
	ErrUnsupported = errors.New("not supported by this backend")
	// ErrDecode marks a stored value that is damaged or of another form. Tiers count it and read it as a miss, and so
	// does Typed, whose error is both this one and ErrNotFound.
	ErrDecode = codec.ErrDecode
	// ErrEncode is returned for a value that a codec has no bytes for.
	ErrEncode = codec.ErrEncode
	// ErrLoad is returned where a loader panicked or ended its goroutine.
	ErrLoad = errors.New("load failed")
	// ErrRejected is returned for a command that a hook refused.
	ErrRejected = errors.New("rejected")
	// ErrPlugin is returned for a command that failed because a plugin failed whose failure policy is closed.
	ErrPlugin = errors.New("plugin failed")
	// ErrUnavailable is returned where a tier can't be reached, is overloaded or has its breaker open.
	ErrUnavailable = errors.New("tier unavailable")
	// ErrTimeout is returned where a tier did not answer in its time; errors.Is(err, context.DeadlineExceeded) too.
	ErrTimeout = errors.New("tier timed out")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("cache is closed")
)

// OpError says which command failed where. Errors of commands are of this type or one of the sentinels.
type OpError struct {
	Op        Op
	Namespace string // path, "" is the root
	Tier      string // "" where no tier was involved
	Key       string // the first key, "" for commands without one
	Err       error
}

func (e *OpError) Error() string {
	var b strings.Builder
	b.WriteString(e.Op.String())
	if e.Key != "" {
		fmt.Fprintf(&b, " %.128q", e.Key)
	}
	if e.Namespace != "" {
		fmt.Fprintf(&b, " in %s", e.Namespace)
	}
	if e.Tier != "" {
		fmt.Fprintf(&b, ": tier %s", e.Tier)
	}
	return b.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// BatchError says which keys of a command on many failed; the others succeeded. It unwraps to all of the causes.
type BatchError struct {
	Op     Op
	Keys   []string // the keys that failed
	Errs   []error  // parallel to Keys
	Wanted int      // how many keys the command had
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("%s: %d of %d keys failed, first %.128q: %v", e.Op, len(e.Keys), e.Wanted, e.Keys[0], e.Errs[0])
}

// Unwrap returns the causes.
func (e *BatchError) Unwrap() []error { return e.Errs }
