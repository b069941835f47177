package edgecache

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Presets returns configurations for common uses, by name:
//
//	sessions   memory for a million of some 300 bytes each; without expiry, unless they are written with one
//	files      contents of files for an hour; DeleteTree takes a folder with all below it
//	forms      parsed requests for five minutes
//
// A Manager has them under these names, unless they are configured otherwise.
func Presets() map[string]CacheConfig {
	return map[string]CacheConfig{
		"sessions": {Stores: []string{"memory://"}, MaxBytes: 512 << 20, Policy: "lru", TTL: NoExpiry},
		"files":    {Stores: []string{"memory://"}, MaxBytes: 256 << 20, TTL: time.Hour},
		"forms":    {Stores: []string{"memory://"}, MaxBytes: 4 << 20, Policy: "lru", TTL: 5 * time.Minute},
	}
}

// preset returns the one of a name.
func preset(name string) (CacheConfig, error) {
	all := Presets()
	if c, ok := all[name]; ok {
		return c, nil
	}
	return CacheConfig{}, fmt.Errorf("no preset is called %q: there are %s", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
}

// NewManager returns a Manager of caches whose Stores are URLs as Open has them. Beside those of configs it has the
// Presets, and the cache "default", which is memory. It makes none before it is asked for.
func NewManager(configs map[string]CacheConfig, o Options) (*Manager, error) {
	return NewManagerWithFactory(configs, o, nil)
}

// NewManagerWithFactory is NewManager with core.ManagerOptions.Factory, which names that are not configured come from.
func NewManagerWithFactory(
	configs map[string]CacheConfig, o Options, factory func(ctx context.Context, name string) (*Cache, error),
) (*Manager, error) {
	all := Presets()
	all[core.DefaultCache] = CacheConfig{}
	maps.Copy(all, configs)
	m, err := core.NewManager(core.ManagerOptions{
		Caches: all, Factory: factory,
		Check: o.normal,
		Open: func(ctx context.Context, _ string, c CacheConfig) (*Cache, error) {
			return o.open(ctx, c)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("edgecache: %w", err)
	}
	return m, nil
}
