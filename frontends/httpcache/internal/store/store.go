package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/rfc9111"
)

const (
	// MaxInline is the largest body that stays with its head in one entry.
	MaxInline = 64 << 10
	// SegmentSize is what larger bodies are cut into: segment n is the bytes from n*SegmentSize on of the representation.
	SegmentSize = 256 << 10
	// MaxVariants is how many variants a resource has. One more takes the place of the oldest.
	MaxVariants = 32
	// MaxRules is how many different Vary fields of a resource are remembered.
	MaxRules = 4
	// MaxParts is how many stretches a response may have that is not whole. The shortest go.
	MaxParts = 64
)

var (
	// ErrGone is returned for bytes that are not in the cache any more, and by Fill.Reader for those that it has let go.
	ErrGone = errors.New("stored bytes are gone")
	// ErrIncomplete is returned by Commit for a body that is not as long as was declared.
	ErrIncomplete = errors.New("body is incomplete")
	// ErrNotStored is returned where a response is good but is not kept: too large, varying by everything, purged or deleted
	// meanwhile, or refused by the cache.
	ErrNotStored = errors.New("response is not stored")
	// ErrAbandoned is returned to the writer of a fill that nobody reads any more and that is not worth its end.
	ErrAbandoned = errors.New("nobody reads the response any more")
	// ErrEnded is returned for a fill that has been committed or aborted.
	ErrEnded = errors.New("fill has ended")
)

// Fields is where request fields are read from: an http.Header, or the fast path's own.
type Fields = rfc9111.Fields

// Options configures a Store.
type Options struct {
	// Cache is a namespace for the responses alone. It is required.
	Cache *core.Cache
	// Index knows what is purged. nil is nothing, ever.
	Index *invalid.Index
	// MaxObject is the largest representation that is kept, in bytes. 0 means 1 GiB.
	MaxObject int64
	// FillBytes bounds what all fills together hold in memory for readers that lag behind, beyond 1 MiB each. 0 means 64 MiB.
	FillBytes int64
	// FinishBytes is up to which size a fill goes on though nobody reads it any more. 0 means 1 MiB.
	FinishBytes int64
	// Patience is how long a fill waits for a reader that holds it up, where it can go on without. 0 means 10 s.
	Patience time.Duration
	// Logger is told what goes wrong beside the calls. nil discards it.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Cache == nil:
		return o, errors.New("store: Cache is nil: pass the namespace that shall keep the responses")
	case o.MaxObject < 0 || o.FillBytes < 0 || o.FinishBytes < 0 || o.Patience < 0:
		return o, errors.New("store: MaxObject, FillBytes, FinishBytes and Patience must not be negative")
	}
	setDefault(&o.MaxObject, 1<<30)
	setDefault(&o.FillBytes, 64<<20)
	setDefault(&o.FinishBytes, 1<<20)
	setDefault(&o.Patience, 10*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Store keeps responses. It is safe for concurrent use.
//
// The cache has three namespaces for it. "responses" has at each primary key either the response or, if that varies, the
// index of the variants; "variants" has these, at keys that begin with the index's epoch; "bodies" has the segments of bodies
// that are larger than MaxInline, at keys that begin with the body's id. So what the primary key has is all that counts:
// without it the rest is not found, and is freed, expires or is evicted.
type Store struct {
	options                     Options
	responses, variants, bodies *core.Cache

	queries  sync.Pool // of *query
	fills    fills
	budget   budget
	readers  readers
	damages  atomic.Uint64
	garbage  chan garbage
	closing  sync.RWMutex
	closed   bool // guarded by closing
	sweepers sync.WaitGroup
}

// New returns a Store of o. Close must follow.
func New(o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		options:   o,
		responses: o.Cache.Namespace("responses"),
		variants:  o.Cache.Namespace("variants"),
		bodies:    o.Cache.Namespace("bodies"),
		queries:   sync.Pool{New: func() any { return new(query) }},
		fills:     fills{byKey: make(map[string]*Fill)},
		readers:   readers{count: make(map[bodyID]int), after: make(map[bodyID][]part)},
		garbage:   make(chan garbage, 256),
	}
	s.budget.left.Store(o.FillBytes)
	s.sweepers.Go(s.sweep)
	return s, nil
}

// Close waits for what is freed in the background. Fills must have ended. It is idempotent; the cache stays open.
func (s *Store) Close() error {
	s.closing.Lock()
	if !s.closed {
		s.closed = true
		close(s.garbage)
	}
	s.closing.Unlock()
	s.sweepers.Wait()
	return nil
}

// DecodeErrors returns how many stored values were damaged or of another version. They were misses.
func (s *Store) DecodeErrors() uint64 { return s.damages.Load() }

// trouble logs what goes wrong beside the calls.
func (s *Store) trouble(what string, err error) {
	s.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, what, slog.Any("error", err))
}

// decode returns the *Response or *index of an entry of the primary keys or the variants, and keeps it beside it.
func (s *Store) decode(c *core.Cache, key string, e *core.Entry) (any, error) {
	if d := e.Decoded(); d != nil {
		return d, nil
	}
	d, weight, err := s.decodeFrame(e.Value)
	if err != nil {
		s.damages.Add(1)
		return nil, err
	}
	c.KeepDecoded(key, e, d, weight)
	return d, nil
}

func (s *Store) decodeFrame(frame []byte) (decoded any, weight uint32, err error) {
	k, data, err := openFrame(frame)
	if err != nil {
		return nil, 0, err
	}
	switch k {
	case kindIndex:
		x, err := decodeIndex(data)
		if err != nil {
			return nil, 0, err
		}
		return x, x.weight(), nil
	case kindResponse:
		rec, err := decodeRecord(data)
		if err != nil {
			return nil, 0, err
		}
		r, err := s.newResponse(rec, invalid.Stamp{Position: rec.position})
		if err != nil {
			return nil, 0, err
		}
		return r, r.weight(), nil
	default:
		return nil, 0, fmt.Errorf("%w: kind %d at the key of a response", errFrame, k)
	}
}
