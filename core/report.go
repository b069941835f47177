package core

import (
	"encoding/json"
	"strconv"
)

// Reporter is implemented by hooks and observers that keep figures. Report may block while batches are handed over.
type Reporter interface {
	Report() (Report, error)
}

// Report is a table of figures. The row of all operations in all namespaces comes first.
type Report struct {
	Rows []ReportRow
}

// ReportRow is the figures of one operation in one namespace.
type ReportRow struct {
	Op        Op     // OpNone: all operations
	Namespace uint16 // AllNamespaces: all of them
	Figures   []Figure
}

// Numbers that are no namespace's own.
const (
	// AllNamespaces stands for all of them in a ReportRow.
	AllNamespaces uint16 = 0xffff
	// OtherNamespaces is the number of all namespaces after the first 65,534.
	OtherNamespaces uint16 = 0xfffe
)

// Figure is one column of a row: a count, or a ratio, or a histogram.
type Figure struct {
	Name    string
	Count   uint64  // unless IsRatio or Buckets
	Ratio   float64 // if IsRatio: a mean or a share, 0 where there is nothing to divide by
	IsRatio bool
	Buckets []uint64 // bucket i counts values of bit length i, the last also all above
}

// JSON returns the report as an object: the first row's figures as fields, the others under "rows" with their "op" and
// "namespace", for which path names the numbers.
func (r Report) JSON(path func(uint16) string) json.RawMessage {
	b := []byte{'{'}
	if len(r.Rows) > 0 {
		b = appendFigures(b, r.Rows[0].Figures)
		b = append(b, `,"rows":[`...)
		for i, row := range r.Rows[1:] {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"op":`...)
			b = strconv.AppendQuote(b, row.Op.String())
			b = append(b, `,"namespace":`...)
			name, _ := json.Marshal(path(row.Namespace)) // a string always marshals
			b = append(append(b, name...), ',')
			b = append(appendFigures(b, row.Figures), '}')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendFigures(b []byte, figures []Figure) []byte {
	for i, f := range figures {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, f.Name), ':')
		switch {
		case f.IsRatio:
			b = strconv.AppendFloat(b, f.Ratio, 'g', -1, 64)
		case f.Buckets != nil:
			b = append(b, '[')
			for j, n := range f.Buckets {
				if j > 0 {
					b = append(b, ',')
				}
				b = strconv.AppendUint(b, n, 10)
			}
			b = append(b, ']')
		default:
			b = strconv.AppendUint(b, f.Count, 10)
		}
	}
	return b
}
