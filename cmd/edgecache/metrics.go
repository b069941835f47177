package main

import (
	"context"
	"errors"
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/edgecache/edgecache/frontends/resp"
	"github.com/edgecache/edgecache/plugins"
)

// scope names the instrumentation of this package.
const scope = "github.com/edgecache/edgecache/cmd/edgecache"

// instruments makes observable instruments and remembers what went wrong.
type instruments struct {
	metric.Meter
	errs []error
	all  []metric.Observable
}

func (m *instruments) counter(name, unit, text string) metric.Int64ObservableCounter {
	c, err := m.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
	m.errs, m.all = append(m.errs, err), append(m.all, c)
	return c
}

func (m *instruments) gauge(name, unit, text string) metric.Int64ObservableUpDownCounter {
	g, err := m.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
	m.errs, m.all = append(m.errs, err), append(m.all, g)
	return g
}

// ratio is a gauge of what is no whole number.
func (m *instruments) ratio(name, text string) metric.Float64ObservableUpDownCounter {
	g, err := m.Float64ObservableUpDownCounter(name, metric.WithUnit("1"), metric.WithDescription(text))
	m.errs, m.all = append(m.errs, err), append(m.all, g)
	return g
}

// observe calls back whenever somebody collects.
func (m *instruments) observe(callback func(metric.Observer)) error {
	if err := errors.Join(m.errs...); err != nil {
		return err
	}
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		callback(o)
		return nil
	}, m.all...)
	return err
}

// observePlugins makes the figures of the plugins that loaded returns metrics.
func observePlugins(mp metric.MeterProvider, loaded func() []*plugins.Plugin) error {
	m := &instruments{Meter: mp.Meter(scope)}
	calls := m.counter("edgecache.plugin.calls", "{call}", "Calls of a guest.")
	nanos, err := m.Float64ObservableCounter("edgecache.plugin.time", metric.WithUnit("s"),
		metric.WithDescription("Time spent in a guest, estimated from a sample of the calls."))
	m.errs, m.all = append(m.errs, err), append(m.all, nanos)
	failures := m.counter("edgecache.plugin.failures", "{call}", "Calls of a guest that failed, by the kind of failure.")
	skipped := m.counter("edgecache.plugin.skipped", "{call}", "Calls that were not made because the plugin's breaker was open.")
	refused := m.counter("edgecache.plugin.refused", "{key}", "Keys that were too long for the guest.")
	lost := m.counter("edgecache.plugin.lost", "{event}", "Events that an observer did not see.")
	swaps := m.counter("edgecache.plugin.swaps", "{version}", "Versions that took the place of another.")
	rollbacks := m.counter("edgecache.plugin.rollbacks", "{version}", "Versions that were taken back.")
	fuel := m.counter("edgecache.plugin.fuel", "{unit}", "Fuel that a guest has burnt, about an instruction a unit.")
	breaker := m.gauge("edgecache.plugin.breaker", "{state}", "State of a plugin's breaker: 0 closed, 1 half-open, 2 open.")
	count := m.gauge("edgecache.plugin.instances", "{instance}", "Instances of a guest.")
	memory := m.gauge("edgecache.plugin.memory", "By", "Memory of a guest's instances.")
	own := m.guestMetrics()
	return m.observe(func(o metric.Observer) {
		for _, p := range loaded() {
			s, name := p.Stats(), attribute.String("plugin", p.Name())
			labels := metric.WithAttributeSet(attribute.NewSet(name))
			o.ObserveInt64(calls, int64(s.Calls), labels)
			o.ObserveFloat64(nanos, float64(s.Nanos)/1e9, labels)
			o.ObserveInt64(skipped, int64(s.Skipped), labels)
			o.ObserveInt64(refused, int64(s.Refused), labels)
			o.ObserveInt64(lost, int64(s.Lost), labels)
			o.ObserveInt64(swaps, int64(s.Swaps), labels)
			o.ObserveInt64(rollbacks, int64(s.Rollbacks), labels)
			o.ObserveInt64(fuel, int64(s.Fuel), labels)
			o.ObserveInt64(breaker, breakerState(s.Breaker), labels)
			o.ObserveInt64(count, int64(s.Instances), labels)
			o.ObserveInt64(memory, int64(s.MemoryBytes), labels)
			for kind, n := range s.Failures {
				o.ObserveInt64(failures, int64(n), metric.WithAttributes(name, attribute.String("kind", kind)))
			}
			manifest := p.Manifest()
			own.observe(o, p.Name(), manifest.NeedsCapability("kv"), &s)
		}
	})
}

// guestMetrics are the instruments of what guests keep with the host.
type guestMetrics struct {
	entries, size              metric.Int64Observable
	counter, gauge, count, sum metric.Int64Observable
}

func (m *instruments) guestMetrics() *guestMetrics {
	return &guestMetrics{
		entries: m.gauge("edgecache.plugin.kv.entries", "{entry}", "Entries that a plugin keeps with capability kv."),
		size:    m.gauge("edgecache.plugin.kv.size", "By", "Bytes that they count towards the plugin's share."),
		counter: m.counter("edgecache.plugin.counter", "1", "A counter that a guest defined."),
		gauge:   m.gauge("edgecache.plugin.gauge", "1", "A gauge that a guest defined."),
		count:   m.counter("edgecache.plugin.histogram.count", "1", "Values that a guest recorded in a histogram it defined."),
		sum:     m.counter("edgecache.plugin.histogram.sum", "1", "The sum of these values."),
	}
}

// observe observes the figures of a plugin. Those of its entries are left out where it can have none.
func (g *guestMetrics) observe(o metric.Observer, plugin string, hasKV bool, s *plugins.PluginStats) {
	name := attribute.String("plugin", plugin)
	if hasKV {
		labels := metric.WithAttributes(name)
		o.ObserveInt64(g.entries, int64(s.KVEntries), labels)
		o.ObserveInt64(g.size, int64(s.KVBytes), labels)
	}
	for _, m := range s.Metrics {
		labels := metric.WithAttributes(name, attribute.String("name", m.Name))
		switch m.Kind {
		case "counter":
			o.ObserveInt64(g.counter, m.Value, labels)
		case "gauge":
			o.ObserveInt64(g.gauge, m.Value, labels)
		case "histogram":
			o.ObserveInt64(g.count, int64(m.Count), labels)
			o.ObserveInt64(g.sum, int64(min(m.Sum, math.MaxInt64)), labels)
		}
	}
}

// breakerState numbers the states of a breaker by how much they hold back.
func breakerState(state string) int64 {
	switch state {
	case "open":
		return 2
	case "half-open":
		return 1
	default:
		return 0
	}
}

// observeRESP makes the figures of the RESP frontend metrics.
func observeRESP(mp metric.MeterProvider, server *resp.Server) error {
	m := &instruments{Meter: mp.Meter(scope)}
	open := m.gauge("edgecache.resp.connections", "{connection}", "Open connections of Redis clients.")
	accepted := m.counter("edgecache.resp.accepted", "{connection}", "Connections that Redis clients made.")
	refused := m.counter("edgecache.resp.refused", "{connection}", "Connections that were sent away: too many, or not allowed in.")
	commands := m.counter("edgecache.resp.commands", "{command}", "Commands that Redis clients sent, unknown ones included.")
	malformed := m.counter("edgecache.resp.protocol_errors", "{connection}", "Connections closed because what came was no command.")
	killed := m.counter("edgecache.resp.killed", "{connection}", "Connections closed for exceeding a limit or a timeout.")
	return m.observe(func(o metric.Observer) {
		s := server.Stats()
		o.ObserveInt64(open, s.Connections)
		o.ObserveInt64(accepted, s.Accepted)
		o.ObserveInt64(refused, s.Refused)
		o.ObserveInt64(commands, s.Commands)
		o.ObserveInt64(malformed, s.ProtocolErrors)
		o.ObserveInt64(killed, s.Killed)
	})
}

// observeCaptures makes the figures of captures metrics.
func observeCaptures(mp metric.MeterProvider, c *captures) error {
	m := &instruments{Meter: mp.Meter(scope)}
	records := m.counter("edgecache.capture.records", "{request}", "Requests that were captured.")
	size := m.counter("edgecache.capture.size", "By", "Bytes of captures that were written.")
	dropped := m.counter("edgecache.capture.dropped", "{event}", "Events that came faster than a capture could be written.")
	failed := m.counter("edgecache.capture.errors", "{capture}", "Captures that ended because they could not be written.")
	state := m.gauge("edgecache.capture.state", "{state}", "State of the capture: 0 none, 1 running, 2 complete, 3 failed.")
	return m.observe(func(o metric.Observer) {
		for to, s := range map[string]sentStats{"file": c.fileStats(), "client": c.clientStats()} {
			labels := metric.WithAttributes(attribute.String("to", to))
			o.ObserveInt64(records, s.requests, labels)
			o.ObserveInt64(size, s.bytes, labels)
			o.ObserveInt64(dropped, s.dropped, labels)
			o.ObserveInt64(failed, s.errors, labels)
			o.ObserveInt64(state, s.state, labels)
		}
	})
}
