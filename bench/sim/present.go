package sim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
)

// presentOnly prepares the options for LookAside and TTL, with which it matters what caches do: policies that know the future
// know what is asked for, but neither what is set then nor what is too old.
func (o *Options) presentOnly() error {
	switch {
	case !o.LookAside && o.TTL == 0:
		return nil
	case o.LookAside && !slices.Contains(o.Trace.Ops, trace.OpSet):
		return fmt.Errorf("sim: no request of %s sets an object, so that nothing would ever be in a cache that gets do not fill", o.Trace.Name)
	}
	o.Gap = false
	o.Policies = slices.DeleteFunc(slices.Clone(o.Policies), func(p Policy) bool { return p.offline() })
	if len(o.Policies) == 0 {
		return errors.New("sim: policies that know the future know neither what is set nor what is too old then: " +
			"another is needed where gets do not fill the cache, or objects do not live forever")
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
