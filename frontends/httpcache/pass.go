package httpcache

import (
	"context"
	"net/http"

	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/rfc9111"
)

// tunnel lets the origin have the client's connection: nothing of it is HTTP that a cache knows.
func (x *exchange) tunnel() {
	x.shared = true
	x.c.counts.passed.Add(1)
	x.status.Fwd = rfc9111.FwdBypass
	x.w.Header()["Cache-Status"] = []string{x.statusLine()}
	if err := x.origin.Forward(x.w, x.r); err != nil {
		x.failed(err)
	}
}

// pass lets the origin answer this client alone.
func (x *exchange) pass(fwd rfc9111.Fwd) {
	x.c.counts.passed.Add(1)
	x.status.Fwd, x.outcome = fwd, httphook.OutcomeBypass
	x.lead(&plan{keep: true, attached: true})
}

// forget deletes what is stored under key, and has nobody find what is on its way there.
func (c *Cache) forget(ctx context.Context, key string) {
	if key == "" {
		return
	}
	c.counts.invalidated.Add(1)
	c.voids.add(key)
	c.flights.void(key)
	if _, err := c.store.Delete(ctx, key); err != nil {
		c.warn("response could not be invalidated", err)
	}
}

// revoke forgets what is stored if nobody may be served from it any more, for r.
func (x *exchange) revoke(r rfc9111.Reason) {
	if r.Revokes() {
		x.c.forget(x.background(), x.primary)
	}
}

// headed lets a HEAD's answer freshen what is stored for GET, or make it stale (RFC 9111, section 4.3.5).
func (a *answer) headed() {
	x := a.x
	if x.r.Method != http.MethodHead || a.status != http.StatusOK || x.found == nil || a.void() {
		return
	}
	h, f := x.found.Header(), x.fresh.StaleSince(x.now)
	if rfc9111.HeadAgrees(h, a.header) {
		d := a.ruling(http.MethodGet, rfc9111.Freshen(h, a.header), x.found.Status())
		if !d.store && d.Reason != rfc9111.NoFreshness {
			x.revoke(d.Reason)
			return
		}
		h, f = x.c.profile.StoredHeader(&d.seen, &d.Directives), d.Freshness
	}
	if _, err := x.c.store.Freshen(x.background(), x.found, a.meta(f, nil, h, x.found.Status())); err != nil {
		x.c.counts.unstored.Add(1)
	}
}
