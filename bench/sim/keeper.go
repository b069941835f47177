package sim

import (
	"math"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
)

// keeper replays requests one by one to a policy that knows nothing of time and of operations. What is too old it takes out
// when that is asked for, as caches do that look at the age of what they find: until then it takes its room. In a cache
// beside the source it leaves it to sets to bring objects in, and to deletes to take them out.
type keeper struct {
	policy  evict.Policy
	stream  *stream
	limit   uint64  // larger objects are never let in
	dies    []int64 // by id, of residents: when; forever of those that live on. nil where all do
	expired uint64  // misses of what was there, but too old
	came    moved   // what was brought, let in or not
	removed moved   // what was too old, or deleted
}

const forever = math.MaxInt64

// keeper returns what replays the stream to p, or nil where p can do that itself.
func (j *job) keeper(p evict.Policy) *keeper {
	if !j.stream.oneByOne() {
		return nil
	}
	k := &keeper{policy: p, stream: j.stream, limit: j.limit()}
	if j.stream.ttl != 0 {
		k.dies = make([]int64, j.stream.objects)
	}
	return k
}

// replay does what Policy.Replay does, for the requests from number from to number to.
func (k *keeper) replay(from, to int, weights []uint32, hits []uint64) (misses int) {
	clear(hits[:(to-from+63)/64])
	request := k.through
	if k.stream.aside {
		request = k.beside
	}
	for i := from; i < to; i++ {
		weight := uint32(1)
		if weights != nil {
			weight = weights[i]
		}
		if request(i, weight) {
			hits[(i-from)/64] |= 1 << ((i - from) & 63)
		} else {
			misses++
		}
	}
	return misses
}

// through does request i in a cache before the source, and reports whether it hits: if not, the cache fetches the object.
func (k *keeper) through(i int, weight uint32) bool {
	if !k.finds(i) {
		k.bring(i, weight)
		return false
	}
	k.policy.Hit(k.stream.ids[i])
	k.renew(i)
	return true
}

// beside does request i in a cache beside the source, and reports whether it is none that misses. A get that misses changes
// nothing: whoever asked sets the object, if at all, with a request of its own.
func (k *keeper) beside(i int, weight uint32) bool {
	id, op := k.stream.ids[i], k.stream.op(i)
	found := k.finds(i)
	switch {
	case op == trace.OpSet && !found:
		k.bring(i, weight)
	case !found:
		return op != trace.OpGet
	case op == trace.OpDelete:
		k.remove(id)
	default:
		if op != trace.OpOther {
			k.policy.Hit(id)
		}
		k.renew(i)
	}
	return true
}

// finds reports whether what request i asks for is there and not too old.
func (k *keeper) finds(i int) bool {
	id := k.stream.ids[i]
	switch {
	case !k.policy.Contains(id):
		return false
	case k.dies == nil || k.stream.time(i) < k.dies[id]:
		return true
	}
	if k.stream.canMiss(i) {
		k.expired++
	}
	k.remove(id)
	return false
}

// bring offers the policy what request i asks for.
func (k *keeper) bring(i int, weight uint32) {
	id := k.stream.ids[i]
	if uint64(weight) > k.limit {
		return
	}
	k.came.add(k.stream, id)
	k.policy.Insert(id, weight)
	if k.dies != nil {
		k.dies[id] = k.stream.end(i)
	}
}

// renew has a resident live anew where request i sets it, or says how long it lives from here on and is no get.
func (k *keeper) renew(i int) {
	if k.dies != nil && k.stream.renews(i) {
		k.dies[k.stream.ids[i]] = k.stream.end(i)
	}
}

func (k *keeper) remove(id uint32) {
	k.removed.add(k.stream, id)
	k.policy.Remove(id)
}

// renews reports whether request i begins a new life of what is there.
func (s *stream) renews(i int) bool {
	switch s.op(i) {
	case trace.OpSet:
		return true
	case trace.OpOther:
		return s.ttl == SourceTTL && s.ttls[i] > 0
	default:
		return false
	}
}

// end returns until when a life lasts that begins with request i.
func (s *stream) end(i int) int64 {
	lifetime, now := s.ttl, s.time(i)
	if lifetime == SourceTTL {
		lifetime = int64(s.ttls[i])
	}
	if lifetime == 0 || now > forever-lifetime {
		return forever
	}
	return now + lifetime
}
