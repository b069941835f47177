package trace

import (
	"errors"
	"fmt"
	"math"
)

// errNoTTLs is why lifetimes can't be honoured.
var errNoTTLs = errors.New("the source says nothing of lifetimes: give one for all objects, as in --ttl 3600")

// lifetimes does what Options.Lifetimes wants, and after that what Options.Ops does: sets that are not taken have their say too.
func (t *Trace) lifetimes(o *Options) error {
	switch {
	case !o.Lifetimes:
		return nil
	case t.TTLs == nil:
		return fmt.Errorf("%s: %w", t.Name, errNoTTLs)
	}
	t.repeatTTLs()
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

// repeatTTLs has gets that say nothing of lifetimes say what was said of their object last.
func (t *Trace) repeatTTLs() {
	said := make([]uint32, t.Objects)
	for i, id := range t.IDs {
		op := OpGet
		if t.Ops != nil {
			op = t.Ops[i]
		}
		switch {
		case t.TTLs[i] > 0 || op == OpSet: // a set without a lifetime is forever
			said[id] = t.TTLs[i]
		case op == OpGet:
			t.TTLs[i] = said[id]
		}
	}
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
