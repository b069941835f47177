package rfc9111

import (
	"maps"
	"net/http"
)

// StoredHeader returns what of x's response header may be stored (3.1): all but Connection and what it lists, the other fields of
// one hop, proxy authentication, Age (it is in the Freshness), the fields of qualified private (shared caches only) and no-cache
// directives in d, and Set-Cookie when the profile does not store it. Date is added if it is missing (RFC 9110, 6.6.1). The
// map is new; values are shared with x, which must not be changed any more.
func (p *Profile) StoredHeader(x *Exchange, d *Directives) http.Header {
	kept := maps.Clone(x.Response)
	if kept == nil {
		kept = http.Header{}
	}
	removeHop(kept)
	delete(kept, "Age")
	remove(kept, d.NoCacheFields)
	if !p.Private {
		remove(kept, d.PrivateFields)
	}
	if !p.stores(d) {
		delete(kept, "Set-Cookie")
	}
	if len(kept["Date"]) == 0 {
		kept["Date"] = []string{x.ResponseTime.UTC().Format(http.TimeFormat)}
	}
	return kept
}

// removeHop takes out of h what is for one connection alone (RFC 9110, 7.6.1), and what is for a client of this proxy.
func removeHop(h http.Header) {
	for _, line := range h["Connection"] {
		listed, _ := fieldNames([]string{line})
		remove(h, listed)
	}
	remove(h, []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Transfer-Encoding", "Upgrade",
		"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
	})
}

func remove(h http.Header, names []string) {
	for _, name := range names {
		delete(h, name)
	}
}

// tagFields are the fields that tag a response for caches like this one, and that clients have no use for.
var tagFields = [...]string{"Surrogate-Key", "Cache-Tag", "Xkey"}

// DeliveredHeader returns a stored header without what is for edgecache alone: OwnTarget, Surrogate-Key, Cache-Tag and Xkey. It
// is h itself if there are none of them, else a new map that shares h's values.
func DeliveredHeader(h http.Header) http.Header {
	has := len(h[OwnTarget]) > 0
	for _, name := range tagFields {
		has = has || len(h[name]) > 0
	}
	if !has {
		return h
	}
	delivered := maps.Clone(h)
	delete(delivered, OwnTarget)
	remove(delivered, tagFields[:])
	return delivered
}
