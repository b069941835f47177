package httpcache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/rfc9110"
	"github.com/edgecache/edgecache/rfc9111"
)

// deliverFound delivers what was found, or fetches it if its bytes turn out to be gone.
func (x *exchange) deliverFound() {
	err := x.deliver(x.content.of(x.found, x.fresh))
	if !errors.Is(err, store.ErrGone) {
		x.check(err)
		return
	}
	x.c.counts.unstored.Add(1)
	_, _ = x.c.store.Delete(x.background(), x.primary) // what fails here is found out again
	if x.wants.OnlyIfCached {
		x.status.Hit = false
		x.fail(http.StatusGatewayTimeout, "only-if-cached")
		return
	}
	x.again(&plan{})
}

// again asks the origin though something was to be delivered: nothing has been written yet.
func (x *exchange) again(p *plan) {
	x.found, x.outcome = nil, httphook.OutcomeMiss
	x.status = rfc9111.CacheStatus{Cache: x.status.Cache, Key: x.status.Key, Fwd: rfc9111.FwdMiss}
	x.lead(p)
}

// check breaks the client's connection off where an answer could not be ended.
func (x *exchange) check(err error) {
	if err != nil {
		x.shared = true
		panic(http.ErrAbortHandler)
	}
}

// deliver answers the request with ct, or with a part of it, or by saying that the client has it. An error that is store.ErrGone
// says that nothing has been written.
func (x *exchange) deliver(ct *content) error {
	defer x.unpin()
	x.chooseCoding(ct)
	if err := x.hookDeliver(ct.code(), ct, ct); err != nil {
		x.refuse(err)
		return nil
	}
	err := x.deliverAs(ct)
	if ct.coded != nil && errors.Is(err, store.ErrGone) {
		ct.coded, ct.size = nil, ct.response.Size()
		return x.deliverAs(ct)
	}
	return err
}

// deliverAs answers as the conditions and the ranges of the request want it.
func (x *exchange) deliverAs(ct *content) error {
	h := x.r.Header
	if len(h["If-None-Match"]) == 0 && len(h["If-Modified-Since"]) == 0 && len(h["Range"]) == 0 && ct.all() {
		return x.deliverWhole(ct)
	}
	status := ct.code()
	if status != http.StatusOK && status != http.StatusPartialContent {
		return x.deliverWhole(ct)
	}
	v := ct.validators()
	if rfc9110.Unmodified(h, &v) {
		x.notModified(ct)
		return nil
	}
	spans, ok := rfc9110.Ranges(x.r.Method, h, &v, ct.size)
	switch {
	case !ok && ct.all():
		return x.deliverWhole(ct)
	case !ok || len(spans) == 1 && !ct.has(spans[0]):
		return x.deliverPart(ct, rfc9110.Span{Start: ct.first, Length: ct.end - ct.first}, ct.said)
	case len(spans) == 0:
		x.unsatisfiable(ct)
		return nil
	case len(spans) == 1:
		return x.deliverPart(ct, spans[0], spans[0].ContentRange(ct.size))
	default:
		return x.deliverParts(ct, spans)
	}
}

// deliverWhole answers with all of ct.
func (x *exchange) deliverWhole(ct *content) error {
	h := x.w.Header()
	if ct.fill == nil {
		if body := ct.body().Inline(); body != nil {
			ct.copyHeader(h)
			x.head(h, ct, ct.response.Status())
			if x.r.Method != http.MethodHead {
				x.sent = int64(len(body))
				_, _ = x.w.Write(body) // an error is the client's
			}
			return nil
		}
	}
	if x.r.Method == http.MethodHead {
		ct.copyHeader(h)
		x.length(h, ct, ct.size)
		x.head(h, ct, ct.code())
		return nil
	}
	return x.send(ct, 0, ct.size, func() {
		ct.copyHeader(h)
		x.length(h, ct, ct.size)
		x.head(h, ct, ct.code())
	})
}

// length sets Content-Length where a fill's header has none.
func (x *exchange) length(h http.Header, ct *content, n int64) {
	if ct.fill != nil && n >= 0 && bodied(ct.code()) {
		if h["Content-Length"] = ct.length; ct.length == nil {
			h["Content-Length"] = []string{strconv.FormatInt(n, 10)}
		}
	}
}

// bodied reports whether answers with status can have a body.
func bodied(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// send calls head once it is known that the n bytes from off on begin to come, and writes them.
func (x *exchange) send(ct *content, off, n int64, head func()) error {
	ctx := x.r.Context()
	x.sent = max(n, 0)
	if ct.fill != nil {
		return x.sendComing(ct, off, n, head)
	}
	body, err := ct.body().Open(ctx, off, n)
	if err != nil {
		return err
	}
	defer body.Close()
	head()
	done, err := body.WriteTo(x.w)
	if errors.Is(err, store.ErrGone) {
		return x.resume(ct, x.w, off+done, n-done)
	}
	return err
}

// sendComing is send for content of which something is to come.
func (x *exchange) sendComing(ct *content, off, n int64, head func()) error {
	var r *store.Reader
	if _, comes := ct.piece(off, n); comes {
		if off == ct.first {
			r, x.pinned = x.pinned, nil
		}
		if r == nil {
			var err error
			if r, err = ct.fill.Reader(off); err != nil {
				return store.ErrGone // or the fill has failed: of no use either
			}
		}
		defer r.Close()
	}
	head()
	if !ct.done.Load() {
		flush(x.w)
	}
	return x.write(ct, x.w, off, n, r)
}

// unpin lets go what keeps the beginning of a fill for its own client.
func (x *exchange) unpin() {
	if x.pinned != nil {
		x.pinned.Close()
		x.pinned = nil
	}
}

// deliverPart answers 206 with one range, as contentRange has it.
func (x *exchange) deliverPart(ct *content, s rfc9110.Span, contentRange string) error {
	x.c.counts.partial.Add(1)
	h := x.w.Header()
	return x.send(ct, s.Start, s.Length, func() {
		ct.copyHeader(h)
		h["Content-Range"] = []string{contentRange}
		h["Content-Length"] = []string{strconv.FormatInt(s.Length, 10)}
		x.head(h, ct, http.StatusPartialContent)
	})
}

// deliverParts answers 206 with several ranges.
func (x *exchange) deliverParts(ct *content, spans []rfc9110.Span) error {
	x.c.counts.partial.Add(1)
	h := x.w.Header()
	parts := rfc9110.NewParts(spans, ct.size, ct.value("Content-Type"))
	ct.copyHeader(h)
	h["Content-Type"] = []string{parts.ContentType()}
	h["Content-Length"] = []string{strconv.FormatInt(parts.Length(), 10)}
	x.head(h, ct, http.StatusPartialContent)
	return parts.Write(x.w, func(w io.Writer, s rfc9110.Span) error { return x.write(ct, w, s.Start, s.Length, nil) })
}

// unsatisfiable answers 416.
func (x *exchange) unsatisfiable(ct *content) {
	h := x.w.Header()
	h["Content-Range"] = []string{rfc9110.Unsatisfied(ct.size)}
	h["Content-Length"] = []string{"0"}
	x.head(h, ct, http.StatusRequestedRangeNotSatisfiable)
}

// notModified answers 304 with the fields that RFC 9110, section 15.4.5, wants, and those that say for how long.
func (x *exchange) notModified(ct *content) {
	x.c.counts.notModified.Add(1)
	h := x.w.Header()
	for _, name := range [...]string{
		"Cache-Control", "Cdn-Cache-Control", "Content-Location", "Date", "Etag", "Expires", "Last-Modified", "Vary", "Via",
		"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
	} {
		if v := ct.Values(name); len(v) > 0 {
			h[name] = v
		}
	}
	x.head(h, ct, http.StatusNotModified)
}

// extras are the fields that each answer has for itself, in one piece of memory.
type extras struct {
	values [2]string
	bytes  [96]byte
}

// head sets Age and Cache-Status in h, which has the rest, and writes it.
func (x *exchange) head(h http.Header, ct *content, status int) {
	e := new(extras)
	b := e.bytes[:0]
	if age := ct.fresh.Age(x.now); x.status.Hit || x.status.Collapsed || age >= time.Second { // not what has just come
		b = strconv.AppendInt(b, int64(age/time.Second), 10)
		e.values[0] = unsafe.String(unsafe.SliceData(b), len(b)) // the bytes do not change any more
		h["Age"] = e.values[:1:1]
	}
	n := len(b)
	x.status.HasTTL, x.status.TTL = true, int64(ct.fresh.TTL(x.now).Round(time.Second)/time.Second)
	b = x.status.Append(b[n:])
	e.values[1] = unsafe.String(unsafe.SliceData(b), len(b))
	if before := ct.Values("Cache-Status"); len(before) > 0 {
		h["Cache-Status"] = append(slices.Clip(before), e.values[1])
	} else {
		h["Cache-Status"] = e.values[1:]
	}
	if x.varies {
		h["Vary"] = x.c.coder.varyOf(h["Vary"])
	}
	if (x.gateway || status != http.StatusOK) && len(h["Content-Type"]) == 0 {
		h["Content-Type"] = nil // net/http shall not guess
	}
	x.edited(h)
	x.code = status
	x.w.WriteHeader(status)
}

// background is for what must not end with a client.
func (x *exchange) background() context.Context { return context.WithoutCancel(x.r.Context()) }

// statusLine is what Cache-Status says of the exchange.
func (x *exchange) statusLine() string { return string(x.status.Append(make([]byte, 0, 96))) }
