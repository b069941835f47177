package telemetry

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// environment is what the OTEL_* variables ask for, beside what the exporters read themselves.
type environment struct {
	traces, metrics bool // over OTLP
	sampler         headSampler
}

func readEnv(get func(string) string, logger *slog.Logger) environment {
	e := environment{sampler: readSampler(get, logger)}
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") {
		return e
	}
	e.traces = exports(get, "TRACES", logger) && (e.sampler.root != never || e.sampler.parents)
	e.metrics = exports(get, "METRICS", logger)
	if (e.traces || e.metrics) && strings.EqualFold(get("OTEL_EXPORTER_OTLP_PROTOCOL"), "grpc") {
		aside(logger, "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf is spoken, usually to port 4318")
	}
	return e
}

// exports reports whether a signal is to be sent: because its exporter is asked for, or an endpoint is given and the
// exporter is not ruled out.
func exports(get func(string) string, signal string, logger *slog.Logger) bool {
	asked := false
	name := "OTEL_" + signal + "_EXPORTER"
	for exporter := range strings.SplitSeq(get(name), ",") {
		switch exporter = strings.TrimSpace(exporter); exporter {
		case "otlp":
			return true
		case "":
		case "none", "prometheus": // metrics are always there for Prometheus
			asked = true
		default:
			asked = true
			aside(logger, name, exporter, "otlp and none are known")
		}
	}
	return !asked && (get("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || get("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != "")
}

func aside(logger *slog.Logger, name, value, why string) {
	logger.LogAttrs(context.Background(), slog.LevelWarn, "variable left aside",
		slog.String("name", name), slog.String("value", value), slog.String("reason", why))
}

// The thresholds of headSampler.root that are no share.
const (
	never  = 0
	always = math.MaxUint64
)

// headSampler is OTEL_TRACES_SAMPLER: whether a trace begins here, and whether a trace that came from elsewhere goes on.
type headSampler struct {
	root    uint64  // a random number below it begins a trace
	share   float64 // the same as a share of 1
	parents bool    // parentbased_*: a trace from elsewhere goes on as its parent says
}

func readSampler(get func(string) string, logger *slog.Logger) headSampler {
	name := get("OTEL_TRACES_SAMPLER")
	base, parents := strings.CutPrefix(name, "parentbased_")
	switch base {
	case "always_on":
		return headSampler{root: always, share: 1, parents: parents}
	case "always_off":
		return headSampler{root: never, parents: parents}
	case "traceidratio":
		return ratioSampler(get("OTEL_TRACES_SAMPLER_ARG"), parents, logger)
	case "":
	default:
		aside(logger, "OTEL_TRACES_SAMPLER", name, "always_on, always_off and traceidratio are known, also with parentbased_ in front")
	}
	return headSampler{root: always, share: 1, parents: true}
}

func ratioSampler(arg string, parents bool, logger *slog.Logger) headSampler {
	share := 1.0
	if arg != "" {
		given, err := strconv.ParseFloat(arg, 64)
		if err == nil && given >= 0 && given <= 1 {
			share = given
		} else {
			aside(logger, "OTEL_TRACES_SAMPLER_ARG", arg, "a number from 0 to 1 is wanted")
		}
	}
	s := headSampler{root: always, share: share, parents: parents}
	if share < 1 {
		s.root = uint64(share * (1 << 63) * 2)
	}
	return s
}

// sample decides whether a trace begins.
func (s headSampler) sample() bool {
	switch s.root {
	case never:
		return false
	case always:
		return true
	default:
		return rand.Uint64() < s.root
	}
}

// follow returns the SDK's sampler. A span without a parent was chosen by sample, so it stays; one within this process
// goes with its parent; one whose parent is elsewhere goes with it, or by the share of trace ids, as the variable says.
func (s headSampler) follow() sdktrace.Sampler {
	if s.parents {
		return sdktrace.ParentBased(sdktrace.AlwaysSample())
	}
	elsewhere := sdktrace.TraceIDRatioBased(s.share)
	return sdktrace.ParentBased(sdktrace.AlwaysSample(),
		sdktrace.WithRemoteParentSampled(elsewhere), sdktrace.WithRemoteParentNotSampled(elsewhere))
}
