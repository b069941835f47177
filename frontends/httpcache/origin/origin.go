// Package origin passes HTTP requests on to the servers that answer them: several of them, by host and path, by weight and
// health. It knows nothing of caching.
package origin

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// Options configures a Forwarder.
type Options struct {
	// Routes say which origins answer what. The one whose host and prefix fit a request best takes it. At least one is
	// required.
	Routes []Route
	// TLS is what https origins are asked with. nil is the system's certificates. It is not changed afterwards.
	TLS *tls.Config
	// Trusted are the networks of clients whose X-Forwarded-For, -Host, -Proto and Forwarded are kept and added to. Those of
	// all others are dropped. nil trusts nobody.
	Trusted []netip.Prefix
	// Name is what Via calls this proxy, a token. "" is "edgecache". A random suffix tells processes apart, so that a request
	// that comes back is refused instead of running in circles.
	Name string
	// ConnectTimeout bounds the making of a connection, TLS included. 0 is 5 seconds.
	ConnectTimeout time.Duration
	// HeaderTimeout bounds the wait for the answer's header after the request is written. 0 is 60 seconds.
	HeaderTimeout time.Duration
	// BodyTimeout bounds how long an origin takes nothing of a request's body, or gives nothing of an answer's, while the
	// other side is ready. 0 is 60 seconds. Upgraded connections are not bounded.
	BodyTimeout time.Duration
	// IdleTimeout is how long a connection is kept without use. It should be shorter than the origins', so that no request
	// meets a connection that its origin is closing. 0 is 4 seconds, since the shortest usual one is 5.
	IdleTimeout time.Duration
	// MaxIdle is how many unused connections are kept for each origin. 0 is 256.
	MaxIdle int
	// MaxConns bounds the connections to each origin, beyond which requests wait. 0 is no bound.
	MaxConns int
	// MaxHeaderBytes bounds the header of an answer. 0 is 256 KiB.
	MaxHeaderBytes int64
	// Retries is how many other origins of a route a request is sent to after one failed before anything was answered: a GET,
	// HEAD, OPTIONS or TRACE without a body alone. 0 is 1, less than 0 is none. A route with one origin has no other.
	Retries int
	// Passive takes an origin out for what requests meet.
	Passive Passive
	// Active asks origins regularly. Without a path it does not.
	Active Active
	// Logger is told of origins that go out and come back, and at debug of answers that break off. nil discards it.
	Logger *slog.Logger
}

// Route is the origins of what its host and prefix fit.
type Route struct {
	// Host is a name, in lower case, with a port or for all ports, "*.name" for all names below one, or "" for all hosts.
	Host string
	// Prefix is where paths begin, by whole segments: "/api" fits /api and /api/x but not /apix. "" is all paths.
	Prefix string
	// Origins take turns. At least one is required.
	Origins []Origin
}

// Origin is a server.
type Origin struct {
	// URL is http://host[:port], https:// or h2c:// for HTTP/2 without TLS. It has no path: paths go on as they come.
	URL string
	// Weight is its share of the requests beside the others'. 0 is 1.
	Weight int
	// Host is what it sees as the request's host: "" is the client's, "origin" the one of URL, anything else that.
	Host string
}

// HostOfOrigin is an Origin.Host that stands for the host of its URL.
const HostOfOrigin = "origin"

// Passive says when failed requests take an origin out: connections that fail, time-outs, and answers that can't be read or
// break off. A route's only origin stays in, and so do all where all would be out.
type Passive struct {
	// Failures within Window take an origin out. 0 is 3; less than 0 is never.
	Failures int
	// Window is 10 seconds if 0.
	Window time.Duration
	// Backoff is how long an origin is out at first, after which one request tries it. It doubles with each failure then, up
	// to MaxBackoff. 0 is 5 seconds, and a minute.
	Backoff, MaxBackoff time.Duration
}

// Active says how origins are asked whether they are well. One that is not gets no requests, even if it is the only one.
type Active struct {
	// Path is what is asked for. "" asks nobody.
	Path string
	// Host is the request's host. "" is the origin's.
	Host string
	// Interval is the time between checks, give or take a tenth. 0 is 5 seconds.
	Interval time.Duration
	// Timeout bounds a check. 0 is 2 seconds.
	Timeout time.Duration
	// Fall is how many failures in a row take an origin out, Rise how many answers from 200 to 399 bring it back. 0 is 3, and
	// 2.
	Fall, Rise int
}

// Forwarder passes requests on. It is safe for concurrent use.
type Forwarder struct {
	o      Options
	routes []*route
	all    []*server
	proxy  httputil.ReverseProxy // copied for each request that is not simple
	via    string                // what Via has of this process
	// usualVia is the field for a request of HTTP/1.1 that has none yet. It is not changed.
	usualVia []string
	noAgent  []string        // keeps a transport from saying that it is the client; not changed
	couriers sync.Pool       // of *courier
	plain    *http.Transport // http and https
	h2c      *http.Transport
	stop     context.CancelFunc
	probing  sync.WaitGroup
}

// New returns a Forwarder, which begins to ask its origins at once if they are to be asked. Close ends that.
func New(o Options) (*Forwarder, error) {
	o.setDefaults()
	f := &Forwarder{o: o, via: o.Name + "-" + suffix()}
	f.noAgent = []string{""}
	f.usualVia = []string{"1.1 " + f.via}
	f.plain, f.h2c = transports(&o)
	if err := f.addRoutes(); err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	f.proxy = httputil.ReverseProxy{
		Rewrite: f.rewrite, BufferPool: buffers{new(sync.Pool)}, ErrorHandler: keepError, FlushInterval: flushLatency,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	if o.Active.Path != "" {
		for _, s := range f.all {
			f.probing.Go(func() { f.probe(ctx, s) })
		}
	}
	return f, nil
}

// Close ends the checks and the connections that are not in use, and returns when the checks have ended. Requests that run go
// on. It may be called more than once.
func (f *Forwarder) Close() error {
	f.stop()
	f.probing.Wait()
	f.plain.CloseIdleConnections()
	f.h2c.CloseIdleConnections()
	return nil
}

func (o *Options) setDefaults() {
	def(&o.Name, "edgecache")
	def(&o.ConnectTimeout, 5*time.Second)
	def(&o.HeaderTimeout, time.Minute)
	def(&o.BodyTimeout, time.Minute)
	def(&o.IdleTimeout, 4*time.Second)
	def(&o.MaxIdle, 256)
	def(&o.MaxHeaderBytes, 256<<10)
	def(&o.Retries, 1)
	def(&o.Passive.Failures, 3)
	def(&o.Passive.Window, 10*time.Second)
	def(&o.Passive.Backoff, 5*time.Second)
	def(&o.Passive.MaxBackoff, time.Minute)
	def(&o.Active.Interval, 5*time.Second)
	def(&o.Active.Timeout, 2*time.Second)
	def(&o.Active.Fall, 3)
	def(&o.Active.Rise, 2)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func def[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

func suffix() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// addRoutes makes the routes and the servers in them. An origin of several routes is one server in each of them, whose
// health is its own.
func (f *Forwarder) addRoutes() error {
	if len(f.o.Routes) == 0 {
		return errors.New("there are no routes: give one with an origin")
	}
	for _, given := range f.o.Routes {
		if err := checkRoute(&given); err != nil {
			return err
		}
		r := &route{host: given.Host, prefix: given.Prefix}
		for _, o := range given.Origins {
			s, err := f.newServer(o)
			if err != nil {
				return err
			}
			r.servers, f.all = append(r.servers, s), append(f.all, s)
		}
		f.routes = append(f.routes, r)
	}
	return sortRoutes(f.routes)
}

func (f *Forwarder) newServer(o Origin) (*server, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err == nil && u.User != nil:
		return nil, fmt.Errorf("origin %s has a user: origins are asked as clients ask, leave it out", u.Redacted())
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q is no origin: http://host:port, https:// or h2c:// is wanted", o.URL)
	}
	if u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("origin %q has a path: leave it out, paths are passed on as they come", o.URL)
	}
	if o.Weight < 0 || o.Weight > maxWeight {
		return nil, fmt.Errorf("origin %q has the weight %d: 1 to %d is wanted", o.URL, o.Weight, maxWeight)
	}
	s := &server{
		name: u.Scheme + "://" + u.Host, scheme: u.Scheme, address: u.Host, host: o.Host, weight: max(o.Weight, 1),
		transport: f.plain, passive: &f.o.Passive,
	}
	switch u.Scheme {
	case "http", "https":
	case "h2c":
		s.scheme, s.transport = "http", f.h2c
	default:
		return nil, fmt.Errorf("origin %q has an unknown scheme: http, https or h2c is wanted", o.URL)
	}
	if o.Host == HostOfOrigin {
		s.host = u.Host
	}
	return s, nil
}

// maxWeight bounds weights, so that their sums stay small.
const maxWeight = 10_000
