package examples

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/core/evict/policytest"
	"github.com/edgecache/edgecache/hostabi/abitest"
	"github.com/edgecache/edgecache/plugins"
)

// Forms that a guest policy has.
var forms = []string{"batch", "event"}

// eachPolicy runs a test on every example of a policy, in each of its languages.
func eachPolicy(t *testing.T, test func(t *testing.T, name, language string, m *plugins.PolicyModule)) {
	host, err := plugins.NewHost(t.Context(), plugins.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, name := range folders(t, "policies") {
		for _, language := range folders(t, filepath.Join("policies", name)) {
			t.Run(name+"/"+language, func(t *testing.T) {
				m, err := host.LoadPolicy(t.Context(), plugins.Source{Wasm: abitest.Build(t, name, language)})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := m.Close(context.Background()); err != nil {
						t.Error(err)
					}
				})
				test(t, name, language, m)
			})
		}
	}
}

// newPolicy makes a policy that is closed with the test, and must not have failed then.
func newPolicy(t *testing.T, m *plugins.PolicyModule, s evict.Spec) plugins.PolicyCache {
	t.Helper()
	p, err := m.New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Err(), p.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestPoliciesConform holds the policies against what every policy must do. Those in Go are left out but for one: their
// instances take long to make, and what the suite finds in one of them stands in the SDK, which they share.
func TestPoliciesConform(t *testing.T) {
	eachPolicy(t, func(t *testing.T, name, language string, m *plugins.PolicyModule) {
		if language == "go" && name != "lru" {
			t.Skip("one in Go is enough")
		}
		for _, form := range forms {
			t.Run(form, func(t *testing.T) {
				policytest.RunNew(t, func(s evict.Spec) (evict.Policy, error) {
					s.Params = map[string]string{"form": form}
					return newPolicy(t, m, s), nil
				})
			})
		}
	})
}

// TestPoliciesAreTheSame compares what the policies do with the native policy of that name, or for sizefirst with a plain
// model of it.
func TestPoliciesAreTheSame(t *testing.T) {
	eachPolicy(t, func(t *testing.T, name, _ string, m *plugins.PolicyModule) {
		for _, s := range []evict.Spec{
			{Capacity: 1},
			{Capacity: 2},
			{Capacity: 300},
			{Capacity: 2999},
			{Capacity: 5000},
			{Capacity: 500, Bytes: true},
			{Capacity: 100_000, Bytes: true},
			{Capacity: 1 << 40, Bytes: true},
		} {
			ids, sizes := popular(s.Capacity, s.Bytes)
			s.Objects = traceObjects
			want := replayed(t, ids, sizes, s, func(s evict.Spec) evict.Policy { return oracle(t, name, s) })
			for _, form := range forms {
				s.Params = map[string]string{"form": form}
				got := replayed(t, ids, sizes, s, func(s evict.Spec) evict.Policy { return newPolicy(t, m, s) })
				if !slices.Equal(got, want) {
					t.Errorf("capacity %d, bytes %v, form %s: hits, removals and evictions differ from those of %s",
						s.Capacity, s.Bytes, form, name)
				}
			}
		}
	})
}

const traceObjects, traceRequests = 3000, 30_000

// popular makes requests for objects of which some are more popular, with their sizes if those count.
func popular(seed uint64, bytes bool) (ids, sizes []uint32) {
	dice := rand.New(rand.NewPCG(seed, 1))
	next := rand.NewZipf(dice, 1.05, 5, traceObjects-1)
	for range traceRequests {
		id := uint32(next.Uint64())
		ids = append(ids, id)
		if bytes {
			sizes = append(sizes, id*2_654_435_761>>20+1)
		}
	}
	return ids, sizes
}

// replayed returns all that a policy does: the evicted ids in their order, behind those of each batch its hits. Between batches
// an object is removed.
func replayed(t *testing.T, ids, sizes []uint32, s evict.Spec, build func(evict.Spec) evict.Policy) (all []uint64) {
	t.Helper()
	s.Evicted = func(id uint32) { all = append(all, uint64(id)) }
	p := build(s)
	for at := 0; at < len(ids); {
		n := min(1+at%5000, len(ids)-at)
		hits := make([]uint64, (n+63)/64)
		var of []uint32
		if sizes != nil {
			of = sizes[at : at+n]
		}
		misses := p.Replay(ids[at:at+n], of, hits)
		all = append(append(all, hits...), uint64(misses), p.Used())
		if at += n; p.Contains(ids[at-1]) {
			p.Remove(ids[at-1])
		}
	}
	return all
}

// oracle returns a policy that does what the example called name should do.
func oracle(t *testing.T, name string, s evict.Spec) evict.Policy {
	t.Helper()
	if name == "sizefirst" {
		return &sizeFirst{Spec: s, size: make(map[uint32]uint32), window: 16}
	}
	p, err := evict.New(name, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sizeFirst is a model of the example of that name, which goes through all objects for each request.
type sizeFirst struct {
	evict.Spec
	queue  []uint32 // from the oldest to the newest
	size   map[uint32]uint32
	used   uint64
	window int
}

func (p *sizeFirst) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	clear(hits)
	for i, id := range ids {
		if p.Contains(id) {
			p.Hit(id)
			hits[i/64] |= 1 << (i % 64)
			continue
		}
		misses++
		size := uint32(1)
		if p.Bytes {
			size = sizes[i]
		}
		p.Insert(id, size)
	}
	return misses
}

func (p *sizeFirst) Hit(id uint32) {
	at := slices.Index(p.queue, id)
	p.queue = append(slices.Delete(p.queue, at, at+1), id)
}

func (p *sizeFirst) Insert(id, size uint32) bool {
	if uint64(size) > p.Capacity {
		return false
	}
	for p.used+uint64(size) > p.Capacity {
		victim := slices.MaxFunc(p.queue[:min(p.window, len(p.queue))], func(a, b uint32) int { return int(p.size[a]) - int(p.size[b]) })
		p.Remove(victim)
		p.Evicted(victim)
	}
	p.queue, p.size[id] = append(p.queue, id), size
	p.used += uint64(size)
	return true
}

func (p *sizeFirst) Remove(id uint32) {
	at := slices.Index(p.queue, id)
	p.queue = slices.Delete(p.queue, at, at+1)
	p.used -= uint64(p.size[id])
	delete(p.size, id)
}

func (p *sizeFirst) Contains(id uint32) bool { _, ok := p.size[id]; return ok }

func (p *sizeFirst) Used() uint64 { return p.used }

// TestPolicyParameters gives the policies parameters, which sizefirst alone has. One whose window is 1 is an LRU.
func TestPolicyParameters(t *testing.T) {
	eachPolicy(t, func(t *testing.T, name, _ string, m *plugins.PolicyModule) {
		s := evict.Spec{Objects: traceObjects, Capacity: 100_000, Bytes: true}
		for _, refused := range []map[string]string{
			{"absent": "1"},
			{"window": "1", "absent": ""},
			{"<\"\\\n\u2028\U0001F600>": "a\tb"},
			{strings.Repeat("long", 3000): ""},
			{"window": ""},
			{"window": "0"},
			{"window": "1001"},
			{"window": "-1"},
			{"window": "2x"},
			{"window": "99999999999999999999999"},
		} {
			s.Params = refused
			p, err := m.New(s)
			if err == nil {
				t.Fatalf("parameters %.80q are taken: %v", fmt.Sprint(refused), p.Close())
			}
			if wrong, ok := errors.AsType[*plugins.PolicyError](err); !ok || !strings.Contains(err.Error(), "parameter") &&
				!strings.Contains(err.Error(), "config byte") {
				t.Errorf("parameters %.80q: the error is %v, of %T", fmt.Sprint(refused), err, wrong)
			}
		}
		if name != "sizefirst" {
			return
		}
		ids, sizes := popular(1, true)
		for window, same := range map[string]func(evict.Spec) evict.Policy{
			"1": func(s evict.Spec) evict.Policy { return oracle(t, "lru", s) },
			"1000": func(s evict.Spec) evict.Policy {
				return &sizeFirst{Spec: s, size: make(map[uint32]uint32), window: 1000}
			},
		} {
			s.Params = nil
			want := replayed(t, ids, sizes, s, same)
			s.Params = map[string]string{"window": window}
			if !slices.Equal(replayed(t, ids, sizes, s, func(s evict.Spec) evict.Policy { return newPolicy(t, m, s) }), want) {
				t.Errorf("window %s: other hits and evictions than those of the model", window)
			}
		}
	})
}
