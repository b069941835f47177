package telemetry

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric"
)

// TestDocumentIsUpToDate also writes the document where UPDATE is set: see the Makefile.
func TestDocumentIsUpToDate(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "METRICS.md")
	want := Document()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/METRICS.md is not what the catalogue says: run \"make docs\" (-want +got):\n%s", diff)
	}
}

// TestPrometheusNames makes every metric of the catalogue and looks for it on the page.
func TestPrometheusNames(t *testing.T) {
	tel, _ := start(t, nil)
	defer shutdown(t, tel)
	meter := tel.MeterProvider().Meter("test")
	for _, m := range Catalog() {
		switch unit := metric.WithUnit(m.Unit); m.Kind {
		case Counter:
			c, err := meter.Int64Counter(m.Name, unit)
			check(t, err)
			c.Add(t.Context(), 1)
		case Gauge:
			g, err := meter.Int64UpDownCounter(m.Name, unit)
			check(t, err)
			g.Add(t.Context(), 1)
		case Histogram:
			h, err := meter.Float64Histogram(m.Name, unit)
			check(t, err)
			h.Record(t.Context(), 1)
		}
	}
	lines := strings.Split(scrape(t, tel), "\n")
	for _, m := range Catalog() {
		if want := "# TYPE " + m.PrometheusName() + " " + string(m.Kind); !slices.Contains(lines, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
