package guard

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// refusal is why a request is not served.
type refusal struct {
	status int
	reason string
}

// Handler returns a handler that gives next what a cache may see. The requests it gets are changed in place: next sees every
// target in origin-form, with the host in Request.Host.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if no, refused := g.check(r); refused {
			g.refuse(w, r, no)
			return
		}
		if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
			w = newLast(w)
		}
		if r.Body != http.NoBody && r.Body != nil {
			r = g.withBody(w, r)
		}
		if r.ProtoMajor == 2 {
			paced := g.pace(w)
			defer paced.finish()
			w = paced
		}
		next.ServeHTTP(w, r)
	})
}

// check looks at a request, and takes from it what next must not see.
func (g *Guard) check(r *http.Request) (refusal, bool) {
	if no, refused := g.checkTarget(r); refused {
		return no, true
	}
	if no, refused := g.checkHost(r); refused {
		return no, true
	}
	return g.checkFields(r)
}

func (g *Guard) checkTarget(r *http.Request) (refusal, bool) {
	switch r.Method {
	case http.MethodTrace, http.MethodConnect:
		if slices.Contains(g.opts.Methods, r.Method) {
			return refusal{}, false
		}
		return refusal{http.StatusMethodNotAllowed, "the method is not allowed"}, true
	}
	if len(r.RequestURI) > g.opts.MaxLine {
		return refusal{http.StatusRequestURITooLong, "the target is too long"}, true
	}
	if r.URL.Host != "" || r.URL.Scheme != "" {
		if !originForm(r) {
			return refusal{http.StatusBadRequest, "the target is malformed"}, true
		}
	}
	if !validTarget(r.RequestURI) {
		return refusal{http.StatusBadRequest, "the target is malformed"}, true
	}
	if g.opts.RefuseDotSegments && dotted(r.RequestURI) {
		return refusal{http.StatusBadRequest, "the path has empty or dot segments"}, true
	}
	return refusal{}, false
}

func (g *Guard) checkHost(r *http.Request) (refusal, bool) {
	if !validHost(r.Host) {
		return refusal{http.StatusBadRequest, "the host is malformed or missing"}, true
	}
	if len(g.hosts) > 0 && !g.serves(r.Host) {
		return refusal{http.StatusMisdirectedRequest, "the host is not served here"}, true
	}
	return refusal{}, false
}

// checkFields counts fields and drops those that next must not see.
func (g *Guard) checkFields(r *http.Request) (refusal, bool) {
	if no, refused := g.hopByHop(r.Header); refused {
		return no, true
	}
	n, peer := 0, unknown
	for name, values := range r.Header {
		n += len(values)
		switch g.kind(name) {
		case forwarded:
			if peer == unknown {
				peer = g.peer(r.RemoteAddr)
			}
			if peer == untrusted {
				delete(r.Header, name)
			}
		case harmful:
			delete(r.Header, name)
		case harmless:
		}
	}
	if n > g.opts.MaxFields {
		return refusal{http.StatusRequestHeaderFieldsTooLarge, "there are too many fields"}, true
	}
	return refusal{}, false
}

type standing int

const (
	unknown standing = iota
	trusted
	untrusted
)

func (g *Guard) peer(addr string) standing {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return untrusted
	}
	for _, p := range g.opts.Trusted {
		if p.Contains(ap.Addr().Unmap()) {
			return trusted
		}
	}
	return untrusted
}

type kind int

const (
	harmless kind = iota
	forwarded
	harmful
)

// kind tells what a field can do to an origin.
func (g *Guard) kind(name string) kind {
	switch {
	case name[0] == 'X' && forwarding(name), name == "Forwarded":
		return forwarded
	case name == "Proxy": // CGI makes HTTP_PROXY of it, "httpoxy"
		return harmful
	case !g.opts.KeepUnderscores && strings.IndexByte(name, '_') >= 0:
		return harmful
	}
	if _, ok := g.drop[name]; ok {
		return forwarded
	}
	return harmless
}

// forwarding tells whether a field has origins believe that the request was another one: for another host, path or method,
// or from another peer.
func forwarding(name string) bool {
	if strings.HasPrefix(name, "X-Forwarded") {
		return true
	}
	switch name {
	case "X-Original-Url", "X-Original-Uri", "X-Original-Host", "X-Original-Method", "X-Original-For", "X-Original-Proto",
		"X-Rewrite-Url", "X-Rewrite-Uri", "X-Host", "X-Http-Host-Override", "X-Http-Method-Override", "X-Http-Method",
		"X-Method-Override", "X-Real-Ip", "X-Scheme", "X-Url-Scheme", "X-Proxy-Url":
		return true
	}
	return false
}

// hopByHop drops the fields that Connection names (RFC 9110 section 7.6.1) before the cache chooses by them, since the origin
// will not see them either. Without what a request is framed by there would be none.
func (g *Guard) hopByHop(h http.Header) (refusal, bool) {
	for _, value := range h["Connection"] {
		for option := range strings.SplitSeq(value, ",") {
			switch name := http.CanonicalHeaderKey(strings.Trim(option, " \t")); name {
			case "Close", "Keep-Alive", "Upgrade", "Te", "Http2-Settings", "Connection", "":
			case "Host", "Content-Length", "Transfer-Encoding":
				return refusal{http.StatusBadRequest, "Connection names a field that a request cannot be without"}, true
			default:
				delete(h, name)
			}
		}
	}
	return refusal{}, false
}

// refuse answers with an error that no cache may keep.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, no refusal) {
	text := strconv.Itoa(no.status) + " " + http.StatusText(no.status) + ": " + no.reason + "\n"
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	if r.ProtoMajor == 1 {
		h.Set("Connection", "close")
	}
	if no.status == http.StatusMethodNotAllowed {
		h.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	}
	w.WriteHeader(no.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(text))
	}
}
