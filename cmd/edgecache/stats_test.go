package main

import (
	"math"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/edgecache/edgecache/core"
)

func TestStatsOfAPlugin(t *testing.T) {
	row := core.ReportRow{Figures: []core.Figure{
		{Name: "hits", Count: 1<<63 + 1}, {Name: "hit_ratio", IsRatio: true, Ratio: 0.25}, {Name: "times", Buckets: []uint64{1, 2}},
	}}
	metrics := []core.Metric{
		{Name: "depth", Kind: "gauge", Value: -7},
		{Name: "none", Kind: "histogram", Buckets: make([]uint64, 4)},
		{Name: "requests", Kind: "counter", Value: math.MaxInt64},
		{Name: "sizes", Kind: "histogram", Count: 100, Sum: 450, Buckets: []uint64{10, 40, 0, 48, 2}},
		{Name: "small", Kind: "histogram", Count: 3, Sum: 0, Buckets: []uint64{3, 0}},
	}
	for _, tt := range []struct {
		name   string
		report core.Report
		want   []string
	}{
		{"nothing", core.Report{}, nil},
		{"a table", core.Report{Rows: []core.ReportRow{row, row}}, []string{"PLUGIN mine", "hit_ratio 0.25", "hits 9223372036854775809"}},
		{"metrics alone", core.Report{Metrics: metrics[:1]}, []string{"PLUGIN mine", "metrics.depth -7"}},
		{"both", core.Report{Rows: []core.ReportRow{row}, Metrics: metrics}, []string{
			"PLUGIN mine", "hit_ratio 0.25", "hits 9223372036854775809", "metrics.depth -7", "metrics.none no values",
			"metrics.requests 9223372036854775807", "metrics.sizes 100 values, mean 4.5, p50 < 2, p99 >= 8",
			"metrics.small 3 values, mean 0.0, p50 < 1, p99 < 1",
		}},
	} {
		var out strings.Builder
		w := tabwriter.NewWriter(&out, 0, 0, 1, ' ', 0)
		if err := writePlugin(w, "mine", tt.report.JSON(func(uint16) string { return "" })); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			if words := strings.Fields(line); len(words) > 0 {
				got = append(got, strings.Join(words, " "))
			}
		}
		if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if err := writePlugin(&strings.Builder{}, "mine", []byte(`{"metrics":1}`)); err == nil || !strings.Contains(err.Error(), "plugin mine") {
		t.Errorf("error %v, want one that names the plugin", err)
	}
}
