package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPersist ends a server and starts it again, with the file whole, damaged, and gone.
func TestPersist(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cache.ec")
	flags := []string{"--no-plugins", "--persist", file}
	p := start(t, nil, flags...)
	c, ctx := p.client(t), t.Context()
	if !strings.Contains(p.logged(), "nothing saved yet") {
		t.Errorf("the first start says\n%s", p.logged())
	}
	c.Set(ctx, "for ever", "a", 0)
	c.Set(ctx, "an hour", "b", time.Hour)
	c.Set(ctx, "\x00\xff", "c", 0)
	c.Set(ctx, "soon", "d", 20*time.Millisecond)
	eventually(t, "the key expires", func() bool { return c.Exists(ctx, "soon").Val() == 0 })
	if code := p.stop(t, syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.logged())
	}
	p = start(t, nil, flags...)
	c = p.client(t)
	for key, want := range map[string]string{"for ever": "a", "an hour": "b", "\x00\xff": "c"} {
		if got := c.Get(ctx, key).Val(); got != want {
			t.Errorf("GET %q = %q, want %q", key, got, want)
		}
	}
	if n := c.DBSize(ctx).Val(); n != 3 {
		t.Errorf("DBSIZE = %d, want 3", n)
	}
	if ttl := c.TTL(ctx, "an hour").Val(); ttl > time.Hour || ttl < 50*time.Minute {
		t.Errorf("TTL = %v", ttl)
	}
}

// TestPersistNow saves while the server goes on, which is then killed.
func TestPersistNow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cache.ec")
	p := start(t, nil, "--no-plugins", "--persist", file)
	c, ctx := p.client(t), t.Context()
	c.Set(ctx, "saved", "a", 0)
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cache is saved", func() bool { return strings.Contains(p.logged(), "msg=saved") })
	c.Set(ctx, "lost", "b", 0)
	p.stop(t, syscall.SIGKILL)
	c = start(t, nil, "--no-plugins", "--persist", file).client(t)
	if got := c.Get(ctx, "saved").Val(); got != "a" {
		t.Errorf("GET = %q, want what was saved", got)
	}
	if n := c.Exists(ctx, "lost").Val(); n != 0 {
		t.Error("what was not saved is there")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
	if len(left) != 1 || err != nil {
		t.Errorf("the folder has %q, %v", left, err)
	}
}

// TestPersistDamaged starts from files that are no good: they stay, under another name.
func TestPersistDamaged(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cache.ec")
	flags := []string{"--no-plugins", "--persist", file}
	p := start(t, nil, flags...)
	c, ctx := p.client(t), t.Context()
	c.Set(ctx, "k", "v", 0)
	c.Set(ctx, "l", "w", 0)
	p.stop(t, syscall.SIGTERM)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		content, aside, says string
		keys                 int64
	}{
		{string(whole[:len(whole)-20]), file + ".damaged", "entries=1", 1},
		{"nonsense", file + ".damaged-2", "this is no saved memory tier", 0},
		{"", file + ".damaged-3", "this is no saved memory tier", 0},
	} {
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		p := start(t, nil, flags...)
		if log := p.logged(); !strings.Contains(log, "it is kept aside") || !strings.Contains(log, tt.says) {
			t.Errorf("start %d says\n%s", i, log)
		}
		if n := p.client(t).DBSize(ctx).Val(); n != tt.keys {
			t.Errorf("start %d has %d keys, want %d", i, n, tt.keys)
		}
		if kept, err := os.ReadFile(tt.aside); string(kept) != tt.content || err != nil {
			t.Errorf("start %d: %s has %q, %v", i, tt.aside, kept, err)
		}
		if code := p.stop(t, syscall.SIGTERM); code != 0 {
			t.Errorf("start %d ended with %d", i, code)
		}
	}
}

// TestPersistErrors can't save, and says so.
func TestPersistErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "such", "folder", "cache.ec")
	p := start(t, map[string]string{"EDGECACHE_PERSIST": missing}, "--no-plugins")
	p.client(t).Set(t.Context(), "k", "v", 0)
	if code := p.stop(t, syscall.SIGTERM); code != 1 || !strings.Contains(p.logged(), "the cache is not saved") {
		t.Errorf("exit code %d:\n%s", code, p.logged())
	}
	r := edgecache(t, nil, "", "run", "--persist", "x", "--redis", "redis://127.0.0.1:1/0")
	if r.code != 2 || !strings.Contains(r.errOut, "--persist stands beside --redis") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
	p = start(t, nil, "--no-plugins")
	_ = p.cmd.Process.Signal(syscall.SIGUSR1)
	eventually(t, "the signal was noticed", func() bool { return strings.Contains(p.logged(), "--persist is not set") })
}
