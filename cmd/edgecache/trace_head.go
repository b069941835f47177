package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/bench/trace"
)

// traceRow is a request as "trace head" tells it.
type traceRow struct {
	Time int64    `json:"time"`
	ID   uint32   `json:"id"`
	Size uint32   `json:"size"`
	Op   string   `json:"op,omitempty"`
	TTL  uint32   `json:"ttl,omitempty"`
	Cost *float32 `json:"cost,omitempty"`
}

func (a *app) traceHeadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "head FILE",
		Short: "Print the first requests of a trace as they are read",
		Long: `Print the first requests of a trace as they are read: their time, the number of the object, counted from 1 in the order
of first appearance, its size, and the operation and lifetime where the source has them. No more of the trace is read than that takes.`,
		Example: "  edgecache trace head requests.csv.zst\n  edgecache trace head disk.vscsi -n 100 --split 4096 -o json",
		Args:    arguments(1, 1, "file"),
	}
	in := bindTraceInput(cmd)
	bindTraceSample(cmd, in)
	most := cmd.Flags().IntP("requests", "n", 10, "how `many` requests")
	out := bindFormat(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		rows, err := a.firstRequests(args[0], in, *most)
		if err != nil {
			return err
		}
		if *out == "json" {
			for _, row := range rows {
				if err := writeJSON(a.out, row); err != nil {
					return err
				}
			}
			return nil
		}
		return writeTraceRows(a.out, rows)
	}
	return cmd
}

// firstRequests reads at most n requests.
func (a *app) firstRequests(path string, in *traceInput, n int) (rows []traceRow, err error) {
	r, err := a.openTrace(path, in)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var b trace.Batch
	for len(rows) < n {
		err := r.Next(&b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := 0; i < len(b.IDs) && len(rows) < n; i++ {
			rows = append(rows, rowOf(&b, i, len(rows)))
		}
	}
	return rows, nil
}

// openTrace opens the trace at path, or the standard input.
func (a *app) openTrace(path string, in *traceInput) (*trace.Reader, error) {
	if path == "-" {
		return trace.NewReader(a.in, standardInput, in.options())
	}
	return trace.Open(path, in.options())
}

// rowOf returns row i of a batch, which is request number at.
func rowOf(b *trace.Batch, i, at int) traceRow {
	row := traceRow{Time: int64(at), ID: b.IDs[i] + 1, Size: 1}
	if b.Times != nil {
		row.Time = b.Times[i]
	}
	if b.Sizes != nil {
		row.Size = b.Sizes[i]
	}
	if b.Ops != nil {
		row.Op = b.Ops[i].String()
	}
	if b.TTLs != nil {
		row.TTL = b.TTLs[i]
	}
	if b.Costs != nil {
		cost := b.Costs[i]
		row.Cost = &cost
	}
	return row
}

func writeTraceRows(out io.Writer, rows []traceRow) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "TIME\tID\tSIZE\tOP\tTTL\tCOST\n")
	for _, row := range rows {
		fmt.Fprintf(w, "%d\t%d\t%d\t%s\t", row.Time, row.ID, row.Size, row.Op)
		if row.TTL > 0 {
			fmt.Fprint(w, row.TTL)
		}
		fmt.Fprint(w, "\t")
		if row.Cost != nil {
			fmt.Fprint(w, *row.Cost)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
