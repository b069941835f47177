package native

import (
	"math/bits"
	"sync"

	"github.com/edgecache/edgecache/core"
)

// timeBuckets is how many buckets a histogram has: bucket i counts times of bit length i, in nanoseconds.
const timeBuckets = 40

// Timing measures how long commands take, by operation. A command on many keys counts once. It is safe for concurrent
// use.
type Timing struct {
	mu  sync.Mutex
	ops [core.OpCount]times // guarded by mu
}

type times struct {
	count           uint64
	total, min, max uint64 // nanoseconds
	buckets         [timeBuckets]uint64
}

var (
	_ core.Observer = (*Timing)(nil)
	_ core.Reporter = (*Timing)(nil)
)

// NewTiming returns a Timing that has measured nothing.
func NewTiming() *Timing { return &Timing{} }

// Spec implements core.Observer. It asks for the clock.
func (t *Timing) Spec() core.ObserverSpec {
	return core.ObserverSpec{Name: "timing", Ops: core.AllOps, Clock: true}
}

// Observe implements core.Observer.
func (t *Timing) Observe(events []core.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range events {
		if e := &events[i]; int(e.Op) < core.OpCount { // not so for the further keys of a command
			t.ops[e.Op].add(uint64(e.Elapsed))
		}
	}
}

func (t *times) add(ns uint64) {
	if t.count == 0 || ns < t.min {
		t.min = ns
	}
	t.max = max(t.max, ns)
	t.count++
	t.total += ns
	t.buckets[bits.Len64(ns)]++
}

func (t *times) merge(o *times) {
	if t.count == 0 || o.min < t.min {
		t.min = o.min
	}
	t.max = max(t.max, o.max)
	t.count += o.count
	t.total += o.total
	for i, n := range o.buckets {
		t.buckets[i] += n
	}
}

// Report implements core.Reporter: count, total, least, greatest and mean time and the histogram, for everything and
// then by operation. The least time of nothing is 0.
func (t *Timing) Report() (core.Report, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all times
	rows := make([]core.ReportRow, 1)
	for op := core.OpGet; int(op) < core.OpCount; op++ {
		if t.ops[op].count == 0 {
			continue
		}
		all.merge(&t.ops[op])
		rows = append(rows, core.ReportRow{Op: op, Namespace: core.AllNamespaces, Figures: t.ops[op].figures()})
	}
	rows[0] = core.ReportRow{Namespace: core.AllNamespaces, Figures: all.figures()}
	return core.Report{Rows: rows}, nil
}

func (t *times) figures() []core.Figure {
	buckets := t.buckets
	return []core.Figure{
		{Name: "count", Count: t.count},
		{Name: "total", Count: t.total},
		{Name: "min", Count: t.min},
		{Name: "max", Count: t.max},
		{Name: "avg", Ratio: quotient(t.total, t.count), IsRatio: true},
		{Name: "histogram", Buckets: buckets[:]},
	}
}
