package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/internal/testserver"
)

func TestCacheCommandsOfARunningCache(t *testing.T) {
	p := start(t, nil, "--no-plugins")
	if got := edgecache(t, p.env(), "", "set", "k", "v"); got.code != 0 {
		t.Fatal(got)
	}
	if got := edgecache(t, p.env(), "", "cache", "inspect"); got.code != 0 ||
		!strings.HasPrefix(got.out, "TIER    NAME              ENTRIES  BYTES\nmemory  memory (tinylfu)  ~1       ~2") {
		t.Errorf("cache inspect = %+v", got)
	}
	if got := edgecache(t, p.env(), "", "cache", "inspect", "-o", "json"); got.code != 0 ||
		!strings.HasPrefix(got.out, `[{"tier":"memory","name":"memory (tinylfu)","entries":1,"bytes":2`) {
		t.Errorf("cache inspect -o json = %+v", got)
	}
	if got := edgecache(t, p.env(), "", "cache", "clear"); got.code != 0 || got.out != "OK\n" {
		t.Errorf("cache clear = %+v", got)
	}
	if got := edgecache(t, p.env(), "", "get", "k"); got.code != exitFailed {
		t.Errorf("get after cache clear = %+v", got)
	}
}

func TestCacheCommandsOfStores(t *testing.T) {
	s := testserver.Redis(t)
	file := "sqlite://" + filepath.Join(t.TempDir(), "c.db")
	client := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer func() { _ = client.Close() }()
	for _, key := range []string{"shop:a", "shop:b", "other"} {
		if err := client.Set(t.Context(), key, "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args string
		want result // out is looked for at the beginning, errOut anywhere
	}{
		{"cache inspect " + s.URL(), result{0, "TIER   NAME", ""}},
		{"cache inspect -o json " + s.URL() + " " + file, result{0, `[{"tier":"redis"`, ""}},
		{"cache clear " + s.URL(), result{exitUsage, "", "--all"}},
		{"cache clear -o json " + s.URL() + "?namespace=shop", result{0, `{"cleared":true}`, ""}},
		{"cache clear " + file, result{0, "OK\n", ""}},
		{"cache clear frob://x", result{exitFailed, "", "no store is called frob://"}},
		{"cache inspect redis://u:secret@127.0.0.1:1", result{exitFailed, "", "does not answer"}},
		{"cache inspect --admin 127.0.0.1:1", result{exitFailed, "", `is "edgecache run" or "edgecache proxy" there?`}},
		{"cache frob", result{exitUsage, "", "frob"}},
	} {
		got := edgecache(t, map[string]string{"EDGECACHE_DISABLE": "1"}, "", strings.Fields(tt.args)...)
		if got.code != tt.want.code || !strings.HasPrefix(got.out, tt.want.out) || !strings.Contains(got.errOut, tt.want.errOut) ||
			strings.Contains(got.errOut, "secret") {
			t.Errorf("edgecache %s = %+v, want %+v", tt.args, got, tt.want)
		}
	}
	if keys, err := client.Keys(t.Context(), "*").Result(); err != nil || len(keys) != 1 || keys[0] != "other" {
		t.Errorf("keys after clearing a namespace = %q, %v, want other", keys, err)
	}
	if got := edgecache(t, nil, "", "cache", "clear", "--all", s.URL()); got.code != 0 {
		t.Errorf("cache clear --all = %+v", got)
	}
	if n, err := client.DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("%d keys after --all, %v", n, err)
	}
}

// TestNoCache runs with a Redis behind, which must see nothing.
func TestNoCache(t *testing.T) {
	s := testserver.Redis(t)
	for name, run := range map[string]struct {
		env  map[string]string
		args []string
	}{
		"flag":     {nil, []string{"--no-cache"}},
		"disabled": {map[string]string{"EDGECACHE_DISABLE": "1"}, nil},
		"variable": {map[string]string{"EDGECACHE_NO_CACHE": "true"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, run.env, append(run.args, "--redis", s.URL())...)
			c := p.client(t)
			if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Errorf("Set = %v", err)
			}
			if v, err := c.Get(t.Context(), "k").Result(); !errors.Is(err, redis.Nil) {
				t.Errorf("Get = %q, %v, want nil", v, err)
			}
			if n, err := c.Incr(t.Context(), "n").Result(); err != nil || n != 1 {
				t.Errorf("Incr = %d, %v, want 1", n, err)
			}
			if n, err := c.Del(t.Context(), "k").Result(); err != nil || n != 0 {
				t.Errorf("Del = %d, %v, want 0", n, err)
			}
			direct := redis.NewClient(&redis.Options{Addr: s.Addr()})
			defer func() { _ = direct.Close() }()
			if n, err := direct.DBSize(t.Context()).Result(); err != nil || n != 0 {
				t.Errorf("Redis has %d keys, %v", n, err)
			}
		})
	}
	if got := edgecache(t, map[string]string{"EDGECACHE_DISABLE": "perhaps"}, "", "run", "--resp", "127.0.0.1:0", "--admin", "off"); got.code != exitUsage ||
		!strings.Contains(got.errOut, "EDGECACHE_DISABLE") {
		t.Errorf("run with a bad EDGECACHE_DISABLE = %+v", got)
	}
}
