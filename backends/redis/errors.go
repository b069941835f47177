package redis

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/core"
)

// fault is a failure of the server or the way to it: the core's error that callers branch on, and the cause.
type fault struct {
	is    error // core.ErrTimeout or core.ErrUnavailable
	cause error
}

func (f *fault) Error() string { return "redis: " + f.is.Error() + ": " + f.cause.Error() }

// Unwrap makes errors.Is find the kind, the cause and, for a timeout, context.DeadlineExceeded.
func (f *fault) Unwrap() []error {
	if errors.Is(f.is, core.ErrTimeout) {
		return []error{f.is, context.DeadlineExceeded, f.cause}
	}
	return []error{f.is, f.cause}
}

// fail turns an error of the client into one of the core's. ctx is what the call ran under.
func (b *Backend) fail(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, redis.Nil):
		return core.ErrNotFound
	case b.closed.Load() || errors.Is(err, redis.ErrClosed):
		return core.ErrClosed
	case errors.Is(ctx.Err(), context.Canceled):
		return &canceled{err}
	case isReply(err):
		return b.refused(ctx, err)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err):
		b.suspect(ctx)
		return &fault{core.ErrTimeout, err}
	default: // the network, the pool, or bytes that are no reply
		b.suspect(ctx)
		return &fault{core.ErrUnavailable, err}
	}
}

// canceled is the end of a call whose context the caller canceled.
type canceled struct{ cause error }

func (c *canceled) Error() string {
	return "redis: " + context.Canceled.Error() + ": " + c.cause.Error()
}

func (c *canceled) Unwrap() []error { return []error{context.Canceled, c.cause} }

// isReply reports whether the server itself answered with an error.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// isTimeout reports whether the network or the pool took too long. A pool that is empty all the time means overload.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() && !errors.Is(err, redis.ErrPoolTimeout)
}

// refused sorts the server's own errors: some say that it can't serve anybody now. The others keep Redis's text.
func (b *Backend) refused(ctx context.Context, err error) error {
	word, _, _ := strings.Cut(err.Error(), " ")
	switch word {
	case "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "NOREPLICAS", "MOVED", "ASK":
		b.suspect(ctx)
		return &fault{core.ErrUnavailable, err}
	}
	return err
}

// suspect asks a cluster client to look again who serves what; it does so in the background, once at a time.
func (b *Backend) suspect(ctx context.Context) {
	if b.cluster != nil && !b.closed.Load() {
		b.cluster.ReloadState(ctx)
	}
}

// hasText reports whether the server answered with an error that contains text.
func hasText(err error, text string) bool {
	return err != nil && isReply(err) && strings.Contains(err.Error(), text)
}
