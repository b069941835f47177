package invalid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/edgecache/edgecache/core"
)

// known is what the one who has the turn knows of the log.
type known struct {
	id      uint64 // the log's, 0 before it was read
	token   uint64 // of the head that was read last
	failing bool   // the log could not be reached the last time

	// own are purges of this node that went into the log a short time ago, until when. A store that fails over to a copy of
	// itself may lose them again.
	own   []record
	until time.Time
}

// ownFor is how long after the last one own purges are looked after.
const ownFor = time.Minute

// maxOwn is how many own purges are looked after.
const maxOwn = 1024

// follow looks at the log until ctx ends.
func (x *Index) follow(ctx context.Context) {
	defer close(x.stopped)
	for {
		t := time.NewTimer(x.options.Interval/2 + rand.N(x.options.Interval))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
			x.look(ctx)
		}
	}
}

// look takes in what others have purged, and puts into the log what is not there.
func (x *Index) look(ctx context.Context) {
	if x.take(ctx) != nil {
		return
	}
	defer x.leave()
	err := x.read(ctx)
	if err == nil && x.waiting() {
		err = x.write(ctx)
	}
	x.tell(ctx, err)
}

// take waits for the turn.
func (x *Index) take(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *Index) leave() { <-x.turn }

// waiting reports whether there are purges that are not in the log.
func (x *Index) waiting() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.pending) > 0
}

// tell logs when the log can't be reached any more, and when it can again.
func (x *Index) tell(ctx context.Context, err error) {
	if ctx.Err() != nil || x.log.failing == (err != nil) {
		return
	}
	if x.log.failing = err != nil; x.log.failing {
		x.options.Logger.LogAttrs(ctx, slog.LevelWarn, "the log of purges can't be used: purges of other nodes are not known", slog.Any("error", err))
		return
	}
	x.options.Logger.LogAttrs(ctx, slog.LevelInfo, "the log of purges can be used again")
}

// publish puts the pending purges into the log, unless another one has done so meanwhile.
func (x *Index) publish(ctx context.Context) error {
	if err := x.take(ctx); err != nil {
		return err
	}
	defer x.leave()
	if !x.waiting() {
		return nil
	}
	err := x.write(ctx)
	x.tell(ctx, err)
	return err
}

// read takes in the log. The caller has the turn.
func (x *Index) read(ctx context.Context) error {
	e, err := x.options.Cache.GetAuthority(ctx, headKey)
	switch {
	case errors.Is(err, core.ErrNotFound) && x.log.id == 0:
		return nil // there was never a purge
	case errors.Is(err, core.ErrNotFound):
		return x.write(ctx) // it was evicted, or the store has lost all that it had
	case err != nil:
		return err
	case e.Token() == x.log.token:
		return nil
	}
	h, err := decodeHead(e.Value)
	if errors.Is(err, errDamaged) {
		return x.write(ctx)
	}
	if err == nil {
		err = x.adopt(ctx, h, nil)
	}
	if err == nil {
		x.log.token = e.Token()
	}
	return err
}

// errForeign is returned for a log that is to be adopted before it is written.
var errForeign = errors.New("the log of purges was begun by another node")

// write puts the pending purges into the log, or makes it anew from what is remembered if it is not there. The caller has
// the turn.
func (x *Index) write(ctx context.Context) error {
	for range 4 {
		mine := x.awaiting()
		var h *head
		err := x.options.Cache.Update(ctx, headKey, func(old *core.Entry) (_ []byte, err error) {
			if h, err = x.extended(ctx, old, mine); err != nil {
				return nil, err
			}
			return h.encode(), nil
		}, core.EntryOptions{TTL: core.NoExpiry, Jitter: -1})
		switch {
		case err == nil:
			return x.adopt(ctx, h, mine)
		case !errors.Is(err, errForeign):
			return err
		}
		if err := x.read(ctx); err != nil {
			return err
		}
	}
	return errForeign
}

// awaiting returns the pending purges, oldest first.
func (x *Index) awaiting() []record {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.SortedFunc(maps.Values(x.pending), func(a, b record) int { return cmp.Compare(a.seq, b.seq) })
}

// extended returns the head that there is, or one made of what is remembered, with the records mine, to which it gives times.
func (x *Index) extended(ctx context.Context, old *core.Entry, mine []record) (*head, error) {
	h, err := x.base(old)
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixNano()
	h.forget(horizon(x.options.Life))
	for i := range mine {
		mine[i].time = min(max(now, h.last+1), unlogged-1)
		h.add(mine[i])
		if len(h.records) < 2*perSegment {
			continue
		}
		if err := x.seal(ctx, h); err != nil {
			return nil, err
		}
	}
	for len(h.records) > perSegment || h.size() > headBytes {
		if err := x.seal(ctx, h); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// base returns the head that is to be extended.
func (x *Index) base(old *core.Entry) (*head, error) {
	if old == nil {
		return x.restored(), nil
	}
	h, err := decodeHead(old.Value)
	switch {
	case errors.Is(err, errDamaged): // what it had is not known: it may have been a purge of anything
		h, err = x.restored(), nil
		h.add(record{time: max(time.Now().UnixNano(), h.last+1), kind: Prefix})
	case err == nil && h.id != x.log.id:
		return nil, errForeign
	}
	return h, err
}

// restored returns a head of all that is remembered and was in a log, with the times that it had.
func (x *Index) restored() *head {
	x.mu.Lock()
	defer x.mu.Unlock()
	h := &head{id: cmp.Or(x.log.id, rand.Uint64()|1), last: x.end.Load()}
	for _, r := range x.remembered() {
		switch {
		case r.kind == Prefix && r.prefix == "" && !r.soft:
			h.all, h.records = r.time, nil
		case r.kind == tagged && !r.soft:
			h.tagged = r.time
		default:
			h.records = append(h.records, r)
		}
		h.last = max(h.last, r.time)
	}
	return h
}

// remembered returns all that is remembered and was in a log, as records in the order of their times. The caller has x.mu.
func (x *Index) remembered() []record {
	var records []record
	add := func(r record) {
		if r.time > 0 && r.time != unlogged {
			records = append(records, r)
		}
	}
	for _, t := range x.targets.Load().all() {
		add(record{time: t.hard.time, kind: t.kind, hash: t.hash})
		add(record{time: t.soft.time, kind: t.kind, hash: t.hash, soft: true})
	}
	for _, r := range *x.rules.Load() {
		kind := Prefix
		if r.tagged {
			kind = tagged
		}
		add(record{time: r.time, kind: kind, prefix: r.prefix, soft: r.soft})
	}
	slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.time, b.time) })
	return records
}

// seal moves the oldest records of a head into a segment.
func (x *Index) seal(ctx context.Context, h *head) error {
	n := min(len(h.records), perSegment)
	part := h.records[:n]
	s := segment{end: part[n-1].time, urls: slices.ContainsFunc(part, func(r record) bool { return r.kind != Tag })}
	ttl := x.options.Life + 2*margin
	if err := x.options.Cache.Set(ctx, s.key(), encodeSegment(part), core.EntryOptions{TTL: ttl, Jitter: -1}); err != nil {
		return fmt.Errorf("seal %d purges: %w", n, err)
	}
	h.segments, h.records = append(h.segments, s), slices.Clone(h.records[n:])
	for len(h.segments) > max(x.options.Records/perSegment, 1) {
		h.drop()
	}
	return nil
}

func (s segment) key() string { return segmentKey + strconv.FormatInt(s.end, 10) }

// adopt takes in a head that was read, or written with the records mine. The caller has the turn.
func (x *Index) adopt(ctx context.Context, h *head, mine []record) error {
	lost := x.log.id != 0 && (h.id != x.log.id || h.last < x.end.Load())
	since := x.end.Load()
	if lost {
		since = 0
	}
	news, err := x.since(ctx, h, since)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if lost {
		news = x.mend(h, news)
	}
	x.absorb(h, news, mine)
	x.log.id = h.id
	x.guard(h, mine)
	return nil
}

// since returns the records of the log that are newer than a position, among them those that make up for what the log has
// dropped, and for segments that are not there any more.
func (x *Index) since(ctx context.Context, h *head, position int64) ([]record, error) {
	records := []record{{time: h.all, kind: Prefix}, {time: h.tagged, kind: tagged}}
	for _, s := range h.segments {
		if s.end <= position {
			continue
		}
		b, err := x.options.Cache.Get(ctx, s.key())
		var part []record
		if err == nil {
			part, err = decodeSegment(b)
		}
		switch {
		case errors.Is(err, core.ErrNotFound), errors.Is(err, errDamaged):
			part = []record{{time: s.end, kind: Prefix}}
		case err != nil:
			return nil, fmt.Errorf("segment of the log of purges: %w", err)
		}
		records = append(records, part...)
	}
	records = append(records, h.records...)
	return slices.DeleteFunc(records, func(r record) bool { return r.time <= position }), nil
}

// absorb makes hold what is new in a head, and settles what is this node's own. The caller has x.mu.
func (x *Index) absorb(h *head, news, mine []record) {
	own := make(map[int64]bool, len(mine))
	for i := range mine {
		r := &mine[i]
		own[r.time] = true
		x.settle(r)
		if x.pending[r.named()].seq == r.seq {
			delete(x.pending, r.named())
		}
	}
	seq, changed := x.seq.Load()+1, false
	for i := range news {
		if r := &news[i]; !own[r.time] {
			r.seq, changed = seq, true
			x.apply(r)
		}
	}
	if changed {
		x.seq.Store(seq)
	}
	x.end.Store(max(x.end.Load(), h.last))
}

// mend brings together what is remembered and a log that has lost some of it, or was begun anew: what the log lacks becomes
// pending, and so does what is new here, but was purged before what some responses have as their position. It returns the
// records that are new here. The caller has x.mu.
func (x *Index) mend(h *head, logged []record) (news []record) {
	there, here := make(map[named]int64), make(map[named]int64)
	for i := range logged {
		there[logged[i].named()] = logged[i].time
	}
	old, end := horizon(x.options.Life), x.end.Load()
	var lacking []record
	for _, r := range x.remembered() {
		here[r.named()] = r.time
		if r.time > there[r.named()] && r.time > h.all && r.time >= old {
			lacking = append(lacking, r)
		}
	}
	for _, r := range logged {
		switch {
		case r.time <= here[r.named()]:
		case r.time > end:
			news = append(news, r)
		default:
			r.time = unlogged
			news, lacking = append(news, r), append(lacking, r)
		}
	}
	x.await(lacking)
	x.log.own = nil // they are among what is remembered
	return news
}

// guard sees to it that own purges of late stay in the log. The caller has the turn and x.mu.
func (x *Index) guard(h *head, mine []record) {
	l := &x.log
	if now := time.Now(); len(mine) > 0 {
		l.until = now.Add(ownFor)
	} else if now.After(l.until) {
		l.own = nil
	}
	lost := slices.DeleteFunc(slices.Clone(l.own), func(r record) bool { return h.has(&r) })
	if len(lost) > 0 {
		x.await(lost)
	}
	if l.own = append(l.own, mine...); len(l.own) > maxOwn {
		l.own = slices.Clone(l.own[len(l.own)-maxOwn:])
	}
}
