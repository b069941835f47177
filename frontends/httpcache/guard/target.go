package guard

import (
	"net/http"
	"strings"
)

// originForm makes a target in absolute-form one in origin-form. Its host stays in r.Host, where net/http has put it in the
// place of the field's (RFC 9112 section 3.2.2).
func originForm(r *http.Request) bool {
	scheme, rest, ok := strings.Cut(r.RequestURI, "://")
	if !ok || r.URL.User != nil || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return false
	}
	target := "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		target = strings.TrimPrefix(target, rest[i:i+1]) + rest[i:]
	} else if r.Method == http.MethodOptions {
		target = "*"
	}
	r.RequestURI, r.URL.Scheme, r.URL.Host = target, "", ""
	if r.URL.Path == "" {
		r.URL.Path = strings.TrimSuffix(target, "?"+r.URL.RawQuery)
	}
	return true
}

// validTarget reports whether a target is one in origin-form, or "*", of bytes that need no escape. What a server would escape
// on the way, or take for a fragment, is not what the origin is asked for.
func validTarget(target string) bool {
	if target == "" || target[0] != '/' && target != "*" {
		return false
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// validHost reports whether host is a name or an address with or without a port, of the characters that are in use there: fewer
// than RFC 3986 section 3.2.2 has, and far fewer than net/http lets pass.
func validHost(host string) bool {
	name, port := host, ""
	if strings.HasPrefix(host, "[") {
		i := strings.IndexByte(host, ']')
		if i < 0 {
			return false
		}
		name, port = host[1:i], host[i+1:]
		if !made(name, addressByte) {
			return false
		}
	} else {
		if i := strings.IndexByte(host, ':'); i >= 0 {
			name, port = host[:i], host[i:]
		}
		if !made(name, nameByte) {
			return false
		}
	}
	return port == "" || port[0] == ':' && len(port) <= len(":65535") && made(port[1:], digit)
}

// made reports whether s is made of such bytes, and of one at least.
func made(s string, of func(byte) bool) bool {
	for i := range len(s) {
		if !of(s[i]) {
			return false
		}
	}
	return s != ""
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || digit(c) || c == '-' || c == '.' || c == '_'
}

func addressByte(c byte) bool {
	return 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || digit(c) || c == ':' || c == '.'
}

// serves reports whether host, with its port or without, is among the hosts.
func (g *Guard) serves(host string) bool {
	host = strings.ToLower(host)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if _, ok := g.hosts[host]; ok {
		return true
	}
	for i := range len(host) {
		if host[i] != '.' {
			continue
		}
		if _, ok := g.hosts[host[i:]]; ok {
			return true
		}
	}
	return false
}

// dotted reports whether the path of a target has segments that resolving would change (RFC 3986 section 5.2.4), as any origin
// may read it: escaped once, or with the separators of another system.
func dotted(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	if path == "*" {
		return false
	}
	path = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/", "\\", "/").Replace(path)
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		// Path parameters go with a segment, for those that know them: "..;" is "..".
		s, _, _ = strings.Cut(s, ";")
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			return true
		}
	}
	return false
}
