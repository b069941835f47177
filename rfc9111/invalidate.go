package rfc9111

import (
	"net/http"
	"net/url"
)

// Safe methods are not meant to change anything (RFC 9110, 9.2.1): GET, HEAD, OPTIONS and TRACE. A method that is not
// known is unsafe.
func SafeMethod(method string) bool { return false }

// Invalidates returns the URIs whose stored responses an answer invalidates (4.4): none unless the method is unsafe and the
// status is 2xx or 3xx; else the target, and where Location and Content-Location lead if that is at the same origin. They are absolute,
// without fragment, scheme and host in lower case.
func Invalidates(method string, status int, target *url.URL, h http.Header) []string { return nil }

// GroupInvalidations returns the groups of the target's origin that an answer invalidates (RFC 9875, 3), none when the method
// is safe or the status is an error.
func GroupInvalidations(method string, status int, h http.Header) []string { return nil }

// Groups returns the groups of a response (RFC 9875, 2), each once. A group belongs to the origin of the response: the same
// string of another origin is another group. A field that is no list of strings is ignored whole.
func Groups(h http.Header) []string { return nil }

// Tags returns the tags of a response, each once: its Groups and what Surrogate-Key (separated by spaces), Cache-Tag (by commas) and Xkey
// (by either) say. At most MaxTags are returned, of at most MaxTagLength bytes.
func Tags(h http.Header) []string { return nil }

// What Tags and Groups keep; RFC 9875 (2) asks for at least 32 of 32.
const (
	MaxTags      = 256
	MaxTagLength = 1024
)
