package rfc9111

import "net/http"

// SearchVariance says which parts of the query of a URI do not matter (draft-ietf-httpbis-no-vary-search-05). The zero value
// is the default: all of it matters, to the byte.
type SearchVariance struct {
	// KeyOrder says that the order of different keys does not matter.
	KeyOrder bool
	// Except turns Keys round: those are the only ones that matter.
	Except bool
	// Keys are the decoded keys that do not matter, sorted.
	Keys []string
}

// ParseNoVarySearch reads No-Vary-Search. ok is false if there is none, or if it is broken or says no more than the default.
func ParseNoVarySearch(h http.Header) (v SearchVariance, ok bool) { return v, false }

// AppendCanonical appends to dst the form of a raw query (without its "?") that is the same for all queries that are
// equivalent under v. The canonical form of a canonical form is itself.
func (v *SearchVariance) AppendCanonical(dst []byte, query string) []byte { return dst }

// Append appends v as a field value; ParseNoVarySearch of it gives v again. Equal variances have equal values.
func (v *SearchVariance) Append(dst []byte) []byte { return dst }
