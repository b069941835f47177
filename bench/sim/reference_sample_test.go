package sim

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"text/tabwriter"
)

// TestReferenceSamples compares samples of the arc_P3 trace with all of it, for all policies, in caches for 1 % of the
// objects: with as few objects in a sample as there may be, and with a tenth.
func TestReferenceSamples(t *testing.T) {
	dir := tracesDir(t)
	if !longTraces() {
		t.Skip("arc_P3 is long: make sim-check replays it")
	}
	tr := loadReference(t, dir, "arc_P3")
	o := Options{Trace: tr, Policies: mustPolicies(t, "all"), Sizes: mustSizes(t, "1%")}
	exact, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "SAMPLE\tOBJECTS\tPOLICY\tEXACTLY\tESTIMATE\tDIFFERENCE\tOF SAMPLES\n")
	for _, o.Sample = range []float64{1.05 * MinSampled / float64(tr.Objects), 0.1} {
		sampled, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if sampled.Sample.Objects < MinSampled {
			t.Errorf("a sample has %d objects, less than are enough", sampled.Sample.Objects)
		}
		for i := range exact.Results {
			want, got := &exact.Results[i], sampled.Results[i].Estimate.Raw
			fmt.Fprintf(w, "%.4f\t%d\t%s\t%.4f\t%.4f\t%+.4f\t%.4f-%.4f\n", o.Sample, sampled.Sample.Objects, want.Policy,
				want.MissRatio, got.Ratio, got.Ratio-want.MissRatio, got.Low, got.High)
			if math.Abs(got.Ratio-want.MissRatio) > 0.01 {
				t.Errorf("%s in samples of %.4f: miss ratio %.4f, exactly %.4f", want.Policy, o.Sample, got.Ratio, want.MissRatio)
			}
		}
	}
	w.Flush()
	t.Logf("\n%s", &table)
}
