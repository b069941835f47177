package httpcache

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation.
const scope = "github.com/edgecache/edgecache/frontends/httpcache"

// Names of what a Cache measures. docs/METRICS.md lists them.
const (
	MetricRequests    = "edgecache.http.requests"    // {request}: result
	MetricNotModified = "edgecache.http.notmodified" // {request}
	MetricFetches     = "edgecache.http.fetches"     // {request}: result
	MetricCollapsed   = "edgecache.http.collapsed"   // {request}
	MetricRefreshes   = "edgecache.http.refreshes"   // {request}
	MetricResponses   = "edgecache.http.responses"   // {response}: result
	MetricInvalidated = "edgecache.http.invalidated" // {key}
	MetricFilling     = "edgecache.http.filling"     // {response}
	MetricWaiting     = "edgecache.http.waiting"     // {request}
)

// figure is one series of a metric.
type figure struct {
	result string
	value  func(*Stats) int64
}

// instrument makes the counts of Stats observable.
func (c *Cache) instrument(mp metric.MeterProvider) (err error) {
	if mp == nil {
		return nil
	}
	meter := mp.Meter(scope)
	var all []metric.Observable
	var observe []func(metric.Observer, *Stats)
	var errs []error
	add := func(o metric.Int64Observable, err error, figures []figure) {
		all, errs = append(all, o), append(errs, err)
		observe = append(observe, func(to metric.Observer, s *Stats) {
			for _, f := range figures {
				if f.result == "" {
					to.ObserveInt64(o, f.value(s))
					continue
				}
				to.ObserveInt64(o, f.value(s), metric.WithAttributes(attribute.String("result", f.result)))
			}
		})
	}
	counter := func(name, unit, text string, figures ...figure) {
		o, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
		add(o, err, figures)
	}
	gauge := func(name, unit, text string, f func(*Stats) int64) {
		o, err := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
		add(o, err, []figure{{"", f}})
	}
	counter(MetricRequests, "{request}", "Requests to the HTTP cache, by where the answer came from.",
		figure{"hit", func(s *Stats) int64 { return s.Hits }}, figure{"stale", func(s *Stats) int64 { return s.Stale }},
		figure{"validated", func(s *Stats) int64 { return s.Validated }}, figure{"miss", func(s *Stats) int64 { return s.Misses }},
		figure{"pass", func(s *Stats) int64 { return s.Passed }})
	counter(MetricNotModified, "{request}", "Requests answered with 304 by the HTTP cache.",
		figure{"", func(s *Stats) int64 { return s.NotModified }})
	counter(MetricFetches, "{request}", "Requests to origins, by whether they brought a response.",
		figure{"ok", func(s *Stats) int64 { return s.Fetches - s.Failures }}, figure{"failed", func(s *Stats) int64 { return s.Failures }})
	counter(MetricCollapsed, "{request}", "Requests that another's fetch served.", figure{"", func(s *Stats) int64 { return s.Collapsed }})
	counter(MetricRefreshes, "{request}", "Fetches in the background.", figure{"", func(s *Stats) int64 { return s.Refreshes }})
	counter(MetricResponses, "{response}", "Responses that were to be stored, by what came of it.",
		figure{"stored", func(s *Stats) int64 { return s.Stored }}, figure{"aborted", func(s *Stats) int64 { return s.Aborted }},
		figure{"unstored", func(s *Stats) int64 { return s.Unstored }})
	counter(MetricInvalidated, "{key}", "Keys made void by unsafe methods.", figure{"", func(s *Stats) int64 { return s.Invalidated }})
	gauge(MetricFilling, "{response}", "Responses that are being stored.", func(s *Stats) int64 { return s.Filling })
	gauge(MetricWaiting, "{request}", "Requests that wait for another's header.", func(s *Stats) int64 { return s.Waiting })
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.metrics, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := c.Stats()
		for _, f := range observe {
			f(o, &s)
		}
		return nil
	}, all...)
	return err
}

// span begins a span of a request to the origin. Hits have none.
func (a *answer) span(ctx context.Context) context.Context {
	x := a.x
	if x.c.tracer == nil {
		return ctx
	}
	ctx, a.trace = x.c.tracer.Start(ctx, "httpcache fetch", trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(
		semconv.HTTPRequestMethodKey.String(x.r.Method), semconv.URLScheme(scheme(x.r)), semconv.ServerAddress(host(x.r)),
		attribute.String("edgecache.http.fwd", string(x.status.Fwd)), attribute.Bool("edgecache.http.validate", a.p.validate),
	))
	return ctx
}

// endSpan ends it with what the origin answered.
func (a *answer) endSpan(err error) {
	s := a.trace
	if s == nil {
		return
	}
	a.trace = nil
	if err != nil {
		s.RecordError(err)
		s.SetStatus(codes.Error, "origin did not answer")
	} else {
		s.SetAttributes(semconv.HTTPResponseStatusCode(a.status), attribute.Bool("edgecache.http.stored", mode(a.mode.Load()) == filling))
		if a.status >= http.StatusInternalServerError {
			s.SetStatus(codes.Error, "")
		}
	}
	s.End()
}
