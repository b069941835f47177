package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

func newCache(t *testing.T) *core.Cache {
	t.Helper()
	backend, err := memory.New(memory.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}})
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

// get asks h for path and returns the answer.
func get(t *testing.T, h http.Handler, path string) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// pinger answers with an error, or not before the context ends.
type pinger struct {
	err   error
	hangs bool
}

func (p pinger) Ping(ctx context.Context) error {
	if p.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return p.err
}

func TestReady(t *testing.T) {
	down := errors.New("connection refused")
	for _, tt := range []struct {
		name    string
		options Options
		status  int
		want    health
	}{
		{"local only", Options{Local: true}, 200, health{Status: "ready"}},
		{"store up", Options{Local: true, Stores: []Store{{"redis", pinger{}}}}, 200, health{Status: "ready"}},
		{
			"store down behind memory",
			Options{Local: true, Stores: []Store{{"redis", pinger{err: down}}}},
			200,
			health{"degraded", map[string]string{"redis": "connection refused"}},
		},
		{
			"store hangs behind memory",
			Options{Local: true, Stores: []Store{{"redis", pinger{hangs: true}}}},
			200,
			health{"degraded", map[string]string{"redis": "context deadline exceeded"}},
		},
		{
			"only store down",
			Options{Stores: []Store{{"redis", pinger{err: down}}}},
			503,
			health{"unready", map[string]string{"redis": "connection refused"}},
		},
		{
			"one of two stores down",
			Options{Stores: []Store{{"redis", pinger{err: down}}, {"memcached", pinger{}}}},
			200,
			health{"degraded", map[string]string{"redis": "connection refused"}},
		},
		{
			"process",
			Options{Local: true, Ready: func() error { return errors.New("stopping") }},
			503,
			health{"unready", map[string]string{"process": "stopping"}},
		},
		{
			"process, and store down behind memory",
			Options{Local: true, Stores: []Store{{"redis", pinger{err: down}}}, Ready: func() error { return errors.New("stopping") }},
			503,
			health{"unready", map[string]string{"process": "stopping", "redis": "connection refused"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Cache = newCache(t)
			status, body := get(t, Handler(tt.options), "/readyz")
			var got health
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); status != tt.status || diff != "" {
				t.Errorf("status %d, want %d; -want +got:\n%s", status, tt.status, diff)
			}
		})
	}
}

// plugin is a plugin that reports what it is told.
type plugin struct {
	name   string
	report core.Report
	err    error
}

func (p plugin) Name() string                 { return p.name }
func (p plugin) Report() (core.Report, error) { return p.report, p.err }

func TestStats(t *testing.T) {
	cache := newCache(t)
	ctx := t.Context()
	if err := cache.Namespace("shop").Set(ctx, "k", []byte("v"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := cache.Namespace("shop").Get(ctx, "k"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cache.Get(ctx, "absent"); !errors.Is(err, core.ErrNotFound) {
		t.Fatalf("Get(absent) = %v", err)
	}
	ratio := core.Report{Rows: []core.ReportRow{
		{Namespace: core.AllNamespaces, Figures: []core.Figure{{Name: "total", Count: 4}, {Name: "ratio", Ratio: 0.75, IsRatio: true}}},
		{Op: core.OpGet, Namespace: 1, Figures: []core.Figure{{Name: "total", Count: 3}}},
	}}
	h := Handler(Options{
		Cache: cache, Version: "v1", Started: time.Now().Add(-time.Minute), Local: true,
		Plugins: func() []Plugin {
			return []Plugin{plugin{name: "hitratio", report: ratio}, plugin{name: "broken", err: errors.New(`trap in "ec_stats"`)}}
		},
		RESP: func() RESP { return RESP{Connections: 2} },
	})
	status, body := get(t, h, "/stats")
	var got Stats
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("status %d, %v in %s", status, err, body)
	}
	if got.Uptime < 60 || got.Uptime > 120 {
		t.Errorf("uptime %v, want a minute", got.Uptime)
	}
	var hitratio struct {
		Total int
		Ratio float64
		Rows  []struct{ Op, Namespace string }
	}
	if err := json.Unmarshal(got.Plugins["hitratio"], &hitratio); err != nil {
		t.Fatal(err)
	}
	if hitratio.Total != 4 || hitratio.Ratio != 0.75 || len(hitratio.Rows) != 1 || hitratio.Rows[0].Namespace != "shop" {
		t.Errorf("hitratio = %+v", hitratio)
	}
	var broken struct{ Error string }
	if err := json.Unmarshal(got.Plugins["broken"], &broken); err != nil || broken.Error != `trap in "ec_stats"` {
		t.Errorf("broken = %+v, %v", broken, err)
	}
	got.Uptime, got.Plugins, got.Tiers[0].Bytes = 0, nil, 0
	want := Stats{
		Version:  "v1",
		Commands: 5, Hits: 3, Misses: 1, HitRatio: 0.75,
		Operations: map[string]map[string]uint64{
			"set": {"stored": 1, "total": 1}, "get": {"hit": 3, "miss": 1, "total": 4},
		},
		Tiers: []Tier{{Name: "memory", Hits: 3, Misses: 1, Entries: 1, Policy: memory.Default}},
		RESP:  &RESP{Connections: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stats, -want +got:\n%s", diff)
	}
}

func TestPaths(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("figures")) })
	plain := Handler(Options{Cache: newCache(t)})
	full := Handler(Options{Cache: newCache(t), Metrics: metrics, PProf: true})
	for _, tt := range []struct {
		name   string
		h      http.Handler
		path   string
		status int
		want   string
	}{
		{"alive", plain, "/livez", 200, "alive"},
		{"stats without plugins", plain, "/stats", 200, `"plugins": {}`},
		{"no metrics", plain, "/metrics", 404, ""},
		{"no profiles", plain, "/debug/pprof/", 404, ""},
		{"metrics", full, "/metrics", 200, "figures"},
		{"profiles", full, "/debug/pprof/", 200, "goroutine"},
		{"heap", full, "/debug/pprof/heap?debug=1", 200, "heap profile"},
		{"elsewhere", full, "/", 404, ""},
	} {
		if status, body := get(t, tt.h, tt.path); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: status %d, %.60q; want %d, %q", tt.name, status, body, tt.status, tt.want)
		}
	}
	w := httptest.NewRecorder()
	plain.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/stats", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /stats: status %d, want 405", w.Code)
	}
}

func TestServerHasTimeouts(t *testing.T) {
	s := Server(http.NotFoundHandler())
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Errorf("a limit is missing: %+v", s)
	}
}
