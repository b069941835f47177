package rfc9111

import (
	"net/http"
	"strings"
	"time"
)

// RequestDirectives are the cache directives of a request (5.2.1). Durations are whole seconds of at most MaxDelta, or Absent.
type RequestDirectives struct {
	// MaxAge is how old a response may be; MinFresh how long it must stay fresh.
	MaxAge, MinFresh time.Duration
	// MaxStale is how long a response may have been stale; MaxDelta when max-stale has no value.
	MaxStale time.Duration
	// StaleIfError is how long a response may have been stale when the origin fails (RFC 5861, 4).
	StaleIfError time.Duration

	NoCache, NoStore, NoTransform, OnlyIfCached bool
}

// NoRequestDirectives returns those of a request that has none.
func NoRequestDirectives() RequestDirectives {
	return RequestDirectives{MaxAge: Absent, MinFresh: Absent, MaxStale: Absent, StaleIfError: Absent}
}

// ParseRequest reads the directives of a request with header h. Pragma: no-cache counts if there is no Cache-Control (5.4).
// Arguments that are broken are as if the directive were not there. It allocates nothing.
func ParseRequest(h http.Header) RequestDirectives {
	d := NoRequestDirectives()
	lines, ok := h["Cache-Control"]
	if !ok {
		d.NoCache = hasNoCache(h["Pragma"])
		return d
	}
	r := directiveReader{lines: lines}
	for r.next() {
		d.add(r.name, r.value, r.form)
	}
	return d
}

func (d *RequestDirectives) add(name, value string, form argument) {
	switch {
	case strings.EqualFold(name, "max-age"):
		first(&d.MaxAge, orAbsent(value, form))
	case strings.EqualFold(name, "no-cache"):
		d.NoCache = true
	case strings.EqualFold(name, "no-store"):
		d.NoStore = true
	case strings.EqualFold(name, "no-transform"):
		d.NoTransform = true
	case strings.EqualFold(name, "only-if-cached"):
		d.OnlyIfCached = true
	case strings.EqualFold(name, "min-fresh"):
		first(&d.MinFresh, orAbsent(value, form))
	case strings.EqualFold(name, "max-stale") && form == argumentNone:
		first(&d.MaxStale, MaxDelta)
	case strings.EqualFold(name, "max-stale"):
		first(&d.MaxStale, orAbsent(value, form))
	case strings.EqualFold(name, "stale-if-error"):
		first(&d.StaleIfError, orAbsent(value, form))
	}
}

func hasNoCache(pragma []string) bool {
	r := directiveReader{lines: pragma}
	for r.next() {
		if strings.EqualFold(r.name, "no-cache") {
			return true
		}
	}
	return false
}
