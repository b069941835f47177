package main

import (
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
	fmt.Fprint(w, "\nTIER\tHITS\tMISSES\tERRORS\tENTRIES\tBYTES\tEVICTIONS\tBREAKER\n")
	for _, t := range s.Tiers {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%d\t%s\n",
			t.Name, t.Hits, t.Misses, t.Errors, known(t.Entries), known(t.Bytes), t.Evictions, t.Breaker)
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

// writePlugin prints the plain figures of a plugin's first row; histograms and further rows are left to JSON.
func writePlugin(w io.Writer, name string, report json.RawMessage) error {
	var figures map[string]any
	if err := json.Unmarshal(report, &figures); err != nil {
		return fmt.Errorf("figures of plugin %s: %w", name, err)
	}
	if len(figures) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nPLUGIN %s\n", name)
	for _, figure := range slices.Sorted(maps.Keys(figures)) {
		switch v := figures[figure].(type) {
		case float64:
			fmt.Fprintf(w, "%s\t%s\n", figure, strconv.FormatFloat(v, 'f', -1, 64))
		case string:
			fmt.Fprintf(w, "%s\t%s\n", figure, v)
		}
	}
	return nil
}
