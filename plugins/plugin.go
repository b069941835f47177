package plugins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// defaultMaxPages is how much memory a manifest may ask for unless more is granted: 16 MiB.
const defaultMaxPages = 256

// Source is what a plugin is made from. The host keeps its slices: they must not be changed.
type Source struct {
	// Name is the plugin's name in hooks, errors, logs and figures, unique in a cache. "" means the manifest's.
	Name string
	// Wasm is the module.
	Wasm []byte
	// Manifest is a manifest that came beside the module. nil means the one in the module.
	Manifest []byte
	// Config is JSON for the guest's ec_init. Empty means {}.
	Config []byte
	// Grants are what the plugin may have and do.
	Grants Grants
}

// Grants are an operator's word on what a plugin may have. The zero value suits plugins that compute.
type Grants struct {
	// Needs are capabilities given besides clock, hash, log and rng, which do no harm and which everyone gets.
	Needs []string
	// MemoryPages is how many pages of 64 KiB the manifest may ask for, for each instance. 0 means 256.
	MemoryPages int
	// Fuel is how many units a call may burn, whatever the manifest says. 0 leaves it to the manifest, and that to the
	// host's defaults by the kind of call.
	Fuel int64
	// Keys are prefixes: the hooks are called only for keys that begin with one of them and fit the manifest's, too. None
	// is every key. A plugin that observes can't be limited so.
	Keys []string
	// KVBytes and KVEntries bound what the plugin keeps by capability kv, keys and values counted. 0 means 1 MiB and 10,000.
	KVBytes, KVEntries int
	// Failure overrides the manifest's failure policy: "open" lets a command go on without the plugin where that fails,
	// "closed" fails the command. "" leaves it to the manifest, and that to open.
	Failure string
}

// Plugin is a loaded guest. Its methods are safe for concurrent use.
type Plugin struct {
	host *Host
	name string
	abi  string // what a manifest's must be

	lines      limiter // what the host logs about the plugin
	guestLines limiter // what the guest logs
	kv         *kvStore
	metrics    metrics

	current    atomic.Pointer[version] // nil when closed
	failClosed atomic.Bool             // the failure policy of the version in place

	failures [failureKinds]atomic.Uint64
	failure  atomic.Pointer[GuestError] // the last one
	skipped  atomic.Uint64
	refused  atomic.Uint64
	lost     atomic.Uint64
	swaps    atomic.Uint64
	versions atomic.Uint64 // that were begun

	rollbacks atomic.Uint64
	regrets   sync.WaitGroup // rollbacks that failures have begun

	queue   *queue  // of a plugin that observes and may lose events; nil else
	samples samples // of keys that hooks were called for

	// mu is held by who replaces the version, or adds up over instances.
	mu   sync.Mutex
	last *Source            // guarded by mu: what Rollback goes back to, nil for nothing
	base *hostabi.StatTable // guarded by mu: what instances that are gone had counted
	gone callTotals         // guarded by mu: and how often they were called
}

// callTotals adds up calls over instances.
type callTotals struct{ calls, nanos, fuel uint64 }

func (t *callTotals) add(in *instance) {
	t.calls += in.calls
	t.nanos += in.nanos
	t.fuel += in.tank.burnt()
}

// Load checks and compiles a module and sets up its first instance. Nothing of it runs before all checks have passed.
// Errors say what is wrong with the module, and what to do.
func (h *Host) Load(ctx context.Context, src Source) (*Plugin, error) {
	return h.loadAs(ctx, hostabi.ABIHook, src)
}

// loadAs loads a module whose manifest's abi must be so.
func (h *Host) loadAs(ctx context.Context, abi string, src Source) (*Plugin, error) {
	p := &Plugin{host: h, name: src.Name, abi: abi, kv: newKVStore(core.Clock)}
	p.lines.burst, p.guestLines.burst = h.logBurst, h.logBurst
	p.kv.limit(src.Grants)
	if p.name == "" {
		if m, err := src.manifest(); err == nil {
			p.name = m.Name
		}
	}
	v, err := p.load(ctx, &src)
	if err != nil {
		return nil, p.wrap(err)
	}
	p.base = hostabi.NewStatTable(v.manifest.Stats)
	p.put(v, &src)
	if v.observers != nil && v.manifest.Lossy {
		p.queue = newQueue(p)
	}
	if err := h.add(p); err != nil {
		return nil, errors.Join(p.wrap(err), p.Close(ctx))
	}
	p.log(slog.LevelInfo, "plugin loaded", slog.String("version", v.manifest.Version))
	return p, nil
}

// wrap names the plugin in an error that does not yet.
func (p *Plugin) wrap(err error) error {
	var guest *GuestError
	switch {
	case errors.As(err, &guest):
		return err
	case p.name == "":
		return fmt.Errorf("plugin: %w", err)
	default:
		return fmt.Errorf("plugin %s: %w", p.name, err)
	}
}

// Name returns the plugin's name.
func (p *Plugin) Name() string { return p.name }

// Manifest returns the manifest of the version in place, or the zero manifest after Close. It must not be changed.
func (p *Plugin) Manifest() hostabi.Manifest {
	if v := p.current.Load(); v != nil {
		return *v.manifest
	}
	return hostabi.Manifest{}
}

// Source returns what the version in place was made from, or the zero Source after Close: that of the last Load or Swap,
// unless it was rolled back. It must not be changed.
func (p *Plugin) Source() Source {
	if v := p.current.Load(); v != nil {
		return *v.source
	}
	return Source{}
}

var errClosed = fmt.Errorf("%w: it is closed", core.ErrPlugin)

// Close ends the plugin when the calls under way are done. Its hook and observer then do nothing, or fail every command
// if the failure policy was closed. It is idempotent.
func (p *Plugin) Close(context.Context) error {
	if p.queue != nil {
		p.queue.close()
	}
	defer p.regrets.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.host.remove(p)
	v := p.current.Swap(nil)
	if v == nil {
		return nil
	}
	defer p.kv.clear()
	return v.retire(p.base, &p.gone)
}

// bury takes a dead instance from its pool and keeps what it had counted.
func (p *Plugin) bury(from *pool, in *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if from.remove(in) {
		p.base.MergeTable(in.final)
		p.gone.add(in)
		in.close()
	}
}

// failed counts and logs a failure of a call, and reports it to the breaker.
func (p *Plugin) failed(v *version, err *GuestError, probe bool) {
	if err.Kind != FailureStart { // which is counted where it happens
		p.failures[err.Kind].Add(1)
	}
	p.failure.Store(err)
	p.log(slog.LevelWarn, "plugin failed", slog.String("version", v.manifest.Version), slog.Any("error", err), slog.String("words", err.Words), slog.String("trace", err.Trace))
	if v.breaker.failed(core.Clock(), probe) {
		p.log(slog.LevelError, "plugin fails too often and is left out for a while")
		p.regret(v)
	}
}

// PluginStats are figures of a plugin since it was loaded, over all its versions.
type PluginStats struct {
	// Calls is how often guests were entered, Nanos an estimate of the time they took.
	Calls, Nanos uint64
	// Fuel is how many units they burnt.
	Fuel uint64
	// Failures counts them by the names of FailureKind; kinds that did not occur are left out.
	Failures map[string]uint64
	// LastFailure is the last of them, "" for none.
	LastFailure string
	// Skipped counts calls that were not made because the breaker was open.
	Skipped uint64
	// Refused counts keys that were too long for the guest.
	Refused uint64
	// Lost counts events that an observer did not see, or saw in a batch in which it failed.
	Lost uint64
	// Swaps counts versions after the first, Rollbacks those among them that were the former one again.
	Swaps, Rollbacks uint64
	// Instances is how many there are, MemoryBytes the size of their memories.
	Instances   int
	MemoryBytes uint64
	// Breaker is "closed", "open", "half-open", or "" after Close.
	Breaker string
	// KVEntries and KVBytes are what the plugin keeps by capability kv, as its share counts it.
	KVEntries, KVBytes int
	// Metrics are the guest's own, sorted by name.
	Metrics []core.Metric
}

// Stats returns the plugin's figures. It waits for calls under way.
func (p *Plugin) Stats() PluginStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PluginStats{
		Failures: make(map[string]uint64), Skipped: p.skipped.Load(), Refused: p.refused.Load(), Lost: p.lost.Load(),
		Swaps: p.swaps.Load(), Rollbacks: p.rollbacks.Load(), Metrics: p.metrics.list(),
	}
	s.KVEntries, s.KVBytes = p.kv.figures()
	total := p.gone
	if v := p.current.Load(); v != nil {
		s.Breaker = v.breaker.state(core.Clock())
		for _, pool := range v.pools() {
			pool.each(func(in *instance) {
				total.add(in)
				if !in.dead {
					s.Instances++
					s.MemoryBytes += uint64(in.memory.Size())
				}
			})
		}
	}
	s.Calls, s.Nanos, s.Fuel = total.calls, total.nanos, total.fuel
	if err := p.failure.Load(); err != nil {
		s.LastFailure = err.Error()
	}
	for k := range failureKinds {
		if n := p.failures[k].Load(); n > 0 {
			s.Failures[k.String()] = n
		}
	}
	return s
}

// Report returns the guest's own statistics, added up over all instances there were, and its metrics. It waits for calls
// under way. A plugin whose manifest names no statistics reports no rows.
func (p *Plugin) Report() (core.Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.current.Load()
	if v == nil {
		return core.Report{}, p.wrap(errClosed)
	}
	stats := v.manifest.Stats
	r := core.Report{Metrics: p.metrics.list()}
	if len(stats) == 0 {
		return r, nil
	}
	total := hostabi.NewStatTable(stats)
	total.MergeTable(p.base)
	var failed error
	for _, pool := range v.pools() {
		pool.each(func(in *instance) {
			if in.dead {
				total.MergeTable(in.final)
			} else if err := in.readStats(total); err != nil && failed == nil {
				failed = guestError(p.name, hostabi.ExportStats, err)
			}
		})
	}
	for _, row := range total.Rows() {
		r.Rows = append(r.Rows, core.ReportRow{Op: core.Op(row.Op), Namespace: row.Namespace, Figures: figures(stats, row.Slots)})
	}
	return r, failed
}

// figures names the slots of a row.
func figures(stats []hostabi.Stat, slots []uint64) []core.Figure {
	all := make([]core.Figure, len(stats))
	sums := make(map[string]uint64)
	at := 0
	for i, s := range stats {
		all[i].Name = s.Name
		switch s.Kind {
		case hostabi.KindMean, hostabi.KindRatio:
			continue // below, when all sums are known
		case hostabi.KindLog2:
			all[i].Buckets = slices.Clone(slots[at : at+s.Slots()])
		case hostabi.KindMin:
			if slots[at] != math.MaxUint64 {
				all[i].Count = slots[at]
			}
		default:
			all[i].Count = slots[at]
			sums[s.Name] = slots[at]
		}
		at += s.Slots()
	}
	for i, s := range stats {
		if len(s.Of) == 2 {
			all[i].IsRatio = true
			if divisor := sums[s.Of[1]]; divisor != 0 {
				all[i].Ratio = float64(sums[s.Of[0]]) / float64(divisor)
			}
		}
	}
	return all
}
