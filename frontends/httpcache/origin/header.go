package origin

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"strings"
)

// rewrite completes the request that goes out: the query as it came, the trailers that are still to come, and what tells the
// origin who asked. The proxy has removed what is for one hop alone.
func (f *Forwarder) rewrite(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	out.URL.RawQuery = in.URL.RawQuery
	out.Trailer = in.Trailer // filled in when the body has been read
	for name := range out.Header {
		if reserved(name) {
			delete(out.Header, name)
		}
	}
	f.introduce(out.Header, in)
}

// introduce sets in the header that goes out what tells who asked, and by which way.
func (f *Forwarder) introduce(h http.Header, in *http.Request) {
	f.setForwarded(h, in)
	if before := h["Via"]; len(before) > 0 || in.ProtoMajor != 1 || in.ProtoMinor != 1 {
		h["Via"] = append(before, protocol(in)+" "+f.via)
	} else {
		h["Via"] = f.usualVia
	}
	if in.Method == http.MethodOptions || in.Method == http.MethodTrace {
		if given := h.Get(maxForwards); given != "" {
			h.Set(maxForwards, less(given))
		}
	}
}

// reserved reports whether a field is one by which origins let themselves be told another host, path, method or client than the
// request has. The cache's key has none of them, so nobody's are passed on, but for those of trusted clients that setForwarded
// makes anew.
func reserved(name string) bool {
	if name[0] != 'X' && name != forwarded {
		return false
	}
	switch name {
	case forwarded, forwardedFor, forwardedHost, forwardedProto, "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Scheme",
		"X-Forwarded-Server", "X-Forwarded-Ssl", "X-Host", "X-Http-Method", "X-Http-Method-Override", "X-Method-Override",
		"X-Original-Host", "X-Original-Url", "X-Real-Ip", "X-Rewrite-Url":
		return true
	}
	return false
}

const (
	forwardedFor   = "X-Forwarded-For"
	forwardedHost  = "X-Forwarded-Host"
	forwardedProto = "X-Forwarded-Proto"
	forwarded      = "Forwarded"
)

// setForwarded says who asked, for which host and by which protocol, behind what a trusted client says of it.
func (f *Forwarder) setForwarded(h http.Header, in *http.Request) {
	client, _, err := net.SplitHostPort(in.RemoteAddr)
	if err != nil {
		client = in.RemoteAddr
	}
	proto := "http"
	if in.TLS != nil {
		proto = "https"
	}
	node := element(client, in.Host, proto)
	values := [...]string{in.Host, proto, client, node} // in one piece
	h[forwardedHost], h[forwardedProto] = values[0:1:1], values[1:2:2]
	if f.trusts(client) {
		values[2], values[3] = join(in.Header[forwardedFor], client), join(in.Header[forwarded], node)
		keep(h, in.Header, forwardedHost)
		keep(h, in.Header, forwardedProto)
	}
	h[forwardedFor], h[forwarded] = values[2:3:3], values[3:4:4]
}

func (f *Forwarder) trusts(client string) bool {
	if len(f.o.Trusted) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, p := range f.o.Trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func join(before []string, last string) string {
	if len(before) == 0 {
		return last
	}
	return strings.Join(before, ", ") + ", " + last
}

func keep(h, in http.Header, name string) {
	if given := in[name]; len(given) > 0 {
		h[name] = given
	}
}

// element is an element of the field Forwarded: RFC 7239, 4.
func element(client, host, proto string) string {
	if client == "" {
		client = "unknown"
	}
	if strings.Contains(client, ":") {
		client = "[" + client + "]"
	}
	var space [128]byte
	b := appendQuoted(append(space[:0], "for="...), client)
	b = appendQuoted(append(b, ";host="...), host)
	return string(append(append(b, ";proto="...), proto...))
}

// appendQuoted appends a token as it is, and anything else in quotes.
func appendQuoted(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return strconv.AppendQuote(b, s)
		}
	}
	if s == "" {
		return append(b, `""`...)
	}
	return append(b, s...)
}

// protocol is what Via says of the request's version.
func protocol(r *http.Request) string {
	if r.ProtoMajor >= 2 {
		return strconv.Itoa(r.ProtoMajor)
	}
	return strconv.Itoa(r.ProtoMajor) + "." + strconv.Itoa(r.ProtoMinor)
}

// passed reports whether Via has this process.
func (f *Forwarder) passed(h http.Header) bool {
	for _, v := range h["Via"] {
		if strings.Contains(v, f.via) {
			return true
		}
	}
	return false
}

// clean removes from an answer what HTTP/1.1 does not allow but net/http reads: fields with a blank in their names, and the
// length beside trailers, which HTTP/2 has and with which HTTP/1.1 would have no place for them.
func clean(res *http.Response) {
	for name := range res.Header {
		if strings.IndexByte(name, ' ') >= 0 {
			delete(res.Header, name)
		}
	}
	if len(res.Trailer) > 0 {
		delete(res.Header, "Content-Length")
	}
}
