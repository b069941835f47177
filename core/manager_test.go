package core_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// opener makes caches in memory and counts them. A store called "bad" can't be had.
type opener struct {
	made, waiting atomic.Int64

	begin chan struct{} // if not nil, received from before a cache is made
}

func (o *opener) open(_ context.Context, _ string, c core.CacheConfig) (*core.Cache, error) {
	if o.begin != nil {
		o.waiting.Add(1)
		<-o.begin
		o.waiting.Add(-1)
	}
	if slices.Contains(c.Stores, "bad") {
		return nil, core.ErrUnavailable
	}
	o.made.Add(1)
	opts := memory.Options{MaxBytes: c.MaxBytes}
	if c.Policy != "" && c.Policy != memory.Default {
		var err error
		if opts.Policy, err = memory.Native(c.Policy); err != nil {
			return nil, err
		}
	}
	b, err := memory.New(opts)
	if err != nil {
		return nil, err
	}
	cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: b}}, TTL: max(c.TTL, 0), Jitter: c.Jitter})
	if err != nil {
		return nil, err
	}
	return cache.Namespace(c.Namespace...), nil
}

func newManager(t *testing.T, o *opener, configs map[string]core.CacheConfig) *core.Manager {
	t.Helper()
	m, err := core.NewManager(core.ManagerOptions{Caches: configs, Open: o.open})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func get(t *testing.T, m *core.Manager, name string) *core.Cache {
	t.Helper()
	c, err := m.Get(t.Context(), name)
	if err != nil {
		t.Fatalf("Get(%q): %v", name, err)
	}
	return c
}

func shop() map[string]core.CacheConfig {
	return map[string]core.CacheConfig{
		"default": {Stores: []string{"memory"}, MaxBytes: 8 << 20},
		"pages":   {Stores: []string{"memory"}, TTL: time.Hour, Namespace: []string{"shop", "pages"}},
		"html":    {Alias: "pages"},
		"web":     {Alias: "html"},
		"down":    {Stores: []string{"bad"}},
	}
}

func TestManager(t *testing.T) {
	o := &opener{}
	m := newManager(t, o, shop())
	if o.made.Load() != 0 {
		t.Error("caches were made before anyone asked")
	}
	pages := get(t, m, "pages")
	if get(t, m, "pages") != pages || get(t, m, "html") != pages || get(t, m, "web") != pages || o.made.Load() != 1 {
		t.Error("one name, or an alias, gave another cache")
	}
	if get(t, m, "") != get(t, m, core.DefaultCache) || get(t, m, "") == pages {
		t.Error(`Get("") is not the cache called default`)
	}
	if pages.Path() != "shop/pages" {
		t.Errorf("namespace = %q", pages.Path())
	}
	if err := pages.Set(t.Context(), "k", []byte("v"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if ttl, err := pages.TTL(t.Context(), "k"); err != nil || ttl <= 0 || ttl > time.Hour {
		t.Errorf("TTL = %v, %v, want the configured hour", ttl, err)
	}
	if want := []string{"default", "down", "html", "pages", "web"}; !slices.Equal(m.List(), want) {
		t.Errorf("List = %q, want %q", m.List(), want)
	}
	var at []string
	for name, c := range m.All() {
		if at = append(at, name); c == nil {
			t.Errorf("All has no cache for %q", name)
		}
	}
	if want := []string{"default", "pages"}; !slices.Equal(at, want) {
		t.Errorf("All = %q, want %q", at, want)
	}
	if !m.Has("web") || !m.Has("") || m.Has("cart") {
		t.Error("Has is wrong")
	}
	if c, ok := m.Config("web"); !ok || c.TTL != time.Hour {
		t.Errorf("Config = %+v, %v", c, ok)
	}
}

func TestManagerErrors(t *testing.T) {
	m := newManager(t, &opener{}, shop())
	if _, err := m.Get(t.Context(), "cart"); !errors.Is(err, core.ErrNoCache) || !strings.Contains(err.Error(), "default, down, html, pages") {
		t.Errorf("Get of an unknown name: %v, want ErrNoCache and the names", err)
	}
	for range 2 {
		if _, err := m.Get(t.Context(), "down"); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Get of what can't be made: %v", err)
		}
	}
	for name, configs := range map[string]map[string]core.CacheConfig{
		"alias of itself":     {"a": {Alias: "a"}},
		"way of":              {"a": {Alias: "b"}, "b": {Alias: "c"}, "c": {Alias: "a"}},
		"configuration of":    {"a": {Alias: "b", TTL: 1}},
		"no name":             {"": {}},
		"is negative: NoExpi": {"a": {TTL: -5}},
		"no share":            {"a": {Jitter: 2}},
		"MaxBytes":            {"a": {MaxBytes: -1}},
	} {
		_, err := core.NewManager(core.ManagerOptions{Caches: configs, Open: (&opener{}).open})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("NewManager(%v): %v, want an error with %q", configs, err, name)
		}
	}
	if _, err := core.NewManager(core.ManagerOptions{}); err == nil {
		t.Error("a Manager without Open was made")
	}
	// An alias of nothing is like nothing, until that is there.
	lost := newManager(t, &opener{}, map[string]core.CacheConfig{"a": {Alias: "b"}})
	if _, err := lost.Get(t.Context(), "a"); !errors.Is(err, core.ErrNoCache) {
		t.Errorf("Get of an alias of nothing: %v", err)
	}
}

func TestManagerGetWith(t *testing.T) {
	o := &opener{}
	m := newManager(t, o, shop())
	hot := core.CacheConfig{Stores: []string{"memory"}, Policy: "lru"}
	c, err := m.GetWith(t.Context(), "hot", hot)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := m.GetWith(t.Context(), "hot", hot); err != nil || again != c {
		t.Errorf("GetWith the same configuration = %p, %v, want %p", again, err, c)
	}
	if get(t, m, "hot") != c {
		t.Error("Get gave another cache than GetWith")
	}
	hot.Policy = "sieve"
	if _, err := m.GetWith(t.Context(), "hot", hot); !errors.Is(err, core.ErrOtherConfig) {
		t.Errorf("GetWith another configuration: %v, want ErrOtherConfig", err)
	}
	if _, err := m.GetWith(t.Context(), "html", shop()["pages"]); err != nil {
		t.Errorf("GetWith by an alias: %v", err)
	}
	if _, err := m.GetWith(t.Context(), "x", core.CacheConfig{Alias: "pages"}); err == nil {
		t.Error("GetWith made a cache of an alias")
	}
	if err := m.Register("mine", newCache(t, oneTier(t)), false); err != nil {
		t.Fatal(err)
	}
	if _, err := m.GetWith(t.Context(), "mine", hot); !errors.Is(err, core.ErrOtherConfig) {
		t.Errorf("GetWith over a registered cache: %v, want ErrOtherConfig", err)
	}
}

func TestManagerNew(t *testing.T) {
	o := &opener{}
	m := newManager(t, o, shop())
	pages := get(t, m, "pages")
	own, err := m.New(t.Context(), "html", core.CacheConfig{TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = own.Close() }()
	if own == pages || own.Path() != pages.Path() {
		t.Error("New gave no cache of its own in the same namespace")
	}
	_ = own.Set(t.Context(), "k", nil, core.EntryOptions{})
	if ttl, err := own.TTL(t.Context(), "k"); err != nil || ttl > time.Minute {
		t.Errorf("TTL = %v, %v, want the override", ttl, err)
	}
	if _, err := pages.Get(t.Context(), "k"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the named cache has what the new one was given: %v", err)
	}
	if _, err := m.New(t.Context(), "cart", core.CacheConfig{}); !errors.Is(err, core.ErrNoCache) {
		t.Errorf("New of an unknown name: %v", err)
	}
	if _, err := m.New(t.Context(), "pages", core.CacheConfig{Alias: "x"}); err == nil {
		t.Error("New made a cache of an alias")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := own.Set(t.Context(), "k", nil, core.EntryOptions{}); err != nil {
		t.Errorf("the caller's own cache was closed with the manager: %v", err)
	}
}

func TestManagerMakesOne(t *testing.T) {
	o := &opener{begin: make(chan struct{})}
	m := newManager(t, o, shop())
	var wg sync.WaitGroup
	caches := make([]*core.Cache, 50)
	for i := range caches {
		wg.Go(func() { caches[i], _ = m.Get(t.Context(), "pages") })
	}
	o.begin <- struct{}{}
	wg.Wait()
	for _, c := range caches {
		if c == nil || c != caches[0] {
			t.Fatal("goroutines got several caches")
		}
	}
	if n := o.made.Load(); n != 1 {
		t.Errorf("%d caches were made", n)
	}
	// Who waits for another's cache goes when its context ends.
	var maker sync.WaitGroup
	maker.Go(func() { _, _ = m.Get(context.WithoutCancel(t.Context()), "default") })
	for o.waiting.Load() == 0 {
		runtime.Gosched()
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Get(ended, "default"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get with a context that has ended: %v", err)
	}
	if err := m.Configure(ended, "default", core.CacheConfig{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Configure with a context that has ended: %v", err)
	}
	close(o.begin)
	maker.Wait()
	get(t, m, "default")
}

func TestManagerReset(t *testing.T) {
	o := &opener{}
	m := newManager(t, o, shop())
	old := get(t, m, "pages")
	if err := m.Reset("html"); err != nil {
		t.Fatal(err)
	}
	if err := old.Set(t.Context(), "k", nil, core.EntryOptions{}); !errors.Is(err, core.ErrClosed) {
		t.Errorf("Set in a cache that was reset: %v, want ErrClosed", err)
	}
	fresh := get(t, m, "pages")
	if err := fresh.Set(t.Context(), "k", nil, core.EntryOptions{}); fresh == old || err != nil {
		t.Errorf("after Reset Get gave the old cache, or %v", err)
	}
	if err := m.Reset("nothing"); err != nil {
		t.Errorf("Reset of nothing: %v", err)
	}
	other := get(t, m, "")
	if err := m.ResetAll(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*core.Cache{fresh, other} {
		if err := c.Set(t.Context(), "k", nil, core.EntryOptions{}); !errors.Is(err, core.ErrClosed) {
			t.Errorf("after ResetAll: %v, want ErrClosed", err)
		}
	}
	get(t, m, "")
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Get(t.Context(), ""); !errors.Is(err, core.ErrClosed) {
		t.Errorf("Get after Close: %v", err)
	}
	if _, err := m.New(t.Context(), "", core.CacheConfig{}); !errors.Is(err, core.ErrClosed) {
		t.Errorf("New after Close: %v", err)
	}
	if err := m.Configure(t.Context(), "x", core.CacheConfig{}); !errors.Is(err, core.ErrClosed) {
		t.Errorf("Configure after Close: %v", err)
	}
	if err := m.Register("x", fresh, true); !errors.Is(err, core.ErrClosed) {
		t.Errorf("Register after Close: %v", err)
	}
}

func TestManagerConfigure(t *testing.T) {
	m := newManager(t, &opener{}, shop())
	c := get(t, m, "pages")
	_ = c.Set(t.Context(), "old", []byte("v"), core.EntryOptions{})
	config, _ := m.Config("pages")
	config.TTL, config.MaxBytes, config.Policy = time.Minute, 4<<20, "lru"
	if err := m.Configure(t.Context(), "pages", config); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(t.Context(), "old"); err != nil || string(v) != "v" {
		t.Errorf("Get after Configure = %q, %v", v, err)
	}
	_ = c.Set(t.Context(), "new", nil, core.EntryOptions{})
	if ttl, _ := c.TTL(t.Context(), "new"); ttl > time.Minute {
		t.Errorf("TTL = %v, want the new default", ttl)
	}
	if ttl, _ := c.TTL(t.Context(), "old"); ttl <= time.Minute {
		t.Errorf("TTL of an old entry = %v, want what it had", ttl)
	}
	if p := c.Stats().Tiers[0].Policy; p != "lru" {
		t.Errorf("policy = %q, want lru", p)
	}
	if err := m.Reconfigure(t.Context(), "html", core.Change{TTL: core.NoExpiry, Policy: "sieve"}); err != nil {
		t.Fatal(err)
	}
	_ = c.Set(t.Context(), "new", nil, core.EntryOptions{})
	if ttl, err := c.TTL(t.Context(), "new"); err != nil || ttl != core.NoExpiry {
		t.Errorf("TTL = %v, %v, want none", ttl, err)
	}
	if config, _ := m.Config("pages"); config.Policy != "sieve" || config.MaxBytes != 4<<20 || config.TTL != core.NoExpiry {
		t.Errorf("configuration after Reconfigure = %+v", config)
	}
	if get(t, m, "pages") != c {
		t.Error("Reconfigure made another cache")
	}

	config.Stores = []string{"elsewhere"}
	if err := m.Configure(t.Context(), "pages", config); !errors.Is(err, core.ErrOtherConfig) {
		t.Errorf("Configure with other stores: %v, want ErrOtherConfig", err)
	}
	if err := m.Reconfigure(t.Context(), "pages", core.Change{Policy: "nonesuch"}); err == nil {
		t.Error("Reconfigure took an unknown policy")
	}
	if now, _ := m.Config("pages"); now.Policy != "sieve" || now.Stores[0] != "memory" {
		t.Errorf("configuration after errors = %+v", now)
	}
	if err := m.Reset("pages"); err != nil {
		t.Fatal(err)
	}
	if err := m.Configure(t.Context(), "pages", config); err != nil {
		t.Errorf("Configure after Reset: %v", err)
	}
	if err := m.Configure(t.Context(), "new", core.CacheConfig{Alias: "pages"}); err != nil || get(t, m, "new") != get(t, m, "pages") {
		t.Errorf("Configure of an alias: %v", err)
	}
	if err := m.Configure(t.Context(), "pages", core.CacheConfig{Alias: "new"}); err == nil {
		t.Error("Configure made a circle of aliases")
	}
	for _, ch := range []core.Change{{TTL: -7}, {Jitter: 3}, {MaxBytes: -1}} {
		if err := m.Reconfigure(t.Context(), "pages", ch); err == nil {
			t.Errorf("Reconfigure(%+v) succeeded", ch)
		}
	}
	if err := m.Reconfigure(t.Context(), "cart", core.Change{}); !errors.Is(err, core.ErrNoCache) {
		t.Errorf("Reconfigure of an unknown name: %v", err)
	}
}

func TestManagerSetup(t *testing.T) {
	m := newManager(t, &opener{}, shop())
	old := get(t, m, "pages")
	if err := m.Setup(map[string]core.CacheConfig{"a": {Alias: "a"}}); err == nil {
		t.Fatal("Setup took an alias of itself")
	}
	if get(t, m, "pages") != old {
		t.Fatal("a Setup that failed changed something")
	}
	if err := m.Setup(map[string]core.CacheConfig{"only": {}}); err != nil {
		t.Fatal(err)
	}
	if err := old.Set(t.Context(), "k", nil, core.EntryOptions{}); !errors.Is(err, core.ErrClosed) {
		t.Errorf("Set in a cache of before: %v, want ErrClosed", err)
	}
	if !slices.Equal(m.List(), []string{"only"}) {
		t.Errorf("List = %q", m.List())
	}
}

func TestManagerRegister(t *testing.T) {
	m := newManager(t, &opener{}, shop())
	mine := newCache(t, oneTier(t))
	if err := m.Register("mine", mine, false); err != nil {
		t.Fatal(err)
	}
	if get(t, m, "mine") != mine || !m.Has("mine") || !slices.Contains(m.List(), "mine") {
		t.Error("a registered cache is not there")
	}
	for _, name := range []string{"mine", "pages"} {
		if err := m.Register(name, mine, false); !errors.Is(err, core.ErrCacheExists) {
			t.Errorf("Register(%q) without override: %v, want ErrCacheExists", name, err)
		}
	}
	old := get(t, m, "pages")
	if err := m.Register("pages", mine, true); err != nil || get(t, m, "html") != mine {
		t.Errorf("Register with override: %v", err)
	}
	if err := old.Set(t.Context(), "k", nil, core.EntryOptions{}); !errors.Is(err, core.ErrClosed) {
		t.Errorf("Set in the cache that was replaced: %v, want ErrClosed", err)
	}
	if err := m.Configure(t.Context(), "mine", core.CacheConfig{TTL: 1}); !errors.Is(err, core.ErrOtherConfig) {
		t.Errorf("Configure of a registered cache: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mine.Set(t.Context(), "k", nil, core.EntryOptions{}); err != nil {
		t.Errorf("the caller's cache was closed: %v", err)
	}
	if err := m.Register("", mine, true); err == nil {
		t.Error("Register took no name")
	}
}

func TestManagerFactory(t *testing.T) {
	root := newCache(t, oneTier(t))
	made := 0
	m, err := core.NewManager(core.ManagerOptions{
		Open: (&opener{}).open,
		Factory: func(_ context.Context, name string) (*core.Cache, error) {
			made++
			if name == "bad" {
				return nil, errors.New("not this one")
			}
			return root.Namespace(name), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	carts := get(t, m, "carts")
	if get(t, m, "carts") != carts || made != 1 || carts.Path() != "carts" {
		t.Errorf("the factory was asked %d times, for %q", made, carts.Path())
	}
	if _, err := m.Get(t.Context(), "bad"); err == nil || m.Has("bad") {
		t.Errorf("Get of what the factory refuses: %v", err)
	}
	_ = carts.Set(t.Context(), "k", nil, core.EntryOptions{})
	_ = root.Set(t.Context(), "k", nil, core.EntryOptions{})
	if err := m.ClearAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := carts.Get(t.Context(), "k"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Get after ClearAll: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Get(t.Context(), "k"); err != nil {
		t.Errorf("what the factory's caches stand on was cleared or closed: %v", err)
	}
}

func TestCacheConfigWith(t *testing.T) {
	base := core.CacheConfig{Stores: []string{"a"}, TTL: time.Hour, MaxBytes: 5, Policy: "lru", Namespace: []string{"n"}, Jitter: 0.5}
	for name, c := range map[string]struct{ over, want core.CacheConfig }{
		"nothing": {core.CacheConfig{}, base},
		"time":    {core.CacheConfig{TTL: core.NoExpiry}, core.CacheConfig{Stores: []string{"a"}, TTL: core.NoExpiry, MaxBytes: 5, Policy: "lru", Namespace: []string{"n"}, Jitter: 0.5}},
		"stores":  {core.CacheConfig{Stores: []string{"b"}}, core.CacheConfig{Stores: []string{"b"}, TTL: time.Hour, Namespace: []string{"n"}, Jitter: 0.5}},
		"alias":   {core.CacheConfig{Alias: "x"}, core.CacheConfig{Alias: "x"}},
		"size":    {core.CacheConfig{MaxBytes: 9, Policy: "sieve"}, core.CacheConfig{Stores: []string{"a"}, TTL: time.Hour, MaxBytes: 9, Policy: "sieve", Namespace: []string{"n"}, Jitter: 0.5}},
	} {
		if got := base.With(c.over); !got.Equal(c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestReconfigureErrors(t *testing.T) {
	far := newFar(t)
	c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "far", Backend: far}}})
	if err := c.Reconfigure(t.Context(), core.Change{MaxBytes: 1 << 20, TTL: time.Minute}); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("Reconfigure of a store that can't: %v, want ErrUnsupported", err)
	}
	_ = c.Set(t.Context(), "k", nil, core.EntryOptions{})
	if ttl, err := c.TTL(t.Context(), "k"); err != nil || ttl != core.NoExpiry {
		t.Errorf("TTL after an error = %v, %v, want none as before", ttl, err)
	}
	if err := c.Reconfigure(t.Context(), core.Change{TTL: time.Minute, Jitter: 1}); err != nil {
		t.Fatal(err)
	}
	_ = c.Set(t.Context(), "k", nil, core.EntryOptions{})
	if ttl, err := c.TTL(t.Context(), "k"); err != nil || ttl <= 0 || ttl > time.Minute {
		t.Errorf("TTL = %v, %v, want a share of a minute", ttl, err)
	}
}
