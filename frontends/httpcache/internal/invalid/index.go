package invalid

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Options configures an Index.
type Options struct {
	// Cache keeps the log of purges: a namespace for it alone, of the cache that keeps the responses. It is required.
	Cache *core.Cache
	// Life is how long a response can stay in a tier at most. Purges are remembered for as long. 0 means 30 days.
	Life time.Duration
	// Interval is how often the log is looked at for what other nodes have purged, give or take half of it. 0 means a second.
	Interval time.Duration
	// Records is how many purges are remembered. Older ones are made up for by purging everything that they could be about.
	// 0 means 32,768.
	Records int
	// Logger is told that the log can't be reached, and that it can be again. nil discards it.
	Logger *slog.Logger
}

// ErrNotShared is returned for a purge that holds in this process, but is not in the log: other nodes, and this one after
// a restart, do not know of it until the log can be written, which is tried again.
var ErrNotShared = errors.New("purged on this node alone for now")

// Index knows what has been purged. It is safe for concurrent use.
type Index struct {
	seq atomic.Uint64
}

// New returns an Index that has read the log, if it can be read, and keeps following it until Close.
func New(ctx context.Context, o Options) (*Index, error) { return &Index{}, nil }

// Close ends the following. It is idempotent.
func (x *Index) Close() error { return nil }

// Stamp says which purges the fetch of a response came after.
type Stamp struct {
	// Position is to be stored with the response; a Stamp read from a store has nothing else.
	Position int64

	seen uint64
}

// Stamp returns the stamp of a fetch or a revalidation that begins now. It is to be taken before the origin is asked.
func (x *Index) Stamp() Stamp { return Stamp{} }

// Marks are what a decoded response has at hand to know whether it has been purged. They are safe for concurrent use.
type Marks struct {
	key string
}

// Resolve returns the marks of a response with its primary key (scheme://host/path?query), its tags, and the stamp of its
// fetch or last revalidation. It keeps key, but not tags.
func (x *Index) Resolve(key string, tags []string, s Stamp) *Marks { return &Marks{key: key} }

// State reports whether the response has been purged, and if softly since when it is stale, in unix nanoseconds; 0 is not
// at all. It allocates nothing and waits for nobody: one atomic load of each unless there was a purge of anything since.
func (x *Index) State(m *Marks) (hard bool, softSince int64) { return false, 0 }

// Kind is what a purge names.
type Kind uint8

const (
	Tag    Kind = iota // responses with the tag
	URL                // responses with just this primary key, in all variants
	Prefix             // responses whose primary key begins so, byte by byte; "" is everything
)

// Target is what is to be purged.
type Target struct {
	Kind Kind
	Name string
	Soft bool // it becomes stale, and is not forgotten
}

// Purge purges all targets. It holds in this process before the log is asked, and for other nodes when it returns nil and
// they have looked (Options.Interval). ErrNotShared is the only error but those of targets, with which nothing is purged.
func (x *Index) Purge(ctx context.Context, targets ...Target) error { return nil }
