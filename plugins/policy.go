package plugins

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/hostabi"
)

const (
	// policyBatch is how many requests a guest policy gets at once at most, as many as the simulator gives any policy.
	policyBatch = 4096
	// policyBase, policyRuntime and policyObject are the bytes of memory that a policy may have, with a runtime of its own, and
	// for each object, beside its buffers.
	policyBase    = 1 << 20
	policyRuntime = 8 << 20
	policyObject  = 128
	// policyFuel is how many units a policy may burn for a request, setupObjectFuel what ec_policy_init may for an object.
	policyFuel      = 1_000_000
	setupObjectFuel = 1024
	// maxParams bounds the parameters of a policy, as JSON.
	maxParams = 64 << 10
	// formParam is the parameter that says in which form a policy is asked.
	formParam            = "form"
	formEvent, formBatch = "event", "batch"
)

// PolicyModule is a module with an eviction policy, of which New makes those of caches. Its methods are safe for concurrent
// use.
type PolicyModule struct {
	plugin   *Plugin // what host functions and logs know the guest by
	manifest *hostabi.Manifest
	source   *Source
	wasm     []byte // as it is compiled
	pages    uint32 // what the manifest asks for, 0 if nothing
	least    uint32 // pages that its memory begins with
	wasi     bool
	// batched and events are the forms that it has.
	batched, events bool

	mu     sync.Mutex
	closed bool                               // guarded by mu
	code   map[*runtime]wazero.CompiledModule // guarded by mu
}

// LoadPolicy checks and compiles a module with an eviction policy. Nothing of it runs. Source.Config must be empty: a policy
// has parameters, which come with the cache. Errors say what is wrong with the module, and what to do.
func (h *Host) LoadPolicy(ctx context.Context, src Source) (m *PolicyModule, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer recoverAs(&err)
	m, err = h.preparePolicy(&src)
	if err == nil {
		_, _, err = m.compile(max(m.least, m.pagesFor(&hostabi.PolicySpec{})))
	}
	switch {
	case err == nil:
		return m, nil
	case m == nil || m.Name() == "":
		return nil, fmt.Errorf("policy: %w", err)
	default:
		return nil, fmt.Errorf("policy %s: %w", m.Name(), err)
	}
}

// preparePolicy checks what src holds and meters it. With an error it returns what it knows, if only the name.
func (h *Host) preparePolicy(src *Source) (*PolicyModule, error) {
	m := &PolicyModule{
		plugin: &Plugin{host: h, name: src.Name}, source: src, code: make(map[*runtime]wazero.CompiledModule),
	}
	m.plugin.lines.burst, m.plugin.guestLines.burst = h.logBurst, h.logBurst
	manifest, err := src.manifest()
	if err != nil {
		return m, err
	}
	m.manifest, m.pages = manifest, uint32(manifest.MemoryPages)
	m.plugin.name = cmp.Or(src.Name, manifest.Name)
	switch {
	case manifest.ABI != hostabi.ABIPolicy:
		return m, fmt.Errorf("manifest: abi %q: it is a plugin, no eviction policy, whose abi is %q", manifest.ABI, hostabi.ABIPolicy)
	case len(src.Config) > 0:
		return m, errors.New("a policy takes no configuration: it has parameters, as in name:param=value")
	}
	if _, err := src.check(manifest); err != nil {
		return m, err
	}
	mod, err := hostabi.ParseModule(src.Wasm)
	if err != nil {
		return m, fmt.Errorf("module %w", err)
	}
	if err := checkModule(mod, manifest, hostabi.MaxMemoryPages); err != nil {
		return m, err
	}
	m.least, m.wasi = mod.Memories[0].Min, usesWASI(mod)
	m.batched = mod.Export(hostabi.ExportPolicyBatch) != nil
	m.events = !slices.ContainsFunc(eventExports(), func(name string) bool { return mod.Export(name) == nil })
	m.wasm, err = h.transform(mod, src.Wasm)
	return m, err
}

// compile returns the module's code for memories of up to so many pages. That is made once: for another limit it is found in
// the host's cache of code.
func (m *PolicyModule) compile(pages uint32) (*runtime, wazero.CompiledModule, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil, errors.New("it is closed")
	}
	r, err := m.plugin.host.runtime(pages)
	if err != nil {
		return nil, nil, err
	}
	if m.wasi {
		if err := r.wasi(); err != nil {
			return nil, nil, fmt.Errorf("WASI: %w", err)
		}
	}
	if m.code[r] == nil {
		code, err := r.CompileModule(context.Background(), m.wasm)
		if err != nil {
			return nil, nil, fmt.Errorf("module does not compile: %w", err)
		}
		m.code[r] = code
	}
	return r, m.code[r], nil
}

// Name returns the source's name, or that of the manifest.
func (m *PolicyModule) Name() string { return m.plugin.name }

// Manifest returns the manifest. It must not be changed.
func (m *PolicyModule) Manifest() hostabi.Manifest { return *m.manifest }

// Close gives the code back. The caches that New has made must be closed before. It is idempotent.
func (m *PolicyModule) Close(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	var errs []error
	for _, code := range m.code {
		errs = append(errs, code.Close(ctx))
	}
	clear(m.code)
	return errors.Join(errs...)
}

// PolicyCache is the guest policy of one cache. It keeps books of its own on who is resident and how much room they take, and
// holds each answer of the guest against them: what it says of hits, misses and evictions is so, or it fails. Once it has
// failed it misses every request and tells of nothing. It is not safe for concurrent use. Replay, Hit, Insert and Remove call
// the guest, and return within the limits that docs/ABI.md gives a policy.
type PolicyCache interface {
	evict.Policy
	// Err returns how the guest failed, a *PolicyError, or nil.
	Err() error
	// MetadataBytes returns how large the guest's memory is, with its buffers; 0 after Close.
	MetadataBytes() uint64
	// Close gives the guest's memory back. No other method but Err and MetadataBytes may be called then. It is idempotent.
	Close() error
}

// New sets up the policy for a cache. The parameters of the spec are the guest's, but for "form", which is "batch" or
// "event" and chooses one of two forms that a guest has. The error is a *PolicyError where the guest failed or refused.
func (m *PolicyModule) New(s evict.Spec) (PolicyCache, error) {
	p, err := m.newCache(s)
	if guest, ok := errors.AsType[*PolicyError](err); ok {
		return nil, guest
	}
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", m.Name(), err)
	}
	if p.ask == nil {
		return &eventPolicy{guestPolicy: p}, nil
	}
	return &batchPolicy{guestPolicy: p}, nil
}

func (m *PolicyModule) newCache(s evict.Spec) (p *guestPolicy, err error) {
	defer recoverAs(&err)
	if s.Capacity < 1 || s.Objects < 0 || uint64(s.Objects) >= 1<<32-1 {
		return nil, fmt.Errorf("a cache of %d for %d objects is not possible", s.Capacity, s.Objects)
	}
	events, err := m.byEvents(s.Params)
	if err != nil {
		return nil, err
	}
	spec, err := policySpec(&s)
	if err != nil {
		return nil, err
	}
	v, err := m.version(spec)
	if err != nil {
		return nil, err
	}
	p = &guestPolicy{books: newBooks(&s), name: m.Name(), in: &instance{version: v, output: output{plugin: v.plugin}}}
	p.in.ctx.in = p.in
	if call, err := p.setUp(spec, events); err != nil {
		p.release()
		return nil, &PolicyError{Policy: m.Name(), Guest: guestError(m.Name(), call, err)}
	}
	p.knows(s.Forgotten != nil)
	return p, nil
}

// byEvents reports whether the guest is to be asked by events.
func (m *PolicyModule) byEvents(params map[string]string) (bool, error) {
	form, given := params[formParam]
	has, known := map[string]bool{formBatch: m.batched, formEvent: m.events}[form]
	switch {
	case !given:
		return !m.batched, nil
	case !known:
		return false, fmt.Errorf("parameter %s=%q: %q and %q are possible", formParam, form, formBatch, formEvent)
	case !has:
		return false, fmt.Errorf("parameter %s=%q: the guest does not have that form", formParam, form)
	}
	return form == formEvent, nil
}

// version is what an instance for the cache of spec is made from.
func (m *PolicyModule) version(spec *hostabi.PolicySpec) (*version, error) {
	pages := m.pagesFor(spec)
	if m.least > pages {
		return nil, fmt.Errorf("memory begins with %d pages: at most %d are allowed for %d objects: raise memory_pages in the manifest",
			m.least, pages, spec.Objects)
	}
	r, code, err := m.compile(pages)
	if err != nil {
		return nil, err
	}
	return &version{
		plugin: m.plugin, manifest: m.manifest, source: m.source, runtime: r, compiled: code, wasi: m.wasi,
		modules:    wazero.NewModuleConfig().WithName("").WithStartFunctions(),
		allowances: m.allowances(spec),
	}, nil
}

// pagesFor returns how many pages of memory the objects of spec ask for, or more if the manifest says so. It is a power of
// two, since each limit has a runtime of its own.
func (m *PolicyModule) pagesFor(spec *hostabi.PolicySpec) uint32 {
	size := uint64(policyBase)
	if m.wasi {
		size = policyRuntime
	}
	size += policyObject*uint64(spec.Objects) + hostabi.VictimSize*(uint64(spec.Most)+uint64(spec.Batch)) + 12*uint64(spec.Batch)
	pages := max((size+65535)/65536, uint64(m.pages))
	return uint32(min(1<<bits.Len64(pages-1), hostabi.MaxMemoryPages))
}

// allowances are what calls may have: those of events as callHook, of batches and the rest as callAside.
func (m *PolicyModule) allowances(spec *hostabi.PolicySpec) (all [callKinds]allowance) {
	each, base := cmp.Or(m.source.Grants.Fuel, m.manifest.Fuel, policyFuel), int64(0)
	if m.wasi {
		base = runtimeFuel
	}
	of := func(units int64) allowance {
		units = min(units, maxFuel)
		a := allowance{each: units, full: units}
		if timeout := m.plugin.host.timeout; time.Duration(units) > slowUnits*timeout {
			a.ticks = ticksOf(max(timeout, setupTimeout, time.Duration(units/slowUnits)))
		}
		return a
	}
	all[callHook] = of(min(each, maxFuel/eventCalls)*eventCalls + base)
	all[callAside] = of(min(each, maxFuel/policyBatch)*int64(spec.Batch) + base)
	all[callSetup] = of(setupFuel + setupObjectFuel*int64(spec.Objects))
	return all
}

// policySpec is s as the guest finds it.
func policySpec(s *evict.Spec) (*hostabi.PolicySpec, error) {
	params := maps.Clone(s.Params)
	delete(params, formParam)
	if params == nil {
		params = map[string]string{}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(params); err != nil {
		return nil, err // strings always can be
	}
	inJSON := bytes.TrimSpace(text.Bytes())
	if len(inJSON) > maxParams {
		return nil, fmt.Errorf("parameters of %d bytes: at most %d are possible", len(inJSON), maxParams)
	}
	spec := &hostabi.PolicySpec{
		Capacity: s.Capacity, Seed: s.Seed, Objects: uint32(s.Objects), Most: uint32(s.Objects), Batch: policyBatch, Bytes: s.Bytes,
		Params: inJSON,
	}
	if !s.Bytes {
		spec.Most = uint32(min(uint64(s.Objects), s.Capacity))
	}
	return spec, nil
}

// PolicyError says that a guest policy failed. It is core.ErrPlugin.
type PolicyError struct {
	Policy string
	// First and Last are the numbers of the requests in which it failed, from 1 on: the same where it is known in which one. They
	// are 0 where it failed before any.
	First, Last uint64
	// Guest is what went wrong.
	Guest *GuestError
}

func (e *PolicyError) Error() string {
	var where string
	switch {
	case e.First == e.Last && e.Last > 0:
		where = fmt.Sprintf("request %d: ", e.Last)
	case e.Last > 0:
		where = fmt.Sprintf("requests %d to %d: ", e.First, e.Last)
	}
	return strings.Join([]string{"policy ", e.Policy, ": ", where, e.Guest.reason()}, "")
}

// Unwrap returns what went wrong.
func (e *PolicyError) Unwrap() error { return e.Guest }
