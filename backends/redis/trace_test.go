package redis_test

import (
	"net"
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

func TestSpans(t *testing.T) {
	s := testserver.Redis(t)
	b := open(t, s.URL(), redis.Options{Timeout: slow})
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	t.Cleanup(func() { _ = provider.Shutdown(t.Context()) })

	must(t, b.Set(t.Context(), "before", &core.Entry{Value: []byte("v")}))
	ctx, parent := provider.Tracer("test").Start(t.Context(), "parent")
	must(t, b.Set(ctx, "k", &core.Entry{Value: []byte("v")}))
	_, _ = b.Get(ctx, "absent")
	must(t, b.GetMany(ctx, []string{"k"}, make([]*core.Entry, 1)))
	_, _ = b.Raw(ctx, "LPUSH", "k", "x")
	must(t, b.DeleteMany(ctx, []string{"k", "l"}, make([]bool, 2)))
	parent.End()

	host, port, err := net.SplitHostPort(s.Addr())
	must(t, err)
	number, err := strconv.Atoi(port)
	must(t, err)
	want := []struct {
		name, err string
		batch     int
	}{{name: "SET"}, {name: "GET"}, {name: "MGET"}, {name: "LPUSH", err: "WRONGTYPE"}, {name: "PIPELINE DEL", batch: 2}}
	spans := recorder.Ended()
	if len(spans) != len(want)+1 {
		t.Fatalf("%d spans, want %d and their parent", len(spans), len(want))
	}
	for i, w := range want {
		span := spans[i]
		attrs := []attribute.KeyValue{
			attribute.String("db.system.name", "redis"), attribute.String("server.address", host),
			attribute.Int("server.port", number), attribute.String("db.operation.name", w.name),
		}
		status := codes.Unset
		if w.batch > 0 {
			attrs = append(attrs, attribute.Int("db.operation.batch.size", w.batch))
		}
		if w.err != "" {
			attrs, status = append(attrs, attribute.String("error.type", w.err)), codes.Error
		}
		wantSet, gotSet := attribute.NewSet(attrs...), attribute.NewSet(span.Attributes()...)
		if span.Name() != w.name || span.SpanKind() != trace.SpanKindClient || span.Status().Code != status ||
			!gotSet.Equals(&wantSet) || span.Parent().SpanID() != parent.SpanContext().SpanID() {
			t.Errorf("span %d is %s %v %v %v, want %v", i, span.Name(), span.SpanKind(), span.Status(), span.Attributes(), attrs)
		}
	}
}
