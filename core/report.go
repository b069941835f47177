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
	// Metrics are figures beside the table, sorted by name.
	Metrics []Metric
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

// Metric is a figure that a plugin keeps for itself as a whole.
type Metric struct {
	Name string
	// Kind is "counter", "gauge" or "histogram".
	Kind string
	// Value is a counter's or a gauge's.
	Value int64
	// Count and Sum are a histogram's, and Buckets: bucket i counts values of bit length i, the last also all above.
	Count, Sum uint64
	Buckets    []uint64
}

// JSON returns the report as an object: the first row's figures as fields, the others under "rows" with their "op" and
// "namespace", for which path names the numbers. Metrics are under "metrics" by name, if there are any.
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
	if len(r.Metrics) > 0 {
		if len(r.Rows) > 0 {
			b = append(b, ',')
		}
		b = appendMetrics(append(b, `"metrics":`...), r.Metrics)
	}
	return append(b, '}')
}

func appendMetrics(b []byte, metrics []Metric) []byte {
	for i, m := range metrics {
		b = append(b, "{,"[min(i, 1)])
		b = append(strconv.AppendQuote(b, m.Name), ':')
		if m.Buckets == nil {
			b = strconv.AppendInt(b, m.Value, 10)
			continue
		}
		b = strconv.AppendUint(append(b, `{"count":`...), m.Count, 10)
		b = strconv.AppendUint(append(b, `,"sum":`...), m.Sum, 10)
		b = append(appendNumbers(append(b, `,"buckets":`...), m.Buckets), '}')
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
			b = appendNumbers(b, f.Buckets)
		default:
			b = strconv.AppendUint(b, f.Count, 10)
		}
	}
	return b
}

func appendNumbers(b []byte, numbers []uint64) []byte {
	b = append(b, '[')
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, n, 10)
	}
	return append(b, ']')
}
