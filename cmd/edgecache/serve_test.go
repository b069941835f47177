package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/internal/faultproxy"
	"github.com/edgecache/edgecache/internal/otlptest"
	"github.com/edgecache/edgecache/internal/telemetry"
	"github.com/edgecache/edgecache/internal/testserver"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// rules is a configuration of keyrewrite that changes keys visibly.
func rules(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(path, []byte(`{"rules":[{"lowercase":true},{"prefix":"v1:"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestABuiltInPluginTakesItsConfiguration(t *testing.T) {
	p := start(t, nil, "--plugin", "keyrewrite="+rules(t))
	c := p.client(t)
	if err := c.Set(t.Context(), "ABC", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "abc").Result(); err != nil || got != "1" {
		t.Errorf("Get(abc) = %q, %v, want what was set at ABC", got, err)
	}
	if keys, err := c.Keys(t.Context(), "*").Result(); err != nil || !slices.Equal(keys, []string{"v1:abc"}) {
		t.Errorf("keys = %q, %v, want v1:abc", keys, err)
	}
}

func TestAPluginFromAFile(t *testing.T) {
	wasm, manifest, _ := examples.Lookup("hitratio")
	path := filepath.Join(t.TempDir(), "mine.wasm")
	manifest = []byte(strings.Replace(string(manifest), `"hitratio"`, `"mine"`, 1))
	if err := errors.Join(os.WriteFile(path, wasm, 0o600), os.WriteFile(path+".json", manifest, 0o600)); err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, "--plugin", path)
	if err := p.client(t).Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	s := p.stats(t)
	for _, name := range []string{"mine", "hitratio"} {
		var report struct{ Total int }
		if err := json.Unmarshal(s.Plugins[name], &report); err != nil || report.Total != 1 {
			t.Errorf("%s reports %s: want total 1 (%v)", name, s.Plugins[name], err)
		}
	}
}

// TestPolicy fills a memory tier, and looks for the policy's name wherever it is told.
func TestPolicy(t *testing.T) {
	p := start(t, nil, "--policy", "sieve", "--max-memory", "1MiB")
	c := p.client(t)
	for i := range 100 {
		if err := c.Set(t.Context(), "k"+strconv.Itoa(i), strings.Repeat("v", 50_000), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "about 20 keys of 50 kB in 1 MiB", func() bool {
		n, err := c.DBSize(t.Context()).Result()
		return err == nil && n >= 10 && n <= 20
	})
	info, err := c.Info(t.Context(), "memory").Result()
	if err != nil || !strings.Contains(info, "eviction_policy:sieve\r\n") || !strings.Contains(info, "maxmemory_policy:allkeys-lru\r\n") {
		t.Errorf("INFO says %q, %v", info, err)
	}
	if _, page := p.get(t, "/metrics"); !strings.Contains(page, `edgecache_tier_policy{failed="false",policy="sieve",tier="memory"} 1`) {
		t.Errorf("the page lacks the policy:\n%s", page)
	}
	if table := edgecache(t, p.env(), "", "stats"); !strings.Contains(table.out, "sieve") {
		t.Errorf("the table lacks the policy:\n%s", table.out)
	}
}

// TestGuestPolicy has a module evict, without any plugins beside it.
func TestGuestPolicy(t *testing.T) {
	path := filepath.Join("..", "..", "plugins", "testdata", "policy", "lru.wasm")
	wasm, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "mine.wasm")
	manifest := []byte(`{"name": "mine", "version": "1", "abi": "policy/1", "needs": ["log"]}`)
	if err := errors.Join(os.WriteFile(path, wasm, 0o600), os.WriteFile(path+".json", manifest, 0o600)); err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, "--policy", path, "--max-memory", "1MiB", "--no-plugins")
	c := p.client(t)
	for i := range 100 {
		_ = c.Get(t.Context(), "k0").Err()
		if err := c.Set(t.Context(), "k"+strconv.Itoa(i), strings.Repeat("v", 50_000), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.DBSize(t.Context()).Result(); err != nil || n < 10 || n > 22 {
		t.Errorf("%d keys of 50 kB are in 1 MiB: %v", n, err)
	}
	if _, page := p.get(t, "/metrics"); !strings.Contains(page, `edgecache_tier_policy{failed="false",policy="mine",tier="memory"} 1`) {
		t.Errorf("the page lacks the policy:\n%s", page)
	}
}

func TestNoPlugins(t *testing.T) {
	p := start(t, map[string]string{"EDGECACHE_NO_PLUGINS": "1"})
	if s := p.stats(t); len(s.Plugins) != 0 || strings.Contains(p.logged(), "plugin loaded") {
		t.Errorf("plugins = %v, want none; log:\n%s", s.Plugins, p.logged())
	}
}

func TestAnUnusableCacheFolderOnlyCostsTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, map[string]string{"XDG_CACHE_HOME": file})
	if log := p.logged(); !strings.Contains(log, "compiled plugins are not kept") {
		t.Errorf("no warning in the log:\n%s", log)
	}
}

func TestRedisBehindMemory(t *testing.T) {
	server := testserver.Redis(t)
	p := start(t, map[string]string{"EDGECACHE_REDIS": server.URL()}, "--l1-ttl", "1h")
	near, far := p.client(t), client(t, &redis.Options{Addr: server.Addr()})
	ctx := t.Context()
	if err := near.Set(ctx, "k", "v", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := far.Get(ctx, "k").Result(); err != nil || got != "v" {
		t.Errorf("Redis has %q, %v, want the plain value", got, err)
	}
	if ttl := far.TTL(ctx, "k").Val(); ttl < 59*time.Minute || ttl > time.Hour {
		t.Errorf("Redis's time to live is %v, want an hour", ttl)
	}
	if status, body := p.get(t, "/readyz"); status != 200 || !strings.Contains(body, `"ready"`) {
		t.Errorf("readyz = %d %s", status, body)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if status, body := p.get(t, "/readyz"); status != 200 || !strings.Contains(body, `"degraded"`) || !strings.Contains(body, `"redis"`) {
		t.Errorf("readyz without Redis = %d %s, want degraded", status, body)
	}
	if got, err := near.Get(ctx, "k").Result(); err != nil || got != "v" {
		t.Errorf("Get without Redis = %q, %v, want the near copy", got, err)
	}
	if tiers := p.stats(t).Tiers; len(tiers) != 2 || tiers[0].Name != "memory" || tiers[1].Name != "redis" || tiers[1].Breaker == "" {
		t.Errorf("tiers = %+v", tiers)
	}
}

func TestEnvelopeInRedis(t *testing.T) {
	server := testserver.Redis(t)
	p := start(t, nil, "--redis", server.URL(), "--values", "envelope")
	if err := p.client(t).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := client(t, &redis.Options{Addr: server.Addr()}).Get(t.Context(), "k").Val(); got == "v" || !strings.HasSuffix(got, "v") {
		t.Errorf("Redis has %q, want the value in its envelope", got)
	}
	if got := p.client(t).Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("Get = %q", got)
	}
}

func TestMemcachedBehindMemory(t *testing.T) {
	server := testserver.Memcached(t)
	p := start(t, nil, "--memcached", server.Addr())
	if err := p.client(t).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("get k\r\n")); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(conn)
	lines.Scan()
	lines.Scan()
	if got := lines.Text(); got != "v" {
		t.Errorf("memcached has %q, want the plain value", got)
	}
}

// TestSpansOfOneGet follows a GET from the client through a WebAssembly hook and an empty memory tier to Redis and back.
func TestSpansOfOneGet(t *testing.T) {
	server, rx := testserver.Redis(t), otlptest.New(t)
	if err := client(t, &redis.Options{Addr: server.Addr()}).Set(t.Context(), "v1:abc", "42", 0).Err(); err != nil {
		t.Fatal(err)
	}
	p := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": rx.URL(), "OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_SERVICE_NAME": "under-test",
	}, "--redis", server.URL(), "--plugin", "keyrewrite="+rules(t))
	c := client(t, &redis.Options{Addr: p.resp, Protocol: 2, DisableIdentity: true})
	if err := c.Get(t.Context(), "absent").Err(); !errors.Is(err, redis.Nil) { // connects to Redis
		t.Fatal(err)
	}
	for range 2 {
		if got, err := c.Get(t.Context(), "ABC").Result(); err != nil || got != "42" {
			t.Fatalf("Get(ABC) = %q, %v", got, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	gets := func(spans []otlptest.Span) (roots []otlptest.Span) {
		for _, s := range spans {
			if s.Kind == "SERVER" && s.Name == "GET" {
				roots = append(roots, s)
			}
		}
		return roots
	}
	spans, err := rx.Wait(ctx, func(spans []otlptest.Span) bool { return len(gets(spans)) == 3 })
	if err != nil {
		t.Fatalf("%v; spans:\n%s", err, otlptest.Tree(spans))
	}
	roots := gets(spans)
	missed := inTrace(spans, roots[1].Trace)
	// The value and its time to live are asked for in one round trip.
	want := `SERVER GET
  INTERNAL command get
    INTERNAL plugin before keyrewrite
    INTERNAL tier redis
      CLIENT PIPELINE
`
	if got := otlptest.Tree(missed); got != want {
		t.Errorf("spans of a GET that memory misses and Redis answers:\n%swant:\n%s", got, want)
	}
	near := "SERVER GET\n  INTERNAL command get\n    INTERNAL plugin before keyrewrite\n"
	if got := otlptest.Tree(inTrace(spans, roots[2].Trace)); got != near {
		t.Errorf("spans of a GET that memory answers:\n%swant:\n%s", got, near)
	}
	for span, attributes := range map[string]map[string]string{
		"GET":                      {"edgecache.frontend": "resp"},
		"command get":              {"edgecache.op": "get", "edgecache.outcome": "hit", "edgecache.tier": "2"},
		"tier redis":               {"edgecache.tier": "redis", "edgecache.op": "get"},
		"PIPELINE":                 {"db.system.name": "redis", "server.address": "127.0.0.1", "db.operation.batch.size": "2"},
		"plugin before keyrewrite": {},
	} {
		i := slices.IndexFunc(missed, func(s otlptest.Span) bool { return s.Name == span })
		if i < 0 {
			t.Errorf("no span %s", span)
			continue
		}
		for name, value := range attributes {
			if got := missed[i].Attributes[name]; got != value {
				t.Errorf("span %s: %s = %q, want %q", span, name, got, value)
			}
		}
	}
	checkSpans(t, spans)
}

func inTrace(spans []otlptest.Span, trace string) (in []otlptest.Span) {
	for _, s := range spans {
		if s.Trace == trace {
			in = append(in, s)
		}
	}
	return in
}

// checkSpans compares spans with the catalogue, and looks for keys and values where none may be.
func checkSpans(t *testing.T, spans []otlptest.Span) {
	t.Helper()
	known := make(map[string]bool)
	for _, s := range telemetry.Spans() {
		for _, a := range s.Attributes {
			known[s.Kind+" "+a] = true
		}
	}
	for _, s := range spans {
		if got := s.Resource["service.name"]; got != "under-test" {
			t.Errorf("span %s: service.name = %q", s.Name, got)
		}
		if s.Error != "" {
			t.Errorf("span %s has the error %q", s.Name, s.Error)
		}
		for name, value := range s.Attributes {
			if !known[s.Kind+" "+name] {
				t.Errorf("span %s: attribute %s is not in the catalogue", s.Name, name)
			}
			if strings.Contains(strings.ToLower(value), "abc") {
				t.Errorf("span %s: %s = %q tells the key", s.Name, name, value)
			}
		}
	}
}

// TestMetricsAreThoseOfTheCatalog drives everything that has metrics and compares the page with the catalogue.
func TestMetricsAreThoseOfTheCatalog(t *testing.T) {
	server := testserver.Redis(t)
	p := start(t, nil, "--redis", server.URL())
	c := p.client(t)
	if err := c.Set(t.Context(), "secretkey", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	_ = c.Get(t.Context(), "absent").Err()
	_, page := p.get(t, "/metrics")
	if strings.Contains(page, "secretkey") {
		t.Error("the page tells a key")
	}
	want := inCatalog(func(name string) bool { return !strings.HasPrefix(name, "edgecache_http_") })
	delete(want, "edgecache_plugin_failures_total") // there is none until a guest fails
	for _, name := range []string{"kv_entries", "kv_size_bytes", "counter_total", "gauge", "histogram_count_total", "histogram_sum_total"} {
		delete(want, "edgecache_plugin_"+name) // for guests that keep something with the host: see TestGuestMetrics
	}
	if diff := cmp.Diff(want, metricsOf(page)); diff != "" {
		t.Errorf("metrics and their labels, -catalogue +page:\n%s", diff)
	}
}

// TestHTTPMetricsAreThoseOfTheCatalog does so for what the proxy has beside them.
func TestHTTPMetricsAreThoseOfTheCatalog(t *testing.T) {
	origin := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(origin.Close)
	p := startProxy(t, origin.URL, "--fast-h1")
	ofHTTP := func(name string) bool { return strings.HasPrefix(name, "edgecache_http_") }
	_, page := p.get(t, "/metrics")
	got := metricsOf(page)
	maps.DeleteFunc(got, func(name string, _ []string) bool { return !ofHTTP(name) })
	if diff := cmp.Diff(inCatalog(ofHTTP), got); diff != "" {
		t.Errorf("metrics and their labels, -catalogue +page:\n%s", diff)
	}
}

// inCatalog returns the metrics of the catalogue whose names on the page are wanted, with their labels, sorted.
func inCatalog(wanted func(name string) bool) map[string][]string {
	all := make(map[string][]string)
	for _, m := range telemetry.Catalog() {
		if name := m.PrometheusName(); wanted(name) {
			labels := slices.Clone(m.Labels)
			slices.Sort(labels)
			all[name] = labels
		}
	}
	return all
}

// metricsOf returns our metrics on a page with the names of their labels, sorted.
func metricsOf(page string) map[string][]string {
	found := make(map[string][]string)
	series := regexp.MustCompile(`^(edgecache_[a-z_]+?)(_bucket|_sum|_count)?(?:\{(.*)\})? \S+$`)
	label := regexp.MustCompile(`([a-z_]+)="`)
	for line := range strings.Lines(page) {
		m := series.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		var labels []string
		for _, l := range label.FindAllStringSubmatch(m[3], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		found[m[1]] = labels
	}
	return found
}

// TestAStopFlushesTelemetry relies on an interval of a minute between exports: what arrives was sent at the end.
func TestAStopFlushesTelemetry(t *testing.T) {
	rx := otlptest.New(t)
	p := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": rx.URL(), "OTEL_BSP_SCHEDULE_DELAY": "60000"})
	if err := p.client(t).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if spans := rx.Spans(); len(spans) != 0 {
		t.Fatalf("%d spans came before the stop", len(spans))
	}
	if code := p.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("status %d", code)
	}
	if tree := otlptest.Tree(rx.Spans()); !strings.Contains(tree, "SERVER SET\n  INTERNAL command set\n") {
		t.Errorf("spans:\n%s", tree)
	}
	for _, name := range []string{"edgecache.commands", "edgecache.plugin.calls", "edgecache.resp.commands"} {
		if !slices.Contains(rx.Metrics(), name) {
			t.Errorf("metrics %q lack %s", rx.Metrics(), name)
		}
	}
}

func TestTracingIsOffByItself(t *testing.T) {
	rx := otlptest.New(t)
	p := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": rx.URL(), "OTEL_TRACES_SAMPLER": "always_off", "OTEL_METRICS_EXPORTER": "none"})
	if err := p.client(t).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	p.stop(t, syscall.SIGTERM)
	if len(rx.Spans()) != 0 || len(rx.Metrics()) != 0 {
		t.Errorf("came: %d spans, metrics %q; want nothing", len(rx.Spans()), rx.Metrics())
	}
}

// TestAStopFinishesWhatRuns stops the process while a command waits for Redis.
func TestAStopFinishesWhatRuns(t *testing.T) {
	server := testserver.Redis(t)
	slow, err := faultproxy.New(server.Addr(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	slow.Set(faultproxy.Fault{Delay: 30 * time.Millisecond})
	p := start(t, nil, "--redis", "redis://"+slow.Addr()+"?timeout=5s")
	c := client(t, &redis.Options{Addr: p.resp, MaxRetries: -1})
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	reply := make(chan error, 1)
	go func() { reply <- c.Set(t.Context(), "k", "v", 0).Err() }()
	eventually(t, "the command is on its way to Redis", func() bool { return slow.Accepted() > 0 })
	if code := p.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("status %d, want 0", code)
	}
	if err := <-reply; err != nil {
		t.Errorf("Set = %v, want its answer before the end", err)
	}
	if got := client(t, &redis.Options{Addr: server.Addr()}).Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("Redis has %q", got)
	}
}

func TestStartsFastAndSmall(t *testing.T) {
	start(t, nil).stop(t, syscall.SIGTERM) // fills the cache of compiled plugins
	best, rss := time.Hour, 0
	for range 5 {
		begin := time.Now()
		p := start(t, nil)
		best = min(best, time.Since(begin))
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		if err != nil {
			t.Skip("no /proc here")
		}
		if _, err := fmt.Sscanf(string(status[strings.Index(string(status), "VmRSS:"):]), "VmRSS: %d kB", &rss); err != nil {
			t.Fatal(err)
		}
		p.stop(t, syscall.SIGTERM)
	}
	t.Logf("ready after %v, resident %d KiB", best, rss)
	if best > 60*time.Millisecond {
		t.Errorf("ready after %v, want 60 ms at most", best)
	}
	if rss > 40<<10 {
		t.Errorf("resident: %d KiB, want 40 MiB at most", rss)
	}
}

// TestNothingIsLeftBehind puts servers together in this process and ends them, after they served and where a part fails.
func TestNothingIsLeftBehind(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER"} {
		t.Setenv(name, "")
	}
	for _, tt := range []struct {
		name   string
		change func(*config.Run)
		fails  bool
	}{
		{"serves", func(*config.Run) {}, false},
		{"no plugins", func(r *config.Run) { r.NoPlugins = true }, false},
		{"no RESP", func(r *config.Run) { r.RESP = config.Off }, false},
		{"bad plugin", func(r *config.Run) { r.Plugins = []config.Plugin{{Path: "/nonexistent.wasm"}} }, true},
		{"bad Redis", func(r *config.Run) { r.Redis = "http://h:1" }, true},
		{"bad address", func(r *config.Run) { r.Admin = "203.0.113.1:1" }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			settings := config.NewRun()
			settings.RESP, settings.Admin, settings.PluginCache = "127.0.0.1:0", "127.0.0.1:0", config.Off
			tt.change(settings)
			s, err := wire(t.Context(), settings, slog.New(slog.DiscardHandler))
			if tt.fails != (err != nil) {
				t.Fatalf("wire: %v, want an error: %v", err, tt.fails)
			}
			if err != nil {
				return
			}
			failed := s.serve()
			if err := errors.Join(s.stop(context.WithoutCancel(t.Context())), s.stop(context.WithoutCancel(t.Context()))); err != nil {
				t.Errorf("stop = %v", err)
			}
			if s.resp != nil {
				if err := <-failed; err != nil {
					t.Errorf("serving ended with %v", err)
				}
			}
		})
	}
}
