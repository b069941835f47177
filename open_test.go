package edgecache_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/edgecache/edgecache"
	"github.com/edgecache/edgecache/backends/null"
	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a cache that is closed with the test.
func open(t *testing.T, urls ...string) *edgecache.Cache {
	t.Helper()
	c, err := edgecache.OpenTiers(t.Context(), urls...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// tiers returns the names of a cache's tiers.
func tiers(c *edgecache.Cache) (names []string) {
	for _, t := range c.Stats().Tiers {
		names = append(names, t.Name)
	}
	return names
}

// works writes, reads, counts and deletes.
func works(t *testing.T, c *edgecache.Cache) {
	t.Helper()
	ctx := t.Context()
	if err := c.Set(ctx, "k", []byte("v"), edgecache.EntryOptions{TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(ctx, "k"); err != nil || string(v) != "v" {
		t.Errorf("Get = %q, %v", v, err)
	}
	if ttl, err := c.TTL(ctx, "k"); err != nil || ttl <= 59*time.Minute || ttl > time.Hour {
		t.Errorf("TTL = %v, %v", ttl, err)
	}
	if _, err := c.Delete(ctx, "n"); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Increment(ctx, "n", 5, edgecache.EntryOptions{}); err != nil || n != 5 {
		t.Errorf("Increment = %d, %v", n, err)
	}
	if found, err := c.Delete(ctx, "k"); err != nil || !found {
		t.Errorf("Delete = %v, %v", found, err)
	}
	if _, err := c.Get(ctx, "k"); !errors.Is(err, edgecache.ErrNotFound) {
		t.Errorf("Get after Delete: %v", err)
	}
}

func TestOpen(t *testing.T) {
	redisURL, memcachedURL := testserver.Redis(t).URL(), "memcached://"+testserver.Memcached(t).Addr()
	dir := t.TempDir()
	for _, tt := range []struct {
		name  string
		urls  []string
		tiers []string
	}{
		{"memory", []string{"memory://"}, []string{"memory"}},
		{"memory with all", []string{"memory://?max=64MiB&policy=lru&max_entry=1MiB&ttl=5m&namespace=a/b"}, []string{"memory"}},
		{"nothing is memory", nil, []string{"memory"}},
		{"redis", []string{redisURL + "?timeout=5s&pool_size=4&values=raw&max_value=1MiB"}, []string{"redis"}},
		{"memcached", []string{memcachedURL + "/?timeout=5s&max_conns=4&values=envelope"}, []string{"memcached"}},
		{"sqlite", []string{"sqlite://" + filepath.Join(dir, "a b.db") + "?max=1MiB&sync=off"}, []string{"sqlite"}},
		{"file", []string{"file://" + filepath.Join(dir, "folder") + "?max=10MiB&mode=0640"}, []string{"file"}},
		{"a list", []string{"memory://?max=8MiB, " + redisURL + "?timeout=5s"}, []string{"memory", "redis"}},
		{"tiers", []string{"memory://", "file://" + filepath.Join(dir, "below")}, []string{"memory", "file"}},
		{"alike", []string{"memory://", "memory://", memcachedURL + "?timeout=5s"}, []string{"memory", "memory2", "memcached"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, tt.urls...)
			if got := tiers(c); !slices.Equal(got, tt.tiers) {
				t.Errorf("tiers = %q, want %q", got, tt.tiers)
			}
			works(t, c)
		})
	}
}

func TestOpenNull(t *testing.T) {
	c := open(t, "null://")
	_ = c.Set(t.Context(), "k", []byte("v"), edgecache.EntryOptions{})
	if _, err := c.Get(t.Context(), "k"); !errors.Is(err, edgecache.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
}

func TestOpenSettings(t *testing.T) {
	c := open(t, "memory://?ttl=1d&namespace=shop%252Fold/carts&jitter=0&policy=sieve", "memory://")
	if c.Path() != "shop%2Fold/carts" {
		t.Errorf("namespace = %q", c.Path())
	}
	if p := c.Stats().Tiers[0].Policy; p != "sieve" {
		t.Errorf("policy = %q", p)
	}
	_ = c.Set(t.Context(), "k", nil, edgecache.EntryOptions{})
	if ttl, err := c.TTL(t.Context(), "k"); err != nil || ttl <= 23*time.Hour || ttl > 24*time.Hour {
		t.Errorf("TTL = %v, %v, want a day", ttl, err)
	}
	never := open(t, "memory://?ttl=never")
	_ = never.Set(t.Context(), "k", nil, edgecache.EntryOptions{})
	if ttl, err := never.TTL(t.Context(), "k"); err != nil || ttl != edgecache.NoExpiry {
		t.Errorf("TTL = %v, %v, want none", ttl, err)
	}
}

// TestOpenCapsNearCopies writes behind the back of a near tier.
func TestOpenCapsNearCopies(t *testing.T) {
	s := testserver.Redis(t)
	for near, want := range map[string]time.Duration{"memory://": 5 * time.Second, "memory://?max_ttl=1m": time.Minute, "memory://?max_ttl=0": time.Hour} {
		c := open(t, near, s.URL()+"?timeout=5s")
		if err := c.Set(t.Context(), "k", []byte("v"), edgecache.EntryOptions{TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		e, err := c.GetEntry(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		if left := e.TTL(time.Now()); left > want || left < want-4*time.Second {
			t.Errorf("%s: the near copy stays for %v, want %v", near, left, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"", "no scheme"},
		{"localhost:6379", "no scheme"},
		{"http://h", "no store is called http://: there are memory, redis, rediss, unix, redis+cluster, rediss+cluster, redis+sentinel, rediss+sentinel, memcached, sqlite, file, null"},
		{"memory://?size=5", `memory:// has no parameter "size": there are max, max_entry, policy, ttl, jitter, namespace, max_ttl, lazy`},
		{"memory://?max=5 apples", "is no size"},
		{"memory://?max=0", "use null://"},
		{"memory://host", "has no host"},
		{"memory://?max=1MiB&max=2MiB", "more than once"},
		{"memory://?policy=best", "no policy is called"},
		{"memory://?policy=opt", "knows the future"},
		{"memory://?ttl=soon", "is no time"},
		{"memory://?ttl=-5s", "is no time"},
		{"memory://?jitter=2", "is no share"},
		{"memory://?namespace=a//b", "is no namespace"},
		{"memory://?max_ttl=5s", "for those in front"},
		{"memory://?lazy=perhaps", "neither true nor false"},
		{"memory://?ttl=5s,memory://?ttl=6s", "ttl is given more than once"},
		{"memory://?namespace=a,memory://?namespace=b", "namespace is given more than once"},
		{"memory://?a=%zz", "can't be read"},
		{"memory://?max=1MiB#part", "can't be read"},
		{"redis://h:1?pool=5", `redis:// has no parameter "pool": there are timeout, pool_size`},
		{"redis://u:secret@h?db=3", `has the parameter "db"`},
		{"redis://h?values=json", `"json" is none of envelope, raw`},
		{"redis://u:secret@h:port/0", `port "port"`},
		{"memcached://", "neither host:port"},
		{"memcached://a?owned=maybe", "neither true nor false"},
		{"null://x", "has no host"},
		{"sqlite://", "has no path"},
		{"sqlite:///tmp/x?sync=sometimes", "none of normal, off, full"},
		{"file:///tmp/%zz", "bad %XX"},
		{"file:///tmp/x?mode=rw", "is no mode"},
	} {
		c, err := edgecache.Open(t.Context(), tt.url)
		if err == nil {
			_ = c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open(%q): %v, want an error with %q", tt.url, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), "edgecache: ")) {
			t.Errorf("Open(%q): %v shows a password, or does not say who speaks", tt.url, err)
		}
	}
}

// TestOpenAsksTheStore opens a store where nobody answers.
func TestOpenAsksTheStore(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().String()
	_ = ln.Close()
	for _, url := range []string{"redis://u:secret@" + nobody, "memcached://" + nobody} {
		_, err := edgecache.Open(t.Context(), "memory://,"+url)
		if !errors.Is(err, edgecache.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q): %v, want ErrUnavailable", url, err)
		}
		c := open(t, "memory://", url+"?lazy=true")
		if _, err := c.Get(t.Context(), "k"); !errors.Is(err, edgecache.ErrNotFound) {
			t.Errorf("Get without the store: %v, want a miss", err)
		}
	}
}

func TestDisabled(t *testing.T) {
	off := edgecache.Options{LookupEnv: func(name string) (string, bool) { return "1", name == edgecache.DisableVariable }}
	dir := filepath.Join(t.TempDir(), "never")
	c, err := off.Open(t.Context(), "redis://127.0.0.1:1,file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx := t.Context()
	if err := c.Set(ctx, "k", []byte("v"), edgecache.EntryOptions{}); err != nil {
		t.Errorf("Set = %v", err)
	}
	if _, err := c.Get(ctx, "k"); !errors.Is(err, edgecache.ErrNotFound) {
		t.Errorf("Get = %v", err)
	}
	if err := c.Add(ctx, "k", nil, edgecache.EntryOptions{}); err != nil {
		t.Errorf("Add = %v", err)
	}
	if v, err := c.GetMany(ctx, []string{"a", "b"}); err != nil || v[0] != nil || v[1] != nil {
		t.Errorf("GetMany = %q, %v", v, err)
	}
	if found, err := c.Delete(ctx, "k"); err != nil || found {
		t.Errorf("Delete = %v, %v", found, err)
	}
	if found, err := c.Exists(ctx, "k"); err != nil || found {
		t.Errorf("Exists = %v, %v", found, err)
	}
	if n, err := c.Increment(ctx, "k", 7, edgecache.EntryOptions{}); err != nil || n != 1 {
		t.Errorf("Increment = %d, %v, want 1", n, err)
	}
	if found, err := c.Expire(ctx, "k", time.Hour); err != nil || found {
		t.Errorf("Expire = %v, %v", found, err)
	}
	if err := c.Clear(ctx); err != nil {
		t.Errorf("Clear = %v", err)
	}
	if entries, _ := filepath.Glob(dir + "*"); entries != nil {
		t.Errorf("a store was opened: %q", entries)
	}
	if _, err := off.Open(ctx, "nonesuch://"); err == nil {
		t.Error("a wrong URL was not noticed because caches are off")
	}
	for value, ok := range map[string]bool{"0": true, "false": true, "": true, "perhaps": false} {
		o := edgecache.Options{LookupEnv: func(string) (string, bool) { return value, true }}
		c, err := o.Open(ctx, "memory://")
		if (err == nil) != ok {
			t.Errorf("%s=%q: %v", edgecache.DisableVariable, value, err)
		}
		if err == nil {
			works(t, c)
			_ = c.Close()
		}
	}
}

func TestOptionsWithTiers(t *testing.T) {
	o := edgecache.Options{Cache: core.Options{Tiers: []core.Tier{{Name: "x", Backend: null.New()}}}}
	if _, err := o.Open(t.Context(), "memory://"); err == nil || !strings.Contains(err.Error(), "URLs name them") {
		t.Errorf("Open with tiers in the options: %v", err)
	}
}

// TestOwnScheme gives URLs a store of the program's own: a Redis client that it has already.
func TestOwnScheme(t *testing.T) {
	s := testserver.Redis(t)
	opts, err := goredis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	opts.ContextTimeoutEnabled = true
	client := goredis.NewClient(opts)
	defer func() { _ = client.Close() }()
	o := edgecache.Options{Schemes: []edgecache.Scheme{{
		Names: []string{"ours"}, Params: []string{"prefix"},
		Open: func(_ context.Context, u *edgecache.URL) (core.Tier, error) {
			if u.Rest != "main" || u.Params.Text("prefix") != "p" {
				t.Errorf("the scheme got %q with %q", u.Rest, u.Params.Text("prefix"))
			}
			b, err := redis.New(client, redis.Options{Timeout: 5 * time.Second})
			if err != nil {
				return core.Tier{}, err
			}
			return core.Tier{Name: "ours", Backend: b, Remote: true, System: "redis"}, nil
		},
	}}}
	c, err := o.Open(t.Context(), "memory://?max=8MiB,ours://main?prefix=p&ttl=1h")
	if err != nil {
		t.Fatal(err)
	}
	works(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the program's client was closed with the cache: %v", err)
	}
	if _, err := o.Open(t.Context(), "ours://main?suffix=p"); err == nil || !strings.Contains(err.Error(), "there are prefix, ttl") {
		t.Errorf("Open with another parameter: %v", err)
	}
	if _, err := o.Open(t.Context(), "yours://"); err == nil || !strings.Contains(err.Error(), "there are ours, memory") {
		t.Errorf("Open with another scheme: %v", err)
	}
}
