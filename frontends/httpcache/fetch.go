package httpcache

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/rfc9110"
	"github.com/edgecache/edgecache/rfc9111"
)

// plan is what the origin is asked for.
type plan struct {
	validate bool    // whether what was found is still good
	span     string  // the Range to ask for, "" for the client's own or none
	part     bool    // what was found is to be completed
	keep     bool    // the client's conditions go to the origin
	direct   bool    // it is not to be stored: that has been tried in vain
	attached bool    // the request to the origin ends with the client's
	flight   *flight // nil for the client alone
}

// miss has the origin asked, by this request or by another one that is under way. x.found, if any, is to be validated.
func (x *exchange) miss(fwd rfc9111.Fwd) {
	x.status.Fwd, x.outcome = fwd, httphook.OutcomeMiss
	if fwd != rfc9111.FwdRequest && fwd != rfc9111.FwdStale {
		x.c.counts.misses.Add(1)
	}
	if x.wants.OnlyIfCached {
		x.fail(http.StatusGatewayTimeout, "only-if-cached")
		return
	}
	p := x.plan()
	if x.collapses(&p) {
		x.collapse(&p)
		return
	}
	p.attached = x.found == nil && (x.wants.NoStore || x.c.uncacheable.has(x.primary, x.now.UnixNano()))
	x.lead(&p)
}

// plan decides what to ask for.
func (x *exchange) plan() (p plan) {
	h := x.r.Header
	p.validate = x.found != nil
	switch {
	case x.r.Method == http.MethodHead || len(h["If-Match"]) > 0 || len(h["If-Unmodified-Since"]) > 0:
		p.keep, p.validate = true, false // a cache does not evaluate these (RFC 9111, section 4.3.2)
	case p.validate || len(h["Range"]) == 0:
	case x.c.uncacheable.has(x.primary, x.now.UnixNano()):
		p.keep = true
	default:
		p.span = aligned(h["Range"])
		p.keep = p.span == ""
	}
	return p
}

// collapses reports whether others may wait for the same answer.
func (x *exchange) collapses(p *plan) bool {
	switch {
	case x.c.options.WaitTimeout < 0, p.keep, x.wants.NoStore, x.route != nil && x.route.Private,
		len(x.r.Header["Authorization"]) > 0, x.c.uncacheable.has(x.primary, x.now.UnixNano()):
		return false
	}
	return true
}

// collapse joins the flight of the key, once more when it turns out to be for another variant.
func (x *exchange) collapse(p *plan) {
	variant := p.span
	for range 2 {
		ctx, cancel := context.WithCancel(x.background())
		f, role := x.c.flights.join(x.primary, variant, x.now.UnixNano(), cancel)
		if role == leads {
			if x.late(f) {
				cancel()
				return
			}
			p.flight = f
			x.leadWith(ctx, cancel, p)
			return
		}
		cancel()
		if role == apart {
			break
		}
		other, ended := x.await(f)
		if ended {
			return
		}
		if other == "" {
			break
		}
		variant = other
	}
	x.now = time.Now()
	x.lead(p)
}

// late delivers what another flight has stored since the lookup, if there is anything.
func (x *exchange) late(f *flight) bool {
	fwd := x.status.Fwd
	if x.found != nil || len(x.c.hooks.lookup) > 0 || fwd != rfc9111.FwdURIMiss && fwd != rfc9111.FwdVary || x.lookup() != store.Hit {
		return false
	}
	if x.partial() || x.fresh.Reuse(x.now, &x.wants) != rfc9111.Fresh {
		x.found = nil
		return false
	}
	if f != nil {
		f.outcome = late
		x.c.flights.decide(f)
	}
	x.status.Fwd = rfc9111.FwdNone
	x.hit("")
	return true
}

// await waits for the header that f brings and delivers what comes. Otherwise the request goes on its way: for another variant,
// or alone.
func (x *exchange) await(f *flight) (variant string, ended bool) {
	defer x.c.flights.leave(f)
	if x.wants.NoCache || x.wants.MaxAge == 0 {
		if f.isDecided() { // it was asked for before this request came
			return "", false
		}
	}
	if !x.waitFor(f) {
		return "", x.r.Context().Err() != nil
	}
	x.now = time.Now()
	if x.c.purged(f) {
		x.c.flights.drop(f)
		p := x.plan()
		x.collapse(&p)
		return "", true
	}
	switch f.outcome {
	case shared:
		return x.attach(f)
	case stored:
		if x.found == nil || f.stale != x.found {
			return "", false
		}
		x.status.FwdStatus, x.status.Collapsed = f.status, true
		x.c.counts.collapsed.Add(1)
		x.outcome = httphook.OutcomeRevalidated
		x.found, x.fresh = f.response, *f.response.Freshness()
		x.deliverFound()
		return "", true
	case erred:
		if !x.staleAfter(rfc9111.ServerError) {
			return "", false
		}
		x.deliverStale("origin-" + strconv.Itoa(f.status))
		return "", true
	case late:
		return "", x.late(nil)
	case failed:
		x.status.Collapsed = true
		x.c.counts.collapsed.Add(1)
		x.failed(f.err)
		return "", true
	case alone:
	}
	return "", false
}

// waitFor reports whether f has been decided before the client or its patience has gone.
func (x *exchange) waitFor(f *flight) bool {
	if f.isDecided() {
		return true
	}
	x.c.counts.waiting.Add(1)
	defer x.c.counts.waiting.Add(-1)
	timer := time.NewTimer(x.c.options.WaitTimeout)
	defer timer.Stop()
	select {
	case <-f.decided:
		return true
	case <-timer.C:
	case <-x.r.Context().Done():
	}
	return false
}

// attach delivers from the fill of a flight what it is for.
func (x *exchange) attach(f *flight) (variant string, ended bool) {
	if !f.content.fill.Matches(x.fields) {
		return "v" + string(rfc9111.AppendVariant(nil, f.vary, x.fields)), false
	}
	x.status.Collapsed, x.status.FwdStatus = true, f.status
	x.shared, x.outcome = true, httphook.OutcomeCollapsed
	ct := f.content
	if r := ct.committed.Load(); r != nil {
		ct = x.content.of(r, ct.fresh)
	}
	err := x.deliver(ct)
	if r := f.content.committed.Load(); r != nil && ct == f.content && errors.Is(err, store.ErrGone) {
		err = x.deliver(x.content.of(r, ct.fresh)) // it has ended in between
	}
	if errors.Is(err, store.ErrGone) {
		x.status.Collapsed, x.status.FwdStatus, x.outcome = false, 0, httphook.OutcomeMiss
		return "", false // its beginning has been let go, or it has failed
	}
	x.c.counts.collapsed.Add(1)
	x.check(err)
	return "", true
}

// alone asks the origin for this client only.
func (x *exchange) alone(fwd rfc9111.Fwd) {
	x.status.Fwd = fwd
	x.lead(&plan{keep: true, attached: x.primary == ""})
}

// lead asks the origin.
func (x *exchange) lead(p *plan) {
	p.flight = nil
	if p.attached && x.w != nil {
		x.leadWith(x.r.Context(), func() {}, p)
		return
	}
	p.attached = false
	ctx, cancel := context.WithCancel(x.background())
	x.leadWith(ctx, cancel, p)
}

// leadWith asks the origin in a context that the answer decides about.
func (x *exchange) leadWith(ctx context.Context, cancel context.CancelFunc, p *plan) {
	x.shared = true
	a := newAnswer(x, p, cancel)
	a.forward(ctx)
}

// outgoing returns the request as the origin gets it.
func (x *exchange) outgoing(ctx context.Context, p *plan) *http.Request {
	if x.gateway && ctx == x.r.Context() && x.ask == "" && (p.keep || !conditional(x.r.Header)) {
		return x.r // Forwarders do not change it
	}
	r := x.r.WithContext(ctx)
	if !p.keep && (x.found != nil || p.span != "" || conditional(r.Header)) {
		r.Header = maps.Clone(r.Header)
		x.condition(r.Header, p)
	}
	x.retarget(r)
	return r
}

// conditional reports whether a header has what is for one client.
func conditional(h http.Header) bool {
	return len(h["If-None-Match"])+len(h["If-Modified-Since"])+len(h["Range"])+len(h["If-Range"]) > 0
}

// condition makes of the client's conditions and range in h those of the plan.
func (x *exchange) condition(h http.Header, p *plan) {
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "Range"} {
		delete(h, name)
	}
	if p.span != "" {
		h["Range"] = []string{p.span}
	}
	if p.span == "" || p.part {
		delete(h, "If-Range")
	}
	switch {
	case p.part:
		if tag := x.found.ETag(); rfc9110.StrongTag(tag) {
			h["If-Range"] = []string{tag}
		}
	case p.validate:
		p.validate = rfc9111.SetCondition(h, x.found.Header())
	}
}

// addVia says in h that the message came through here (RFC 9110, section 7.6.3).
func (x *exchange) addVia(h http.Header) {
	if before := h["Via"]; len(before) > 0 {
		h["Via"] = append(slices.Clip(before), x.c.via[0])
		return
	}
	h["Via"] = x.c.via
}

// failed answers where the origin did not: with what is stored, if it may be used, or an error.
func (x *exchange) failed(err error) {
	if x.r.Context().Err() != nil || x.w == nil {
		return
	}
	if x.staleAfter(rfc9111.Unreachable) {
		x.deliverStale("origin-unreachable")
		return
	}
	if t, ok := x.w.(*trip); ok {
		t.fail(err)
		return
	}
	status := http.StatusBadGateway
	if errors.Is(err, ErrTimeout) || x.found != nil {
		status = http.StatusGatewayTimeout // RFC 9111, section 5.2.2.2
	}
	x.fail(status, reason(err))
}

// reason is err as Cache-Status has it.
func reason(err error) string {
	switch {
	case errors.Is(err, ErrTimeout):
		return "origin-timeout"
	case errors.Is(err, ErrBadResponse):
		return "origin-bad-response"
	default:
		return "origin-unreachable"
	}
}

// staleAfter reports whether what was found may be used after the origin failed.
func (x *exchange) staleAfter(why rfc9111.Failure) bool {
	if x.found == nil || x.c.options.NoStaleOnDisconnect && why == rfc9111.Unreachable {
		return false
	}
	return x.fresh.MayServeStale(x.now, &x.wants, why)
}

// deliverStale delivers what was found though it could not be validated.
func (x *exchange) deliverStale(detail string) {
	x.status.Hit, x.status.Detail, x.outcome = true, detail, httphook.OutcomeStale
	x.c.counts.stale.Add(1)
	x.deliverFound()
}

// fail answers with an error of the cache's own.
func (x *exchange) fail(status int, detail string) {
	x.status.Detail, x.outcome, x.code = detail, httphook.OutcomeError, status
	h := x.w.Header()
	text := strconv.Itoa(status) + " " + http.StatusText(status) + ": " + detail + "\n"
	h["Content-Type"] = []string{"text/plain; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	h["Cache-Control"] = []string{"no-store"}
	h["Cache-Status"] = []string{x.statusLine()}
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write([]byte(text)) // an error is the client's
	}
}

// segment is what ranges that are asked for are rounded to, as they are stored.
const segment = 256 << 10

// aligned returns the Range to ask for where a client wants one: "" where its own is the one.
func aligned(lines []string) string {
	if len(lines) != 1 {
		return ""
	}
	set, ok := strings.CutPrefix(lines[0], "bytes=")
	first, last, found := strings.Cut(set, "-")
	if !ok || !found {
		return ""
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 {
		return ""
	}
	b := strconv.AppendInt([]byte("bytes="), from/segment*segment, 10)
	b = append(b, '-')
	if last == "" {
		return string(b)
	}
	to, err := strconv.ParseInt(last, 10, 64)
	if err != nil || to < from || to > 1<<62 {
		return ""
	}
	return string(strconv.AppendInt(b, (to/segment+1)*segment-1, 10))
}
