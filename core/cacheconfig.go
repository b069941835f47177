package core

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// CacheConfig says how a named cache is made. The zero value of a field is its default.
type CacheConfig struct {
	// Alias makes the name stand for the cache of another name. All other fields are then zero.
	Alias string
	// Stores name the tiers, nearest first, in the words of ManagerOptions.Open.
	Stores []string
	// Namespace is where in the stores the cache's keys live (Cache.Namespace).
	Namespace []string
	// TTL is what DefaultTTL means: a positive duration, or NoExpiry. 0 is no expiry, too.
	TTL time.Duration
	// Jitter is Options.Jitter.
	Jitter float32
	// MaxBytes bounds the nearest store that can change its bound, and Policy is what that evicts by (Change). 0 and "" are
	// the store's defaults.
	MaxBytes int64
	Policy   string
}

// Equal reports whether both make the same cache.
func (c CacheConfig) Equal(d CacheConfig) bool {
	ttl := func(c CacheConfig) time.Duration { return orElse(c.TTL, NoExpiry) }
	return c.sameStores(d) && c.MaxBytes == d.MaxBytes && c.Policy == d.Policy && c.Jitter == d.Jitter && ttl(c) == ttl(d)
}

// sameStores reports whether the configurations differ in nothing but what Reconfigure changes.
func (c CacheConfig) sameStores(d CacheConfig) bool {
	return c.Alias == d.Alias && slices.Equal(c.Stores, d.Stores) && slices.Equal(c.Namespace, d.Namespace)
}

// With returns the configuration with the fields of o that are not zero in place of its own. An alias is all of it. Where o
// names stores, MaxBytes and Policy, which were another store's, are o's too.
func (c CacheConfig) With(o CacheConfig) CacheConfig {
	if o.Alias != "" {
		return o
	}
	if c.Alias != "" {
		c = CacheConfig{}
	}
	if o.Stores != nil {
		c.Stores, c.MaxBytes, c.Policy = o.Stores, 0, ""
	}
	if o.Namespace != nil {
		c.Namespace = o.Namespace
	}
	c.TTL, c.Jitter = orElse(o.TTL, c.TTL), orElse(o.Jitter, c.Jitter)
	c.MaxBytes, c.Policy = orElse(o.MaxBytes, c.MaxBytes), orElse(o.Policy, c.Policy)
	return c
}

func (c *CacheConfig) validate(name string) error {
	switch {
	case name == "":
		return errors.New("core: a cache has no name")
	case c.Alias != "" && !c.Equal(CacheConfig{Alias: c.Alias}):
		return fmt.Errorf("core: cache %q is an alias of %q: it can't have a configuration of its own", name, c.Alias)
	case c.TTL < 0 && c.TTL != NoExpiry:
		return fmt.Errorf("core: cache %q: %w: TTL %v is negative: NoExpiry is none", name, ErrBadTTL, c.TTL)
	case c.Jitter < 0 || c.Jitter > 1:
		return fmt.Errorf("core: cache %q: Jitter %v is no share from 0 to 1", name, c.Jitter)
	case c.MaxBytes < 0:
		return fmt.Errorf("core: cache %q: MaxBytes %d is negative", name, c.MaxBytes)
	}
	return nil
}

// validateAliases checks that no alias leads back to itself.
func validateAliases(configs map[string]CacheConfig) error {
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		at := name
		for range len(configs) {
			if c, ok := configs[at]; ok && c.Alias != "" {
				at = c.Alias
			}
		}
		if configs[at].Alias != "" {
			return fmt.Errorf("core: cache %q is an alias of itself, by way of %q", name, configs[name].Alias)
		}
	}
	return nil
}

// changeTo returns what makes a cache of this configuration one of the other, which names the same stores. A size or policy
// that is not given any more stays.
func (c CacheConfig) changeTo(d CacheConfig) Change {
	ch := Change{TTL: orElse(d.TTL, NoExpiry), Jitter: orElse(d.Jitter, -1)}
	if d.MaxBytes != c.MaxBytes {
		ch.MaxBytes = d.MaxBytes
	}
	if d.Policy != c.Policy {
		ch.Policy = d.Policy
	}
	return ch
}

// clone returns a configuration that shares nothing.
func (c CacheConfig) clone() CacheConfig {
	c.Stores, c.Namespace = slices.Clone(c.Stores), slices.Clone(c.Namespace)
	return c
}
