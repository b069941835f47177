package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/edgecache/edgecache/internal/otlptest"
)

// start clears the variables that Start reads, sets env, and starts.
func start(t *testing.T, env map[string]string) (*Telemetry, *bytes.Buffer) {
	t.Helper()
	setEnv(t, env)
	var log bytes.Buffer
	tel, err := Start(t.Context(), Options{Version: "v1", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return tel, &log
}

func setEnv(t *testing.T, env map[string]string) {
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
		"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
	} {
		t.Setenv(name, env[name])
	}
}

func shutdown(t *testing.T, tel *Telemetry) {
	t.Helper()
	if err := tel.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
}

func TestWhatTheVariablesSwitchOn(t *testing.T) {
	const url = "http://127.0.0.1:1"
	for _, tt := range []struct {
		name            string
		env             map[string]string
		traces, metrics bool
		warns           string
	}{
		{"nothing", nil, false, false, ""},
		{"endpoint", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url}, true, true, ""},
		{"traces endpoint", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url}, true, false, ""},
		{"metrics endpoint", map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": url}, false, true, ""},
		{"exporters", map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "prometheus, otlp"}, true, true, ""},
		{
			"endpoint, exporters none",
			map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "prometheus"},
			false, false, "",
		},
		{"unknown exporter", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_EXPORTER": "zipkin"}, false, true, "zipkin"},
		{"grpc", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, true, true, "4318"},
		{"disabled", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SDK_DISABLED": "true"}, false, false, ""},
		{"always off", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_SAMPLER": "always_off"}, false, true, ""},
		{
			"parent based always off",
			map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_SAMPLER": "parentbased_always_off"},
			true, true, "",
		},
		{"unknown sampler", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_SAMPLER": "some"}, true, true, "some"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			e := readEnv(func(name string) string { return tt.env[name] }, slog.New(slog.NewTextHandler(&log, nil)))
			if e.traces != tt.traces || e.metrics != tt.metrics {
				t.Errorf("traces %v, metrics %v, want %v, %v", e.traces, e.metrics, tt.traces, tt.metrics)
			}
			if tt.warns == "" && log.Len() > 0 || !strings.Contains(log.String(), tt.warns) {
				t.Errorf("log %q, want %q in it", log.String(), tt.warns)
			}
		})
	}
}

func TestHeadSamplerKeepsItsShare(t *testing.T) {
	for _, tt := range []struct {
		sampler, arg string
		want         float64
	}{
		{"", "", 1},
		{"always_on", "", 1},
		{"parentbased_always_off", "", 0},
		{"traceidratio", "0.25", 0.25},
		{"parentbased_traceidratio", "0.01", 0.01},
		{"traceidratio", "0", 0},
		{"traceidratio", "1", 1},
		{"traceidratio", "a few", 1},
		{"traceidratio", "1.5", 1},
	} {
		env := map[string]string{"OTEL_TRACES_SAMPLER": tt.sampler, "OTEL_TRACES_SAMPLER_ARG": tt.arg}
		s := readSampler(func(name string) string { return env[name] }, slog.New(slog.DiscardHandler))
		const n = 40_000
		kept := 0
		for range n {
			if s.sample() {
				kept++
			}
		}
		if got := float64(kept) / n; got < tt.want-0.02 || got > tt.want+0.02 || (tt.want == 0 && kept > 0) || (tt.want == 1 && kept < n) {
			t.Errorf("%s(%s) keeps %v, want %v", tt.sampler, tt.arg, got, tt.want)
		}
		if allocs := testing.AllocsPerRun(100, func() { s.sample() }); allocs != 0 {
			t.Errorf("%s(%s) allocates %v times", tt.sampler, tt.arg, allocs)
		}
	}
}

func TestOffIsNil(t *testing.T) {
	tel, _ := start(t, nil)
	defer shutdown(t, tel)
	if tp, sample := tel.TracerProvider(), tel.Sample(); tp != nil || sample != nil {
		t.Errorf("TracerProvider() = %v, Sample() set %v, want neither without variables", tp, sample != nil)
	}
}

func TestChosenSpansArriveWholeWithTheirResource(t *testing.T) {
	rx := otlptest.New(t)
	tel, _ := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": rx.URL(), "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.001",
		"OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "team=a,service.version=v9",
	})
	tracer := tel.TracerProvider().Tracer("test")
	ctx, parent := tracer.Start(t.Context(), "chosen", trace.WithSpanKind(trace.SpanKindServer))
	_, child := tracer.Start(ctx, "child")
	if !child.IsRecording() {
		t.Error("the child of a chosen span is not recorded")
	}
	child.End()
	parent.End()
	elsewhere := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{8: 0xff}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, Remote: true,
	})
	if _, s := tracer.Start(trace.ContextWithSpanContext(t.Context(), elsewhere), "elsewhere"); s.IsRecording() {
		t.Error("a ratio of 0.001 records a trace from elsewhere")
	}
	if _, err := tel.MeterProvider().Meter("test").Int64Counter("edgecache.test"); err != nil {
		t.Fatal(err)
	}
	shutdown(t, tel)

	spans := rx.Spans()
	if got, want := otlptest.Tree(spans), "SERVER chosen\n  INTERNAL child\n"; got != want {
		t.Errorf("spans:\n%swant:\n%s", got, want)
	}
	for key, want := range map[string]string{"service.name": "mine", "service.version": "v9", "team": "a", "telemetry.sdk.language": "go"} {
		if got := spans[0].Resource[key]; got != want {
			t.Errorf("resource %s = %q, want %q", key, got, want)
		}
	}
}

func TestParentBasedGoesWithItsParent(t *testing.T) {
	rx := otlptest.New(t)
	tel, _ := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": rx.URL(), "OTEL_METRICS_EXPORTER": "none"})
	defer shutdown(t, tel)
	for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled} {
		sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true})
		_, s := tel.TracerProvider().Tracer("test").Start(trace.ContextWithSpanContext(t.Context(), sc), "s")
		if s.IsRecording() != flags.IsSampled() {
			t.Errorf("parent sampled %v, span recorded %v", flags.IsSampled(), s.IsRecording())
		}
	}
}

func TestMetricsGoBothWays(t *testing.T) {
	rx := otlptest.New(t)
	tel, _ := start(t, map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": rx.URL() + "/v1/metrics"})
	c, err := tel.MeterProvider().Meter("test").Int64Counter("edgecache.things")
	if err != nil {
		t.Fatal(err)
	}
	c.Add(t.Context(), 3)
	page := scrape(t, tel)
	for _, want := range []string{"edgecache_things_total 3", "go_goroutines", `service_name="edgecache"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	shutdown(t, tel)
	if got := rx.Metrics(); len(got) != 1 || got[0] != "edgecache.things" {
		t.Errorf("metrics received: %q, want edgecache.things", got)
	}
}

// scrape returns the page for Prometheus.
func scrape(t *testing.T, tel *Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	page, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("metrics: status %d, %v", w.Code, err)
	}
	return string(page)
}

func TestAnUnreachableEndpointIsLoggedAndBounded(t *testing.T) {
	tel, log := start(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"})
	_, s := tel.TracerProvider().Tracer("test").Start(t.Context(), "s")
	s.End()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := tel.Shutdown(ctx); err == nil && log.Len() == 0 {
		t.Error("a span was lost without an error or a log line")
	}
}
