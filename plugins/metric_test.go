package plugins

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

func TestMetricFunctions(t *testing.T) {
	const before = hostabi.ExportBefore
	s := newScript("metrics")
	var want []int64
	define := func(id int64, kind int, name string) {
		s.call(before, hostabi.HostMetricDefine, kind, name)
		want = append(want, id)
	}
	longest := strings.Repeat("z", 64)
	define(0, hostabi.MetricCounter, "requests")
	define(1, hostabi.MetricGauge, "depth")
	define(2, hostabi.MetricHistogram, "sizes")
	define(0, hostabi.MetricCounter, "requests")
	define(3, hostabi.MetricGauge, longest)
	define(2, hostabi.MetricHistogram, "sizes")
	s.call(before, hostabi.HostCounterAdd, 0, 40)
	s.call(before, hostabi.HostCounterAdd, 0, 2)
	s.call(before, hostabi.HostGaugeSet, 1, 5)
	s.call(before, hostabi.HostGaugeSet, 1, -7)
	for _, v := range []int{0, 1, 2, 3, 1 << 38, -1} {
		s.call(before, hostabi.HostHistRecord, 2, v)
	}
	s.reply()
	h, _ := newHost(t)
	p := load(t, h, s.source())
	cmd := core.Command{Op: core.OpGet, Key: "k"}
	if err := beforeOnce(t, p, &cmd); err != nil || !slices.Equal(numbers(cmd.Key), want) {
		t.Fatalf("%v, numbers %d, want %d", err, numbers(cmd.Key), want)
	}
	buckets := make([]uint64, hostabi.HistogramSlots)
	buckets[0], buckets[1], buckets[2], buckets[39] = 1, 1, 2, 2
	all := []core.Metric{
		{Name: "depth", Kind: "gauge", Value: -7},
		{Name: "requests", Kind: "counter", Value: 42},
		{Name: "sizes", Kind: "histogram", Count: 6, Sum: 6 + 1<<38 - 1, Buckets: buckets},
		{Name: longest, Kind: "gauge"},
	}
	if diff := cmp.Diff(all, p.Stats().Metrics); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	r, err := p.Report()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]any
	if err := json.Unmarshal(r.JSON(nil), &got); err != nil {
		t.Fatal(err)
	}
	sizes := got["metrics"]["sizes"].(map[string]any)
	if m := got["metrics"]; len(m) != 4 || m["depth"] != -7.0 || m["requests"] != 42.0 || sizes["count"] != 6.0 || len(sizes["buckets"].([]any)) != 40 {
		t.Errorf("reported as %s", r.JSON(nil))
	}
}

// beforeOnce is before for a call that must not fail.
func beforeOnce(t *testing.T, p *Plugin, cmd *core.Command) error {
	t.Helper()
	err := before(t, p, cmd, new(core.Result))
	if f := p.Stats().Failures; len(f) > 0 {
		t.Fatalf("failures %v", f)
	}
	return err
}

func TestTooManyMetrics(t *testing.T) {
	s := newScript("metrics")
	var want []int64
	for i := range hostabi.MaxMetrics + 1 {
		s.call(hostabi.ExportBefore, hostabi.HostMetricDefine, hostabi.MetricCounter, fmt.Sprint("m", i))
		want = append(want, int64(i))
	}
	want[hostabi.MaxMetrics] = -1
	s.call(hostabi.ExportBefore, hostabi.HostMetricDefine, hostabi.MetricCounter, "m63")
	want = append(want, 63)
	if got := s.run(t, &core.Command{Op: core.OpGet, Key: "k"}, len(want)); !slices.Equal(got, want) {
		t.Errorf("numbers %d, want %d", got, want)
	}
}

func TestBadMetrics(t *testing.T) {
	for _, test := range []struct {
		function string
		args     []any
		want     string
	}{
		{hostabi.HostMetricDefine, []any{3, "name"}, "called metric_define with kind 3: 0 to 2 are known"},
		{hostabi.HostMetricDefine, []any{-1, "name"}, "called metric_define with kind 4294967295"},
		{hostabi.HostMetricDefine, []any{0, ""}, `called metric_define with name "": 1 to 64 of a-z 0-9 . _ - are allowed`},
		{hostabi.HostMetricDefine, []any{0, "Name"}, `called metric_define with name "Name"`},
		{hostabi.HostMetricDefine, []any{0, "_name"}, `called metric_define with name "_name"`},
		{hostabi.HostMetricDefine, []any{0, "na\x00me"}, `called metric_define with name`},
		{hostabi.HostMetricDefine, []any{0, strings.Repeat("n", 65)}, `called metric_define with name "nnn`},
		{hostabi.HostMetricDefine, []any{1, "counter"}, `called metric_define for a gauge "counter", which is a counter`},
		{hostabi.HostCounterAdd, []any{1, 1}, "called counter_add with metric 1, which is not defined"},
		{hostabi.HostCounterAdd, []any{-1, 1}, "called counter_add with metric -1, which is not defined"},
		{hostabi.HostGaugeSet, []any{64, 1}, "called gauge_set with metric 64, which is not defined"},
		{hostabi.HostGaugeSet, []any{0, 1}, `called gauge_set with metric 0, "counter", which is a counter`},
		{hostabi.HostHistRecord, []any{0, 1}, `called hist_record with metric 0, "counter", which is a counter`},
		{hostabi.HostHistRecord, []any{63, 1}, "called hist_record with metric 63, which is not defined"},
	} {
		s := newScript("metrics")
		s.call(hostabi.ExportBefore, hostabi.HostMetricDefine, hostabi.MetricCounter, "counter")
		s.call(hostabi.ExportBefore, test.function, test.args...)
		s.fails(t, core.OpGet, test.want)
	}
}

// TestMetricsAreKept replaces a version: numbers and figures stay, and what would not fit them does not load.
func TestMetricsAreKept(t *testing.T) {
	h, _ := newHost(t)
	version := func(kind int, names ...string) Source {
		s := newScript("metrics")
		for _, name := range names {
			s.call(hostabi.ExportInit, hostabi.HostMetricDefine, kind, name)
		}
		s.code[hostabi.ExportInit] = append(s.code[hostabi.ExportInit], 0x41, 0)
		s.call(hostabi.ExportBefore, hostabi.HostCounterAdd, 0, 1)
		s.reply()
		return s.source()
	}
	p := load(t, h, version(hostabi.MetricCounter, "a"))
	if err := beforeOnce(t, p, &core.Command{Op: core.OpGet, Key: "k"}); err != nil {
		t.Fatal(err)
	}
	want := `plugin script: ec_init: start: called metric_define for a gauge "a", which is a counter`
	if err := p.Swap(t.Context(), version(hostabi.MetricGauge, "a")); err == nil || err.Error() != want {
		t.Errorf("Swap = %v, want %s", err, want)
	}
	if err := p.Swap(t.Context(), version(hostabi.MetricCounter, "b", "a")); err != nil {
		t.Fatal(err)
	}
	if err := before(t, p, &core.Command{Op: core.OpGet, Key: "k"}, new(core.Result)); err != nil {
		t.Fatal(err)
	}
	got := p.Stats().Metrics
	if len(got) != 2 || got[0].Name != "a" || got[0].Value != 2 || got[1].Value != 0 {
		t.Errorf("metrics %+v", got)
	}
}

func TestMetricsConcurrently(t *testing.T) {
	var m metrics
	const goroutines, each = 8, 1000
	var done sync.WaitGroup
	for range goroutines {
		done.Go(func() {
			for i := range each {
				kind := uint32(i % 3)
				id, err := m.define(kind, fmt.Appendf(nil, "m%d", i%30))
				if err != nil {
					t.Error(err)
					return
				}
				found, err := m.at("test", uint32(id), kind)
				if err != nil {
					t.Error(err)
					return
				}
				if kind == hostabi.MetricHistogram {
					found.record(1)
				} else {
					found.value.Add(1)
				}
				m.list()
			}
		})
	}
	done.Wait()
	var total uint64
	for _, metric := range m.list() {
		total += uint64(metric.Value) + metric.Count
	}
	if len(m.list()) != 30 || total != goroutines*each {
		t.Errorf("%d metrics with %d in all, want %d", len(m.list()), total, goroutines*each)
	}
}

func TestCounterStaysPositive(t *testing.T) {
	var m metrics
	if _, err := m.define(hostabi.MetricCounter, []byte("c")); err != nil {
		t.Fatal(err)
	}
	m.all[0].Load().value.Add(math.MaxUint64)
	if got := m.list()[0].Value; got != math.MaxInt64 {
		t.Errorf("value %d", got)
	}
}
