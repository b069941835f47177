package edgecache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/edgecache/edgecache/backends/null"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/units"
)

// DisableVariable is the environment variable that switches caches off: where it is 1 or true, what Open and a Manager make
// reads nothing and stores nothing, and no store is opened.
const DisableVariable = "EDGECACHE_DISABLE"

// nearTTL is how long a tier in front of a remote one keeps its copies, unless its URL says otherwise: others may write
// there, and nothing tells of it.
const nearTTL = 5 * time.Second

// Options configures Open and NewManager. The zero value is the default.
type Options struct {
	// Cache is what caches get beside their tiers, of which it has none. What a URL or a CacheConfig says wins.
	Cache core.Options
	// Schemes are kinds of stores beside those of this module, or in their place.
	Schemes []Scheme
	// LookupEnv finds DisableVariable. nil is os.LookupEnv.
	LookupEnv func(name string) (string, bool)
}

// Open makes a cache of the stores that a URL names:
//
//	memory://?max=64MiB&policy=lru                 in the process; also max_entry
//	redis://[[user]:password@]host[:port][/db]     Redis; also rediss://, unix://, redis+cluster://, redis+sentinel:// and the
//	                                               parameters of redis.Open; values=raw|envelope, max_value, owned
//	memcached://host[:port],host[:port]            memcached; also timeout, max_conns, values=raw|envelope, max_value, owned
//	sqlite:///path/to.db                           a file; also max, max_entries, batch_size, batch_delay,
//	                                               sync=normal|off|full, janitor
//	file:///path/to/dir                            a folder; also max, max_entries, mode, sync=true, janitor
//	null://                                        nothing is kept
//
// A list with commas, as in memory://,redis://host, names tiers, nearest first. Every URL may have ttl (the cache's default
// time to live: 5m, 7d, never), jitter (0 to 1), namespace (a/b) and max_ttl (how long the tier keeps copies of farther
// ones; 0 is as long as they live; in front of a remote tier it is 5 s otherwise).
//
// Open asks each store whether it is there, under ctx, and returns ErrUnavailable or ErrTimeout where one is not, unless
// its URL has lazy=true. The cache's Close closes them. Errors do not show passwords.
func Open(ctx context.Context, url string) (*Cache, error) { return Options{}.Open(ctx, url) }

// OpenTiers is Open for tiers that have a URL each, nearest first.
func OpenTiers(ctx context.Context, urls ...string) (*Cache, error) {
	return Options{}.Open(ctx, urls...)
}

// Open is the function Open with options, for one tier or more.
func (o Options) Open(ctx context.Context, urls ...string) (*Cache, error) {
	c, err := o.normal(CacheConfig{Stores: urls})
	if err == nil {
		var cache *Cache
		if cache, err = o.open(ctx, c); err == nil {
			return cache, nil
		}
	}
	return nil, fmt.Errorf("edgecache: %w", err)
}

// normal checks a configuration and brings it into a form that can be compared and changed: a store each, with nothing in
// its URL that CacheConfig has a field for.
func (o *Options) normal(c CacheConfig) (CacheConfig, error) {
	if c.Alias != "" {
		return c, nil
	}
	var stores []string
	var bounded *Scheme // the nearest store that has bounds
	for _, list := range c.Stores {
		for _, raw := range splitURLs(list) {
			u, err := parseURL(raw)
			if err != nil {
				return c, err
			}
			s, err := o.scheme(u)
			if err != nil {
				return c, err
			}
			first := bounded == nil && s.has(paramMax)
			if err := lift(&c, u, first); err != nil {
				return c, err
			}
			if first {
				bounded = s
			}
			stores = append(stores, u.String())
		}
	}
	switch {
	case len(stores) == 0:
		c.Stores = []string{"memory://"}
		return c, nil
	case c.MaxBytes != 0 && bounded == nil:
		return c, errors.New("there is a size, and no store that has one")
	case c.Policy != "" && (bounded == nil || !bounded.has(paramPolicy)):
		return c, fmt.Errorf("there is the policy %s, and no store that evicts by one: memory:// does", c.Policy)
	}
	c.Stores = stores
	return c, nil
}

// lift moves what CacheConfig has a field for from a URL to there.
func lift(c *CacheConfig, u *URL, bounded bool) error {
	p := &u.Params
	namespace := read(p, paramNamespace, parsePath)
	err := firstError(
		move(&c.TTL, p.lifetime(paramTTL), paramTTL), move(&c.Jitter, p.share(paramJitter), paramJitter), p.Err())
	if err == nil && namespace != nil {
		if c.Namespace != nil && !slices.Equal(c.Namespace, namespace) {
			err = twice(paramNamespace)
		}
		c.Namespace = namespace
	}
	if err == nil && bounded {
		err = firstError(
			move(&c.MaxBytes, p.Size(paramMax), paramMax), move(&c.Policy, p.Text(paramPolicy), paramPolicy), p.Err())
		if c.MaxBytes > 0 {
			p.take(paramMax)
		}
		p.take(paramPolicy)
	}
	p.take(paramTTL, paramJitter, paramNamespace)
	return err
}

// move sets a field, unless it has another value already.
func move[T comparable](field *T, v T, name string) error {
	var zero T
	switch {
	case v == zero || v == *field:
	case *field != zero:
		return twice(name)
	default:
		*field = v
	}
	return nil
}

func twice(name string) error {
	return fmt.Errorf("%s is given more than once, and not alike: give it in one place", name)
}

// open makes the cache of a normal configuration.
func (o *Options) open(ctx context.Context, c CacheConfig) (*Cache, error) {
	lookup := o.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	off, err := Disabled(lookup)
	if err != nil {
		return nil, err
	}
	settings := o.Cache
	if settings.Tiers != nil {
		return nil, errors.New("options have tiers: URLs name them")
	}
	if c.TTL != 0 {
		settings.TTL = max(c.TTL, 0)
	}
	if c.Jitter != 0 {
		settings.Jitter = c.Jitter
	}
	if off {
		settings.Tiers, settings.Disabled = []core.Tier{{Name: "null", Backend: null.New()}}, core.AllOps
	} else if settings.Tiers, err = o.tiers(ctx, c); err != nil {
		return nil, err
	}
	cache, err := core.New(settings)
	if err != nil {
		return nil, errors.Join(err, closeTiers(settings.Tiers))
	}
	return cache.Namespace(c.Namespace...), nil
}

// Disabled reports whether DisableVariable switches caches off. lookup is os.LookupEnv, or like it.
func Disabled(lookup func(name string) (string, bool)) (bool, error) {
	given, _ := lookup(DisableVariable)
	if given == "" {
		return false, nil
	}
	off, err := strconv.ParseBool(given)
	if err != nil {
		return false, fmt.Errorf("%s=%q is neither true nor false", DisableVariable, given)
	}
	return off, nil
}

// tiers opens the stores, and closes those that it has where it can't have all.
func (o *Options) tiers(ctx context.Context, c CacheConfig) (tiers []core.Tier, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeTiers(tiers))
			tiers = nil
		}
	}()
	bounded, capped := false, make([]bool, len(c.Stores))
	for i, raw := range c.Stores {
		u, err := parseURL(raw)
		if err != nil {
			return tiers, err
		}
		s, err := o.scheme(u)
		if err != nil {
			return tiers, err
		}
		if !bounded && s.has(paramMax) {
			bounded = true
			bound(u, c)
		}
		t, given, err := s.tier(ctx, u)
		if err != nil {
			return tiers, err
		}
		t.Name, capped[i] = unlike(t.Name, tiers), given
		tiers = append(tiers, t)
	}
	return tiers, capNear(tiers, capped)
}

// bound gives a URL the size and policy of the configuration.
func bound(u *URL, c CacheConfig) {
	if c.MaxBytes != 0 {
		u.Params.values.Set(paramMax, units.FormatBytes(c.MaxBytes))
	}
	if c.Policy != "" {
		u.Params.values.Set(paramPolicy, c.Policy)
	}
}

// tier opens a store, and asks whether it is there. capped says whether the URL has a max_ttl.
func (s *Scheme) tier(ctx context.Context, u *URL) (t core.Tier, capped bool, err error) {
	p := &u.Params
	capped, lazy := p.Has(paramMaxTTL), p.Bool(paramLazy)
	limit := p.Time(paramMaxTTL)
	if err := p.Err(); err != nil {
		return t, false, err
	}
	p.take(paramMaxTTL, paramLazy)
	if t, err = s.Open(ctx, u); err != nil {
		return t, false, err
	}
	t.MaxTTL = limit
	if pinger, ok := t.Backend.(core.Pinger); ok && !lazy {
		if err := pinger.Ping(ctx); err != nil {
			return t, false, errors.Join(fmt.Errorf("%s:// does not answer: %w (lazy=true goes on without)", u.Scheme, err), t.Backend.Close())
		}
	}
	return t, capped, nil
}

// unlike returns a name that no tier has.
func unlike(name string, tiers []core.Tier) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(tiers, func(t core.Tier) bool { return t.Name == name })
	}
	unique := name
	for n := 2; taken(unique); n++ {
		unique = name + strconv.Itoa(n)
	}
	return unique
}

// capNear bounds how long tiers in front of a remote one keep their copies, where their URLs don't.
func capNear(tiers []core.Tier, capped []bool) error {
	last := len(tiers) - 1
	if capped[last] {
		return fmt.Errorf("the last tier, %s, has a %s: it is for those in front of it", tiers[last].Name, paramMaxTTL)
	}
	for i := range tiers[:last] {
		if !capped[i] && tiers[last].Remote {
			tiers[i].MaxTTL = nearTTL
		}
	}
	return nil
}

func closeTiers(tiers []core.Tier) error {
	var errs []error
	for _, t := range tiers {
		errs = append(errs, t.Backend.Close())
	}
	return errors.Join(errs...)
}
