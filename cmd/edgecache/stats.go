package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/internal/config"
)

func (a *app) statsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "stats",
		Short:   "Print what the cache, its tiers and its plugins have counted",
		Example: "  edgecache stats\n  edgecache stats -o json",
		Args:    arguments(0, 0),
	}
	t := bindOutput(cmd)
	config.BindAdmin(cmd.Flags(), &t.admin, "`host:port` of the admin frontend")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		body, err := t.fetchStats(cmd.Context())
		if err != nil {
			return err
		}
		if *t.out == "json" {
			_, err = a.out.Write(body)
			return err
		}
		var s admin.Stats
		if err := json.Unmarshal(body, &s); err != nil {
			return fmt.Errorf("stats from %s: %w", t.admin, err)
		}
		return writeStats(a.out, &s)
	}
	return cmd
}

func (t *target) fetchStats(ctx context.Context) ([]byte, error) {
	body, err := t.ask(ctx, http.MethodGet, "/stats", nil)
	if err != nil {
		err = fmt.Errorf("stats from %s: %w", t.admin, err)
	}
	return body, err
}

// writeStats prints the figures as tables.
func writeStats(out io.Writer, s *admin.Stats) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "version\t%s\nuptime\t%v\n", s.Version, time.Duration(s.Uptime*float64(time.Second)).Round(time.Second))
	fmt.Fprintf(w, "commands\t%d\nhits\t%d\nmisses\t%d\nhit ratio\t%.4f\n", s.Commands, s.Hits, s.Misses, s.HitRatio)
	if s.RESP != nil {
		fmt.Fprintf(w, "connections\t%d\n", s.RESP.Connections)
	}
	fmt.Fprint(w, "\nTIER\tHITS\tMISSES\tERRORS\tENTRIES\tBYTES\tEVICTIONS\tPOLICY\tBREAKER\n")
	for _, t := range s.Tiers {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%d\t%s\t%s\n",
			t.Name, t.Hits, t.Misses, t.Errors, known(t.Entries), known(t.Bytes), t.Evictions, cmp.Or(t.Policy, "-"), t.Breaker)
	}
	for _, t := range s.Tiers {
		if t.PolicyError != "" {
			fmt.Fprintf(w, "%s evicts by %s, since %s\n", t.Name, t.Policy, t.PolicyError)
		}
	}
	fmt.Fprint(w, "\nCOMMAND\tCOUNT\tOUTCOMES\n")
	for _, op := range slices.Sorted(maps.Keys(s.Operations)) {
		fmt.Fprintf(w, "%s\t%d\t%s\n", op, s.Operations[op]["total"], outcomes(s.Operations[op]))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Plugins)) {
		if err := writePlugin(w, name, s.Plugins[name]); err != nil {
			return err
		}
	}
	return w.Flush()
}

func known(n int64) string {
	if n < 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func outcomes(counts map[string]uint64) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if name != "total" {
			fmt.Fprintf(&b, "%s %d  ", name, counts[name])
		}
	}
	return strings.TrimSpace(b.String())
}

// writePlugin prints the plain figures of a plugin's first row, and the metrics it keeps for itself by the names that they
// have in JSON. The row's histograms and further rows are left to JSON.
func writePlugin(w io.Writer, name string, report json.RawMessage) error {
	var figures, metrics map[string]json.RawMessage
	err := json.Unmarshal(report, &figures)
	if own := figures["metrics"]; err == nil && own != nil {
		err = json.Unmarshal(own, &metrics)
	}
	if err != nil {
		return fmt.Errorf("figures of plugin %s: %w", name, err)
	}
	if len(figures) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nPLUGIN %s\n", name)
	for _, figure := range slices.Sorted(maps.Keys(figures)) {
		if text := figures[figure]; isNumber(text) {
			fmt.Fprintf(w, "%s\t%s\n", figure, text)
		}
	}
	for _, metric := range slices.Sorted(maps.Keys(metrics)) {
		fmt.Fprintf(w, "metrics.%s\t%s\n", metric, metricText(metrics[metric]))
	}
	return nil
}

// isNumber reports whether a value of JSON is one.
func isNumber(text json.RawMessage) bool {
	return len(text) > 0 && (text[0] == '-' || '0' <= text[0] && text[0] <= '9')
}

// metricText returns a counter or gauge as it is, and a histogram in short.
func metricText(text json.RawMessage) string {
	var h struct {
		Count, Sum uint64
		Buckets    []uint64 // see core.Metric
	}
	if isNumber(text) || json.Unmarshal(text, &h) != nil {
		return string(text)
	}
	if h.Count == 0 {
		return "no values"
	}
	return fmt.Sprintf("%d values, mean %.1f, p50 %s, p99 %s",
		h.Count, float64(h.Sum)/float64(h.Count), quantile(h.Buckets, h.Count, 0.5), quantile(h.Buckets, h.Count, 0.99))
}

// quantile says how large the values of a histogram are up to a share of their count.
func quantile(buckets []uint64, count uint64, share float64) string {
	rest := share * float64(count)
	for i, n := range buckets {
		if rest -= float64(n); rest > 0 {
			continue
		}
		if i == len(buckets)-1 {
			return fmt.Sprintf(">= %d", uint64(1)<<i>>1)
		}
		return fmt.Sprintf("< %d", uint64(1)<<i)
	}
	return "unknown" // the count is not that of the buckets
}
