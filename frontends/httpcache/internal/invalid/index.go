package invalid

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

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
	// Records is how many purges are remembered, at least 1024. Older ones are made up for by purging everything that they
	// could be about. 0 means 32,768.
	Records int
	// Logger is told that the log can't be reached, and that it can be again. nil discards it.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Life == 0 {
		o.Life = 30 * 24 * time.Hour
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.Records == 0 {
		o.Records = 32 << 10
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Cache == nil:
		return o, errors.New("invalid: Cache is nil: pass the namespace that shall keep the log of purges")
	case o.Life < 0 || o.Interval < 0:
		return o, errors.New("invalid: Life and Interval must not be negative")
	case o.Records < minRecords:
		return o, fmt.Errorf("invalid: Records is %d: at least %d are needed", o.Records, minRecords)
	}
	return o, nil
}

const minRecords = 1024

// ErrNotShared is returned for a purge that holds in this process, but is not in the log: other nodes, and this one after
// a restart, do not know of it until the log can be written, which is tried again.
var ErrNotShared = errors.New("purged on this node alone for now")

// Index knows what has been purged. It is safe for concurrent use.
type Index struct {
	options Options
	seq     atomic.Uint64 // counts what has changed here; stored after the change
	end     atomic.Int64  // the position
	targets atomic.Pointer[table]
	rules   atomic.Pointer[[]rule] // by seq

	turn chan struct{} // a place for the one who reads and writes the log
	log  known         // belongs to whoever has the turn

	mu      sync.Mutex       // for changes of what is above but log, and:
	pending map[named]record // purges that are not in the log

	stop    context.CancelFunc
	stopped chan struct{}
}

// New returns an Index that has read the log, if it can be read, and keeps following it until Close. ctx bounds that first
// reading.
func New(ctx context.Context, o Options) (*Index, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	x := &Index{options: o, turn: make(chan struct{}, 1), pending: make(map[named]record), stopped: make(chan struct{})}
	x.targets.Store(newTable(0))
	x.rules.Store(new([]rule))
	x.look(ctx)
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	x.stop = stop
	go x.follow(following)
	return x, nil
}

// Close ends the following, and returns when it has ended. Purges that are not in the log by then are lost to others. It is
// idempotent.
func (x *Index) Close() error {
	x.stop()
	<-x.stopped
	return nil
}

// Stamp says which purges the fetch of a response came after.
type Stamp struct {
	// Position is to be stored with the response; a Stamp read from a store has nothing else.
	Position int64

	seen uint64 // the Index's seq: purges up to it came before the fetch, wherever they are in the log
}

// Stamp returns the stamp of a fetch or a revalidation that begins now. It is to be taken before the origin is asked.
func (x *Index) Stamp() Stamp { return Stamp{Position: x.end.Load(), seen: x.seq.Load()} }

// Marks are what a decoded response has at hand to know whether it has been purged. They are safe for concurrent use.
type Marks struct {
	key     string
	url     uint64   // the hash of what key begins with
	tags    []uint64 // hashes
	stamp   Stamp
	checked atomic.Uint64 // what has changed up to this seq has been looked at
	found   atomic.Int64  // what was found: hardly, or since when it is stale
}

// hardly is found for a hard purge.
const hardly = -1

// Resolve returns the marks of a response with its primary key (scheme://host/path?query), its tags, and the stamp of its
// fetch or last revalidation. It keeps key, but not tags.
func (x *Index) Resolve(key string, tags []string, s Stamp) *Marks {
	m := &Marks{key: key, url: hashURL(key), stamp: s}
	if len(tags) > 0 {
		m.tags = make([]uint64, len(tags))
		for i, tag := range tags {
			m.tags[i] = hashTag(tag)
		}
	}
	x.check(m, x.seq.Load())
	return m
}

// State reports whether the response has been purged, and if softly since when it is stale, in unix nanoseconds, 0 being not
// at all. It allocates nothing and waits for nobody: three atomic loads, unless there was a purge of anything meanwhile.
func (x *Index) State(m *Marks) (hard bool, softSince int64) {
	if seq := x.seq.Load(); m.checked.Load() != seq {
		x.check(m, seq)
	}
	found := m.found.Load()
	return found == hardly, max(found, 0)
}

// Purged reports whether Resolve's marks would say that the response has been purged, softly or not. It allocates nothing for
// up to 8 tags, and keeps nothing.
func (x *Index) Purged(key string, tags []string, s Stamp) bool {
	var space [8]uint64
	m := Marks{key: key, url: hashURL(key), tags: space[:0], stamp: s}
	for _, tag := range tags {
		m.tags = append(m.tags, hashTag(tag))
	}
	x.check(&m, x.seq.Load())
	return m.found.Load() != 0
}

// check looks at what has changed until seq.
func (x *Index) check(m *Marks, seq uint64) {
	checked := m.checked.Load()
	t := x.targets.Load()
	m.note(t.find(m.url))
	for _, hash := range m.tags {
		m.note(t.find(hash))
	}
	rules := *x.rules.Load()
	for i := len(rules) - 1; i >= 0 && rules[i].seq > checked; i-- {
		if r := &rules[i]; r.fits(m) {
			m.meet(&r.mark, r.soft)
		}
	}
	m.checked.Store(seq)
}

// note meets what is known of a target, nil being nothing.
func (m *Marks) note(t *target) {
	if t != nil {
		m.meet(&t.hard, false)
		m.meet(&t.soft, true)
	}
}

// meet takes in a purge that names the response, unless the response came after it.
func (m *Marks) meet(k *mark, soft bool) {
	if k.time <= m.stamp.Position || k.seq <= m.stamp.seen {
		return
	}
	for {
		found := m.found.Load()
		worse := int64(hardly)
		if soft {
			worse = k.since
		}
		if found == hardly || soft && found != 0 && found <= worse || m.found.CompareAndSwap(found, worse) {
			return
		}
	}
}

// Stats is what there is to say about an Index.
type Stats struct {
	Position int64 `json:"position"` // the end of the log, as far as it is known
	Targets  int   `json:"targets"`  // tags and URLs that are remembered
	Rules    int   `json:"rules"`    // prefixes that are
	Pending  int   `json:"pending"`  // purges that are not in the log
}

// Stats returns what there is to say.
func (x *Index) Stats() Stats {
	x.mu.Lock()
	defer x.mu.Unlock()
	return Stats{x.end.Load(), x.targets.Load().n, len(*x.rules.Load()), len(x.pending)}
}

// hashTag and hashURL are stored: they stay as they are.
func hashTag(tag string) uint64 { return xxhash.Sum64String(tag) }

func hashURL(key string) uint64 { return ^xxhash.Sum64String(Base(key)) }

// Base returns a primary key without what stands behind the URL in it, after a byte 0x1f: responses that differ in that alone
// are of one URL.
func Base(key string) string {
	base, _, _ := strings.Cut(key, "\x1f")
	return base
}
