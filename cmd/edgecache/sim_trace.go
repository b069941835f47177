package main

import (
	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/bench/trace"
)

// bindTraceOptions binds the flags that say how a trace is read.
func bindTraceOptions(cmd *cobra.Command, o *trace.Options) {
	flags := cmd.Flags()
	flags.StringVar(&o.Format, "format", "", "`name` of the trace's form (default: guessed)")
	flags.StringVar(&o.Columns, "cols", "", "where CSV and JSON lines have what, `as in` time=1,key=2,size=3")
	flags.StringVar(&o.Ops, "ops", "", "`operations` that count, as in get,set (default: all)")
	flags.Uint32Var(&o.Split, "split", 0, "cut requests for block devices into blocks of so many `bytes`")
	flags.BoolVar(&o.HeavyTail, "heavy-tail", false, "give objects made-up sizes, for traces without")
	flags.IntVar(&o.SkipBad, "skip-bad", 0, "`number` of bad records that are passed over")
	flags.BoolVar(&o.Cache, "cache", false, "keep what was read beside the trace, for the next time")
}
