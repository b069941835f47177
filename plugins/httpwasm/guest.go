package httpwasm

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins/meter"
)

// Options configures a Guest. The zero value of a field is its default.
type Options struct {
	// Name stands in logs and errors. "" is "http-wasm".
	Name string
	// Config is what the guest gets from get_config.
	Config []byte
	// MemoryPages bounds the memory of an instance, in pages of 64 KiB. 0 means 256, which is 16 MiB.
	MemoryPages uint32
	// Fuel is what a guest may burn in one call, about an instruction a unit. 0 means 50,000,000.
	Fuel int64
	// Instances bounds how many there are at once. A request has one until its response is complete; beyond the bound
	// requests wait. 0 means 256.
	Instances int
	// MaxBody bounds a body that the guest has buffered, or writes itself, in bytes. 0 means 8 MiB.
	MaxBody int64
	// Open lets a request go on to the next handler when the guest fails, and a response go out as it came. Otherwise the
	// client gets a 500.
	Open bool
	// CacheDir is where compiled code is kept. "" is nowhere. Who can write there can run code in this process.
	CacheDir string
	// Logger receives what guests log and how they fail. nil discards it.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Name = cmp.Or(o.Name, "http-wasm")
	o.MemoryPages = cmp.Or(o.MemoryPages, 256)
	o.Fuel = cmp.Or(o.Fuel, 50_000_000)
	o.Instances = cmp.Or(o.Instances, 256)
	o.MaxBody = cmp.Or(o.MaxBody, 8<<20)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o *Options) validate() error {
	switch {
	case o.MemoryPages > 65536:
		return fmt.Errorf("http-wasm: memory of %d pages: at most 65536 are possible", o.MemoryPages)
	case o.Fuel < 0 || o.Instances < 0 || o.MaxBody < 0:
		return fmt.Errorf("http-wasm: fuel %d, instances %d, body %d: none may be below 0", o.Fuel, o.Instances, o.MaxBody)
	}
	return nil
}

const (
	// setupFuel is what an instance may burn until it is ready: runtimes of languages do much there.
	setupFuel = 256_000_000
	// maxRun bounds what a guest may do between two looks at its fuel, in units.
	maxRun = 1_000_000
	// maxTable bounds the elements of a table, which lie outside of the memory's limit.
	maxTable = 100_000
)

// Guest is a loaded module. It is safe for concurrent use.
type Guest struct {
	o        Options
	runtime  wazero.Runtime
	cache    wazero.CompilationCache // nil without
	compiled wazero.CompiledModule
	modules  wazero.ModuleConfig
	features features // enabled by the first instance while it was set up
	pool     pool

	requests, answered, failed atomic.Int64
}

// Stats is what a guest has done so far.
type Stats struct {
	Requests int64 `json:"requests"`
	Answered int64 `json:"answered"` // by the guest, so that no next handler saw them
	Failed   int64 `json:"failed"`
}

// Stats returns a snapshot.
func (g *Guest) Stats() Stats {
	return Stats{Requests: g.requests.Load(), Answered: g.answered.Load(), Failed: g.failed.Load()}
}

// New compiles a guest and sets its first instance up. wasm is not kept.
func New(ctx context.Context, wasm []byte, o Options) (*Guest, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	g := &Guest{o: o}
	if err := g.load(ctx, wasm); err != nil {
		return nil, errors.Join(fmt.Errorf("http-wasm guest %s: %w", o.Name, err), g.Close(ctx))
	}
	return g, nil
}

func (g *Guest) load(ctx context.Context, wasm []byte) error {
	wasm, err := rewrite(wasm)
	if err != nil {
		return err
	}
	if err := g.newRuntime(ctx); err != nil {
		return err
	}
	if g.compiled, err = g.runtime.CompileModule(ctx, wasm); err != nil {
		return fmt.Errorf("module does not compile: %w", err)
	}
	if err := checkExports(g.compiled); err != nil {
		return err
	}
	g.modules = wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize", "_start").
		WithRandSource(rand.Reader).WithSysWalltime().WithSysNanotime()
	g.pool.init(g.o.Instances)
	first, err := g.take(ctx)
	if err != nil {
		return err
	}
	g.features = first.features
	g.pool.put(first)
	return nil
}

// rewrite returns the module with bounded tables and on fuel.
func rewrite(wasm []byte) ([]byte, error) {
	mod, err := hostabi.ParseModule(wasm)
	if err != nil {
		return nil, fmt.Errorf("module %w", err)
	}
	if wasm, err = mod.ClampTables(wasm, maxTable); err != nil {
		return nil, err
	}
	metered, info, err := meter.Rewrite(wasm, meter.Options{Budget: setupFuel})
	if err != nil {
		return nil, fmt.Errorf("module can't be metered: %w", err)
	}
	if info.LargestRun > maxRun {
		return nil, fmt.Errorf("module has a stretch of code of %d units without a loop or a call: at most %d are allowed",
			info.LargestRun, maxRun)
	}
	return metered, nil
}

func (g *Guest) newRuntime(ctx context.Context) (err error) {
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(g.o.MemoryPages)
	if g.o.CacheDir != "" {
		if g.cache, err = wazero.NewCompilationCacheWithDir(g.o.CacheDir); err != nil {
			return fmt.Errorf("cache of compiled code in %s: %w", g.o.CacheDir, err)
		}
		config = config.WithCompilationCache(g.cache)
	}
	g.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, g.runtime); err != nil {
		return fmt.Errorf("WASI: %w", err)
	}
	module := g.runtime.NewHostModuleBuilder(importModule)
	for _, f := range hostFunctions() {
		module.NewFunctionBuilder().WithGoModuleFunction(f.call(), f.params, f.results).Export(f.name)
	}
	if _, err := module.Instantiate(ctx); err != nil {
		return fmt.Errorf("host functions: %w", err)
	}
	return nil
}

// The exports that make a module a guest.
const (
	exportMemory   = "memory"
	exportRequest  = "handle_request"
	exportResponse = "handle_response"
)

func checkExports(m wazero.CompiledModule) error {
	if m.ExportedMemories()[exportMemory] == nil {
		return fmt.Errorf("module does not export its %s: is it a guest of the http-wasm handler ABI?", exportMemory)
	}
	for _, want := range []struct {
		name            string
		params, results []api.ValueType
	}{
		{exportRequest, nil, []api.ValueType{i64}},
		{exportResponse, []api.ValueType{i32, i32}, nil},
	} {
		f := m.ExportedFunctions()[want.name]
		if f == nil {
			return fmt.Errorf("module does not export %s: is it a guest of the http-wasm handler ABI?", want.name)
		}
		if !slices.Equal(f.ParamTypes(), want.params) || !slices.Equal(f.ResultTypes(), want.results) {
			return fmt.Errorf("export %s has another signature than the ABI: rebuild the guest with a current SDK", want.name)
		}
	}
	return nil
}

// Close gives back what the guest holds. Requests must have ended. It is idempotent.
func (g *Guest) Close(ctx context.Context) error {
	var errs []error
	if g.runtime != nil {
		errs = append(errs, g.runtime.Close(ctx))
	}
	if g.cache != nil {
		errs = append(errs, g.cache.Close(ctx))
	}
	return errors.Join(errs...)
}
