package plugins

import (
	"context"
	_ "embed"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/core/evict/policytest"
	"github.com/edgecache/edgecache/hostabi"
)

// policyLRU is LRU in both forms: see testdata/policy/lru.c.
//
//go:embed testdata/policy/lru.wasm
var policyLRU []byte

// policyRemember is LRU in both forms that keeps out what it has thrown out, once, unless it is told to forget it.
//
//go:embed testdata/policy/remember.wasm
var policyRemember []byte

// policyManifest is what policies of the tests have.
const policyManifest = `{"name": "tested", "version": "1", "abi": "policy/1", "needs": ["log"]}`

func loadPolicy(t testing.TB, wasm []byte) *PolicyModule {
	t.Helper()
	h, _ := newHost(t)
	m, err := h.LoadPolicy(t.Context(), Source{Wasm: wasm, Manifest: []byte(policyManifest)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

// newPolicy makes a policy that is closed with the test, and must not have failed then.
func newPolicy(t testing.TB, m *PolicyModule, s evict.Spec) PolicyCache {
	t.Helper()
	p, err := m.New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Err(), p.Close(), p.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// assembleFile assembles a guest of testdata/policy.
func assembleFile(t *testing.T, name string) []byte {
	t.Helper()
	wat, err := os.ReadFile("testdata/policy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return assemble(t, string(wat))
}

func TestGuestPoliciesConform(t *testing.T) {
	for _, test := range []struct {
		name   string
		wasm   func(t *testing.T) []byte
		params map[string]string
	}{
		{"lru in batches", func(*testing.T) []byte { return policyLRU }, nil},
		{"lru by events", func(*testing.T) []byte { return policyLRU }, map[string]string{"form": "event"}},
		{"fifo in batches", func(t *testing.T) []byte { return assembleFile(t, "fifo_batch.wat") }, nil},
		{"fifo by events", func(t *testing.T) []byte { return assembleFile(t, "fifo_event.wat") }, nil},
		{"remembering in batches", func(*testing.T) []byte { return policyRemember }, nil},
		{"remembering by events", func(*testing.T) []byte { return policyRemember }, map[string]string{"form": "event"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := loadPolicy(t, test.wasm(t))
			policytest.RunNew(t, func(s evict.Spec) (evict.Policy, error) {
				s.Params = test.params
				return newPolicy(t, m, s), nil
			})
		})
	}
}

// TestGuestLRUIsLRU compares guests with the native policy, in caches that run at the same time.
func TestGuestLRUIsLRU(t *testing.T) {
	const objects, requests = 3000, 60_000
	dice := rand.New(rand.NewPCG(1, 2))
	popular := rand.NewZipf(dice, 1.05, 5, objects-1)
	ids, sizes := make([]uint32, requests), make([]uint32, requests)
	for i := range ids {
		ids[i] = uint32(popular.Uint64())
		sizes[i] = ids[i]*2_654_435_761>>20 + 1
	}
	m := loadPolicy(t, policyLRU)
	var all sync.WaitGroup
	for _, form := range []string{"batch", "event"} {
		for _, s := range []evict.Spec{
			{Capacity: 1},
			{Capacity: 300},
			{Capacity: 2999},
			{Capacity: 5000},
			{Capacity: 300, Bytes: true},
			{Capacity: 100_000, Bytes: true},
			{Capacity: 1 << 40, Bytes: true},
		} {
			s.Objects, s.Params = objects, map[string]string{"form": form}
			guest := newPolicy(t, m, s)
			s.Params = nil
			native, err := evict.New("lru", s)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { compareReplays(t, guest, native, &s, ids, sizes) })
		}
	}
	all.Wait()
}

// compareReplays demands the same hits of two policies, in batches of several lengths.
func compareReplays(t *testing.T, a, b evict.Policy, s *evict.Spec, ids, sizes []uint32) {
	hitsA, hitsB := make([]uint64, len(ids)/64+1), make([]uint64, len(ids)/64+1)
	for at, n := 0, 1; at < len(ids); at, n = at+n, n*7%9973 {
		n = min(n, len(ids)-at)
		var weights []uint32
		if s.Bytes {
			weights = sizes[at : at+n]
		}
		missesA, missesB := a.Replay(ids[at:at+n], weights, hitsA), b.Replay(ids[at:at+n], weights, hitsB)
		words := (n + 63) / 64
		if missesA != missesB || !slices.Equal(hitsA[:words], hitsB[:words]) || a.Used() != b.Used() {
			t.Errorf("%+v: requests %d to %d: %d misses and %d used, want %d and %d", s, at, at+n, missesA, a.Used(), missesB, b.Used())
			return
		}
	}
}

func TestGuestPolicyParameters(t *testing.T) {
	both, batch, event := loadPolicy(t, policyLRU), loadPolicy(t, assembleFile(t, "fifo_batch.wat")), loadPolicy(t, assembleFile(t, "fifo_event.wat"))
	for _, test := range []struct {
		m      *PolicyModule
		spec   evict.Spec
		params map[string]string
		want   string
	}{
		{both, evict.Spec{Objects: 1, Capacity: 1}, map[string]string{"k": "v"}, "policy tested: ec_policy_init: protocol: refuses: lru has no parameters"},
		{both, evict.Spec{Objects: 1, Capacity: 1}, map[string]string{"k": strings.Repeat("v", maxParams)}, "policy tested: parameters of 65544 bytes: at most 65536 are possible"},
		{both, evict.Spec{Objects: 1, Capacity: 1}, map[string]string{"form": "batch"}, ""},
		{both, evict.Spec{Objects: 1, Capacity: 1}, map[string]string{"form": "odd"}, `policy tested: parameter form="odd": "batch" and "event" are possible`},
		{batch, evict.Spec{Objects: 1, Capacity: 1}, map[string]string{"form": "event"}, `policy tested: parameter form="event": the guest does not have that form`},
		{event, evict.Spec{Objects: 1, Capacity: 1}, map[string]string{"form": "batch"}, `policy tested: parameter form="batch": the guest does not have that form`},
		{both, evict.Spec{Objects: 1}, nil, "policy tested: a cache of 0 for 1 objects is not possible"},
		{both, evict.Spec{Objects: -1, Capacity: 1}, nil, "policy tested: a cache of 1 for -1 objects is not possible"},
		{both, evict.Spec{Objects: 1<<32 - 1, Capacity: 1}, nil, "policy tested: a cache of 1 for 4294967295 objects is not possible"},
	} {
		test.spec.Params = test.params
		p, err := test.m.New(test.spec)
		if err == nil {
			p.Close()
		}
		if text := errorText(err); text != test.want {
			t.Errorf("New = %.200q, want %q", text, test.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestGuestPolicyMemory makes caches of all sizes from one module, whose limits of memory differ.
func TestGuestPolicyMemory(t *testing.T) {
	m := loadPolicy(t, policyLRU)
	for _, objects := range []int{0, 1, 1000, 100_000, 3_000_000} {
		p := newPolicy(t, m, evict.Spec{Objects: objects, Capacity: 1 + uint64(objects/10)})
		if objects > 0 {
			p.Insert(uint32(objects-1), 1)
		}
	}
	for _, test := range []struct {
		objects, pages uint32
		wasi           bool
		want           uint32
	}{
		{0, 0, false, 16},
		{1000, 0, false, 32},
		{0, 100, false, 128},
		{0, 0, true, 128},
		{1 << 20, 0, false, 4096},
		{1<<32 - 2, 0, false, 65536},
		{0, 65536, false, 65536},
	} {
		m := PolicyModule{pages: test.pages, wasi: test.wasi}
		if got := m.pagesFor(&hostabi.PolicySpec{Objects: test.objects}); got != test.want {
			t.Errorf("pagesFor %+v = %d, want %d", test, got, test.want)
		}
	}
}

func TestLoadPolicy(t *testing.T) {
	h, _ := newHost(t)
	lru := func(changes ...string) Source {
		return Source{Wasm: policyLRU, Manifest: []byte(strings.NewReplacer(changes...).Replace(policyManifest))}
	}
	for _, test := range []struct {
		src  Source
		want string
	}{
		{Source{Wasm: policyLRU}, "policy: module has no manifest"},
		{Source{Wasm: []byte("text"), Manifest: []byte(policyManifest)}, "policy tested: module is no WebAssembly module"},
		{actorSource(), `policy actor: manifest: abi "hook/1": it is a plugin, no eviction policy, whose abi is "policy/1"`},
		{lru(`"needs"`, `"hooks": ["before"], "needs"`), "policy: manifest: hooks: a policy"},
		{lru(`"log"`, `"clock"`), `policy: manifest: needs: "clock" is not known`},
		{lru(`"needs"`, `"memory_pages": 257, "needs"`), "policy tested: manifest: memory_pages 257: at most 256 are granted"},
		{Source{Wasm: actor, Manifest: []byte(policyManifest)}, "policy tested: import edgecache_1."},
		{Source{Wasm: policyLRU, Manifest: []byte(policyManifest), Config: []byte("{}")}, "policy tested: a policy takes no configuration"},
		{lru(), ""},
	} {
		m, err := h.LoadPolicy(t.Context(), test.src)
		if err == nil {
			err = m.Close(t.Context())
		}
		if text := errorText(err); !strings.HasPrefix(text, test.want) || test.want == "" && err != nil {
			t.Errorf("LoadPolicy = %q, want %q", text, test.want)
		}
	}
	if _, err := h.Load(t.Context(), lru()); err == nil || !strings.Contains(err.Error(), `abi "policy/1": it is an eviction policy`) {
		t.Errorf("Load of a policy = %v", err)
	}
	m, err := h.LoadPolicy(t.Context(), lru())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Close(t.Context()), m.Close(t.Context())); err != nil {
		t.Errorf("Close = %v", err)
	}
	if _, err := m.New(evict.Spec{Objects: 1, Capacity: 1}); err == nil || err.Error() != "policy tested: it is closed" {
		t.Errorf("New after Close = %v", err)
	}
}

func TestInspectPolicy(t *testing.T) {
	h, _ := newHost(t)
	r := h.Inspect(Source{Wasm: policyLRU, Manifest: []byte(policyManifest)})
	if r.Verdict != VerdictOK || r.Name != "tested" || r.Fuel == nil || r.Fuel.PerCall != policyFuel || r.Memory == nil || r.Memory.Limit != -1 {
		t.Errorf("Inspect = %+v, %+v, %+v", r, r.Fuel, r.Memory)
	}
	r = h.Inspect(Source{Wasm: actor, Manifest: []byte(policyManifest)})
	if r.Verdict != VerdictRefused || !strings.Contains(r.Reason, "import edgecache_1.") {
		t.Errorf("Inspect of a plugin that calls itself a policy = %+v", r)
	}
}

func TestMetadataOfGuests(t *testing.T) {
	m := loadPolicy(t, policyLRU)
	var last uint64
	for _, objects := range []int{10, 1_000_000} {
		p := newPolicy(t, m, evict.Spec{Objects: objects, Capacity: 10})
		got := p.MetadataBytes()
		if got <= last || got%65536 != 0 || got < 8*uint64(objects) {
			t.Errorf("a guest with %d objects keeps %d bytes, the last one %d", objects, got, last)
		}
		last = got
		if err := p.Close(); err != nil || p.MetadataBytes() != 0 {
			t.Errorf("closed, it keeps %d bytes, %v", p.MetadataBytes(), err)
		}
	}
}
