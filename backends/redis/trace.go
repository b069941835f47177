package redis

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// scope is the instrumentation scope of the spans.
const scope = "github.com/edgecache/edgecache/backends/redis"

// traced adds spans to the client's commands, for callers whose context carries a recording span and at no cost for
// others. No span contains keys or values.
func traced(client *redis.Client, network, addr string) *redis.Client {
	client.AddHook(newTracer(network, addr))
	return client
}

// tracer is a hook of go-redis that makes a client span for each round trip.
type tracer struct {
	attrs []attribute.KeyValue
}

func newTracer(network, addr string) *tracer {
	t := &tracer{attrs: []attribute.KeyValue{semconv.DBSystemNameRedis}}
	host, port, err := net.SplitHostPort(addr)
	switch {
	case network == "unix":
		t.attrs = append(t.attrs, semconv.ServerAddress(addr))
	case err == nil:
		t.attrs = append(t.attrs, semconv.ServerAddress(host))
		if n, err := strconv.Atoi(port); err == nil {
			t.attrs = append(t.attrs, semconv.ServerPort(n))
		}
	}
	return t
}

// DialHook leaves dialling as it is.
func (t *tracer) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook makes the span of one command.
func (t *tracer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		parent := trace.SpanFromContext(ctx)
		if !parent.IsRecording() {
			return next(ctx, cmd)
		}
		ctx, span := t.start(ctx, parent, strings.ToUpper(cmd.Name()))
		err := next(ctx, cmd)
		finish(span, err)
		return err
	}
}

// ProcessPipelineHook makes the span of many commands in one round trip.
func (t *tracer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		parent := trace.SpanFromContext(ctx)
		if !parent.IsRecording() {
			return next(ctx, cmds)
		}
		ctx, span := t.start(ctx, parent, pipelineName(cmds), semconv.DBOperationBatchSize(len(cmds)))
		err := next(ctx, cmds)
		finish(span, err)
		return err
	}
}

func (t *tracer) start(ctx context.Context, parent trace.Span, op string, more ...attribute.KeyValue) (context.Context, trace.Span) {
	attrs := make([]attribute.KeyValue, 0, len(t.attrs)+len(more)+1)
	attrs = append(append(append(attrs, t.attrs...), semconv.DBOperationName(op)), more...)
	return parent.TracerProvider().Tracer(scope).Start(ctx, op,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
}

// finish ends a span. A miss is no error.
func finish(span trace.Span, err error) {
	if err != nil && !errors.Is(err, redis.Nil) {
		span.SetAttributes(errorType(err))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// errorType names an error: Redis's first word where the server refused, else what went wrong.
func errorType(err error) attribute.KeyValue {
	switch {
	case isReply(err):
		word, _, _ := strings.Cut(err.Error(), " ")
		return semconv.ErrorTypeKey.String(word)
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return semconv.ErrorTypeKey.String("timeout")
	default:
		return semconv.ErrorType(err)
	}
}

// pipelineName is PIPELINE, with the command's name where all are the same.
func pipelineName(cmds []redis.Cmder) string {
	if len(cmds) == 0 {
		return "PIPELINE"
	}
	name := cmds[0].Name()
	for _, cmd := range cmds[1:] {
		if cmd.Name() != name {
			return "PIPELINE"
		}
	}
	return "PIPELINE " + strings.ToUpper(name)
}
