package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/observers/shadow"
)

// newShadow returns the shadow caches of the memory tier, which evicts by policy, or by its default if that is nil. It returns
// nil if there shall be none.
func newShadow(settings *config.Run, policy *memory.Policy, reads func() uint64) (*shadow.Shadow, error) {
	if !settings.Shadow {
		return nil, nil //nolint:nilnil // none is what the settings ask for
	}
	o := shadow.Options{
		Policies: settings.ShadowPolicies, Sizes: settings.ShadowSizes, Bytes: settings.MaxMemory, Overhead: memory.EntryOverhead,
		Reads: reads,
	}
	if policy != nil {
		o.Current = policy.Name
	}
	o.New = func(name string, s evict.Spec) (evict.Policy, error) {
		if policy != nil && name == policy.Name {
			return policy.New(s)
		}
		if _, err := memory.Native(name); err != nil {
			return nil, err // what the tier refuses is no advice
		}
		return evict.New(name, s)
	}
	if settings.Redis != "" || len(settings.Memcached) > 0 {
		o.MaxTTL = settings.L1TTL
	}
	s, err := shadow.New(o)
	if err != nil {
		return nil, usageError{fmt.Errorf("--shadow-policies, --shadow-sizes: %w", err)}
	}
	return s, nil
}

// readCount tells how many keys were read from a cache that is yet to be made.
type readCount struct{ cache atomic.Pointer[core.Cache] }

func (c *readCount) of(cache *core.Cache) { c.cache.Store(cache) }

func (c *readCount) read() uint64 {
	cache := c.cache.Load()
	if cache == nil {
		return 0
	}
	s := cache.Stats()
	return s.Hits + s.Misses
}

// observeShadow makes what the shadow caches tell metrics.
func observeShadow(mp metric.MeterProvider, report func(context.Context) (*shadow.Report, error)) error {
	m := &instruments{Meter: mp.Meter(scope)}
	ready := m.gauge("edgecache.shadow.ready", "1", "1 once the figures of shadow caches are of enough traffic, else 0.")
	miss := m.ratio("edgecache.shadow.miss_ratio", "Share of reads that a policy would miss at a size, which is a multiple of the memory tier's.")
	byteMiss := m.ratio("edgecache.shadow.byte_miss_ratio", "Share of the bytes read that it would miss.")
	objects := m.gauge("edgecache.shadow.objects", "{object}", "Objects that shadow caches look at.")
	lost := m.counter("edgecache.shadow.lost", "{event}", "Sampled events that were not looked at, since there were too many at once.")
	gain := m.ratio("edgecache.advise.gain", "How much less, of all reads, is missed with what is advised; 0 for what there is.")
	band := m.ratio("edgecache.advise.gain_band", "How far that may be off, by about two standard errors.")
	return m.observe(func(o metric.Observer) {
		r, err := report(context.Background())
		if err != nil {
			return // it is closed: the last figures were told
		}
		o.ObserveInt64(ready, int64(boolFigure(r.Advice.Action != shadow.Wait)))
		o.ObserveInt64(objects, int64(r.Sample.Objects))
		o.ObserveInt64(lost, int64(r.Sample.Lost))
		for i := range r.Results {
			c := &r.Results[i]
			if c.Error == "" {
				labels := shadowLabels(c.Policy, c.Factor)
				o.ObserveFloat64(miss, c.Miss.Ratio, labels)
				o.ObserveFloat64(byteMiss, c.ByteMiss.Ratio, labels)
			}
		}
		labels := shadowLabels(r.Advice.Policy, 1)
		o.ObserveFloat64(gain, r.Advice.Gain.Ratio, labels)
		o.ObserveFloat64(band, r.Advice.Gain.Band, labels)
	})
}

func boolFigure(b bool) int {
	if b {
		return 1
	}
	return 0
}

func shadowLabels(policy string, factor float64) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("policy", policy), attribute.String("size", strconv.FormatFloat(factor, 'g', -1, 64)))
}
