package examples

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/hostabi/abitest"
)

// guest drives one instance of a module by the ABI alone, without the pool, limits and failure policies of a host.
type guest struct {
	tb       testing.TB
	mod      api.Module
	manifest *hostabi.Manifest
	buf      uint32 // address of the call buffer
	size     uint32 // what was asked of ec_buf
	events   uint32 // address of the event buffer
	fn       map[string]api.Function
	stack    [8]uint64
}

// program is a compiled module.
type program struct {
	rt       wazero.Runtime
	compiled wazero.CompiledModule
	manifest *hostabi.Manifest
}

// module returns a plugin in a language: as it is committed in C, built in others.
func module(tb testing.TB, name, language string) []byte {
	tb.Helper()
	if language != "c" {
		return abitest.Build(tb, name, language)
	}
	wasm, _, ok := Lookup(name)
	if !ok {
		tb.Fatalf("Lookup(%q) finds nothing", name)
	}
	return wasm
}

func compile(tb testing.TB, name string) *program {
	tb.Helper()
	wasm, manifest, ok := Lookup(name)
	if !ok {
		tb.Fatalf("Lookup(%q) finds nothing", name)
	}
	m, err := hostabi.ParseManifest(manifest)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(uint32(m.MemoryPages)))
	tb.Cleanup(func() { rt.Close(ctx) })
	compiled, err := rt.CompileModule(ctx, wasm)
	if err != nil {
		tb.Fatal(err)
	}
	return &program{rt: rt, compiled: compiled, manifest: m}
}

// start returns a new instance, which ends with the test.
func (p *program) start(tb testing.TB) *guest {
	tb.Helper()
	ctx := context.Background()
	mod, err := p.rt.InstantiateModule(ctx, p.compiled, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mod.Close(ctx) })
	g := &guest{tb: tb, mod: mod, manifest: p.manifest, fn: make(map[string]api.Function)}
	for export := range mod.ExportedFunctionDefinitions() {
		g.fn[export] = mod.ExportedFunction(export)
	}
	if g.fn[hostabi.ExportEvents] != nil {
		g.events = uint32(g.call(hostabi.ExportEvents, hostabi.EventBatch))
	}
	return g
}

// call calls an export and returns its result, if it has one. A trap ends the test.
func (g *guest) call(export string, params ...uint64) uint64 {
	copy(g.stack[:], params)
	if err := g.fn[export].CallWithStack(context.Background(), g.stack[:]); err != nil {
		g.tb.Fatalf("%s: %v", export, err)
	}
	return g.stack[0]
}

// reserve asks for a call buffer of size bytes, if it has to, and reports whether there is one.
func (g *guest) reserve(size uint32) bool {
	if size = max(size, hostabi.MinBuf); size <= g.size {
		return true
	}
	buf := uint32(g.call(hostabi.ExportBuf, uint64(size)))
	if buf == 0 {
		return false
	}
	g.buf, g.size = buf, size
	return true
}

// read returns a view of the guest's memory.
func (g *guest) read(addr, n uint32) []byte {
	b, ok := g.mod.Memory().Read(addr, n)
	if !ok {
		g.tb.Fatalf("%d bytes at %d are outside of the guest's memory of %d", n, addr, g.mod.Memory().Size())
	}
	return b
}

// init hands over the configuration and returns the guest's error text.
func (g *guest) init(config []byte) string {
	if !g.reserve(hostabi.BufKey + uint32(len(config))) {
		return "no buffer"
	}
	copy(g.read(g.buf+hostabi.BufKey, uint32(len(config))), config)
	n := uint32(g.call(hostabi.ExportInit, uint64(len(config)), 0))
	return string(g.read(g.buf+hostabi.BufKey, n))
}

// before shows a key, followed by its namespace, to the guest and returns the action with its bytes.
func (g *guest) before(op uint8, key []byte) (hostabi.Action, []byte) {
	const namespace = "SHOP/Carts"
	n := uint32(len(key) + len(namespace))
	if !g.reserve(hostabi.BufKey + n) {
		g.tb.Fatalf("no buffer for a key of %d bytes", len(key))
	}
	b := g.read(g.buf, hostabi.BufKey+n)
	clear(b[:hostabi.BufKey])
	hostabi.Header{NamespaceLen: uint32(len(namespace)), NamespaceID: 7, BatchLen: 1}.Put(b)
	copy(b[hostabi.BufKey+copy(b[hostabi.BufKey:], key):], namespace)
	a := hostabi.DecodeAction(g.call(hostabi.ExportBefore, uint64(op), uint64(len(key)), 0, 0, 0))
	if err := a.CheckBefore(); err != nil {
		g.tb.Fatal(err)
	}
	return a, g.read(g.buf+a.Offset, a.Length)
}

// appendEvent appends an event in the ABI's layout.
func appendEvent(b []byte, op, result uint8, namespace uint16, elapsed uint32) []byte {
	e := make([]byte, hostabi.EventSize)
	binary.LittleEndian.PutUint32(e[hostabi.EventElapsed:], elapsed)
	binary.LittleEndian.PutUint16(e[hostabi.EventNamespace:], namespace)
	e[hostabi.EventOp], e[hostabi.EventResult] = op, result
	return append(b, e...)
}
