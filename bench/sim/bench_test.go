package sim

import (
	"testing"

	"github.com/edgecache/edgecache/core/evict"
)

// BenchmarkJob compares a whole job with what the policy in it costs alone.
func BenchmarkJob(b *testing.B) {
	tr := made(1, 4_000_000, 700_000)
	spec := evict.Spec{Objects: tr.Objects, Capacity: uint64(tr.Objects / 10)}
	report := func(b *testing.B) {
		b.ReportMetric(float64(len(tr.IDs))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mreq/s")
	}
	for _, name := range []string{"lru", "sieve"} {
		b.Run(name+"/alone", func(b *testing.B) {
			hits := make([]uint64, batch/64)
			for b.Loop() {
				p, err := evict.New(name, spec)
				if err != nil {
					b.Fatal(err)
				}
				for at := 0; at < len(tr.IDs); at += batch {
					p.Replay(tr.IDs[at:min(at+batch, len(tr.IDs))], nil, hits)
				}
			}
			report(b)
		})
		b.Run(name+"/job", func(b *testing.B) {
			p, err := Native(name)
			if err != nil {
				b.Fatal(err)
			}
			s := whole(tr)
			for b.Loop() {
				j := job{policy: p, stream: s, capacity: spec.Capacity}
				if j.run(b.Context()); j.err != nil {
					b.Fatal(j.err)
				}
			}
			report(b)
		})
	}
}
