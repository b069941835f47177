package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
)

// sizes are bodies around all edges.
var sizes = []int{
	0, 1, 1000, store.MaxInline - 1, store.MaxInline, store.MaxInline + 1, store.SegmentSize - 1, store.SegmentSize,
	store.SegmentSize + 1, 3*store.SegmentSize + 5,
}

func TestSizes(t *testing.T) {
	s := open(t)
	for _, n := range sizes {
		for _, declared := range []int64{int64(n), -1} {
			t.Run(fmt.Sprintf("%d of %d", n, declared), func(t *testing.T) {
				data := body(uint64(n), n)
				f := s.Begin(t.Context(), key, nil, meta(), declared)
				for part := range slices.Chunk(data, 10_000) {
					if _, err := f.Write(part); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := f.Commit(); err != nil {
					t.Fatal(err)
				}
				r := want(t, s, key, nil, data)
				if inline := r.Inline() != nil; inline != (n <= store.MaxInline) {
					t.Errorf("inline is %v", inline)
				}
				if !r.Complete() || r.Size() != int64(n) || r.Get("Content-Length") != fmt.Sprint(n) {
					t.Errorf("Complete %v, Size %d, Content-Length %q", r.Complete(), r.Size(), r.Get("Content-Length"))
				}
				for _, off := range []int{0, n / 3, n - 1, n} {
					for _, end := range []int{off, off + 1, n} {
						if off < 0 || end > n {
							continue
						}
						var b bytes.Buffer
						if _, err := r.WriteRange(t.Context(), &b, int64(off), int64(end-off)); err != nil || !bytes.Equal(b.Bytes(), data[off:end]) {
							t.Errorf("WriteRange(%d, %d) = %d bytes, %v", off, end-off, b.Len(), err)
						}
					}
				}
				if _, err := r.WriteRange(t.Context(), &bytes.Buffer{}, int64(n), 1); !errors.Is(err, store.ErrGone) {
					t.Errorf("WriteRange beyond the end = %v", err)
				}
			})
		}
	}
}

func TestHead(t *testing.T) {
	s := open(t)
	m := meta("X-Bad", "a\r\nInjected: b", "Cache-Status", "other; hit", "Age", "7", "Content-Length", "999", "X-Space", "  a b ")
	m.Header["Link"] = []string{"<a>", "<b>"}
	m.Header["Not a name"] = []string{"x"}
	m.Tags = []string{"one", "two"}
	put(t, s, key, nil, m, []byte("hello"))
	r := want(t, s, key, nil, []byte("hello"))
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sat, 21 Nov 2026 21:00:00 GMT\r\nEtag: \"v1\"\r\n" +
		"Link: <a>\r\nLink: <b>\r\nX-Bad: a  Injected: b\r\nX-Space: a b\r\nContent-Length: 5\r\n"
	if got := string(r.Head()); got != head {
		t.Errorf("Head() = %q, want %q", got, head)
	}
	h := http.Header{}
	r.CopyHeader(h)
	if len(h) != 7 || h.Get("Cache-Status") != "" || !slices.Equal(h["Link"], []string{"<a>", "<b>"}) {
		t.Errorf("CopyHeader = %v", h)
	}
	h["Link"] = append(h["Link"], "<c>")
	h.Add("Etag", "x")
	if got := r.Values("Link"); len(got) != 2 || r.ETag() != `"v1"` || len(r.Values("Etag")) != 1 {
		t.Errorf("appending to the copy changed the response: %v", got)
	}
	if r.Get("Cache-Status") != "other; hit" || r.Header().Get("Cache-Status") != "other; hit" {
		t.Errorf("Cache-Status = %q", r.Get("Cache-Status"))
	}
	if got := r.Tags(); !slices.Equal(got, m.Tags) || r.Key() != key || r.Status() != 200 || r.Freshness().Lifetime != time.Minute {
		t.Errorf("tags %q, key %q, status %d, %v", got, r.Key(), r.Status(), r.Freshness())
	}
	if want := time.Date(2026, 11, 21, 21, 0, 0, 0, time.UTC).UnixNano(); r.Date() != want {
		t.Errorf("Date() = %d, want %d", r.Date(), want)
	}
}

func TestStatusWithoutLength(t *testing.T) {
	s := open(t)
	m := meta()
	m.Status = http.StatusNoContent
	put(t, s, key, nil, m, nil)
	if r := want(t, s, key, nil, nil); strings.Contains(string(r.Head()), "Content-Length") {
		t.Errorf("head of a 204: %q", r.Head())
	}
}

func TestVary(t *testing.T) {
	s := open(t)
	de, en, br := http.Header{"Accept-Language": {"de"}}, http.Header{"Accept-Language": {"en"}}, http.Header{"Accept-Encoding": {"br"}}
	wantMiss(t, s, de, store.MissURI)
	put(t, s, key, de, meta("Vary", "Accept-Language"), []byte("hallo"))
	put(t, s, key, en, meta("Vary", "Accept-Language"), body(1, 300_000))
	want(t, s, key, de, []byte("hallo"))
	want(t, s, key, en, body(1, 300_000))
	wantMiss(t, s, nil, store.MissVary)

	// Of several that match, the one with the most recent Date.
	put(t, s, key, br, meta("Vary", "Accept-Encoding", "Date", "Sat, 21 Nov 2026 22:00:00 GMT"), []byte("newer"))
	both := http.Header{"Accept-Language": {"de"}, "Accept-Encoding": {"br"}}
	want(t, s, key, both, []byte("newer"))
	put(t, s, key, br, meta("Vary", "Accept-Encoding", "Date", "Sat, 21 Nov 2026 20:00:00 GMT"), []byte("older"))
	want(t, s, key, both, []byte("hallo"))

	// One that does not vary answers all.
	put(t, s, key, nil, meta(), []byte("plain"))
	want(t, s, key, en, []byte("plain"))
	put(t, s, key, de, meta("Vary", "Accept-Language"), []byte("hallo"))
	wantMiss(t, s, en, store.MissVary)

	if found, err := s.Delete(t.Context(), key); !found || err != nil {
		t.Errorf("Delete = %v, %v", found, err)
	}
	wantMiss(t, s, de, store.MissURI)
	f := s.Begin(t.Context(), key, de, meta("Vary", "*"), 0)
	if _, err := f.Commit(); !errors.Is(err, store.ErrNotStored) {
		t.Errorf("Commit of Vary: * = %v", err)
	}
	wantMiss(t, s, de, store.MissURI)
}

func TestVariantsAreBounded(t *testing.T) {
	s := open(t)
	req := func(i int) http.Header { return http.Header{"X-User": {fmt.Sprint(i)}} }
	for i := range store.MaxVariants + 3 {
		put(t, s, key, req(i), meta("Vary", "X-User"), []byte(fmt.Sprint(i)))
	}
	for i := range 3 {
		wantMiss(t, s, req(i), store.MissVary)
	}
	for i := 3; i < store.MaxVariants+3; i++ {
		want(t, s, key, req(i), []byte(fmt.Sprint(i)))
	}
	names := []string{"A", "B", "C", "D"}
	for _, n := range names {
		put(t, s, key, nil, meta("Vary", n), []byte(n))
	}
	wantMiss(t, s, http.Header{"X-User": {"9"}, "A": {"x"}, "B": {"x"}, "C": {"x"}, "D": {"x"}}, store.MissVary)
	want(t, s, key, http.Header{"A": {"x"}, "B": {"x"}, "C": {"x"}}, []byte("D"))
}

func TestFreshen(t *testing.T) {
	s := open(t)
	for _, vary := range []string{"", "Accept"} {
		for _, n := range []int{10, 300_000} {
			req := http.Header{"Accept": {"x"}}
			m := meta()
			if vary != "" {
				m = meta("Vary", vary)
			}
			r := put(t, s, key, req, m, body(3, n))
			m.Header.Set("X-New", "1")
			m.Freshness.Lifetime = time.Hour
			if _, err := s.Freshen(t.Context(), r, m); err != nil {
				t.Fatal(err)
			}
			got := want(t, s, key, req, body(3, n))
			if got.Get("X-New") != "1" || got.Freshness().Lifetime != time.Hour {
				t.Errorf("after Freshen: %q", got.Head())
			}
			if _, err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			again, err := s.Freshen(t.Context(), got, m)
			if !errors.Is(err, store.ErrNotStored) || again.Get("X-New") != "1" {
				t.Errorf("Freshen of what was deleted = %v", err)
			}
			wantMiss(t, s, req, store.MissURI)
		}
	}
	m := meta()
	r := put(t, s, key, nil, m, []byte("a"))
	m.Header.Set("Vary", "Accept")
	if _, err := s.Freshen(t.Context(), r, m); !errors.Is(err, store.ErrNotStored) {
		t.Errorf("Freshen with another Vary = %v", err)
	}
}

func TestDeleteDoomsFills(t *testing.T) {
	s := open(t)
	f := s.Begin(t.Context(), key, nil, meta(), 5)
	if _, err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	r, err := f.Reader(0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.Write([]byte("hello"))
	if _, err := f.Commit(); !errors.Is(err, store.ErrNotStored) {
		t.Errorf("Commit after Delete = %v", err)
	}
	if got, err := follow(t.Context(), r); string(got) != "hello" || err != nil {
		t.Errorf("the reader got %q, %v", got, err)
	}
	wantMiss(t, s, nil, store.MissURI)
}
