package memcached

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/edgecache/edgecache/core"
)

// fault is a failure that the core has a name for: the error that callers branch on, and the cause.
type fault struct {
	is    error // core.ErrTimeout, core.ErrUnavailable or core.ErrTooLarge
	cause error
}

func (f *fault) Error() string { return "memcached: " + f.is.Error() + ": " + f.cause.Error() }

// Unwrap makes errors.Is find the kind, the cause and, for a timeout, context.DeadlineExceeded.
func (f *fault) Unwrap() []error {
	if errors.Is(f.is, core.ErrTimeout) {
		return []error{f.is, context.DeadlineExceeded, f.cause}
	}
	return []error{f.is, f.cause}
}

// serverError is what a server answered instead of doing what it was asked.
type serverError struct{ code, text string }

func (e *serverError) Error() string { return strings.TrimSpace("memcached: " + e.code + " " + e.text) }

// isTooLarge recognises memcached's refusal of an item beyond its limit.
func isTooLarge(text string) bool { return strings.Contains(text, "object too large for cache") }

// coreErrors are those that calls return on purpose.
var coreErrors = [...]error{
	core.ErrNotFound, core.ErrTooLarge, core.ErrUnsupported, core.ErrClosed,
}

// fail turns an error of a call into one of the core's. ctx is what the call ran under.
func (b *Backend) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	for _, known := range coreErrors {
		if errors.Is(err, known) {
			return err
		}
	}
	var refused *serverError
	var timeout net.Error
	switch {
	case b.isClosed():
		return core.ErrClosed
	case errors.Is(err, memcache.ErrCacheMiss):
		return core.ErrNotFound
	case errors.Is(err, memcache.ErrNotStored):
		return errNotStored
	case errors.As(err, &refused):
		return err
	case isTooLarge(err.Error()): // in the words of gomemcache
		return &fault{core.ErrTooLarge, err}
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout(), isDialTimeout(err):
		return &fault{core.ErrTimeout, err}
	default: // the network, or bytes that are no reply
		return &fault{core.ErrUnavailable, err}
	}
}

func isDialTimeout(err error) bool {
	var dial *memcache.ConnectTimeoutError
	return errors.As(err, &dial)
}

// errNotStored says that a condition did not hold. It does not leave the package.
var errNotStored = errors.New("memcached: condition does not hold")
