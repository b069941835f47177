package store_test

import (
	"errors"
	"testing"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
)

// TestPurgeDuringFill purges while a response is coming: it is not stored, whatever has been stored meanwhile. What is there and
// purged is used again once it has been validated.
func TestPurgeDuringFill(t *testing.T) {
	c := newCache(t)
	x, err := invalid.New(t.Context(), invalid.Options{Cache: c.Namespace("purges")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	s := open(t, func(o *store.Options) { o.Cache, o.Index = c.Namespace("http"), x })
	hard := func() bool {
		t.Helper()
		r, _ := s.Lookup(t.Context(), key, nil)
		if r == nil {
			t.Fatal("nothing is stored")
		}
		hard, _ := x.State(r.Marks())
		return hard
	}
	for _, target := range []invalid.Target{{Kind: invalid.URL, Name: key}, {Kind: invalid.Tag, Name: "blue"}, {Kind: invalid.Prefix, Name: "https://example.org/"}} {
		m := meta()
		m.Tags, m.Stamp = []string{"blue"}, x.Stamp()
		f := s.Begin(t.Context(), key, nil, m, 5)
		soft := target
		soft.Soft = len(target.Name)%2 == 0
		if err := x.Purge(t.Context(), soft); err != nil {
			t.Fatal(err)
		}
		m.Stamp = x.Stamp()
		newer := s.Begin(t.Context(), key, nil, m, 5)
		write(t, newer, []byte("newer"))
		old, err := newer.Commit()
		if err != nil {
			t.Fatal(err)
		}
		write(t, f, []byte("older"))
		if _, err := f.Commit(); !errors.Is(err, store.ErrNotStored) {
			t.Errorf("Commit after a purge of %q = %v, want ErrNotStored", target.Name, err)
		}
		if hard() {
			t.Errorf("after a purge of %q the response of before is stored", target.Name)
		}
		if err := x.Purge(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		if !hard() {
			t.Errorf("after a purge of %q the response of before is used", target.Name)
		}
		m.Stamp = x.Stamp()
		if _, err := s.Freshen(t.Context(), old, m); err != nil {
			t.Fatal(err)
		}
		if hard() {
			t.Errorf("what was validated after a purge of %q is not used", target.Name)
		}
	}
	r, _ := s.Lookup(t.Context(), key, nil)
	if _, err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Freshen(t.Context(), r, meta()); !errors.Is(err, store.ErrNotStored) {
		t.Errorf("Freshen after Delete = %v", err)
	}
	wantMiss(t, s, nil, store.MissURI)
}
