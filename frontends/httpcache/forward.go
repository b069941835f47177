package httpcache

import (
	"errors"
	"net/http"
)

// Forwarder sends a request to an origin. It knows nothing of caching and must be safe for concurrent use.
type Forwarder interface {
	// Forward answers r, which it does not change, through w, as an http.Handler does. It returns an error only if it wrote nothing, not even a header, so
	// that something else can be answered: one that is ErrUnreachable, ErrTimeout or ErrBadResponse. An answer that breaks off
	// later is told by a panic with http.ErrAbortHandler, as httputil.ReverseProxy does.
	Forward(w http.ResponseWriter, r *http.Request) error
}

// What a Forwarder fails with, to be asked for with errors.Is.
var (
	// ErrUnreachable says that no origin took the request: 502 to a client without a stale response.
	ErrUnreachable = errors.New("origin can't be reached")
	// ErrTimeout says that the origin did not answer in time: 504.
	ErrTimeout = errors.New("origin did not answer in time")
	// ErrBadResponse says that what the origin sent is not HTTP, or broke off before the end of the header: 502.
	ErrBadResponse = errors.New("origin sent no valid response")
)

// ForwarderFunc makes a Forwarder of a function.
type ForwarderFunc func(w http.ResponseWriter, r *http.Request) error

// Forward calls f.
func (f ForwarderFunc) Forward(w http.ResponseWriter, r *http.Request) error { return f(w, r) }
