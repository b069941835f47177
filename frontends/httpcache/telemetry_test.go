package httpcache_test

import (
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

func TestTelemetry(t *testing.T) {
	reader, spans := metric.NewManualReader(), tracetest.NewSpanRecorder()
	c := newCache(t, httpcache.Options{
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(reader)),
		TracerProvider: trace.NewTracerProvider(trace.WithSpanProcessor(spans)),
	})
	h := c.Handler(plain(10))
	for range 3 {
		ask(t.Context(), h, http.MethodGet, "http://h/a")
	}
	ask(t.Context(), h, http.MethodPut, "http://h/a")
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	values := map[string]int64{}
	for _, scope := range got.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				result, _ := p.Attributes.Value("result")
				values[m.Name+" "+result.AsString()] = p.Value
			}
		}
	}
	for name, want := range map[string]int64{
		"edgecache.http.requests hit": 2, "edgecache.http.requests miss": 1, "edgecache.http.requests pass": 1,
		"edgecache.http.fetches ok": 2, "edgecache.http.fetches failed": 0, "edgecache.http.responses stored": 1,
		"edgecache.http.invalidated ": 1, "edgecache.http.filling ": 0,
	} {
		if v, ok := values[name]; v != want || !ok {
			t.Errorf("%s = %d, want %d (of %v)", name, v, want, values)
		}
	}
	if ended := spans.Ended(); len(ended) != 2 || ended[0].Name() != "httpcache fetch" {
		t.Errorf("%d spans, want one for each fetch and none for hits", len(ended))
	}
	s := c.Stats()
	if s.Requests != 4 || s.Hits != 2 || s.Misses != 1 || s.Passed != 1 || s.Stored != 1 || s.Fetches != 2 {
		t.Errorf("stats = %+v", s)
	}
}
