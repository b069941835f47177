package store_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
)

// putRange stores the bytes from first up to end of data.
func putRange(t testing.TB, s *store.Store, m *store.Meta, data []byte, first, end int) (*store.Response, error) {
	t.Helper()
	f := s.BeginRange(t.Context(), key, nil, m, int64(first), int64(end), int64(len(data)))
	r := reader(t, f, int64(first))
	write(t, f, data[first:end])
	stored, err := f.Commit()
	if got, err := follow(t.Context(), r); err != nil || !bytes.Equal(got, data[first:end]) {
		t.Errorf("the reader got %d bytes, %v", len(got), err)
	}
	return stored, err
}

// wantParts demands that just these stretches are stored, with the right bytes.
func wantParts(t *testing.T, s *store.Store, data []byte, stretches ...[2]int) *store.Response {
	t.Helper()
	r, _ := s.Lookup(t.Context(), key, nil)
	if r == nil {
		t.Fatal("nothing is stored")
	}
	has := make([]bool, len(data))
	for _, p := range stretches {
		for i := p[0]; i < p[1]; i++ {
			has[i] = true
		}
		var b bytes.Buffer
		if _, err := r.WriteRange(t.Context(), &b, int64(p[0]), int64(p[1]-p[0])); err != nil || !bytes.Equal(b.Bytes(), data[p[0]:p[1]]) {
			t.Errorf("WriteRange(%v) = %d bytes, %v", p, b.Len(), err)
		}
	}
	for i := 0; i < len(data); i += max(len(data)/997, 1) {
		if r.Has(int64(i), 1) != has[i] {
			t.Fatalf("Has(%d) = %v", i, !has[i])
		}
	}
	return r
}

func TestSmallParts(t *testing.T) {
	s := open(t)
	data := body(1, 100)
	if _, err := putRange(t, s, meta(), data, 10, 20); err != nil {
		t.Fatal(err)
	}
	r := wantParts(t, s, data, [2]int{10, 20})
	if first, end := r.Missing(5, 30); first != 5 || end != 10 || r.Complete() || r.Get("Content-Length") != "100" {
		t.Errorf("Missing = %d, %d", first, end)
	}
	if first, end := r.Missing(12, 30); first != 20 || end != 42 {
		t.Errorf("Missing = %d, %d", first, end)
	}
	_, _ = putRange(t, s, meta(), data, 15, 40)
	_, _ = putRange(t, s, meta(), data, 60, 100)
	wantParts(t, s, data, [2]int{10, 40}, [2]int{60, 100})
	_, _ = putRange(t, s, meta(), data, 0, 70)
	if r := want(t, s, key, nil, data); r.Inline() == nil || !r.Complete() {
		t.Error("what is whole and small is not inline")
	}
	_, _ = putRange(t, s, meta(), data, 5, 7)
	if r := want(t, s, key, nil, data); r.Inline() == nil {
		t.Error("a part took the place of the whole")
	}

	other := body(2, 100)
	_, _ = putRange(t, s, meta("Etag", `"v2"`), other, 0, 10)
	wantParts(t, s, other, [2]int{0, 10})
	for _, m := range []*store.Meta{meta("Etag", `W/"v2"`), meta("Etag", "")} { // nobody can tell what they belong to
		_, _ = putRange(t, s, m, other, 10, 20)
		wantParts(t, s, other, [2]int{10, 20})
		_, _ = putRange(t, s, m, other, 20, 30)
		wantParts(t, s, other, [2]int{20, 30})
	}
}

func TestLargeParts(t *testing.T) {
	const seg = store.SegmentSize
	s := open(t)
	data := body(1, 10*seg+100)
	for i := range 5 { // in slices, which become one
		if _, err := putRange(t, s, meta(), data, 2*i*seg, 2*(i+1)*seg); err != nil {
			t.Fatal(err)
		}
	}
	wantParts(t, s, data, [2]int{0, 10 * seg})
	if _, err := putRange(t, s, meta(), data, 10*seg, len(data)); err != nil {
		t.Fatal(err)
	}
	if r := want(t, s, key, nil, data); !r.Complete() {
		t.Error("it is not complete")
	}
	_, _ = s.Delete(t.Context(), key)
	_, _ = putRange(t, s, meta(), data, seg/2, 3*seg+7) // unaligned
	_, _ = putRange(t, s, meta(), data, 2*seg, 4*seg)
	_, _ = putRange(t, s, meta(), data, 7*seg+1, 7*seg+2)
	wantParts(t, s, data, [2]int{seg / 2, 4 * seg}, [2]int{7*seg + 1, 7*seg + 2})
}

// TestGone has segments go, as by eviction: they are never made up for, and the response knows from then on.
func TestGone(t *testing.T) {
	const seg = store.SegmentSize
	for _, tag := range []string{`"v1"`, `W/"v1"`} {
		c := newCache(t)
		s := open(t, func(o *store.Options) { o.Cache = c })
		data := body(1, 4*seg)
		put(t, s, key, nil, meta("Etag", tag), data)
		deleteSegment(t, c, "00000002")
		r, _ := s.Lookup(t.Context(), key, nil)
		var b bytes.Buffer
		if n, err := r.WriteRange(t.Context(), &b, 0, r.Size()); n != 2*seg || !errors.Is(err, store.ErrGone) || !bytes.Equal(b.Bytes(), data[:2*seg]) {
			t.Errorf("WriteRange = %d, %v", n, err)
		}
		if tag != `"v1"` {
			wantMiss(t, s, nil, store.MissURI)
			continue
		}
		wantParts(t, s, data, [2]int{0, 2 * seg}, [2]int{3 * seg, 4 * seg})
		if _, err := putRange(t, s, meta(), data, 2*seg, 3*seg); err != nil {
			t.Fatal(err)
		}
		want(t, s, key, nil, data)
	}
}

func deleteSegment(t *testing.T, c *core.Cache, suffix string) {
	t.Helper()
	bodies := c.Namespace("bodies")
	keys, err := bodies.Keys(t.Context(), "*/"+suffix)
	if err != nil || len(keys) != 1 {
		t.Fatalf("Keys = %q, %v", keys, err)
	}
	if _, err := bodies.Delete(t.Context(), keys[0]); err != nil {
		t.Fatal(err)
	}
}
