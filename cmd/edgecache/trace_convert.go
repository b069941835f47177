package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/bench/trace"
)

func (a *app) traceConvertCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "convert FILE OUT",
		Short: "Write a trace in another format, with what the flags take of it",
		Long: `Write a trace in another format, with what the flags take of it. OUT is a file, or - for the standard output. Its name
decides the format: .ect is edgecache's own, .csv has a header, .txt has a key on each line, and everything else is
oracleGeneral, which libCacheSim reads too. With .zst or .gz behind it, it is compressed. Keys are replaced by numbers from
1 on. Times that are too large for oracleGeneral are divided by 1000 until they fit.`,
		Example: `  edgecache trace convert access.log access.oracleGeneral.zst
  edgecache trace convert disk.vscsi pages.csv --split 4096 --ops get
  edgecache trace convert requests.jsonl - --key request.url --as keys | sort | uniq -c`,
		Args: arguments(2, 2, "file", "out"),
	}
	in, to := bindTraceInput(cmd), bindTraceOutput(cmd)
	bindTraceSample(cmd, in)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.convertTrace(cmd, in, to, args) }
	return cmd
}

// convertTrace reads the trace at args[0] and writes it to args[1].
func (a *app) convertTrace(cmd *cobra.Command, in *traceInput, to *traceOutput, args []string) error {
	t, err := a.loadTrace(cmd.Context(), args[0], in)
	if err != nil {
		return err
	}
	if err := to.write(a.out, args[1], t); err != nil {
		return err
	}
	return a.sayTrace(args[1], t)
}

// sayTrace tells what was written, on the side.
func (a *app) sayTrace(path string, t *trace.Trace) error {
	_, err := fmt.Fprintf(a.err, "%s: %d requests for %d objects\n", path, t.Requests(), t.Objects)
	if t.Skipped > 0 {
		fmt.Fprintf(a.err, "%d bad records were passed over\n", t.Skipped)
	}
	return err
}

func (a *app) traceSampleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sample FILE OUT",
		Short: "Write all requests for a part of the objects",
		Long: `Write all requests for a part of the objects, chosen by a hash of their keys: a cache that is smaller by the same part
behaves much alike. Below some 8000 objects it does not. OUT is as with "trace convert".`,
		Example: "  edgecache trace sample huge.oracleGeneral.zst small.ect --rate 0.01",
		Args:    arguments(2, 2, "file", "out"),
	}
	in, to := bindTraceInput(cmd), bindTraceOutput(cmd)
	cmd.Flags().Uint64Var(&in.opts.Seed, "sample-seed", 0, "`number` that chooses which part")
	rate := cmd.Flags().Float64("rate", 0.01, "`part` of the objects")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in.opts.Sample = *rate
		return a.convertTrace(cmd, in, to, args)
	}
	return cmd
}

func (a *app) traceGenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gen SPEC OUT",
		Short: "Make a trace up",
		Long: `Make a trace up. SPEC has one part or several, joined with +, that take turns at random and have objects of their own:

` + trace.Generators + `

The same SPEC and seed make the same trace. OUT is as with "trace convert".`,
		Example: `  edgecache trace gen zipf:0.9,1e5,1e6 zipf.oracleGeneral.zst
  edgecache trace gen 'zipf:1.0,1e5,1e6 + scan:2e5' mixed.csv --seed 7 --heavy-tail`,
		Args: arguments(2, 2, "spec", "out"),
	}
	to := bindTraceOutput(cmd)
	seed := cmd.Flags().Uint64("seed", 1, "`number` that decides what is random")
	heavy := cmd.Flags().Bool("heavy-tail", false, "give objects sizes with a heavy tail, from 64 B to 1 MiB")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		t, err := trace.Generate(args[0], *seed)
		if err != nil {
			return usageError{err}
		}
		if *heavy {
			t.GiveHeavyTail()
		}
		if err := to.write(a.out, args[1], t); err != nil {
			return err
		}
		return a.sayTrace(args[1], t)
	}
	return cmd
}
