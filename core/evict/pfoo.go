package evict

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// PFOOL returns for each of the capacities, which may be in any order, what no cache can do better than: no policy, though it
// knew the future and refused what it likes to, has fewer Misses, none has fewer MissBytes. The two come from different
// choices, one policy need not reach both. The capacities are bytes if bytes is set, else objects. sizes may be nil, then each
// is 1. Ids are dense, so that the largest tells how many there are, and the size of an object is that of its first request.
//
// To hit, an object must stay from one request to the next, which takes room for that time. The cache has its capacity at any
// time; the bound is what fits if it only has to hold on average: the cheapest first, the last one in part.
//
// D. S. Berger, N. Beckmann, M. Harchol-Balter, Practical bounds on optimal caching with variable object sizes, POMACS 2(2),
// 2018: PFOO-L.
func PFOOL(ids, sizes []uint32, capacities []uint64, bytes bool) []Point {
	own := ownSizes(ids, sizes)
	stays := staysOf(ids, own, bytes)
	points := make([]Point, len(capacities))
	for i, capacity := range capacities {
		points[i] = Point{Capacity: capacity, Misses: len(ids), MissBytes: own.total}
	}
	slices.SortFunc(stays, func(a, b stay) int { return cmp.Compare(a.cost, b.cost) })
	for i := range points {
		hits := pack(stays, budget(points[i].Capacity, len(ids)), room(points[i].Capacity, bytes))
		points[i].Misses -= int(hits.n)
	}
	slices.SortFunc(stays, func(a, b stay) int { // what has no bytes gains none: it is last
		ah, al := bits.Mul64(a.cost, uint64(b.size))
		bh, bl := bits.Mul64(b.cost, uint64(a.size))
		return cmp.Or(cmp.Compare(min(b.size, 1), min(a.size, 1)), cmp.Compare(ah, bh), cmp.Compare(al, bl))
	})
	for i := range points {
		hits := pack(stays, budget(points[i].Capacity, len(ids)), room(points[i].Capacity, bytes))
		points[i].MissBytes -= hits.bytes
	}
	return points
}

// stay is an object in the cache from one request to the next.
type stay struct {
	cost uint64 // room times requests
	size uint32
}

func staysOf(ids []uint32, own sizesOf, bytes bool) []stay {
	stays := make([]stay, 0, max(0, len(ids)-len(own.of)))
	last := make([]int, len(own.of)) // position and 1
	for i, id := range ids {
		if last[id] != 0 {
			s := stay{cost: uint64(i + 1 - last[id]), size: own.of[id]}
			if bytes {
				s.cost *= uint64(s.size)
			}
			stays = append(stays, s)
		}
		last[id] = i + 1
	}
	return stays
}

// budget is what all stays can cost together.
func budget(capacity uint64, requests int) uint64 {
	if high, low := bits.Mul64(capacity, uint64(requests)); high == 0 {
		return low
	}
	return math.MaxUint64
}

// room is the size of the largest object that can be resident.
func room(capacity uint64, bytes bool) uint64 {
	if !bytes {
		return math.MaxUint64
	}
	return capacity
}

// pack counts the stays that the budget is for, in their order, and of the first one that is too much the bytes that it is
// for.
func pack(stays []stay, budget, room uint64) tally {
	var hits tally
	for _, s := range stays {
		if uint64(s.size) > room {
			continue
		}
		if s.cost > budget {
			high, low := bits.Mul64(budget, uint64(s.size))
			part, _ := bits.Div64(high, low, s.cost)
			hits.bytes += part
			break
		}
		budget -= s.cost
		hits.n++
		hits.bytes += uint64(s.size)
	}
	return hits
}
