package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// DefaultCache is the name that a Manager takes "" for.
const DefaultCache = "default"

// What a Manager's callers branch on.
var (
	// ErrNoCache is returned for a name that is not configured.
	ErrNoCache = errors.New("no cache has this name")
	// ErrCacheExists is returned by Register for a name that is taken.
	ErrCacheExists = errors.New("a cache has this name already")
	// ErrOtherConfig is returned for a cache at work whose configuration is not the one that was asked for.
	ErrOtherConfig = errors.New("the cache is at work with another configuration")
)

// ManagerOptions configures a Manager.
type ManagerOptions struct {
	// Caches are the configurations by name.
	Caches map[string]CacheConfig
	// Open makes the cache of a name, whose configuration is no alias. Several callers may wait for it: it gets a context
	// that does not end, and bounds itself what it waits for. Its error must not show what is secret in Stores.
	Open func(ctx context.Context, name string, c CacheConfig) (*Cache, error)
	// Check returns a configuration, which is no alias, in the one form that all that mean the same have, or what is wrong
	// with it. nil takes them as they are.
	Check func(c CacheConfig) (CacheConfig, error)
	// Factory returns a cache for a name that is not configured: a namespace of another one, for instance. It belongs to who
	// made it. nil is none: such names are then ErrNoCache.
	Factory func(ctx context.Context, name string) (*Cache, error)
}

// Manager has caches by name. Each is made when it is first asked for, and is then the same for all. It is safe for
// concurrent use. A program makes one Manager and hands it on: there is none behind its back.
type Manager struct {
	open    func(context.Context, string, CacheConfig) (*Cache, error)
	factory func(context.Context, string) (*Cache, error)
	check   func(CacheConfig) (CacheConfig, error)

	changing sync.Mutex // one change at a time; taken before mu

	mu      sync.Mutex
	configs map[string]CacheConfig // guarded by mu
	named   map[string]*named      // guarded by mu; those that are made, or about to be
	closed  bool                   // guarded by mu
}

// named is a cache under its name.
type named struct {
	ready  chan struct{} // closed once the rest is set
	cache  *Cache
	err    error
	config *CacheConfig // what Open made it of; nil: it is somebody else's
}

// NewManager returns a Manager. It makes no cache yet.
func NewManager(o ManagerOptions) (*Manager, error) {
	if o.Open == nil {
		return nil, errors.New("core: a Manager needs ManagerOptions.Open")
	}
	m := &Manager{open: o.Open, factory: o.Factory, check: o.Check, named: make(map[string]*named)}
	var err error
	m.configs, err = m.checked(o.Caches)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// checked returns configurations that are right, each in its one form.
func (m *Manager) checked(configs map[string]CacheConfig) (map[string]CacheConfig, error) {
	all := make(map[string]CacheConfig, len(configs))
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		c, err := m.checkedOne(name, configs[name])
		if err != nil {
			return nil, err
		}
		all[name] = c
	}
	return all, validateAliases(all)
}

// checkedOne is checked for one, without where an alias leads.
func (m *Manager) checkedOne(name string, c CacheConfig) (CacheConfig, error) {
	if err := c.validate(name); err != nil || c.Alias != "" || m.check == nil {
		return c.clone(), err
	}
	c, err := m.check(c.clone())
	if err != nil {
		return c, fmt.Errorf("core: cache %q: %w", name, err)
	}
	return c, c.validate(name)
}

// resolve follows aliases. mu is held, and the configurations are valid.
func (m *Manager) resolve(name string) string {
	if name == "" {
		name = DefaultCache
	}
	for {
		c, ok := m.configs[name]
		if !ok || c.Alias == "" {
			return name
		}
		name = c.Alias
	}
}

// Get returns the cache of a name, made now if it is not there yet: everyone gets the same one. "" is DefaultCache. It
// belongs to the Manager: Reset and Close close it. An error of making it is everyone's who waits for it; the next Get
// tries again.
func (m *Manager) Get(ctx context.Context, name string) (*Cache, error) {
	return m.get(ctx, name, nil)
}

// GetWith is Get for a name that need not be configured yet. It returns ErrOtherConfig where the name is configured
// otherwise, or registered. An alias is for Configure.
func (m *Manager) GetWith(ctx context.Context, name string, c CacheConfig) (*Cache, error) {
	if c.Alias != "" {
		return nil, fmt.Errorf("core: cache %q: an alias of %q makes no cache: use Configure", name, c.Alias)
	}
	c, err := m.checkedOne(orElse(name, DefaultCache), c)
	if err != nil {
		return nil, err
	}
	return m.get(ctx, name, &c)
}

func (m *Manager) get(ctx context.Context, name string, wanted *CacheConfig) (*Cache, error) {
	n, mine, err := m.claim(name, wanted)
	if err != nil {
		return nil, err
	}
	if mine != "" {
		m.make(context.WithoutCancel(ctx), mine, n)
	}
	select {
	case <-n.ready:
		return n.cache, n.err
	case <-ctx.Done():
		return nil, fmt.Errorf("core: cache %q: %w", name, ctx.Err())
	}
}

// claim returns the cache of a name. Where it is new, mine is its name without aliases, and the caller has to make it.
func (m *Manager) claim(name string, wanted *CacheConfig) (n *named, mine string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, "", fmt.Errorf("core: cache %q: %w", name, ErrClosed)
	}
	name = m.resolve(name)
	if err := m.agree(name, wanted); err != nil {
		return nil, "", err
	}
	if n := m.named[name]; n != nil {
		return n, "", nil
	}
	n = &named{ready: make(chan struct{})}
	if c, ok := m.configs[name]; ok {
		n.config = &c
	} else if m.factory == nil {
		return nil, "", m.unknown(name)
	}
	m.named[name] = n
	return n, name, nil
}

// agree compares what a caller wants with what there is, and takes it where there is nothing. mu is held.
func (m *Manager) agree(name string, wanted *CacheConfig) error {
	if wanted == nil {
		return nil
	}
	c, ok := m.configs[name]
	switch {
	case ok && !c.Equal(*wanted), !ok && m.named[name] != nil:
		return fmt.Errorf("core: cache %q: %w: use Configure, or another name", name, ErrOtherConfig)
	case ok:
		return nil
	}
	return m.put(name, *wanted)
}

// unknown is the error for a name that is not there. mu is held.
func (m *Manager) unknown(name string) error {
	return fmt.Errorf("core: cache %q: %w: there are %s", name, ErrNoCache, strings.Join(m.names(), ", "))
}

// make makes a cache that was claimed. One that was not to be had is given up before anyone hears of it.
func (m *Manager) make(ctx context.Context, name string, n *named) {
	defer close(n.ready)
	if n.config != nil {
		n.cache, n.err = m.open(ctx, name, n.config.clone())
	} else {
		n.cache, n.err = m.factory(ctx, name)
	}
	if n.err == nil {
		return
	}
	n.err = fmt.Errorf("core: cache %q: %w", name, n.err)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.named[name] == n {
		delete(m.named, name)
	}
}

// New makes another cache like the one of a name, with the fields of overrides that are not zero in place of its own. It
// belongs to the caller, who closes it.
func (m *Manager) New(ctx context.Context, name string, overrides CacheConfig) (*Cache, error) {
	c, err := m.template(name)
	if err != nil {
		return nil, err
	}
	if overrides.Alias != "" {
		return nil, fmt.Errorf("core: cache %q: an alias makes no new cache: name the one that it stands for", name)
	}
	name = orElse(name, DefaultCache)
	if c, err = m.checkedOne(name, c.With(overrides)); err != nil {
		return nil, err
	}
	return m.open(ctx, name, c)
}

// template returns the configuration of a name, or what is wrong with it.
func (m *Manager) template(name string) (CacheConfig, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return CacheConfig{}, fmt.Errorf("core: cache %q: %w", name, ErrClosed)
	}
	c, ok := m.configs[m.resolve(name)]
	if !ok {
		return CacheConfig{}, m.unknown(name)
	}
	return c.clone(), nil
}

// Register puts a cache of the caller's under a name, in the place of what was there if override is set: a cache that the
// Manager made is then closed. Without override a name that is configured or taken is ErrCacheExists. The cache stays the
// caller's: the Manager forgets it on Reset and Close, and does not close it.
func (m *Manager) Register(name string, c *Cache, override bool) error {
	if name == "" || c == nil {
		return errors.New("core: Register needs a name and a cache")
	}
	n := &named{ready: make(chan struct{}), cache: c}
	close(n.ready)
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return fmt.Errorf("core: cache %q: %w", name, ErrClosed)
	}
	old := m.named[name]
	if _, configured := m.configs[name]; !override && (configured || old != nil) {
		m.mu.Unlock()
		return fmt.Errorf("core: cache %q: %w", name, ErrCacheExists)
	}
	m.named[name] = n
	delete(m.configs, name)
	m.mu.Unlock()
	return old.close()
}

// Config returns the configuration of a name, that of an alias being its target's, and false where there is none.
func (m *Manager) Config(name string) (CacheConfig, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.configs[m.resolve(name)]
	return c.clone(), ok
}

// Configure gives a name a configuration. A cache that is at work under it is changed as Reconfigure does, which its
// default time to live, jitter, size and policy can be; what else differs is ErrOtherConfig: Reset it before.
func (m *Manager) Configure(ctx context.Context, name string, c CacheConfig) error {
	name = orElse(name, DefaultCache)
	c, err := m.checkedOne(name, c)
	if err != nil {
		return err
	}
	return m.change(ctx, name, func(CacheConfig) CacheConfig { return c })
}

// Reconfigure changes a cache at work, or what it will be made with, and the name's configuration with it.
func (m *Manager) Reconfigure(ctx context.Context, name string, ch Change) error {
	if err := ch.validate(); err != nil {
		return err
	}
	m.mu.Lock()
	name = m.resolve(name)
	_, ok := m.configs[name]
	m.mu.Unlock()
	if !ok {
		return fmt.Errorf("core: reconfigure cache %q: %w in the configuration", name, ErrNoCache)
	}
	return m.change(ctx, name, func(c CacheConfig) CacheConfig {
		c.TTL, c.Jitter = orElse(ch.TTL, c.TTL), max(orElse(ch.Jitter, c.Jitter), 0)
		c.MaxBytes, c.Policy = orElse(ch.MaxBytes, c.MaxBytes), orElse(ch.Policy, c.Policy)
		return c
	})
}

// change gives a name, which is no alias or shall be none, the configuration that to makes of the one it has.
func (m *Manager) change(ctx context.Context, name string, to func(CacheConfig) CacheConfig) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	old, n, err := m.atWork(ctx, name)
	if err != nil {
		return err
	}
	c := to(old)
	if n != nil {
		if n.config == nil || !old.sameStores(c) {
			return fmt.Errorf("core: cache %q: %w: stores and namespace change with Reset alone", name, ErrOtherConfig)
		}
		if err := n.cache.Reconfigure(ctx, old.changeTo(c)); err != nil {
			return fmt.Errorf("core: cache %q: %w", name, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(name, c)
}

// atWork returns the configuration of a name and its cache, nil if there is none. One that is being made is waited for.
func (m *Manager) atWork(ctx context.Context, name string) (CacheConfig, *named, error) {
	for {
		m.mu.Lock()
		c, n, closed := m.configs[name], m.named[name], m.closed
		m.mu.Unlock()
		switch {
		case closed:
			return c, nil, fmt.Errorf("core: cache %q: %w", name, ErrClosed)
		case n == nil || isMade(n) && n.err == nil:
			return c, n, nil
		}
		select {
		case <-n.ready: // and look again: it may have failed
		case <-ctx.Done():
			return c, nil, fmt.Errorf("core: cache %q: %w", name, ctx.Err())
		}
	}
}

// put keeps a configuration, if all of them together are good. mu is held.
func (m *Manager) put(name string, c CacheConfig) error {
	with := maps.Clone(m.configs)
	with[name] = c.clone()
	if err := validateAliases(with); err != nil {
		return err
	}
	m.configs = with
	return nil
}

func isMade(n *named) bool {
	select {
	case <-n.ready:
		return true
	default:
		return false
	}
}

// Has reports whether Get would find the name, other than by the Factory.
func (m *Manager) Has(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = m.resolve(name)
	_, configured := m.configs[name]
	return configured || m.named[name] != nil
}

// List returns the names that are configured, aliases with them, and those that are taken, sorted.
func (m *Manager) List() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names()
}

// names is List with mu held.
func (m *Manager) names() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(m.configs)), maps.Keys(m.named))
	slices.Sort(names)
	return slices.Compact(names)
}

// All are the caches that are at work, by name. It does not make any.
func (m *Manager) All() iter.Seq2[string, *Cache] {
	return func(yield func(string, *Cache) bool) {
		for _, name := range m.List() {
			m.mu.Lock()
			n := m.named[name]
			m.mu.Unlock()
			if n != nil && isMade(n) && n.err == nil && !yield(name, n.cache) {
				return
			}
		}
	}
}

// ClearAll clears all caches at work, each in its namespace.
func (m *Manager) ClearAll(ctx context.Context) error {
	var errs []error
	for name, c := range m.All() {
		if err := c.Clear(ctx); err != nil {
			errs = append(errs, fmt.Errorf("core: cache %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Setup puts configurations in the place of all that there were. Caches that the Manager made are closed, and all are
// forgotten.
func (m *Manager) Setup(configs map[string]CacheConfig) error {
	all, err := m.checked(configs)
	if err != nil {
		return err
	}
	return m.forget(func() { m.configs = all })
}

// Reset closes the cache of a name, if the Manager has made it, and forgets it. The next Get makes another one. Whoever
// still uses the old one gets ErrClosed.
func (m *Manager) Reset(name string) error {
	m.mu.Lock()
	name = m.resolve(name)
	n := m.named[name]
	delete(m.named, name)
	m.mu.Unlock()
	return n.close()
}

// ResetAll is Reset for every name.
func (m *Manager) ResetAll() error { return m.forget(func() {}) }

// Close is ResetAll, after which Get returns ErrClosed. It is idempotent.
func (m *Manager) Close() error { return m.forget(func() { m.closed = true }) }

// forget closes all caches that are the Manager's own, and calls also with mu held.
func (m *Manager) forget(also func()) error {
	m.mu.Lock()
	all := m.named
	m.named = make(map[string]*named)
	also()
	m.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := all[name].close(); err != nil {
			errs = append(errs, fmt.Errorf("core: cache %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// close closes a cache that a Manager has made, waiting until it is. A nil one is none.
func (n *named) close() error {
	if n == nil {
		return nil
	}
	<-n.ready
	if n.config != nil && n.err == nil {
		return n.cache.Close()
	}
	return nil
}
