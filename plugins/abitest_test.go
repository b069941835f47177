package plugins_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/hostabi/abitest"
	"github.com/edgecache/edgecache/plugins"
)

// TestABI runs the conformance kit on the guests in all languages, and on one that needs nothing which must be granted.
func TestABI(t *testing.T) {
	host := abiHost{cacheDir: t.TempDir()}
	for _, language := range abitest.Languages() {
		t.Run(language, func(t *testing.T) { abitest.Run(t, host, abitest.Build(t, "conformance", language)) })
	}
	t.Run("basic", func(t *testing.T) { abitest.Run(t, host, abitest.Build(t, "basic", "c")) })
}

// abiHost is this package as the kit sees it. A host for each plugin, so that the tests do not meet.
type abiHost struct {
	cacheDir string // of compiled code
}

func (h abiHost) Load(t *testing.T, p abitest.Plugin) (abitest.Guest, error) {
	g := &abiGuest{t: t, spans: tracetest.NewSpanRecorder()}
	host, err := plugins.NewHost(t.Context(), plugins.HostOptions{CacheDir: h.cacheDir, Logger: slog.New(&g.log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	g.plugin, err = host.Load(t.Context(), plugins.Source{
		Wasm: p.Wasm, Manifest: p.Manifest, Config: []byte(p.Config), Grants: plugins.Grants{Needs: p.Grants},
	})
	if err != nil {
		return nil, err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(g.spans))
	g.tracer = provider.Tracer("test")
	g.cache = newABICache(t, g.plugin, provider)
	return g, nil
}

func newABICache(t *testing.T, p *plugins.Plugin, provider trace.TracerProvider) *core.Cache {
	t.Helper()
	tier, err := memory.New(memory.Options{MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	o := core.Options{
		Tiers: []core.Tier{{Name: "memory", Backend: tier}}, Hooks: []core.Hook{witness{}}, TracerProvider: provider,
	}
	if h := p.Hook(); h != nil {
		o.Hooks = []core.Hook{h, witness{}}
	}
	if ob := p.Observer(); ob != nil {
		o.Observers = []core.Observer{ob}
	}
	cache, err := core.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	})
	return cache
}

// abiGuest is a plugin in front of a cache.
type abiGuest struct {
	t      *testing.T
	plugin *plugins.Plugin
	cache  *core.Cache
	log    guestLog
	tracer trace.Tracer
	spans  *tracetest.SpanRecorder
}

var (
	_ abitest.Guest        = (*abiGuest)(nil)
	_ abitest.LogReader    = (*abiGuest)(nil)
	_ abitest.MetricReader = (*abiGuest)(nil)
	_ abitest.SpanReader   = (*abiGuest)(nil)
)

func (g *abiGuest) Do(c abitest.Command) abitest.Result {
	op := core.Op(c.Op)
	cmd := core.Command{Op: op, Key: c.Keys[0], TTL: ttlOf(c.TTL)}
	if op.Many() {
		cmd.Key, cmd.Keys = "", slices.Clone(c.Keys)
	}
	if op == core.OpSetMany {
		cmd.Values = make([][]byte, len(c.Keys))
	}
	for i := range c.Keys {
		if v := cmd.ValueAt(i); v != nil {
			*v = []byte(c.Value)
		}
	}
	sent := make([]*abitest.Sent, len(c.Keys))
	var res core.Result
	cache := g.cache
	if c.Namespace != "" {
		cache = cache.Namespace(strings.Split(c.Namespace, "/")...)
	}
	ctx, span := g.tracer.Start(g.t.Context(), "test")
	defer span.End()
	err := cache.Do(withSent(ctx, sent), &cmd, &res)
	result := make(abitest.Result, len(c.Keys))
	for i := range result {
		result[i] = item(&cmd, &res, i, err)
		result[i].Sent = sent[i]
	}
	return result
}

// item turns what came of a key into the kit's words.
func item(cmd *core.Command, res *core.Result, i int, err error) abitest.Item {
	if cmd.Op.Many() && res.Items[i].Outcome != core.OutcomeNone {
		err = res.Items[i].Err // the command's speaks of the first that failed
	}
	switch {
	case errors.Is(err, core.ErrRejected):
		return abitest.Item{Outcome: hostabi.OutcomeDenied, Err: err.Error()}
	case errors.Is(err, core.ErrPlugin), errors.Is(err, core.ErrBadKey):
		return abitest.Item{Outcome: hostabi.OutcomeError, Err: err.Error()}
	}
	at := res.At(cmd, i)
	it := abitest.Item{Outcome: uint8(at.Outcome)}
	if at.Entry != nil && at.Outcome == core.OutcomeHit {
		it.Value = string(at.Entry.Value)
	}
	return it
}

// ttlOf and millis turn times to live between the kit's numbers and the cache's.
func ttlOf(ms int64) time.Duration {
	switch ms {
	case hostabi.TTLNone:
		return core.NoExpiry
	case hostabi.TTLKeep:
		return core.KeepTTL
	default:
		return time.Duration(ms) * time.Millisecond
	}
}

func millis(ttl time.Duration) int64 {
	switch ttl {
	case core.NoExpiry:
		return hostabi.TTLNone
	case core.KeepTTL:
		return hostabi.TTLKeep
	default:
		return ttl.Milliseconds()
	}
}

// witness is a hook behind the plugin that notes what goes to the tier.
type witness struct{}

type sentKey struct{}

func withSent(ctx context.Context, sent []*abitest.Sent) context.Context {
	return context.WithValue(ctx, sentKey{}, sent)
}

func (witness) Spec() core.HookSpec { return core.HookSpec{Name: "witness", Before: core.AllOps} }

func (witness) Before(ctx context.Context, cmd *core.Command, res *core.Result) error {
	sent, _ := ctx.Value(sentKey{}).([]*abitest.Sent)
	for i := range sent {
		if cmd.Op.Many() && res.Items[i].Outcome != core.OutcomeNone {
			continue
		}
		sent[i] = &abitest.Sent{Namespace: cmd.Namespace.Path(), Key: string([]byte(*cmd.KeyAt(i))), TTL: millis(cmd.TTL)}
		if v := cmd.ValueAt(i); v != nil {
			sent[i].Value = string(*v)
		}
	}
	return nil
}

func (witness) After(context.Context, *core.Command, *core.Result) error { return nil }

func (g *abiGuest) Report() ([]abitest.Row, error) {
	g.cache.Flush()
	report, err := g.plugin.Report()
	rows := make([]abitest.Row, len(report.Rows))
	for i, r := range report.Rows {
		rows[i] = abitest.Row{Op: uint8(r.Op), Namespace: r.Namespace, Columns: make(map[string]abitest.Column)}
		for _, f := range r.Figures {
			rows[i].Columns[f.Name] = abitest.Column{Count: f.Count, Ratio: f.Ratio, Buckets: f.Buckets}
		}
	}
	return rows, err
}

func (g *abiGuest) Log() []abitest.Line { return g.log.take() }

func (g *abiGuest) Metrics() map[string]abitest.Metric {
	report, err := g.plugin.Report()
	if err != nil {
		g.t.Error(err)
	}
	kinds := map[string]int{
		"counter": hostabi.MetricCounter, "gauge": hostabi.MetricGauge, "histogram": hostabi.MetricHistogram,
	}
	metrics := make(map[string]abitest.Metric)
	for _, m := range report.Metrics {
		metrics[m.Name] = abitest.Metric{Kind: kinds[m.Kind], Value: m.Value, Count: m.Count, Sum: m.Sum}
	}
	return metrics
}

// SpanAttributes looks at the last command's span, which ended before the one around it.
func (g *abiGuest) SpanAttributes() map[string]string {
	ended := g.spans.Ended()
	found := make(map[string]string)
	for _, a := range ended[len(ended)-2].Attributes() {
		if key, ok := strings.CutPrefix(string(a.Key), "edgecache.plugin."+g.plugin.Name()+"."); ok {
			found[key] = a.Value.AsString()
		}
	}
	return found
}

// guestLog is a handler of logs that keeps the lines of guests.
type guestLog struct {
	mu    sync.Mutex
	lines []abitest.Line // guarded by mu
}

func (l *guestLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (l *guestLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "text" {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.lines = append(l.lines, abitest.Line{Level: int(r.Level-slog.LevelDebug) / 4, Text: a.Value.String()})
		}
		return true
	})
	return nil
}

func (l *guestLog) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l *guestLog) WithGroup(string) slog.Handler { return l }

func (l *guestLog) take() []abitest.Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}
