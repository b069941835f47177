package origin

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// server is one origin of one route.
type server struct {
	name, scheme, address, host string
	weight                      int
	transport                   *http.Transport
	passive                     *Passive

	turn int // how much it is owed, guarded by the route's lock

	down     atomic.Bool // by active checks
	requests atomic.Uint64
	failures atomic.Uint64
	inFlight atomic.Int64

	// until is when the server is tried again after failures, in nanoseconds of Unix, or 0 while it is in.
	until atomic.Int64

	mu      sync.Mutex // guards what follows
	began   time.Time  // the window of failed
	failed  int
	backoff time.Duration
}

// pick returns the server whose turn it is, out of those that are not in tried, and marks it there. Those that are out are
// left over unless all are. It is nil if none is left, or all that are have failed their checks.
//
// Turns are those of nginx's smooth weighted round robin: of weights 5, 1 and 1 come a a b a c a a.
func (r *route) pick(tried *uint64, now time.Time) *server {
	if len(r.servers) == 1 {
		return r.only(tried)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.next(*tried, now)
	if i < 0 {
		i = r.next(*tried, time.Time{})
	}
	if i < 0 {
		return nil
	}
	*tried |= 1 << i
	return r.servers[i]
}

func (r *route) only(tried *uint64) *server {
	s := r.servers[0]
	if *tried != 0 || s.down.Load() {
		return nil
	}
	*tried = 1
	return s
}

// next takes a turn among those that may be tried now, or, if now is zero, among all that their checks leave.
func (r *route) next(tried uint64, now time.Time) int {
	best, sum := -1, 0
	for i, s := range r.servers {
		if tried&(1<<i) != 0 || s.down.Load() || !now.IsZero() && s.out(now) {
			continue
		}
		s.turn += s.weight
		sum += s.weight
		if best < 0 || s.turn > r.servers[best].turn {
			best = i
		}
	}
	if best >= 0 {
		r.servers[best].turn -= sum
		r.servers[best].claim(now)
	}
	return best
}

func (s *server) out(now time.Time) bool {
	until := s.until.Load()
	return until != 0 && now.UnixNano() < until
}

// claim keeps others away from a server that comes back, until the first request has told how it is.
func (s *server) claim(now time.Time) {
	if until := s.until.Load(); until == 0 || now.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until.Load() != 0 {
		s.until.Store(now.Add(s.backoff).UnixNano())
	}
}

// answered notes that the server answered a request, and reports whether that brought it back.
func (s *server) answered() bool {
	if s.until.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed, s.backoff = 0, 0
	return s.until.Swap(0) != 0
}

// fail notes that the server failed a request, and returns for how long that takes it out, 0 if it doesn't.
func (s *server) fail(now time.Time) time.Duration {
	s.failures.Add(1)
	p := s.passive
	if p.Failures < 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.began) > p.Window {
		s.began, s.failed = now, 0
	}
	s.failed++
	if s.failed < p.Failures && s.backoff == 0 {
		return 0
	}
	s.failed = 0
	s.backoff = min(max(2*s.backoff, p.Backoff), p.MaxBackoff)
	s.until.Store(now.Add(s.backoff).UnixNano())
	return s.backoff
}

// Stats is what an origin of a route has done.
type Stats struct {
	// Route is its host and prefix, Origin the URL.
	Route  string `json:"route"`
	Origin string `json:"origin"`
	// Requests were sent there, of which Failures failed and InFlight run.
	Requests uint64 `json:"requests"`
	Failures uint64 `json:"failures"`
	InFlight int64  `json:"in_flight"`
	// Down says that it fails its checks, Out that requests failed and it is left alone for a while.
	Down bool `json:"down"`
	Out  bool `json:"out"`
}

// Stats returns what each origin has done, in the order of the routes.
func (f *Forwarder) Stats() []Stats {
	var all []Stats
	now := time.Now()
	for _, r := range f.routes {
		for _, s := range r.servers {
			all = append(all, Stats{
				Route: r.host + r.prefix, Origin: s.name, Requests: s.requests.Load(), Failures: s.failures.Load(),
				InFlight: s.inFlight.Load(), Down: s.down.Load(), Out: len(r.servers) > 1 && s.out(now),
			})
		}
	}
	return all
}

func (s *server) attr() slog.Attr { return slog.String("origin", s.name) }
