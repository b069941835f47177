package sim

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
)

// columns of WriteCSV. The order is a contract: more come behind.
func columns() []string {
	return []string{
		"trace", "size_mode", "cache_size", "policy", "requests", "misses", "miss_ratio", "byte_miss_ratio", "mreq_per_s",
		"evictions", "gap_closed", "sample_rate", "miss_ratio_low", "miss_ratio_high", "adjusted_miss_ratio", "adjusted_low",
		"adjusted_high", "cost_miss_ratio", "error",
	}
}

// WriteCSV writes a line of the names of columns, and one for each policy and size. What there is not is empty.
func (r *Report) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write(columns()) // Error tells
	for _, p := range r.Results {
		row := []string{r.Trace, r.SizeMode, strconv.FormatUint(p.CacheSize, 10), p.Policy}
		if p.Error != "" {
			row = append(row, make([]string, len(columns())-len(row)-1)...)
			_ = c.Write(append(row, p.Error))
			continue
		}
		row = append(row, strconv.FormatUint(p.Requests, 10), strconv.FormatUint(p.Misses, 10), six(p.MissRatio),
			six(p.ByteMissRatio), fmt.Sprintf("%.2f", p.MreqPerS), strconv.FormatUint(p.Evictions, 10), "")
		if p.Bound {
			row[len(row)-2] = ""
		}
		if p.Gap != nil {
			row[len(row)-1] = six(*p.Gap)
		}
		if e := p.Estimate; e != nil {
			row = append(row, strconv.FormatFloat(r.Sample.Rate, 'g', -1, 64), six(e.Raw.Low), six(e.Raw.High),
				six(e.Adjusted.Ratio), six(e.Adjusted.Low), six(e.Adjusted.High))
		}
		row = append(row, make([]string, len(columns())-len(row))...)
		if p.CostMissRatio != nil {
			row[len(row)-2] = six(*p.CostMissRatio)
		}
		_ = c.Write(row)
	}
	c.Flush()
	return c.Error()
}

func six(share float64) string { return strconv.FormatFloat(share, 'f', 6, 64) }

// WriteJSON writes the report as JSON, which ReadJSON reads.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(in io.Reader) (*Report, error) {
	var r Report
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return nil, fmt.Errorf("no report of a simulation: %w", err)
	}
	if r.SizeMode != "obj" && r.SizeMode != "byte" {
		return nil, fmt.Errorf("no report of a simulation: its size_mode is %q", r.SizeMode)
	}
	return &r, nil
}

// WriteTable writes the report for people: the policies of each size, those that miss least first.
func (r *Report) WriteTable(out io.Writer) error {
	fmt.Fprintln(out, r.Headline())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, size := range r.CacheSizes() {
		fmt.Fprintf(w, "\n%s\n", r.sizeLine(size))
		fmt.Fprintf(w, "MISS\tBYTE MISS\t%sGAP CLOSED\tEVICTIONS\tMREQ/S\t  POLICY\n", r.moreHeader())
		for _, p := range r.ranking(size) {
			if p.Error != "" {
				continue
			}
			fmt.Fprintf(w, "%.4f\t%.4f\t%s%s\t%s\t%.1f\t  %s\n",
				p.MissRatio, p.ByteMissRatio, r.moreCells(&p), p.gapCell(), p.evictionsCell(), p.MreqPerS, p.Policy)
		}
		// The columns of each size are for themselves.
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// moreHeader names the columns that not every report has, each with a tab behind it.
func (r *Report) moreHeader() string {
	var text string
	if r.hasCosts() {
		text += "COST MISS\t"
	}
	if r.Sample != nil {
		text += "OF SAMPLES\tADJUSTED\tOF SAMPLES\t"
	}
	return text
}

// moreCells are what is in these columns.
func (r *Report) moreCells(p *Result) string {
	var text string
	switch {
	case p.CostMissRatio != nil:
		text += fmt.Sprintf("%.4f\t", *p.CostMissRatio)
	case r.hasCosts():
		text += "-\t"
	}
	if p.Estimate != nil {
		raw, adjusted := p.Estimate.Raw, p.Estimate.Adjusted
		text += fmt.Sprintf("%.4f-%.4f\t%.4f\t%.4f-%.4f\t", raw.Low, raw.High, adjusted.Ratio, adjusted.Low, adjusted.High)
	}
	return text
}

func (r *Report) hasCosts() bool {
	return slices.ContainsFunc(r.Results, func(p Result) bool { return p.CostMissRatio != nil })
}

func (p *Result) evictionsCell() string {
	if p.Bound {
		return "-"
	}
	return grouped(p.Evictions)
}

func (p *Result) gapCell() string {
	if p.Gap == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100**p.Gap)
}
