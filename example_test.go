package edgecache_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/edgecache/edgecache"
	"github.com/edgecache/edgecache/core"
)

func Example() {
	ctx := context.Background()
	cache, err := edgecache.Open(ctx, "memory://?max=64MiB&ttl=10m")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cache.Close() }()

	_ = cache.Set(ctx, "greeting", []byte("hello"), edgecache.EntryOptions{TTL: time.Minute})
	value, err := cache.Get(ctx, "greeting")
	fmt.Println(string(value), err)
	_, err = cache.Get(ctx, "farewell")
	fmt.Println(errors.Is(err, edgecache.ErrNotFound))
	// Output:
	// hello <nil>
	// true
}

func ExampleNewTyped() {
	type user struct{ Name string }
	ctx := context.Background()
	cache, _ := edgecache.Open(ctx, "memory://?namespace=users")
	defer func() { _ = cache.Close() }()

	users, err := edgecache.NewTyped[user](cache, edgecache.TypedOptions{KeepDecoded: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = users.Set(ctx, "1", user{"Anna"}, edgecache.EntryOptions{})
	anna, err := users.Get(ctx, "1")
	fmt.Println(anna.Name, err)
	// Output:
	// Anna <nil>
}

func ExampleOpenTiers() {
	ctx := context.Background()
	cache, err := edgecache.OpenTiers(ctx, "memory://?max=64MiB", "memory://?max=1GiB&policy=lru")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cache.Close() }()
	for _, tier := range cache.Stats().Tiers {
		fmt.Println(tier.Name, tier.Policy)
	}
	// Output:
	// memory tinylfu
	// memory2 lru
}

func ExampleOpen_mistakes() {
	_, err := edgecache.Open(context.Background(), "memory://?maximum=64MiB")
	fmt.Println(err)
	// Output:
	// edgecache: memory:// has no parameter "maximum": there are max, max_entry, policy, ttl, jitter, namespace, max_ttl, lazy
}

func ExampleNewManager() {
	ctx := context.Background()
	configs, err := edgecache.ParseConfig("shop.yaml", []byte(`
caches:
  default: memory://?max=64MiB
  pages:
    url: memory://?policy=lru
    ttl: 10m
    namespace: shop/pages
  html: {alias: pages}
  assets: {preset: files}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := edgecache.NewManager(configs, edgecache.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = m.Close() }()

	pages, _ := m.Get(ctx, "pages") // made now
	html, _ := m.Get(ctx, "html")
	fmt.Println(pages == html, pages.Path())
	fmt.Println(m.List())
	// Output:
	// true shop/pages
	// [assets default files forms html pages sessions]
}

func ExampleManager_reconfigure() {
	ctx := context.Background()
	m, _ := edgecache.NewManager(nil, edgecache.Options{})
	defer func() { _ = m.Close() }()

	cache, _ := m.Get(ctx, "forms")
	_ = cache.Set(ctx, "form:1", []byte("name=Anna"), edgecache.EntryOptions{})
	err := m.Reconfigure(ctx, "forms", edgecache.Change{MaxBytes: 16 << 20, Policy: "sieve", TTL: time.Minute})
	value, _ := cache.Get(ctx, "form:1")
	fmt.Println(err, string(value), cache.Stats().Tiers[0].Policy)
	// Output:
	// <nil> name=Anna sieve
}

func ExampleFromLitefs() {
	config, err := edgecache.FromLitefs(map[string]any{
		"cache_backend": "redis", "redis_host": "cache.internal", "redis_db": 1, "cache_expiration_time": 600,
	})
	fmt.Println(config.Stores, config.Namespace, config.TTL, err)
	// Output:
	// [redis://cache.internal:6379/1] [litefs] 10m0s <nil>
}

func ExampleResponseKey() {
	u, _ := url.Parse("https://shop.example/search?q=tea&page=2")
	fmt.Println(edgecache.ResponseKey("GET", u))
	// Output:
	// GET /search?page=2&q=tea
}

// A namespace with a hash of what values depend on: another version misses everything.
func ExampleCacheConfig_version() {
	ctx := context.Background()
	cache, _ := edgecache.Open(ctx, "memory://")
	defer func() { _ = cache.Close() }()

	at := func(version string) *edgecache.Cache {
		hash, _ := core.ConfigHash(version, map[string]any{"theme": "dark"})
		return cache.Namespace(hash)
	}
	_ = at("v1").Set(ctx, "page", []byte("old"), edgecache.EntryOptions{})
	_, err := at("v2").Get(ctx, "page")
	fmt.Println(err)
	// Output:
	// key not found
}
