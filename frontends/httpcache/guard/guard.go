// Package guard stands between net/http and a cache, and keeps from the cache what could make it serve one client something
// that another made up: requests that two servers read in two ways, fields that an origin obeys and a cache does not see, and
// clients that hold on to a connection without using it.
//
// Its Listen sees what net/http's server no longer shows to a handler, and its Handler does the rest; both are needed. Over
// HTTP/2, and where a listener is not Listen's, the Handler alone is sound, but more lenient: docs/HARDENING.md has the table.
package guard

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/gate"
)

// Options configures a Guard.
type Options struct {
	// Hosts are those served: names, or "*.example.com" for all names below one, without ports. Requests for others are
	// answered with 421. nil serves all.
	Hosts []string
	// Trusted are the peers whose forwarded fields are believed. From all others they are dropped. nil is nobody.
	Trusted []netip.Prefix
	// Drop are names of more fields to drop from untrusted peers, because an origin obeys them.
	Drop []string
	// Methods are those served beside all others though they are refused by default: "TRACE", "CONNECT".
	Methods []string
	// KeepUnderscores keeps fields with an underscore in their name, which some origins take for a hyphen.
	KeepUnderscores bool
	// RefuseDotSegments answers 400 to paths with empty, "." or ".." segments, escaped or not, which origins resolve to another
	// resource than the one the cache has.
	RefuseDotSegments bool
	// BareLF accepts lines that end in LF alone.
	BareLF bool
	// MaxLine limits request lines to so many bytes: 414 beyond. Zero means 8 KiB.
	MaxLine int
	// MaxHead limits heads to so many bytes: 431 beyond. Zero means 32 KiB.
	MaxHead int
	// MaxFields limits how many fields a head has: 431 beyond. Zero means 100.
	MaxFields int
	// HeadTime is what a client has for a head, from its first byte. Zero means 10 seconds.
	HeadTime time.Duration
	// IdleTime is how long a connection may be idle. Zero means 75 seconds.
	IdleTime time.Duration
	// Stall is how long a client may make no progress at all, in sending a body or in taking an answer. Zero means 30 seconds.
	Stall time.Duration
	// MinRate is the rate in bytes a second that it has to make progress with, beyond Stall: the time it is waited for is Stall
	// and what the bytes would take at this rate. Zero means 1024.
	MinRate int
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		option *int
		value  int
	}{{&o.MaxLine, 8 << 10}, {&o.MaxHead, 32 << 10}, {&o.MaxFields, 100}, {&o.MinRate, 1024}} {
		if *d.option == 0 {
			*d.option = d.value
		}
	}
	for _, d := range []struct {
		option *time.Duration
		value  time.Duration
	}{{&o.HeadTime, 10 * time.Second}, {&o.IdleTime, 75 * time.Second}, {&o.Stall, 30 * time.Second}} {
		if *d.option == 0 {
			*d.option = d.value
		}
	}
	return o
}

func (o Options) validate() error {
	for _, n := range []int{o.MaxLine, o.MaxHead, o.MaxFields, o.MinRate} {
		if n < 0 {
			return fmt.Errorf("guard: limit %d is negative", n)
		}
	}
	for _, d := range []time.Duration{o.HeadTime, o.IdleTime, o.Stall} {
		if d < 0 {
			return fmt.Errorf("guard: time %v is negative", d)
		}
	}
	for _, h := range o.Hosts {
		name := strings.TrimPrefix(h, "*.")
		if !validHost(name) || strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, ']') {
			return fmt.Errorf("guard: host %q is no name without a port, nor *. and one", h)
		}
	}
	for _, m := range o.Methods {
		if m != http.MethodTrace && m != http.MethodConnect {
			return fmt.Errorf("guard: method %q is not one that is refused by default (TRACE, CONNECT)", m)
		}
	}
	return nil
}

// Guard is safe for concurrent use.
type Guard struct {
	opts   Options
	strict gate.Strict
	hosts  map[string]struct{} // in lower case; ".example.com" for all names below
	drop   map[string]struct{} // canonical
}

// New returns a Guard.
func New(o Options) (*Guard, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	g := &Guard{
		opts: o, strict: gate.Strict{MaxLine: o.MaxLine, MaxFields: o.MaxFields, BareLF: o.BareLF},
		hosts: make(map[string]struct{}), drop: make(map[string]struct{}),
	}
	for _, h := range o.Hosts {
		g.hosts[strings.TrimPrefix(strings.ToLower(h), "*")] = struct{}{}
	}
	for _, name := range o.Drop {
		g.drop[http.CanonicalHeaderKey(name)] = struct{}{}
	}
	return g, nil
}

// Server sets the limits of srv that are not set yet. Call it before Listen. A ReadTimeout or WriteTimeout is better left
// out: it limits the time of big bodies, not of slow clients.
func (g *Guard) Server(srv *http.Server) {
	srv.ReadHeaderTimeout = orElse(srv.ReadHeaderTimeout, g.opts.HeadTime)
	srv.IdleTimeout = orElse(srv.IdleTimeout, g.opts.IdleTime)
	srv.MaxHeaderBytes = orElse(srv.MaxHeaderBytes, g.opts.MaxHead)
	if srv.HTTP2 == nil {
		srv.HTTP2 = new(http.HTTP2Config)
	}
	srv.HTTP2.WriteByteTimeout = orElse(srv.HTTP2.WriteByteTimeout, g.opts.Stall)
}

func orElse[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// Front is what Listen asks for answers before srv's handler: a fasth1.Front.
type Front = gate.Answerer

// Listener is what Listen returns. After the server's Shutdown, its Drain waits for the last answers of a Front.
type Listener = gate.Listener

// Listen returns a listener for srv.Serve which refuses malformed HTTP/1 requests before srv sees them. srv must not be serving
// yet, and Server must have been called. The listener owns ln.
//
// With secure, it does the TLS handshakes: use srv.Serve, not ServeTLS, and have secure.NextProtos say "h2" and "http/1.1".
// With fast, requests are first offered to it.
func (g *Guard) Listen(srv *http.Server, ln net.Listener, secure *tls.Config, fast Front) *Listener {
	return gate.Listen(srv, ln, gate.Options{
		Judge: &g.strict, Answerer: fast, TLS: secure, MaxHead: g.opts.MaxHead, Stall: g.opts.Stall, MinRate: g.opts.MinRate,
	})
}
