package rfc9111

import "net/http"

// Fields is where the fields of a request are read from; an http.Header is one. The result is not changed.
type Fields interface {
	Values(name string) []string
}

// VaryFields returns the names of the request fields that a response with header h was selected by (RFC 9110, 12.5.5):
// canonical, sorted, each once. star is true for "*" and for what is no list of names: no request matches (4.1).
func VaryFields(h http.Header) (names []string, star bool) { return nil, false }

// AppendVariant appends to dst what tells the variants of one URI apart: the values that the fields in names, which is from
// VaryFields, have in a request. Two requests get the same bytes if and only if they match (4.1): a field is absent in both,
// or equal in both once normalised by AppendSelecting. It allocates nothing when dst has the room, but for fields with
// several values or a list of languages.
func AppendVariant(dst []byte, names []string, req Fields) []byte { return dst }

// AppendSelecting appends the normal form of the values of the request field with the canonical name. Several lines are one
// list; space around its commas does not count. Accept-Encoding is reduced to the codings br, zstd and gzip that it accepts,
// in this order whatever the client's is, and to "identity" if there are none. Accept-Language is in lower case, by falling weight and
// then by name.
func AppendSelecting(dst []byte, name string, values []string) []byte { return dst }
