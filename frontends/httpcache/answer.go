package httpcache

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"go.opentelemetry.io/otel/trace"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/rfc9110"
	"github.com/edgecache/edgecache/rfc9111"
)

// mode is what becomes of an answer of the origin.
type mode uint32

const (
	undecided  mode = iota // no header yet
	passing                // to the client alone
	filling                // into the store, and from there to clients
	discarding             // nowhere: something stored is delivered
	hijacked               // the handler has taken the connection
)

// patience is how long the client that began a small fill waits for its end before what there is is sent.
const patience = 5 * time.Millisecond

// errExpired is what readers of a fill get that took too long.
var errExpired = errors.New("httpcache: the origin's answer took too long")

// errAborted is what readers of a fill get whose writer panicked.
var errAborted = errors.New("httpcache: the origin's answer broke off")

// answer is the http.ResponseWriter that an origin writes to. What becomes of the response is decided at its header.
type answer struct {
	x      *exchange
	p      plan
	cancel context.CancelFunc // ends the request to the origin
	stamp  invalid.Stamp
	moment uint64 // of voids
	sent   time.Time
	asked  http.Header // of the request to the origin
	header http.Header // the origin's

	mode     atomic.Uint32
	status   int
	fill     *store.Fill
	content  *content
	written  int64
	said     string     // Content-Range
	ending   error      // why the fill did not end well
	cut      *cutter    // passing: the part that the client asked for, nil for all
	detail   string     // stale: why
	trace    trace.Span // nil for none
	answered bool       // by the cache itself
	retry    bool       // the answer was of no use: ask again without a condition

	mu        sync.Mutex    // guards what follows
	timer     *time.Timer   // of the fill
	waited    bool          // timer is for the end of the fill: patience is over
	over      bool          // nothing more comes
	sealed    bool          // nobody begins to deliver any more
	delivered chan struct{} // closed when the client has been served by a goroutine, nil without one
	failure   error         // of that
}

func newAnswer(x *exchange, p *plan, cancel context.CancelFunc) *answer {
	return &answer{x: x, p: *p, cancel: cancel, stamp: x.c.index.Stamp(), moment: x.c.voids.moment(), sent: time.Now(), header: make(http.Header)}
}

// forward asks the origin and sees to it that the client, the waiters and the store get what is theirs.
func (a *answer) forward(ctx context.Context) {
	defer a.cancel()
	if !a.p.attached {
		defer context.AfterFunc(a.x.r.Context(), a.clientGone)()
	}
	a.serve(a.ask(ctx))
}

// ask has the origin write its answer, and ends that. A panic goes on, unless it says that the answer broke off and the client
// has got its own from what there was, a 304 say.
func (a *answer) ask(ctx context.Context) error {
	ended := false
	defer func() {
		if ended {
			return
		}
		p := recover()
		a.endSpan(errAborted)
		a.broken()
		if p != nil && (!aborts(p) || a.delivered == nil || a.failure != nil) {
			panic(p)
		}
	}()
	a.x.c.counts.fetches.Add(1)
	r := a.x.outgoing(a.span(ctx), &a.p)
	a.asked = r.Header
	err := a.x.origin.Forward(a, r)
	a.endSpan(err)
	a.finish(err)
	ended = true
	return err
}

// clientGone ends the request to the origin if nobody else wants the answer.
func (a *answer) clientGone() {
	switch m := mode(a.mode.Load()); {
	case m == passing, m == undecided && a.p.flight == nil:
		a.cancel()
	case m == undecided:
		a.x.c.flights.abandon(a.p.flight)
	}
}

// Header returns the origin's header.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader decides what becomes of the response.
func (a *answer) WriteHeader(status int) {
	switch {
	case mode(a.mode.Load()) != undecided:
	case status >= 100 && status < 200 && status != http.StatusSwitchingProtocols:
		a.inform(status)
	default:
		a.status = status
		a.decide(time.Now())
	}
}

// inform passes an interim response on.
func (a *answer) inform(status int) {
	if a.x.w == nil {
		return
	}
	h := a.x.w.Header()
	maps.Copy(h, a.header)
	a.x.w.WriteHeader(status)
	for name := range a.header {
		delete(h, name)
	}
}

// decide settles the mode, and tells those who wait.
func (a *answer) decide(now time.Time) {
	x := a.x
	x.now = now
	if !rfc9111.SafeMethod(x.r.Method) {
		outdated := a.void()
		x.invalidate(a.status, a.header)
		if !outdated { // this very answer is not
			a.moment = x.c.voids.moment()
		}
	}
	a.headed()
	switch {
	case a.p.validate && a.status == http.StatusNotModified:
		a.confirmed()
	case !a.p.part && rfc9111.IsServerError(a.status) && x.staleAfter(rfc9111.ServerError):
		a.detail = "origin-" + strconv.Itoa(a.status)
		a.discard(erred)
	case a.p.part && a.status == http.StatusPartialContent && !rfc9111.Combines(x.found.Header(), a.header):
		a.retry = true
		a.discard(alone)
	default:
		a.judge()
	}
}

// expire ends a fill that takes too long.
func (a *answer) expire() {
	a.cancel()
	if a.p.attached { // that was not ours to end
		a.fill.Abort(errExpired)
	}
}

// discard lets what comes go nowhere.
func (a *answer) discard(o outcome) {
	a.mode.Store(uint32(discarding))
	a.settle(o)
}

// settle tells the waiters.
func (a *answer) settle(o outcome) {
	f := a.p.flight
	if f == nil {
		return
	}
	f.outcome, f.status, f.content = o, a.status, a.content
	a.x.c.flights.decide(f)
}

// confirmed freshens what was found (RFC 9111, section 4.3.4).
func (a *answer) confirmed() {
	x := a.x
	if a.void() || rfc9111.Matches304(x.found.Header(), a.header, true) == rfc9111.MatchNone {
		a.retry = true
		a.discard(alone)
		return
	}
	h := rfc9111.Freshen(x.found.Header(), a.header)
	d := a.ruling(http.MethodGet, h, x.found.Status())
	x.hookResponse(&d, x.found.Status(), h, x.found.Size())
	d.edit(h)
	if !d.store && d.Reason != rfc9111.NoFreshness { // it is for this client alone, which gets all of it anew
		x.revoke(d.Reason)
		a.retry = true
		a.discard(alone)
		return
	}
	h = x.c.profile.StoredHeader(&d.seen, &d.Directives)
	x.outcome = httphook.OutcomeRevalidated
	r, err := x.c.store.Freshen(x.background(), x.found, a.meta(d.Freshness, d.tags, h, x.found.Status()))
	if err != nil && !errors.Is(err, store.ErrNotStored) {
		r = x.found
	}
	stale := x.found
	x.found, x.fresh = r, d.Freshness
	x.status.FwdStatus, x.status.Stored = a.status, err == nil
	x.c.counts.validated.Add(1)
	if f := a.p.flight; f != nil {
		f.stale, f.response = stale, r
	}
	a.discard(stored)
}

// ruling is what RFC 9111 and the options say of the response with header h.
func (a *answer) ruling(method string, h http.Header, status int) ruling {
	x := a.x
	e := rfc9111.Exchange{
		Method: method, Request: a.asked, Status: status, Response: h, RequestTime: a.sent, ResponseTime: x.now,
	}
	if method == http.MethodPost {
		e.URL = x.url()
	}
	d := x.c.profile.Store(&e)
	x.c.adjust(&d, &e, x.route)
	return ruling{Decision: d, seen: e, store: d.Reason == rfc9111.Storable, reason: d.Reason.String()}
}

// judge stores the response, or passes it to the client alone.
func (a *answer) judge() {
	x := a.x
	if x.primary == "" || a.p.direct {
		a.pass()
		return
	}
	if a.status == http.StatusPartialContent {
		a.trim()
	}
	d := a.ruling(x.r.Method, a.header, a.status)
	x.hookResponse(&d, a.status, a.header, a.length())
	if d.store && a.void() {
		d.store, d.reason = false, "invalidated"
	}
	if d.store {
		x.hookAdmit(&d, a.status, a.length())
	}
	d.edit(a.header)
	if !d.store {
		if a.p.part && a.status == http.StatusPartialContent { // the client has not asked for this
			a.retry = true
			a.discard(alone)
			return
		}
		x.status.Detail = d.reason
		if x.r.Method == http.MethodGet && a.status < 500 && d.Reason != rfc9111.RequestNoStore && d.Reason != rfc9111.Authorized &&
			!a.void() {
			x.c.uncacheable.add(x.primary, x.now.UnixNano())
		}
		a.pass()
		return
	}
	a.begin(&d)
}

// trim has Content-Range say what comes, where that is less than it says: the beginning of it. Clients that want just what the
// origin sends get to know what that said.
func (a *answer) trim() {
	n, part := a.length(), rfc9111.ContentRange{}
	if v := a.header["Content-Range"]; len(v) == 1 {
		a.said = v[0]
		part, _ = rfc9111.ParseContentRange(v[0])
	}
	if n > 0 && n < part.Length() {
		a.header["Content-Range"] = []string{rfc9110.Span{Start: part.First, Length: n}.ContentRange(part.Size)}
	}
}

// void reports whether the key was made void after the origin was asked: the answer may be from before that.
func (a *answer) void() bool { return a.x.primary == "" || a.x.c.voids.since(a.x.primary, a.moment) }

// begin begins to store the response.
func (a *answer) begin(d *ruling) {
	x := a.x
	if x.gateway {
		x.addVia(a.header)
	}
	h := x.c.profile.StoredHeader(&d.seen, &d.Directives)
	ct := &content{status: a.status, fresh: d.Freshness, first: 0, end: a.length(), size: a.length()}
	if a.status == http.StatusPartialContent {
		part, _ := rfc9111.PartRange(a.header) // Store has seen to it that there is one
		delete(h, "Content-Range")
		ct.said = a.said
		ct.status, ct.first, ct.end, ct.size = http.StatusOK, part.First, part.Last+1, part.Size
	}
	m := a.meta(d.Freshness, d.tags, h, ct.status)
	if ct.first == 0 && ct.end == ct.size {
		a.fill = x.c.store.Begin(x.r.Context(), x.primary, x.fields, m, ct.size)
	} else {
		a.fill = x.c.store.BeginRange(x.r.Context(), x.primary, x.fields, m, ct.first, ct.end, ct.size)
		if a.p.part {
			ct.response = x.found
		}
	}
	ct.fill, ct.header = a.fill, rfc9111.DeliveredHeader(h)
	ct.tags, ct.stamp = m.Tags, a.stamp
	if v := ct.header["Content-Length"]; ct.status == a.status && ct.end >= 0 && len(v) == 1 && v[0] != "" && v[0][0] >= '1' {
		ct.length = v
	}
	delete(ct.header, "Content-Length")
	a.content = ct
	x.status.FwdStatus, x.status.Stored = a.status, true
	x.c.counts.filling.Add(1)
	if a.p.flight != nil {
		a.p.flight.vary, _ = rfc9111.VaryFields(a.header)
	}
	a.mode.Store(uint32(filling))
	if x.w != nil {
		x.pinned, _ = a.fill.Reader(ct.first)
	}
	if none := rfc9111.NoRequestDirectives(); d.Freshness.Reuse(x.now, &none) == rfc9111.Fresh {
		x.c.uncacheable.forget(x.primary)
		a.settle(shared)
	} else { // others may not use it without a validation of their own
		x.c.uncacheable.add(x.primary, x.now.UnixNano())
		a.settle(alone)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if ct.end >= 0 && ct.end-ct.first <= store.MaxInline {
		a.timer = time.AfterFunc(patience, a.late)
		return
	}
	a.waited = true
	a.timer = time.AfterFunc(x.c.options.FillTimeout, a.late)
}

// late has what there is of a small fill sent, and ends a fill that takes too long.
func (a *answer) late() {
	a.mu.Lock()
	first := !a.waited
	a.waited = true
	if first && !a.over {
		a.timer.Reset(a.x.c.options.FillTimeout)
	}
	a.mu.Unlock()
	if first {
		a.start()
	} else {
		a.expire()
	}
}

// length is the length that the header announces, or -1.
func (a *answer) length() int64 {
	if !bodied(a.status) {
		return 0
	}
	if v := a.header["Content-Length"]; len(v) == 1 {
		if n, err := strconv.ParseInt(v[0], 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	return -1
}

// meta is what is stored of a response with header h.
func (a *answer) meta(f rfc9111.Freshness, tags []string, h http.Header, status int) *store.Meta {
	return &store.Meta{
		Status: status, Header: h, Freshness: f, Tags: append(a.x.tags(h), tags...), Stamp: a.stamp, Keep: a.x.c.keep(&f),
	}
}

// pass lets the client have the response as it comes.
func (a *answer) pass() {
	x := a.x
	a.mode.Store(uint32(passing))
	if x.w == nil {
		a.settle(alone)
		a.cancel()
		return
	}
	a.settle(alone)
	if x.r.Context().Err() != nil {
		a.cancel()
	}
	if err := x.hookDeliver(a.status, a.header, nil); err != nil {
		a.mode.Store(uint32(discarding))
		a.answered = true
		x.refuse(err)
		return
	}
	h := x.w.Header()
	if x.gateway && a.status != http.StatusSwitchingProtocols {
		x.addVia(a.header)
	}
	maps.Copy(h, rfc9111.DeliveredHeader(a.header))
	if x.gateway && len(h["Content-Type"]) == 0 {
		h["Content-Type"] = nil
	}
	x.status.FwdStatus = a.status
	if before := h["Cache-Status"]; len(before) > 0 {
		h["Cache-Status"] = append(slices.Clip(before), x.statusLine())
	} else {
		e := new(extras)
		b := x.status.Append(e.bytes[:0])
		e.values[0] = unsafe.String(unsafe.SliceData(b), len(b)) // the bytes do not change any more
		h["Cache-Status"] = e.values[:1:1]
	}
	if a.status == http.StatusPartialContent && a.p.span != "" {
		a.cut = newCutter(x.r, h)
	}
	x.edited(h)
	x.code = a.status
	x.w.WriteHeader(a.status)
}
