package rfc9110

import (
	"net/http"
	"strings"
	"time"
)

// Validators tell one state of a representation from another.
type Validators struct {
	// ETag is the entity tag as it stands in the header, "" for none.
	ETag string
	// Modified is Last-Modified, to the second. Zero is none.
	Modified time.Time
	// StrongDate says that the representation did not change twice within the second of Modified, which so is a strong
	// validator, too (section 8.8.2.2).
	StrongDate bool
}

func (v *Validators) dated() bool { return !v.Modified.IsZero() }

// Verdict is what preconditions make of a request.
type Verdict uint8

// The verdicts.
const (
	Proceed            Verdict = iota
	NotModified                // 304
	PreconditionFailed         // 412
)

// Evaluate looks at the preconditions of a request for a resource that has a representation, in the order of section 13.2.2.
// It is for who has the resource: a cache asks Unmodified. The keys of h must be canonical.
func Evaluate(method string, h http.Header, v *Validators) Verdict {
	if lines := h["If-Match"]; len(lines) > 0 {
		if !listed(lines, v.ETag, StrongMatch) {
			return PreconditionFailed
		}
	} else if since, ok := date(h, "If-Unmodified-Since"); ok && v.Modified.After(since) {
		return PreconditionFailed
	}
	read := method == http.MethodGet || method == http.MethodHead
	switch {
	case read && Unmodified(h, v):
		return NotModified
	case !read && len(h["If-None-Match"]) > 0 && listed(h["If-None-Match"], v.ETag, WeakMatch):
		return PreconditionFailed
	}
	return Proceed
}

// Unmodified reports whether a GET or HEAD is to be answered with 304, as far as If-None-Match and If-Modified-Since go, which
// are all that a cache evaluates (RFC 9111, section 4.3.2). If-None-Match, where there is one, decides alone. The keys of h
// must be canonical.
func Unmodified(h http.Header, v *Validators) bool {
	if lines := h["If-None-Match"]; len(lines) > 0 {
		return listed(lines, v.ETag, WeakMatch)
	}
	since, ok := date(h, "If-Modified-Since")
	return ok && v.dated() && !v.Modified.After(since)
}

// IfRange reports whether If-Range lets a Range through (section 13.1.5): there is none, or it has the very validator, and
// that is a strong one. The keys of h must be canonical.
func IfRange(h http.Header, v *Validators) bool {
	lines := h["If-Range"]
	if len(lines) == 0 {
		return true
	}
	given := trim(lines[0])
	switch {
	case len(lines) > 1:
		return false
	case strings.HasPrefix(given, `"`) || strings.HasPrefix(given, "W/"):
		return StrongMatch(given, v.ETag)
	}
	t, err := http.ParseTime(given)
	return err == nil && v.dated() && v.StrongDate && t.Equal(v.Modified)
}

// date returns the date of a header that has one; others are to be ignored (sections 13.1.3 and 13.1.4).
func date(h http.Header, name string) (time.Time, bool) {
	lines := h[name]
	if len(lines) != 1 {
		return time.Time{}, false
	}
	t, err := http.ParseTime(lines[0])
	return t, err == nil
}
