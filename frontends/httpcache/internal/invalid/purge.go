package invalid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Kind is what a purge names.
type Kind uint8

// The kinds.
const (
	Tag    Kind = iota // responses with the tag
	URL                // responses with this primary key, or one that has a byte 0x1f and more behind it, in all variants
	Prefix             // responses whose primary key begins so, byte by byte; "" is everything
	tagged             // responses with any tag: what purges of tags that are forgotten become
)

// Target is what is to be purged.
type Target struct {
	Kind Kind
	Name string
	Soft bool // it becomes stale, and is not forgotten
}

// MaxName is how long a Target's Name can be, in bytes.
const MaxName = 8 << 10

// ErrBadTarget is returned for a Target that can't be.
var ErrBadTarget = errors.New("nothing that can be purged")

// record is a purge as the log has it.
type record struct {
	time   int64 // unlogged for one that is not in the log
	kind   Kind
	soft   bool
	hash   uint64 // of a tag or a URL
	prefix string

	seq uint64 // of those that are pending
}

// unlogged is the time of purges that have none yet: they are about all responses that were not fetched by this process
// after them.
const unlogged = math.MaxInt64

func (t Target) record() (record, error) {
	r := record{time: unlogged, kind: t.Kind, soft: t.Soft}
	switch {
	case len(t.Name) > MaxName:
		return r, fmt.Errorf("%w: a name of %d bytes, %d are allowed", ErrBadTarget, len(t.Name), MaxName)
	case t.Kind == Prefix:
		r.prefix = t.Name
	case t.Name == "":
		return r, fmt.Errorf("%w: an empty name", ErrBadTarget)
	case t.Kind == Tag:
		r.hash = hashTag(t.Name)
	case t.Kind == URL:
		r.hash = hashURL(t.Name)
	default:
		return r, fmt.Errorf("%w: kind %d", ErrBadTarget, t.Kind)
	}
	return r, nil
}

// named is what tells purges apart, but for when they were.
type named struct {
	kind   Kind
	soft   bool
	hash   uint64
	prefix string
}

func (r *record) named() named { return named{r.kind, r.soft, r.hash, r.prefix} }

// beats reports whether r is of what o is of and does at least as much, if it comes later.
func (r *record) beats(o *record) bool {
	return r.kind == o.kind && r.hash == o.hash && r.prefix == o.prefix && (o.soft || !r.soft)
}

// Purge purges all targets. It holds in this process before the log is asked, and for other nodes when it returns nil and
// they have looked (Options.Interval). Its errors are ErrBadTarget, with which nothing is purged, and ErrNotShared, with
// the cause.
func (x *Index) Purge(ctx context.Context, targets ...Target) error {
	records := make([]record, len(targets))
	for i, t := range targets {
		var err error
		if records[i], err = t.record(); err != nil {
			return err
		}
	}
	if len(records) == 0 {
		return nil
	}
	x.mu.Lock()
	seq := x.seq.Load() + 1
	for i := range records {
		records[i].seq = seq
		x.apply(&records[i])
	}
	x.await(records)
	x.seq.Store(seq)
	x.mu.Unlock()
	if err := x.publish(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNotShared, err)
	}
	return nil
}

// await puts records among the pending ones. Where the log can't be written for so long that these are too many, everything
// is purged in their place. The caller has x.mu.
func (x *Index) await(records []record) {
	for i := range records {
		x.pending[records[i].named()] = records[i]
	}
	if len(x.pending) <= x.options.Records {
		return
	}
	all := record{time: unlogged, kind: Prefix, seq: x.seq.Load() + 1}
	x.apply(&all)
	clear(x.pending)
	x.pending[all.named()] = all
	x.seq.Store(all.seq)
}

// apply makes a purge hold, of which r.seq says since when it is known here. The caller has x.mu and stores x.seq then.
func (x *Index) apply(r *record) {
	k := mark{time: r.time, seq: r.seq, since: min(r.time, time.Now().UnixNano())}
	if r.kind == Prefix || r.kind == tagged {
		rules := withRule(*x.rules.Load(), rule{mark: k, prefix: r.prefix, tagged: r.kind == tagged, soft: r.soft})
		x.rules.Store(&rules)
		return
	}
	next := target{hash: r.hash, kind: r.kind}
	if old := x.targets.Load().find(r.hash); old != nil {
		next = *old
	}
	last := next.mark(r.soft)
	k.time = max(k.time, last.time) // one that is not in the log yet stays so
	*last = k
	x.remember(&next)
}

// settle gives a purge that holds the time that it has in the log. The caller has x.mu.
func (x *Index) settle(r *record) {
	if r.kind == Prefix || r.kind == tagged {
		rules := slices.Clone(*x.rules.Load())
		for i := range rules {
			if k := &rules[i]; k.prefix == r.prefix && k.tagged == (r.kind == tagged) && k.soft == r.soft {
				k.settle(r.time)
			}
		}
		x.rules.Store(&rules)
		return
	}
	if t := x.targets.Load().find(r.hash); t != nil {
		next := *t
		next.mark(r.soft).settle(r.time)
		x.remember(&next)
	}
}

// settle gives a mark its time in the log.
func (k *mark) settle(time int64) {
	if k.time == unlogged || k.time < time {
		k.time = time
	}
}

// remember puts a target in the place of what was known of the same. The caller has x.mu.
func (x *Index) remember(p *target) {
	t := x.targets.Load()
	if t.full() && t.find(p.hash) == nil {
		t = tableOf(x.worthy(t.all()))
		t.put(p)
		x.targets.Store(t)
		return
	}
	t.put(p)
}

// worthy returns the targets that are to be remembered. The log forgets before it comes to a floor here. The caller has x.mu.
func (x *Index) worthy(targets []*target) []*target {
	old := horizon(x.options.Life)
	targets = slices.DeleteFunc(targets, func(t *target) bool { return t.newest() < old })
	if len(targets) <= 2*x.options.Records {
		return targets
	}
	slices.SortFunc(targets, func(a, b *target) int { return cmp.Compare(b.newest(), a.newest()) })
	rest := targets[x.options.Records:]
	for kind, floor := range map[Kind]Kind{Tag: tagged, URL: Prefix} {
		if i := slices.IndexFunc(rest, func(t *target) bool { return t.kind == kind }); i >= 0 {
			x.apply(&record{time: rest[i].newest(), kind: floor, seq: x.seq.Load() + 1})
		}
	}
	return targets[:x.options.Records]
}

// margin is how far the clocks of nodes may differ without a purge being forgotten too early.
const margin = time.Hour

// horizon is the time of the oldest purge that a response which lives for life may have come before.
func horizon(life time.Duration) int64 { return time.Now().Add(-life - margin).UnixNano() }
