package evict

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkReplay is a request for one of 500,000 objects, some of which are popular, with room for a tenth of them.
func BenchmarkReplay(b *testing.B) {
	const objects, requests, batch = 500_000, 2_000_000, 4096
	popular := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 10, objects-1)
	ids := make([]uint32, requests)
	for i := range ids {
		ids[i] = uint32(popular.Uint64()*2_654_435_761) % objects // neighbours in popularity are none in memory
	}
	hits := make([]uint64, batch/64)
	for _, info := range Policies() {
		if !info.Online {
			continue
		}
		b.Run(info.Name, func(b *testing.B) {
			p, err := New(info.Name, Spec{Objects: objects, Capacity: objects / 10})
			if err != nil {
				b.Fatal(err)
			}
			p.Replay(ids, nil, make([]uint64, requests/64))
			b.ResetTimer()
			for at, done := 0, 0; done < b.N; done += batch {
				if at+batch > requests {
					at = 0
				}
				p.Replay(ids[at:at+batch], nil, hits)
				at += batch
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mreq/s")
		})
	}
}
