package examples

import (
	"context"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

func BenchmarkKeyRewrite(b *testing.B) {
	for _, bench := range []struct{ name, config, key string }{
		{"none", `{}`, "GET/Products/0123456789abcdef012"},
		{"unchanged", `{"rules":[{"lowercase":true}]}`, "get/products/0123456789abcdef012"},
		{"lowercase+prefix", `{"rules":[{"lowercase":true},{"prefix":"v1:"}]}`, "GET/Products/0123456789abcdef012"},
		{"strip_query", `{"rules":[{"strip_query":["utm_*","fbclid"]}]}`, "/products/17?a=1&utm_source=x&b=2&fbclid=3"},
		{"replace", `{"rules":[{"replace":{"pattern":"/img/*/thumb","with":"/img/$1"}}]}`, "/img/0123456789abcdef/thumb"},
		{"hash", `{"rules":[{"hash_longer_than":64}]}`, string(make([]byte, 200))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			g := compile(b, "keyrewrite").start(b)
			if text := g.init([]byte(bench.config)); text != "" {
				b.Fatal(text)
			}
			fn, buf := g.fn[hostabi.ExportBefore], g.read(g.buf, hostabi.MinBuf)
			key, out := []byte(bench.key), make([]byte, 0, 512)
			ctx, stack := context.Background(), g.stack[:]
			b.ReportAllocs()
			for b.Loop() {
				copy(buf[hostabi.BufKey:], key)
				stack[0], stack[1], stack[2], stack[3], stack[4] = hostabi.OpGet, uint64(len(key)), 0, 0, 0
				if err := fn.CallWithStack(ctx, stack); err != nil {
					b.Fatal(err)
				}
				if a := hostabi.DecodeAction(stack[0]); a.Code == hostabi.ActionKey {
					view, _ := g.mod.Memory().Read(g.buf+a.Offset, a.Length)
					out = append(out[:0], view...)
				}
			}
		})
	}
}

// BenchmarkObserve reports the time of an event, copying it into the guest included.
func BenchmarkObserve(b *testing.B) {
	for _, name := range []string{"hitratio", "timing"} {
		b.Run(name, func(b *testing.B) {
			g := compile(b, name).start(b)
			var events []byte
			for i := range hostabi.EventBatch {
				op := uint8(hostabi.OpGet + i%2)
				events = appendEvent(events, op, uint8(hostabi.OutcomeHit+i%3&1), uint16(i%5), uint32(i*1000))
			}
			fn, buf := g.fn[hostabi.ExportObserve], g.read(g.events, uint32(len(events)))
			ctx, stack := context.Background(), g.stack[:]
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, events)
				stack[0] = hostabi.EventBatch
				if err := fn.CallWithStack(ctx, stack); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/hostabi.EventBatch, "ns/event")
		})
	}
}
