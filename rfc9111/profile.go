package rfc9111

import "time"

// CookieRule says which responses with Set-Cookie a shared cache stores. Private caches store all of them.
type CookieRule uint8

const (
	// CookiesNever stores none of them.
	CookiesNever CookieRule = iota
	// CookiesPublic stores those whose cache directives say public.
	CookiesPublic
	// CookiesAlways stores them as any other, as RFC 9111 (7.3) has it.
	CookiesAlways
)

// Profile says how a cache reads the RFCs where they leave a choice. The zero value is a careful shared cache without
// targeted fields. A Profile is not changed once it is in use.
type Profile struct {
	// Private makes it the cache of one user: private and Authorization do not matter, s-maxage, proxy-revalidate and
	// targeted fields are not looked at.
	Private bool
	// SetCookie is about responses with Set-Cookie.
	SetCookie CookieRule
	// CookieHeuristics lets a shared cache store a response that says nothing of its freshness to a request with Cookie. RFC
	// 9111 has no objection, but origins that forget Cache-Control on personal pages do.
	CookieHeuristics bool
	// Targets are the targeted fields of RFC 9213 in the order in which they count, canonical names.
	Targets []string
	// HeuristicPercent is the share of the time since Last-Modified that a response without explicit freshness is fresh
	// (4.2.2). Zero means 10, a negative number no heuristics.
	HeuristicPercent int
	// MaxHeuristic bounds what HeuristicPercent gives. Zero means a week.
	MaxHeuristic time.Duration
	// NamedStaleness lets a shared cache serve stale what has s-maxage within the stale-while-revalidate and stale-if-error
	// that the response itself names. RFC 9111 (5.2.2.10) forbids that, and the origins that send both ask for it.
	NamedStaleness bool
	// StaleWhileRevalidate and StaleIfError count for responses that do not say their own and that nothing forbids to be
	// served stale (4.2.4: "configuration").
	StaleWhileRevalidate, StaleIfError time.Duration
}

// RFC returns the profile that stores all that RFC 9111 lets a shared cache store.
func RFC() Profile {
	return Profile{SetCookie: CookiesAlways, CookieHeuristics: true, Targets: DefaultTargets()}
}

// Safe returns the profile that leaves out what RFC 9111 allows and what has leaked between users all the same: responses
// with Set-Cookie, and those that say nothing of their freshness to requests with Cookie. It heeds the staleness that is named
// beside s-maxage.
func Safe() Profile {
	return Profile{Targets: DefaultTargets(), NamedStaleness: true}
}

// OwnTarget is the targeted field for edgecache alone. It is not passed on.
const OwnTarget = "Edgecache-Cache-Control"

// DefaultTargets returns the targeted fields that edgecache listens to, its own first.
func DefaultTargets() []string {
	return []string{OwnTarget, "Cdn-Cache-Control"}
}

// directives reads those of a response as the profile listens to them.
func (p *Profile) directives(x *Exchange) Directives {
	if p.Private {
		return ParseResponse(x.Response, nil)
	}
	return ParseResponse(x.Response, p.Targets)
}

// heuristic returns the lifetime of a response that was modified so long before it was sent (4.2.2).
func (p *Profile) heuristic(unchanged time.Duration) time.Duration {
	percent, most := p.HeuristicPercent, p.MaxHeuristic
	if percent == 0 {
		percent = 10
	}
	if most == 0 {
		most = 7 * 24 * time.Hour
	}
	return max(0, min(unchanged/100*time.Duration(percent), most))
}
