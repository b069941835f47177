package set

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/plugins"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSet returns a set without plugins, and its cache, which end with the test.
func newSet(t *testing.T, grants map[string]plugins.Grants) (*Set, *core.Cache) {
	t.Helper()
	near, err := memory.New(memory.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: near}}})
	if err != nil {
		t.Fatal(err)
	}
	host, err := plugins.NewHost(t.Context(), plugins.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Host: host, Cache: cache, Grants: grants, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(s.Close(ctx), s.Close(ctx), cache.Close(), host.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	return s, cache
}

// request is keyrewrite, which puts prefix before keys, with its manifest changed by pairs of old and new text.
func request(t *testing.T, prefix string, changes ...string) Request {
	t.Helper()
	wasm, manifest, ok := examples.Lookup("keyrewrite")
	if !ok {
		t.Fatal("no keyrewrite")
	}
	changed := strings.NewReplacer(changes...).Replace(string(manifest))
	return Request{
		Source: plugins.Source{Wasm: wasm, Manifest: []byte(changed), Config: []byte(`{"rules":[{"prefix":"` + prefix + `"}]}`)},
		Origin: Origin{Kind: Sent, Module: "keyrewrite.wasm", Config: prefix + ".json"},
	}
}

// otherWants is keyrewrite with a manifest of other wants.
func otherWants(t *testing.T, prefix string) Request {
	return request(t, prefix, `"exists", "ttl", "expire", "delete", "delete_many"`, `"exists", "ttl", "expire", "delete"`)
}

// actor is the module of the host's tests, which has all hooks.
func actor(t *testing.T, changes ...string) Request {
	t.Helper()
	wasm, err := os.ReadFile("../testdata/actor.wasm")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile("../testdata/actor.json")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(changes...).Replace(string(manifest))
	return Request{Source: plugins.Source{Wasm: wasm, Manifest: []byte(changed)}, Origin: Origin{Kind: Sent, Module: "actor"}}
}

// keys sets a key and returns what is stored, so what the plugins made of it.
func keys(t *testing.T, c *core.Cache) string {
	t.Helper()
	ctx := t.Context()
	if err := errors.Join(c.Clear(ctx), c.Set(ctx, "k", []byte("v"), core.EntryOptions{})); err != nil {
		t.Fatal(err)
	}
	found, err := c.Keys(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, " ")
}

// done reports a change that did not go as it should.
func done(t *testing.T, want Action, fresh bool) func(Change, error) Change {
	t.Helper()
	return func(c Change, err error) Change {
		t.Helper()
		if err != nil || c.Action != want || c.Fresh != fresh {
			t.Errorf("change = %v (fresh: %v), %v; want %v (fresh: %v)", c.Action, c.Fresh, err, want, fresh)
		}
		return c
	}
}

func TestLifeOfAPlugin(t *testing.T) {
	s, c := newSet(t, nil)
	ctx := t.Context()
	is := func(want string) {
		t.Helper()
		if got := keys(t, c); got != want {
			t.Errorf("stored: %s, want %s", got, want)
		}
	}
	is("k")
	done(t, Loaded, false)(s.Load(ctx, request(t, "a:")))
	is("a:k")
	done(t, Unchanged, false)(s.Replace(ctx, "keyrewrite", request(t, "a:")))
	done(t, Replaced, false)(s.Replace(ctx, "keyrewrite", request(t, "b:")))
	is("b:k")
	done(t, RolledBack, false)(s.Rollback(ctx, "keyrewrite"))
	is("a:k")
	if _, err := s.Rollback(ctx, "keyrewrite"); !errors.Is(err, ErrConflict) {
		t.Errorf("a second Rollback = %v", err)
	}
	done(t, Replaced, false)(s.Replace(ctx, "keyrewrite", request(t, "b:")))
	is("b:k")
	done(t, Disabled, false)(s.SetEnabled(ctx, "keyrewrite", false))
	done(t, Unchanged, false)(s.SetEnabled(ctx, "keyrewrite", false))
	is("k")
	done(t, Replaced, true)(s.Replace(ctx, "keyrewrite", otherWants(t, "c:")))
	is("k")
	info := done(t, Enabled, false)(s.SetEnabled(ctx, "keyrewrite", true)).Plugin
	is("c:k")
	if !info.Enabled || !info.Rollback || info.Origin.Config != "c:.json" || info.Stats.Swaps != 0 || info.Name != "keyrewrite" {
		t.Errorf("info = %+v", info)
	}
	done(t, RolledBack, true)(s.Rollback(ctx, "keyrewrite"))
	is("b:k")
	done(t, Removed, false)(s.Remove(ctx, "keyrewrite"))
	is("k")
	if l := s.List(); len(l) != 0 || len(s.Plugins()) != 0 {
		t.Errorf("list = %+v, want none", l)
	}
}

func TestReplaceKeepsTheConfiguration(t *testing.T) {
	s, c := newSet(t, nil)
	done(t, Loaded, false)(s.Load(t.Context(), request(t, "a:")))
	r := request(t, "", `"version": "1`, `"version": "2`)
	r.Source.Config = nil
	info := done(t, Replaced, false)(s.Replace(t.Context(), "keyrewrite", r)).Plugin
	if got := keys(t, c); got != "a:k" || info.Origin.Config != "a:.json" || !strings.HasPrefix(info.Manifest.Version, "2") {
		t.Errorf("stored %q, info %+v", got, info)
	}
}

// TestOrder loads plugins that each put a letter before keys: the last in order is the first letter.
func TestOrder(t *testing.T) {
	s, c := newSet(t, nil)
	load := func(name, priority string) {
		r := request(t, name, `"memory_pages"`, `"priority": `+priority+`, "memory_pages"`)
		r.Source.Name = name
		done(t, Loaded, false)(s.Load(t.Context(), r))
	}
	load("a", "0")
	load("b", "5")
	load("c", "0")
	load("d", "-1")
	if got := keys(t, c); got != "bcadk" {
		t.Errorf("stored %s, want bcadk", got)
	}
	r := request(t, "a", `"memory_pages"`, `"priority": 9, "memory_pages"`)
	done(t, Replaced, false)(s.Replace(t.Context(), "a", r))
	if got := keys(t, c); got != "abcdk" {
		t.Errorf("stored %s after a changed its priority, want abcdk", got)
	}
	done(t, RolledBack, false)(s.Rollback(t.Context(), "a"))
	done(t, Replaced, true)(s.Replace(t.Context(), "a", otherWants(t, "x")))
	if got := keys(t, c); got != "bcxdk" {
		t.Errorf("stored %s after a was replaced, want bcxdk", got)
	}
}

func TestGrants(t *testing.T) {
	s, _ := newSet(t, map[string]plugins.Grants{"small": {MemoryPages: 4}})
	ctx := t.Context()
	r := request(t, "a:")
	r.Source.Name = "small"
	if _, err := s.Load(ctx, r); err == nil || !strings.Contains(err.Error(), "at most 4 are granted") {
		t.Errorf("Load = %v, want the grants of the options to count", err)
	}
	more := plugins.Grants{MemoryPages: 32}
	r.Grants = &more
	done(t, Loaded, false)(s.Load(ctx, r))
	r = request(t, "b:")
	info := done(t, Replaced, false)(s.Replace(ctx, "small", r)).Plugin
	if info.Grants.MemoryPages != 32 {
		t.Errorf("grants = %+v, want those of the version before", info.Grants)
	}
	r.Grants = &plugins.Grants{MemoryPages: 64}
	info = done(t, Replaced, false)(s.Replace(ctx, "small", r)).Plugin
	if info.Grants.MemoryPages != 64 {
		t.Errorf("grants = %+v, want those asked for", info.Grants)
	}
}

func TestReload(t *testing.T) {
	s, c := newSet(t, nil)
	ctx := t.Context()
	now := request(t, "a:")
	var broken error
	readable := func(name string) Request {
		r := now
		r.Source.Name = name
		r.Origin = Origin{Kind: File, Module: name + ".wasm", Read: func() (plugins.Source, error) { return now.Source, broken }}
		return r
	}
	done(t, Loaded, false)(s.Load(ctx, readable("one")))
	done(t, Loaded, false)(s.Load(ctx, request(t, "sent:")))
	done(t, Unchanged, false)(s.Reload(ctx, "one"))
	now.Source.Config = []byte(` { "rules": [ { "prefix": "a:" } ] }`)
	done(t, Unchanged, false)(s.Reload(ctx, "one"))
	now = request(t, "b:")
	done(t, Replaced, false)(s.Reload(ctx, "one"))
	if got := keys(t, c); got != "sent:b:k" {
		t.Errorf("stored %s", got)
	}
	broken = fs.ErrNotExist
	if _, err := s.Reload(ctx, "one"); !errors.Is(err, ErrConflict) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Reload of what is gone = %v", err)
	}
	if changes, err := s.ReloadAll(ctx); len(changes) != 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReloadAll = %+v, %v", changes, err)
	}
	broken, now = nil, request(t, "c:")
	done(t, Loaded, false)(s.Load(ctx, readable("two")))
	now = request(t, "d:")
	changes, err := s.ReloadAll(ctx)
	if err != nil || len(changes) != 2 || changes[0].Action != Replaced || changes[1].Plugin.Name != "two" {
		t.Errorf("ReloadAll = %+v, %v", changes, err)
	}
	if got := keys(t, c); got != "d:sent:d:k" {
		t.Errorf("stored %s", got)
	}
	// What was sent in the place of a file stays until it is taken back.
	done(t, Replaced, false)(s.Replace(ctx, "one", request(t, "hot:")))
	if _, err := s.Reload(ctx, "one"); !errors.Is(err, ErrConflict) {
		t.Errorf("Reload of what was sent = %v", err)
	}
	done(t, RolledBack, false)(s.Rollback(ctx, "one"))
	done(t, Unchanged, false)(s.Reload(ctx, "one"))
}

func TestMistakes(t *testing.T) {
	s, c := newSet(t, nil)
	ctx := t.Context()
	done(t, Loaded, false)(s.Load(ctx, request(t, "a:")))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	named := func(name string) Request {
		r := request(t, "x:")
		r.Source.Name = name
		return r
	}
	bad := func(change func(*Request)) Request {
		r := named("other")
		change(&r)
		return r
	}
	for name, tt := range map[string]struct {
		do    func() (Change, error)
		is    error
		words string
	}{
		"reload unknown":   {func() (Change, error) { return s.Reload(ctx, "nosuch") }, ErrNotFound, `"nosuch"`},
		"replace unknown":  {func() (Change, error) { return s.Replace(ctx, "nosuch", named("")) }, ErrNotFound, ""},
		"enable unknown":   {func() (Change, error) { return s.SetEnabled(ctx, "nosuch", true) }, ErrNotFound, ""},
		"rollback unknown": {func() (Change, error) { return s.Rollback(ctx, "nosuch") }, ErrNotFound, ""},
		"remove unknown":   {func() (Change, error) { return s.Remove(ctx, "") }, ErrNotFound, ""},
		"reload sent":      {func() (Change, error) { return s.Reload(ctx, "keyrewrite") }, ErrConflict, "keyrewrite.wasm"},
		"no rollback":      {func() (Change, error) { return s.Rollback(ctx, "keyrewrite") }, ErrConflict, "no version to go back to"},
		"name taken":       {func() (Change, error) { return s.Load(ctx, request(t, "b:")) }, ErrConflict, "another name"},
		"bad name":         {func() (Change, error) { return s.Load(ctx, named("../x")) }, nil, `name "../x"`},
		"bad module": {func() (Change, error) {
			return s.Load(ctx, bad(func(r *Request) { r.Source.Wasm = r.Source.Wasm[:100] }))
		}, nil, "module"},
		"no manifest": {func() (Change, error) {
			return s.Load(ctx, bad(func(r *Request) { r.Source.Wasm, r.Source.Manifest = []byte("\x00asm\x01\x00\x00\x00"), nil }))
		}, nil, "no manifest"},
		"bad replacement": {func() (Change, error) {
			return s.Replace(ctx, "keyrewrite", bad(func(r *Request) { r.Source.Config = []byte(`{"rules":7}`) }))
		}, core.ErrPlugin, "refuses its configuration"},
		"cancelled": {func() (Change, error) { return s.Load(ended, named("other")) }, context.Canceled, ""},
	} {
		if change, err := tt.do(); err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %+v, %v; want %v, %q", name, change, err, tt.is, tt.words)
		}
	}
	if got := keys(t, c); got != "a:k" || len(s.List()) != 1 {
		t.Errorf("stored %s, %d plugins: want nothing changed", got, len(s.List()))
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(ctx, named("other")); !errors.Is(err, ErrConflict) {
		t.Errorf("Load after Close = %v", err)
	}
}

// TestUnderTraffic changes the set in every way while many goroutines write: no command may fail, although the plugin fails
// commands once it is closed, and every command must see one version or none.
func TestUnderTraffic(t *testing.T) {
	s, c := newSet(t, nil)
	ctx := t.Context()
	done(t, Loaded, false)(s.Load(ctx, request(t, "a:")))
	var stop atomic.Bool
	var commands atomic.Int64
	var traffic sync.WaitGroup
	for range 4 {
		traffic.Go(func() {
			for !stop.Load() {
				if err := c.Set(ctx, "k", []byte("v"), core.EntryOptions{}); err != nil {
					t.Errorf("Set = %v", err)
				}
				commands.Add(1)
			}
		})
	}
	traffic.Go(func() {
		for !stop.Load() {
			s.List()
			runtime.Gosched()
		}
	})
	const rounds = 20
	for range rounds {
		done(t, Replaced, false)(s.Replace(ctx, "keyrewrite", request(t, "b:")))
		done(t, Replaced, true)(s.Replace(ctx, "keyrewrite", otherWants(t, "c:")))
		done(t, RolledBack, true)(s.Rollback(ctx, "keyrewrite"))
		done(t, Disabled, false)(s.SetEnabled(ctx, "keyrewrite", false))
		done(t, Enabled, false)(s.SetEnabled(ctx, "keyrewrite", true))
		done(t, Removed, false)(s.Remove(ctx, "keyrewrite"))
		done(t, Loaded, false)(s.Load(ctx, request(t, "a:")))
		runtime.GC()
	}
	stop.Store(true)
	traffic.Wait()
	if n := commands.Load(); n < rounds {
		t.Errorf("only %d commands in %d rounds", n, rounds)
	}
	stored, err := c.Keys(ctx, "")
	if err != nil || slices.ContainsFunc(stored, func(key string) bool { return !slices.Contains([]string{"k", "a:k", "b:k", "c:k"}, key) }) {
		t.Errorf("stored %q, %v: no version makes that", stored, err)
	}
}

// TestRollbackByItself replaces a plugin by a version that fails too often.
func TestRollbackByItself(t *testing.T) {
	s, c := newSet(t, nil)
	ctx := t.Context()
	done(t, Loaded, false)(s.Load(ctx, actor(t)))
	done(t, Replaced, false)(s.Replace(ctx, "actor", actor(t, `"version": "1"`, `"version": "2"`)))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	info := s.List()[0]
	for deadline := time.After(10 * time.Second); info.Rollback; info = s.List()[0] {
		_, _ = c.Get(ctx, "trap") // the failure policy is open
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the version stays: %+v", info)
		}
	}
	if info.Manifest.Version != "1" || info.Stats.Rollbacks != 1 {
		t.Errorf("info = %+v", info)
	}
	if _, err := s.Rollback(ctx, "actor"); !errors.Is(err, ErrConflict) {
		t.Errorf("Rollback = %v", err)
	}
	done(t, Unchanged, false)(s.Replace(ctx, "actor", actor(t)))
	done(t, Replaced, false)(s.Replace(ctx, "actor", actor(t, `"version": "1"`, `"version": "2"`)))
}

// TestRemovedPluginsEnd looks for plugins that were replaced by others, or removed, after the collector has run.
func TestRemovedPluginsEnd(t *testing.T) {
	s, c := newSet(t, nil)
	ctx := t.Context()
	done(t, Loaded, false)(s.Load(ctx, actor(t)))
	first := s.Plugins()[0]
	done(t, Replaced, true)(s.Replace(ctx, "actor", actor(t, `["*"]`, `["get"]`)))
	second := s.Plugins()[0]
	if first == second {
		t.Fatal("a plugin of other operations was swapped")
	}
	if _, err := c.Get(ctx, "respond:1"); err != nil {
		t.Errorf("Get = %v", err)
	}
	done(t, Removed, false)(s.Remove(ctx, "actor"))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); first.Stats().Instances+second.Stats().Instances > 0; {
		runtime.GC()
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the plugins still have instances")
		}
	}
}
