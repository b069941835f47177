package memcached

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/edgecache/edgecache/core"
)

func TestSpans(t *testing.T) {
	servers := start(t, 1)
	b := open(t, servers, Options{})
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	ctx, parent := provider.Tracer("test").Start(t.Context(), "parent")
	if err := b.Set(ctx, "secret", &core.Entry{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(ctx, "absent"); err != core.ErrNotFound { //nolint:errorlint // the contract
		t.Fatal(err)
	}
	if err := b.GetMany(ctx, []string{"a", "b", "c"}, make([]*core.Entry, 3)); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.Get(gone, "k"); err == nil {
		t.Fatal("Get succeeded under a context that has ended")
	}
	parent.End()
	var got []string
	for _, s := range exporter.GetSpans() {
		if s.Name == "parent" {
			continue
		}
		if s.SpanKind != trace.SpanKindClient || s.Parent.SpanID() != parent.SpanContext().SpanID() {
			t.Errorf("span %s has kind %v and parent %v", s.Name, s.SpanKind, s.Parent.SpanID())
		}
		attrs := make(map[string]string)
		for _, a := range s.Attributes {
			attrs[string(a.Key)] = a.Value.String()
		}
		if attrs["db.system.name"] != "memcached" || attrs["db.operation.name"] != s.Name ||
			attrs["server.address"]+":"+attrs["server.port"] != servers[0] {
			t.Errorf("span %s has attributes %v", s.Name, attrs)
		}
		got = append(got, fmt.Sprint(s.Name, attrs["db.operation.batch.size"], s.Status.Code == codes.Error))
	}
	if want := []string{"setfalse", "getfalse", "get3false", "gettrue"}; !slices.Equal(got, want) {
		t.Errorf("spans are %q, want %q", got, want)
	}
}

func TestNoSpansWithoutAParent(t *testing.T) {
	s := newServer(address{"tcp", "127.0.0.1:1"}, &Options{})
	if n := testing.AllocsPerRun(100, func() {
		_, finish := startSpan(context.Background(), "get", s, 1)
		finish(nil)
	}); n != 0 {
		t.Errorf("a call without a span allocates %v times for it", n)
	}
}
