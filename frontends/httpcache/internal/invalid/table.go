package invalid

import (
	"slices"
	"strings"
	"sync/atomic"
)

// mark is one purge of something.
type mark struct {
	time  int64  // in the log, or unlogged
	seq   uint64 // the Index's, when it was known here; 0 is no purge at all
	since int64  // when it was, in unix nanoseconds
}

// target is what is known of a tag or a URL. It is immutable.
type target struct {
	hash       uint64
	kind       Kind
	hard, soft mark
}

// mark returns the mark of hard or soft purges.
func (t *target) mark(soft bool) *mark {
	if soft {
		return &t.soft
	}
	return &t.hard
}

// newest is the time of its last purge.
func (t *target) newest() int64 { return max(t.hard.time, t.soft.time) }

// table finds targets by hash. Any number of goroutines read it beside the one that adds.
type table struct {
	slots []atomic.Pointer[target] // a power of two of them, at least a quarter empty
	n     int
}

// newTable returns a table with room for n targets.
func newTable(n int) *table {
	size := 64
	for size*3/4 <= n {
		size *= 2
	}
	return &table{slots: make([]atomic.Pointer[target], size)}
}

// slot returns the slot of a hash, or the empty one where it belongs.
func (t *table) slot(hash uint64) *atomic.Pointer[target] {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if p := t.slots[i].Load(); p == nil || p.hash == hash {
			return &t.slots[i]
		}
	}
}

func (t *table) find(hash uint64) *target { return t.slot(hash).Load() }

// full reports whether another target needs a larger table.
func (t *table) full() bool { return t.n >= len(t.slots)*3/4-1 }

func (t *table) put(p *target) {
	s := t.slot(p.hash)
	if s.Load() == nil {
		t.n++
	}
	s.Store(p)
}

// all are the targets.
func (t *table) all() []*target {
	all := make([]*target, 0, t.n)
	for i := range t.slots {
		if p := t.slots[i].Load(); p != nil {
			all = append(all, p)
		}
	}
	return all
}

// tableOf returns a table of these targets with room for twice as many.
func tableOf(targets []*target) *table {
	t := newTable(2 * len(targets))
	for _, p := range targets {
		t.put(p)
	}
	return t
}

// rule is a purge of many URLs.
type rule struct {
	mark
	prefix string
	tagged bool // only of responses that have a tag
	soft   bool
}

func (r *rule) fits(m *Marks) bool {
	return strings.HasPrefix(m.key, r.prefix) && (!r.tagged || len(m.tags) > 0)
}

// covers reports whether everything that o purges is purged by r.
func (r *rule) covers(o *rule) bool {
	return r.time >= o.time && (!r.soft || o.soft) && (!r.tagged || o.tagged) && strings.HasPrefix(o.prefix, r.prefix)
}

// maxRules is how many rules there are at most, so that looking at all of them takes microseconds.
const maxRules = 1024

// withRule returns rules with another one at their end and without those that it covers. Where there are too many, the two
// oldest become one of all that they have in common. The rules are not changed.
func withRule(rules []rule, r rule) []rule {
	kept := make([]rule, 0, len(rules)+1)
	for i := range rules {
		if !r.covers(&rules[i]) {
			kept = append(kept, rules[i])
		}
	}
	if len(kept) >= maxRules {
		both := joined(&kept[0], &kept[1])
		both.seq = r.seq
		kept = withRule(slices.Clone(kept[2:]), both)
	}
	return append(kept, r)
}

// joined is the least rule that covers both.
func joined(a, b *rule) rule {
	n := 0
	for n < len(a.prefix) && n < len(b.prefix) && a.prefix[n] == b.prefix[n] {
		n++
	}
	j := rule{prefix: a.prefix[:n], tagged: a.tagged && b.tagged, soft: a.soft && b.soft}
	j.time, j.since = max(a.time, b.time), min(a.since, b.since)
	return j
}
