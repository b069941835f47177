package rfc9111

import (
	"strconv"
)

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
	// Hit says that the response is from the cache. Fwd and what belongs to it are then left out (RFC 9211, 2.1).
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

// Append appends s to dst: as the last member if a list is in dst already, else as the first. It allocates nothing when dst has
// the room. Names and details that are no tokens become strings; bytes that a string can't have become "?".
func (s *CacheStatus) Append(dst []byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, ", "...)
	}
	dst = appendText(dst, s.Cache)
	if s.Hit {
		dst = append(dst, "; hit"...)
	} else if s.Fwd != FwdNone {
		dst = s.appendFwd(dst)
	}
	if s.HasTTL {
		dst = append(dst, "; ttl="...)
		dst = strconv.AppendInt(dst, s.TTL, 10)
	}
	if s.Key != "" {
		dst = append(dst, "; key="...)
		dst = appendString(dst, s.Key)
	}
	if s.Detail != "" {
		dst = append(dst, "; detail="...)
		dst = appendText(dst, s.Detail)
	}
	return dst
}

func (s *CacheStatus) appendFwd(dst []byte) []byte {
	dst = append(dst, "; fwd="...)
	dst = append(dst, s.Fwd...)
	if s.FwdStatus != 0 {
		dst = append(dst, "; fwd-status="...)
		dst = strconv.AppendInt(dst, int64(s.FwdStatus), 10)
	}
	if s.Stored {
		dst = append(dst, "; stored"...)
	}
	if s.Collapsed {
		dst = append(dst, "; collapsed"...)
	}
	return dst
}

// appendText appends s as a token of structured fields (RFC 9651, 3.3.4) if it is one, else as a string.
func appendText(dst []byte, s string) []byte {
	if s == "" || !isAlpha(s[0]) && s[0] != '*' {
		return appendString(dst, s)
	}
	for i := range len(s) {
		if !isTokenByte(s[i]) && s[i] != ':' && s[i] != '/' {
			return appendString(dst, s)
		}
	}
	return append(dst, s...)
}

// appendString appends s as a string (RFC 9651, 4.1.6).
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"', c == '\\':
			dst = append(dst, '\\', c)
		case !isPrintable(c):
			dst = append(dst, '?')
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
