package trace

import (
	"errors"
	"fmt"
	"math"
)

// forever is the end of a life that has none.
const forever = math.MaxInt64

// errNoTTLs is why lifetimes can't be honoured.
var errNoTTLs = errors.New("the source says nothing of lifetimes: give one for all objects, as in --ttl 3600")

// expire does what Options.TTL wants, and after that what Options.Ops does: sets that are not taken make lives too.
func (t *Trace) expire(o *Options) error {
	switch {
	case o.TTL == 0:
		return nil
	case o.TTL == SourceTTL && t.TTLs == nil:
		return fmt.Errorf("%s: %w", t.Name, errNoTTLs)
	}
	t.Expire(o.TTL)
	ops, err := parseOps(o.Ops)
	if err != nil {
		return err
	}
	if t.Ops != nil {
		t.take(ops)
	}
	if len(t.IDs) == 0 || t.Ops == nil && !ops.has(OpGet) {
		return fmt.Errorf("%s: expected requests, found none that are taken (--ops %s)", t.Name, o.Ops)
	}
	return nil
}

// take leaves out the requests that do something else. Ids are dense again.
func (t *Trace) take(ops opSet) {
	const absent = math.MaxUint32
	ids := make([]uint32, t.Objects)
	for id := range ids {
		ids[id] = absent
	}
	n := 0
	t.Objects, t.Footprint = 0, 0
	for i, old := range t.IDs {
		if !ops.has(t.Ops[i]) {
			continue
		}
		if ids[old] == absent {
			ids[old] = uint32(t.Objects)
			t.Objects++
			t.Footprint += uint64(t.Size(i))
		}
		t.IDs[n] = ids[old]
		move(t.Sizes, n, i)
		move(t.Times, n, i)
		move(t.Costs, n, i)
		move(t.Ops, n, i)
		move(t.TTLs, n, i)
		n++
	}
	t.IDs, t.Sizes, t.Times, t.Costs, t.Ops, t.TTLs = t.IDs[:n], upTo(t.Sizes, n), upTo(t.Times, n), upTo(t.Costs, n), upTo(t.Ops, n), upTo(t.TTLs, n)
}

// move copies a row of a column that may not be there.
func move[T any](column []T, to, from int) {
	if column != nil {
		column[to] = column[from]
	}
}

// upTo returns the first rows of a column that may not be there.
func upTo[T any](column []T, n int) []T {
	if column == nil {
		return nil
	}
	return column[:n]
}

// Expire honours lifetimes, so that a request that comes when its object's life is over misses in every cache: it asks for
// another object from there on, of the same size, with the next free id. What is left of the old one takes its room until it
// is thrown out, as in caches that look at ages only when they are asked.
//
// A life begins with the first request for the object, and anew with each that sets it; a delete ends it. lifetime is how
// long all live, in the unit of Times; SourceTTL takes TTLs, with which a get begins a life and does not prolong one.
// Lives do not depend on what a cache throws out in between: it is as if it got the object back with the age that it has.
func (t *Trace) Expire(lifetime int64) {
	const unborn = math.MaxUint32
	now := make([]uint32, t.Objects) // id of who lives, by old id
	ends := make([]int64, t.Objects)
	for id := range now {
		now[id] = unborn
	}
	t.Objects, t.Footprint = 0, 0
	ids := make([]uint32, len(t.IDs)) // the old ones may belong to others
	for i, old := range t.IDs {
		at, born := t.Time(i), now[old] == unborn
		if !born && at >= ends[old] {
			born = true
			t.Expired++
		}
		if born {
			now[old] = uint32(t.Objects)
			t.Objects++
			t.Footprint += uint64(t.Size(i))
		}
		ends[old] = t.endOfLife(i, lifetime, born, ends[old])
		ids[i] = now[old]
	}
	t.IDs = ids
}

// endOfLife returns until when the object of request i lives, which was end until then.
func (t *Trace) endOfLife(i int, lifetime int64, born bool, end int64) int64 {
	op, at := OpGet, t.Time(i)
	if t.Ops != nil {
		op = t.Ops[i]
	}
	if lifetime == SourceTTL {
		lifetime = int64(t.TTLs[i])
	}
	switch {
	case op == OpDelete:
		return math.MinInt64
	case !born && op == OpGet, !born && op == OpOther && (t.TTLs == nil || t.TTLs[i] == 0):
		return end
	case lifetime == 0 || at > forever-lifetime:
		return forever
	default:
		return at + lifetime
	}
}
