package httpcache

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/rfc9111"
)

// hooks are those of a Cache by phase. A phase without any costs a comparison.
type hooks struct {
	any                                            bool
	request, key, lookup, response, admit, deliver []httphook.Hook
	lengthen                                       []bool // parallel to response
	seed                                           maphash.Seed
}

func newHooks(all []httphook.Hook) hooks {
	t := hooks{any: len(all) > 0, seed: maphash.MakeSeed()}
	for _, h := range all {
		s := h.Spec()
		for phase, list := range map[httphook.Phases]*[]httphook.Hook{
			httphook.OnRequest: &t.request, httphook.OnKey: &t.key, httphook.OnLookup: &t.lookup,
			httphook.OnResponse: &t.response, httphook.OnAdmit: &t.admit, httphook.OnDeliver: &t.deliver,
		} {
			if s.Phases.Has(phase) {
				*list = append(*list, h)
			}
		}
		if s.Phases.Has(httphook.OnResponse) {
			t.lengthen = append(t.lengthen, s.Lengthen)
		}
	}
	return t
}

// calls are what an exchange has for its hooks, used again by the next one.
type calls struct {
	view     httphook.Request
	request  httphook.RequestCall
	key      httphook.KeyCall
	lookup   httphook.LookupCall
	response httphook.ResponseCall
	admit    httphook.AdmitCall
	deliver  httphook.DeliverCall
}

// selecting are the fields of a request by which a variant is selected, some of them as hooks would have them.
type selecting struct {
	header http.Header
	vary   []httphook.Field
}

// Values returns the values of the field with the canonical name.
func (s *selecting) Values(name string) []string {
	for i := range s.vary {
		if s.vary[i].Name == name {
			return []string{s.vary[i].Value}
		}
	}
	return s.header[name]
}

// see prepares what hooks see of the request.
func (x *exchange) see() {
	if x.calls == nil {
		x.calls = new(calls)
	}
	v := &x.calls.view
	v.Method, v.Scheme, v.Host, v.Target, v.Header = x.r.Method, scheme(x.r), strings.ToLower(host(x.r)), target(x.r), x.r.Header
	v.Client = netip.Addr{}
	if a, err := netip.ParseAddrPort(x.r.RemoteAddr); err == nil {
		v.Client = a.Addr().Unmap()
	}
}

// hookRequest asks the hooks about the request. It reports whether it is answered, and whether it goes by the cache.
func (x *exchange) hookRequest(bypass bool) (ended, passes bool) {
	c := &x.calls.request
	c.Reset(&x.calls.view)
	for _, h := range x.c.hooks.request {
		if err := h.Request(x.r.Context(), c); err != nil {
			x.refuse(err)
			return true, false
		}
		if c.Action.Ends() {
			x.answerOf(c)
			return true, false
		}
	}
	if len(c.Edits) > 0 {
		r := x.r.WithContext(x.r.Context())
		r.Header = x.r.Header.Clone()
		c.Edits.Apply(r.Header)
		x.r, x.calls.view.Header = r, r.Header
	}
	return false, bypass || c.Action == httphook.Bypass
}

// answerOf gives a hook's own answer.
func (x *exchange) answerOf(c *httphook.RequestCall) {
	x.status.Detail = "hook"
	x.outcome = httphook.OutcomeHook
	h := x.w.Header()
	if c.Action == httphook.Redirect {
		h["Location"] = []string{c.Location}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(c.Body))}
	c.Edits.Apply(h)
	h["Cache-Status"] = []string{x.statusLine()}
	x.w.WriteHeader(c.Status)
	if x.r.Method != http.MethodHead && bodied(c.Status) {
		_, _ = x.w.Write(c.Body) // an error is the client's
	}
	x.code, x.sent = c.Status, int64(len(c.Body))
}

// refuse answers 503 for a hook that failed and must not be missing.
func (x *exchange) refuse(err error) {
	if x.r.Context().Err() != nil {
		return
	}
	x.c.warn("hook failed", err)
	x.fail(http.StatusServiceUnavailable, "hook-failed")
}

// hookKey makes the key as the hooks want it, from x.key as it is without them.
func (x *exchange) hookKey() error {
	c := &x.calls.key
	c.Reset(&x.calls.view)
	for _, h := range x.c.hooks.key {
		if err := h.Key(x.r.Context(), c); err != nil {
			return err
		}
	}
	if c.Target != x.calls.view.Target {
		x.key = appendKey(x.key[:0], x.calls.view.Scheme, x.calls.view.Host, c.Target)
		if c.Forward {
			x.ask = c.Target
		}
	}
	if c.Extra != "" {
		x.key = append(append(x.key, separator), c.Extra...)
	}
	if len(c.Vary) > 0 {
		x.fields = &selecting{x.r.Header, c.Vary}
	}
	return nil
}

// retarget has r ask for another target, if hooks want that.
func (x *exchange) retarget(r *http.Request) {
	if x.ask == "" {
		return
	}
	if u, err := url.ParseRequestURI(x.ask); err == nil { // httphook.CheckTarget has been there
		u.Scheme, u.Host, u.User = r.URL.Scheme, r.URL.Host, r.URL.User
		r.URL, r.RequestURI = u, x.ask
	}
}

// hookLookup asks the hooks about what was found. An error says that it must not be used.
func (x *exchange) hookLookup() (httphook.Lookup, error) {
	c := &x.calls.lookup
	c.Reset(&x.calls.view)
	c.Status, c.Header, c.Size = x.found.Status(), x.found, x.found.Size()
	c.Age, c.TTL = x.fresh.Age(x.now), x.fresh.TTL(x.now)
	for _, h := range x.c.hooks.lookup {
		if err := h.Lookup(x.r.Context(), c); err != nil {
			return 0, err
		}
	}
	return c.Verdict, nil
}

// ruling is what becomes of a response: what RFC 9111 and the options say, and what hooks made of it.
type ruling struct {
	rfc9111.Decision
	seen   rfc9111.Exchange
	store  bool
	reason string // why not
	tags   []string
	edits  httphook.Edits
}

// hookResponse lets the hooks judge a response with header h.
func (x *exchange) hookResponse(r *ruling, status int, h http.Header, size int64) {
	if len(x.c.hooks.response) == 0 || r.Reason.Override() == rfc9111.OverrideNever && !r.store || x.calls == nil {
		return
	}
	c := &x.calls.response
	c.Reset(&x.calls.view)
	c.Status, c.Header, c.Size = status, h, size
	c.Barred = !r.store && r.Reason.Override() == rfc9111.OverrideGranted
	was := httphook.Lifetime{Store: r.store, TTL: r.Freshness.TTL(x.now), SWR: r.Freshness.StaleWhileRevalidate, SIE: max(r.Freshness.StaleIfError, 0)}
	c.Lifetime = was
	for i, hook := range x.c.hooks.response {
		before := c.Lifetime
		if err := hook.Response(x.background(), c); err != nil {
			x.c.warn("hook failed", err)
			r.store, r.reason = false, "hook-failed"
			return
		}
		c.Settle(before, x.c.hooks.lengthen[i])
	}
	r.tags = append([]string(nil), c.Tags...)
	r.edits = append(httphook.Edits(nil), c.Edits...)
	if r.store = c.Store; !c.Store {
		if was.Store {
			r.reason = "hook"
		}
		return
	}
	if c.TTL != was.TTL || !was.Store {
		r.Freshness.SetTTL(x.now, c.TTL)
	}
	r.Freshness.StaleWhileRevalidate = c.SWR
	if c.SIE != was.SIE {
		r.Freshness.StaleIfError = c.SIE
	}
}

// edit makes the hooks' changes in h. What a response is selected by has been read before, and stays.
func (r *ruling) edit(h http.Header) {
	vary := h["Vary"]
	r.edits.Apply(h)
	if len(r.edits) > 0 && vary != nil {
		h["Vary"] = vary
	}
}

// hookAdmit asks the hooks whether a response may take room.
func (x *exchange) hookAdmit(r *ruling, status int, size int64) {
	if len(x.c.hooks.admit) == 0 || x.calls == nil {
		return
	}
	c := &x.calls.admit
	c.Reset(&x.calls.view)
	c.KeyHash, c.Status, c.Size, c.TTL = maphash.String(x.c.hooks.seed, x.primary), status, size, r.Freshness.TTL(x.now)
	for _, h := range x.c.hooks.admit {
		if err := h.Admit(x.background(), c); err != nil {
			x.c.warn("hook failed", err)
			r.store, r.reason = false, "hook-failed"
			return
		}
	}
	if c.Refuse {
		r.store, r.reason = false, "not-admitted"
	}
}

// hookDeliver asks the hooks about the header that this client gets, whose changes edited makes.
func (x *exchange) hookDeliver(status int, h store.Fields, ct *content) error {
	if len(x.c.hooks.deliver) == 0 {
		return nil
	}
	c := &x.calls.deliver
	c.Reset(&x.calls.view)
	c.Status, c.Header, c.Outcome = status, h, x.outcome
	if ct != nil {
		c.Age, c.TTL, c.Size = ct.fresh.Age(x.now), ct.fresh.TTL(x.now), ct.size
	}
	for _, hook := range x.c.hooks.deliver {
		if err := hook.Deliver(x.r.Context(), c); err != nil {
			return err
		}
	}
	return nil
}

// edited makes the changes of hookDeliver in h.
func (x *exchange) edited(h http.Header) {
	if len(x.c.hooks.deliver) > 0 {
		x.calls.deliver.Edits.Apply(h)
	}
}

// watchers tell the observers of exchanges that have ended, off their path.
type watchers struct {
	observers []httphook.Observer
	events    chan httphook.Event
	done      chan struct{}
}

const maxEvents = 256

// watch begins to tell observers, if there are any.
func watch(observers []httphook.Observer) *watchers {
	if len(observers) == 0 {
		return nil
	}
	w := &watchers{observers: observers, events: make(chan httphook.Event, 16*maxEvents), done: make(chan struct{})}
	go w.run()
	return w
}

// run gathers events for up to a second.
func (w *watchers) run() {
	defer close(w.done)
	batch := make([]httphook.Event, 0, maxEvents)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case e, open := <-w.events:
			if !open {
				w.tell(batch)
				return
			}
			if batch = append(batch, e); len(batch) < maxEvents {
				continue
			}
		case <-tick.C:
		}
		w.tell(batch)
		batch = batch[:0]
	}
}

func (w *watchers) tell(batch []httphook.Event) {
	if len(batch) == 0 {
		return
	}
	for _, o := range w.observers {
		o.Observe(batch)
	}
}

// close tells the rest.
func (w *watchers) close() {
	if w != nil {
		close(w.events)
		<-w.done
	}
}

// record tells of the exchange. It waits where observers are far behind: they are told of all.
func (x *exchange) record() {
	w := x.c.watchers
	if w == nil {
		return
	}
	end := time.Now()
	e := httphook.Event{
		Time: uint64(end.UnixNano()), Elapsed: uint32(min(end.Sub(x.began).Microseconds(), 1<<32-1)), Size: uint32(min(x.sent, 1<<32-1)),
		Status: uint16(x.code), Method: httphook.MethodOf(x.r.Method), Outcome: x.outcome,
	}
	if x.primary != "" {
		e.KeyHash = maphash.String(x.c.hooks.seed, x.primary)
	}
	if x.outcome == httphook.OutcomeHit || x.outcome == httphook.OutcomeStale {
		e.Age = uint32(x.fresh.Age(x.now) / time.Second)
	}
	w.events <- e
}
