package native

import (
	"sync"

	"github.com/edgecache/edgecache/core"
)

const (
	// hitNamespaces is how many namespaces HitRatio tells apart; the last place counts for all others.
	hitNamespaces = 1024
	hitOther      = hitNamespaces - 1
)

// HitRatio counts reads and hits, by operation and namespace: every key of a get or get_many counts once. Namespaces
// from number 1023 on are counted together. It is safe for concurrent use.
type HitRatio struct {
	mu     sync.Mutex
	counts [hitNamespaces][2]hitCount // guarded by mu; by namespace, then get and get_many
}

type hitCount struct{ total, hits uint64 }

var (
	_ core.Observer = (*HitRatio)(nil)
	_ core.Reporter = (*HitRatio)(nil)
)

// NewHitRatio returns a HitRatio that has counted nothing.
func NewHitRatio() *HitRatio { return &HitRatio{} }

// Spec implements core.Observer.
func (h *HitRatio) Spec() core.ObserverSpec {
	return core.ObserverSpec{Name: "hitratio", Ops: core.Ops(core.OpGet, core.OpGetMany)}
}

// Observe implements core.Observer. Events of other operations are passed over.
func (h *HitRatio) Observe(events []core.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range events {
		e := &events[i]
		op := e.Op&^core.EventContinued - uint8(core.OpGet)
		if op >= 2 {
			continue
		}
		c := &h.counts[min(e.Namespace, hitOther)][op]
		c.total++
		if core.Outcome(e.Result&0x0f) == core.OutcomeHit {
			c.hits++
		}
	}
}

// Report implements core.Reporter: total, hits and their ratio, for everything and then by namespace and operation.
func (h *HitRatio) Report() (core.Report, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all hitCount
	rows := make([]core.ReportRow, 1)
	for ns := range h.counts {
		for op, c := range h.counts[ns] {
			if c.total == 0 {
				continue
			}
			all.total += c.total
			all.hits += c.hits
			rows = append(rows, core.ReportRow{
				Op: core.OpGet + core.Op(op), Namespace: hitNamespace(ns), Figures: c.figures(),
			})
		}
	}
	rows[0] = core.ReportRow{Namespace: core.AllNamespaces, Figures: all.figures()}
	return core.Report{Rows: rows}, nil
}

func hitNamespace(place int) uint16 {
	if place == hitOther {
		return core.OtherNamespaces
	}
	return uint16(place)
}

func (c hitCount) figures() []core.Figure {
	return []core.Figure{
		{Name: "total", Count: c.total},
		{Name: "hits", Count: c.hits},
		{Name: "ratio", Ratio: quotient(c.hits, c.total), IsRatio: true},
	}
}

// quotient returns a/b, or 0 where b is 0.
func quotient(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
