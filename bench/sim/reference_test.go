package sim

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
)

// tracesDir is the folder with public traces, and reference.csv with what other simulators count on them. It is not part of
// the project.
func tracesDir(t *testing.T) string {
	t.Helper()
	dir := cmp.Or(os.Getenv("EDGECACHE_TRACES"), filepath.Join("..", "..", "..", "shared", "traces"))
	if _, err := os.Stat(filepath.Join(dir, "reference.csv")); err != nil {
		t.Skipf("no reference counts: %v", err)
	}
	return dir
}

// loadReference loads a trace of the reference. Those that end in "_hs" are the same with sizes that are made up.
func loadReference(t *testing.T, dir, name string) *trace.Trace {
	t.Helper()
	plain, heavy := strings.CutSuffix(name, "_hs")
	tr, err := trace.Load(t.Context(), filepath.Join(dir, referenceFile(plain)), trace.Options{HeavyTail: heavy})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// referenceFile is where a trace is.
func referenceFile(name string) string {
	switch name {
	case "cloudphysics":
		return "cloudPhysicsIO.csv"
	case "adaptsize":
		return "adaptsize.request.trace.xz"
	case "scarab_recs":
		return "scarab-recs.trace.xz"
	case "corda":
		return "corda.trace_vaultservice.gz"
	case "zipf1.0":
		return "zipf_1.0.txt.xz"
	}
	family, rest, _ := strings.Cut(name, "_")
	switch family {
	case "lirs":
		return "lirs." + rest + ".trace.gz"
	case "c2k":
		return "cache2k." + rest + ".trace.xz"
	case "addr":
		return "address." + rest + ".trace.gz"
	case "arc":
		return "arc." + rest + ".lis.zst"
	}
	return name
}

// reference is a line of reference.csv.
type reference struct {
	trace, mode, algo, share string
	size                     uint64
	requests                 int
	misses                   string // "" of a mean
	missRatio                float64
	byteMissRatio            string
}

func readReferences(t *testing.T, dir string) []reference {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, "reference.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var all []reference
	for _, row := range rows[1:] {
		all = append(all, reference{
			trace: row[0], mode: row[1], size: uint64(number(row[2])), algo: row[3], missRatio: number(row[4]),
			byteMissRatio: row[5], requests: int(number(row[6])), misses: row[7], share: row[9],
		})
	}
	return all
}

// manyRequests is from where on a trace is left to "make sim-check", which asks for longTraces.
const manyRequests = 600_000

// longTraces reports whether there is time for all traces.
func longTraces() bool { return os.Getenv("EDGECACHE_LONG_TRACES") != "" }

// TestReferenceCounts replays public traces and compares with what other simulators count.
func TestReferenceCounts(t *testing.T) {
	dir := tracesDir(t)
	c := comparison{targets: targets(), leftOut: make(map[string]int)}
	c.tallies = make([]comparedWith, len(c.targets))
	byTrace := make(map[string][]reference)
	var names []string
	for _, r := range readReferences(t, dir) {
		if byTrace[r.trace] == nil {
			names = append(names, r.trace)
		}
		byTrace[r.trace] = append(byTrace[r.trace], r)
	}
	for _, name := range names {
		rows := byTrace[name]
		if rows[0].requests >= manyRequests && !longTraces() {
			c.tooLong = append(c.tooLong, name)
			continue
		}
		tr := loadReference(t, dir, name)
		for _, mode := range []string{"obj", "byte"} {
			of := slices.DeleteFunc(slices.Clone(rows), func(r reference) bool { return r.mode != mode })
			if len(of) > 0 {
				c.compare(t, tr, of)
			}
		}
	}
	c.onAverage()
	t.Log(c.String())
	if len(c.mismatches) > 0 {
		t.Errorf("%d mismatches", len(c.mismatches))
	}
}

// comparison is what was compared so far.
type comparison struct {
	targets    []target
	tallies    []comparedWith // of targets, in the same order
	bounded    int            // rows that were compared with the bound
	curve      int            // rows that were compared with the curve of LRU
	leftOut    map[string]int
	tooLong    []string
	known      []string // rows that differ from a reference with a fault
	mismatches []string
}

// comparedWith is what came out for one target.
type comparedWith struct {
	rows, exact, within, known, wrong int
	most, sum                         float64 // of the differences of miss ratios
}

// compare replays a trace for all of its rows of one mode.
func (c *comparison) compare(t *testing.T, tr *trace.Trace, rows []reference) {
	t.Helper()
	reports := c.run(t, tr, rows)
	for i := range rows {
		r := &rows[i]
		checkShare(t, tr, r)
		c.bound(reports[0].Find(boundName, r.size), r)
		compared := false
		for i := range c.targets {
			if c.targets[i].compares(r) {
				compared = true
				c.one(i, r, reports)
			}
		}
		if !compared {
			c.leftOut[r.algo+"\t"+r.mode+"\t"+r.leftOut()]++
		}
	}
	c.lruCurve(tr, rows)
}

// run runs all policies that any of the rows wants, with each seed that it wants.
func (c *comparison) run(t *testing.T, tr *trace.Trace, rows []reference) []*Report {
	t.Helper()
	o := Options{Trace: tr, Bytes: rows[0].mode == "byte"}
	for i := range rows {
		if size := (Size{count: rows[i].size}); !slices.Contains(o.Sizes, size) {
			o.Sizes = append(o.Sizes, size)
		}
	}
	var reports []*Report
	names := []string{boundName}
	for seed := range 3 {
		for i := range c.targets {
			of := &c.targets[i]
			if max(1, of.seeds) > seed && !slices.Contains(names, of.policy) &&
				slices.ContainsFunc(rows, func(r reference) bool { return of.compares(&r) }) {
				names = append(names, of.policy)
			}
		}
		o.Policies, o.Seed = nil, uint64(seed)
		for _, name := range names {
			p, err := Native(name)
			if err != nil {
				t.Fatal(err)
			}
			o.Policies = append(o.Policies, p)
		}
		names = nil
		if len(o.Policies) == 0 {
			break
		}
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, report)
	}
	return reports
}

// one compares a row with what came out for a target.
func (c *comparison) one(i int, r *reference, reports []*Report) {
	of, sums := &c.targets[i], &c.tallies[i]
	var ratios []float64
	for _, report := range reports[:max(1, of.seeds)] {
		ratios = append(ratios, report.Find(of.policy, r.size).MissRatio)
	}
	difference := math.Abs(mean(ratios) - r.missRatio)
	sums.rows++
	sums.sum += difference
	sums.most = max(sums.most, difference)
	got := reports[0].Find(of.policy, r.size)
	what := of.trouble(r, got, ratios)
	switch {
	case got.Error != "":
		c.mismatch(i, r, got.Error)
	case what != "":
		c.mismatch(i, r, what)
	case of.seeds == 0 && of.same(r, got):
		sums.exact++
	default:
		sums.within++
	}
}

// same reports whether the misses are the same.
func (t *target) same(r *reference, got *Result) bool {
	return strconv.FormatUint(got.Misses, 10) == r.misses && (r.mode == "obj" || six(got.ByteMissRatio) == r.byteMissRatio)
}

// fewRequests is below what seeds may differ by more: of so many, the standard error of a miss ratio alone is up to .0035.
const fewRequests = 20_000

// trouble says what is not as it should be in a row, or "". ratios are those of the seeds, and got is the first of them.
func (t *target) trouble(r *reference, got *Result, ratios []float64) string {
	middle, allowed := mean(ratios), cmp.Or(t.onAverage, t.within)
	switch {
	case allowed == 0 && !t.same(r, got) && r.mode == "obj":
		return fmt.Sprintf("%d misses, want %s", got.Misses, r.misses)
	case allowed == 0 && !t.same(r, got):
		return fmt.Sprintf("%d misses and %s of the bytes, want %s and %s", got.Misses, six(got.ByteMissRatio), r.misses, r.byteMissRatio)
	case allowed > 0 && math.Abs(middle-r.missRatio) > allowed:
		return fmt.Sprintf("miss ratio %.4f, want %.4f", middle, r.missRatio)
	}
	if far := max(slices.Max(ratios)-middle, middle-slices.Min(ratios)); t.spread > 0 && r.requests >= fewRequests && far > t.spread {
		return fmt.Sprintf("seeds give %.4f, and may be %v from their mean", ratios, t.spread)
	}
	return ""
}

// mismatch notes a row that differs.
func (c *comparison) mismatch(i int, r *reference, what string) {
	of := &c.targets[i]
	line := fmt.Sprintf("%s\t%s\t%s\t%d\t%s", of.policy, r.mode, r.trace, r.size, what)
	if of.fault != "" {
		c.tallies[i].known++
		c.known = append(c.known, line+"\t"+of.fault)
		return
	}
	c.tallies[i].wrong++
	c.mismatches = append(c.mismatches, line)
}

// onAverage looks at the means of those targets that are about them.
func (c *comparison) onAverage() {
	for i := range c.targets {
		of, sums := &c.targets[i], &c.tallies[i]
		if of.onAverage > 0 && sums.rows > 0 && sums.sum/float64(sums.rows) > of.within {
			sums.wrong++
			c.mismatches = append(c.mismatches, fmt.Sprintf("%s\t%s\tall\t\tmiss ratios differ by %.4f on average, and may by %v",
				of.policy, of.mode, sums.sum/float64(sums.rows), of.within))
		}
	}
}

// bound demands that nobody misses less than what is possible at all.
func (c *comparison) bound(bound *Result, r *reference) {
	c.bounded++
	byteMiss, err := strconv.ParseFloat(r.byteMissRatio, 64)
	const rounded = 1e-6
	if err != nil || r.missRatio+rounded < bound.MissRatio || r.mode == "byte" && byteMiss+rounded < bound.ByteMissRatio {
		c.mismatches = append(c.mismatches, fmt.Sprintf("%s\t%s\t%s\t%d\t%s misses less than the bound: %.6f, %s, bound %.6f, %.6f",
			boundName, r.mode, r.trace, r.size, r.algo, r.missRatio, r.byteMissRatio, bound.MissRatio, bound.ByteMissRatio))
	}
}

// lruCurve compares what tells LRU's misses at all sizes at once.
func (c *comparison) lruCurve(tr *trace.Trace, rows []reference) {
	of := slices.DeleteFunc(slices.Clone(rows), func(r reference) bool { return r.algo != "LRU" })
	var sizes []uint64
	for i := range of {
		sizes = append(sizes, of[i].size)
	}
	for i, got := range evict.LRUCurve(tr.IDs, tr.Sizes, sizes, of[0].mode == "byte") {
		c.curve++
		r := &of[i]
		ratio := six(float64(got.MissBytes) / float64(tr.Bytes()))
		if strconv.Itoa(got.Misses) != r.misses || r.mode == "byte" && ratio != r.byteMissRatio {
			c.mismatches = append(c.mismatches, fmt.Sprintf("LRU's curve\t%s\t%s\t%d\t%d misses and %s of the bytes, want %s and %s",
				r.mode, r.trace, r.size, got.Misses, ratio, r.misses, r.byteMissRatio))
		}
	}
}

// String is the table of all policies, and below it all rows that differ.
func (c *comparison) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\nPOLICY\tREFERENCE\tMODE\tROWS\tEXACT\tWITHIN\tFAULTY\tMISMATCHES\tMOST\tMEAN\tALLOWED\n")
	for i := range c.targets {
		of, sums := &c.targets[i], &c.tallies[i]
		if sums.rows == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%.4f\t%.4f\t%s\n", of.policy, of.algo, of.mode, sums.rows, sums.exact, sums.within,
			sums.known, sums.wrong, sums.most, sums.sum/float64(sums.rows), of.allowed())
	}
	fmt.Fprintf(w, "pfoo-l\teverybody\tobj, byte\t%d\t\t%[1]d\t\t\t\t\tat least the bound\n", c.bounded)
	fmt.Fprintf(w, "LRU's curve\tLRU\tobj, byte\t%d\t%[1]d\n", c.curve)
	w.Flush()
	section(&b, "Rows that differ from a reference which has a fault", c.known)
	section(&b, "Mismatches", c.mismatches)
	var out []string
	for _, why := range slices.Sorted(maps.Keys(c.leftOut)) {
		out = append(out, fmt.Sprintf("%s\t%d rows", why, c.leftOut[why]))
	}
	section(&b, "Left out", out)
	section(&b, "Long traces, which only make sim-check replays", c.tooLong)
	return b.String()
}

func section(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	slices.Sort(lines)
	fmt.Fprintf(b, "\n%s: %d\n", title, len(lines))
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		fmt.Fprintln(w, "  "+line)
	}
	w.Flush()
}

// allowed says how much rows may differ.
func (t *target) allowed() string {
	text := "none"
	if t.within > 0 {
		text = fmt.Sprintf("%v", t.within)
	}
	if t.onAverage > 0 {
		text += fmt.Sprintf(" on average, %v", t.onAverage)
	}
	switch {
	case t.most > 0:
		text += fmt.Sprintf(", %d-%d objects", t.least, t.most)
	case t.least > 0:
		text += fmt.Sprintf(", %d or more", t.least)
	}
	return text
}

func mean(all []float64) (sum float64) {
	for _, one := range all {
		sum += one / float64(len(all))
	}
	return sum
}

// checkShare checks that a percentage is the size that the reference has for it.
func checkShare(t *testing.T, tr *trace.Trace, r *reference) {
	t.Helper()
	share, err := strconv.ParseFloat(r.share, 64)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSize(strconv.FormatFloat(100*share, 'g', 3, 64) + "%")
	if err != nil {
		t.Fatal(err)
	}
	total := uint64(tr.Objects)
	if r.mode == "byte" {
		total = tr.Footprint
	}
	if got, err := s.of(total, r.mode == "byte"); err != nil || got != r.size {
		t.Errorf("%s: %s of %d is %d, %v, want %d", r.trace, s, total, got, err, r.size)
	}
}
