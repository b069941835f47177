package httpcache

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"unsafe"

	"github.com/edgecache/edgecache/rfc9111"
)

// refresh validates what was found in the background (RFC 5861, section 3), unless that is under way, or too much is.
func (x *exchange) refresh() {
	c := x.c
	select {
	case c.refreshes <- struct{}{}:
	default:
		return
	}
	if !c.beginWork() {
		<-c.refreshes
		return
	}
	ctx, cancel := context.WithCancel(x.background())
	f, role := c.flights.join(x.primary, "", x.now.UnixNano(), cancel)
	if role != leads {
		if role == waits {
			c.flights.leave(f)
		}
		cancel()
		c.endRefresh()
		return
	}
	c.counts.refreshes.Add(1)
	b := x.detached()
	go b.runRefresh(ctx, cancel, f)
}

func (c *Cache) endRefresh() {
	<-c.refreshes
	c.work.Done()
}

// detached returns an exchange for the same request that has no client.
func (x *exchange) detached() *exchange {
	b := &exchange{
		c: x.c, origin: x.origin, gateway: x.gateway, now: x.now, wants: rfc9111.NoRequestDirectives(), route: x.route,
		began: x.now, ask: strings.Clone(x.ask), found: x.found, fresh: x.fresh, shared: true, key: append([]byte(nil), x.primary...),
	}
	b.primary = unsafe.String(unsafe.SliceData(b.key), len(b.key))
	b.r = x.r.WithContext(x.background())
	b.r.Method, b.r.Body, b.r.Header = http.MethodGet, http.NoBody, x.r.Header.Clone()
	b.fields = b.r.Header
	if s, ok := x.fields.(*selecting); ok {
		b.fields = &selecting{b.r.Header, slices.Clone(s.vary)}
	}
	if x.c.hooks.any {
		b.see()
	}
	for _, name := range [...]string{"Cache-Control", "Pragma", "Range", "If-Range"} {
		delete(b.r.Header, name) // this is the cache's own wish
	}
	return b
}

// runRefresh asks the origin. A handler that panics has no server above it here that would see to that.
func (x *exchange) runRefresh(ctx context.Context, cancel context.CancelFunc, f *flight) {
	defer x.c.endRefresh()
	defer context.AfterFunc(x.c.closing, cancel)()
	defer func() {
		if p := recover(); p != nil && !aborts(p) {
			x.c.options.Logger.LogAttrs(ctx, slog.LevelError, "handler panicked in a refresh", slog.Any("panic", p))
		}
	}()
	x.leadWith(ctx, cancel, &plan{validate: true, flight: f})
}

// aborts reports whether a panic says that an answer broke off, and nothing else (http.ErrAbortHandler).
func aborts(p any) bool {
	err, ok := p.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}
