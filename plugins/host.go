package plugins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/edgecache/edgecache/hostabi"
)

// HostOptions configures a Host.
type HostOptions struct {
	// CacheDir is where compiled code is kept, so that the next process loads a module in a fraction of the time. ""
	// keeps it in memory. Who can write there can run code in this process.
	CacheDir string
	// Logger receives what guests log and how they fail. nil discards it.
	Logger *slog.Logger
	// LogBurst is how many lines a plugin may log at once before it is held to 5 a second. 0 means 20.
	LogBurst int
	// CallTimeout is how long a guest may take for a command or a batch of events, by the wall clock, to the millisecond.
	// 0 means 100 ms. Fuel stops most guests long before; this is for those that were given much, or wait in the host.
	CallTimeout time.Duration
	// Unmetered runs guests as they are, without fuel and watchdog, and with lines of source in traces where the module has
	// them. It is for debugging: a guest that does not end then hangs the process.
	Unmetered bool
}

// Host runs plugins. Its methods are safe for concurrent use.
type Host struct {
	logger    *slog.Logger
	logBurst  int64
	cache     wazero.CompilationCache
	cacheDir  string
	timeout   time.Duration
	unmetered bool
	dog       *watchdog

	mu       sync.Mutex
	closed   bool                // guarded by mu
	runtimes map[uint32]*runtime // guarded by mu; by memory limit in pages, which is a property of a runtime
	plugins  map[*Plugin]bool    // guarded by mu; those not closed
}

// runtime is where guests of one memory limit live.
type runtime struct {
	wazero.Runtime
	wasi func() error // makes WASI's functions importable
}

// NewHost returns a host without plugins.
func NewHost(ctx context.Context, o HostOptions) (*Host, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.CallTimeout < 0 {
		return nil, fmt.Errorf("plugins: timeout of a call %v: must not be below 0", o.CallTimeout)
	}
	h := &Host{
		logger: o.Logger, cacheDir: o.CacheDir, timeout: cmp.Or(o.CallTimeout, defaultTimeout), unmetered: o.Unmetered,
		logBurst: int64(cmp.Or(o.LogBurst, logBurst)),
		runtimes: make(map[uint32]*runtime), plugins: make(map[*Plugin]bool),
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if o.CacheDir == "" {
		h.cache = wazero.NewCompilationCache()
	} else {
		cache, err := wazero.NewCompilationCacheWithDir(o.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("plugins: cache of compiled code in %s: %w", o.CacheDir, err)
		}
		h.cache = cache
	}
	h.dog = newWatchdog()
	return h, nil
}

// defaultTimeout is how long a call may take unless the host was told otherwise.
const defaultTimeout = 100 * time.Millisecond

// runtime returns the runtime for guests of up to pages of memory.
func (h *Host) runtime(pages uint32) (*runtime, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errHostClosed
	}
	if r := h.runtimes[pages]; r != nil {
		return r, nil
	}
	r, err := h.newRuntime(pages)
	if err == nil {
		h.runtimes[pages] = r
	}
	return r, err
}

var errHostClosed = errors.New("the plugin host is closed")

func (h *Host) newRuntime(pages uint32) (*runtime, error) {
	ctx := context.Background() // outlives the call
	config := wazero.NewRuntimeConfig().WithCompilationCache(h.cache).WithMemoryLimitPages(pages).WithDebugInfoEnabled(h.unmetered)
	r := &runtime{Runtime: wazero.NewRuntimeWithConfig(ctx, config)}
	r.wasi = sync.OnceValue(func() error {
		_, err := wasi_snapshot_preview1.Instantiate(ctx, r)
		return err
	})
	module := r.NewHostModuleBuilder(hostabi.ImportModule)
	for _, f := range hostFunctions() {
		module.NewFunctionBuilder().WithGoModuleFunction(f.call, valueTypes(f.Signature.Params), valueTypes(f.Signature.Results)).
			Export(f.Name)
	}
	if _, err := module.Instantiate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("host functions: %w", err), r.Close(ctx))
	}
	return r, nil
}

// valueTypes turns one half of a signature into what the runtime calls it, which is the module's encoding.
func valueTypes(types string) []byte { return []byte(types) }

// add keeps a plugin to close it with the host.
func (h *Host) add(p *Plugin) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errHostClosed
	}
	h.plugins[p] = true
	return nil
}

func (h *Host) remove(p *Plugin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.plugins, p)
}

// Close closes all plugins and gives back what the host holds. It waits for calls under way and is idempotent.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	open := slices.Collect(maps.Keys(h.plugins))
	h.mu.Unlock()
	var errs []error
	for _, p := range open {
		errs = append(errs, p.Close(ctx))
	}
	for _, r := range h.runtimes { // no longer changed
		errs = append(errs, r.Close(ctx))
	}
	h.dog.close()
	return errors.Join(append(errs, h.cache.Close(ctx))...)
}
