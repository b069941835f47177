package rfc9111

import (
	"testing"

	"github.com/dunglas/httpsfv"
)

func TestCacheStatus(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before string
		status CacheStatus
		want   string
	}{
		{"RFC 9211 2.1 hit", "", CacheStatus{Cache: "edgecache", Hit: true, TTL: 30, HasTTL: true}, "edgecache; hit; ttl=30"},
		{"RFC 9211 2.1 hit leaves fwd out", "", CacheStatus{Cache: "e", Hit: true, Fwd: FwdStale, Stored: true, Collapsed: true, FwdStatus: 304}, "e; hit"},
		{"RFC 9211 2.4 a stale hit", "", CacheStatus{Cache: "e", Hit: true, TTL: -5, HasTTL: true, Detail: "swr"}, "e; hit; ttl=-5; detail=swr"},
		{"RFC 9211 2.2 fwd", "", CacheStatus{Cache: "e", Fwd: FwdURIMiss}, "e; fwd=uri-miss"},
		{"RFC 9211 2.3 fwd-status", "", CacheStatus{Cache: "e", Fwd: FwdStale, FwdStatus: 304}, "e; fwd=stale; fwd-status=304"},
		{"RFC 9211 2.5 stored, 2.6 collapsed", "", CacheStatus{Cache: "e", Fwd: FwdMiss, Stored: true, Collapsed: true}, "e; fwd=miss; stored; collapsed"},
		{"RFC 9211 2.7 key", "", CacheStatus{Cache: "e", Hit: true, Key: `http://a/?"\` + "\xff"}, `e; hit; key="http://a/?\"\\?"`},
		{"RFC 9211 2.8 a token", "", CacheStatus{Cache: "e", Fwd: FwdBypass, Detail: NoStore.String()}, "e; fwd=bypass; detail=no-store"},
		{"RFC 9211 2.8 a string", "", CacheStatus{Cache: "e", Detail: "a b"}, `e; detail="a b"`},
		{"RFC 9211 2 a name that is no token", "", CacheStatus{Cache: "1 cache", Hit: true}, `"1 cache"; hit`},
		{"RFC 9211 2 the last member", "Origin; hit", CacheStatus{Cache: "e", Fwd: FwdMethod}, "Origin; hit, e; fwd=method"},
	} {
		got := string(tt.status.Append([]byte(tt.before)))
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if _, err := httpsfv.UnmarshalList([]string{got}); err != nil {
			t.Errorf("%s: %s is no list: %v", tt.name, got, err)
		}
	}
}

func TestCacheStatusAllocatesNothing(t *testing.T) {
	s := CacheStatus{Cache: "edgecache", Fwd: FwdStale, FwdStatus: 304, Stored: true, Collapsed: true, TTL: -1, HasTTL: true, Key: "k", Detail: "a b"}
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { s.Append(dst) }); n != 0 {
		t.Errorf("Append allocates %v times, want 0", n)
	}
}

func FuzzCacheStatus(f *testing.F) {
	f.Add("edgecache", "http://a/b", "no-store", int64(5))
	f.Add("", "\x00\"\\", "ü", int64(-1<<31))
	f.Fuzz(func(t *testing.T, cache, key, detail string, ttl int64) {
		s := CacheStatus{Cache: cache, Hit: ttl > 0, Fwd: FwdMiss, TTL: ttl % 1e15, HasTTL: true, Key: key, Detail: detail}
		got := string(s.Append([]byte("a; hit")))
		list, err := httpsfv.UnmarshalList([]string{got})
		if err != nil || len(list) != 2 {
			t.Errorf("%+v is %q: %v, %v", s, got, list, err)
		}
	})
}
