package memcached

import (
	"strings"
	"testing"
)

func TestStoreKey(t *testing.T) {
	for _, c := range []struct{ key, stored string }{
		{"user:1", "user:1"},
		{"ÿ\xff", "ÿ\xff"},
		{"100%", "100%"},
		{"%41", "%41"},
		{"", "%="},
		{"a b", "%=a%20b"},
		{"a b%", "%=a%20b%25"},
		{"\x00\n\x7f", "%=%00%0A%7F"},
		{"%=a", "%=%25=a"},
		{"%#a", "%=%25#a"},
		{strings.Repeat("k", 250), strings.Repeat("k", 250)},
		{strings.Repeat(" ", 82), "%=" + strings.Repeat("%20", 82)},
	} {
		if stored, hashed := storeKey(c.key); stored != c.stored || hashed {
			t.Errorf("storeKey(%q) = %q, %v; want %q", c.key, stored, hashed, c.stored)
		}
	}
	for _, key := range []string{strings.Repeat("k", 251), strings.Repeat(" ", 83), strings.Repeat("\n", 60_000)} {
		stored, hashed := storeKey(key)
		if head, _, ok := loadKey(stored); !hashed || !ok || head != key[:headSize] {
			t.Errorf("storeKey(%.8q...) = %q, %v; want a hash and the beginning", key, stored, hashed)
		}
	}
}

func FuzzKey(f *testing.F) {
	for _, k := range []string{"", "a", "a b", "%", "%=", "%#", "%=%20", "\x00", strings.Repeat("\n", 100), strings.Repeat("k", 300)} {
		f.Add(k)
	}
	f.Fuzz(func(t *testing.T, key string) {
		stored, hashed := storeKey(key)
		if stored == "" || len(stored) > maxStoredKey || strings.IndexFunc(stored, unfit) >= 0 {
			t.Fatalf("storeKey(%q) = %q, which memcached refuses", key, stored)
		}
		got, again, ok := loadKey(stored)
		if !ok || again != hashed || !hashed && got != key || hashed && !strings.HasPrefix(key, got) {
			t.Fatalf("loadKey(%q) = %q, %v, %v; want %q, %v", stored, got, again, ok, key, hashed)
		}
		if !mayBegin(got, key[:len(key)/2]) {
			t.Fatalf("%q may not begin with %q", got, key[:len(key)/2])
		}
		_, _, _ = loadKey(key) // anything may lie on the server
	})
}
