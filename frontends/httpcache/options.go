package httpcache

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/httphook"
)

// Profile says how boldly responses are stored.
type Profile uint8

const (
	// Safe stores no response that sets a cookie, whatever else its header says.
	Safe Profile = iota
	// RFC stores all that RFC 9111 allows to.
	RFC
)

// String returns the name that ParseProfile takes.
func (p Profile) String() string {
	if p == RFC {
		return "rfc"
	}
	return "safe"
}

// ParseProfile reads "safe" or "rfc".
func ParseProfile(s string) (Profile, error) {
	switch s {
	case "safe":
		return Safe, nil
	case "rfc":
		return RFC, nil
	}
	return 0, fmt.Errorf("profile %q is unknown: safe or rfc is wanted", s)
}

// Options configures a Cache.
type Options struct {
	// Cache is where responses are kept: a namespace for this Cache alone. It is required, and stays its maker's.
	Cache *core.Cache
	// Profile is Safe by default.
	Profile Profile
	// Private makes it the cache of one user (RFC 9111 section 1): responses marked private are stored, s-maxage and targeted
	// fields count for nothing. It is meant for Transport.
	Private bool
	// Name is the cache's name in Cache-Status and Via, a token. "" means edgecache.
	Name string
	// Targets are the targeted fields (RFC 9213) that are obeyed before Cache-Control, in this order. Edgecache-Cache-Control is not
	// forwarded to clients. nil means Edgecache-Cache-Control and CDN-Cache-Control.
	Targets []string
	// Hooks are called inside exchanges, in this order, and Observers told of them afterwards, in batches.
	Hooks     []httphook.Hook
	Observers []httphook.Observer
	// ShowKey has Cache-Status tell the key.
	ShowKey bool

	// MaxObject is the largest body that is stored, in bytes. 0 means 1 GiB.
	MaxObject int64
	// MaxFilling is how many bytes may wait in memory for fills to end, all together. 0 means 64 MiB.
	MaxFilling int64
	// MaxWholeRange is the largest representation that is fetched whole for a request of a range. 0 means 8 MiB.
	MaxWholeRange int64

	// DefaultTTL is how long a response is fresh that says nothing of it and has no heuristic freshness. 0 stores no such.
	DefaultTTL time.Duration
	// MinTTL and MaxTTL bound the freshness of stored responses. 0 is no bound.
	MinTTL, MaxTTL time.Duration
	// Statuses are those that may be stored, beside what RFC 9111 asks. nil is all.
	Statuses []int
	// Routes override what responses say, by host and path; the first that fits counts.
	Routes []Route

	// StaleWhileRevalidate and StaleIfError are for responses that do not say themselves (RFC 5861). 0 is none.
	StaleWhileRevalidate, StaleIfError time.Duration
	// NoStaleOnDisconnect answers 502 or 504 where a stale response could be sent because the origin can't be reached.
	NoStaleOnDisconnect bool
	// Keep is how long a response stays stored after it ceased to be fresh, to be validated or served stale. 0 means an hour.
	Keep time.Duration

	// WaitTimeout is how long a request waits for the header that another one asked the origin for. 0 means 5 seconds;
	// a negative one never waits, so that every miss goes to the origin by itself.
	WaitTimeout time.Duration
	// LockAge is how long one request stands for all others that want the same, from its start to the header. 0 means 10 seconds.
	LockAge time.Duration
	// MaxWaiters is how many requests may wait for one. The others go to the origin. 0 means 10,000.
	MaxWaiters int
	// FillTimeout is how long an answer of the origin may take that is stored, from the request to its end. 0 means an hour.
	FillTimeout time.Duration
	// UncacheableFor is how long it is remembered that a key's responses can't be stored, so that nobody waits for them.
	// 0 means 2 minutes.
	UncacheableFor time.Duration
	// Refreshers is how many refreshes in the background may be under way. 0 means 64.
	Refreshers int

	// Compress says which responses are compressed. The zero value is none.
	Compress CompressOptions
	// Purge says who may purge with the method PURGE.
	Purge PurgeOptions

	// TracerProvider makes spans for misses. nil is none.
	TracerProvider trace.TracerProvider
	// MeterProvider receives the metrics. nil is none; Cache.Stats counts all the same.
	MeterProvider metric.MeterProvider
	// Logger receives what goes wrong beside requests. nil discards it.
	Logger *slog.Logger
}

// Route says what is special about requests of a host and below a path.
type Route struct {
	// Host is the host without a port, in lower case. "" is every host; one that begins with "*." is all hosts below.
	Host string
	// Path is what the path begins with. "" is every path.
	Path string
	// Bypass forwards requests and answers untouched: nothing is looked up, nothing stored.
	Bypass bool
	// Private says that answers differ between users in ways that requests don't tell: nobody waits for another's answer.
	Private bool
	// TTL replaces the freshness of responses that may be stored, unless it is 0.
	TTL time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.Name == "" {
		o.Name = "edgecache"
	}
	if o.Targets == nil {
		o.Targets = []string{"Edgecache-Cache-Control", "Cdn-Cache-Control"}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	defaults := func(n *int64, value int64) {
		if *n == 0 {
			*n = value
		}
	}
	defaults(&o.MaxObject, 1<<30)
	defaults(&o.MaxFilling, 64<<20)
	defaults(&o.MaxWholeRange, 8<<20)
	defaults((*int64)(&o.Keep), int64(time.Hour))
	defaults((*int64)(&o.WaitTimeout), int64(5*time.Second))
	defaults((*int64)(&o.LockAge), int64(10*time.Second))
	defaults((*int64)(&o.FillTimeout), int64(time.Hour))
	defaults((*int64)(&o.UncacheableFor), int64(2*time.Minute))
	if o.MaxWaiters == 0 {
		o.MaxWaiters = 10_000
	}
	if o.Refreshers == 0 {
		o.Refreshers = 64
	}
	return o, o.validate()
}

func (o *Options) validate() error {
	switch {
	case o.Cache == nil:
		return errors.New("httpcache: Cache is nil: pass the namespace that shall keep the responses")
	case o.Profile > RFC:
		return fmt.Errorf("httpcache: Profile %d is unknown: Safe or RFC is wanted", o.Profile)
	case strings.ContainsAny(o.Name, " \t\r\n\",;=()"):
		return fmt.Errorf("httpcache: Name %q is no token", o.Name)
	case o.MaxObject < 0 || o.MaxFilling < 0 || o.MaxWholeRange < 0 || o.MaxWaiters < 0 || o.Refreshers < 0:
		return errors.New("httpcache: MaxObject, MaxFilling, MaxWholeRange, MaxWaiters and Refreshers must not be negative")
	case o.DefaultTTL < 0 || o.MinTTL < 0 || o.MaxTTL < 0 || o.StaleWhileRevalidate < 0 || o.StaleIfError < 0 || o.Keep < 0:
		return errors.New("httpcache: times to live must not be negative")
	case o.LockAge < 0 || o.FillTimeout < 0 || o.UncacheableFor < 0:
		return errors.New("httpcache: LockAge, FillTimeout and UncacheableFor must not be negative")
	case o.MaxTTL > 0 && o.MinTTL > o.MaxTTL:
		return fmt.Errorf("httpcache: MinTTL %v is more than MaxTTL %v", o.MinTTL, o.MaxTTL)
	}
	return nil
}
