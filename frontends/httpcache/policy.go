package httpcache

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/rfc9111"
)

// longest is how long anything stays stored: for as long purges are remembered.
const longest = 30 * 24 * time.Hour

// routeOf returns the first route that fits r, or nil.
func (c *Cache) routeOf(r *http.Request) *Route {
	for i := range c.options.Routes {
		if c.options.Routes[i].fits(host(r), r.URL.Path) {
			return &c.options.Routes[i]
		}
	}
	return nil
}

// fits reports whether the route is about a request.
func (t *Route) fits(host, path string) bool {
	if !strings.HasPrefix(path, t.Path) {
		return false
	}
	if t.Host == "" {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if below, ok := strings.CutPrefix(t.Host, "*"); ok {
		return len(host) > len(below) && strings.EqualFold(host[len(host)-len(below):], below)
	}
	return strings.EqualFold(host, t.Host)
}

// adjust makes the options count in what RFC 9111 says of a response.
func (c *Cache) adjust(d *rfc9111.Decision, e *rfc9111.Exchange, route *Route) {
	o := &c.options
	explicit := isExplicit(d, e.Response)
	if !explicit && o.DefaultTTL > 0 && d.Freshness.Lifetime == 0 && mayDefault(e.Status) &&
		(d.Reason == rfc9111.NoFreshness || d.Reason == rfc9111.Storable) {
		d.Reason, d.Freshness.Lifetime = rfc9111.Storable, o.DefaultTTL
	}
	if d.Reason == rfc9111.NoFreshness && route != nil && route.TTL > 0 {
		d.Reason = rfc9111.Storable
	}
	if d.Reason != rfc9111.Storable {
		return
	}
	switch {
	case o.Statuses != nil && !slices.Contains(o.Statuses, e.Status), malformed(e.Status) && !explicit:
		d.Reason = rfc9111.NoFreshness
	case d.Freshness.Flags&rfc9111.FlagNoCache != 0:
	case route != nil && route.TTL > 0:
		d.Freshness.Lifetime = route.TTL
	default:
		if o.MaxTTL > 0 {
			d.Freshness.Lifetime = min(d.Freshness.Lifetime, o.MaxTTL)
		}
		d.Freshness.Lifetime = max(d.Freshness.Lifetime, o.MinTTL)
	}
}

// isExplicit reports whether the response says itself for how long it is fresh, or that it is not.
func isExplicit(d *rfc9111.Decision, h http.Header) bool {
	r := &d.Directives
	return r.MaxAge != rfc9111.Absent || r.SMaxAge != rfc9111.Absent || r.NoCache || r.Source == "" && len(h["Expires"]) > 0
}

// malformed are the statuses of requests that were malformed in ways that keys do not tell (cache-poisoned denial of service).
func malformed(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusRequestHeaderFieldsTooLarge
}

// mayDefault are the statuses that DefaultTTL is for.
func mayDefault(status int) bool {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusNoContent, http.StatusMultipleChoices, http.StatusMovedPermanently,
		http.StatusPermanentRedirect, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

// keep is how long a response stays stored.
func (c *Cache) keep(f *rfc9111.Freshness) time.Duration {
	left := max(f.Lifetime-f.InitialAge, 0)
	after := max(f.StaleWhileRevalidate, f.StaleIfError, c.options.Keep)
	return min(max(left+after, time.Second), longest)
}

// url returns the target URI.
func (x *exchange) url() *url.URL {
	u := *x.r.URL
	u.Scheme, u.Host = scheme(x.r), string(appendLower(nil, host(x.r)))
	return &u
}

// invalidate makes void what an answer to an unsafe method outdates (RFC 9111, section 4.4, and RFC 9875, section 3).
func (x *exchange) invalidate(status int, h http.Header) {
	if !rfc9111.Invalidates(x.r.Method, status) {
		return
	}
	ctx, target := x.background(), x.url()
	x.c.forget(ctx, x.primary)
	for _, key := range x.c.searches.find(x.primary) {
		x.c.forget(ctx, key)
	}
	for _, key := range rfc9111.InvalidatedURIs(target, h) {
		x.c.forget(ctx, key)
	}
	for _, g := range rfc9111.GroupInvalidations(h) {
		x.c.counts.invalidated.Add(1)
		if err := x.c.index.Purge(ctx, invalid.Target{Kind: invalid.Tag, Name: groupTag(target, g)}); err != nil {
			x.c.warn("group invalidated on this node alone", err)
		}
	}
}

// groupTag is the tag of a group of an origin.
func groupTag(u *url.URL, group string) string { return u.Scheme + "://" + u.Host + " " + group }

// tags returns the tags of a response to the request: those it names, and its groups as those of its origin.
func (x *exchange) tags(h http.Header) []string {
	tags := rfc9111.Tags(h)
	if len(h["Cache-Groups"]) == 0 {
		return tags
	}
	u := x.url()
	for _, g := range rfc9111.Groups(h) {
		tags = append(tags, groupTag(u, g))
	}
	return tags
}
