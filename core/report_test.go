package core

import (
	"fmt"
	"testing"
)

func TestReportJSON(t *testing.T) {
	rows := []ReportRow{
		{Figures: []Figure{{Name: "n", Count: 3}, {Name: "r", IsRatio: true, Ratio: 0.5}, {Name: "h", Buckets: []uint64{1, 2}}}},
		{Op: OpGet, Namespace: 7, Figures: []Figure{{Name: "n", Count: 2}}},
	}
	metrics := []Metric{
		{Name: "c", Kind: "counter", Value: 5},
		{Name: "g", Kind: "gauge", Value: -5},
		{Name: "h", Kind: "histogram", Count: 2, Sum: 3, Buckets: []uint64{0, 1, 1}},
	}
	const (
		wantRows    = `"n":3,"r":0.5,"h":[1,2],"rows":[{"op":"get","namespace":"ns7","n":2}]`
		wantMetrics = `"metrics":{"c":5,"g":-5,"h":{"count":2,"sum":3,"buckets":[0,1,1]}}`
	)
	for _, test := range []struct {
		report Report
		want   string
	}{
		{Report{}, `{}`},
		{Report{Rows: rows}, `{` + wantRows + `}`},
		{Report{Metrics: metrics}, `{` + wantMetrics + `}`},
		{Report{Metrics: metrics[:1]}, `{"metrics":{"c":5}}`},
		{Report{Rows: rows, Metrics: metrics}, `{` + wantRows + `,` + wantMetrics + `}`},
	} {
		if got := test.report.JSON(func(n uint16) string { return fmt.Sprint("ns", n) }); string(got) != test.want {
			t.Errorf("JSON of %+v = %s, want %s", test.report, got, test.want)
		}
	}
}
