package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/observers/shadow"
)

func (a *app) adviseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "advise",
		Short: "Tell which eviction policy and size suit the traffic",
		Long: `Ask a cache that runs what its shadow caches found out: what other eviction policies, and memory tiers of other sizes,
would miss of the traffic that there is. It looks at a sample of the keys, so every figure has a band, which is how far it may
be off. The line with a * is what the cache has.`,
		Example: "  edgecache advise\n  edgecache advise -o json",
		Args:    arguments(0, 0),
	}
	t := bindOutput(cmd)
	config.BindAdmin(cmd.Flags(), &t.admin, "`host:port` of the admin frontend")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		body, err := t.ask(cmd.Context(), http.MethodGet, "/advise", nil)
		if err != nil {
			return fmt.Errorf("advice from %s: %w", t.admin, err)
		}
		if *t.out == "json" {
			_, err = a.out.Write(body)
			return err
		}
		var r shadow.Report
		if err := json.Unmarshal(body, &r); err != nil {
			return fmt.Errorf("advice from %s: %w", t.admin, err)
		}
		return writeAdvice(a.out, &r)
	}
	return cmd
}

// writeAdvice prints the figures as a table and below it what follows from them.
func writeAdvice(out io.Writer, r *shadow.Report) error {
	if r.Advice.Action != shadow.Wait {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, " \tPOLICY\tSIZE\tMISS\t±\tBYTE MISS\t±\tAGAINST NOW\t±")
		for i := range r.Results {
			writeShadow(w, &r.Results[i])
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(out, "\nThe tier itself missed %.4f ± %.4f. One key in %d was looked at: %d objects; %.0f reads/s.\n\n",
			r.Live.Ratio, r.Live.Band, r.Sample.OneIn, r.Sample.Objects, r.ReadsPerSecond)
	}
	_, err := fmt.Fprintln(out, r.Advice.Text)
	for _, text := range r.Advice.Sizes {
		_, err = fmt.Fprintln(out, text)
	}
	return err
}

func writeShadow(w io.Writer, c *shadow.Result) {
	mark := " "
	if c.Current {
		mark = "*"
	}
	size := shadow.FormatBytes(c.Bytes)
	if c.Error != "" {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", mark, c.Policy, size, c.Error)
		return
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%.4f\t%.4f\t%.4f\t%.4f\t%+.4f\t%.4f\n", mark, c.Policy, size,
		c.Miss.Ratio, c.Miss.Band, c.ByteMiss.Ratio, c.ByteMiss.Band, -c.Gain.Ratio, c.Gain.Band)
}
