package meter

import (
	"context"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"
)

// timed returns how long f takes at best: other processes can make it longer. The log says so; nothing is asserted of it.
func timed(tries int, f func()) time.Duration {
	best := time.Duration(1<<63 - 1)
	for range tries {
		begin := time.Now()
		f()
		best = min(best, time.Since(begin))
	}
	return best
}

func TestEndlessLoop(t *testing.T) {
	busy := testFunction{name: "spin", body: slices.Concat(
		[]byte{opLoop, emptyType, opI32Const, 0, opI32Const, 0, 0x28, 0, 0, opI32Const, 1, opI32Add, 0x36, 0, 0, opBr, 0, opEnd},
	)}
	for _, tt := range []struct {
		name string
		p    program
	}{
		{"without memory", program{functions: []testFunction{spin()}}},
		{"with memory", program{functions: []testFunction{spin()}, pages: []byte{1, 1}}},
		{"counts in memory", program{functions: []testFunction{busy}, pages: []byte{1, 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := start(t, rewrite(t, tt.p.bytes(), Options{}))
			took := timed(5, func() {
				g.give(1_000_000)
				if _, failure := g.call(t, "spin"); failure != "wasm error: unreachable" {
					t.Errorf("spin: %q", failure)
				}
			})
			t.Logf("stopped after %v", took)
		})
	}
}

// longestStop returns how long it took at most, while f ran, until all goroutines had stopped for the collector.
func longestStop(f func()) time.Duration {
	sample := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(sample)
	before := slices.Clone(sample[0].Value.Float64Histogram().Counts)
	f()
	metrics.Read(sample)
	h := sample[0].Value.Float64Histogram()
	for i, n := range slices.Backward(h.Counts) {
		if n > before[i] {
			return time.Duration(h.Buckets[i+1] * float64(time.Second))
		}
	}
	return 0
}

// TestCollectorProceeds collects garbage while a guest spins, and stops it then.
func TestCollectorProceeds(t *testing.T) {
	for _, pages := range [][]byte{nil, {1, 1}} {
		g := start(t, rewrite(t, program{functions: []testFunction{spin()}, pages: pages}.bytes(), Options{Budget: plenty}))
		var took time.Duration
		done := make(chan error, 1)
		began := make(chan struct{})
		go func() {
			close(began)
			_, err := g.ExportedFunction("spin").Call(context.Background())
			done <- err
		}()
		<-began
		pause := longestStop(func() { took = timed(10, runtime.GC) })
		select {
		case err := <-done:
			t.Fatalf("the guest ended: %v", err)
		default:
		}
		begin := time.Now()
		g.stop.Set(1)
		if err := <-done; firstLine(err) != "wasm error: unreachable" {
			t.Errorf("spin: %v", err)
		}
		t.Logf("a collection took %v, the longest wait for the world to stop %v, the end %v", took, pause, time.Since(begin))
	}
}

func TestRecursion(t *testing.T) {
	const units = 1_000_000
	for _, tt := range []struct {
		name string
		body []byte
	}{
		{"direct", []byte{opCall, 0}},
		{"not at the end", []byte{opCall, 0, opI32Const, 0, opDrop}},
		{"by a table", []byte{opI32Const, 0, 0x11, 0, 0}},
		{"tail call", []byte{0x12, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := program{functions: []testFunction{{name: "f", body: tt.body}}, table: 1}
			g := start(t, rewrite(t, p.bytes(), Options{}))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			g.give(units)
			if _, failure := g.call(t, "f"); failure != "wasm error: unreachable" {
				t.Errorf("f: %q", failure)
			}
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			t.Logf("stopped after %v, having allocated %d KB", took, (after.TotalAlloc-before.TotalAlloc)>>10)
		})
	}
}

// TestLongOperations sees to it that instructions of a run-time length are not a way around the fuel.
func TestLongOperations(t *testing.T) {
	forever := func(op ...byte) []byte {
		return slices.Concat([]byte{opLoop, emptyType}, op, []byte{opBr, 0, opEnd})
	}
	length := []byte{opI32Const, 0x80, 0x80, 0x04} // 65536
	for _, tt := range []struct {
		name string
		body []byte
	}{
		{"memory.fill", forever(slices.Concat([]byte{opI32Const, 0, opI32Const, 0}, length, []byte{opMisc, 0x0b, 0})...)},
		{"memory.copy", forever(slices.Concat([]byte{opI32Const, 0, opI32Const, 0}, length, []byte{opMisc, 0x0a, 0, 0})...)},
		{"memory.grow", forever(opI32Const, 0, opMemoryGrow, 0, opDrop)},
		{"table.grow", forever(opRefNull, funcrefType, opI32Const, 0, opMisc, 0x0f, 0, opDrop)},
		{"import", forever(opCall, 0)},
		{"division", forever(opI64Const, 9, opI64Const, 7, 0x80, opDrop)},
		{"root", forever(opF64Const, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x9f, opDrop)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := program{
				imports: []testFunction{{name: "h"}}, functions: []testFunction{{name: "f", body: tt.body}},
				pages: []byte{1, 1}, table: 2,
			}
			g := start(t, rewrite(t, p.bytes(), Options{}))
			took := timed(5, func() {
				g.give(1_000_000)
				if _, failure := g.call(t, "f"); failure != "wasm error: unreachable" {
					t.Errorf("f: %q", failure)
				}
			})
			t.Logf("stopped after %v", took)
		})
	}
}
