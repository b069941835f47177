package sim

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// columns of WriteCSV. The order is a contract: more come behind.
func columns() []string {
	return []string{
		"trace", "size_mode", "cache_size", "policy", "requests", "misses", "miss_ratio", "byte_miss_ratio", "mreq_per_s",
		"evictions", "gap_closed", "sample_rate", "miss_ratio_low", "miss_ratio_high", "adjusted_miss_ratio", "adjusted_low",
		"adjusted_high", "cost_miss_ratio", "expired_misses", "origin_bytes", "admitted_bytes", "write_amplification",
		"metadata_bytes_per_object", "error",
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
		_ = c.Write(append(row, r.csvCells(&p)...))
	}
	c.Flush()
	return c.Error()
}

// csvCells are those of a result that is there, behind the policy's name.
func (r *Report) csvCells(p *Result) []string {
	whole := func(n uint64) string { return strconv.FormatUint(n, 10) }
	optional := func(share *float64) string {
		if share == nil {
			return ""
		}
		return six(*share)
	}
	unlessBound := func(text string) string {
		if p.Bound {
			return ""
		}
		return text
	}
	cells := []string{
		whole(p.Requests), whole(p.Misses), six(p.MissRatio), six(p.ByteMissRatio), fmt.Sprintf("%.2f", p.MreqPerS),
		unlessBound(whole(p.Evictions)), optional(p.Gap),
	}
	if e := p.Estimate; e != nil {
		cells = append(cells, strconv.FormatFloat(r.Sample.Rate, 'g', -1, 64), six(e.Raw.Low), six(e.Raw.High),
			six(e.Adjusted.Ratio), six(e.Adjusted.Low), six(e.Adjusted.High))
	} else {
		cells = append(cells, make([]string, 6)...)
	}
	cells = append(cells, optional(p.CostMissRatio), unlessBound(whole(p.ExpiredMisses)), whole(p.OriginBytes),
		unlessBound(whole(p.AdmittedBytes)), unlessBound(six(p.WriteAmplification)))
	if p.MetadataBytes > 0 {
		return append(cells, strconv.FormatFloat(p.MetadataBytes, 'f', 1, 64), "")
	}
	return append(cells, "", "")
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
