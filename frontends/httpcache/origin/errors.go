package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

// Error says that no answer of an origin was passed on. errors.Is tells httpcache.ErrUnreachable, ErrTimeout and
// ErrBadResponse, or context.Canceled where the request's own context ended.
type Error struct {
	// Kind is one of those four.
	Kind error
	// Origin is the URL of the one that was asked last, "" if none was.
	Origin string
	// Err is what happened.
	Err error
}

// Error returns what happened, for logs. Clients should not see it.
func (e *Error) Error() string {
	if e.Origin == "" {
		return fmt.Sprintf("%v: %v", e.Kind, e.Err)
	}
	return fmt.Sprintf("%v: %s: %v", e.Kind, e.Origin, e.Err)
}

// Unwrap returns the kind and what happened.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

var (
	errNone    = errors.New("no origin is well")
	errStalled = errors.New("it stalled")
)

// classify says of which kind the error of a round trip is.
func classify(err error) error {
	var timed net.Error
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, errStalled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timed) && timed.Timeout():
		return httpcache.ErrTimeout
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, errNone), errors.As(err, &op), errors.As(err, &dns), errors.Is(err, io.EOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return httpcache.ErrUnreachable
	default:
		return httpcache.ErrBadResponse
	}
}

// refuse answers what can't be passed on. It is nothing to be kept.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, why, status)
}
