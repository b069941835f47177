package fasth1_test

import (
	"context"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/edgecache/edgecache/frontends/httpcache/fasth1"
	"github.com/edgecache/edgecache/frontends/httpcache/guard"
)

func TestInstrument(t *testing.T) {
	h := newShelf()
	s := start(t, h, h, guard.Options{}, nil)
	reader := sdk.NewManualReader()
	stop, err := s.front.Instrument(sdk.NewMeterProvider(sdk.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	c, br := dial(t, s.addr)
	say(t, c, plainGet("/small")+plainGet("/1k")+plainGet("/miss"))
	for range 3 {
		hear(t, br)
	}
	var got metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &got); err != nil {
		t.Fatal(err)
	}
	results := map[string]int64{}
	m := got.ScopeMetrics[0].Metrics[0]
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		result, _ := p.Attributes.Value("result")
		results[result.AsString()] = p.Value
	}
	if m.Name != fasth1.MetricFast || results["hit"] != 2 || results["passed"] != 1 {
		t.Errorf("%s: %v", m.Name, results)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
