package memcached

import (
	"context"
	"errors"
	"net"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/edgecache/edgecache/core"
)

// scope is the instrumentation scope of the spans.
const scope = "github.com/edgecache/edgecache/backends/memcached"

// startSpan begins the span of a call to a server for n keys, if the context carries one that records. No span contains
// keys or values.
func startSpan(ctx context.Context, op string, s *server, n int) (context.Context, func(error)) {
	if parent := trace.SpanFromContext(ctx); parent.IsRecording() {
		ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, op,
			trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes(op, s, n)...))
		return ctx, func(err error) { finishSpan(span, err) }
	}
	return ctx, func(error) {}
}

func attributes(op string, s *server, n int) []attribute.KeyValue {
	attrs := []attribute.KeyValue{semconv.DBSystemNameMemcached, semconv.DBOperationName(op)}
	host, port, err := net.SplitHostPort(s.addr.name)
	if err != nil || s.addr.network == "unix" {
		attrs = append(attrs, semconv.ServerAddress(s.addr.name))
	} else {
		number, _ := strconv.Atoi(port) // 0 where it is a service's name
		attrs = append(attrs, semconv.ServerAddress(host), semconv.ServerPort(number))
	}
	if n > 1 {
		attrs = append(attrs, semconv.DBOperationBatchSize(n))
	}
	return attrs
}

// finishSpan ends a span. A miss or a condition that does not hold is no error.
func finishSpan(span trace.Span, err error) {
	if err != nil && !errors.Is(err, core.ErrNotFound) && !errors.Is(err, errNotStored) {
		kind := semconv.ErrorType(err)
		if errors.Is(err, core.ErrTimeout) {
			kind = semconv.ErrorTypeKey.String("timeout")
		}
		span.SetAttributes(kind)
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
