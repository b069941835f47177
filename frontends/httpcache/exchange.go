package httpcache

import (
	"net/http"
	"strings"
	"time"
	"unsafe"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/rfc9111"
)

// exchange is one request on its way to an answer.
type exchange struct {
	c       *Cache
	w       http.ResponseWriter // nil in the background
	r       *http.Request
	origin  Forwarder
	gateway bool

	began   time.Time
	now     time.Time
	wants   rfc9111.RequestDirectives
	route   *Route // nil for none
	key     []byte
	primary string // key, as a view of it
	status  rfc9111.CacheStatus

	found   *store.Response   // what is stored, nil for nothing that may be used
	fresh   rfc9111.Freshness // of found
	content content           // of found
	shared  bool              // something else may still hold it
	varies  bool              // what is delivered depends on Accept-Encoding
	pinned  *store.Reader     // of a fill that began for it, nil for none

	calls  *calls       // nil unless there are hooks
	fields store.Fields // of the request, to select by
	ask    string       // what the origin is asked for in place of the target, "" for that

	outcome httphook.Outcome
	code    int   // the status that the client got
	sent    int64 // about how many bytes of body it got
}

// begin takes x for r.
func (x *exchange) begin(h *handler, w http.ResponseWriter, r *http.Request) {
	*x = exchange{c: h.c, w: w, r: r, origin: h.origin, gateway: h.gateway, key: x.key[:0], calls: x.calls, fields: r.Header}
	x.began = time.Now()
	x.now = x.began
	x.status.Cache = h.c.options.Name
}

// end lets go what x holds of the exchange.
func (x *exchange) end() { *x = exchange{key: x.key[:0], calls: x.calls} }

// run answers the request.
func (x *exchange) run() {
	x.c.counts.requests.Add(1)
	r := x.r
	if r.Method == http.MethodConnect || upgrades(r.Header) {
		x.tunnel()
		return
	}
	x.route = x.c.routeOf(r)
	bypass := x.route != nil && x.route.Bypass
	if x.c.hooks.any {
		var ended bool
		x.see()
		if ended, bypass = x.hookRequest(bypass); ended {
			return
		}
		r = x.r
	}
	fwd, err := x.passes(bypass)
	if err != nil {
		x.refuse(err)
		return
	}
	if fwd != rfc9111.FwdNone {
		x.pass(fwd)
		return
	}
	x.wants = rfc9111.ParseRequest(r.Header)
	if r.Method == http.MethodPost {
		x.alone(rfc9111.FwdMethod)
		return
	}
	miss := x.lookup()
	switch {
	case x.found != nil:
		x.reuse()
	case miss == store.MissVary:
		x.miss(rfc9111.FwdVary)
	default:
		x.miss(rfc9111.FwdURIMiss)
	}
}

// passes says why the cache has nothing to do with the request, and makes its key if there is one.
func (x *exchange) passes(bypass bool) (rfc9111.Fwd, error) {
	r := x.r
	if bypass {
		return rfc9111.FwdBypass, nil
	}
	keyed, err := x.makeKey()
	switch read := r.Method == http.MethodGet || r.Method == http.MethodHead; {
	case !read && r.Method != http.MethodPost:
		return rfc9111.FwdMethod, err
	case !keyed, read && (r.ContentLength != 0 || len(r.TransferEncoding) > 0): // a body that the key does not know
		x.primary = ""
		return rfc9111.FwdBypass, err
	}
	return rfc9111.FwdNone, err
}

// makeKey makes the key and reports whether there is one. An error is a hook's.
func (x *exchange) makeKey() (bool, error) {
	t := target(x.r)
	if t == "" {
		return false, nil
	}
	x.key = appendKey(x.key[:0], scheme(x.r), host(x.r), t)
	if len(x.c.hooks.key) > 0 {
		if err := x.hookKey(); err != nil {
			return false, err
		}
	}
	if len(x.key) > maxKey {
		return false, nil
	}
	x.primary = unsafe.String(unsafe.SliceData(x.key), len(x.key))
	if x.c.options.ShowKey {
		x.status.Key = string(x.key)
	}
	return true, nil
}

// lookup finds what is stored for the request, unless it has been purged.
func (x *exchange) lookup() store.Miss {
	miss := x.lookupAt(x.primary)
	if miss == store.Hit {
		return miss
	}
	for _, other := range x.c.searches.find(x.primary) {
		if x.lookupAt(other) == store.Hit && equivalent(x.found, x.primary, other) {
			x.key = append(x.key[:0], other...)
			x.primary = unsafe.String(unsafe.SliceData(x.key), len(x.key))
			return store.Hit
		}
		x.found = nil
	}
	return miss
}

func (x *exchange) lookupAt(key string) store.Miss {
	r, miss := x.c.store.Lookup(x.r.Context(), key, x.fields)
	if r == nil {
		return miss
	}
	hard, soft := x.c.index.State(r.Marks())
	if hard {
		return store.MissURI
	}
	x.fresh = *r.Freshness()
	if soft != 0 {
		x.fresh = x.fresh.StaleSince(time.Unix(0, soft))
	}
	x.found = r
	return store.Hit
}

// reuse delivers what was found, or validates it.
func (x *exchange) reuse() {
	verdict := httphook.Use
	if len(x.c.hooks.lookup) > 0 {
		var err error
		if verdict, err = x.hookLookup(); err != nil {
			x.refuse(err)
			return
		}
	}
	switch {
	case verdict == httphook.Miss:
		x.found = nil
		x.miss(rfc9111.FwdMiss)
	case x.partial():
		x.complete()
	case verdict == httphook.Revalidate:
		x.miss(rfc9111.FwdRequest)
	default:
		x.reuseAs(x.fresh.Reuse(x.now, &x.wants))
	}
}

func (x *exchange) reuseAs(v rfc9111.Verdict) {
	switch v {
	case rfc9111.Fresh:
		x.hit("")
	case rfc9111.StaleAllowed:
		x.hit("max-stale")
	case rfc9111.StaleRevalidate:
		x.refresh()
		x.hit("stale-while-revalidate")
	default:
		if x.fresh.TTL(x.now) > 0 {
			x.miss(rfc9111.FwdRequest)
			return
		}
		x.miss(rfc9111.FwdStale)
	}
}

// hit delivers what was found.
func (x *exchange) hit(detail string) {
	x.status.Hit, x.status.Detail = true, detail
	x.c.counts.hits.Add(1)
	x.outcome = httphook.OutcomeHit
	if detail != "" {
		x.outcome = httphook.OutcomeStale
		x.c.counts.stale.Add(1)
	}
	x.deliverFound()
}

// upgrades reports whether a request wants another protocol on its connection (RFC 9110, section 7.8).
func upgrades(h http.Header) bool {
	if len(h["Upgrade"]) == 0 {
		return false
	}
	for _, line := range h["Connection"] {
		for token := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(token, " \t"), "upgrade") {
				return true
			}
		}
	}
	return false
}
