package telemetry

import (
	"fmt"
	"strings"
)

// Metric describes one metric of the program. The code that feeds it stands elsewhere; tests hold the two together.
type Metric struct {
	Name   string
	Kind   Kind
	Unit   string
	Labels []string
	Help   string
}

// Kind says how a metric's figures are to be read.
type Kind string

// The kinds of metrics.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Catalog returns every metric of the program, in the order of docs/METRICS.md.
func Catalog() []Metric {
	tier, plugin, named, to := []string{"tier"}, []string{"plugin"}, []string{"plugin", "name"}, []string{"to"}
	shadow, result := []string{"policy", "size"}, []string{"result"}
	return []Metric{
		{"edgecache.commands", Counter, "{command}", []string{"op", "outcome"}, "Commands by operation and outcome."},
		{"edgecache.load.collapsed", Counter, "{command}", nil, "Reads that joined another's load of the same key."},
		{"edgecache.tier.lookups", Counter, "{key}", []string{"tier", "result"}, "Keys looked up in a tier, by result."},
		{"edgecache.tier.failures", Counter, "{call}", tier, "Calls that a remote tier did not answer."},
		{"edgecache.tier.duration", Histogram, "s", []string{"tier", "op"}, "How long calls to remote tiers take."},
		{"edgecache.tier.entries", Gauge, "{entry}", tier, "Entries that a local tier holds."},
		{"edgecache.tier.size", Gauge, "By", tier, "Bytes that a local tier holds."},
		{"edgecache.tier.evictions", Counter, "{entry}", tier, "Entries that the tier's policy threw out."},
		{"edgecache.tier.policy", Gauge, "1", []string{"tier", "policy", "failed"}, "1 for the eviction policy that a local tier works with, and whether another one failed before."},
		{"edgecache.tier.decode_errors", Counter, "{entry}", tier, "Damaged entries that were read as misses."},
		{"edgecache.http.requests", Counter, "{request}", result, "Requests to the HTTP cache, by where the answer came from."},
		{"edgecache.http.fast", Counter, "{request}", result, "HTTP/1 requests with --fast-h1, by whether they were answered before net/http."},
		{"edgecache.http.notmodified", Counter, "{request}", nil, "Requests answered with 304 by the HTTP cache."},
		{"edgecache.http.fetches", Counter, "{request}", result, "Requests to origins, by whether they brought a response."},
		{"edgecache.http.collapsed", Counter, "{request}", nil, "Requests that another's fetch served."},
		{"edgecache.http.refreshes", Counter, "{request}", nil, "Fetches in the background."},
		{"edgecache.http.responses", Counter, "{response}", result, "Responses that were to be stored, by what came of it."},
		{"edgecache.http.invalidated", Counter, "{key}", nil, "Keys made void by unsafe methods."},
		{"edgecache.http.filling", Gauge, "{response}", nil, "Responses that are being stored."},
		{"edgecache.http.waiting", Gauge, "{request}", nil, "Requests that wait for another's header."},
		{"edgecache.plugin.calls", Counter, "{call}", plugin, "Calls of a guest."},
		{"edgecache.plugin.time", Counter, "s", plugin, "Time spent in a guest, estimated from a sample of the calls."},
		{"edgecache.plugin.failures", Counter, "{call}", []string{"plugin", "kind"}, "Calls of a guest that failed, by the kind of failure."},
		{"edgecache.plugin.skipped", Counter, "{call}", plugin, "Calls that were not made because the plugin's breaker was open."},
		{"edgecache.plugin.refused", Counter, "{key}", plugin, "Keys that were too long for the guest."},
		{"edgecache.plugin.lost", Counter, "{event}", plugin, "Events that an observer did not see."},
		{"edgecache.plugin.swaps", Counter, "{version}", plugin, "Versions that took the place of another."},
		{"edgecache.plugin.rollbacks", Counter, "{version}", plugin, "Versions that were taken back."},
		{"edgecache.plugin.fuel", Counter, "{unit}", plugin, "Fuel that a guest has burnt, about an instruction a unit."},
		{"edgecache.plugin.breaker", Gauge, "{state}", plugin, "State of a plugin's breaker: 0 closed, 1 half-open, 2 open."},
		{"edgecache.plugin.instances", Gauge, "{instance}", plugin, "Instances of a guest."},
		{"edgecache.plugin.memory", Gauge, "By", plugin, "Memory of a guest's instances."},
		{"edgecache.plugin.kv.entries", Gauge, "{entry}", plugin, "Entries that a plugin keeps with capability kv."},
		{"edgecache.plugin.kv.size", Gauge, "By", plugin, "Bytes that they count towards the plugin's share."},
		{"edgecache.plugin.counter", Counter, "1", named, "A counter that a guest defined."},
		{"edgecache.plugin.gauge", Gauge, "1", named, "A gauge that a guest defined."},
		{"edgecache.plugin.histogram.count", Counter, "1", named, "Values that a guest recorded in a histogram it defined."},
		{"edgecache.plugin.histogram.sum", Counter, "1", named, "The sum of these values."},
		{"edgecache.shadow.ready", Gauge, "1", nil, "1 once the figures of shadow caches are of enough traffic, else 0."},
		{"edgecache.shadow.miss_ratio", Gauge, "1", shadow, "Share of reads that a policy would miss at a size, which is a multiple of the memory tier's."},
		{"edgecache.shadow.byte_miss_ratio", Gauge, "1", shadow, "Share of the bytes read that it would miss."},
		{"edgecache.shadow.objects", Gauge, "{object}", nil, "Objects that shadow caches look at."},
		{"edgecache.shadow.lost", Counter, "{event}", nil, "Sampled events that were not looked at, since there were too many at once."},
		{"edgecache.advise.gain", Gauge, "1", shadow, "How much less, of all reads, is missed with what is advised; 0 for what there is."},
		{"edgecache.advise.gain_band", Gauge, "1", shadow, "How far that may be off, by about two standard errors."},
		{"edgecache.resp.connections", Gauge, "{connection}", nil, "Open connections of Redis clients."},
		{"edgecache.resp.accepted", Counter, "{connection}", nil, "Connections that Redis clients made."},
		{"edgecache.resp.refused", Counter, "{connection}", nil, "Connections that were sent away: too many, or not allowed in."},
		{"edgecache.resp.commands", Counter, "{command}", nil, "Commands that Redis clients sent, unknown ones included."},
		{"edgecache.resp.protocol_errors", Counter, "{connection}", nil, "Connections closed because what came was no command."},
		{"edgecache.resp.killed", Counter, "{connection}", nil, "Connections closed for exceeding a limit or a timeout."},
		{"edgecache.capture.records", Counter, "{request}", to, "Requests that were captured."},
		{"edgecache.capture.size", Counter, "By", to, "Bytes of captures that were written."},
		{"edgecache.capture.dropped", Counter, "{event}", to, "Events that came faster than a capture could be written."},
		{"edgecache.capture.errors", Counter, "{capture}", to, "Captures that ended because they could not be written."},
		{"edgecache.capture.state", Gauge, "{state}", to, "State of the capture: 0 none, 1 running, 2 complete, 3 failed."},
	}
}

// PrometheusName is the metric's name on the page for Prometheus. A histogram's series have suffixes beside it.
func (m Metric) PrometheusName() string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	switch m.Unit {
	case "s":
		name += "_seconds"
	case "By":
		name += "_bytes"
	}
	if m.Kind == Counter {
		name += "_total"
	}
	return name
}

// Span describes the spans of one kind.
type Span struct {
	Name       string // with the variable part in braces
	Kind       string
	Attributes []string
	Help       string
}

// Spans returns every kind of span of the program, from the outside in.
func Spans() []Span {
	db := []string{"db.system.name", "db.operation.name", "db.operation.batch.size", "server.address", "server.port", "error.type"}
	return []Span{
		{"{COMMAND}", "SERVER", []string{"edgecache.frontend", "edgecache.client"}, "A command as a Redis client sent it."},
		{
			"command {op}", "INTERNAL",
			[]string{"edgecache.op", "edgecache.namespace", "edgecache.keys", "edgecache.outcome", "edgecache.tier", "error.type"},
			"A command on its way through the cache. Plugins add attributes `edgecache.plugin.NAME.KEY`.",
		},
		{"plugin before {plugin}", "INTERNAL", []string{"error.type"}, "A hook ahead of the tiers."},
		{"tier {tier}", "INTERNAL", []string{"edgecache.tier", "edgecache.op", "edgecache.outcome", "error.type"}, "A call to a remote tier, waiting included."},
		{"{OPERATION}", "CLIENT", db, "A round trip to the tier's store."},
		{"plugin after {plugin}", "INTERNAL", []string{"error.type"}, "A hook behind the tiers."},
	}
}

// Document returns docs/METRICS.md.
func Document() string {
	var b strings.Builder
	b.WriteString(documentHead)
	b.WriteString("## Metrics\n\n| metric | on /metrics | kind | unit | labels | what it counts |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, m := range Catalog() {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s | %s |\n", m.Name, m.PrometheusName(), m.Kind, m.Unit, code(m.Labels), m.Help)
	}
	b.WriteString(spansHead)
	b.WriteString("| span | kind | attributes | what it is |\n| --- | --- | --- | --- |\n")
	for _, s := range Spans() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, s.Kind, code(s.Attributes), s.Help)
	}
	return b.String()
}

func code(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "`" + strings.Join(words, "`, `") + "`"
}

const documentHead = "# Metrics and traces\n\n" +
	"This file is generated from `internal/telemetry/catalog.go` by `make docs`.\n\n" +
	"`/metrics` on the admin address is always there for Prometheus, the Go runtime's and the process's own figures\n" +
	"included. Nothing leaves the process by itself unless a standard OpenTelemetry variable asks for it:\n\n" +
	"| variable | effect |\n| --- | --- |\n" +
	"| `OTEL_EXPORTER_OTLP_ENDPOINT` | traces and metrics go there by HTTP, such as `http://127.0.0.1:4318` |\n" +
	"| `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` | the whole URL for one signal alone |\n" +
	"| `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` | `otlp` or `none` for one signal |\n" +
	"| `OTEL_SDK_DISABLED` | `true` sends nothing, whatever else is set |\n" +
	"| `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | `always_on`, `always_off` or `traceidratio` with its share, also with `parentbased_` in front |\n" +
	"| `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | how the process is called |\n" +
	"| `OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`, `OTEL_METRIC_EXPORT_*` | headers, timeouts, compression, certificates, intervals and sizes of batches |\n\n" +
	"Labels have few values: the names of tiers, operations, outcomes, plugins and the metrics that guests define (64 each at\n" +
	"most), never a key.\n\n"

const spansHead = "\n## Spans\n\n" +
	"The sampler decides for each command of a client, at a cost of nanoseconds, whether a trace begins. A hit in the nearest\n" +
	"tier has no span of its own: the command's says which tier answered, counted from 1. A miss is no error.\n\n"
