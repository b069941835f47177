package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
)

// Report is all that was measured.
type Report struct {
	Go         string   `json:"go"`
	OS         string   `json:"os"`
	Arch       string   `json:"arch"`
	Processors int      `json:"processors"`
	Entries    int      `json:"entries"`
	Speeds     []Speed  `json:"speeds"`
	Hits       []Hits   `json:"hits"`
	Weights    []Weight `json:"weights"`
}

func newReport(o *options) *Report {
	return &Report{Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Processors: runtime.GOMAXPROCS(0), Entries: o.entries}
}

// writeLines writes what benchstat reads: "-col /cache" compares caches.
func (r *Report) writeLines(w io.Writer) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: github.com/edgecache/edgecache/bench/peers/caches\n", r.OS, r.Arch)
	for _, s := range r.Speeds {
		fmt.Fprintf(w, "Benchmark%s/cache=%s/goroutines=%d-%d\t%d\t%.1f ns/op\t%.1f cpu-ns/op\t%d p50-ns\t%d p99-ns\n",
			s.Load, s.Cache, s.Goroutines, r.Processors, s.Ops, s.NsPerOp, s.CPUPerOp, s.P50, s.P99)
	}
	for _, h := range r.Hits {
		fmt.Fprintf(w, "BenchmarkHits/trace=%s/cache=%s-%d\t1\t%.2f one-hit%%\t%.2f many-hit%%\n", h.Trace, h.Cache, r.Processors, 100*h.One, 100*h.Many)
	}
	for _, h := range r.Weights {
		fmt.Fprintf(w, "BenchmarkWeight/cache=%s-%d\t%d\t%.1f B/entry\n", h.Cache, r.Processors, h.Entries, h.Bytes)
	}
}

// writeTables writes the same for people; of the rounds of a speed the least, to which neighbours have added nothing.
func (r *Report) writeTables(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nLOAD\tGOROUTINES\tNS/OP\tCPU NS/OP\tP50 NS\tP99 NS\t  CACHE")
	for _, s := range r.least() {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%d\t%d\t  %s\n", s.Load, s.Goroutines, s.NsPerOp, s.CPUPerOp, s.P50, s.P99, s.Cache)
	}
	_ = w.Flush() // to standard output
	fmt.Fprintln(w, "\nTRACE\tENTRIES\tSIMULATED\tONE\tMANY\t  CACHE")
	for _, h := range r.Hits {
		simulated := "-"
		if h.Simulated != nil {
			simulated = fmt.Sprintf("%.4f", *h.Simulated)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%.4f\t%.4f\t  %s\n", h.Trace, h.Entries, simulated, h.One, h.Many, h.Cache)
	}
	_ = w.Flush()
	fmt.Fprintln(w, "\nENTRIES\tB/ENTRY\t  CACHE")
	for _, h := range r.Weights {
		fmt.Fprintf(w, "%d\t%.1f\t  %s\n", h.Entries, h.Bytes, h.Cache)
	}
	_ = w.Flush()
}

// least returns the least of each speed and of each of its parts, by load, goroutines and time.
func (r *Report) least() []Speed {
	var all []Speed
	for _, s := range r.Speeds {
		i := slices.IndexFunc(all, func(o Speed) bool { return o.Load == s.Load && o.Cache == s.Cache && o.Goroutines == s.Goroutines })
		if i < 0 {
			all = append(all, s)
			continue
		}
		all[i].NsPerOp, all[i].CPUPerOp = min(all[i].NsPerOp, s.NsPerOp), min(all[i].CPUPerOp, s.CPUPerOp)
		all[i].P50, all[i].P99 = min(all[i].P50, s.P50), min(all[i].P99, s.P99)
	}
	slices.SortStableFunc(all, func(a, b Speed) int {
		return cmp.Or(cmp.Compare(a.Load, b.Load), cmp.Compare(a.Goroutines, b.Goroutines), cmp.Compare(a.NsPerOp, b.NsPerOp))
	})
	return all
}

func (r *Report) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
