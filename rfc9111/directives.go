package rfc9111

import (
	"net/http"
	"time"
)

// Absent is the value of a duration that a field does not have.
const Absent time.Duration = -1

// Directives are the cache directives of a response (5.2.2, RFC 5861, RFC 8246), from Cache-Control or from a targeted field.
// Durations are whole seconds of at most MaxDelta, or Absent.
type Directives struct {
	// Source is the canonical name of the targeted field they are from, empty for Cache-Control.
	Source string

	MaxAge, SMaxAge                    time.Duration
	StaleWhileRevalidate, StaleIfError time.Duration

	NoStore, NoTransform, Public, Immutable         bool
	MustRevalidate, ProxyRevalidate, MustUnderstand bool
	// NoCache and Private are the unqualified forms; with a list of fields they are NoCacheFields and PrivateFields,
	// canonical names.
	NoCache, Private             bool
	NoCacheFields, PrivateFields []string
}

// ParseResponse reads the directives of a response with header h. The first of targets that is in h as a valid dictionary
// with at least one member is taken whole (RFC 9213, 2.2); without one, it is Cache-Control. Of several values of one
// directive the most restrictive one counts (4.2.1); what can't be understood is left out, except for a max-age, s-maxage or
// qualified no-cache or private that is broken, which counts as its strictest form.
func ParseResponse(h http.Header, targets []string) Directives { return Directives{} }

// RequestDirectives are the cache directives of a request (5.2.1). Durations are whole seconds, or Absent.
type RequestDirectives struct {
	// MaxAge is how old a response may be; MinFresh how long it must stay fresh.
	MaxAge, MinFresh time.Duration
	// MaxStale is how long a response may have been stale; MaxDelta when max-stale has no value.
	MaxStale                                    time.Duration
	NoCache, NoStore, NoTransform, OnlyIfCached bool
}

// NoRequestDirectives returns those of a request that has none.
func NoRequestDirectives() RequestDirectives {
	return RequestDirectives{MaxAge: Absent, MinFresh: Absent, MaxStale: Absent}
}

// ParseRequest reads the directives of a request with header h. Pragma: no-cache counts if there is no Cache-Control (5.4).
// It allocates nothing.
func ParseRequest(h http.Header) RequestDirectives { return NoRequestDirectives() }
