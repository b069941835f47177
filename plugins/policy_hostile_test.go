package plugins

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/evict"
)

// policyDefaults are the fields that a hostile policy has unless it has its own, by what tells that.
var policyDefaults = [][2]string{
	{`edgecache_abi_`, `(func (export "edgecache_abi_policy_1"))`},
	{`(memory (`, `(memory (export "memory") 3)`},
	{`"ec_buf"`, `(func (export "ec_buf") (param i32) (result i32) (i32.const 1024))`},
	{`(data`, frameAt(65536, 81920, 98304, 98816, 0)},
	{`"ec_policy_init"`, `(func (export "ec_policy_init") (param i32) (result i32) (i32.const 8))`},
	{`"ec_policy_remove"`, `(func (export "ec_policy_remove") (param i32))`},
}

// frameAt is a frame at 8 with these addresses.
func frameAt(words ...uint32) string {
	var b strings.Builder
	for _, w := range words {
		fmt.Fprintf(&b, `\%02x\%02x\%02x\%02x`, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return `(data (i32.const 8) "` + b.String() + `")`
}

// answer is a batched form that says these bits of hits, writes these victims, and returns how many they are and more.
func answer(hits uint32, more int, victims ...[2]uint32) string {
	var b strings.Builder
	fmt.Fprintf(&b, `(func (export "ec_policy_batch") (param i32) (result i32) (i32.store (i32.const 98304) (i32.const %d))`, hits)
	for i, v := range victims {
		fmt.Fprintf(&b, `(i32.store (i32.const %d) (i32.const %d)) (i32.store (i32.const %d) (i32.const %d))`, 98816+8*i, v[0], 98820+8*i, v[1])
	}
	fmt.Fprintf(&b, `(i32.const %d))`, len(victims)+more)
	return b.String()
}

// events is the form of events, in which the function called name has the body.
func events(name, body string) string {
	all := map[string]string{
		"hit":    `(func (export "ec_policy_hit") (param i32)`,
		"insert": `(global $last (mut i32) (i32.const 0)) (func (export "ec_policy_insert") (param i32 i32) (global.set $last (local.get 0))`,
		"evict":  `(func (export "ec_policy_evict") (result i32) (global.get $last)`,
		"admit":  `(func (export "ec_policy_admit") (param i32 i32) (result i32) (i32.const 1)`,
		"remove": `(func (export "ec_policy_remove") (param i32)`,
	}
	var b strings.Builder
	for at, head := range all {
		if at == name {
			head = strings.TrimSuffix(strings.TrimSuffix(head, " (global.get $last)"), " (i32.const 1)") + body
		}
		b.WriteString(head + ")\n")
	}
	return b.String()
}

const (
	loops = `(loop $l (br $l))`
	nop   = `(func (export "ec_policy_batch") (param i32) (result i32) (i32.const 0))`
)

// TestHostilePolicies has policies answer for the requests 0 1 2 0 in a cache for 2 of 8 objects, by events for 0 0 1 2 3, and demands the error to the
// letter. All errors begin with "policy hostile: ".
func TestHostilePolicies(t *testing.T) {
	for _, test := range []struct {
		name, fields, want string
	}{
		// What Load sees.
		{"no marker", `(; edgecache_abi_ ;)` + nop, "export edgecache_abi_policy_1 is missing: is this a plugin?"},
		{"marker of hooks", `(func (export "edgecache_abi_hook_1"))` + nop, "export edgecache_abi_hook_1: the module was built for another ABI: this host speaks edgecache_abi_policy_1"},
		{"marker and no form", ``, "export ec_policy_hit is missing: a policy without ec_policy_batch needs it"},
		{"half a form", `(func (export "ec_policy_hit") (param i32)) (func (export "ec_policy_evict") (result i32) (i32.const 0))`, "export ec_policy_insert is missing: a policy without ec_policy_batch needs it"},
		{"marker of another type", `(func (export "edgecache_abi_policy_1") (param i32))` + nop, "export edgecache_abi_policy_1 has type (i32) -> (): it must be () -> ()"},
		{"batch of another type", `(func (export "ec_policy_batch") (param i32))`, "export ec_policy_batch has type (i32) -> (): it must be (i32) -> i32"},
		{"insert of another type", nop + `(func (export "ec_policy_insert") (param i32))`, "export ec_policy_insert has type (i32) -> (): it must be (i32, i32) -> ()"},
		{"forget that is a global", nop + `(global (export "ec_policy_forget") i32 (i32.const 0))`, "export ec_policy_forget is a global: it must be a function (i32) -> ()"},
		{"clock", `(import "edgecache_1" "now_ns" (func (result i64)))` + nop, `import edgecache_1.now_ns: belongs to capability "clock": list it under needs in the manifest`},
		{"start function", nop + `(func $s) (start $s)`, "module has a start function, which would run before anything is set up: export it as _initialize"},
		// What New sees.
		{"too much memory", `(memory (export "memory") 100)` + nop, "memory begins with 100 pages: at most 32 are allowed for 8 objects: raise memory_pages in the manifest"},
		{"initialize loops", nop + `(func (export "_initialize") ` + loops + `)`, "_initialize: fuel: it used up 256008192 units"},
		{"no call buffer", nop + `(func (export "ec_buf") (param i32) (result i32) (i32.const 0))`, "ec_buf: protocol: ec_buf has no room for it"},
		{"call buffer outside", nop + `(func (export "ec_buf") (param i32) (result i32) (i32.const 196000))`, "ec_buf: protocol: ec_buf returned 196000: 1024 bytes there are outside the memory of 196608"},
		{"init loops", nop + `(func (export "ec_policy_init") (param i32) (result i32) ` + loops + ` (i32.const 8))`, "ec_policy_init: fuel: it used up 256008192 units"},
		{"init traps", nop + `(func (export "ec_policy_init") (param i32) (result i32) (unreachable))`, "ec_policy_init: trap: unreachable"},
		{"init refuses", nop + `(func (export "ec_policy_init") (param i32) (result i32) (i64.store (i32.const 1024) (i64.const 0x6f6e)) (i32.const 0))`, "ec_policy_init: protocol: refuses: no"},
		{"init refuses without end", nop + `(func (export "ec_policy_init") (param i32) (result i32) (memory.fill (i32.const 0) (i32.const 65) (i32.const 4096)) (i32.const 0))`, "ec_policy_init: protocol: refuses, with a text that does not end within 1024 bytes"},
		{"init refuses in Latin-1", nop + `(func (export "ec_policy_init") (param i32) (result i32) (i64.store (i32.const 1024) (i64.const 0xe4)) (i32.const 0))`, "ec_policy_init: protocol: refuses, with a text that is not UTF-8"},
		{"init goes deep", nop + `(func $f (export "ec_policy_init") (param i32) (result i32) (call $f (local.get 0)) (i32.add (i32.const 1)))`, "ec_policy_init: "},
		{"frame outside", nop + `(func (export "ec_policy_init") (param i32) (result i32) (i32.const 196600))`, "ec_policy_init: protocol: frame at 196600 is outside the memory of 196608 bytes"},
		{"frame misaligned", nop + `(func (export "ec_policy_init") (param i32) (result i32) (i32.const 12))`, "ec_policy_init: protocol: frame at 12: its address must be a multiple of 8"},
		{"frame of nothing", nop + frameAt(), "ec_policy_init: protocol: ids at 0: 16384 bytes there are outside the memory of 196608"},
		{"ids misaligned", nop + frameAt(65538, 81920, 98304, 98816), "ec_policy_init: protocol: ids at 65538: the address must be a multiple of 4"},
		{"hits outside", nop + frameAt(65536, 81920, 0xfffffff0, 98816), "ec_policy_init: protocol: hits at 4294967280: 512 bytes there are outside the memory of 196608"},
		{"victims outside", nop + frameAt(65536, 81920, 98304, 196600), "ec_policy_init: protocol: victims at 196600: 32784 bytes there are outside the memory of 196608"},
		{"hits in ids", nop + frameAt(65536, 81920, 81916, 98816), "ec_policy_init: protocol: ids at 65536 and hits at 81916 overlap: they have 16384 and 512 bytes"},
		{"ids in the frame", nop + frameAt(24, 81920, 98304, 98816), "ec_policy_init: protocol: frame at 8 and ids at 24 overlap: they have 20 and 16384 bytes"},
		{"frame of the future", nop + frameAt(65536, 81920, 98304, 98816, 7), "ec_policy_init: protocol: frame at 8: offset 16 is 7: it is reserved, and must be 0"},
		// What Replay sees.
		{"changes nothing", nop, "request 3: ec_policy_batch: protocol: has 3 in a cache of 2"},
		{"hit of an absent one", answer(1, 0), "request 1: ec_policy_batch: protocol: says that object 0 hits, which is not resident"},
		{"hit of one thrown out", answer(8, 0, [2]uint32{2, 0}), "request 4: ec_policy_batch: protocol: says that object 0 hits, which is not resident"},
		{"miss of a resident one", answer(0, 0, [2]uint32{2, 1}), "request 4: ec_policy_batch: protocol: says that object 0 misses, which is resident"},
		{"too much", answer(0, 0, [2]uint32{3, 0}), "request 3: ec_policy_batch: protocol: has 3 in a cache of 2"},
		{"evicts an absent one", answer(0, 0, [2]uint32{0, 5}), "request 1: ec_policy_batch: protocol: evicts object 5, which is not resident"},
		{"evicts what there is not", answer(0, 0, [2]uint32{1, 8}), "request 2: ec_policy_batch: protocol: evicts object 8: there are 8, from 0 on"},
		{"evicts what there is not at all", answer(0, 0, [2]uint32{1, 0xffffffff}), "request 2: ec_policy_batch: protocol: evicts object 4294967295: there are 8, from 0 on"},
		{"evicts twice", answer(0, 0, [2]uint32{1, 0}, [2]uint32{2, 0}), "request 3: ec_policy_batch: protocol: evicts object 0, which is not resident"},
		{"keeps out and evicts", answer(0, 0, [2]uint32{0, 0}, [2]uint32{0, 0}), "request 1: ec_policy_batch: protocol: evicts object 0, which is not resident"},
		{"evicts what hits", answer(8, 0, [2]uint32{2, 1}, [2]uint32{3, 0}), "request 4: ec_policy_batch: protocol: evicts object 0, which it says hits"},
		{"evicts what comes later", answer(8, 0, [2]uint32{1, 2}), "request 2: ec_policy_batch: protocol: evicts object 2, which is not resident"},
		{"backwards", answer(0, 0, [2]uint32{1, 0}, [2]uint32{0, 1}), "request 2: ec_policy_batch: protocol: evicts for request 0 of the batch after it did for request 1, from 0 on"},
		{"backwards and too much", answer(0, 0, [2]uint32{2, 0}, [2]uint32{1, 1}, [2]uint32{3, 1}), "request 3: ec_policy_batch: protocol: evicts for request 1 of the batch after it did for request 2, from 0 on"},
		{"behind the end", answer(8, 0, [2]uint32{2, 1}, [2]uint32{4, 0}), "request 4: ec_policy_batch: protocol: evicts for request 4 of a batch of 4, from 0 on"},
		{"far behind the end", answer(8, 0, [2]uint32{2, 1}, [2]uint32{0xffffffff, 0}), "request 4: ec_policy_batch: protocol: evicts for request 4294967295 of a batch of 4, from 0 on"},
		{"too many victims", answer(0, 4099), "requests 1 to 4: ec_policy_batch: protocol: returned 4099 victims: 0 to 4098 are possible"},
		{"fewer than no victims", answer(0, -1), "requests 1 to 4: ec_policy_batch: protocol: returned -1 victims: 0 to 4098 are possible"},
		{"old victims again", answer(0, 2, [2]uint32{0, 0}), "request 1: ec_policy_batch: protocol: evicts object 0, which is not resident"},
		{"batch loops", `(func (export "ec_policy_batch") (param i32) (result i32) ` + loops + ` (i32.const 0))`, "requests 1 to 4: ec_policy_batch: fuel: it used up 4096000 units"},
		{"batch traps", `(func (export "ec_policy_batch") (param i32) (result i32) (unreachable))`, "requests 1 to 4: ec_policy_batch: trap: unreachable"},
		{"batch divides by zero", `(func (export "ec_policy_batch") (param i32) (result i32) (i32.div_u (i32.const 1) (i32.const 0)))`, "requests 1 to 4: ec_policy_batch: trap: integer divide by zero"},
		{"batch reaches outside", `(func (export "ec_policy_batch") (param i32) (result i32) (i32.load (i32.const -4)))`, "requests 1 to 4: ec_policy_batch: memory: out of bounds memory access"},
		{
			"says why", `(import "edgecache_1" "log" (func $log (param i32 i32 i32)))
			(func (export "ec_policy_batch") (param i32) (result i32) (i64.store (i32.const 0) (i64.const 0x6f6f6c7362)) (call $log (i32.const 3) (i32.const 0) (i32.const 5)) (unreachable))`,
			"requests 1 to 4: ec_policy_batch: trap: unreachable (bsloo)",
		},
		{
			"grows for ever", `(func (export "ec_policy_batch") (param i32) (result i32) (loop $l (br_if $l (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) (i32.const 0))`,
			"request 3: ec_policy_batch: protocol: has 3 in a cache of 2",
		},
		{"remove loops", answer(8, 0, [2]uint32{2, 1}) + `(func (export "ec_policy_remove") (param i32) ` + loops + `)`, "request 4: ec_policy_remove: fuel: it used up 4096000 units"},
		{"forget traps, but nothing is forgotten", answer(8, 0, [2]uint32{2, 1}) + `(func (export "ec_policy_forget") (param i32) (unreachable))`, ""},
		// The same by events.
		{"events that trap: hit", events("hit", `(unreachable)`), "request 2: ec_policy_hit: trap: unreachable"},
		{"events that trap: insert", events("insert", `(unreachable)`), "request 1: ec_policy_insert: trap: unreachable"},
		{"events that trap: admit", events("admit", `(unreachable)`), "request 1: ec_policy_admit: trap: unreachable"},
		{"events that loop: evict", events("evict", loops+`(i32.const 0)`), "request 4: ec_policy_evict: fuel: it used up 64000 units"},
		{"events that lie: absent", events("evict", `(i32.const 5)`), "request 4: ec_policy_evict: protocol: evicts object 5, which is not resident"},
		{"events that lie: the one that comes", events("evict", `(i32.const 2)`), "request 4: ec_policy_evict: protocol: evicts object 2, which is not resident"},
		{"events that lie: none", events("evict", `(i32.const -1)`), "request 4: ec_policy_evict: protocol: evicts object 4294967295: there are 8, from 0 on"},
		{"events that lie: twice", events("evict", `(i32.const 0)`), "request 5: ec_policy_evict: protocol: evicts object 0, which is not resident"},
		{"events: remove traps", events("remove", `(unreachable)`), "request 5: ec_policy_remove: trap: unreachable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := "policy hostile: " + test.want
			if test.want == "" {
				want = ""
			}
			if got := errorText(hostilePolicy(t, test.fields)); got != want && (!strings.HasSuffix(want, ": ") || !strings.HasPrefix(got, want)) {
				t.Errorf("it came to\n%s, want\n%s", got, want)
			}
		})
	}
}

// hostileModule loads a hostile policy.
func hostileModule(t *testing.T, h *Host, fields string) (*PolicyModule, error) {
	t.Helper()
	for _, d := range policyDefaults {
		if !strings.Contains(fields, d[0]) {
			fields += d[1]
		}
	}
	manifest := strings.Replace(policyManifest, `"needs"`, `"fuel": 1000, "needs"`, 1)
	return h.LoadPolicy(t.Context(), Source{
		Name: "hostile", Wasm: assemble(t, "(module "+sortFields(fields)+")"), Manifest: []byte(manifest),
	})
}

// hostilePolicy runs a policy, beside one that must not notice, and returns how it failed.
func hostilePolicy(t *testing.T, fields string) error {
	t.Helper()
	h, _ := newHost(t)
	witnesses, err := h.LoadPolicy(t.Context(), Source{Wasm: policyLRU, Manifest: []byte(policyManifest)})
	if err != nil {
		t.Fatal(err)
	}
	spec := evict.Spec{Objects: 8, Capacity: 2}
	witness := newPolicy(t, witnesses, spec)
	defer func() {
		if misses := witness.Replay([]uint32{0, 1, 0, 2}, nil, make([]uint64, 1)); misses != 3 {
			t.Errorf("the policy beside it has %d misses", misses)
		}
	}()
	m, err := hostileModule(t, h, fields)
	if err != nil {
		return err
	}
	p, err := m.New(spec)
	if err != nil {
		return err
	}
	defer p.Close()
	return misbehave(t, p)
}

// sortFields puts imports first, as the text form wants it.
func sortFields(fields string) string {
	if at := strings.Index(fields, "(import"); at > 0 {
		return fields[at:] + fields[:at]
	}
	return fields
}

// misbehave makes the requests, and sees that a policy that failed is of no use, and does no harm.
func misbehave(t *testing.T, p PolicyCache) error {
	t.Helper()
	ids, hits := []uint32{0, 1, 2, 0}, make([]uint64, 1)
	if _, ok := p.(*eventPolicy); ok {
		ids = []uint32{0, 0, 1, 2, 3}
	}
	begin := time.Now()
	p.Replay(ids, nil, hits)
	if p.Err() == nil {
		p.Remove(0)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	err := p.Err()
	if err == nil {
		return nil
	}
	var guest *GuestError
	if !errors.As(err, &guest) || !errors.Is(err, core.ErrPlugin) || guest.Plugin != "hostile" {
		t.Errorf("Err = %#v", err)
	}
	p.Hit(0)
	p.Remove(0)
	if p.Insert(3, 1) || p.Replay(ids, nil, hits) != len(ids) || hits[0] != 0 || !errors.Is(p.Err(), err) {
		t.Errorf("after it failed it goes on, %v", p.Err())
	}
	return err
}

// TestHostilePauses has policies fail where they have time for themselves, or are told to forget.
func TestHostilePauses(t *testing.T) {
	h, _ := newHost(t)
	for _, test := range []struct {
		name, fields string
		run          func(p PolicyCache)
		want         string
	}{
		{
			"idles for ever", events("", "") + `(func (export "ec_idle") ` + loops + `)`,
			func(p PolicyCache) { p.Replay(make([]uint32, 1024), nil, make([]uint64, 16)) },
			"policy hostile: request 1024: ec_idle: fuel: it used up 4096000 units",
		},
		{
			"forgets badly", events("", "") + `(func (export "ec_policy_forget") (param i32) (unreachable))`,
			func(p PolicyCache) {
				p.Insert(1, 1)
				p.Remove(1)
			},
			"policy hostile: request 1: ec_policy_forget: trap: unreachable",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := hostileModule(t, h, test.fields)
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.New(evict.Spec{Objects: 8, Capacity: 2, Forgotten: func(uint32) {}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if test.run(p); errorText(p.Err()) != test.want {
				t.Errorf("it came to %v, want %s", p.Err(), test.want)
			}
		})
	}
}
