package store

import (
	"bytes"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/rfc9111"
)

// frames are one of each kind.
func frames() (seeds [][]byte) {
	m := Meta{
		Status: 200, Header: http.Header{"Etag": {`"a"`}, "Link": {"1", "2"}, "Cache-Status": {"x; hit"}}, Tags: []string{"t"},
		Freshness: rfc9111.Freshness{Received: 5, Lifetime: time.Hour}, Keep: time.Hour,
	}
	inline := record{key: "k", inline: true, size: 5, body: []byte("hello"), id: newBodyID()}
	m.describe(&inline)
	parts := record{key: "k", rule: "Accept", selecting: "x", size: 1 << 20, parts: []part{{0, 10, newBodyID()}, {20, 1 << 20, newBodyID()}}}
	m.describe(&parts)
	x := &index{epoch: newEpoch()}
	x, _ = x.with(newRule([]string{"Accept", "Cookie"}), ref{hash: 1, date: 2}, 3)
	x, _ = x.with(newRule([]string{"Accept"}), ref{hash: 2, language: 5, date: 2}, 3)
	segment := append(make([]byte, segmentHead), "bytes"...)
	sealSegment(segment, bodyID{1}, 7, 9)
	return [][]byte{inline.encode(), parts.encode(), x.encode(), segment}
}

// TestDamage changes each byte of each frame, and each length: nothing is read that was not written.
func TestDamage(t *testing.T) {
	s := &Store{}
	readable := func(frame []byte) bool {
		_, _, err := s.decodeFrame(frame)
		_, _, segmentErr := decodeSegment(frame, bodyID{1}, 7)
		return err == nil || segmentErr == nil
	}
	for i, frame := range frames() {
		if !readable(frame) {
			t.Fatalf("frame %d can't be read", i)
		}
		for j := range frame {
			damaged := bytes.Clone(frame)
			damaged[j] ^= 1
			if readable(damaged) || readable(frame[:j]) {
				t.Errorf("frame %d can be read with another byte %d, or up to there", i, j)
			}
		}
		if readable(append(bytes.Clone(frame), 0)) {
			t.Errorf("frame %d can be read with one byte more", i)
		}
	}
}

func TestSegmentOfAnother(t *testing.T) {
	segment := frames()[3]
	if data, begin, err := decodeSegment(segment, bodyID{1}, 7); err != nil || begin != 9 || string(data) != "bytes" {
		t.Errorf("decodeSegment = %q, %d, %v", data, begin, err)
	}
	if _, _, err := decodeSegment(segment, bodyID{2}, 7); err == nil {
		t.Error("it is that of another body")
	}
	if _, _, err := decodeSegment(segment, bodyID{1}, 8); err == nil {
		t.Error("it is another of the body")
	}
}

// FuzzFrame has frames decoded whose checksums are right, whatever they are of: what is read can be used and written again.
func FuzzFrame(f *testing.F) {
	for _, seed := range frames() {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, frame []byte, mend bool) {
		frame = bytes.Clone(frame)
		if mend && len(frame) >= frameSize {
			endFrame(frame)
		}
		s := &Store{}
		_, _, _ = decodeSegment(frame, bodyID{1}, 7)
		d, _, err := s.decodeFrame(frame)
		if err != nil {
			return
		}
		switch d := d.(type) {
		case *Response:
			h := d.Header()
			d.CopyHeader(h)
			_, _ = d.Missing(0, d.size)
			again, _, err := s.decodeFrame(d.encode())
			if err != nil || !bytes.Equal(again.(*Response).body, d.body) || again.(*Response).head != d.head {
				t.Errorf("%+v is read again as %+v, %v", d, again, err)
			}
		case *index:
			if again, _, err := s.decodeFrame(d.encode()); err != nil || !slices.Equal(again.(*index).refs, d.refs) {
				t.Errorf("%+v is read again as %+v, %v", d, again, err)
			}
			d.with(newRule([]string{"A"}), ref{hash: 1}, 0)
		}
	})
}

// TestJoin compares join, cut and missing with a map of bytes.
func TestJoin(t *testing.T) {
	const size = 60
	var parts []part
	var owner [size]bodyID
	ids := []bodyID{{1}, {2}, {3}}
	for i := range 5000 {
		first := (i * 7919) % size
		end := first + 1 + (i*104729)%(size-first)
		id := ids[i%3]
		if i%5 == 0 {
			parts, id = cut(parts, int64(first), int64(end)), bodyID{}
		} else {
			parts = join(parts, part{int64(first), int64(end), id})
		}
		for j := first; j < end; j++ {
			owner[j] = id
		}
		for j := range size {
			p, ok := at(parts, int64(j))
			if ok != (owner[j] != bodyID{}) || p.id != owner[j] {
				t.Fatalf("after %d: byte %d is of %v, want %v", i, j, p, owner[j])
			}
		}
		from, to := missing(parts, int64(first), size)
		for j := int64(first); j < to; j++ {
			if (owner[j] == bodyID{}) != (j >= from) {
				t.Fatalf("missing from %d = %d, %d; %v", first, from, to, owner)
			}
		}
	}
	var many []part
	for i := range int64(MaxParts + 10) {
		many = join(many, part{i * 10, i*10 + 1 + i%2, ids[0]})
	}
	if len(many) != MaxParts {
		t.Errorf("%d parts", len(many))
	}
}

// TestDamagedEntries has everything that is stored damaged: all is a miss, and counted.
func TestDamagedEntries(t *testing.T) {
	c := testCache(t)
	s, err := New(Options{Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := &Meta{Status: 200, Header: http.Header{}, Keep: time.Hour}
	for _, n := range []int{10, 300_000} {
		f := s.Begin(t.Context(), "k", nil, m, int64(n))
		_, _ = f.Write(make([]byte, n))
		if _, err := f.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := s.Lookup(t.Context(), "k", nil)
	for _, space := range []*core.Cache{s.responses, s.bodies} {
		for e, err := range space.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			v := bytes.Clone(e.Entry.Value)
			v[len(v)-1] ^= 1
			if err := space.Set(t.Context(), e.Key, v, core.EntryOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := r.Open(t.Context(), 0, 300_000); err == nil {
		t.Error("a damaged segment is read")
	}
	if r, miss := s.Lookup(t.Context(), "k", nil); r != nil || miss != MissURI {
		t.Errorf("Lookup = %v, %d", r, miss)
	}
	if n := s.DecodeErrors(); n < 2 {
		t.Errorf("%d damages are counted", n)
	}
}
