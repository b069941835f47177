// Package telemetry sends spans and metrics out of the process: over OTLP as the standard OTEL_* variables say, and as a
// page for Prometheus. Nothing is sent unless a variable asks for it.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	promexport "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options configures Start.
type Options struct {
	// Version is the program's, as service.version.
	Version string
	// Logger receives exporters' troubles. nil discards them.
	Logger *slog.Logger
}

// Telemetry is what Start began. It is safe for concurrent use.
type Telemetry struct {
	traces   *sdktrace.TracerProvider // nil: off
	metrics  *sdkmetric.MeterProvider
	registry *prometheus.Registry
	sampler  headSampler
	ended    atomic.Bool
}

// Start reads the OTEL_* variables and begins to export what they ask for. A value that it doesn't know is logged and
// left aside, as the specification has it; an endpoint that doesn't answer is retried in the background and logged.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	env := readEnv(os.Getenv, logger)
	about, err := describe(ctx, o.Version)
	if err != nil {
		return nil, fmt.Errorf("telemetry: resource: %w", err)
	}
	t := &Telemetry{registry: prometheus.NewRegistry(), sampler: env.sampler}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if env.traces || env.metrics {
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
			logger.LogAttrs(context.Background(), slog.LevelWarn, "telemetry was not sent", slog.String("error", err.Error()))
		}))
	}
	if err := t.startMetrics(ctx, about, env.metrics); err != nil {
		return nil, fmt.Errorf("telemetry: metrics: %w", err)
	}
	if !env.traces {
		return t, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("telemetry: traces: %w", err), t.Shutdown(ctx))
	}
	t.traces = sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(env.sampler.follow()))
	return t, nil
}

// describe returns the attributes of this process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over ours.
func describe(ctx context.Context, version string) (*resource.Resource, error) {
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "edgecache"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if errors.Is(err, resource.ErrPartialResource) { // what could be read is good enough
		err = nil
	}
	return about, err
}

func (t *Telemetry) startMetrics(ctx context.Context, about *resource.Resource, export bool) error {
	page, err := promexport.New(promexport.WithRegisterer(t.registry), promexport.WithoutScopeInfo())
	if err != nil {
		return err
	}
	options := []sdkmetric.Option{sdkmetric.WithResource(about), sdkmetric.WithReader(page)}
	if export {
		exporter, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return err
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	t.metrics = sdkmetric.NewMeterProvider(options...)
	return nil
}

// TracerProvider makes spans, or is nil where nothing asks for traces.
func (t *Telemetry) TracerProvider() trace.TracerProvider {
	if t.traces == nil {
		return nil
	}
	return t.traces
}

// MeterProvider receives instruments.
func (t *Telemetry) MeterProvider() metric.MeterProvider { return t.metrics }

// Sample returns the head sampler: it decides, for a command that no trace of the client's goes round, whether a trace
// begins. It costs a few nanoseconds and allocates nothing. It is nil where nothing asks for traces.
func (t *Telemetry) Sample() func() bool {
	if t.traces == nil {
		return nil
	}
	return t.sampler.sample
}

// Handler serves the metrics to Prometheus.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}

// Shutdown sends what has not been sent, for as long as ctx allows, and ends all exporting. It is idempotent.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t.ended.Swap(true) {
		return nil
	}
	var errs []error
	if t.traces != nil {
		errs = append(errs, t.traces.Shutdown(ctx))
	}
	if err := errors.Join(append(errs, t.metrics.Shutdown(ctx))...); err != nil {
		return fmt.Errorf("telemetry: last export: %w", err)
	}
	return nil
}
