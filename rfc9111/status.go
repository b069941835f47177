package rfc9111

// Fwd is why a request went to the origin (RFC 9211, 2.2).
type Fwd string

// The reasons of RFC 9211, 2.2.
const (
	FwdNone    Fwd = ""
	FwdBypass  Fwd = "bypass"
	FwdMethod  Fwd = "method"
	FwdURIMiss Fwd = "uri-miss"
	FwdVary    Fwd = "vary-miss"
	FwdMiss    Fwd = "miss"
	FwdRequest Fwd = "request"
	FwdStale   Fwd = "stale"
	FwdPartial Fwd = "partial"
)

// CacheStatus is what one cache did with a request: a member of the Cache-Status field (RFC 9211).
type CacheStatus struct {
	// Cache names the cache; it should be a token.
	Cache string
	// Hit says that the response is from the cache. Fwd and what belongs to it are then left out (2.1).
	Hit bool
	Fwd Fwd
	// FwdStatus is the status that the origin gave; zero when it is not to be told or is the one delivered.
	FwdStatus int
	// Stored and Collapsed are about a forwarded request.
	Stored, Collapsed bool
	// TTL is for how many seconds the response stays fresh, negative when it is stale; HasTTL says that it is to be told.
	TTL    int64
	HasTTL bool
	// Key is the cache key; empty hides it.
	Key string
	// Detail is for what has no parameter of its own, such as a Reason; empty is none.
	Detail string
}

// Append appends s to dst, as the last member of a list that is in dst already or as its first. It allocates nothing when dst
// has the room. Names and details that are no tokens become strings; bytes that a string can't have become "?".
func (s *CacheStatus) Append(dst []byte) []byte { return dst }
