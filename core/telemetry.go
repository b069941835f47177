package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation.
const scope = "github.com/edgecache/edgecache/core"

// Names of what the cache measures. docs/METRICS.md lists them.
const (
	MetricCommands     = "edgecache.commands"           // {command}: op, outcome
	MetricLookups      = "edgecache.tier.lookups"       // {key}: tier, result
	MetricFailures     = "edgecache.tier.failures"      // {call}: tier
	MetricTierDuration = "edgecache.tier.duration"      // s: tier, op; remote tiers only
	MetricEntries      = "edgecache.tier.entries"       // {entry}: tier; local tiers only
	MetricSize         = "edgecache.tier.size"          // By: tier; local tiers only
	MetricEvictions    = "edgecache.tier.evictions"     // {entry}: tier
	MetricPolicy       = "edgecache.tier.policy"        // 1: tier, policy, failed; local tiers only
	MetricDecodeErrors = "edgecache.tier.decode_errors" // {entry}: tier
	MetricCollapsed    = "edgecache.load.collapsed"     // {command}
)

// metrics are the instruments that Stats feeds when somebody collects.
type metrics struct {
	registration metric.Registration
}

func (m *metrics) close() error {
	if m == nil {
		return nil
	}
	return m.registration.Unregister()
}

// instrument prepares spans and metrics. Nothing here costs a command anything but the histogram of remote calls.
func (e *engine) instrument(tp trace.TracerProvider, mp metric.MeterProvider) error {
	if tp != nil {
		e.tracer = tp.Tracer(scope)
		for _, t := range e.tiers {
			t.tracer = e.tracer
			t.spanStart = []trace.SpanStartOption{trace.WithAttributes(attribute.String("edgecache.tier", t.Name))}
		}
	}
	if mp == nil {
		return nil
	}
	meter := mp.Meter(scope)
	if err := e.instrumentTiers(meter); err != nil {
		return err
	}
	return e.observeStats(meter)
}

func (e *engine) instrumentTiers(meter metric.Meter) error {
	h, err := meter.Float64Histogram(MetricTierDuration, metric.WithUnit("s"),
		metric.WithDescription("How long calls to remote tiers take."),
		metric.WithExplicitBucketBoundaries(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1))
	for _, t := range e.tiers {
		if !t.Remote {
			continue
		}
		t.duration = h
		for op := range opCount {
			t.durations[op] = metric.WithAttributeSet(attribute.NewSet(
				attribute.String("tier", t.Name), attribute.String("op", op.String())))
		}
	}
	return err
}

// observeStats makes the counts of Stats observable.
func (e *engine) observeStats(meter metric.Meter) error {
	var errs []error
	counter := func(name, unit, text string) metric.Int64ObservableCounter {
		c, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
		errs = append(errs, err)
		return c
	}
	gauge := func(name, unit, text string) metric.Int64ObservableUpDownCounter {
		c, err := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
		errs = append(errs, err)
		return c
	}
	commands := counter(MetricCommands, "{command}", "Commands by operation and outcome.")
	collapsed := counter(MetricCollapsed, "{command}", "Reads that joined another's load of the same key.")
	lookups := counter(MetricLookups, "{key}", "Keys looked up in a tier, by result.")
	failures := counter(MetricFailures, "{call}", "Calls that a remote tier did not answer.")
	evictions := counter(MetricEvictions, "{entry}", "Entries that the tier's policy threw out.")
	damaged := counter(MetricDecodeErrors, "{entry}", "Damaged entries that were read as misses.")
	entries := gauge(MetricEntries, "{entry}", "Entries that a local tier holds.")
	size := gauge(MetricSize, "By", "Bytes that a local tier holds.")
	policy := gauge(MetricPolicy, "1", "1 for the eviction policy that a local tier works with, and whether another one failed before.")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	reg, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := e.total()
		observeCommands(o, commands, &s)
		o.ObserveInt64(collapsed, int64(s.Collapsed))
		for i := range s.Tiers {
			t := &s.Tiers[i]
			tier := attribute.String("tier", t.Name)
			only := metric.WithAttributeSet(attribute.NewSet(tier))
			for result, n := range map[string]uint64{"hit": t.Hits, "miss": t.Misses - t.Errors, "error": t.Errors} {
				o.ObserveInt64(lookups, int64(n), metric.WithAttributes(tier, attribute.String("result", result)))
			}
			o.ObserveInt64(failures, int64(t.Failures), only)
			o.ObserveInt64(evictions, t.Evictions, only)
			o.ObserveInt64(damaged, t.DecodeErrors, only)
			if t.Entries >= 0 {
				o.ObserveInt64(entries, t.Entries, only)
				o.ObserveInt64(size, t.Bytes, only)
			}
			if t.Policy != "" {
				o.ObserveInt64(policy, 1, metric.WithAttributes(
					tier, attribute.String("policy", t.Policy), attribute.Bool("failed", t.PolicyError != "")))
			}
		}
		return nil
	}, commands, collapsed, lookups, failures, evictions, damaged, entries, size, policy)
	e.metrics = &metrics{registration: reg}
	return err
}

func observeCommands(o metric.Observer, commands metric.Int64Observable, s *Stats) {
	for op := range s.Commands {
		for outcome, n := range s.Commands[op] {
			if n == 0 {
				continue
			}
			o.ObserveInt64(commands, int64(n), metric.WithAttributes(
				attribute.String("op", Op(op).String()), attribute.String("outcome", Outcome(outcome).String())))
		}
	}
}

// startCommand begins the command's span, a child of the caller's.
func (e *engine) startCommand(ctx context.Context, cmd *Command) (context.Context, trace.Span) {
	return e.tracer.Start(ctx, "command "+cmd.Op.String(), trace.WithAttributes(
		attribute.String("edgecache.op", cmd.Op.String()),
		attribute.String("edgecache.namespace", cmd.Namespace.path),
		attribute.Int("edgecache.keys", cmd.Size())))
}

func endCommand(span trace.Span, res *Result) {
	span.SetAttributes(attribute.String("edgecache.outcome", res.Outcome.String()), attribute.Int("edgecache.tier", int(res.Tier)))
	endSpan(span, res.Err)
}

// endTierSpan ends a tier's span. A miss and a condition that does not hold are no errors.
func endTierSpan(span trace.Span, op Op, err error) {
	switch {
	case err == nil:
		span.SetAttributes(attribute.String("edgecache.op", op.String()), attribute.String("edgecache.outcome", "ok"))
	case errors.Is(err, ErrNotFound):
		span.SetAttributes(attribute.String("edgecache.op", op.String()), attribute.String("edgecache.outcome", "miss"))
	case errors.Is(err, ErrExists), errors.Is(err, ErrConflict):
		span.SetAttributes(attribute.String("edgecache.op", op.String()), attribute.String("edgecache.outcome", "not_stored"))
	default:
		span.SetAttributes(attribute.String("edgecache.op", op.String()))
		failSpan(span, err)
	}
}

func endSpan(span trace.Span, err error) {
	if err != nil {
		failSpan(span, err)
	}
	span.End()
}

// failSpan says of what kind an error is, and no more: error texts quote keys, which are the users' own.
func failSpan(span trace.Span, err error) {
	kind := errorType(err)
	span.SetStatus(codes.Error, kind)
	span.SetAttributes(attribute.String("error.type", kind))
}

// errorType is a word of few for an error, as OpenTelemetry wants it.
func errorType(err error) string {
	for _, known := range []struct {
		err  error
		name string
	}{
		{ErrTimeout, "timeout"},
		{ErrUnavailable, "unavailable"},
		{ErrRejected, "rejected"},
		{ErrPlugin, "plugin"},
		{ErrTooLarge, "too_large"},
		{ErrBadKey, "bad_key"},
		{ErrUnsupported, "unsupported"},
		{ErrClosed, "closed"},
		{context.Canceled, "canceled"},
		{context.DeadlineExceeded, "timeout"},
	} {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return "_OTHER"
}

// tierTrouble notes that a tier failed where the command goes on without it.
func (e *engine) tierTrouble(ctx context.Context, t *tier, op Op, err error) {
	e.logger.LogAttrs(ctx, slog.LevelDebug, "tier failed, command goes on without it",
		slog.String("tier", t.Name), slog.String("op", op.String()), slog.String("error", fmt.Sprint(err)))
}
