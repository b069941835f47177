package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/bench/trace"
)

// traceCommand is the parent of the commands about traces.
func (a *app) traceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace",
		Short: "Look at traces of cache requests, convert them, record some, and make some up",
		Long: `Look at traces of cache requests, convert them, record some, and make some up. What compression (zstd, gzip, xz,
bzip2, lz4) and which format a trace has is found out by its name and its first bytes; --format names it otherwise. A FILE
of - is the standard input.
` + strings.Join(trace.Formats(), ", ") + `.`,
		Example: `  edgecache trace info requests.csv.zst
  edgecache trace head access.log -n 5
  redis-cli monitor | head -100000 | edgecache trace convert - monitor.oracleGeneral.zst
  edgecache trace convert requests.csv requests.oracleGeneral.zst
  edgecache trace sample huge.oracleGeneral.zst small.ect --rate 0.01
  edgecache trace gen 'zipf:1.0,1e5,1e6 + scan:2e5' mixed.oracleGeneral.zst --seed 7
  edgecache trace capture -o now.oracleGeneral.zst --for 5m`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())}
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(a.traceInfoCommand(), a.traceHeadCommand(), a.traceConvertCommand(), a.traceSampleCommand(), a.traceGenCommand(),
		a.traceCaptureCommand())
	return cmd
}

// traceInput are the flags of commands that read a trace.
type traceInput struct {
	opts    trace.Options
	key     string
	noCache bool
}

// bindTraceInput declares them, but for those of bindTraceSample.
func bindTraceInput(cmd *cobra.Command) *traceInput {
	t := new(traceInput)
	f := cmd.Flags()
	f.StringVar(&t.opts.Format, "format", "", "`name` of the format; it is guessed otherwise")
	f.StringVar(&t.opts.Columns, "cols", "", "`columns` of CSV and JSON lines, by number or name: time=1,key=2,size=3")
	f.StringVar(&t.key, "key", "", "`column` of the key, as in --cols key=...; of JSON lines its path: request.url")
	f.StringVar(&t.opts.Ops, "ops", "", "`operations` that are taken, of get, set, delete, other; of access logs get alone otherwise")
	f.Int64Var(&t.opts.From, "from", 0, "`time` of the first request that is taken; its position in traces without times")
	f.Int64Var(&t.opts.To, "to", 0, "`time` before which the last is; 0 is the end")
	f.Uint32Var(&t.opts.Split, "split", 0, "`bytes` of the blocks that requests to block devices are cut into")
	f.BoolVar(&t.opts.VerifyKeys, "verify-keys", false, "tell keys apart whose 64-bit hashes are the same; takes as much memory as they have bytes")
	f.BoolVar(&t.opts.HeavyTail, "heavy-tail", false, "give objects sizes with a heavy tail, from 64 B to 1 MiB, instead of their own")
	f.IntVar(&t.opts.SkipBad, "skip-bad", 0, "how `many` bad records are passed over and counted")
	f.BoolVar(&t.noCache, "no-cache", false, "neither use nor write FILE.ect, which keeps what was read for the next time")
	return t
}

// bindTraceSample declares those that take a part of the objects.
func bindTraceSample(cmd *cobra.Command, t *traceInput) {
	f := cmd.Flags()
	f.Float64Var(&t.opts.Sample, "sample", 0, "`part` of the objects that is taken, by a hash of their keys; 0 is all")
	f.Uint64Var(&t.opts.Seed, "sample-seed", 0, "`number` that chooses which part")
}

// options returns what the flags say.
func (t *traceInput) options() trace.Options {
	o := t.opts
	if t.key != "" {
		o.Columns = strings.Trim(o.Columns+",key="+t.key, ",")
	}
	o.Cache = !t.noCache
	return o
}

// standardInput is what the trace at "-" is called.
const standardInput = "standard input"

// loadTrace reads what the flags take of the trace at path, or of the standard input.
func (a *app) loadTrace(ctx context.Context, path string, in *traceInput) (*trace.Trace, error) {
	o := in.options()
	if path == "-" {
		return trace.LoadFrom(ctx, a.in, standardInput, o)
	}
	return trace.Load(ctx, path, o)
}

// traceOutput are the flags of commands that write a trace.
type traceOutput struct {
	as string
}

// bindTraceOutput declares them.
func bindTraceOutput(cmd *cobra.Command) *traceOutput {
	t := new(traceOutput)
	cmd.Flags().StringVar(&t.as, "as", "", "`format` that is written: "+strings.Join(trace.WriteFormats(), ", ")+"; by the name otherwise")
	return t
}

// write writes a trace to the file at path, or to out if that is "-". A file that is not whole is removed.
func (t *traceOutput) write(out io.Writer, path string, tr *trace.Trace) (err error) {
	if path == "-" {
		return trace.Write(out, path, t.as, tr)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(trace.Write(file, path, t.as, tr), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
