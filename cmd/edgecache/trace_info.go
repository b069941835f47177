package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/bench/trace"
)

// traceInfo is what "trace info" tells.
type traceInfo struct {
	Name           string  `json:"name"`
	Format         string  `json:"format"`
	Requests       int     `json:"requests"`
	Objects        int     `json:"objects"`
	FootprintBytes uint64  `json:"footprint_bytes"`
	RequestBytes   uint64  `json:"request_bytes"`
	OneHitFraction float64 `json:"one_hit_frac"`
	Sizes          bool    `json:"has_sizes"`
	Times          bool    `json:"has_times"`
	First          int64   `json:"first_time"`
	Last           int64   `json:"last_time"`
	Ops            bool    `json:"has_ops"`
	TTLs           bool    `json:"has_ttls"`
	Costs          bool    `json:"has_costs"`
	Skipped        int     `json:"skipped"`
	SourceHits     int     `json:"source_hits"`
	SourceServed   int     `json:"source_served"`
	Collisions     int     `json:"hash_collisions"`
	IDsSHA256      string  `json:"ids_sha256"`
	SizesSHA256    string  `json:"sizes_sha256"`
}

func (a *app) traceInfoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "info FILE",
		Short: "Say what a trace is: its format, requests, objects, footprint and digests",
		Long: `Say what a trace is: its format, how many requests for how many objects it has, how many bytes these are together
(objects count 1 each where the source has no sizes), and the SHA-256 of its canonical form: of the dense ids, counted
from 1 in the order of first appearance, and of the size of each request, both as little-endian uint32.`,
		Example: "  edgecache trace info requests.csv.zst\n  edgecache trace info access.log -o json",
		Args:    arguments(1, 1, "file"),
	}
	in := bindTraceInput(cmd)
	bindTraceSample(cmd, in)
	out := bindFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := a.loadTrace(cmd.Context(), args[0], in)
		if err != nil {
			return err
		}
		info := describeTrace(t)
		if *out == "json" {
			return writeJSON(a.out, info)
		}
		return writeTraceInfo(a.out, info)
	}
	return cmd
}

func describeTrace(t *trace.Trace) *traceInfo {
	last := t.Requests() - 1
	return &traceInfo{
		Name: t.Name, Format: t.Format, Requests: t.Requests(), Objects: t.Objects,
		FootprintBytes: t.Footprint, RequestBytes: t.Bytes(), OneHitFraction: float64(t.OneHits()) / float64(t.Objects),
		Sizes: t.Sizes != nil, Times: t.Times != nil, First: t.Time(0), Last: t.Time(last), Skipped: t.Skipped,
		Ops: t.Ops != nil, TTLs: t.TTLs != nil, Costs: t.Costs != nil,
		SourceHits: t.SourceHits, SourceServed: t.SourceServed, Collisions: t.Collisions,
		IDsSHA256: t.IDsSHA256(), SizesSHA256: t.SizesSHA256(),
	}
}

func writeTraceInfo(out io.Writer, i *traceInfo) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "name\t%s\nformat\t%s\n", i.Name, i.Format)
	fmt.Fprintf(w, "requests\t%d\nobjects\t%d, %.1f %% of them asked for once\n", i.Requests, i.Objects, 100*i.OneHitFraction)
	if i.Sizes {
		fmt.Fprintf(w, "footprint\t%d bytes\nrequested\t%d bytes\n", i.FootprintBytes, i.RequestBytes)
	} else {
		fmt.Fprintf(w, "footprint\t%d, as there are no sizes\n", i.FootprintBytes)
	}
	if i.Times {
		fmt.Fprintf(w, "times\t%d to %d\n", i.First, i.Last)
	}
	if columns := i.columns(); columns != "" {
		fmt.Fprintf(w, "besides\t%s\n", columns)
	}
	if i.SourceServed > 0 {
		fmt.Fprintf(w, "source's hits\t%d of %d, %.1f %%\n", i.SourceHits, i.SourceServed, 100*float64(i.SourceHits)/float64(i.SourceServed))
	}
	if i.Collisions > 0 {
		fmt.Fprintf(w, "collisions\t%d objects have the hash of another, and were told apart\n", i.Collisions)
	}
	if i.Skipped > 0 {
		fmt.Fprintf(w, "bad records\t%d, passed over\n", i.Skipped)
	}
	fmt.Fprintf(w, "ids sha256\t%s\nsizes sha256\t%s\n", i.IDsSHA256, i.SizesSHA256)
	return w.Flush()
}

// columns names the columns that are there and nothing else tells.
func (i *traceInfo) columns() string {
	var all []string
	for _, c := range []struct {
		there bool
		name  string
	}{{i.Ops, "operations"}, {i.TTLs, "lifetimes"}, {i.Costs, "costs"}} {
		if c.there {
			all = append(all, c.name)
		}
	}
	return strings.Join(all, ", ")
}
