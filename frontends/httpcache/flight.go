package httpcache

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
)

// outcome is what became of a flight when the origin's header had come.
type outcome uint8

const (
	alone  outcome = iota // the response is for the one that fetched it: everybody goes to the origin
	shared                // it is stored while it comes: flight.content
	stored                // what was stored, flight.stale, has been validated: flight.response
	late                  // there is something stored by now
	erred                 // the origin answered with an error: who has something stale may use it
	failed                // the origin did not answer: flight.err
)

// flight is a request to the origin that stands for others that want the same. It is decided when the header has come.
type flight struct {
	key     string
	variant string // "" until it is known what the response varies by
	began   int64  // unix nanoseconds
	decided chan struct{}

	// Set before decided is closed, and not changed then.
	outcome  outcome
	content  *content        // shared
	stale    *store.Response // stored
	response *store.Response // stored
	err      error           // failed
	status   int             // the origin's, where it gave one
	vary     []string        // the fields of requests that the response was selected by

	// Guarded by the shard's lock.
	next    *flight // of the same key
	waiting int
	left    bool // the client that it began for is gone
	void    bool // what it brings is outdated: it must not be found afterwards
	over    bool // nobody joins any more
	cancel  func()
}

// flights are those under way, by key.
type flights struct {
	seed   maphash.Seed
	age    int64 // after so many nanoseconds without a header another one may begin
	most   int   // waiters of one
	shards [64]flightShard
}

type flightShard struct {
	mu sync.Mutex
	m  map[string]*flight
}

func newFlights(age time.Duration, waiters int) *flights {
	return &flights{seed: maphash.MakeSeed(), age: int64(age), most: waiters}
}

func (t *flights) shard(key string) *flightShard {
	return &t.shards[maphash.String(t.seed, key)%uint64(len(t.shards))]
}

// joining says as what a request joins a flight.
type joining uint8

const (
	leads joining = iota // it asks the origin
	waits                // it waits for flight.decided, and calls leave afterwards
	apart                // it asks the origin for itself alone: too many wait
)

// join enters a request for a variant of key, at now. A key that is new is copied. A leader without a flight of its own to cancel
// sets flight.cancel before anybody else can see it: cancel is called when nobody wants the answer any more, before it is decided.
func (t *flights) join(key, variant string, now int64, cancel func()) (*flight, joining) {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := s.m[key]; f != nil; f = f.next {
		if f.variant != variant {
			continue
		}
		if !f.isDecided() && now-f.began > t.age {
			s.remove(f)
			break
		}
		if f.waiting >= t.most {
			return nil, apart
		}
		f.waiting++
		return f, waits
	}
	key = strings.Clone(key) // it may be a view of a buffer that is used again
	f := &flight{key: key, variant: variant, began: now, decided: make(chan struct{}), cancel: cancel}
	if s.m == nil {
		s.m = map[string]*flight{}
	}
	f.next, s.m[key] = s.m[key], f
	return f, leads
}

func (f *flight) isDecided() bool {
	select {
	case <-f.decided:
		return true
	default:
		return false
	}
}

// remove takes f out of its shard, whose lock is held.
func (s *flightShard) remove(f *flight) {
	if f.over {
		return
	}
	f.over = true
	for p, at := s.m[f.key], (*flight)(nil); p != nil; p, at = p.next, p {
		switch {
		case p != f:
		case at != nil:
			at.next = f.next
		case f.next != nil:
			s.m[f.key] = f.next
		default:
			delete(s.m, f.key)
		}
	}
}

// decide tells the waiters what the leader has set in f. Others join afterwards only if it is shared.
func (t *flights) decide(f *flight) {
	s := t.shard(f.key)
	s.mu.Lock()
	if f.outcome != shared {
		s.remove(f)
	}
	close(f.decided)
	s.mu.Unlock()
}

// end ends a flight and reports whether what it brought was made void meanwhile.
func (t *flights) end(f *flight) (void bool) {
	s := t.shard(f.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(f)
	return f.void
}

// drop has nobody join f any more.
func (t *flights) drop(f *flight) {
	s := t.shard(f.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(f)
}

// leave ends a wait.
func (t *flights) leave(f *flight) { t.less(f, func() { f.waiting-- }) }

// abandon says that the client that a flight began for is gone.
func (t *flights) abandon(f *flight) { t.less(f, func() { f.left = true }) }

// less takes one from those who want f, and cancels it if that was the last before it was decided.
func (t *flights) less(f *flight, one func()) {
	s := t.shard(f.key)
	s.mu.Lock()
	one()
	dead := f.left && f.waiting == 0 && !f.isDecided()
	if dead {
		s.remove(f)
	}
	s.mu.Unlock()
	if dead {
		f.cancel()
	}
}

// void says that what the flights of key bring is outdated. Who waits gets it all the same.
func (t *flights) void(key string) {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := s.m[key]; f != nil; f = s.m[key] {
		f.void = true
		s.remove(f)
	}
}
