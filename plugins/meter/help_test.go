package meter

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// plenty is a budget that no test uses up.
const plenty = 1 << 60

// features are those that the meter knows.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// newRuntime returns a runtime for guests of up to 256 pages.
func newRuntime(t testing.TB) wazero.Runtime {
	t.Helper()
	config := wazero.NewRuntimeConfig().WithCoreFeatures(features).WithMemoryLimitPages(256).WithDebugInfoEnabled(false)
	r := wazero.NewRuntimeWithConfig(t.Context(), config)
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

// rewrite meters a module that is accepted.
func rewrite(t testing.TB, wasm []byte, o Options) []byte {
	t.Helper()
	out, _, err := Rewrite(wasm, o)
	if err != nil {
		t.Fatalf("Rewrite: %v", err)
	}
	return out
}

// guest is an instance, metered or not.
type guest struct {
	api.Module
	fuel, budget, stop api.MutableGlobal // nil if it is not metered
}

// start instantiates a module. Functions that it imports count how often they were called, and return that.
func start(t testing.TB, wasm []byte) *guest {
	t.Helper()
	r := newRuntime(t)
	compiled, err := r.CompileModule(t.Context(), wasm)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	link(t, r, compiled)
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize")
	mod, err := r.InstantiateModule(t.Context(), compiled, config)
	if err != nil {
		t.Fatalf("instantiate: %v", err)
	}
	return asGuest(mod)
}

func asGuest(mod api.Module) *guest {
	g := &guest{Module: mod}
	if fuel := mod.ExportedGlobal(FuelGlobal); fuel != nil {
		g.fuel = fuel.(api.MutableGlobal)
		g.budget = mod.ExportedGlobal(BudgetGlobal).(api.MutableGlobal)
		g.stop = mod.ExportedGlobal(StopGlobal).(api.MutableGlobal)
	}
	return g
}

func link(t testing.TB, r wazero.Runtime, compiled wazero.CompiledModule) {
	t.Helper()
	builders := make(map[string]wazero.HostModuleBuilder)
	for _, f := range compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		if module == wasi_snapshot_preview1.ModuleName {
			if r.Module(module) == nil {
				wasi_snapshot_preview1.MustInstantiate(t.Context(), r)
			}
			continue
		}
		if builders[module] == nil {
			builders[module] = r.NewHostModuleBuilder(module)
		}
		var calls uint64
		results := len(f.ResultTypes())
		count := api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) {
			calls++
			for i := range results {
				stack[i] = calls
			}
		})
		builders[module].NewFunctionBuilder().WithGoModuleFunction(count, f.ParamTypes(), f.ResultTypes()).Export(name)
	}
	for _, b := range builders {
		if _, err := b.Instantiate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// give sets what the guest may use.
func (g *guest) give(units int64) {
	g.fuel.Set(0)
	g.budget.Set(uint64(units))
	g.stop.Set(0)
}

// left returns what the guest may still use.
func (g *guest) left() int64 { return int64(g.fuel.Get()) + int64(g.budget.Get()) }

// call calls an export and returns its results and the first line of its error.
func (g *guest) call(t testing.TB, name string, args ...uint64) ([]uint64, string) {
	t.Helper()
	f := g.ExportedFunction(name)
	if f == nil {
		t.Fatalf("no export %s", name)
	}
	results, err := f.Call(t.Context(), args...)
	return results, firstLine(err)
}

func firstLine(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// must is call for what must not fail.
func (g *guest) must(t testing.TB, name string, args ...uint64) []uint64 {
	t.Helper()
	results, failure := g.call(t, name, args...)
	if failure != "" {
		t.Fatalf("%s(%v): %s", name, args, failure)
	}
	return results
}

// same calls an export of a plain and a metered guest and compares what they return, or how they fail.
func same(t testing.TB, plain, metered *guest, name string, args ...uint64) []uint64 {
	t.Helper()
	want, wantErr := plain.call(t, name, args...)
	got, gotErr := metered.call(t, name, args...)
	if !slices.Equal(got, want) || gotErr != wantErr {
		t.Fatalf("%s(%v) = %v, %q metered, %v, %q plain", name, args, got, gotErr, want, wantErr)
	}
	return want
}

// sameMemory compares the memories of a plain and a metered guest.
func sameMemory(t testing.TB, plain, metered *guest) {
	t.Helper()
	if plain.Memory() == nil {
		return
	}
	want, _ := plain.Memory().Read(0, plain.Memory().Size())
	got, _ := metered.Memory().Read(0, metered.Memory().Size())
	if !slices.Equal(got, want) {
		t.Error("memories differ")
	}
}

// function is an exported function of a program.
type testFunction struct {
	name            string
	params, results string // value types
	locals          string // value types
	body            []byte // without the last end
}

// slots returns how many locals the function has, with parameters.
func (f testFunction) slots() int64 { return int64(len(f.params) + len(f.locals)) }

// program is a module for tests.
type program struct {
	imports   []testFunction // from module "host"
	functions []testFunction
	pages     []byte // least and most, if there is a memory
	table     byte   // elements of table 0, which has the first functions, if not 0
	globals   int    // mutable ones of type i64
	start     bool   // begin with the first function
	sections  []byte // at the end
}

func vector[T any](items []T, f func(int, T) []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(items)))
	for i, item := range items {
		b = append(b, f(i, item)...)
	}
	return b
}

func sized(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }

func (p program) bytes() []byte {
	out := []byte(header)
	section := func(id byte, body []byte) {
		out = append(append(out, id), sized(body)...)
	}
	all := append(slices.Clone(p.imports), p.functions...)
	section(sectionType, vector(all, func(_ int, f testFunction) []byte {
		return append(append([]byte{functionForm}, sized([]byte(f.params))...), sized([]byte(f.results))...)
	}))
	n := len(p.imports)
	index := func(i int) []byte { return binary.AppendUvarint(nil, uint64(i)) }
	section(sectionImport, vector(p.imports, func(i int, f testFunction) []byte {
		b := append(sized([]byte("host")), sized([]byte(f.name))...)
		return append(append(b, kindFunction), index(i)...)
	}))
	section(sectionFunction, vector(p.functions, func(i int, _ testFunction) []byte { return index(i + n) }))
	if p.table > 0 {
		section(sectionTable, []byte{1, funcrefType, 0, p.table})
	}
	if p.pages != nil {
		section(sectionMemory, append([]byte{1, 1}, p.pages...))
	}
	section(sectionGlobal, vector(make([]int, p.globals), func(int, int) []byte {
		return []byte{i64Type, 1, opI64Const, 0, opEnd}
	}))
	exports := vector(p.functions, func(i int, f testFunction) []byte {
		return append(append(sized([]byte(f.name)), kindFunction), index(i+n)...)
	})
	if p.pages != nil {
		exports[0]++
		exports = append(append(exports, sized([]byte("memory"))...), kindMemory, 0)
	}
	section(sectionExport, exports)
	if p.start {
		section(sectionStart, index(n))
	}
	if p.table > 0 {
		elements := vector(all[:min(len(all), int(p.table))], func(i int, _ testFunction) []byte { return index(i) })
		section(sectionElement, append([]byte{1, 0, opI32Const, 0, opEnd}, elements...))
	}
	section(sectionCode, vector(p.functions, func(_ int, f testFunction) []byte {
		b := vector([]byte(f.locals), func(_ int, t byte) []byte { return []byte{1, t} })
		return sized(append(append(b, f.body...), opEnd))
	}))
	return append(out, p.sections...)
}

// Value types for signatures.
const (
	tI32 = "\x7f"
	tI64 = "\x7e"
)

// More opcodes that tests use.
const (
	opBlock  = 0x02
	opBrIf   = 0x0d
	opI32Add = 0x6a
	opI32Sub = 0x6b
	opMisc   = 0xfc
)

// spin is a function that never ends.
func spin() testFunction {
	return testFunction{name: "spin", body: []byte{opLoop, emptyType, opBr, 0, opEnd}}
}

// countDown is a function that runs a loop of six instructions as often as its parameter says.
func countDown() testFunction {
	return testFunction{name: "count", params: tI32, body: []byte{
		opLoop, emptyType, opLocalGet, 0, opI32Const, 1, opI32Sub, opLocalTee, 0, opBrIf, 0, opEnd,
	}}
}
