package capture

import (
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// traffic returns events of a batch: hits of some keys.
func traffic(n int) []core.Event {
	events := make([]core.Event, n)
	for i := range events {
		events[i] = core.Event{
			KeyHash: uint64(i*i + 1), Time: uint64(i + 1), Op: uint8(core.OpGet), Result: uint8(core.OutcomeHit) | 1<<4, Size: 64,
		}
	}
	return events
}

// BenchmarkObserve is what a capture adds to commands beside the event itself: a batch is copied.
func BenchmarkObserve(b *testing.B) {
	const batch = 256 // as the cache has them
	k := &Capture{full: make(chan *block, mostBlocks), free: make(chan *block, mostBlocks)}
	events := traffic(batch)
	b.ReportAllocs()
	for b.Loop() {
		k.Observe(events)
		if len(k.full) > 0 {
			k.free <- <-k.full
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/event")
}

// BenchmarkWrite is what the goroutine does with events, which takes another processor's time.
func BenchmarkWrite(b *testing.B) {
	w, err := newWriter(&Options{Output: new(discard)})
	if err != nil {
		b.Fatal(err)
	}
	events := traffic(blockEvents)
	now := uint64(0)
	for b.Loop() {
		for i := range events {
			now += 1000
			events[i].Time, events[i].KeyHash = now, uint64(i*i+1)
		}
		if err := w.write(events); err != nil {
			b.Fatal(err)
		}
		if err := w.tick(time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/blockEvents, "ns/event")
	b.ReportMetric(float64(w.out.Written())/float64(max(w.requests, 1)), "B/request")
}

// discard is an output that takes everything.
type discard struct{}

func (*discard) Write(b []byte) (int, error) { return len(b), nil }
func (*discard) Close() error                { return nil }

// BenchmarkSalted is the hash of a key of 32 bytes on the way of a command.
func BenchmarkSalted(b *testing.B) {
	hash := Salted("pepper")
	for b.Loop() {
		hash("", "/images/products/000000000000042")
	}
}
