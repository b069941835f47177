package rfc9111

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// SafeMethod reports whether a method is not meant to change anything (RFC 9110, 9.2.1): GET, HEAD, OPTIONS and TRACE. A method
// that is not known is unsafe.
func SafeMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// Invalidates reports whether an answer with status to a request with method invalidates what is stored for the target URI
// (4.4): the method is unsafe and the status is 2xx or 3xx.
func Invalidates(method string, status int) bool {
	return !SafeMethod(method) && (status/100 == 2 || status/100 == 3)
}

// InvalidatedURIs returns what else an answer with header h to a request for target invalidates, given that it Invalidates:
// where Location and Content-Location lead, if that is at the origin of target and not target itself. They are
// scheme://host/path?query with the scheme and host of target, which is absolute.
func InvalidatedURIs(target *url.URL, h http.Header) []string {
	own := uri(target, target)
	var uris []string
	for _, name := range [...]string{"Location", "Content-Location"} {
		if also, ok := sameOrigin(target, h[name]); ok && also != own && !slices.Contains(uris, also) {
			uris = append(uris, also)
		}
	}
	return uris
}

// sameOrigin resolves a reference in a field of one line. It reports false if that leads to another origin (RFC 9110, 4.3.1).
func sameOrigin(target *url.URL, lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	reference, err := target.Parse(lines[0])
	if err != nil || !strings.EqualFold(reference.Scheme, target.Scheme) || reference.User != nil ||
		!strings.EqualFold(reference.Hostname(), target.Hostname()) || port(reference) != port(target) {
		return "", false
	}
	return uri(target, reference), true
}

// port returns the port of a URI, that of its scheme if it has none.
func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	default:
		return "80"
	}
}

// uri writes u with the scheme and host of origin, and without fragment.
func uri(origin, u *url.URL) string {
	return strings.ToLower(origin.Scheme) + "://" + strings.ToLower(origin.Host) + u.RequestURI()
}
