// Command caches holds edgecache's memory tier against other caches in one run: how long a command takes on one goroutine and
// on more, what is hit when many ask at a time, and what an entry weighs. All take turns, some hundred milliseconds each, so
// that what else the machine does falls on all.
//
// Lines for benchstat go to standard output, a line for each round, and tables behind them; -json writes all of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/edgecache/edgecache/bench/trace"
)

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each speed is measured")
	flag.DurationVar(&o.each, "each", 100*time.Millisecond, "about how long one measurement is")
	flag.IntVar(&o.entries, "entries", 100_000, "how many entries caches have room for")
	flag.StringVar(&o.trace, "trace", "", "a trace to replay beside the generated one, in caches for a tenth of its objects")
	path := flag.String("json", "", "write the results to this file too")
	flag.Parse()
	if err := run(context.Background(), &o, *path); err != nil {
		fmt.Fprintln(os.Stderr, "caches:", err)
		os.Exit(1)
	}
}

// options say what is measured.
type options struct {
	rounds, entries int
	each            time.Duration
	trace           string
}

// popularity and mix of what speeds and hit ratios are measured with.
const (
	popular  = "zipf:0.99,%d,%d"
	scanned  = "zipf:0.99,%d,%d+scan:%d"
	perEntry = 10 // objects and requests of the generated traces
	oneOf    = 4  // requests of a mix writes
)

func run(ctx context.Context, o *options, path string) error {
	traces, err := o.traces(ctx)
	if err != nil {
		return err
	}
	asked, err := trace.Generate(fmt.Sprintf(popular, perEntry*o.entries, perEntry*o.entries), 1)
	if err != nil {
		return err
	}
	r := newReport(o)
	if r.Speeds, err = measureSpeeds(o, asked); err != nil {
		return err
	}
	if r.Hits, err = measureHits(ctx, traces); err != nil {
		return err
	}
	if r.Weights, err = measureWeights(o.entries); err != nil {
		return err
	}
	r.writeLines(os.Stdout)
	r.writeTables(os.Stdout)
	if path == "" {
		return nil
	}
	return r.writeJSON(path)
}

// traces are those that hits are counted on.
func (o *options) traces(ctx context.Context) ([]*trace.Trace, error) {
	requests := 2 * perEntry * o.entries
	made, err := trace.Generate(fmt.Sprintf(scanned, perEntry*o.entries, requests, requests/4), 2)
	if err != nil {
		return nil, err
	}
	made.Name = "zipf+scan"
	all := []*trace.Trace{made}
	if o.trace != "" {
		given, err := trace.Load(ctx, o.trace, trace.Options{})
		if err != nil {
			return nil, err
		}
		all = append(all, given)
	}
	return all, nil
}
