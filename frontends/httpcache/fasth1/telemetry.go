package fasth1

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// scope names the instrumentation.
const scope = "github.com/edgecache/edgecache/frontends/httpcache/fasth1"

// MetricFast counts what Stats counts: with result hit, and passed for what was left to net/http.
const MetricFast = "edgecache.http.fast" // {request}: result

// Instrument makes f's Stats observable until the returned function is called.
func (f *Front) Instrument(mp metric.MeterProvider) (stop func() error, err error) {
	meter := mp.Meter(scope)
	counter, err := meter.Int64ObservableCounter(MetricFast, metric.WithUnit("{request}"),
		metric.WithDescription("HTTP/1 requests by whether they were answered before net/http."))
	if err != nil {
		return nil, fmt.Errorf("fasth1: %w", err)
	}
	hit, passed := metric.WithAttributes(attribute.String("result", "hit")), metric.WithAttributes(attribute.String("result", "passed"))
	r, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := f.Stats()
		o.ObserveInt64(counter, s.Hits, hit)
		o.ObserveInt64(counter, s.Passed, passed)
		return nil
	}, counter)
	if err != nil {
		return nil, fmt.Errorf("fasth1: %w", err)
	}
	return r.Unregister, nil
}
