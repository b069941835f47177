package core_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// fillKeys stores every key with itself as the value.
func fillKeys(tb testing.TB, c *core.Cache, keys ...string) {
	tb.Helper()
	for _, k := range keys {
		if err := c.Set(context.Background(), k, []byte(k), core.EntryOptions{}); err != nil {
			tb.Fatal(err)
		}
	}
}

// allKeys returns the sorted keys of c.
func allKeys(tb testing.TB, c *core.Cache) []string {
	tb.Helper()
	keys, err := c.Keys(context.Background(), "*")
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

// matchSetups are caches in which deletions take different ways. near reads a key once, so that there is a near copy.
func matchSetups(t *testing.T) map[string]*core.Cache {
	t.Helper()
	hooked := oneTier(t)
	hooked.Hooks = []core.Hook{&testHook{spec: allOps("hook")}}
	return map[string]*core.Cache{
		"one tier":      newCache(t, oneTier(t)),
		"two tiers":     newCache(t, twoTiers(t, newFar(t))),
		"ranges behind": newCache(t, twoTiers(t, newMemory(t))),
		"hooks":         newCache(t, hooked),
		"namespace":     newCache(t, oneTier(t)).Namespace("a", "b"),
		"far namespace": newCache(t, twoTiers(t, newFar(t))).Namespace("a%"),
	}
}

var matcherCases = []struct {
	name string
	m    core.Matcher
	keys string // that match, of matcherKeys
}{
	{"keys", core.Matcher{Keys: []string{"user:1", "nothing", "x"}}, "user:1 x"},
	{"no keys", core.Matcher{Keys: []string{}}, ""},
	{"prefix", core.Matcher{Prefix: "user:"}, "user:1 user:12 user:2"},
	{"prefix of pattern characters", core.Matcher{Prefix: "u*"}, "u*er:1"},
	{"glob", core.Matcher{Glob: "user:?"}, "user:1 user:2"},
	{"glob of nothing", core.Matcher{Glob: "nothing*"}, ""},
	{"glob class", core.Matcher{Glob: "u[!-)]er*"}, ""},
	{"glob escaped", core.Matcher{Glob: `u\*er:*`}, "u*er:1"},
	{"all", core.Matcher{Glob: "*"}, "User:1 u*er:1 user:1 user:12 user:2 x xuser:1"},
	{"regexp at the start", core.Matcher{Regexp: regexp.MustCompile(`user:\d`)}, "user:1 user:12 user:2"},
	{"regexp not at the start", core.Matcher{Regexp: regexp.MustCompile(`ser`)}, ""},
	{"regexp to the end", core.Matcher{Regexp: regexp.MustCompile(`user:\d$`)}, "user:1 user:2"},
	{"regexp without case", core.Matcher{Regexp: regexp.MustCompile(`(?i)user:1$`)}, "User:1 user:1"},
	{"regexp of two", core.Matcher{Regexp: regexp.MustCompile(`x$|u\*`)}, "u*er:1 x"},
	{"func", core.Matcher{Func: func(k string) bool { return strings.HasSuffix(k, ":1") }}, "User:1 u*er:1 user:1 xuser:1"},
	{
		"all rules", core.Matcher{
			Prefix: "user", Glob: "*:1*", Regexp: regexp.MustCompile(`u.*2`), Func: func(k string) bool { return len(k) > 2 },
		}, "user:12",
	},
}

var matcherKeys = []string{"user:1", "user:2", "user:12", "User:1", "xuser:1", "u*er:1", "x"}

func TestMatch(t *testing.T) {
	for setup, c := range matchSetups(t) {
		fillKeys(t, c, matcherKeys...)
		if c.Path() != "" {
			fillKeys(t, c.Namespace("user"), "user:1") // not a key of c, nor of a sibling
		}
		for _, tt := range matcherCases {
			t.Run(setup+"/"+tt.name, func(t *testing.T) {
				var keys, values []string
				for key, err := range c.Match(t.Context(), tt.m) {
					if err != nil {
						t.Fatal(err)
					}
					keys = append(keys, key)
				}
				for e, err := range c.GetMatch(t.Context(), tt.m) {
					if err != nil {
						t.Fatal(err)
					}
					if e.Key != string(e.Entry.Value) {
						t.Errorf("%q has %q", e.Key, e.Entry.Value)
					}
					values = append(values, e.Key)
				}
				slices.Sort(keys)
				slices.Sort(values)
				want := strings.Fields(tt.keys)
				if !slices.Equal(keys, want) || !slices.Equal(values, want) {
					t.Errorf("Match = %q, GetMatch = %q, want %q", keys, values, want)
				}
			})
		}
	}
}

func TestDeleteMatch(t *testing.T) {
	for setup := range matchSetups(t) {
		for _, tt := range matcherCases {
			t.Run(setup+"/"+tt.name, func(t *testing.T) {
				c := matchSetups(t)[setup]
				below := c.Namespace("below")
				fillKeys(t, c, matcherKeys...)
				fillKeys(t, below, "kept")
				for _, k := range matcherKeys {
					_, _ = c.Get(t.Context(), k) // a near copy
				}
				want := len(strings.Fields(tt.keys))
				if tt.name == "all" && c.Path() == "" {
					want++ // in the root, what is below is its own, too
				}
				n, err := c.DeleteMatch(t.Context(), tt.m)
				if n != int64(want) || err != nil {
					t.Errorf("DeleteMatch = %d, %v, want %d", n, err, want)
				}
				for _, k := range matcherKeys {
					_, err := c.Get(t.Context(), k)
					if gone := slices.Contains(strings.Fields(tt.keys), k); gone != errors.Is(err, core.ErrNotFound) {
						t.Errorf("Get(%q) = %v, deleted: %v", k, err, gone)
					}
				}
				if _, err := below.Get(t.Context(), "kept"); err != nil && (tt.name != "all" || c.Path() != "") {
					t.Errorf("a key of a namespace below: %v", err)
				}
			})
		}
	}
}

func TestMatcherErrors(t *testing.T) {
	c := newCache(t, oneTier(t))
	fillKeys(t, c, "k")
	for name, m := range map[string]core.Matcher{
		"zero":          {},
		"keys and glob": {Keys: []string{"k"}, Glob: "*"},
		"keys and func": {Keys: []string{"k"}, Func: func(string) bool { return true }},
	} {
		if n, err := c.DeleteMatch(t.Context(), m); n != 0 || !errors.Is(err, core.ErrBadMatcher) {
			t.Errorf("%s: DeleteMatch = %d, %v", name, n, err)
		}
		for e, err := range c.GetMatch(t.Context(), m) {
			if e.Entry != nil || !errors.Is(err, core.ErrBadMatcher) {
				t.Errorf("%s: GetMatch = %v, %v", name, e, err)
			}
		}
	}
	fillKeys(t, c, "k")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.DeleteMatch(ctx, core.Matcher{Glob: "*"}); !errors.Is(err, context.Canceled) {
		t.Errorf("under a context that has ended: %v", err)
	}
}

// TestMatchUnsupported is of a store that can't list its keys.
func TestMatchUnsupported(t *testing.T) {
	far := newFar(t)
	c := newCache(t, twoTiers(t, struct{ core.Backend }{far}))
	fillKeys(t, c, "a", "b")
	if _, err := c.DeleteMatch(t.Context(), core.Matcher{Glob: "*"}); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("DeleteMatch = %v", err)
	}
	if n, err := c.DeleteMatch(t.Context(), core.Matcher{Keys: []string{"a", "c"}}); n != 1 || err != nil {
		t.Errorf("DeleteMatch of keys = %d, %v", n, err)
	}
}

func TestDeleteTree(t *testing.T) {
	keys := []string{"a", "a/b", "a/b/c", "a/", "ab", "ab/c", "a%", "a%/b", "a_", "a_/x", "a*", "a*/b", "a[b]/c", "a?/x", "A/b", "b", ""}
	for _, tt := range []struct {
		name, root string
		gone       []string
	}{
		{"siblings", "a", []string{"a", "a/b", "a/b/c", "a/"}},
		{"escaped percent", "a%", []string{"a%", "a%/b"}},
		{"escaped underscore", "a_", []string{"a_", "a_/x"}},
		{"escaped star", "a*", []string{"a*", "a*/b"}},
		{"escaped class", "a[b]", []string{"a[b]/c"}},
		{"escaped question mark", "a?", []string{"a?/x"}},
		{"below", "a/b", []string{"a/b", "a/b/c"}},
		{"nothing", "c", nil},
		{"empty", "", []string{""}},
	} {
		for setup := range matchSetups(t) {
			t.Run(tt.name+"/"+setup, func(t *testing.T) {
				c := matchSetups(t)[setup]
				fillKeys(t, c, keys...)
				for _, k := range keys {
					_, _ = c.Get(t.Context(), k)
				}
				n, err := c.DeleteTree(t.Context(), tt.root)
				if n != int64(len(tt.gone)) || err != nil {
					t.Errorf("DeleteTree(%q) = %d, %v, want %d", tt.root, n, err, len(tt.gone))
				}
				for _, k := range keys {
					if _, err := c.Get(t.Context(), k); errors.Is(err, core.ErrNotFound) != slices.Contains(tt.gone, k) {
						t.Errorf("Get(%q) = %v", k, err)
					}
				}
			})
		}
	}
}

// TestDeleteTreeNeighbours has a namespace whose name begins like another's keep its keys.
func TestDeleteTreeNeighbours(t *testing.T) {
	c := newCache(t, oneTier(t))
	for _, ns := range []string{"a", "ab", "a/b", "a*"} {
		fillKeys(t, c.Namespace(ns), "x", "x/y")
	}
	if n, err := c.Namespace("a").DeleteTree(t.Context(), "x"); n != 2 || err != nil {
		t.Errorf("DeleteTree = %d, %v", n, err)
	}
	if err := c.Namespace("a*").Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	for ns, want := range map[string]int{"a": 0, "ab": 2, "a/b": 2, "a*": 0} {
		if got := allKeys(t, c.Namespace(ns)); len(got) != want {
			t.Errorf("namespace %s has %q", ns, got)
		}
	}
}

// TestMatchCommands has hooks see what a deletion by rule consists of, and statistics count the short way.
func TestMatchCommands(t *testing.T) {
	o := oneTier(t)
	var ops []string
	o.Hooks = []core.Hook{&testHook{spec: core.HookSpec{Name: "hook", After: core.AllOps}, after: func(cmd *core.Command, _ *core.Result) error {
		ops = append(ops, fmt.Sprint(cmd.Op, " ", cmd.Key, cmd.Keys))
		return nil
	}}}
	c := newCache(t, o)
	fillKeys(t, c, "a", "a/b")
	ops = nil
	if n, err := c.DeleteTree(t.Context(), "a"); n != 2 || err != nil {
		t.Fatalf("DeleteTree = %d, %v", n, err)
	}
	if want := []string{"delete a[]", "keys a/*[]", "delete_many [a/b]"}; !slices.Equal(ops, want) {
		t.Errorf("hooks saw %q, want %q", ops, want)
	}
	if err := c.SetHooks(nil, nil); err != nil {
		t.Fatal(err)
	}
	fillKeys(t, c, "a", "a/b")
	before := c.Stats()
	if n, err := c.DeleteTree(t.Context(), "a"); n != 2 || err != nil {
		t.Fatalf("DeleteTree = %d, %v", n, err)
	}
	after := c.Stats()
	if after.Commands[core.OpKeys] != before.Commands[core.OpKeys] || after.Total() != before.Total()+2 {
		t.Errorf("%d commands more, want a delete and a delete_many", after.Total()-before.Total())
	}
}

// TestAll walks everything once, with more keys than a page has.
func TestAll(t *testing.T) {
	for setup, c := range matchSetups(t) {
		t.Run(setup, func(t *testing.T) {
			want := make(map[string]string)
			for i := range 1500 {
				want[fmt.Sprint("k", i)] = fmt.Sprint("k", i)
			}
			fillKeys(t, c, slices.Collect(maps.Keys(want))...)
			got := make(map[string]string)
			for e, err := range c.All(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				got[e.Key] = string(e.Entry.Value)
			}
			if !maps.Equal(got, want) {
				t.Errorf("All walked %d entries, want %d", len(got), len(want))
			}
			for range c.All(t.Context()) {
				break // a walk may end early
			}
		})
	}
}

func TestEscapeGlob(t *testing.T) {
	for s, want := range map[string]string{"": "", "plain/key:1": "plain/key:1", "a*b?[c]\\": `a\*b\?\[c\]\\`} {
		if got := core.EscapeGlob(s); got != want {
			t.Errorf("EscapeGlob(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestPrefixRange(t *testing.T) {
	for prefix, to := range map[string]string{"a": "b", "a/": "a0", "a\xff": "b", "\xff\xff": "", "": ""} {
		if from, got := core.PrefixRange(prefix); from != prefix || got != to {
			t.Errorf("PrefixRange(%q) = %q, %q, want %q", prefix, from, got, to)
		}
	}
}
