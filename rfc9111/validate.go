package rfc9111

import "net/http"

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

// SetCondition puts the validators of a stored header into a request's header, in place of what it has of If-None-Match and
// If-Modified-Since (4.3.1), and removes If-Match, If-Unmodified-Since, If-Range and Range. It reports whether stored has a
// validator; without one the request is not changed.
func SetCondition(req, stored http.Header) bool { return false }

// Matches304 says whether the 304 with header got identifies the response with header stored (4.3.4). sole says that no other
// response is stored for the request's URI, which a 304 without validators needs.
func Matches304(stored, got http.Header, sole bool) Match { return MatchNone }

// Freshen returns the header of a stored response after a 304, or a HEAD for which HeadAgrees, with header got (3.2): the
// fields of got take the places of those in stored, but for Content-Length, Content-Encoding, Content-Type, Content-Range, Transfer-Encoding, ETag
// when it is not the stored one, and what StoredHeader leaves out. The result is new; values are shared. The new
// Freshness is that of Store with the result as Response.
func (p *Profile) Freshen(stored, got http.Header) http.Header { return nil }

// HeadAgrees says whether a 200 to a HEAD with header got is about the stored response to a GET (4.3.5): then the stored one
// is freshened, otherwise it is made stale. Content-Length, ETag and Last-Modified count where got has them.
func HeadAgrees(stored, got http.Header) bool { return false }
