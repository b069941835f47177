package sim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
)

// aside is a policy in a cache beside the source: a get that misses changes nothing, as whoever asked sets the object, if
// at all, with a request of its own. A delete takes the object out. Only gets can miss.
type aside struct {
	evict.Policy
	ops      []trace.Op
	at       int    // number of the next request
	limit    uint64 // larger objects are never let in
	inserted uint64
}

func newAside(p evict.Policy, s *stream, capacity uint64, bytes bool) *aside {
	a := &aside{Policy: p, ops: s.ops, limit: 1<<64 - 1}
	if bytes {
		a.limit = capacity
	}
	return a
}

// Replay implements [evict.Policy], but for what becomes of gets that miss.
func (a *aside) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	clear(hits[:(len(ids)+63)/64])
	for i := range ids {
		if a.request(ids[i:i+1], part(sizes, i, i+1), a.ops[a.at]) {
			hits[i/64] |= 1 << (i % 64)
		} else {
			misses++
		}
		a.at++
	}
	return misses
}

// request does one request and reports whether it is none that misses.
func (a *aside) request(id, size []uint32, op trace.Op) bool {
	resident := a.Contains(id[0])
	switch {
	case op == trace.OpGet && !resident:
		return false
	case op == trace.OpDelete && resident:
		a.Remove(id[0])
		a.inserted--
	case op == trace.OpGet, op == trace.OpSet:
		var hit [1]uint64
		a.Policy.Replay(id, size, hit[:])
		if !resident && (size == nil || uint64(size[0]) <= a.limit) {
			a.inserted++
		}
	}
	return true
}

// Err implements [Failing] where the policy does.
func (a *aside) Err() error {
	if f, ok := a.Policy.(Failing); ok {
		return f.Err()
	}
	return nil
}

// lookAside prepares the options for LookAside: policies that know the future do not know what is set then.
func (o *Options) lookAside() error {
	switch {
	case !o.LookAside:
		return nil
	case !slices.Contains(o.Trace.Ops, trace.OpSet):
		return fmt.Errorf("sim: no request of %s sets an object, so that nothing would ever be in a cache that gets do not fill", o.Trace.Name)
	}
	o.Gap = false
	o.Policies = slices.DeleteFunc(slices.Clone(o.Policies), func(p Policy) bool { return p.offline() })
	if len(o.Policies) == 0 {
		return errors.New("sim: policies that know the future do not know what is set: another is needed where gets do not fill the cache")
	}
	return nil
}

// offline reports whether it knows the future, or is a bound.
func (p *Policy) offline() bool {
	if p.New == nil {
		return true
	}
	one, err := p.New(evict.Spec{Objects: 1, Capacity: 1})
	if err != nil {
		return false
	}
	_, knows := one.(evict.Offline)
	if c, ok := one.(interface{ Close() error }); ok {
		_ = c.Close() // nothing was done with it
	}
	return knows
}
