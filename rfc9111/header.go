package rfc9111

import "net/http"

// StoredHeader returns a copy of h with what may be stored (3.1): without Connection and what it lists, the other fields of
// one hop, proxy authentication, the fields of qualified private (shared caches only) and no-cache directives in d, and
// Set-Cookie when the profile does not store it. Values are shared with h, which must not be changed any more.
func (p *Profile) StoredHeader(h http.Header, d *Directives) http.Header { return nil }

// DeliveredHeader returns a copy of a stored header without what is for edgecache alone: OwnTarget, and the tags of
// Surrogate-Key, Cache-Tag and Xkey. Values are shared.
func DeliveredHeader(h http.Header) http.Header { return nil }
