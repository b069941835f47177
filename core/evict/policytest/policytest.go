// Package policytest is the conformance suite of evict.Policy. A new policy is done when it passes.
package policytest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
)

// Run tests the policy that evict.New knows by that name.
func Run(t *testing.T, name string) {
	t.Helper()
	RunNew(t, func(s evict.Spec) (evict.Policy, error) { return evict.New(name, s) })
}

// RunNew tests the policies that build makes. Each has the same choices to make by chance, if it has any, for the same seed.
func RunNew(t *testing.T, build func(evict.Spec) (evict.Policy, error)) {
	t.Helper()
	s := &suite{build: build}
	t.Run("one by one", func(t *testing.T) { s.each(t, oneByOne) })
	t.Run("replay", func(t *testing.T) { s.each(t, replay) })
	t.Run("same seed", func(t *testing.T) { s.each(t, sameSeed) })
	t.Run("bounds", func(t *testing.T) { s.each(t, bounds) })
	t.Run("what fits stays", s.fits)
	t.Run("nothing is allocated", s.allocates)
}

type suite struct {
	build func(evict.Spec) (evict.Policy, error)
}

// run is a policy at work: what it did is followed in seen, which knows nothing of how policies work.
type run struct {
	*testing.T
	evict.Policy
	trace
	seen *witness
}

// start makes a policy for a trace.
func (s *suite) start(t *testing.T, tr trace, capacity uint64, seed uint64) *run {
	t.Helper()
	w := newWitness(t, tr.objects)
	spec := evict.Spec{
		Objects: tr.objects, Capacity: capacity, Bytes: tr.sizes != nil, Seed: seed,
		Evicted: w.evicted, Forgotten: w.forgotten,
	}
	p, err := s.build(spec)
	if err != nil {
		t.Fatal(err)
	}
	if offline, ok := p.(evict.Offline); ok {
		offline.Prepare(tr.ids, tr.sizes)
	}
	w.capacity = capacity
	return &run{T: t, Policy: p, trace: tr, seen: w}
}

// each runs a check with every kind of trace and many capacities, down to one and up to more than there are objects.
func (s *suite) each(t *testing.T, check func(s *suite, t *testing.T, tr trace, capacity uint64)) {
	for _, kind := range kinds {
		for _, capacity := range []uint64{1, 2, 3, 7, 20, 64, objects - 1, objects, 2 * objects, 1 << 62} {
			t.Run(fmt.Sprintf("%s/%d objects", kind.name, capacity), func(t *testing.T) {
				check(s, t, kind.trace(uint64(len(kind.name)), false), capacity)
			})
		}
		for _, capacity := range []uint64{1, 10, 100, 1000, 3333, 1 << 62} {
			t.Run(fmt.Sprintf("%s/%d bytes", kind.name, capacity), func(t *testing.T) {
				check(s, t, kind.trace(uint64(len(kind.name)), true), capacity)
			})
		}
	}
}

// oneByOne asks as a cache does that lives, which also takes objects out.
func oneByOne(s *suite, t *testing.T, tr trace, capacity uint64) {
	r := s.start(t, tr, capacity, 1)
	for i := range tr.ids {
		r.request(i)
		if i%23 == 0 {
			r.remove(i)
		}
		if i%97 == 0 {
			r.agree(i)
		}
	}
	r.agree(len(tr.ids))
}

// request asks for the object of request i, and reports whether it hits.
func (r *run) request(i int) bool {
	id, size := r.ids[i], r.size(i)
	hit := r.seen.state[id] == resident
	if r.Contains(id) != hit {
		r.Fatalf("request %d: Contains(%d) = %v of an object that %s", i, id, !hit, r.seen.state[id])
	}
	if hit {
		r.Hit(id)
		if r.seen.state[id] != resident {
			r.Fatalf("request %d: Hit(%d) threw out that very object", i, id)
		}
	} else {
		r.seen.comes(id, size)
		in := r.Insert(id, size)
		if in && r.sizes != nil && uint64(size) > r.seen.capacity {
			r.Fatalf("request %d: Insert(%d) let %d bytes into a cache of %d", i, id, size, r.seen.capacity)
		}
		r.seen.came(id, in)
		if r.Contains(id) != in {
			r.Fatalf("request %d: Contains(%d) = %v after Insert returned %v", i, id, !in, in)
		}
	}
	r.within(i)
	return hit
}

// remove takes out one of the residents.
func (r *run) remove(i int) {
	for n := range uint32(r.objects) {
		id := (r.ids[i] + n) % uint32(r.objects)
		if r.seen.state[id] == resident {
			r.seen.gone(id)
			r.Remove(id)
			if r.Contains(id) {
				r.Fatalf("request %d: Contains(%d) after Remove", i, id)
			}
			r.within(i)
			return
		}
	}
}

// within demands that the policy uses what its residents take, which is not too much.
func (r *run) within(i int) {
	if used := r.Used(); used != r.seen.used || used > r.seen.capacity {
		r.Fatalf("request %d: Used() = %d where the residents take %d of %d", i, used, r.seen.used, r.seen.capacity)
	}
}

// agree demands that the policy and the witness have the same residents.
func (r *run) agree(i int) {
	for id, state := range r.seen.state {
		if r.Contains(uint32(id)) != (state == resident) {
			r.Fatalf("request %d: Contains(%d) = %v of an object that %s", i, id, state != resident, state)
		}
	}
}

// replay asks in batches of all lengths, and demands what one by one gives: the same hits, objects thrown out and forgotten.
func replay(s *suite, t *testing.T, tr trace, capacity uint64) {
	single, batched := s.start(t, tr, capacity, 2), s.start(t, tr, capacity, 2)
	batched.seen.blind = true
	for at, n := 0, 1; at < len(tr.ids); at, n = at+n, n*5%211 {
		n = min(n, len(tr.ids)-at)
		var sizes []uint32
		if tr.sizes != nil {
			sizes = tr.sizes[at : at+n]
		}
		hits := slices.Repeat([]uint64{1<<64 - 1}, n/64+1)
		misses := batched.Replay(tr.ids[at:at+n], sizes, hits)
		for i := range n {
			hit := hits[i>>6]>>(i&63)&1 == 1
			if single.request(at+i) != hit {
				t.Fatalf("request %d of batch %d to %d: Replay says hit = %v, which Hit and Insert deny", at+i, at, at+n, hit)
			}
			if !hit {
				misses--
			}
		}
		if misses != 0 {
			t.Fatalf("batch %d to %d: Replay returned %d misses too many", at, at+n, misses)
		}
		if !slices.Equal(batched.seen.told, single.seen.told) {
			t.Fatalf("batch %d to %d: Replay threw out and forgot others than Hit and Insert did", at, at+n)
		}
		if single.Used() != batched.Used() {
			t.Fatalf("batch %d to %d: Used() = %d after Replay, %d after Hit and Insert", at, at+n, batched.Used(), single.Used())
		}
	}
}

// sameSeed demands the same of two policies of a seed.
func sameSeed(s *suite, t *testing.T, tr trace, capacity uint64) {
	a, b := s.start(t, tr, capacity, 3), s.start(t, tr, capacity, 3)
	for i := range tr.ids {
		if a.request(i) != b.request(i) {
			t.Fatalf("request %d hits one of two caches with the same seed", i)
		}
	}
	if !slices.Equal(a.seen.told, b.seen.told) {
		t.Fatal("two caches with the same seed threw out or forgot others")
	}
}

// bounds demands no fewer misses than are possible: than OPT has, of a policy that lets everything in and counts objects, and
// than those of the bound for any.
func bounds(s *suite, t *testing.T, tr trace, capacity uint64) {
	tr = tr.steady()
	r := s.start(t, tr, capacity, 5)
	got := evict.Point{Capacity: capacity}
	refuses := false
	for i, id := range tr.ids {
		if !r.request(i) {
			got.Misses++
			got.MissBytes += uint64(tr.size(i))
			refuses = refuses || !r.Contains(id)
		}
	}
	bound := evict.PFOOL(tr.ids, tr.sizes, []uint64{capacity}, tr.sizes != nil)[0]
	if got.Misses < bound.Misses || got.MissBytes < bound.MissBytes {
		t.Fatalf("%+v is not possible: the bound is %+v", got, bound)
	}
	if refuses || tr.sizes != nil {
		return
	}
	best, err := evict.New("opt", evict.Spec{Objects: tr.objects, Capacity: capacity})
	if err != nil {
		t.Fatal(err)
	}
	best.(evict.Offline).Prepare(tr.ids, nil)
	if least := best.Replay(tr.ids, nil, make([]uint64, len(tr.ids)/64+1)); got.Misses < least {
		t.Fatalf("%d misses of a policy that lets everything in, and OPT has %d", got.Misses, least)
	}
}

// fits demands that a cache with room for all objects misses each once, and throws none out.
func (s *suite) fits(t *testing.T) {
	for _, kind := range kinds {
		for _, bytes := range []bool{false, true} {
			tr := kind.trace(7, bytes).twice()
			capacity := uint64(objects)
			if bytes { // what has parts may not fill them to the last byte
				capacity = 64 * objects * usual
			}
			r := s.start(t, tr, capacity, 4)
			seen := make([]bool, objects)
			for i, id := range tr.ids {
				if hit := r.request(i); hit != seen[id] {
					t.Fatalf("%s, bytes %v: request %d hits: %v, but all there is fits", kind.name, bytes, i, hit)
				}
				seen[id] = true
			}
			if len(r.seen.told) > 0 {
				t.Fatalf("%s, bytes %v: something was thrown out, but all there is fits", kind.name, bytes)
			}
		}
	}
}

// allocates demands that Replay allocates nothing once the policy has seen all objects.
func (s *suite) allocates(t *testing.T) {
	const runs = 10
	for _, bytes := range []bool{false, true} {
		tr := kinds[0].trace(5, bytes)
		all := trace{objects: tr.objects, ids: slices.Repeat(tr.ids, runs+2), sizes: slices.Repeat(tr.sizes, runs+2)}
		if !bytes {
			all.sizes = nil
		}
		p, err := s.build(evict.Spec{Objects: all.objects, Capacity: objects / 2, Bytes: bytes})
		if err != nil {
			t.Fatal(err)
		}
		if offline, ok := p.(evict.Offline); ok {
			offline.Prepare(all.ids, all.sizes)
		}
		hits := make([]uint64, len(tr.ids)/64+1)
		p.Replay(tr.ids, tr.sizes, hits)
		if n := testing.AllocsPerRun(runs, func() { p.Replay(tr.ids, tr.sizes, hits) }); n > 0 {
			t.Errorf("bytes %v: Replay allocates %v times", bytes, n)
		}
	}
}
