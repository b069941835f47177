package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/rfc9111"
)

// Begin starts to store a response to req whose body is to come: size bytes, or -1 if that is not known. Commit or Abort must
// follow. The fill does not end with ctx.
func (s *Store) Begin(ctx context.Context, key string, req Fields, m *Meta, size int64) *Fill {
	f := s.fill(ctx, key, req, m)
	f.end = size
	if f.small = size >= 0 && size <= MaxInline; !f.small {
		f.id = newBodyID()
	}
	f.retain = f.retain && size <= s.options.MaxObject
	s.start(f)
	return f
}

// BeginRange is Begin for the bytes from first up to, not including, end of a representation of size bytes: those of a 206.
// If what is stored when it is committed has the same size and the same strong ETag, both are combined; else it takes its place.
// Large ranges should begin and end at multiples of SegmentSize.
func (s *Store) BeginRange(ctx context.Context, key string, req Fields, m *Meta, first, end, size int64) *Fill {
	f := s.fill(ctx, key, req, m)
	f.ranged, f.rec.size, f.id = true, size, newBodyID()
	f.first, f.pos, f.end = first, first, end
	f.retain = f.retain && size <= s.options.MaxObject && first >= 0 && first < end && end <= size
	if f.retain && strong(f.rec.etag()) && aligned(first, end, size) {
		f.goOn(f.ctx, key, req)
	}
	s.start(f)
	return f
}

// fill returns a Fill of which only the size is missing.
func (s *Store) fill(ctx context.Context, key string, req Fields, m *Meta) *Fill {
	now := time.Now()
	names, star := rfc9111.VaryFields(m.Header)
	f := &Fill{
		store: s, ctx: context.WithoutCancel(ctx), stamp: m.Stamp, star: star, retain: !star,
		abandoned: make(chan struct{}),
	}
	f.rec = record{id: newBodyID(), key: strings.Clone(key)}
	if len(names) > 0 {
		f.rule = newRule(names)
		f.rec.rule = f.rule.text
		f.rec.selecting = string(rfc9111.AppendVariant(nil, names, req))
		if l := rfc9111.ContentLanguage(m.Header); l != "" && f.rule.byLanguage() {
			f.rec.language = string(rfc9111.AppendVariantFor(nil, names, req, l))
		}
	}
	m.begin(&f.rec)
	f.rec.tags = slices.Clone(m.Tags)
	f.rec.ends = segmentsEnd(now, m.Keep)
	return f
}

// segmentLife is how long segments live at least, and segmentLives how many times as long as their response may be kept
// without a validation. A response that is validated again and again lasts as long as its segments; then it is fetched anew.
const (
	segmentLife  = 24 * time.Hour
	segmentLives = 4
)

// segmentsEnd is when the segments of a response end that is kept for keep.
func segmentsEnd(now time.Time, keep time.Duration) int64 {
	if keep == 0 {
		return 0
	}
	return core.Deadline(now, max(segmentLife, segmentLives*min(keep, 1<<60)))
}

// goOn lets the fill write segments of the body that is there of the same representation, so that the stretches of many
// fills become one.
func (f *Fill) goOn(ctx context.Context, key string, req Fields) {
	cur, _ := f.store.Lookup(ctx, key, req)
	if cur == nil || !sameBytes(&cur.record, &f.rec) {
		return
	}
	for _, p := range cur.parts {
		if aligned(p.first, p.end, cur.size) {
			f.id, f.shared, f.rec.ends = p.id, true, cur.ends
			return
		}
	}
}

func (s *Store) start(f *Fill) {
	if !f.small {
		s.readers.enter([]part{{id: f.id}}) // keeps its segments from being freed while somebody reads it
	}
	s.fills.add(f)
}

// leave ends what start began.
func (f *Fill) leave() {
	if !f.small {
		f.store.leave([]part{{id: f.id}})
	}
}

// fills are those under way, by primary key.
type fills struct {
	mu    sync.Mutex
	byKey map[string]*Fill // the first of those that Fill.next connects
}

func (x *fills) add(f *Fill) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f.next, x.byKey[f.rec.key] = x.byKey[f.rec.key], f
}

func (x *fills) remove(f *Fill) {
	x.mu.Lock()
	defer x.mu.Unlock()
	first := x.byKey[f.rec.key]
	for at := &first; *at != nil; at = &(*at).next {
		if *at == f {
			*at, f.next = f.next, nil
			break
		}
	}
	if first == nil {
		delete(x.byKey, f.rec.key)
		return
	}
	x.byKey[f.rec.key] = first
}

// doom keeps all fills of a key from being stored.
func (x *fills) doom(key string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for f := x.byKey[key]; f != nil; f = f.next {
		f.doom()
	}
}

// budget is what fills may hold together.
type budget struct{ left atomic.Int64 }

func (b *budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

func (b *budget) give(n int64) { b.left.Add(n) }
