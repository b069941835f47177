package httpcache

import (
	"net/http"
	"slices"
	"strings"
)

// maxKey is the longest key in bytes. What has a longer one is not looked up.
const maxKey = 16 << 10

// separator stands between the target and what hooks add to a key. No target has it: net/http takes no control characters.
const separator = 0x1f

// appendKey appends the primary key of a request: scheme://host/path?query, the bytes of path and query as they are forwarded.
// A request without a key, of another form than these, makes it "".
func appendKey(dst []byte, scheme, host, target string) []byte {
	dst = slices.Grow(dst, len(scheme)+len("://")+len(host)+len(target))
	dst = append(dst, scheme...)
	dst = append(dst, "://"...)
	dst = appendLower(dst, host)
	return append(dst, target...)
}

// appendLower appends s in lower case as far as it is ASCII.
func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		b := s[i]
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		dst = append(dst, b)
	}
	return dst
}

// scheme returns what the client speaks. Servers trust the connection alone: an absolute target could claim anything.
func scheme(r *http.Request) string {
	switch {
	case r.TLS != nil, r.RequestURI == "" && r.URL.Scheme == "https":
		return "https"
	default:
		return "http"
	}
}

// host returns the authority that the request is for.
func host(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host // requests of clients
}

// target returns path and query as they are forwarded, without an allocation unless hooks or muxes have rewritten them, or "" for
// requests that have none.
func target(r *http.Request) string {
	u := r.URL
	if u.Opaque != "" || u.Path == "*" {
		return ""
	}
	if raw := r.RequestURI; raw != "" && raw[0] == '/' {
		path, query, _ := strings.Cut(raw, "?")
		if query == u.RawQuery && (path == u.RawPath || u.RawPath == "" && path == u.Path) {
			return raw
		}
	}
	return u.RequestURI()
}
