package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Cache is a namespace of a cache. All namespaces of one cache share its tiers, hooks and counts. It is safe for
// concurrent use.
type Cache struct {
	engine *engine
	ns     *Namespace
}

// engine is what all namespaces of a cache share.
type engine struct {
	namespaces *namespaces
	tiers      []*tier
	near       Backend // the nearest tier's backend if it is local, else nil
	swapper    Swapper // near, if it is one
	files      *tier   // the nearest tier that opens files, nil if none does
	table      atomic.Pointer[table]
	tableMu    sync.Mutex   // serialises changes of table
	observers  []Observer   // those of table that ReplaceHooks replaces; guarded by tableMu
	watchers   []Observer   // those that it does not; guarded by tableMu
	listeners  []*Listening // guarded by tableMu
	log        *commandLog  // nil: none
	disabled   OpMask       // guarded by tableMu
	keyHash    func(prefix, key string) uint64
	counters   *counters
	statistics statistics
	ring       *ring
	sampler    *sampler // nil: none
	keys       *keyTable
	locks      *turns
	calls      sync.Pool // of *call
	versions   versionClock
	defaults   atomic.Pointer[defaults]
	changing   sync.Mutex // serialises changes of defaults and of stores
	maxKey     int
	maxValue   int
	logger     *slog.Logger
	tracer     trace.Tracer // nil: no spans
	metrics    *metrics     // nil: none
	closing    sync.Once
	closeErr   error
	loads      sync.WaitGroup // loads that run on goroutines of their own
	loaders    *loadTable
}

// New returns the root namespace of a cache over o's tiers.
func New(o Options) (*Cache, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	e := &engine{
		namespaces: newNamespaces(), counters: newCounters(), keys: newKeyTable(), locks: newTurns(),
		maxKey: orElse(o.MaxKey, 64<<10), maxValue: orElse(o.MaxValue, 512<<20),
		logger: orElse(o.Logger, slog.New(slog.DiscardHandler)), keyHash: o.KeyHash,
		observers: slices.Clone(o.Observers), disabled: o.Disabled & AllOps, log: newCommandLog(&o),
	}
	e.defaults.Store(&defaults{ttl: orElse(o.TTL, NoExpiry), jitter: o.Jitter})
	e.versions.at(time.Now())
	e.loaders = newLoadTable()
	for i, spec := range o.Tiers {
		e.tiers = append(e.tiers, newTier(spec, i+1))
	}
	if i := slices.IndexFunc(e.tiers, func(t *tier) bool { return t.opener != nil }); i >= 0 {
		e.files = e.tiers[i]
	}
	t, err := newTable(slices.Clone(o.Hooks), e.observers, e.additions())
	if err != nil {
		return nil, err
	}
	if !o.Tiers[0].Remote {
		e.near = o.Tiers[0].Backend
		e.swapper, _ = e.near.(Swapper)
	}
	if err := e.instrument(o.TracerProvider, o.MeterProvider); err != nil {
		return nil, fmt.Errorf("core: metrics: %w", err)
	}
	if e.sampler, err = newSampler(o.Sampler, e.counters); err != nil {
		return nil, err
	}
	e.ring = newRing(e.counters)
	e.ring.replace(t.observers)
	e.table.Store(t)
	return &Cache{engine: e, ns: e.namespaces.root()}, nil
}

// orElse returns v, or def where v is the zero value.
func orElse[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Namespace returns the namespace called by parts, one below the other, below this one. Parts are any strings.
func (c *Cache) Namespace(parts ...string) *Cache {
	path := c.ns.path
	for _, part := range parts {
		if path != "" {
			path += "/"
		}
		path += escapeName(part)
	}
	return &Cache{engine: c.engine, ns: c.engine.namespaces.at(path)}
}

// Path returns the namespace's path (Namespace.Path).
func (c *Cache) Path() string { return c.ns.path }

// NamespacePath names a namespace's number, as events have it.
func (c *Cache) NamespacePath(id uint16) string { return c.engine.namespaces.path(id) }

// Do runs one command and overwrites res with what it brought. It returns res.Err; a miss is no error. Hooks may have
// changed cmd when it returns. cmd.Key may then be a view of memory that the command's next Do overwrites.
func (c *Cache) Do(ctx context.Context, cmd *Command, res *Result) error {
	e := c.engine
	res.reset(cmd)
	inherited, flags := cmd.Namespace == nil, cmd.Flags
	if inherited {
		cmd.Namespace = c.ns
	}
	cmd.arena, cmd.cache, cmd.reached = cmd.arena[:0], c, nil
	if err := e.check(cmd); err != nil {
		res.Outcome, res.Err = OutcomeError, c.opError(cmd, err)
	} else {
		traced := e.tracer != nil && trace.SpanFromContext(ctx).IsRecording()
		if t := e.table.Load(); traced || t.ops.Has(cmd.Op) {
			c.full(ctx, cmd, res, t, traced)
		} else {
			e.run(ctx, cmd, res)
		}
		if s := e.sampler; s != nil && s.ops.Has(cmd.Op) && flags&FlagQuiet == 0 {
			s.tell(cmd, res)
		}
	}
	if flags&FlagQuiet == 0 {
		e.count(cmd, res)
	}
	cmd.Flags = flags
	if inherited {
		cmd.Namespace = nil
	}
	return res.Err
}

// reset makes res the result of a command that nothing has answered.
func (r *Result) reset(cmd *Command) {
	items, keys := r.Items, r.Keys
	clear(items)
	clear(keys)
	*r = Result{Items: items[:0], Keys: keys[:0]}
	if !cmd.Op.Many() {
		return
	}
	if n := len(cmd.Keys); n <= cap(items) {
		r.Items = items[:n]
		clear(r.Items)
	} else {
		r.Items = make([]Item, n)
	}
}

// check refuses what no tier should see.
func (e *engine) check(cmd *Command) error {
	switch {
	case cmd.Op == OpNone || cmd.Op >= opCount:
		return fmt.Errorf("%w: operation %d", ErrUnsupported, cmd.Op)
	case cmd.TTL < KeepTTL:
		return fmt.Errorf("%w: %v is negative", ErrBadTTL, cmd.TTL)
	case cmd.Renew < 0 || cmd.Jitter > 1:
		return fmt.Errorf("%w: renewal for %v, jitter %v", ErrBadTTL, cmd.Renew, cmd.Jitter)
	case len(cmd.Value) > e.maxValue:
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(cmd.Value), e.maxValue)
	case cmd.Op == OpSetMany:
		return e.checkValues(cmd)
	}
	return nil
}

func (e *engine) checkValues(cmd *Command) error {
	if len(cmd.Values) != len(cmd.Keys) {
		return fmt.Errorf("%w: %d values for %d keys", ErrUnsupported, len(cmd.Values), len(cmd.Keys))
	}
	for i, v := range cmd.Values {
		if len(v) > e.maxValue {
			return fmt.Errorf("%w: value %d has %d bytes, at most %d are allowed", ErrTooLarge, i, len(v), e.maxValue)
		}
	}
	return nil
}

// count adds the command to the statistics.
func (e *engine) count(cmd *Command, res *Result) {
	s := e.counters.local()
	if cmd.Op < opCount {
		s.command(cmd.Op, res.Outcome)
	}
	if cmd.Op != OpGetMany {
		return
	}
	hits := 0
	for i := range res.Items {
		if res.Items[i].Outcome == OutcomeHit {
			hits++
		}
	}
	s.manyHits.Add(uint64(hits))
	s.manyMisses.Add(uint64(len(res.Items) - hits))
}

// opError says which command err ended. Keys are copied: the command's may be views.
func (c *Cache) opError(cmd *Command, err error) error {
	if _, ok := errors.AsType[*OpError](err); ok {
		return err
	}
	oe := &OpError{Op: cmd.Op, Err: err}
	if cmd.Namespace != nil {
		oe.Namespace = cmd.Namespace.path
	}
	if te, ok := errors.AsType[*tierError](err); ok {
		oe.Tier, oe.Err = te.tier, te.err
	}
	switch {
	case !cmd.Op.Many():
		oe.Key = string([]byte(cmd.Key))
	case len(cmd.Keys) > 0:
		oe.Key = string([]byte(cmd.Keys[0]))
	}
	return oe
}

// errSlow is what quickGet returns for a command that must go the whole way.
var errSlow = errors.New("not answered by the nearest tier alone")

// quickGet answers OpGet from the nearest tier where no hook or observer waits for it and no other tier need be asked.
// It does what Do would, less what a hit does not need.
func (c *Cache) quickGet(ctx context.Context, key string) (*Entry, error) {
	e := c.engine
	if e.near == nil || c.ns.prefix != "" || len(key) > e.maxKey || e.table.Load().ops.Has(OpGet) {
		return nil, errSlow
	}
	if s := e.sampler; s != nil && s.ops.Has(OpGet) && s.wants(c.ns.id, key) {
		return nil, errSlow
	}
	entry, err := e.near.Get(ctx, key)
	if err == nil && !entry.absent() {
		e.counters.local().quick.Add(1)
		return entry, nil
	}
	if err == nil || len(e.tiers) > 1 || err != ErrNotFound { //nolint:errorlint // backends return the bare sentinel
		return nil, errSlow
	}
	e.countMiss(0, err)
	e.counters.local().command(OpGet, OutcomeMiss)
	return nil, err
}

// Ping asks every tier that can tell whether it answers. errs is parallel to the tiers.
func (c *Cache) Ping(ctx context.Context) (errs []error) {
	for _, t := range c.engine.tiers {
		p, ok := t.Backend.(Pinger)
		if !ok {
			errs = append(errs, nil)
			continue
		}
		errs = append(errs, t.wrap(t.call(ctx, OpNone, p.Ping)))
	}
	return errs
}

// Len returns how many keys there are: in the root as the farthest tier counts them, which may include expired ones, in
// another namespace by walking its keys.
func (c *Cache) Len(ctx context.Context) (n int64, err error) {
	t := c.engine.authority()
	if c.ns.path == "" {
		if s, ok := t.Backend.(Sizer); ok {
			n, _ = s.Size()
			return n, nil
		}
		if k, ok := t.Backend.(KeyCounter); ok {
			err = t.call(ctx, OpKeys, func(ctx context.Context) error { n, err = k.CountKeys(ctx); return err })
			return n, t.wrap(err)
		}
	}
	for cursor := uint64(0); ; {
		keys, next, err := t.scan(ctx, cursor, c.ns.prefix, "", 512)
		if n += int64(len(keys)); err != nil || next == 0 {
			return n, t.wrap(err)
		}
		cursor = next
	}
}

// Close hands the pending events to the observers, waits for loads under way and closes the backends. It is idempotent.
// Hooks and observers belong to whoever made them. No command should be under way.
func (c *Cache) Close() error {
	e := c.engine
	e.closing.Do(func() {
		e.loads.Wait()
		e.ring.close()
		e.sampler.close()
		e.endListeners()
		errs := []error{e.metrics.close()}
		for _, t := range e.tiers {
			errs = append(errs, t.wrap(t.Backend.Close()))
		}
		e.closeErr = errors.Join(errs...)
	})
	return e.closeErr
}
