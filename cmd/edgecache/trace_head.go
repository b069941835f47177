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
	Cost *float32 `json:"cost,omitempty"`
}

func (a *app) traceHeadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "head FILE",
		Short: "Print the first requests of a trace as they are read",
		Long: `Print the first requests of a trace as they are read: their time, the number of the object, counted from 1 in the order
of first appearance, its size, and the operation where the source has one. No more of the trace is read than that takes.`,
		Example: "  edgecache trace head requests.csv.zst\n  edgecache trace head disk.vscsi -n 100 --split 4096 -o json",
		Args:    arguments(1, 1, "file"),
	}
	in := bindTraceInput(cmd)
	most := cmd.Flags().IntP("requests", "n", 10, "how `many` requests")
	var out format
	bindFormat(cmd, &out)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		rows, err := firstRequests(args[0], in.options(), *most)
		if err != nil {
			return err
		}
		if out == "json" {
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
func firstRequests(path string, o trace.Options, n int) (rows []traceRow, err error) {
	r, err := trace.Open(path, o)
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
	if b.Costs != nil {
		cost := b.Costs[i]
		row.Cost = &cost
	}
	return row
}

func writeTraceRows(out io.Writer, rows []traceRow) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "TIME\tID\tSIZE\tOP\tCOST\n")
	for _, row := range rows {
		fmt.Fprintf(w, "%d\t%d\t%d\t%s\t", row.Time, row.ID, row.Size, row.Op)
		if row.Cost != nil {
			fmt.Fprint(w, *row.Cost)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
