package plugins

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

func TestLoadRefuses(t *testing.T) {
	change := func(f func(*module)) []byte {
		m := passing()
		f(&m)
		return m.bytes()
	}
	component := []byte("\x00asm\x0d\x00\x01\x00rest")
	for name, test := range map[string]struct {
		wasm     []byte
		manifest string
		config   string
		grants   Grants
		want     string
	}{
		"nothing":   {want: "module ends within its header"},
		"text":      {wasm: []byte("(module)"), want: "is no WebAssembly module"},
		"component": {wasm: component, want: "is a component, not a core module: build it for"},
		"version":   {wasm: []byte("\x00asm\x02\x00\x00\x00"), want: "module of version 2"},
		"marker": {
			wasm: change(func(m *module) { m.exports[0] = "other:>" }),
			want: "export edgecache_abi_hook_1 is missing: is this a plugin?",
		},
		"newer ABI": {
			wasm: change(func(m *module) { m.exports[0] = "edgecache_abi_hook_2:>" }),
			want: "export edgecache_abi_hook_2: the module was built for another ABI: this host speaks edgecache_abi_hook_1",
		},
		"marker's type": {
			wasm: change(func(m *module) { m.exports[0] = "edgecache_abi_hook_1:>i" }),
			want: "export edgecache_abi_hook_1 has type () -> i32: it must be () -> ()",
		},
		"missing before": {
			wasm: change(func(m *module) { m.exports[1] = "ec_befor:iiiIi>I" }),
			want: `export ec_before is missing: hook "before" needs it`,
		},
		"missing buffer": {
			wasm: change(func(m *module) { m.exports = m.exports[:2] }),
			want: `export ec_buf is missing: hook "before" needs it`,
		},
		"type of before": {
			wasm: change(func(m *module) { m.exports[1] = "ec_before:iiii>I" }),
			want: "export ec_before has type (i32, i32, i32, i32) -> i64: it must be (i32, i32, i32, i64, i32) -> i64",
		},
		"type of an unused export": {
			wasm: change(func(m *module) { m.exports = append(m.exports, "ec_observe:F>") }),
			want: "export ec_observe has type (f32) -> (): it must be (i32) -> ()",
		},
		"missing after": {
			manifest: strings.Replace(passingManifest, `"before"`, `"after"`, 1),
			want:     `export ec_after is missing: hook "after" needs it`,
		},
		"missing observe": {
			manifest: strings.Replace(passingManifest, `"before"`, `"observe"`, 1),
			want:     `export ec_events is missing: hook "observe" needs it`,
		},
		"missing stats": {
			manifest: strings.Replace(passingManifest, `"needs"`, `"stats":[{"name":"a","kind":"sum"}],"needs"`, 1),
			want:     `export ec_stats is missing: stats of the manifest needs it`,
		},
		"configuration without init": {config: `{"a":1}`, want: "export ec_init is missing: the plugin takes no configuration"},
		"configuration of no JSON":   {config: `{`, want: "configuration is not JSON"},
		"no memory":                  {wasm: change(func(m *module) { m.noMemory = true }), want: "export memory: "},
		"no memory at all": {
			wasm: change(func(m *module) { m.memories, m.noMemory = nil, true }),
			want: "export memory: the module must have one memory and export it",
		},
		"large memory": {
			wasm: change(func(m *module) { m.memories = [][]uint32{{17}} }),
			want: "memory begins with 17 pages: at most 16 are allowed",
		},
		"large table": {
			wasm: change(func(m *module) { m.tables = [][]uint32{{1 << 27}} }),
			want: "table of 134217728 elements: at most 65536 are allowed",
		},
		"start function": {
			wasm: change(func(m *module) { m.start = true }),
			want: "module has a start function, which would run before anything is set up: export it as _initialize",
		},
		"unknown import": {
			wasm: change(func(m *module) { m.imports = []string{"edgecache_1.shout:i>"} }),
			want: "import edgecache_1.shout: is not known to this version of the host",
		},
		"newer import": {
			wasm: change(func(m *module) { m.imports = []string{"edgecache_2.log:iii>"} }),
			want: "import edgecache_2.log: is of an unknown module",
		},
		"foreign import": {
			wasm: change(func(m *module) { m.imports = []string{"env.abort:iiii>"} }),
			want: "import env.abort: is of an unknown module: guests import from edgecache_1",
		},
		"import's type": {
			wasm: change(func(m *module) { m.imports = []string{"edgecache_1.log:ii>"} }),
			want: "import edgecache_1.log: has type (i32, i32) -> (): it must be (i32, i32, i32) -> ()",
		},
		"ungranted import": {
			wasm: change(func(m *module) { m.imports = []string{"edgecache_1.now_ns:>I"} }),
			want: `import edgecache_1.now_ns: belongs to capability "clock": list it under needs in the manifest`,
		},
		"import of a capability": {
			wasm: change(func(m *module) { m.imports = []string{"edgecache_1.kv_get:iiii>I"} }),
			want: `import edgecache_1.kv_get: belongs to capability "kv": list it under needs in the manifest`,
		},
		"WASI import": {
			wasm: change(func(m *module) { m.imports = []string{"wasi_snapshot_preview1.path_open:iiiiIIiii>i"} }),
			want: "import wasi_snapshot_preview1.path_open: is not among the WASI functions that guests get",
		},
		"ungranted capability": {
			manifest: strings.Replace(passingManifest, `"log"`, `"kv"`, 1),
			want:     `manifest: needs capability "kv", which it was not granted`,
		},
		"another capability granted": {
			manifest: strings.Replace(passingManifest, `"log"`, `"kv", "trace"`, 1), grants: Grants{Needs: []string{"kv"}},
			want: `manifest: needs capability "trace", which it was not granted`,
		},
		"quota": {grants: Grants{KVBytes: -1}, want: "grants: -1 bytes and 0 entries of kv: they can't be negative"},
		"memory beyond the grant": {
			manifest: strings.Replace(passingManifest, `"needs"`, `"memory_pages":257,"needs"`, 1),
			want:     "manifest: memory_pages 257: at most 256 are granted",
		},
		"failure policy": {grants: Grants{Failure: "shut"}, want: `grants: failure "shut"`},
		"bad manifest":   {manifest: `{"name":"tiny"}`, want: `manifest: version "": 1 to 64 bytes are allowed`},
		"buffer nowhere": {want: "ec_buf: start: ec_buf has no room for it"}, // what the tiny module's ec_buf returns
		"two memories": {
			wasm: change(func(m *module) { m.memories = [][]uint32{{1}, {1}} }),
			want: "export memory: the module must have one memory and export it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := newHost(t)
			src := Source{Name: "tiny", Wasm: test.wasm, Manifest: []byte(passingManifest), Config: []byte(test.config), Grants: test.grants}
			if src.Wasm == nil && name != "nothing" {
				src.Wasm = passing().bytes()
			}
			if test.manifest != "" {
				src.Manifest = []byte(test.manifest)
			}
			_, err := h.Load(t.Context(), src)
			if err == nil || !strings.HasPrefix(err.Error(), "plugin tiny: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Load = %v, want %q", err, test.want)
			}
			r := h.Inspect(src)
			granted := len(r.Grants) > 0 || name == "buffer nowhere" // which only shows when the module runs
			if refused := r.Verdict == VerdictRefused; refused == granted || refused && !strings.Contains(r.Reason, test.want) {
				t.Errorf("Inspect = %s: %s, want %q", r.Verdict, r.Reason, test.want)
			}
		})
	}
}

func TestManifestInside(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, Source{Wasm: actor})
	if p.Name() != "actor" || p.Manifest().MemoryPages != 8 {
		t.Errorf("%q, %+v", p.Name(), p.Manifest())
	}
	if _, err := h.Load(t.Context(), Source{Wasm: passing().bytes()}); err == nil || !strings.Contains(err.Error(), "module has no manifest: put one") {
		t.Errorf("Load = %v", err)
	}
}

func TestConfigurationRefused(t *testing.T) {
	h, _ := newHost(t)
	for config, want := range map[string]string{
		`"bad"`:                               "plugin actor: ec_init: start: refuses its configuration: bad is bad",
		`"trap"`:                              "plugin actor: ec_init: start: trap: unreachable",
		`"` + strings.Repeat("a", 9000) + `"`: "plugin actor: ec_init: start: configuration of 9002 bytes: ec_buf has no room for it",
	} {
		src := actorSource()
		src.Config = []byte(config)
		if _, err := h.Load(t.Context(), src); err == nil || err.Error() != want {
			t.Errorf("Load with %.10s = %v, want %s", config, err, want)
		}
	}
}

// TestTruncated loads every prefix of a module: none may be taken for the whole or break the host.
func TestTruncated(t *testing.T) {
	h, _ := newHost(t)
	whole := hostabi.AppendManifest(actor, []byte(actorManifest))
	for n := range whole {
		if p, err := h.Load(t.Context(), Source{Name: "cut", Wasm: whole[:n], Manifest: []byte(actorManifest)}); err == nil {
			// A prefix that ends between the last sections is a module without names or manifest.
			if !bytes.Contains(whole[n:], []byte("edgecache.manifest")) {
				t.Fatalf("prefix of %d bytes loads", n)
			}
			if err := p.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFlippedBits loads modules with single bits flipped outside of their code, which is not run to its end otherwise.
func TestFlippedBits(t *testing.T) {
	h, _ := newHost(t)
	r := rand.New(rand.NewSource(1))
	var structure []hostabi.Section
	for s, err := range hostabi.Sections(actor) {
		if err != nil {
			t.Fatal(err)
		}
		if s.ID != hostabi.SectionCode {
			structure = append(structure, s)
		}
	}
	for range 500 {
		s := structure[r.Intn(len(structure))]
		wasm := bytes.Clone(actor)
		wasm[s.Start+r.Intn(s.End-s.Start)] ^= 1 << r.Intn(8)
		p, err := h.Load(t.Context(), Source{Wasm: wasm, Manifest: []byte(actorManifest)})
		if err != nil {
			continue
		}
		cmd, res := core.Command{Op: core.OpGet, Key: "up:a"}, core.Result{}
		_ = before(t, p, &cmd, &res)
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTablesAreClamped(t *testing.T) {
	m := passing()
	m.tables = [][]uint32{{3}, {5, 1 << 30}, {0, 7}}
	mod, err := hostabi.ParseModule(m.bytes())
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := (&Host{}).transform(mod, m.bytes())
	if err != nil {
		t.Fatal(err)
	}
	mod, err = hostabi.ParseModule(wasm)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint32{maxTable, maxTable, 7} {
		if got := mod.Tables[i]; got.Max != want || !got.HasMax || got.Min != m.tables[i][0] {
			t.Errorf("table %d: %+v, want max %d", i, got, want)
		}
	}
}

func TestCacheDir(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		h, err := NewHost(t.Context(), HostOptions{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		load(t, h, actorSource())
		if err := h.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Load(t.Context(), actorSource()); err == nil || !strings.Contains(err.Error(), "host is closed") {
			t.Errorf("Load = %v", err)
		}
	}
}

// TestNumbers holds the ABI's numbers against core's: hostabi must not import it.
func TestNumbers(t *testing.T) {
	if hostabi.OpCount != core.OpCount {
		t.Errorf("%d operations, core has %d", hostabi.OpCount, core.OpCount)
	}
	for op := range core.OpCount {
		if got, want := hostabi.OpName(uint8(op)), core.Op(op).String(); got != want {
			t.Errorf("operation %d is %q, core's %q", op, got, want)
		}
	}
	for got, want := range map[int]core.Op{
		hostabi.OpGet: core.OpGet, hostabi.OpGetMany: core.OpGetMany, hostabi.OpSet: core.OpSet, hostabi.OpSetMany: core.OpSetMany,
		hostabi.OpAdd: core.OpAdd, hostabi.OpReplace: core.OpReplace, hostabi.OpCompareAndSwap: core.OpCompareAndSwap,
		hostabi.OpAppend: core.OpAppend, hostabi.OpPrepend: core.OpPrepend, hostabi.OpIncrement: core.OpIncrement,
		hostabi.OpDecrement: core.OpDecrement, hostabi.OpExists: core.OpExists, hostabi.OpTTL: core.OpTTL,
		hostabi.OpExpire: core.OpExpire, hostabi.OpDelete: core.OpDelete, hostabi.OpDeleteMany: core.OpDeleteMany,
		hostabi.OpClear: core.OpClear, hostabi.OpKeys: core.OpKeys, hostabi.OpRaw: core.OpRaw,
	} {
		if got != int(want) {
			t.Errorf("%v is %d, core's is %d", want, got, want)
		}
	}
	for got, want := range map[int]core.Outcome{
		hostabi.OutcomeNone: core.OutcomeNone, hostabi.OutcomeHit: core.OutcomeHit, hostabi.OutcomeMiss: core.OutcomeMiss,
		hostabi.OutcomeStored: core.OutcomeStored, hostabi.OutcomeNotStored: core.OutcomeNotStored,
		hostabi.OutcomeBypass: core.OutcomeBypass, hostabi.OutcomeDenied: core.OutcomeDenied, hostabi.OutcomeError: core.OutcomeError,
	} {
		if got != int(want) {
			t.Errorf("%v is %d, core's is %d", want, got, want)
		}
	}
	if core.OutcomeCount != hostabi.OutcomeError+1 {
		t.Errorf("core has %d outcomes", core.OutcomeCount)
	}
	if hostabi.NamespaceAll != core.AllNamespaces || hostabi.NamespaceOther != core.OtherNamespaces ||
		hostabi.EventContinued != core.EventContinued || hostabi.TTLNone != int(core.NoExpiry) || hostabi.TTLKeep != int(core.KeepTTL) {
		t.Error("constants differ from core's")
	}
}

func TestEventLayout(t *testing.T) {
	e := core.Event{KeyHash: 1 << 60, Time: 2 << 50, Elapsed: 3 << 20, Size: 4 << 20, TTL: 5 << 20, Namespace: 6 << 8, Op: 7, Result: 8}
	got, err := hostabi.DecodeEvent(eventBytes([]core.Event{e}))
	want := hostabi.Event{
		KeyHash: e.KeyHash, Time: e.Time, Elapsed: e.Elapsed, ValueSize: e.Size, TTL: e.TTL, Namespace: e.Namespace, Op: e.Op, Result: e.Result,
	}
	if err != nil || got != want {
		t.Errorf("event %+v, %v, want %+v", got, err, want)
	}
}

func TestReportOfNoStats(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource(`"stats": [
    {"name": "calls", "kind": "sum"},
    {"name": "longest", "kind": "max"}
  ]`, `"priority": 1`))
	r, err := p.Report()
	if err != nil || string(r.JSON(nil)) != "{}" || !json.Valid(r.JSON(nil)) {
		t.Errorf("Report = %+v, %v", r, err)
	}
}
