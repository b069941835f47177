package edgecache

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// litefsEntry is what an entry is taken for where litefs counts entries and this counts bytes.
const litefsEntry = 1 << 10

// FromLitefs returns the configuration that litefs' settings describe: cache_backend (memory, tree, redis, database,
// memcache), redis_host, redis_port, redis_db, redis_password, redis_key_prefix, cache_expiration_time, database_path,
// database_cache_table, memcache_servers, memcache_key_prefix, cache_max_size, cache_clean_period, with litefs' defaults.
// Other settings are left alone, but for those that begin with cache_: they are errors.
//
// Prefixes become namespaces, which store "litefs:" before keys as litefs does; values are stored in this cache's own form,
// so that both should not share a store. cache_max_size counts entries there and bytes here: an entry is taken for 1 KiB.
// cache_clean_period and database_cache_table have no use: what expires goes by itself, and a table is not shared.
func FromLitefs(settings map[string]any) (CacheConfig, error) {
	s := litefs{settings: settings}
	c := s.config()
	if s.err == nil {
		s.err = unknownLitefs(settings)
	}
	if s.err != nil {
		return CacheConfig{}, fmt.Errorf("edgecache: litefs settings: %w", s.err)
	}
	return c, nil
}

// LitefsEnv returns the settings that stand in an environment (os.Environ) as LITEFS_CACHE_BACKEND and so on.
func LitefsEnv(environ []string) map[string]any {
	settings := make(map[string]any)
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if key, ok := strings.CutPrefix(name, "LITEFS_"); ok {
			settings[strings.ToLower(key)] = value
		}
	}
	return settings
}

// litefs reads settings, and keeps the first error.
type litefs struct {
	settings map[string]any
	err      error
}

func (s *litefs) config() CacheConfig {
	backend := strings.ToLower(s.text("cache_backend", "memory"))
	most := s.number("cache_max_size", 10000, 1)
	s.number("cache_clean_period", 60, 0)
	s.text("database_cache_table", "cache")
	switch backend {
	case "memory":
		return CacheConfig{Stores: []string{"memory://"}, MaxBytes: max(most*litefsEntry, 1<<20), Policy: "lru", TTL: NoExpiry}
	case "tree":
		return CacheConfig{Stores: []string{"memory://"}, TTL: s.expiration()}
	case "redis":
		return CacheConfig{
			Stores: []string{s.redisURL()}, Namespace: s.namespace("redis_key_prefix"), TTL: s.expiration(),
		}
	case "database":
		return CacheConfig{Stores: []string{s.databaseURL()}, TTL: s.expiration()}
	case "memcache":
		return CacheConfig{
			Stores:    []string{"memcached://" + strings.Join(s.list("memcache_servers", "localhost:11211"), ",")},
			Namespace: s.namespace("memcache_key_prefix"), TTL: s.expiration(),
		}
	default:
		s.fail(fmt.Errorf("cache_backend is %q: there are memory, tree, redis, database and memcache", backend))
		return CacheConfig{}
	}
}

func (s *litefs) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// text reads a string. None (nil) is the default.
func (s *litefs) text(key, def string) string {
	switch v := s.settings[key].(type) {
	case nil:
		return def
	case string:
		return v
	default:
		s.fail(fmt.Errorf("%s is a %T: text is wanted", key, v))
		return def
	}
}

// number reads an integer, also from text, which is at least least.
func (s *litefs) number(key string, def, least int64) int64 {
	n := def
	switch v := s.settings[key].(type) {
	case nil:
	case int:
		n = int64(v)
	case int64:
		n = v
	case uint64:
		n = int64(min(v, 1<<62))
	case float64:
		if n = int64(v); float64(n) != v {
			s.fail(fmt.Errorf("%s is %v: a whole number is wanted", key, v))
		}
	case string:
		var err error
		if n, err = strconv.ParseInt(strings.TrimSpace(v), 10, 64); err != nil {
			s.fail(fmt.Errorf("%s is %q: a number is wanted", key, v))
		}
	default:
		s.fail(fmt.Errorf("%s is a %T: a number is wanted", key, v))
	}
	if n < least || n > 1<<50 {
		s.fail(fmt.Errorf("%s is %d: at least %d is wanted", key, n, least))
	}
	return n
}

// list reads strings, also from one with commas.
func (s *litefs) list(key string, def ...string) []string {
	switch v := s.settings[key].(type) {
	case nil:
		return def
	case []string:
		return v
	case string:
		return strings.Split(v, ",")
	case []any:
		all := make([]string, 0, len(v))
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				s.fail(fmt.Errorf("%s holds a %T: a list of host:port is wanted", key, item))
			}
			all = append(all, text)
		}
		return all
	default:
		s.fail(fmt.Errorf("%s is a %T: a list of host:port is wanted", key, v))
		return def
	}
}

// expiration reads the default time to live, in seconds: none where it is 0 or less.
func (s *litefs) expiration() time.Duration {
	const most = 1 << 33 // 272 years
	n := s.number("cache_expiration_time", 3600, -most)
	if n <= 0 {
		return NoExpiry
	}
	return time.Duration(min(n, most)) * time.Second
}

// namespace reads a prefix. The colon at its end is the namespace's.
func (s *litefs) namespace(key string) []string {
	prefix := strings.TrimSuffix(s.text(key, "litefs:"), ":")
	if prefix == "" {
		return nil
	}
	return []string{prefix}
}

func (s *litefs) redisURL() string {
	host, port := s.text("redis_host", "localhost"), s.number("redis_port", 6379, 1)
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	u := "redis://"
	if password := s.text("redis_password", ""); password != "" {
		u += url.UserPassword("", password).String() + "@"
	}
	return fmt.Sprintf("%s%s:%d/%d", u, host, port, s.number("redis_db", 0, 0))
}

// databaseURL is that of a file; litefs' database in memory is this cache's memory.
func (s *litefs) databaseURL() string {
	path := s.text("database_path", ":memory:")
	if path == ":memory:" {
		return "memory://"
	}
	if path == "" {
		s.fail(errors.New("database_path is empty: the path of a file, or :memory:, is wanted"))
	}
	return "sqlite://" + (&url.URL{Path: path}).EscapedPath()
}

// unknownLitefs refuses settings that are probably misspelt.
func unknownLitefs(settings map[string]any) error {
	known := []string{"cache_backend", "cache_expiration_time", "cache_max_size", "cache_clean_period"}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if strings.HasPrefix(key, "cache_") && !slices.Contains(known, key) {
			return fmt.Errorf("%s is not known: there are %s", key, strings.Join(known, ", "))
		}
	}
	return nil
}
