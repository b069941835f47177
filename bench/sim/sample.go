package sim

import "github.com/edgecache/edgecache/bench/trace"

// sample returns the requests for about that share of the objects, which a hash chooses, so that all requests for an object
// are in it or none. Ids are dense again.
//
// C. Waldspurger et al., Efficient MRC construction with SHARDS, FAST 2015, and for caches in general: Cache modeling and
// optimization using miniature simulations, USENIX ATC 2017.
func sample(t *trace.Trace, rate float64, seed uint64) *stream {
	const absent = 1<<32 - 1
	ids := make([]uint32, t.Objects) // of the sample, by those of the trace
	s := &stream{rate: rate}
	limit := uint64(rate * (1 << 63) * 2)
	key := mix(seed)
	for id := range ids {
		ids[id] = absent
		if mix(uint64(id)^key) < limit {
			ids[id] = uint32(s.objects)
			s.objects++
		}
	}
	for i, id := range t.IDs {
		if ids[id] == absent {
			continue
		}
		s.ids = append(s.ids, ids[id])
		if t.Sizes != nil {
			s.sizes = append(s.sizes, t.Sizes[i])
		}
		if t.Costs != nil {
			s.costs = append(s.costs, t.Costs[i])
		}
		if t.Ops != nil {
			s.ops = append(s.ops, t.Ops[i])
		}
		if t.TTLs != nil {
			s.ttls = append(s.ttls, t.TTLs[i])
		}
		s.times = append(s.times, t.Time(i))
	}
	return s
}

// mix is the generator splitmix64 at place x: each bit of x changes half of the bits.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
