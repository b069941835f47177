package main

import (
	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/bench/trace"
)

// bindReadOptions binds the flags that say how the trace is read.
func bindReadOptions(cmd *cobra.Command, o *trace.Options) {
	flags := cmd.Flags()
	flags.StringVar(&o.Format, "format", "", "`name` of the trace's format; it is guessed otherwise")
	flags.StringVar(&o.Columns, "cols", "", "`columns` of CSV and JSON lines, by number or name: time=1,key=2,size=3")
	flags.StringVar(&o.Ops, "ops", "", "`operations` that count, of get, set, delete, other; of access logs get alone otherwise")
	flags.Int64Var(&o.From, "from", 0, "`time` of the first request that counts; its position in traces without times")
	flags.Int64Var(&o.To, "to", 0, "`time` before which the last is; 0 is the end")
	flags.Uint32Var(&o.Split, "split", 0, "`bytes` of the blocks that requests to block devices are cut into")
	flags.BoolVar(&o.HeavyTail, "heavy-tail", false, "give objects sizes with a heavy tail, from 64 B to 1 MiB, instead of their own")
	flags.IntVar(&o.SkipBad, "skip-bad", 0, "how `many` bad records are passed over")
}
