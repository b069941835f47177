package edgecache_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

const sample = `# caches of a shop
caches:
  default: memory://?max=64MiB
  pages:
    url: [memory://?max=8MiB, "${SHOP_REDIS:-redis://127.0.0.1:6379/0}"]
    ttl: 10m
    jitter: 0.25
    namespace: shop/pages
    max: 16MiB
    policy: lru
  html: {alias: pages}
  assets: {preset: files, ttl: never}
  plain: {}
  tiers: ["memory://", "null://"]
`

func TestParseConfig(t *testing.T) {
	t.Setenv("SHOP_REDIS", "redis://:pass@h:1/2")
	got, err := edgecache.ParseConfig("shop.yaml", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]edgecache.CacheConfig{
		"default": {Stores: []string{"memory://?max=64MiB"}},
		"pages": {
			Stores: []string{"memory://?max=8MiB", "redis://:pass@h:1/2"}, TTL: 10 * time.Minute, Jitter: 0.25,
			Namespace: []string{"shop", "pages"}, MaxBytes: 16 << 20, Policy: "lru",
		},
		"html":   {Alias: "pages"},
		"assets": {Stores: []string{"memory://"}, MaxBytes: 256 << 20, TTL: edgecache.NoExpiry},
		"plain":  {},
		"tiers":  {Stores: []string{"memory://", "null://"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	path := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(path, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	if loaded, err := edgecache.LoadConfig(path); err != nil || !cmp.Equal(want, loaded) {
		t.Errorf("LoadConfig: %v, %s", err, cmp.Diff(want, loaded))
	}
	if _, err := edgecache.LoadConfig(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("LoadConfig of nothing: %v", err)
	}
	// The same from a map and from a struct.
	byMap := map[string]any{
		"pages": map[string]any{"url": []string{"memory://?max=8MiB", "${SHOP_REDIS}"}, "ttl": "10m", "jitter": 0.25, "namespace": "shop/pages", "max": "16MiB", "policy": "lru"},
		"html":  map[string]string{"alias": "pages"}, "default": "memory://?max=64MiB",
	}
	type named struct {
		Pages any    `json:"pages"`
		HTML  any    `json:"html"`
		Def   string `json:"default"`
	}
	for _, given := range []any{byMap, named{byMap["pages"], byMap["html"], "memory://?max=64MiB"}} {
		got, err := edgecache.ConfigOf(given)
		if err != nil || !cmp.Equal(got["pages"], want["pages"]) || got["html"].Alias != "pages" || len(got) != 3 {
			t.Errorf("ConfigOf = %+v, %v", got, err)
		}
	}
	if _, err := edgecache.ConfigOf(map[string]any{"a": func() {}}); err == nil {
		t.Error("ConfigOf took a function")
	}
}

func TestParseConfigErrors(t *testing.T) {
	for yaml, want := range map[string]string{
		"cahces: {}":                                `c.yaml:1:1: unknown field "cahces"`,
		"caches:\n  a:\n    ulr: memory://":         `c.yaml:3:5: unknown field "ulr"`,
		"caches:\n  a:\n    ttl: soon":              `c.yaml:3:10: "soon" is no time`,
		"caches:\n  a:\n    ttl: 300":               `c.yaml:3:10: "300" is no time`,
		"caches:\n  a:\n    ttl: [1s]":              `c.yaml:3:10: a sequence is no text`,
		"caches:\n  a:\n    jitter: 3":              `c.yaml:3:13: "3" is no share`,
		"caches:\n  a:\n    max: lots":              `c.yaml:3:10: "lots" is no size`,
		"caches:\n  a:\n    preset: cookies":        `no preset is called "cookies": there are files, forms, sessions`,
		"caches:\n  a:\n    namespace: /x":          `is no namespace`,
		"caches:\n  a:\n    url: ${NO_SUCH_VAR}":    `c.yaml:3:10: variable NO_SUCH_VAR is empty`,
		"caches:\n  a: memory://\n  a: null://":     `c.yaml:3:3`,
		"caches:\n  a: [memory://, {}]":             `is no text`,
		"caches:\n  a: 5\n  b: {url: true}":         `c.yaml:3:12: a bool is no text`,
		"caches: [":                                 `c.yaml:1:9`,
		"caches:\n  a: {url: memory://, url: null}": `c.yaml:2:`,
	} {
		_, err := edgecache.ParseConfig("c.yaml", []byte(yaml))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", yaml, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error shows the source: %v", yaml, err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(sample)
	f.Add("caches: {a: {alias: b}, b: [x]}")
	f.Add("caches:\n  a: &x {ttl: 5m}\n  b: *x\n  c: {<<: *x}")
	f.Fuzz(func(_ *testing.T, text string) {
		configs, err := edgecache.ParseConfig("f", []byte(text))
		if err != nil {
			return
		}
		if m, err := edgecache.NewManager(configs, edgecache.Options{}); err == nil {
			_ = m.Close()
		}
	})
}

func TestNewManager(t *testing.T) {
	s := testserver.Redis(t)
	configs, err := edgecache.ConfigOf(map[string]any{
		"pages": map[string]any{"url": []string{"memory://?max=8MiB&policy=lru", s.URL() + "?timeout=5s"}, "ttl": "10m", "namespace": "shop"},
		"html":  map[string]any{"alias": "pages"},
		"forms": map[string]any{"preset": "forms", "ttl": "1m"},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := edgecache.NewManager(configs, edgecache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if got, want := m.List(), []string{"default", "files", "forms", "html", "pages", "sessions"}; !slices.Equal(got, want) {
		t.Errorf("List = %q, want %q", got, want)
	}
	for _, name := range m.List() {
		c, err := m.Get(t.Context(), name)
		if err != nil {
			t.Fatalf("Get(%q): %v", name, err)
		}
		works(t, c)
	}
	pages, _ := m.Get(t.Context(), "html")
	_ = pages.Set(t.Context(), "k", []byte("v"), edgecache.EntryOptions{})
	if err := m.Reconfigure(t.Context(), "html", edgecache.Change{MaxBytes: 16 << 20, Policy: "sieve"}); err != nil {
		t.Fatal(err)
	}
	if ttl, err := pages.TTL(t.Context(), "k"); err != nil || ttl <= 9*time.Minute {
		t.Errorf("TTL after Reconfigure = %v, %v", ttl, err)
	}
	_ = pages.Set(t.Context(), "k2", nil, edgecache.EntryOptions{})
	if ttl, err := pages.TTL(t.Context(), "k2"); err != nil || ttl <= 9*time.Minute {
		t.Errorf("default TTL after Reconfigure = %v, %v, want the ten minutes of before", ttl, err)
	}
	if p := pages.Stats().Tiers[0].Policy; p != "sieve" {
		t.Errorf("policy = %q", p)
	}
	// What was changed is what the next one is made with.
	if err := m.Reset("pages"); err != nil {
		t.Fatal(err)
	}
	if pages, err = m.Get(t.Context(), "pages"); err != nil || pages.Stats().Tiers[0].Policy != "sieve" {
		t.Errorf("after Reset: %v", err)
	}
	// One configuration in two forms is one.
	same := edgecache.CacheConfig{
		Stores: []string{"memory://," + s.URL() + "?timeout=5s&namespace=shop&ttl=600s"}, MaxBytes: 16 << 20, Policy: "sieve",
	}
	if c, err := m.GetWith(t.Context(), "pages", same); err != nil || c != pages {
		t.Errorf("GetWith the same in other words: %v", err)
	}
}

func TestNewManagerErrors(t *testing.T) {
	for _, tt := range []struct {
		config edgecache.CacheConfig
		want   string
	}{
		{edgecache.CacheConfig{Stores: []string{"nonesuch://"}}, `cache "a": no store is called`},
		{edgecache.CacheConfig{Stores: []string{"memory://?ttl=5m"}, TTL: time.Hour}, "ttl is given more than once"},
		{edgecache.CacheConfig{Stores: []string{"memory://?max=5MiB"}, MaxBytes: 9}, "max is given more than once"},
		{edgecache.CacheConfig{Stores: []string{"null://"}, MaxBytes: 9}, "there is a size, and no store"},
		{edgecache.CacheConfig{Stores: []string{"file:///x"}, Policy: "lru"}, "there is the policy lru, and no store"},
		{edgecache.CacheConfig{Alias: "a"}, "alias of itself"},
	} {
		_, err := edgecache.NewManager(map[string]edgecache.CacheConfig{"a": tt.config}, edgecache.Options{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want an error with %q", tt.config, err, tt.want)
		}
	}
}

func TestPresets(t *testing.T) {
	m, err := edgecache.NewManager(nil, edgecache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	for name, ttl := range map[string]time.Duration{"sessions": edgecache.NoExpiry, "files": time.Hour, "forms": 5 * time.Minute, "": edgecache.NoExpiry} {
		c, err := m.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Set(t.Context(), "k", nil, edgecache.EntryOptions{})
		if got, err := c.TTL(t.Context(), "k"); err != nil || got > ttl || ttl > 0 && got < ttl-time.Minute {
			t.Errorf("%q: TTL = %v, %v, want %v", name, got, err, ttl)
		}
	}
	// A folder with all that is below it.
	files, _ := m.Get(t.Context(), "files")
	for _, path := range []string{"a", "a/b", "a/b/c", "ab", "a%"} {
		_ = files.Set(t.Context(), path, nil, edgecache.EntryOptions{})
	}
	if n, err := files.DeleteTree(t.Context(), "a"); err != nil || n != 3 {
		t.Errorf("DeleteTree = %d, %v, want 3", n, err)
	}
	// A million sessions of 300 bytes have room.
	sessions, _ := m.Get(t.Context(), "sessions")
	const each = 300 + 224
	if c, _ := m.Config("sessions"); c.MaxBytes < 1_000_000*each {
		t.Errorf("%d bytes are too few for a million of %d", c.MaxBytes, each)
	}
	if err := sessions.Set(t.Context(), "s", make([]byte, 300), core.EntryOptions{}); err != nil {
		t.Error(err)
	}
}

func TestNewManagerWithFactory(t *testing.T) {
	root := open(t, "memory://")
	m, err := edgecache.NewManagerWithFactory(nil, edgecache.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Get(t.Context(), "carts"); !errors.Is(err, edgecache.ErrNoCache) {
		t.Errorf("Get without a factory: %v", err)
	}
	if err := m.Register("carts", root.Namespace("carts"), false); err != nil {
		t.Fatal(err)
	}
	if c, err := m.Get(t.Context(), "carts"); err != nil || c.Path() != "carts" {
		t.Errorf("Get of a registered cache: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	works(t, root)
}
