package edgecache

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitURLs(t *testing.T) {
	for list, want := range map[string][]string{
		"memory://":                                {"memory://"},
		"memcached://a,b,c:1":                      {"memcached://a,b,c:1"},
		"memory://?max=1MiB,memcached://a,b":       {"memory://?max=1MiB", "memcached://a,b"},
		"memory://, redis+cluster://a,b , null://": {"memory://", " redis+cluster://a,b ", " null://"},
		"redis://u:a,b@h/0":                        {"redis://u:a,b@h/0"},
		"":                                         {""},
		",":                                        {","},
		"a://,://":                                 {"a://,://"},
	} {
		if got := splitURLs(list); !slices.Equal(got, want) {
			t.Errorf("splitURLs(%q) = %q, want %q", list, got, want)
		}
	}
}

func FuzzOpenURL(f *testing.F) {
	for _, u := range []string{
		"memory://?max=64MiB&policy=lru&ttl=5m", "redis://u:p@h:1/2?timeout=1s", "memcached://a,b", "sqlite:///a%20b", "a://?%", "memory://,null://",
	} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, given string) {
		o := Options{}
		c, err := o.normal(CacheConfig{Stores: []string{given}})
		if err != nil {
			return
		}
		again, err := o.normal(c)
		if err != nil || !again.Equal(c) {
			t.Errorf("%q is %+v, and that is %+v, %v", given, c, again, err)
		}
		for _, store := range c.Stores {
			if !strings.Contains(store, "://") {
				t.Errorf("%q names the store %q", given, store)
			}
		}
	})
}

func TestExpand(t *testing.T) {
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"HOST": "h", "EMPTY": "", "ODD": "${HOST}"}[name]
		return v, ok
	}
	for text, want := range map[string]string{
		"": "", "plain": "plain", "redis://${HOST}:1": "redis://h:1", "${HOST}${HOST}": "hh", "${NONE:-x}": "x", "${EMPTY:-}": "",
		"$$": "$", "a$${HOST}": "a${HOST}", "${ODD}": "${HOST}", "${HOST:-x}": "h", "${NONE:-a:-b}": "a:-b",
	} {
		if got, err := expand(text, lookup); err != nil || got != want {
			t.Errorf("expand(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"${NONE}": "NONE is empty", "${EMPTY}": "EMPTY is empty", "$HOST": "dollar sign", "${HOST": "dollar sign", "$": "dollar sign",
	} {
		if got, err := expand(text, lookup); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expand(%q) = %q, %v, want an error with %q", text, got, err, want)
		}
	}
}
