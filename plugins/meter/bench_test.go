package meter

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/edgecache/edgecache/hostabi"
)

// BenchmarkRewrite measures what a load pays.
func BenchmarkRewrite(b *testing.B) {
	for name, wasm := range map[string][]byte{"keyrewrite": exampleGuests(b)["keyrewrite"], "go": goGuest(b)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(wasm)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Rewrite(wasm, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// compare runs a call on a plain guest and on a metered one by turns, some 50 µs each, and reports what each took at best:
// what else the machine does disturbs both alike. The metered guest's budget is set before each call.
func compare(b *testing.B, wasm []byte, prepare func(g *guest) func() error) {
	b.Helper()
	plain, metered := start(b, wasm), start(b, rewrite(b, wasm, Options{}))
	calls := [2]func() error{prepare(plain), prepare(metered)}
	metered.give(plenty)
	if err := calls[1](); err != nil {
		b.Fatal(err)
	}
	units := plenty - metered.left()
	turns := func(kind, n int) time.Duration {
		begin := time.Now()
		for range n {
			if kind == 1 {
				metered.budget.Set(1 << 32)
			}
			if err := calls[kind](); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(begin)
	}
	n := max(1, int(50*time.Microsecond/max(1, turns(0, 10)/10)))
	best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	for b.Loop() {
		for kind := range calls {
			best[kind] = min(best[kind], turns(kind, n))
		}
	}
	each := func(kind int) float64 { return float64(best[kind]) / float64(n) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(each(0), "plain-ns")
	b.ReportMetric(each(1), "metered-ns")
	b.ReportMetric(each(1)-each(0), "more-ns")
	b.ReportMetric(100*(each(1)/each(0)-1), "more-%")
	b.ReportMetric(float64(units), "units")
}

// prepared returns a call without allocations.
func prepared(b *testing.B, name string, args ...uint64) func(g *guest) func() error {
	b.Helper()
	return func(g *guest) func() error {
		f := g.ExportedFunction(name)
		stack := make([]uint64, max(1, len(args)))
		return func() error {
			copy(stack, args)
			return f.CallWithStack(b.Context(), stack)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	add := testFunction{name: "add", params: tI32 + tI32, results: tI32, body: []byte{opLocalGet, 0, opLocalGet, 1, opI32Add}}
	compare(b, program{functions: []testFunction{add}, pages: []byte{1, 1}}.bytes(), prepared(b, "add", 1, 2))
}

// BenchmarkTinyLoop counts to a million, with five instructions each time round.
func BenchmarkTinyLoop(b *testing.B) {
	compare(b, program{functions: []testFunction{countDown()}, pages: []byte{1, 1}}.bytes(), prepared(b, "count", 1_000_000))
}

// BenchmarkLoop hashes 64 KiB, with 14 instructions for each byte.
func BenchmarkLoop(b *testing.B) {
	hash := testFunction{name: "hash", locals: tI32 + tI64, results: tI64, body: []byte{
		opLoop, emptyType,
		opLocalGet, 1, opLocalGet, 0, 0x31, 0, 0, 0x85, // xor with the byte
		opI64Const, 0xb3, 0x83, 0x80, 0x80, 0x80, 0x20, 0x7e, opLocalSet, 1, // multiply
		opLocalGet, 0, opI32Const, 1, opI32Add, opLocalTee, 0, opI32Const, 0xff, 0xff, 0x03, 0x48, opBrIf, 0, opEnd,
		opLocalGet, 1,
	}}
	compare(b, program{functions: []testFunction{hash}, pages: []byte{1, 1}}.bytes(), prepared(b, "hash"))
}

// BenchmarkCopy copies blocks whose lengths are known only when it runs.
func BenchmarkCopy(b *testing.B) {
	f := testFunction{name: "copy", params: tI32, body: []byte{
		opI32Const, 0, opI32Const, 0x80, 0x80, 0x02, opLocalGet, 0, opMisc, 0x0a, 0, 0,
	}}
	for _, size := range []uint64{32, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			compare(b, program{functions: []testFunction{f}, pages: []byte{1, 1}}.bytes(), prepared(b, "copy", size))
		})
	}
}

// BenchmarkBefore rewrites a key of 32 bytes.
func BenchmarkBefore(b *testing.B) {
	for name, wasm := range map[string][]byte{"keyrewrite": exampleGuests(b)["keyrewrite"], "go": goGuest(b)} {
		b.Run(name, func(b *testing.B) {
			compare(b, wasm, func(g *guest) func() error {
				key := "User:Profile:0123456789ABCDEF:xy"
				addr := g.must(b, hostabi.ExportBuf, uint64(hostabi.BufKey+len(key)))[0]
				before := prepared(b, hostabi.ExportBefore, hostabi.OpGet, uint64(len(key)), 0, 0, 0)(g)
				return func() error {
					g.Memory().WriteString(uint32(addr+hostabi.BufKey), key)
					return before()
				}
			})
		})
	}
}

// BenchmarkObserve takes 256 events.
func BenchmarkObserve(b *testing.B) {
	const events = 256
	block := make([]byte, events*hostabi.EventSize)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range block {
		block[i] = byte(r.Uint32())
	}
	for _, name := range []string{"hitratio", "timing"} {
		b.Run(name, func(b *testing.B) {
			compare(b, exampleGuests(b)[name], func(g *guest) func() error {
				if g.ExportedFunction(hostabi.ExportInit) != nil {
					g.must(b, hostabi.ExportInit, 0, 0)
				}
				addr := g.must(b, hostabi.ExportEvents, events)[0]
				observe := prepared(b, hostabi.ExportObserve, events)(g)
				return func() error {
					g.Memory().Write(uint32(addr), block)
					return observe()
				}
			})
		})
	}
}
