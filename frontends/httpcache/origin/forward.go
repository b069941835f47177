package origin

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

// Forward passes r on to an origin and w the answer: informational answers, header, body and trailers as they come, and the
// bytes of an upgraded connection in both directions. It returns when all is through. What can't be passed on it answers
// itself: what fits no route (421), has been here before (508), is a CONNECT (405), has a body that can't be read (400).
//
// An error, which is an *Error, says that nothing but informational answers was written. An answer that breaks off later
// panics with http.ErrAbortHandler, as httputil.ReverseProxy's do, since its client must not take it for whole.
//
// The target goes on byte by byte: the raw path and the raw query of r.URL. r is not changed, its body is read. r.Context's
// end ends the request.
func (f *Forwarder) Forward(w http.ResponseWriter, r *http.Request) error {
	x := &exchange{ResponseWriter: w, f: f, host: r.Host, route: f.find(r.Host, r.URL.Path)}
	if x.answersItself(r) {
		return nil
	}
	defer x.leave()
	if simple(r) {
		x.goStraight(r)
	} else {
		x.goRound(r)
	}
	switch {
	case x.err != nil && !x.hijacked:
		return x.failure(r.Context())
	case x.brokeOff:
		panic(http.ErrAbortHandler)
	}
	return nil
}

// goRound passes on whatever there is, by a httputil.ReverseProxy.
func (x *exchange) goRound(r *http.Request) {
	proxy := x.f.proxy
	proxy.Transport = x
	out := r
	if r.ContentLength != 0 { // an origin that does not take the body is left by ending the request
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		x.cancel, out = cancel, r.WithContext(ctx)
	}
	proxy.ServeHTTP(x, out)
}

// exchange is one request under way. It is the ResponseWriter and the RoundTripper of its own proxy, which thereby needs no
// context values to find it.
type exchange struct {
	http.ResponseWriter
	f        *Forwarder
	cancel   context.CancelCauseFunc // nil for a request without a body
	straight straight

	route    *route
	server   *server // asked last
	tried    uint64  // a bit for each server of the route
	host     string  // that the client asked for
	asked    bool    // some server was
	unread   atomic.Pointer[requestError]
	plain    bool // it goes straight
	informed bool // an informational answer was passed on
	hijacked bool
	brokeOff bool
	err      error
}

// answersItself answers what must not be passed on, or not further: RFC 9110, 7.6.2.
func (x *exchange) answersItself(r *http.Request) bool {
	switch {
	case r.Method == http.MethodConnect:
		refuse(x, http.StatusMethodNotAllowed, "CONNECT is not passed on")
	case x.f.passed(r.Header):
		refuse(x, http.StatusLoopDetected, "the request has passed this proxy before")
	case x.route == nil:
		refuse(x, http.StatusMisdirectedRequest, "there is no origin for this host and path")
	case r.Header.Get(maxForwards) != "0":
		return false
	case r.Method == http.MethodTrace:
		refuse(x, http.StatusMethodNotAllowed, "TRACE is not answered here")
	case r.Method == http.MethodOptions:
		x.Header().Set("Content-Length", "0")
		x.WriteHeader(http.StatusOK)
	default:
		return false
	}
	return true
}

const maxForwards = "Max-Forwards"

// WriteHeader passes an answer's header on.
func (x *exchange) WriteHeader(status int) {
	x.informed = true
	x.ResponseWriter.WriteHeader(status)
}

// Hijack takes the client's connection over for an upgrade.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	x.hijacked = err == nil
	return c, rw, err
}

// Unwrap lets http.ResponseController find the rest.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// keepError is where the proxy brings an error before anything was written, and after a failed upgrade.
func keepError(w http.ResponseWriter, _ *http.Request, err error) {
	if x, ok := w.(*exchange); ok {
		x.err = err
	}
}

// failure returns what happened, or answers where the request is at fault.
func (x *exchange) failure(ctx context.Context) error {
	if read := x.unread.Load(); read != nil { // that net/http also takes for the end of the client
		x.Header().Set("Connection", "close")
		refuse(x, read.status(), "the request's body can't be read")
		return nil
	}
	e := &Error{Kind: classify(x.err), Err: x.err}
	if e.Kind == context.Canceled && ctx.Err() == nil { //nolint:errorlint // classify returns it as it is
		e.Kind = httpcache.ErrBadResponse
	}
	if x.server != nil {
		e.Origin = x.server.name
	}
	return e
}

// RoundTrip asks the origins of the route, one after the other while that is allowed.
func (x *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	for again := x.f.o.Retries; ; again-- {
		s := x.route.pick(&x.tried, time.Now())
		if s == nil {
			return nil, errNone
		}
		x.enter(s)
		res, err := s.transport.RoundTrip(x.address(out, s))
		if err == nil {
			return x.received(out.Context(), res), nil
		}
		if x.note(out.Context(), &err); again <= 0 || out.Context().Err() != nil || x.informed || !repeatable(out) || !x.route.more(x.tried) {
			return nil, err
		}
	}
}

// note counts an error against the server, unless the client is the cause of it.
func (x *exchange) note(ctx context.Context, err *error) {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errStalled):
		*err = cause
	case cause != nil, x.unread.Load() != nil:
		return
	}
	x.failed(*err)
}

// repeatable reports whether a request may be sent a second time: RFC 9110, 9.2.2, and no body that is read already. PUT and
// DELETE could be, but what they change is not worth a surprise.
func repeatable(out *http.Request) bool {
	switch out.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return out.Body == nil || out.Body == http.NoBody
	default:
		return false
	}
}

// more reports whether there are servers beside those that were tried and those that are down.
func (r *route) more(tried uint64) bool {
	for i, s := range r.servers {
		if tried&(1<<i) == 0 && !s.down.Load() {
			return true
		}
	}
	return false
}

func (x *exchange) enter(s *server) {
	x.leave()
	x.server = s
	s.requests.Add(1)
	s.inFlight.Add(1)
}

func (x *exchange) leave() {
	if x.server != nil {
		x.server.inFlight.Add(-1)
	}
}

// address makes the request one for a server. A second one has a copy, since a transport may still hold one that failed.
func (x *exchange) address(out *http.Request, s *server) *http.Request {
	if x.asked {
		u := *out.URL
		out = out.WithContext(out.Context())
		out.URL = &u
	}
	x.asked = true
	u := out.URL
	u.Scheme, u.Host = s.scheme, s.address
	u.Opaque = opaque(u)
	out.Host = x.host
	if s.host != "" {
		out.Host = s.host
	}
	if out.Body != nil {
		out.Body = x.upload(out.Body)
	}
	return out
}

// opaque returns what makes URL.RequestURI return the raw path as it came, where it would encode it anew: one with quotes or
// brackets in it. A path of two slashes would be taken for a host, so then the target has the absolute form, which origins
// must take.
func opaque(u *url.URL) string {
	switch {
	case u.RawPath == "" || u.RawPath == u.EscapedPath():
		return ""
	case len(u.RawPath) > 1 && u.RawPath[1] == '/':
		return "//" + u.Host + u.RawPath
	default:
		return u.RawPath
	}
}

// received notes that a server answered.
func (x *exchange) received(ctx context.Context, res *http.Response) *http.Response {
	if x.server.answered() {
		x.f.o.Logger.LogAttrs(ctx, slog.LevelInfo, "origin is back", x.server.attr())
	}
	clean(res)
	if res.StatusCode != http.StatusSwitchingProtocols && res.Body != http.NoBody && !x.plain {
		res.Body = x.download(res.Body)
	}
	return res
}

// failed notes that a server did not answer, or not to the end.
func (x *exchange) failed(err error) {
	if out := x.server.fail(time.Now()); out > 0 && len(x.route.servers) > 1 {
		x.f.o.Logger.LogAttrs(context.Background(), slog.LevelWarn, "origin fails: it is left alone for a while", x.server.attr(),
			slog.Duration("for", out), slog.Any("error", err))
	}
}

// less returns a Max-Forwards that is one less.
func less(value string) string {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || n == 0 {
		return value
	}
	return strconv.FormatUint(n-1, 10)
}
