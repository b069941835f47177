package examples

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/core/evict/policytest"
	"github.com/edgecache/edgecache/hostabi/abitest"
	"github.com/edgecache/edgecache/plugins"
)

// probes are policies that tests alone have, for what none of the examples does: hostabi/abitest/guests/policies.
var probes = []struct {
	name, language string
	forms          []string
	model          func(s evict.Spec) evict.Policy
}{
	{"remember", "c", forms, newRemembering},
	{"remember", "rust", forms, newRemembering},
	{"remember", "as", forms, newRemembering},
	{"makeroom", "c", forms[:1], newMakingRoom},
}

// loadProbe returns a probe, which is unloaded with the test.
func loadProbe(t *testing.T, name, language string) *plugins.PolicyModule {
	t.Helper()
	host, err := plugins.NewHost(t.Context(), plugins.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close(context.Background()) })
	m, err := host.LoadPolicy(t.Context(), plugins.Source{Wasm: abitest.Build(t, name, language)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// TestProbesConform holds what the SDKs make of EC_POLICY_ACCESS, admit and forget against what every policy must do.
func TestProbesConform(t *testing.T) {
	for _, probe := range probes {
		t.Run(probe.name+"/"+probe.language, func(t *testing.T) {
			m := loadProbe(t, probe.name, probe.language)
			for _, form := range probe.forms {
				t.Run(form, func(t *testing.T) {
					policytest.RunNew(t, func(s evict.Spec) (evict.Policy, error) {
						s.Params = map[string]string{"form": form}
						return newPolicy(t, m, s), nil
					})
				})
			}
		})
	}
}

// TestProbesAreTheirModels compares what the probes do with plain models of them, where ids are for good and where they are
// used again.
func TestProbesAreTheirModels(t *testing.T) {
	for _, probe := range probes {
		t.Run(probe.name+"/"+probe.language, func(t *testing.T) {
			m := loadProbe(t, probe.name, probe.language)
			for _, s := range []evict.Spec{
				{Capacity: 1},
				{Capacity: 2},
				{Capacity: 300},
				{Capacity: 5000},
				{Capacity: 500, Bytes: true},
				{Capacity: 100_000, Bytes: true},
			} {
				for _, form := range probe.forms {
					for _, reused := range []bool{false, true} {
						compareProbe(t, m, probe.model, s, form, reused)
					}
				}
			}
		})
	}
}

func compareProbe(t *testing.T, m *plugins.PolicyModule, model func(evict.Spec) evict.Policy, s evict.Spec, form string, reused bool) {
	t.Helper()
	ids, sizes := popular(s.Capacity, s.Bytes)
	s.Objects = traceObjects
	done := func(build func(evict.Spec) evict.Policy) (all, forgotten []uint64) {
		all = replayed(t, ids, sizes, s, func(s evict.Spec) evict.Policy {
			if reused {
				s.Forgotten = func(id uint32) { forgotten = append(forgotten, uint64(id)) }
			}
			return build(s)
		})
		return all, forgotten
	}
	want, wantForgotten := done(model)
	got, gotForgotten := done(func(s evict.Spec) evict.Policy {
		s.Params = map[string]string{"form": form}
		return newPolicy(t, m, s)
	})
	if !slices.Equal(got, want) || !slices.Equal(gotForgotten, wantForgotten) {
		t.Errorf("capacity %d, bytes %v, form %s, ids used again %v: what is done differs from what the model does",
			s.Capacity, s.Bytes, form, reused)
	}
}

// TestAccessHasNoEvents asks for the form that EC_POLICY_ACCESS does not make.
func TestAccessHasNoEvents(t *testing.T) {
	m := loadProbe(t, "makeroom", "c")
	p, err := m.New(evict.Spec{Objects: 10, Capacity: 5, Params: map[string]string{"form": "event"}})
	if err == nil {
		t.Fatalf("a policy without events is asked by them: %v", p.Close())
	}
	if !strings.Contains(err.Error(), "form") {
		t.Errorf("the error is %v, which does not say that the form is not there", err)
	}
}

// probeQueue is what the models have in common: residents in an order, from the oldest to the newest.
type probeQueue struct {
	evict.Spec
	queue []uint32
	size  map[uint32]uint32
	used  uint64
}

func newProbeQueue(s evict.Spec) probeQueue {
	return probeQueue{Spec: s, size: make(map[uint32]uint32)}
}

func (q *probeQueue) Contains(id uint32) bool { _, ok := q.size[id]; return ok }
func (q *probeQueue) Used() uint64            { return q.used }

func (q *probeQueue) come(id, size uint32) {
	q.queue, q.size[id] = append(q.queue, id), size
	q.used += uint64(size)
}

func (q *probeQueue) touch(id uint32) {
	at := slices.Index(q.queue, id)
	q.queue = append(slices.Delete(q.queue, at, at+1), id)
}

func (q *probeQueue) leave(id uint32) {
	at := slices.Index(q.queue, id)
	q.queue = slices.Delete(q.queue, at, at+1)
	q.used -= uint64(q.size[id])
	delete(q.size, id)
}

// replayOn asks a model for requests one by one.
func replayOn(p evict.Policy, ids, sizes []uint32, hits []uint64) (misses int) {
	clear(hits)
	for i, id := range ids {
		if p.Contains(id) {
			p.Hit(id)
			hits[i/64] |= 1 << (i % 64)
			continue
		}
		misses++
		size := uint32(1)
		if sizes != nil {
			size = sizes[i]
		}
		p.Insert(id, size)
	}
	return misses
}

// remembering is the model of remember, and of what the host has it forget: of what it threw out, as many objects as are
// resident, every 64 requests.
type remembering struct {
	probeQueue
	gone  map[uint32]bool
	past  []uint32 // from the oldest to the newest, where ids are used again
	asked int
}

func newRemembering(s evict.Spec) evict.Policy {
	return &remembering{probeQueue: newProbeQueue(s), gone: make(map[uint32]bool)}
}

func (p *remembering) Replay(ids, sizes []uint32, hits []uint64) int {
	return replayOn(p, ids, sizes, hits)
}

func (p *remembering) Hit(id uint32) {
	p.touch(id)
	p.pause()
}

func (p *remembering) Insert(id, size uint32) bool {
	defer p.pause()
	if p.Bytes && uint64(size) > p.Capacity {
		return false
	}
	if p.gone[id] {
		delete(p.gone, id)
		return false
	}
	for p.used+uint64(size) > p.Capacity {
		victim := p.queue[0]
		p.leave(victim)
		p.Evicted(victim)
		p.gone[victim] = true
		p.past = append(p.past, victim)
	}
	p.come(id, size)
	if at := slices.Index(p.past, id); at >= 0 {
		p.past = slices.Delete(p.past, at, at+1)
	}
	return true
}

func (p *remembering) Remove(id uint32) {
	p.leave(id)
	p.forget(id)
}

func (p *remembering) forget(id uint32) {
	if p.Forgotten != nil {
		delete(p.gone, id)
		p.Forgotten(id)
	}
}

func (p *remembering) pause() {
	if p.asked++; p.asked%64 != 0 || p.Forgotten == nil {
		return
	}
	for len(p.past) > len(p.queue) {
		p.forget(p.past[0])
		p.past = p.past[1:]
	}
}

// makingRoom is the model of makeroom.
type makingRoom struct {
	probeQueue
	owes bool
}

func newMakingRoom(s evict.Spec) evict.Policy { return &makingRoom{probeQueue: newProbeQueue(s)} }

func (p *makingRoom) Replay(ids, sizes []uint32, hits []uint64) int {
	return replayOn(p, ids, sizes, hits)
}

func (p *makingRoom) Hit(id uint32) {
	p.touch(id)
	if p.owes && p.queue[0] != id {
		p.throwOut()
	}
	p.owes = false
}

func (p *makingRoom) Insert(id, size uint32) bool {
	full := func() bool { return p.used+uint64(size) > p.Capacity }
	if p.Bytes && uint64(size) > p.Capacity || full() && id%16 == 15 {
		return false
	}
	for ; full(); p.owes = true {
		p.throwOut()
	}
	p.come(id, size)
	return true
}

func (p *makingRoom) Remove(id uint32) {
	p.leave(id)
	if p.Forgotten != nil {
		p.Forgotten(id)
	}
}

func (p *makingRoom) throwOut() {
	id := p.queue[0]
	p.leave(id)
	p.Evicted(id)
	if p.Forgotten != nil {
		p.Forgotten(id)
	}
}
