package plugins

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"

	"github.com/tetratelabs/wazero"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// instancesPerProc bounds a pool by the processors: an instance is in use longer than a call only where its user is
// preempted between two.
const instancesPerProc = 4

// version is one module with its configuration, of which a plugin has one at a time. It is immutable but for its pools.
type version struct {
	plugin   *Plugin
	manifest *hostabi.Manifest
	config   []byte
	sum      [sha256.Size]byte // of all that it was made from
	source   *Source           // all that it was made from
	number   uint64            // tells it from the plugin's other versions
	swapped  bool              // it has taken the place of another
	begun    int64             // and when, by the clock

	runtime  *runtime
	compiled wazero.CompiledModule
	modules  wazero.ModuleConfig
	wasi     bool // the guest imports from WASI

	allowances [callKinds]allowance
	filter     *filter // nil: hooks are called for every key
	selective  bool    // there is a filter or a memo

	hooks     *pool // nil without such hooks
	observers *pool // of one instance; hooks itself for a stateful plugin; nil without that hook
	memo      *memo // nil unless the plugin is pure and has no part in values
	breaker   breaker
}

// load checks and compiles what src holds, and makes the first instances, so that a version which can't run is never put
// in place. Errors do not name the plugin.
func (p *Plugin) load(ctx context.Context, src *Source) (v *version, err error) {
	defer recoverAs(&err)
	if v, err = p.prepare(src); err != nil {
		return nil, err
	}
	v.makePools()
	if err := v.start(ctx); err != nil {
		return nil, errors.Join(err, v.retire(hostabi.NewStatTable(v.manifest.Stats), &callTotals{}))
	}
	return v, nil
}

// recoverAs turns a panic, of the runtime on what a module holds, into an error.
func recoverAs(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("module: %w", panicError{r})
	}
}

// prepare checks and compiles what src holds. Nothing of it runs.
func (p *Plugin) prepare(src *Source) (*version, error) {
	m, err := src.manifest()
	if err != nil {
		return nil, err
	}
	if err := checkABI(m.ABI, p.abi); err != nil {
		return nil, err
	}
	pages, err := src.check(m)
	if err != nil {
		return nil, err
	}
	mod, err := hostabi.ParseModule(src.Wasm)
	if err != nil {
		return nil, fmt.Errorf("module %w", err)
	}
	if err := checkModule(mod, m, pages); err != nil {
		return nil, err
	}
	v := &version{plugin: p, number: p.versions.Add(1), manifest: m, config: src.config(), sum: src.sum(), source: src, filter: newFilter(m.Keys, src.Grants.Keys)}
	if mod.Export(hostabi.ExportInit) == nil && len(src.Config) > 0 {
		return nil, fmt.Errorf("export %s is missing: the plugin takes no configuration", hostabi.ExportInit)
	}
	return v, v.compile(mod, src, pages)
}

func (v *version) compile(mod *hostabi.Module, src *Source, pages uint32) error {
	wasm, err := v.plugin.host.transform(mod, src.Wasm)
	if err != nil {
		return err
	}
	v.allowances = src.allowances(v.manifest, usesWASI(mod), v.plugin.host.timeout)
	if v.runtime, err = v.plugin.host.runtime(pages); err != nil {
		return err
	}
	v.modules = wazero.NewModuleConfig().WithName("").WithStartFunctions()
	if usesWASI(mod) {
		if err := v.runtime.wasi(); err != nil {
			return fmt.Errorf("WASI: %w", err)
		}
		v.modules, v.wasi = v.wasiConfig(), true
	}
	if v.compiled, err = v.runtime.CompileModule(context.Background(), wasm); err != nil {
		return fmt.Errorf("module does not compile: %w", err)
	}
	return nil
}

// wasiConfig is what guests of WASI find besides a log for output: randomness, and the time if they may know it.
func (v *version) wasiConfig() wazero.ModuleConfig {
	c := v.modules.WithRandSource(rand.Reader)
	if v.manifest.NeedsCapability("clock") {
		c = c.WithSysWalltime().WithSysNanotime()
	}
	return c
}

func (v *version) makePools() {
	size := instancesPerProc * goruntime.GOMAXPROCS(0)
	if v.manifest.Stateful {
		size = 1
	}
	if isCalled(v.manifest) {
		v.hooks = newPool(v, roleHooks, size)
	}
	switch {
	case !isTold(v.manifest):
	case v.manifest.Stateful && v.hooks != nil:
		v.observers, v.hooks.role = v.hooks, roleObserver
	default:
		v.observers = newPool(v, roleObserver, 1)
	}
	if v.manifest.Pure && !v.manifest.NeedsCapability("value") { // a value that was written can't be remembered
		v.memo = newMemo()
	}
	v.selective = v.filter != nil || v.memo != nil
}

// isCalled reports whether a plugin is called inside of commands or exchanges, isTold whether events are for it.
func isCalled(m *hostabi.Manifest) bool {
	return m.Wants(hostabi.HookBefore) || m.Wants(hostabi.HookAfter) ||
		slices.ContainsFunc(m.Phases, func(phase string) bool { return phase != hostabi.HTTPPhaseEvent })
}

func isTold(m *hostabi.Manifest) bool {
	return m.Wants(hostabi.HookObserve) || m.WantsPhase(hostabi.HTTPPhaseEvent)
}

// checkABI reports a manifest that belongs elsewhere than where it is loaded.
func checkABI(abi, want string) error {
	switch abi {
	case want:
		return nil
	case hostabi.ABIPolicy:
		return fmt.Errorf("manifest: abi %q: it is an eviction policy, which has no hooks: name it where policies are chosen", abi)
	case hostabi.ABIHTTP:
		return fmt.Errorf("manifest: abi %q: its hooks are those of an HTTP cache: name it where those are loaded", abi)
	default:
		return fmt.Errorf("manifest: abi %q: its hooks are those of commands: the abi of hooks of HTTP is %q", abi, want)
	}
}

// pools returns the version's pools, each once.
func (v *version) pools() []*pool {
	var all []*pool
	if v.hooks != nil {
		all = append(all, v.hooks)
	}
	if v.observers != nil && v.observers != v.hooks {
		all = append(all, v.observers)
	}
	return all
}

// start makes the first instance of each pool.
func (v *version) start(ctx context.Context) error {
	for _, p := range v.pools() {
		if err := ctx.Err(); err != nil {
			return err
		}
		in, err := p.acquire(ctx)
		if err != nil {
			return err
		}
		p.release(in)
	}
	return nil
}

// retire closes all instances, when their users are done, and the code. See pool.retire.
func (v *version) retire(total *hostabi.StatTable, calls *callTotals) error {
	for _, p := range v.pools() {
		p.retire(total, calls)
	}
	for _, p := range v.pools() {
		p.refills.Wait()
	}
	return v.compiled.Close(context.Background())
}

// role is what an instance is for.
type role uint8

const (
	roleHooks role = iota
	roleObserver
	roleShadow // to be tried out: what it does in the host must leave no traces
)

// instantiate makes an instance and sets it up. The error is a *GuestError.
func (v *version) instantiate(is role) (in *instance, err error) {
	defer func() {
		if r := recover(); r != nil {
			in, err = nil, v.startError("instantiate", panicError{r})
		}
	}()
	in = &instance{version: v, output: output{plugin: v.plugin}, kv: v.plugin.kv, metrics: &v.plugin.metrics}
	in.ctx.in = in
	if is == roleShadow {
		in.kv, in.metrics = newKVStore(core.Clock), new(metrics)
		in.kv.limit(v.source.Grants)
	}
	if err := in.instantiate(); err != nil {
		return nil, v.startError("instantiate", err)
	}
	in.scope = newScope(v.manifest)
	module := in.module
	in.before, in.after = module.ExportedFunction(hostabi.ExportBefore), module.ExportedFunction(hostabi.ExportAfter)
	in.observe, in.http = module.ExportedFunction(hostabi.ExportObserve), module.ExportedFunction(hostabi.ExportHTTP)
	if len(v.manifest.Stats) > 0 {
		in.stats = module.ExportedFunction(hostabi.ExportStats)
	}
	if call, err := in.setUp(is == roleObserver); err != nil {
		in.close()
		return nil, v.startError(call, err)
	}
	return in, nil
}

// instantiate makes the instance's module, of which nothing has run then.
func (in *instance) instantiate() error {
	v := in.version
	modules := v.modules
	if v.wasi {
		modules = modules.WithStdout(&in.output).WithStderr(&in.output)
	}
	module, err := v.runtime.InstantiateModule(context.Background(), v.compiled, modules)
	if err != nil {
		return err
	}
	in.module, in.memory, in.tank = module, module.Memory(), newTank(module)
	in.idle, in.buf = module.ExportedFunction(hostabi.ExportIdle), module.ExportedFunction(hostabi.ExportBuf)
	if in.tank.stop != nil {
		in.timer = v.plugin.host.dog.watch(in.tank.stop)
	}
	return nil
}

func (v *version) startError(call string, err error) error {
	e := guestError(v.plugin.name, call, err)
	if e.Kind != FailureProtocol {
		e.Err = fmt.Errorf("%s: %w", e.Kind, e.Err)
	}
	e.Kind = FailureStart
	v.plugin.failures[FailureStart].Add(1)
	return e
}

// setUp makes the calls that come before all others. It returns the one that failed.
func (in *instance) setUp(observes bool) (call string, err error) {
	if err := in.initialize(); err != nil {
		return hostabi.ExportInitialize, err
	}
	if in.buf != nil {
		if err := in.room(callSetup, hostabi.MinBuf); err != nil {
			return hostabi.ExportBuf, err
		}
	}
	if err := in.configure(); err != nil {
		return hostabi.ExportInit, err
	}
	if !observes {
		return "", nil
	}
	return hostabi.ExportEvents, in.findEvents()
}

// initialize makes the very first call, if the guest wants it.
func (in *instance) initialize() error {
	f := in.module.ExportedFunction(hostabi.ExportInitialize)
	if f == nil {
		return nil
	}
	return in.call(callSetup, f, nil)
}

// configure hands the configuration over.
func (in *instance) configure() error {
	f := in.module.ExportedFunction(hostabi.ExportInit)
	if f == nil {
		return nil
	}
	config := in.version.config
	if size := hostabi.BufKey + len(config); size > int(in.bufSize) {
		if err := in.room(callSetup, size); err != nil {
			return fmt.Errorf("configuration of %d bytes: %w", len(config), err)
		}
	}
	in.memory.Write(in.bufAddr+hostabi.BufKey, config) // room has seen that it fits
	in.stack[0], in.stack[1] = uint64(len(config)), features(in.version.manifest)
	if err := in.call(callSetup, f, in.stack[:2]); err != nil {
		return err
	}
	n := uint32(in.stack[0])
	if n == 0 {
		return nil
	}
	b, ok := in.memory.Read(in.bufAddr+hostabi.BufKey, n)
	if !ok {
		return protocolf("returned a text of %d bytes, outside its memory", n)
	}
	reason, err := text(b)
	if err != nil {
		return err
	}
	return protocolf("refuses its configuration: %s", reason)
}

// findEvents asks where batches of events go.
func (in *instance) findEvents() error {
	in.stack[0] = hostabi.EventBatch
	if err := in.call(callSetup, in.module.ExportedFunction(hostabi.ExportEvents), in.stack[:1]); err != nil {
		return err
	}
	in.events = uint32(in.stack[0])
	if _, ok := in.memory.Read(in.events, hostabi.EventBatch*hostabi.EventSize); !ok || in.events == 0 {
		return protocolf("returned %d: there is no room for %d events", in.events, hostabi.EventBatch)
	}
	return nil
}

// close gives the instance's memory back. The caller has it alone, and nobody finds it any more.
func (in *instance) close() {
	if in.timer != nil {
		in.version.plugin.host.dog.forget(in.timer)
	}
	_ = in.module.Close(context.Background()) // closes no files: there is nothing that could fail
}

// manifest reads the manifest from beside or inside the module.
func (s *Source) manifest() (*hostabi.Manifest, error) {
	b := s.Manifest
	if b == nil {
		section, ok, err := hostabi.ReadManifest(s.Wasm)
		if err != nil {
			return nil, fmt.Errorf("module %w", err)
		}
		if !ok {
			return nil, fmt.Errorf("module has no manifest: put one into its custom section %s, or beside it in a file with "+
				"%s added to its name", hostabi.ManifestSection, hostabi.ManifestSuffix)
		}
		b = section
	}
	return hostabi.ParseManifest(b)
}

// check looks at what the source asks for and returns its memory limit in pages.
func (s *Source) check(m *hostabi.Manifest) (pages uint32, err error) {
	if err := checkNeeds(m, s.Grants); err != nil {
		return 0, err
	}
	if f := s.Grants.Failure; f != "" && f != hostabi.FailOpen && f != hostabi.FailClosed {
		return 0, fmt.Errorf("grants: failure %q: %q or %q are possible", f, hostabi.FailOpen, hostabi.FailClosed)
	}
	if s.Grants.KVBytes < 0 || s.Grants.KVEntries < 0 {
		return 0, fmt.Errorf("grants: %d bytes and %d entries of kv: they can't be negative", s.Grants.KVBytes, s.Grants.KVEntries)
	}
	if len(s.Config) > 0 && !json.Valid(s.Config) {
		return 0, errors.New("configuration is not JSON")
	}
	if m.Fuel > maxFuel || s.Grants.Fuel > maxFuel || s.Grants.Fuel < 0 {
		return 0, fmt.Errorf("fuel: manifest %d, grants %d: 0 to %d units are possible", m.Fuel, s.Grants.Fuel, int64(maxFuel))
	}
	if len(s.Grants.Keys) > 0 && m.ABI == hostabi.ABIHTTP {
		return 0, fmt.Errorf("grants: keys: hooks of HTTP (abi %q) are called for every exchange", m.ABI)
	}
	if len(s.Grants.Keys) > 0 && m.Wants(hostabi.HookObserve) {
		return 0, fmt.Errorf("grants: keys: events carry no key: a plugin with hook %q gets all of them or none", hostabi.HookObserve)
	}
	most, wanted := s.Grants.mostPages(), m.MemoryPages
	if wanted == 0 {
		wanted = min(hostabi.DefaultMemoryPages, most)
	}
	if wanted > most {
		return 0, fmt.Errorf("manifest: memory_pages %d: at most %d are granted", wanted, most)
	}
	return uint32(wanted), nil
}

// mostPages returns how many pages of memory a manifest may ask for.
func (g *Grants) mostPages() int { return cmp.Or(g.MemoryPages, defaultMaxPages) }

func (s *Source) config() []byte {
	if len(s.Config) == 0 {
		return []byte("{}")
	}
	return s.Config
}

func (s *Source) failure(m *hostabi.Manifest) string {
	if s.Grants.Failure != "" {
		return s.Grants.Failure
	}
	return m.Failure
}

// version returns the plugin's own version, "" where it has none.
func (s *Source) version() string {
	m, err := s.manifest()
	if err != nil {
		return ""
	}
	return m.Version
}

// sum tells sources apart.
func (s *Source) sum() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q %+v %d %d %d ", s.Name, s.Grants, len(s.Wasm), len(s.Manifest), len(s.Config))
	for _, b := range [][]byte{s.Wasm, s.Manifest, s.Config} {
		h.Write(b)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
