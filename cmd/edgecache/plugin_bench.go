package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/pluginbench"
)

// benchFlags are those of "edgecache plugin bench".
type benchFlags struct {
	config, keys, key, op string
	valueSize             int
	duration              time.Duration
}

func (a *app) pluginBenchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench MODULE|FOLDER",
		Short: "Measure what a plugin costs a command",
		Long: `Measure what a plugin costs a command: for each of its hooks the nanoseconds of a call (the median of batches,
what the command takes without the plugin taken off), next to the same guest without metering; p50, p99 and p99.9 of
calls that are timed one by one; allocations of the host; units of fuel. Besides, what loading takes the first time and
later, and the memory of an instance. All that the manifest asks for is granted.`,
		Example: "  edgecache plugin bench mine.wasm\n  edgecache plugin bench mine.wasm --config config.json --keys keys.txt -o json",
		Args:    arguments(1, 1, "module"),
	}
	var f benchFlags
	out := bindFormat(cmd)
	cmd.Flags().StringVar(&f.config, "config", "", "`file` with the plugin's configuration")
	cmd.Flags().StringVar(&f.keys, "keys", "", "`file` with keys, one a line (default: 1024 keys of 32 bytes)")
	cmd.Flags().StringVar(&f.key, "key", "", "one `key` instead")
	cmd.Flags().StringVar(&f.op, "op", "", "`operation` of the commands (default: get, or the first that the plugin wants)")
	cmd.Flags().IntVar(&f.valueSize, "value-size", 64, "length of values, in `bytes`")
	cmd.Flags().DurationVar(&f.duration, "duration", 2*time.Second, "about how long to measure, a `time`")
	cmd.MarkFlagsMutuallyExclusive("keys", "key")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		res, err := f.run(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *out == "json" {
			return writeJSON(a.out, res)
		}
		return writeBench(a.out, res)
	}
	return cmd
}

func (f *benchFlags) run(ctx context.Context, path string) (*pluginbench.Result, error) {
	o := pluginbench.Options{ValueSize: f.valueSize, Duration: f.duration}
	switch {
	case f.valueSize < 0 || f.valueSize > 64<<20:
		return nil, usageError{fmt.Errorf("--value-size %d: 0 to %d are possible", f.valueSize, 64<<20)}
	case f.duration <= 0:
		return nil, usageError{fmt.Errorf("--duration %v: more than 0 is wanted", f.duration)}
	}
	if f.op != "" {
		op, ok := core.ParseOp(f.op)
		if !ok || !pluginbench.OnOneKey(op) {
			return nil, usageError{fmt.Errorf("--op %q: an operation on one key is wanted, as get or set", f.op)}
		}
		o.Op = op
	}
	var err error
	if o.Keys, err = f.readKeys(); err != nil {
		return nil, err
	}
	if o.Source, _, err = findPlugin(path); err != nil {
		return nil, err
	}
	if f.config != "" {
		if o.Source.Config, err = os.ReadFile(f.config); err != nil {
			return nil, err
		}
	}
	return pluginbench.Run(ctx, o)
}

// readKeys returns the keys that were asked for, or else some.
func (f *benchFlags) readKeys() ([]string, error) {
	switch {
	case f.key != "":
		return []string{f.key}, nil
	case f.keys == "":
		keys := make([]string, 1024)
		for i := range keys {
			keys[i] = fmt.Sprintf("User:Profile:%019d", i*7919)
		}
		return keys, nil
	}
	text, err := os.ReadFile(f.keys)
	if err != nil {
		return nil, err
	}
	var keys []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if lines.Text() != "" {
			keys = append(keys, lines.Text())
		}
	}
	if lines.Err() == nil && len(keys) == 0 {
		return nil, fmt.Errorf("%s: there are no keys in it", f.keys)
	}
	return keys, errors.Join(lines.Err())
}

func writeBench(out io.Writer, r *pluginbench.Result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "HOOK\tNS\tUNMETERED\tP50\tP99\tP99.9\tALLOCS\tFUEL\t\n")
	for _, h := range r.Hooks {
		fmt.Fprintf(w, "%s\t%.1f\t%s\t%s\t%s\t%s\t%.0f\t%.0f\t\n",
			h.Hook, h.NS, dash(h.Unmetered), dash(h.P50), dash(h.P99), dash(h.P999), h.Allocs, h.Fuel)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nplugin %s %s, %d keys, operation %s\n", r.Plugin, r.Version, r.Keys, r.Op)
	fmt.Fprintf(w, "load %v at first, %v with compiled code; %d KiB of memory an instance\n",
		r.LoadCold.Round(10*time.Microsecond), r.LoadWarm.Round(10*time.Microsecond), r.InstanceBytes>>10)
	if r.Refused > 0 {
		fmt.Fprintf(w, "the plugin refused %.0f %% of the commands, which costs more than letting them pass\n", 100*r.Refused)
	}
	return w.Flush()
}

// dash is a time in nanoseconds, or "-" where none was taken.
func dash(ns float64) string {
	if ns == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", ns)
}
