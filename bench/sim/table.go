package sim

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/edgecache/edgecache/core/evict"
)

// tableColumn is a column of the tables for people.
type tableColumn struct {
	title string
	cell  func(*Result) string
}

// tableColumns are those that there is something to say in, without that of the policy's name.
func (r *Report) tableColumns() []tableColumn {
	share := func(of func(*Result) float64) func(*Result) string {
		return func(p *Result) string { return fmt.Sprintf("%.4f", of(p)) }
	}
	all := []tableColumn{{"MISS", share(func(p *Result) float64 { return p.MissRatio })}}
	add := func(there bool, title string, cell func(*Result) string) {
		if there {
			all = append(all, tableColumn{title, cell})
		}
	}
	sizes := r.hasSizes()
	add(sizes, "BYTE MISS", share(func(p *Result) float64 { return p.ByteMissRatio }))
	add(r.any(func(p *Result) bool { return p.CostMissRatio != nil }), "COST MISS", (*Result).costCell)
	add(r.any(func(p *Result) bool { return p.ExpiredMisses > 0 }), "EXPIRED", (*Result).expiredCell)
	add(r.Sample != nil, "OF SAMPLES", bandCell(func(e *Estimate) Band { return e.Raw }))
	add(r.Sample != nil, "ADJUSTED", (*Result).adjustedCell)
	add(r.Sample != nil, "OF SAMPLES", bandCell(func(e *Estimate) Band { return e.Adjusted }))
	add(r.any(func(p *Result) bool { return p.Gap != nil }), "GAP CLOSED", (*Result).gapCell)
	add(sizes, "ORIGIN", func(p *Result) string { return bytesText(p.OriginBytes) })
	add(true, "EVICTIONS", (*Result).evictionsCell)
	add(true, "WRITE AMP", (*Result).writesCell)
	add(r.any(func(p *Result) bool { return p.MetadataBytes > 0 }), "B/OBJECT", (*Result).metadataCell)
	add(true, "MREQ/S", func(p *Result) string { return fmt.Sprintf("%.1f", p.MreqPerS) })
	return all
}

func (r *Report) any(has func(*Result) bool) bool {
	return slices.ContainsFunc(r.Results, func(p Result) bool { return has(&p) })
}

// hasSizes reports whether objects differ in size.
func (r *Report) hasSizes() bool { return r.RequestBytes != uint64(r.Requests) }

// none is what a cell has in it that does not apply.
const none = "-"

func (p *Result) costCell() string {
	if p.CostMissRatio == nil {
		return none
	}
	return fmt.Sprintf("%.4f", *p.CostMissRatio)
}

func (p *Result) expiredCell() string {
	if p.Bound {
		return none
	}
	return fmt.Sprintf("%.4f", ratio(float64(p.ExpiredMisses), float64(p.Requests)))
}

func bandCell(of func(*Estimate) Band) func(*Result) string {
	return func(p *Result) string {
		if p.Estimate == nil {
			return none
		}
		band := of(p.Estimate)
		return fmt.Sprintf("%.4f-%.4f", band.Low, band.High)
	}
}

func (p *Result) adjustedCell() string {
	if p.Estimate == nil {
		return none
	}
	return fmt.Sprintf("%.4f", p.Estimate.Adjusted.Ratio)
}

func (p *Result) gapCell() string {
	if p.Gap == nil {
		return none
	}
	return fmt.Sprintf("%.1f %%", 100**p.Gap)
}

func (p *Result) evictionsCell() string {
	if p.Bound {
		return none
	}
	return grouped(p.Evictions)
}

func (p *Result) writesCell() string {
	if p.Bound {
		return none
	}
	return fmt.Sprintf("%.3f", p.WriteAmplification)
}

func (p *Result) metadataCell() string {
	if p.MetadataBytes == 0 {
		return none
	}
	return fmt.Sprintf("%.1f", p.MetadataBytes)
}

// WriteTable writes the report for people: the policies of each size, those that miss least first.
func (r *Report) WriteTable(out io.Writer) error {
	return r.writeTable(out, func(_, text string) string { return text })
}

// WriteColorTable writes the same for a terminal: the best policy of each size stands out, what knows the future steps back,
// and what is worse than FIFO warns.
func (r *Report) WriteColorTable(out io.Writer) error {
	return r.writeTable(out, func(style, text string) string {
		if style == plain || text == "" {
			return text
		}
		return "\x1b[" + style + "m" + text + "\x1b[0m"
	})
}

// What terminals know styles by: ECMA-48, Select Graphic Rendition.
const (
	plain  = ""
	bold   = "1"
	faint  = "2"
	winner = "1;32" // bold green
	bad    = "31"   // red
)

// tableCell is a text and how it looks.
type tableCell struct{ text, style string }

func (r *Report) writeTable(out io.Writer, paint func(style, text string) string) error {
	var b strings.Builder
	b.WriteString(paint(bold, r.Headline()) + "\n")
	columns := r.tableColumns()
	for _, size := range r.CacheSizes() {
		b.WriteString("\n" + paint(bold, r.sizeLine(size)) + "\n")
		writeAligned(&b, r.tableRows(columns, size), paint)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// tableRows are the header and a row for each policy that did not fail.
func (r *Report) tableRows(columns []tableColumn, size uint64) [][]tableCell {
	var header []tableCell
	for _, c := range columns {
		header = append(header, tableCell{c.title, faint})
	}
	rows := [][]tableCell{append(header, tableCell{"POLICY", faint})}
	found := false // the best
	for _, p := range r.ranking(size) {
		if p.Error != "" {
			continue
		}
		style := plain
		switch {
		case p.Bound || knowsTheFuture(p.Policy):
			style = faint
		case !found:
			style, found = winner, true
		}
		row := make([]tableCell, 0, len(columns)+1)
		for _, c := range columns {
			cell := tableCell{c.cell(&p), style}
			if c.title == "GAP CLOSED" && p.Gap != nil && *p.Gap < 0 {
				cell.style = bad
			}
			row = append(row, cell)
		}
		rows = append(rows, append(row, tableCell{p.Policy, style}))
	}
	return rows
}

// knowsTheFuture reports whether no live cache can run that policy.
func knowsTheFuture(name string) bool {
	return slices.ContainsFunc(evict.Policies(), func(p evict.Info) bool { return p.Name == name && !p.Online })
}

// writeAligned writes rows with the columns to the right, but for the last one.
func writeAligned(b *strings.Builder, rows [][]tableCell, paint func(style, text string) string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell.text))
		}
	}
	for _, row := range rows {
		last := len(row) - 1
		for i, cell := range row[:last] {
			b.WriteString(strings.Repeat(" ", 2+widths[i]-utf8.RuneCountInString(cell.text)) + paint(cell.style, cell.text))
		}
		b.WriteString("  " + paint(row[last].style, row[last].text) + "\n")
	}
}
