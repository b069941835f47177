package edgecache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache"
	"github.com/edgecache/edgecache/internal/testserver"
)

func TestFromLitefs(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings map[string]any
		want     edgecache.CacheConfig
	}{
		{"defaults", nil, edgecache.CacheConfig{Stores: []string{"memory://"}, MaxBytes: 10000 << 10, Policy: "lru", TTL: edgecache.NoExpiry}},
		{
			"memory",
			map[string]any{"cache_backend": "MEMORY", "cache_max_size": 5, "host": "other", "debug": true},
			edgecache.CacheConfig{Stores: []string{"memory://"}, MaxBytes: 1 << 20, Policy: "lru", TTL: edgecache.NoExpiry},
		},
		{
			"tree",
			map[string]any{"cache_backend": "tree", "cache_expiration_time": 60, "cache_clean_period": 5},
			edgecache.CacheConfig{Stores: []string{"memory://"}, TTL: time.Minute},
		},
		{
			"redis",
			map[string]any{"cache_backend": "redis"},
			edgecache.CacheConfig{Stores: []string{"redis://localhost:6379/0"}, Namespace: []string{"litefs"}, TTL: time.Hour},
		},
		{
			"redis, all",
			map[string]any{
				"cache_backend": "redis", "redis_host": "::1", "redis_port": "7000", "redis_db": float64(2), "redis_password": "p@:s",
				"redis_key_prefix": "app:", "cache_expiration_time": 0,
			},
			edgecache.CacheConfig{Stores: []string{"redis://:p%40%3As@[::1]:7000/2"}, Namespace: []string{"app"}, TTL: edgecache.NoExpiry},
		},
		{
			"database",
			map[string]any{"cache_backend": "database", "database_path": "/var/a b.db", "database_cache_table": "c"},
			edgecache.CacheConfig{Stores: []string{"sqlite:///var/a%20b.db"}, TTL: time.Hour},
		},
		{"database in memory", map[string]any{"cache_backend": "database"}, edgecache.CacheConfig{Stores: []string{"memory://"}, TTL: time.Hour}},
		{
			"memcache",
			map[string]any{"cache_backend": "memcache", "memcache_servers": []any{"a:1", "b"}, "memcache_key_prefix": ""},
			edgecache.CacheConfig{Stores: []string{"memcached://a:1,b"}, TTL: time.Hour},
		},
		{
			"from the environment", edgecache.LitefsEnv([]string{"LITEFS_CACHE_BACKEND=memcache", "LITEFS_MEMCACHE_SERVERS=a,b", "LITEFS_CACHE_EXPIRATION_TIME=5", "PATH=/"}),
			edgecache.CacheConfig{Stores: []string{"memcached://a,b"}, Namespace: []string{"litefs"}, TTL: 5 * time.Second},
		},
	} {
		got, err := edgecache.FromLitefs(tt.settings)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", tt.name, err, diff)
		}
		m, err := edgecache.NewManager(map[string]edgecache.CacheConfig{"a": got}, edgecache.Options{})
		if err != nil {
			t.Errorf("%s: no cache is made of it: %v", tt.name, err)
			continue
		}
		_ = m.Close()
	}
	for want, settings := range map[string]map[string]any{
		"there are memory, tree, redis, database and memcache": {"cache_backend": "mongo"},
		"cache_backnd is not known: there are cache_backend":   {"cache_backnd": "redis"},
		"redis_port is \"http\"":                               {"cache_backend": "redis", "redis_port": "http"},
		"redis_port is 0":                                      {"cache_backend": "redis", "redis_port": 0},
		"redis_db is 1.5":                                      {"cache_backend": "redis", "redis_db": 1.5},
		"redis_host is a int":                                  {"cache_backend": "redis", "redis_host": 5},
		"cache_max_size is -1":                                 {"cache_max_size": -1},
		"memcache_servers holds a int":                         {"cache_backend": "memcache", "memcache_servers": []any{1}},
		"memcache_servers is a bool":                           {"cache_backend": "memcache", "memcache_servers": true},
		"database_path is empty":                               {"cache_backend": "database", "database_path": ""},
		"cache_expiration_time is a bool":                      {"cache_backend": "tree", "cache_expiration_time": true},
	} {
		if _, err := edgecache.FromLitefs(settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want an error with %q", settings, err, want)
		}
	}
}

// TestFromLitefsPrefix sees that keys have the prefix that litefs gives them.
func TestFromLitefsPrefix(t *testing.T) {
	s := testserver.Redis(t)
	host, port, _ := strings.Cut(s.Addr(), ":")
	config, err := edgecache.FromLitefs(map[string]any{"cache_backend": "redis", "redis_host": host, "redis_port": port})
	if err != nil {
		t.Fatal(err)
	}
	m, err := edgecache.NewManager(map[string]edgecache.CacheConfig{"default": config}, edgecache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	c, err := m.Get(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Set(t.Context(), "k", []byte("v"), edgecache.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if keys, err := open(t, s.URL()).Keys(t.Context(), "*"); err != nil || len(keys) != 1 || keys[0] != "litefs:k" {
		t.Errorf("keys in Redis = %q, %v, want litefs:k", keys, err)
	}
}
