// Package otlptest is an OTLP receiver inside the process of a test: spans and metrics that any exporter sends by HTTP
// come out as plain values.
package otlptest

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// Receiver collects what is sent to its URL. It is safe for concurrent use.
type Receiver struct {
	server *httptest.Server

	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever something came
	spans   []Span
	metrics map[string]bool
}

// Span is a span as it was received.
type Span struct {
	Trace, ID, Parent string // hexadecimal; Parent is "" for a root
	Name, Kind        string // Kind is "INTERNAL", "SERVER", "CLIENT", ...
	Error             string // the status's text, "" unless the status is an error
	Start             uint64 // unix nanoseconds
	Attributes        map[string]string
	Resource          map[string]string
}

// New starts a receiver that ends with the test.
func New(tb testing.TB) *Receiver {
	r := &Receiver{changed: make(chan struct{}), metrics: make(map[string]bool)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, q *http.Request) {
		receive(w, q, &coltrace.ExportTraceServiceRequest{}, &coltrace.ExportTraceServiceResponse{}, r.addSpans)
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, q *http.Request) {
		receive(w, q, &colmetrics.ExportMetricsServiceRequest{}, &colmetrics.ExportMetricsServiceResponse{}, r.addMetrics)
	})
	r.server = httptest.NewServer(mux)
	tb.Cleanup(r.server.Close)
	return r
}

// URL is what OTEL_EXPORTER_OTLP_ENDPOINT is set to.
func (r *Receiver) URL() string { return r.server.URL }

// Spans returns what came so far, in the order of their starts.
func (r *Receiver) Spans() []Span {
	spans, _ := r.snapshot()
	return spans
}

// Metrics returns the names of the metrics that came so far, sorted.
func (r *Receiver) Metrics() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, 0, len(r.metrics))
	for name := range r.metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Wait blocks until enough is true of the spans that came, and returns them; it gives up with ctx.
func (r *Receiver) Wait(ctx context.Context, enough func([]Span) bool) ([]Span, error) {
	for {
		spans, changed := r.snapshot()
		if enough(spans) {
			return spans, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return spans, fmt.Errorf("otlptest: %d spans came, not those waited for: %w", len(spans), ctx.Err())
		}
	}
}

func (r *Receiver) snapshot() ([]Span, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	spans := slices.Clone(r.spans)
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Compare(a.Start, b.Start) })
	return spans, r.changed
}

// Tree writes the traces in spans as an indented outline of "KIND name", children in the order of their starts. A span
// whose parent is not among spans is a root, marked by "?".
func Tree(spans []Span) string {
	children, known := make(map[string][]Span), make(map[string]bool)
	for _, s := range spans {
		known[s.ID] = true
	}
	var roots []Span
	for _, s := range spans {
		if known[s.Parent] {
			children[s.Parent] = append(children[s.Parent], s)
		} else {
			roots = append(roots, s)
		}
	}
	var b strings.Builder
	var write func(s Span, depth int)
	write = func(s Span, depth int) {
		fmt.Fprintf(&b, "%s%s %s\n", strings.Repeat("  ", depth), s.Kind, s.Name)
		for _, c := range children[s.ID] {
			write(c, depth+1)
		}
	}
	for _, s := range roots {
		if s.Parent != "" {
			b.WriteString("? ")
		}
		write(s, 0)
	}
	return b.String()
}

// receive answers one export.
func receive[T proto.Message](w http.ResponseWriter, q *http.Request, request T, response proto.Message, add func(T)) {
	body, err := readBody(q)
	if err == nil {
		err = proto.Unmarshal(body, request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	add(request)
	answer, err := proto.Marshal(response)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer) // an exporter that went away tells its own test
}

func readBody(q *http.Request) ([]byte, error) {
	if q.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(q.Body)
	}
	z, err := gzip.NewReader(q.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func (r *Receiver) addSpans(q *coltrace.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rs := range q.GetResourceSpans() {
		about := attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				span := Span{
					Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()),
					Parent: hex.EncodeToString(s.GetParentSpanId()), Name: s.GetName(),
					Kind:  strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_"),
					Start: s.GetStartTimeUnixNano(), Attributes: attributes(s.GetAttributes()), Resource: about,
				}
				if status := s.GetStatus(); status.GetCode() == 2 {
					span.Error = cmp.Or(status.GetMessage(), "error")
				}
				r.spans = append(r.spans, span)
			}
		}
	}
	r.wake()
}

func (r *Receiver) addMetrics(q *colmetrics.ExportMetricsServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rm := range q.GetResourceMetrics() {
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				r.metrics[m.GetName()] = true
			}
		}
	}
	r.wake()
}

// wake must be called with the lock held.
func (r *Receiver) wake() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func attributes(list []*common.KeyValue) map[string]string {
	m := make(map[string]string, len(list))
	for _, kv := range list {
		m[kv.GetKey()] = text(kv.GetValue())
	}
	return m
}

func text(v *common.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return fmt.Sprint(v.IntValue)
	case *common.AnyValue_BoolValue:
		return fmt.Sprint(v.BoolValue)
	case *common.AnyValue_DoubleValue:
		return fmt.Sprint(v.DoubleValue)
	default:
		return fmt.Sprint(v)
	}
}
