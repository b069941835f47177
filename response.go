package edgecache

import (
	"net/url"
	"strings"
	"time"
)

// ResponseTTL is how long a response is kept that says nothing else.
const ResponseTTL = time.Minute

// ResponseKey returns the key of a response: method, path and query, whose parameters are sorted by name, those of one name
// in their order, so that requests for the same thing have the same key. It is no longer than they are, and a little.
func ResponseKey(method string, u *url.URL) string {
	var b strings.Builder
	b.WriteString(strings.ToUpper(method))
	b.WriteByte(' ')
	b.WriteString(u.EscapedPath())
	if u.RawQuery == "" {
		return b.String()
	}
	b.WriteByte('?')
	if query, err := url.ParseQuery(u.RawQuery); err == nil {
		b.WriteString(query.Encode())
	} else {
		b.WriteString(u.RawQuery) // whatever it is, it is the request's own
	}
	return b.String()
}

// CacheableStatus reports whether a response with a status is kept where nothing else is said: those that tell what is
// there, and the redirects that are for good.
func CacheableStatus(status int) bool {
	return status/100 == 2 || status == 301 || status == 308
}
