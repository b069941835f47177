package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/bench/sim"
	"github.com/edgecache/edgecache/bench/trace"
)

// simFlags are those of "edgecache sim".
type simFlags struct {
	read             *traceInput
	onMiss, ttl      string
	policies, sizes  []string
	bytes, noGap     bool
	curve            int
	sample           float64
	seeds, workers   int
	seed             uint64
	json, csv        bool
	cost, color      string
	svg, html        string
	asserts          []string
	baseline         string
	tolerance        float64
	parsedAssertions []sim.Assertion
}

func (a *app) simCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sim TRACE",
		Short: "Tell what eviction policies miss on a trace",
		Long: `Replay a trace through caches, one for each policy and size, and tell what they miss. The form of the trace is
guessed; "edgecache trace info" says as what it is read. GAP CLOSED is how much of the way from FIFO's misses to those
of OPT, which knows the future, a policy goes; with --bytes to PFOO-L, below which no policy can miss. ORIGIN is what the
misses fetch, WRITE AMP the bytes that come in for each byte asked for, B/OBJECT what the policy keeps. What went wrong
and what --baseline finds goes to standard error; the command ends with 1 if an assertion does not hold, a policy failed,
or one misses more than in the baseline.`,
		Example: `  edgecache sim trace.zst                                  # all policies at 0.1 %, 1 % and 10 % of the objects
  edgecache sim trace.zst -p lru,sieve,s3fifo -s 1000,5%    # these, and these sizes
  edgecache sim access.log --bytes -s 64MiB,512MiB          # caches of bytes
  edgecache sim trace.zst -p lru,./mine.wasm:k=2            # one that is WebAssembly
  edgecache sim trace.zst --mrc 32 --html curves.html       # curves over 32 sizes
  edgecache sim trace.zst -p lru --assert 'lru.miss<=0.33'  # for CI`,
		Args: arguments(1, 1, "trace"),
	}
	var f simFlags
	flags := cmd.Flags()
	flags.StringSliceVarP(&f.policies, "policy", "p", []string{"all"},
		"`policies`, with parameters as in slru:segments=2, with admission as in lru+second-hit; all is every one, ./mine.wasm a guest, product:otter the library")
	flags.StringSliceVarP(&f.sizes, "size", "s", []string{"0.1%", "1%", "10%"},
		"`sizes` of caches: counts, percentages of everything, or with --bytes as in 512MiB")
	flags.BoolVar(&f.bytes, "bytes", false, "caches hold bytes instead of objects")
	flags.IntVar(&f.curve, "mrc", 0, "so many `sizes` from 0.1 % to everything, evenly on a logarithmic scale, for curves")
	flags.Float64Var(&f.sample, "sample", 0, "look at this `share` of the objects alone, in several samples, in caches that much smaller")
	flags.IntVar(&f.seeds, "samples", 5, "`number` of samples")
	flags.Uint64Var(&f.seed, "seed", 0, "`seed` of policies that choose at random, and of samples")
	flags.IntVar(&f.workers, "workers", 0, "`number` of caches that run at a time (default: one for each processor)")
	flags.BoolVar(&f.noGap, "no-gap", false, "leave GAP CLOSED out, for which FIFO and OPT run too")
	flags.StringVar(&f.cost, "cost", "", "the `column` of CSV or JSON lines with what a miss costs, such as its latency, for COST MISS")
	flags.StringVar(&f.color, "color", "auto", "colour the table: `when` is always, never, or auto for on a terminal unless NO_COLOR is set")
	flags.BoolVar(&f.json, "json", false, "print JSON, which --baseline reads")
	flags.BoolVar(&f.csv, "csv", false, "print CSV")
	flags.StringVar(&f.svg, "svg", "", "write curves to this `file` too")
	flags.StringVar(&f.html, "html", "", "write curves and tables to this `file` too, which needs nothing but a browser")
	flags.StringArrayVar(&f.asserts, "assert", nil, "what must hold, as in 'lru.miss<=0.33' or 'lru@1%.gap>10%' (`condition`; repeatable)")
	flags.StringVar(&f.baseline, "baseline", "", "compare with this `file`, written with --json")
	flags.Float64Var(&f.tolerance, "tolerance", 0.001, "how much larger than in the baseline a miss `ratio` may be")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	f.read = bindTraceInput(cmd)
	flags.StringVar(&f.ttl, "ttl", "", "`lifetime` of objects in the trace's unit of time, or \"trace\" for those that it has: what is older misses")
	flags.StringVar(&f.onMiss, "on-miss", "insert", "what a get that misses does: `insert` brings the object in, ignore leaves that to the sets of the trace")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.sim(cmd.Context(), &f, args[0], flags.Changed("size"))
	}
	return cmd
}

// sim runs the command. givenSizes says that the sizes are not the default ones.
func (a *app) sim(ctx context.Context, f *simFlags, path string, givenSizes bool) error {
	o, err := f.options(givenSizes)
	if err != nil {
		return usageError{err}
	}
	guests := guestPolicies{log: a.err}
	defer guests.close()
	if o.Policies, err = guests.parse(ctx, f.policies); err != nil {
		return err
	}
	var old *sim.Report
	if f.baseline != "" {
		if old, err = readReport(f.baseline); err != nil {
			return err
		}
	}
	if o.Trace, err = a.loadSimulated(ctx, f, path); err != nil {
		return err
	}
	progress := simProgress{out: a.err}
	if isTerminal(a.err) {
		o.Progress = progress.show
	}
	r, err := sim.Run(ctx, o)
	progress.clear()
	if err != nil {
		return err
	}
	if err := f.write(a.out, r, a.colors(f.color)); err != nil {
		return err
	}
	return a.judge(f, r, old)
}

// loadSimulated reads the trace.
func (a *app) loadSimulated(ctx context.Context, f *simFlags, path string) (*trace.Trace, error) {
	if f.cost != "" {
		f.read.opts.Columns = strings.Trim(f.read.opts.Columns+",cost="+f.cost, ",")
	}
	t, err := a.loadTrace(ctx, path, f.read)
	if err == nil && f.cost != "" && t.Costs == nil {
		return nil, fmt.Errorf("%s: format %s has no columns: leave --cost out", path, t.Format)
	}
	return t, err
}

// colors reports whether tables are coloured: https://no-color.org says what NO_COLOR means.
func (a *app) colors(when string) bool {
	if when != "auto" {
		return when == "always"
	}
	no, _ := a.lookupEnv("NO_COLOR")
	kind, _ := a.lookupEnv("TERM")
	return no == "" && kind != "dumb" && isTerminal(a.out)
}

// options are what the flags say, but for the trace.
func (f *simFlags) options(givenSizes bool) (sim.Options, error) {
	o := sim.Options{
		Bytes: f.bytes, Gap: !f.noGap, Sample: f.sample, Seeds: f.seeds, Seed: f.seed, Workers: f.workers,
	}
	if err := f.behaviour(&o); err != nil {
		return o, err
	}
	switch {
	case f.seeds < 1 || f.workers < 0 || f.curve < 0:
		return o, errors.New("--samples, --workers and --mrc: numbers below 1 are not possible")
	case f.color != "auto" && f.color != "always" && f.color != "never":
		return o, fmt.Errorf("--color %s: auto, always or never is wanted", f.color)
	case f.tolerance < 0:
		return o, fmt.Errorf("--tolerance %v: 0 or more is wanted", f.tolerance)
	}
	var err error
	if f.curve == 0 || givenSizes {
		if o.Sizes, err = sim.ParseSizes(f.sizes); err != nil {
			return o, err
		}
	}
	o.Sizes = append(o.Sizes, sim.CurveSizes(f.curve)...)
	for _, text := range f.asserts {
		assertion, err := sim.ParseAssertion(text)
		if err != nil {
			return o, err
		}
		f.parsedAssertions = append(f.parsedAssertions, assertion)
	}
	return o, nil
}

// behaviour is what the flags say of how caches behave.
func (f *simFlags) behaviour(o *sim.Options) error {
	switch f.onMiss {
	case "insert":
	case "ignore":
		o.LookAside = true
	default:
		return fmt.Errorf("--on-miss %s: insert or ignore is wanted", f.onMiss)
	}
	switch f.ttl {
	case "":
	case "trace":
		o.TTL, f.read.opts.Lifetimes = sim.SourceTTL, true
	default:
		n, err := strconv.ParseInt(f.ttl, 10, 64)
		if err != nil || n < 1 {
			return fmt.Errorf("--ttl %s: expected a number of at least 1 in the trace's unit of time, or \"trace\"", f.ttl)
		}
		o.TTL = n
	}
	return nil
}

// write writes the report in all forms that are asked for.
func (f *simFlags) write(out io.Writer, r *sim.Report, color bool) error {
	show := r.WriteTable
	switch {
	case color && !f.json && !f.csv:
		show = r.WriteColorTable
	case f.json:
		show = r.WriteJSON
	case f.csv:
		show = r.WriteCSV
	}
	if err := show(out); err != nil {
		return err
	}
	if f.svg != "" {
		if err := writeFile(f.svg, r.WriteSVG); err != nil {
			return err
		}
	}
	if f.html != "" {
		return writeFile(f.html, r.WriteHTML)
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

func readReport(path string) (*sim.Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	r, err := sim.ReadJSON(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// judge says what failed, what was asserted and does not hold, and what differs from the baseline.
func (a *app) judge(f *simFlags, r, old *sim.Report) error {
	var wrong []string
	say := func(bad bool, text string) {
		fmt.Fprintln(a.err, text)
		if bad {
			wrong = append(wrong, text)
		}
	}
	for _, p := range r.Failed() {
		say(true, fmt.Sprintf("failed: policy %s at size %d: %s", p.Policy, p.CacheSize, p.Error))
	}
	for _, assertion := range f.parsedAssertions {
		for _, text := range assertion.Check(r) {
			say(true, "assert: "+text)
		}
	}
	if old != nil {
		differences, err := r.Compare(old, f.tolerance)
		if err != nil {
			return err
		}
		for _, d := range differences {
			verdict := "differs: "
			if d.Worse {
				verdict = "worse: "
			}
			say(d.Worse, verdict+d.Text)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d of the results are not as they should be", len(wrong))
	}
	return nil
}
