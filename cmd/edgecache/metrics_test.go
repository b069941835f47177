package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/plugins"
)

// TestGuestMetrics collects what a guest with every kind of figure keeps with the host, and one with none.
func TestGuestMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	m := &instruments{Meter: provider.Meter(scope)}
	own := m.guestMetrics()
	err := m.observe(func(o metric.Observer) {
		own.observe(o, "plain", false, &plugins.PluginStats{})
		own.observe(o, "full", true, &plugins.PluginStats{KVEntries: 3, KVBytes: 300, Metrics: []core.Metric{
			{Name: "c", Kind: "counter", Value: 5},
			{Name: "g", Kind: "gauge", Value: -5},
			{Name: "h", Kind: "histogram", Count: 2, Sum: 20, Buckets: make([]uint64, 40)},
			{Name: "huge", Kind: "histogram", Count: 2, Sum: math.MaxUint64, Buckets: make([]uint64, 40)},
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				plugin, _ := p.Attributes.Value("plugin")
				name, _ := p.Attributes.Value("name")
				got[m.Name+" "+plugin.AsString()+" "+name.AsString()] = p.Value
			}
		}
	}
	want := map[string]int64{
		"edgecache.plugin.kv.entries full ":          3,
		"edgecache.plugin.kv.size full ":             300,
		"edgecache.plugin.counter full c":            5,
		"edgecache.plugin.gauge full g":              -5,
		"edgecache.plugin.histogram.count full h":    2,
		"edgecache.plugin.histogram.sum full h":      20,
		"edgecache.plugin.histogram.count full huge": 2,
		"edgecache.plugin.histogram.sum full huge":   math.MaxInt64,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("collected (-want +got):\n%s", diff)
	}
}
