package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// table tells an object's medians, with the least and the most of requests a second.
func table(object string, contenders []*contender, of map[string]*series) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', tabwriter.Debug|tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\treq/s\tleast\tmost\tp50 ms\tp99 ms\tCPU µs/req\tuser\tsystem\treq/s to net/http\tCPU to net/http\t\n", object)
	for _, c := range contenders {
		s := of[c.name]
		if s == nil {
			continue
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", c.name, median(s.rates), slices.Min(s.rates), slices.Max(s.rates),
			unit(median(s.p50s), time.Millisecond), unit(median(s.p99s), time.Millisecond), unit(median(s.cpus), time.Microsecond),
			unit(median(s.users), time.Microsecond), unit(median(s.system), time.Microsecond), ratio(s, of[bare], rate), ratio(s, of[bare], cpu))
	}
	_ = w.Flush() // to stdout, as the rest
	fmt.Println()
}

func unit(d, of time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(of)) }

// What is compared.
func rate(s *series) float64 { return median(s.rates) }
func cpu(s *series) float64  { return float64(median(s.cpus)) }
func p99(s *series) float64  { return float64(median(s.p99s)) }

func ratio(a, b *series, of func(*series) float64) string {
	if b == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", of(a)/of(b))
}

// bar is a ratio that shall be at least or at most some value.
type bar struct {
	object, a, b string
	what         string
	of           func(*series) float64
	least        bool
	value        float64
}

// bars says how edgecache stands to them. Those whose servers did not take part are left out.
func bars(results map[string]map[string]*series) {
	for _, b := range []bar{
		{"/1k", edge, bare, "req/s", rate, true, 0.92},
		{"/1k", edge, bare, "CPU", cpu, false, 1.10},
		{"/1k", edge, bare, "p99", p99, false, 1.25},
		{"/64k", edge, bare, "req/s", rate, true, 0.95},
		{"/64k", edge, bare, "CPU", cpu, false, 1.05},
		{"/1k", edgeHook, edge, "CPU", cpu, false, 1.10},
		{"/1k", edge, varnish, "req/s", rate, true, 1.25},
		{"/64k", edge, varnish, "req/s", rate, true, 1.05},
		{"/1k", edge, varnish, "p99", p99, false, 1},
		{"/64k", edge, varnish, "p99", p99, false, 1},
		{"/1k", edge, nginxOpen, "req/s", rate, true, 0.9},
		{"/1k", edge, nginxTuned, "req/s", rate, true, 0.55},
		{"/1k", edgeFast, nginxTuned, "req/s", rate, true, 1.3},
		{"/1k", edgeFast, nginxTuned, "CPU", cpu, false, 0.75},
		{"/64k", edge, nginxTuned, "req/s", rate, true, 0.8},
		{"/64k", edge, nginxOpen, "req/s", rate, true, 0.8},
		{"/64k", edgeFast, nginxTuned, "req/s", rate, true, 1},
		{"/64k", edgeFast, nginxOpen, "req/s", rate, true, 1},
		{"/1k", edgeFast, fasthttp, "req/s", rate, true, 1},
		{"/1k", edge, gregjones, "req/s", rate, true, 1.7},
		{"/64k", edge, gregjones, "req/s", rate, true, 1.9},
		{"/1m?*", edgeDisk, edge, "CPU", cpu, false, 0.75},
		{"/miss/1k", edge, reverse, "CPU", cpu, false, 1.10},
		{"/miss/1k", edge, nginxOpen, "CPU", cpu, false, 2},
		{"/miss/1k", edge, varnish, "CPU", cpu, false, 0.7},
	} {
		if x, y := results[b.object][b.a], results[b.object][b.b]; x != nil && y != nil {
			b.print(b.of(x) / b.of(y))
		}
	}
}

func (b *bar) print(got float64) {
	verdict, sign := "kept", "at most"
	if b.least {
		sign = "at least"
	}
	if b.least && got < b.value || !b.least && got > b.value {
		verdict = "MISSED"
	}
	fmt.Printf("%-6s %-8s %s of %s to %s: %.2f, want %s %.2f\n", verdict, b.object, b.what, b.a, b.b, got, sign, b.value)
}
