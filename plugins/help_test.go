package plugins

import (
	"context"
	_ "embed"
	"encoding/binary"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// actor does what keys ask for: see testdata/actor.c.
//
//go:embed testdata/actor.wasm
var actor []byte

//go:embed testdata/actor.json
var actorManifest string

// logs collects what is logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func logger(l *logs) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func newHost(t testing.TB) (*Host, *logs) {
	t.Helper()
	l := &logs{}
	h, err := NewHost(t.Context(), HostOptions{Logger: logger(l)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Errorf("Host.Close: %v", err)
		}
	})
	return h, l
}

func load(t testing.TB, h *Host, src Source) *Plugin {
	t.Helper()
	p, err := h.Load(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// actorSource is the actor with its manifest changed by pairs of old and new text.
func actorSource(changes ...string) Source {
	return Source{Wasm: actor, Manifest: []byte(strings.NewReplacer(changes...).Replace(actorManifest))}
}

// newCache returns a cache over a map, with hooks and observers.
func newCache(t testing.TB, plugins ...*Plugin) *core.Cache {
	t.Helper()
	return newCacheOver(t, newStore(), plugins...)
}

func newStore() *mapBackend { return &mapBackend{entries: make(map[string]*core.Entry)} }

func newCacheOver(t testing.TB, b core.Backend, plugins ...*Plugin) *core.Cache {
	t.Helper()
	o := core.Options{Tiers: []core.Tier{{Name: "map", Backend: b}}}
	for _, p := range plugins {
		if h := p.Hook(); h != nil {
			o.Hooks = append(o.Hooks, h)
		}
		if ob := p.Observer(); ob != nil {
			o.Observers = append(o.Observers, ob)
		}
	}
	c, err := core.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Cache.Close: %v", err)
		}
	})
	return c
}

// mapBackend is a store.
type mapBackend struct {
	mu      sync.Mutex
	entries map[string]*core.Entry
}

func (b *mapBackend) Get(_ context.Context, key string) (*core.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[key]; e != nil {
		return e, nil
	}
	return nil, core.ErrNotFound
}

func (b *mapBackend) Set(_ context.Context, key string, e *core.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[key] = e
	return nil
}

func (b *mapBackend) Delete(_ context.Context, key string) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.entries[key]
	delete(b.entries, key)
	return ok, nil
}

func (b *mapBackend) Close() error { return nil }

// before calls a plugin's hook on a single command and returns the error.
func before(t testing.TB, p *Plugin, cmd *core.Command, res *core.Result) error {
	t.Helper()
	if cmd.Namespace == nil {
		cmd.Namespace = &core.Namespace{}
	}
	cmd.Cookies = make([]uint64, cmd.Size())
	*res = core.Result{}
	if cmd.Op.Many() {
		res.Items = make([]core.Item, len(cmd.Keys))
	}
	return p.Hook().Before(t.Context(), cmd, res)
}

// module builds a module for tests: every function is empty or returns 0, but for those with code.
type module struct {
	imports  []string // "module.name:params>results", a type being i, I (i64) or F
	exports  []string // "name:params>results"
	memories [][]uint32
	noMemory bool // not exported
	start    bool
	tables   [][]uint32
	extra    []byte            // sections at the end
	code     map[string][]byte // by export
}

func types(s string) string {
	return strings.NewReplacer("i", "\x7f", "I", "\x7e", "F", "\x7d").Replace(s)
}

func vector[T any](items []T, f func(T) []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(items)))
	for _, i := range items {
		b = append(b, f(i)...)
	}
	return b
}

func name(s string) []byte { return append(binary.AppendUvarint(nil, uint64(len(s))), s...) }

func section(id byte, body []byte) []byte {
	if body[0] == 0 && id != 0 {
		return nil
	}
	return append(append([]byte{id}, binary.AppendUvarint(nil, uint64(len(body)))...), body...)
}

func limits(l []uint32) []byte {
	b := []byte{byte(len(l) - 1)}
	for _, n := range l {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func (m module) bytes() []byte {
	signature := func(s string) []byte {
		params, results, _ := strings.Cut(s[strings.LastIndex(s, ":")+1:], ">")
		return append(append([]byte{0x60}, name(types(params))...), name(types(results))...)
	}
	imports, exports := m.imports, m.exports
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, vector(append(append([]string{}, imports...), exports...), signature))...)
	n := byte(0)
	out = append(out, section(2, vector(imports, func(s string) []byte {
		mod, rest, _ := strings.Cut(s, ".")
		fn, _, _ := strings.Cut(rest, ":")
		n++
		return append(append(name(mod), name(fn)...), 0, n-1)
	}))...)
	out = append(out, section(3, vector(exports, func(string) []byte { n++; return []byte{n - 1} }))...)
	out = append(out, section(4, vector(m.tables, func(l []uint32) []byte { return append([]byte{0x70}, limits(l)...) }))...)
	out = append(out, section(5, vector(m.memories, limits))...)
	index := byte(len(imports))
	all := vector(exports, func(s string) []byte {
		fn, _, _ := strings.Cut(s, ":")
		index++
		return append(name(fn), 0, index-1)
	})
	if !m.noMemory {
		all[0]++
		all = append(all, append(name("memory"), 2, 0)...)
	}
	out = append(out, section(7, all)...)
	if m.start {
		out = append(out, 8, 1, byte(len(imports)))
	}
	out = append(out, section(10, vector(exports, func(s string) []byte {
		body := []byte{0}
		fn, _, _ := strings.Cut(s, ":")
		if code := m.code[fn]; code != nil {
			return name(string(body) + string(code) + "\x0b")
		}
		for _, t := range s[strings.Index(s, ">")+1:] {
			body = append(body, map[rune][]byte{'i': {0x41, 0}, 'I': {0x42, 0}, 'F': {0x43, 0, 0, 0, 0}}[t]...)
		}
		return append([]byte{byte(len(body) + 1)}, append(body, 0x0b)...)
	}))...)
	return append(out, m.extra...)
}

// passing is a module that has everything which a plugin with the hook before needs.
func passing() module {
	return module{
		exports:  []string{"edgecache_abi_hook_1:>", "ec_before:iiiIi>I", "ec_buf:i>i"},
		memories: [][]uint32{{1}},
	}
}

const passingManifest = `{"name":"tiny","version":"1","abi":"hook/1","hooks":["before"],"ops":["get"],"needs":["log"]}`

func eventsOf(n int) []core.Event {
	events := make([]core.Event, n)
	for i := range events {
		events[i] = core.Event{Op: hostabi.OpGet, Result: hostabi.OutcomeHit}
	}
	return events
}
