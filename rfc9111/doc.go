// Package rfc9111 decides what an HTTP cache may store, for how long it may reuse it, and what a request or a response makes
// of what is stored: RFC 9111 and the extensions that build on it.
//
// All of it is pure: functions over header fields and times that the caller gives. There is no clock, no I/O, no state, and
// everything is safe for concurrent use. Headers that are passed in are read, and written by SetCondition alone; their keys are
// in the canonical form of net/http.
//
// A response is judged once, when it comes, by (*Profile).Store. What later decisions need is kept in a Freshness, which has
// a fixed size, so that a hit parses nothing but the request's own Cache-Control and allocates nothing.
//
// Numbers in comments such as "4.2.4" are sections of RFC 9111 unless another document is named.
package rfc9111
