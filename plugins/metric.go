package plugins

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// metrics are those that a plugin's guests define. All versions and instances share them. Safe for concurrent use; the
// zero value has none.
type metrics struct {
	// all are the metrics by number, those defined first. A number keeps its metric.
	all [hostabi.MaxMetrics]atomic.Pointer[metric]

	mu  sync.Mutex
	ids map[string]int32 // guarded by mu
}

// metric is one of them. Its figures wrap around.
type metric struct {
	name    string
	kind    uint32
	value   atomic.Uint64   // a counter's count, a gauge's value as int64, a histogram's sum
	buckets []atomic.Uint64 // of a histogram
}

// kindName names a kind of metric, "" if there is none such.
func kindName(kind uint32) string {
	switch kind {
	case hostabi.MetricCounter:
		return "counter"
	case hostabi.MetricGauge:
		return "gauge"
	case hostabi.MetricHistogram:
		return "histogram"
	default:
		return ""
	}
}

// define returns the number of the metric of that name, which is made if there is none, or -1 if there are too many.
func (m *metrics) define(kind uint32, name []byte) (int32, error) {
	switch {
	case kindName(kind) == "":
		return 0, protocolf("called %s with kind %d: 0 to %d are known", hostabi.HostMetricDefine, kind, hostabi.MetricHistogram)
	case !hostabi.ValidName(name):
		return 0, badName(hostabi.HostMetricDefine, name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.ids[string(name)]
	if !ok {
		return m.add(kind, string(name)), nil
	}
	if is := m.all[id].Load().kind; is != kind {
		return 0, protocolf("called %s for a %s %q, which is a %s", hostabi.HostMetricDefine, kindName(kind), name, kindName(is))
	}
	return id, nil
}

// badName says that a guest gave something a name that it can't have.
func badName(function string, name []byte) error {
	return protocolf("called %s with name %.80q: 1 to 64 of a-z 0-9 . _ - are allowed, the first a letter or digit", function, name)
}

// add makes a metric. mu is held.
func (m *metrics) add(kind uint32, name string) int32 {
	id := len(m.ids)
	if id == len(m.all) {
		return -1
	}
	made := &metric{name: name, kind: kind}
	if kind == hostabi.MetricHistogram {
		made.buckets = make([]atomic.Uint64, hostabi.HistogramSlots)
	}
	if m.ids == nil {
		m.ids = make(map[string]int32)
	}
	m.ids[name] = int32(id)
	m.all[id].Store(made)
	return int32(id)
}

// at returns a metric by its number and kind, for the host function that was called.
func (m *metrics) at(function string, id, kind uint32) (*metric, error) {
	if id >= uint32(len(m.all)) || m.all[id].Load() == nil {
		return nil, protocolf("called %s with metric %d, which is not defined", function, int32(id))
	}
	found := m.all[id].Load()
	if found.kind != kind {
		return nil, protocolf("called %s with metric %d, %q, which is a %s", function, id, found.name, kindName(found.kind))
	}
	return found, nil
}

// record counts a value in a histogram.
func (m *metric) record(value uint64) {
	m.buckets[min(bits.Len64(value), len(m.buckets)-1)].Add(1)
	m.value.Add(value)
}

// list returns the metrics as they are, sorted by name, or nil if there are none.
func (m *metrics) list() []core.Metric {
	var all []core.Metric
	for i := range m.all {
		if found := m.all[i].Load(); found != nil {
			all = append(all, found.snapshot())
		}
	}
	slices.SortFunc(all, func(a, b core.Metric) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (m *metric) snapshot() core.Metric {
	s := core.Metric{Name: m.name, Kind: kindName(m.kind)}
	switch value := m.value.Load(); m.kind {
	case hostabi.MetricCounter:
		s.Value = int64(min(value, math.MaxInt64))
	case hostabi.MetricGauge:
		s.Value = int64(value)
	default:
		s.Sum, s.Buckets = value, make([]uint64, len(m.buckets))
		for i := range m.buckets {
			s.Buckets[i] = m.buckets[i].Load()
			s.Count += s.Buckets[i]
		}
	}
	return s
}
