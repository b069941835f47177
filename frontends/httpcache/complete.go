package httpcache

import (
	"net/http"

	"github.com/edgecache/edgecache/rfc9110"
	"github.com/edgecache/edgecache/rfc9111"
)

// partial reports whether what was found has not all that the request wants.
func (x *exchange) partial() bool {
	if x.found.Complete() || x.r.Method == http.MethodHead {
		return false
	}
	off, n, ok := x.wanted()
	return !ok || !x.found.Has(off, n)
}

// wanted returns the stretch of what was found that the request wants. ok is false where that is not one stretch.
func (x *exchange) wanted() (off, n int64, ok bool) {
	ct := x.content.of(x.found, x.fresh)
	h := x.r.Header
	v := ct.validators()
	if len(h["If-None-Match"])+len(h["If-Modified-Since"]) > 0 && rfc9110.Unmodified(h, &v) {
		return 0, 0, true
	}
	spans, part := rfc9110.Ranges(x.r.Method, h, &v, ct.size)
	switch {
	case !part:
		return 0, ct.size, true
	case len(spans) == 0:
		return 0, 0, true
	case len(spans) == 1:
		return spans[0].Start, spans[0].Length, true
	}
	return 0, 0, false
}

// complete fetches what is missing of what was found, if that is one stretch, or else all of it.
func (x *exchange) complete() {
	off, n, ok := x.wanted()
	if ok && x.fresh.Reuse(x.now, &x.wants) == rfc9111.Fresh && !x.wants.OnlyIfCached {
		end := min((off+n+segment-1)/segment*segment, x.found.Size())
		off -= off % segment
		if first, last := x.found.Missing(off, end-off); x.found.Has(last, end-last) {
			x.status.Fwd = rfc9111.FwdPartial
			x.c.counts.misses.Add(1)
			x.lead(&plan{part: true, span: rangeOf(first, last, x.found.Size())})
			return
		}
	}
	x.found = nil
	x.miss(rfc9111.FwdPartial)
}
