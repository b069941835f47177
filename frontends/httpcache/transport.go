package httpcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Transport returns a round tripper that answers what c can and lets next, nil for http.DefaultTransport, do the rest. Responses
// tell in Cache-Status where they are from. Errors are next's; where what is stored may be used instead, it is. Bodies must be
// closed, as those of other round trippers.
func (c *Cache) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return &transport{next: next, handler: &handler{c: c, origin: roundTripped{next}, client: true}}
}

// transport is a Cache before a client's round tripper.
type transport struct {
	next    http.RoundTripper
	handler *handler
}

// RoundTrip answers r.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodConnect || upgrades(r.Header) || r.URL == nil {
		return t.next.RoundTrip(r)
	}
	if r.Method == "" || r.Header == nil {
		r = r.WithContext(r.Context()) // the caller's stays as it is
		if r.Method == "" {
			r.Method = http.MethodGet
		}
		if r.Header == nil {
			r.Header = http.Header{}
		}
	}
	w := &trip{r: r, header: http.Header{}, headed: make(chan struct{})}
	go w.run(t.handler)
	select {
	case <-w.headed:
		return w.response, w.err
	case <-r.Context().Done():
		w.settle(nil, context.Cause(r.Context()))
		<-w.headed
		if w.err == nil {
			return w.response, nil
		}
		return nil, w.err
	}
}

// trip is the http.ResponseWriter behind a response that a client gets.
type trip struct {
	r        *http.Request
	header   http.Header
	once     sync.Once
	headed   chan struct{} // closed once one of the following is set
	err      error
	response *http.Response
	body     *io.PipeWriter // nil for none
}

// run answers the request and ends the body.
func (w *trip) run(h *handler) {
	defer func() {
		err := error(nil)
		if p := recover(); p != nil {
			if err = io.ErrUnexpectedEOF; !aborts(p) {
				err = fmt.Errorf("httpcache: round tripper panicked: %v", p)
			}
		}
		if ctx := w.r.Context(); ctx.Err() != nil {
			w.settle(nil, context.Cause(ctx))
		}
		w.WriteHeader(http.StatusOK) // a handler that writes nothing means this
		if w.response != nil && w.body != nil {
			w.trailers()
			_ = w.body.CloseWithError(err) // never fails
		}
	}()
	if w.r.Body != nil && (w.r.Method == http.MethodGet || w.r.Method == http.MethodHead) && w.r.ContentLength == 0 {
		defer func() { _ = w.r.Body.Close() }() // nothing is in it
	}
	h.ServeHTTP(w, w.r)
}

// settle ends the wait for the header.
func (w *trip) settle(response *http.Response, err error) {
	w.once.Do(func() {
		w.response, w.err = response, err
		close(w.headed)
	})
}

// fail has the client get err in place of a response.
func (w *trip) fail(err error) { w.settle(nil, err) }

// Header returns the response's header.
func (w *trip) Header() http.Header { return w.header }

// WriteHeader lets the client have the response.
func (w *trip) WriteHeader(status int) {
	if status < 200 {
		return
	}
	w.once.Do(func() {
		h := maps.Clone(w.header)
		response := &http.Response{
			Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: h, ContentLength: -1, Request: w.r, Body: http.NoBody,
		}
		if v := h["Content-Length"]; len(v) == 1 {
			if n, err := strconv.ParseInt(v[0], 10, 64); err == nil {
				response.ContentLength = n
			}
		}
		switch {
		case w.r.Method == http.MethodHead:
		case !bodied(status) || response.ContentLength == 0:
			response.ContentLength = 0
		default:
			var pr *io.PipeReader
			pr, w.body = io.Pipe()
			response.Body = pr
			w.announce(response)
		}
		w.response = response
		close(w.headed)
	})
}

// announce makes a place for trailers.
func (w *trip) announce(response *http.Response) {
	for _, line := range w.header["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			if response.Trailer == nil {
				response.Trailer = http.Header{}
			}
			response.Trailer[http.CanonicalHeaderKey(strings.Trim(name, " \t"))] = nil
		}
	}
	delete(response.Header, "Trailer")
}

// trailers gives the response its trailers: its reader has not seen the end yet.
func (w *trip) trailers() {
	for name := range w.response.Trailer {
		w.response.Trailer[name] = w.header[name]
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			if w.response.Trailer == nil {
				w.response.Trailer = http.Header{}
			}
			w.response.Trailer[name] = values
		}
	}
}

// Write gives the client p, when it reads.
func (w *trip) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body == nil {
		return len(p), nil
	}
	return w.body.Write(p)
}

// Flush has nothing to do: nothing is held back.
func (w *trip) Flush() { w.WriteHeader(http.StatusOK) }

// roundTripped is a Forwarder over a round tripper.
type roundTripped struct{ next http.RoundTripper }

// Forward answers r with what the round tripper brings.
func (t roundTripped) Forward(w http.ResponseWriter, r *http.Request) error {
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return &tripError{err}
	}
	defer func() { _ = res.Body.Close() }() // what failed was seen when it was read
	h := w.Header()
	maps.Copy(h, res.Header)
	if res.ContentLength >= 0 && len(h["Content-Length"]) == 0 && r.Method != http.MethodHead && bodied(res.StatusCode) {
		h["Content-Length"] = []string{strconv.FormatInt(res.ContentLength, 10)}
	}
	for name := range res.Trailer {
		h["Trailer"] = append(h["Trailer"], name)
	}
	w.WriteHeader(res.StatusCode)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(streamed{w}, res.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(h, res.Trailer)
	return nil
}

// streamed sends what it is given at once.
type streamed struct{ w http.ResponseWriter }

func (s streamed) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	flush(s.w)
	return n, err
}

// tripError is a round tripper's error as one of a Forwarder.
type tripError struct{ err error }

func (e *tripError) Error() string { return e.err.Error() }

func (e *tripError) Unwrap() []error {
	var timeout net.Error
	if errors.As(e.err, &timeout) && timeout.Timeout() {
		return []error{e.err, ErrTimeout}
	}
	return []error{e.err, ErrUnreachable}
}
