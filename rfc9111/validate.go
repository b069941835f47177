package rfc9111

import (
	"maps"
	"net/http"
	"strings"
)

// Match says how a 304 goes with a stored response.
type Match uint8

const (
	// MatchNone is a 304 for another response: the stored one must not be updated.
	MatchNone Match = iota
	// MatchWeak updates the most recent of the stored responses that match.
	MatchWeak
	// MatchStrong updates every stored response that matches.
	MatchStrong
)

// hasValidator reports whether a response with header h can be validated.
func hasValidator(h http.Header) bool {
	return isETag(firstLine(h["Etag"])) || isDate(firstLine(h["Last-Modified"]))
}

func isDate(s string) bool {
	_, ok := ParseDate(s)
	return ok
}

// isETag reports whether s is an entity-tag (RFC 9110, 8.8.3).
func isETag(s string) bool {
	opaque := strings.TrimPrefix(s, "W/")
	return len(opaque) >= 2 && opaque[0] == '"' && strings.IndexByte(opaque[1:], '"') == len(opaque)-2
}

// isStrong reports whether s is a strong entity-tag.
func isStrong(s string) bool { return isETag(s) && s[0] == '"' }

// SetCondition makes of req, the header of a request for the same URI, one that validates the response with header stored
// (4.3.1): its validators take the place of If-None-Match and If-Modified-Since, and If-Match, If-Unmodified-Since, If-Range and
// Range are removed. It reports whether stored has a validator; without one req is not changed.
func SetCondition(req, stored http.Header) bool {
	if !hasValidator(stored) {
		return false
	}
	remove(req, []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"})
	if etag := firstLine(stored["Etag"]); isETag(etag) {
		req["If-None-Match"] = []string{etag}
	}
	if modified := firstLine(stored["Last-Modified"]); isDate(modified) {
		req["If-Modified-Since"] = []string{modified}
	}
	return true
}

// Matches304 says whether the 304 with header got identifies the response with header stored (4.3.4). A 304 that has no
// validator at all counts if sole is true: no other response is stored for the URI, and the condition was that of SetCondition,
// so that nothing else can be meant. (By the letter it would have to have the validators of the 200, RFC 9110, 15.4.5; many
// origins forget.)
func Matches304(stored, got http.Header, sole bool) Match {
	etag, was := firstLine(got["Etag"]), firstLine(stored["Etag"])
	switch {
	case isStrong(etag) && was == etag:
		return MatchStrong
	case isETag(etag) && isETag(was):
		if !isStrong(etag) && strings.TrimPrefix(etag, "W/") == strings.TrimPrefix(was, "W/") {
			return MatchWeak
		}
		return MatchNone
	case len(got["Last-Modified"]) > 0:
		return matchesModified(stored, got)
	case isETag(etag) || !sole:
		return MatchNone
	}
	return MatchWeak
}

// matchesModified compares Last-Modified, which is a weak validator.
func matchesModified(stored, got http.Header) Match {
	now, ok := ParseDate(firstLine(got["Last-Modified"]))
	was, had := ParseDate(firstLine(stored["Last-Modified"]))
	if ok && had && now.Equal(was) {
		return MatchWeak
	}
	return MatchNone
}

// Freshen returns the header of a stored response after a 304 that matches it, or a HEAD that agrees with it, with header got
// (3.2): the fields of got take the places of those in stored, but for those of one hop and those that go with the bytes of the
// body: Content-Length, Content-Encoding and Content-Range. What got does not say of Date and Age is unknown. The map is new;
// values are shared.
//
// It goes on as with any response: an Exchange with the result as Response is given to Store. If the Reason is Storable or
// NoFreshness, the Decision's Freshness and the StoredHeader of the same Exchange, not the result itself, take the places of what
// is stored; else see Revokes.
func Freshen(stored, got http.Header) http.Header {
	fresh := maps.Clone(stored)
	if fresh == nil {
		fresh = http.Header{}
	}
	remove(fresh, []string{"Date", "Age"})
	news := maps.Clone(got)
	removeHop(news)
	remove(news, []string{"Content-Length", "Content-Encoding", "Content-Range"})
	maps.Copy(fresh, news)
	return fresh
}

// HeadAgrees says whether a 200 to a HEAD with header got is about the stored response to a GET (4.3.5): then the stored one
// is to be freshened, otherwise to be made stale. Content-Length, ETag and Last-Modified count where got has them.
func HeadAgrees(stored, got http.Header) bool {
	for _, name := range [...]string{"Content-Length", "Etag", "Last-Modified"} {
		if len(got[name]) > 0 && firstLine(got[name]) != firstLine(stored[name]) {
			return false
		}
	}
	return true
}
