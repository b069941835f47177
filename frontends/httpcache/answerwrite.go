package httpcache

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/rfc9110"
	"github.com/edgecache/edgecache/rfc9111"
)

// Write writes p to where it belongs.
func (a *answer) Write(p []byte) (int, error) {
	if mode(a.mode.Load()) == undecided {
		a.WriteHeader(http.StatusOK)
	}
	switch mode(a.mode.Load()) {
	case passing:
		if a.x.w == nil {
			return 0, context.Canceled
		}
		if a.cut != nil {
			return a.cut.write(a.x.w, p)
		}
		n, err := a.x.w.Write(p)
		a.x.sent += int64(n)
		return n, err
	case filling:
		n, err := a.fill.Write(p)
		if a.written += int64(n); a.written > store.MaxInline || a.content.end < 0 && a.written > 4<<10 {
			a.start()
		}
		return n, err
	case hijacked:
		return 0, http.ErrHijacked
	case undecided, discarding:
	}
	return len(p), nil
}

// Flush sends what there is.
func (a *answer) Flush() {
	if mode(a.mode.Load()) == undecided {
		a.WriteHeader(http.StatusOK)
	}
	switch mode(a.mode.Load()) {
	case passing:
		if a.x.w != nil {
			flush(a.x.w)
		}
	case filling:
		a.start()
	case undecided, discarding, hijacked:
	}
}

// ReadFrom hands r to the client's writer if the response passes, so that it can copy without this process seeing the bytes.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	if mode(a.mode.Load()) == undecided {
		a.WriteHeader(http.StatusOK)
	}
	if mode(a.mode.Load()) == passing && a.x.w != nil && a.cut == nil {
		return io.Copy(a.x.w, r)
	}
	return io.Copy(struct{ io.Writer }{a}, r)
}

// Hijack hands the client's connection over. The cache has nothing to do with it any more.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if a.x.w == nil || !a.mode.CompareAndSwap(uint32(undecided), uint32(hijacked)) {
		return nil, nil, http.ErrNotSupported
	}
	a.settle(alone)
	return http.NewResponseController(a.x.w).Hijack()
}

// Unwrap lets http.ResponseController set deadlines.
func (a *answer) Unwrap() http.ResponseWriter { return a.x.w }

// start begins to deliver to the client that the fill began for, beside the fill: neither waits for the other.
func (a *answer) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed || a.delivered != nil || a.x.w == nil {
		return
	}
	a.delivered = make(chan struct{})
	go func() {
		defer close(a.delivered)
		a.failure = a.x.deliver(a.content)
		select { // the writer may sit in the origin's silence
		case <-a.fill.Abandoned():
			a.cancel()
		default:
		}
	}()
}

// seal ends the time in which start delivers, and reports whether it has.
func (a *answer) seal() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sealed = true
	return a.delivered != nil
}

// cutter passes on the part of a body that the client asked for, of the more that the origin was.
type cutter struct{ skip, left int64 }

// newCutter sets in h, which is of a 206, the part that r wants. It returns nil if that is not in there: the client then gets what
// the origin sent.
func newCutter(r *http.Request, h http.Header) *cutter {
	part, ok := rfc9111.PartRange(h)
	if !ok || part.Size <= 0 || len(r.Header["Range"]) != 1 {
		return nil
	}
	spans, ok := rfc9110.ParseRange(r.Header["Range"][0], part.Size)
	if !ok || len(spans) != 1 || spans[0].Start < part.First || spans[0].Start+spans[0].Length > part.Last+1 {
		return nil
	}
	s := spans[0]
	h["Content-Range"] = []string{s.ContentRange(part.Size)}
	h["Content-Length"] = []string{strconv.FormatInt(s.Length, 10)}
	return &cutter{skip: s.Start - part.First, left: s.Length}
}

func (c *cutter) write(w io.Writer, p []byte) (int, error) {
	n := len(p)
	if skip := min(c.skip, int64(len(p))); skip > 0 {
		c.skip -= skip
		p = p[skip:]
	}
	p = p[:min(int64(len(p)), c.left)]
	c.left -= int64(len(p))
	if len(p) > 0 {
		if _, err := w.Write(p); err != nil {
			return 0, err
		}
	}
	return n, nil
}
