// Package rfc9110 has parts of RFC 9110, HTTP Semantics, that servers and caches share, as pure functions: preconditions
// (section 13), ranges (section 14), the choice of a content coding (section 12.5.3) and entity tags (section 8.8.3).
package rfc9110
