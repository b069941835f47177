package bench

import (
	"context"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/observers/capture"
)

// nowhere is a file that takes everything.
type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Close() error                { return nil }

// deaf is an observer that asks for what a capture asks for, and does nothing with it.
type deaf struct{}

func (deaf) Spec() core.ObserverSpec {
	return core.ObserverSpec{Name: "deaf", Ops: core.Ops(core.OpGet), Clock: true, KeyHash: true}
}
func (deaf) Observe([]core.Event) {}

// BenchmarkCapture is a hit with nobody looking, with an observer that wants time and hashes, and with a capture, whose
// goroutine runs beside it.
func BenchmarkCapture(b *testing.B) {
	for _, bb := range []struct {
		name      string
		observers []core.Observer
		capture   bool
		hash      func(prefix, key string) uint64
	}{
		{name: "none"},
		{name: "deaf observer", observers: []core.Observer{deaf{}}},
		{name: "capture", capture: true},
		{name: "capture with a salt", capture: true, hash: capture.Salted("pepper")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c, keys := newCache(b, core.Options{Observers: bb.observers, KeyHash: bb.hash})
			if bb.capture {
				k, err := capture.Start(c, capture.Options{Name: "a capture", Output: nowhere{}, Joinable: bb.hash != nil})
				if err != nil {
					b.Fatal(err)
				}
				defer func() {
					if err := k.Stop(context.Background()); err != nil {
						b.Error(err)
					}
					b.ReportMetric(float64(k.Stats().Dropped)/float64(b.N), "dropped/op")
				}()
			}
			ctx, cmd, res := context.Background(), &core.Command{Op: core.OpGet}, new(core.Result)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				cmd.Key = keys[i&(hotKeys-1)]
				if err := c.Do(ctx, cmd, res); err != nil || res.Outcome != core.OutcomeHit {
					b.Fatal(err, res.Outcome)
				}
				i++
			}
		})
	}
}
