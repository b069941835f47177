package invalid

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// sample is a head with one of everything.
func sample() *head {
	return &head{
		id: 1, last: 9, all: 3, tagged: 4, segments: []segment{{end: 5}, {end: 6, urls: true}},
		records: []record{
			{time: 7, kind: Tag, hash: 1 << 63},
			{time: 8, kind: URL, soft: true, hash: 2},
			{time: 9, kind: Prefix, prefix: "https://h/"},
			{time: 1 << 62, kind: tagged, soft: true},
		},
	}
}

func TestHeadRoundTrip(t *testing.T) {
	for _, h := range []*head{{id: 1}, sample()} {
		got, err := decodeHead(h.encode())
		if err != nil || got.id != h.id || got.last != h.last || got.all != h.all || got.tagged != h.tagged ||
			!slices.Equal(got.segments, h.segments) || !slices.Equal(got.records, h.records) {
			t.Errorf("decoded %+v, %v, want %+v", got, err, h)
		}
		part, err := decodeSegment(encodeSegment(h.records))
		if err != nil || !slices.Equal(part, h.records) {
			t.Errorf("decoded segment %+v, %v, want %+v", part, err, h.records)
		}
	}
}

func TestDamage(t *testing.T) {
	whole := sample().encode()
	for i := range whole {
		cut := bytes.Clone(whole)
		cut[i] ^= 0x10
		if _, err := decodeHead(cut); err == nil {
			t.Errorf("byte %d changed, and no error", i)
		}
		if _, err := decodeHead(whole[:i]); !errors.Is(err, errDamaged) {
			t.Errorf("cut to %d bytes: %v, want errDamaged", i, err)
		}
	}
	long := record{time: 1, kind: Prefix, prefix: strings.Repeat("x", MaxName+1)}
	if _, err := decodeSegment(encodeSegment([]record{long})); !errors.Is(err, errDamaged) {
		t.Errorf("a prefix that is too long: %v, want errDamaged", err)
	}
}

func TestHeadAdd(t *testing.T) {
	add := func(h *head, records ...record) {
		for _, r := range records {
			r.time = h.last + 1
			h.add(r)
		}
	}
	h := new(head)
	add(h, record{kind: Tag, hash: 1, soft: true}, record{kind: Tag, hash: 1}, record{kind: Tag, hash: 1, soft: true}, record{kind: URL, hash: 1})
	if len(h.records) != 3 || h.records[0].time != 2 || h.records[1].time != 3 {
		t.Errorf("records %+v: the first should be gone", h.records)
	}
	for r, want := range map[record]bool{
		{time: 2, kind: Tag, hash: 1}: true, {time: 1, kind: Tag, hash: 1, soft: true}: true, {time: 3, kind: Tag, hash: 1}: false,
		{time: 1, kind: Tag, hash: 9}: false, {time: 4, kind: URL, hash: 1, soft: true}: true,
	} {
		if h.has(&r) != want {
			t.Errorf("has(%+v) = %v, want %v", r, !want, want)
		}
	}
	h.segments = []segment{{end: 1}}
	add(h, record{kind: Prefix})
	if h.all != 5 || h.records != nil || h.segments != nil || !h.has(&record{time: 5, kind: URL, hash: 3}) {
		t.Errorf("after a purge of everything: %+v", h)
	}
}

func FuzzDecodeHead(f *testing.F) {
	f.Add(sample().encode()[1:])
	f.Add((&head{id: 1}).encode()[1:])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		// With the right version and hash, so that what is behind them is reached.
		b = sum(append([]byte{version}, b[:max(len(b)-8, 0)]...))
		h, err := decodeHead(b)
		if err != nil {
			return
		}
		again, err := decodeHead(h.encode())
		if err != nil || !slices.Equal(again.records, h.records) || !slices.Equal(again.segments, h.segments) {
			t.Fatalf("%+v read again is %+v, %v", h, again, err)
		}
		for _, r := range h.records {
			if r.kind > tagged || r.time < 0 || r.time >= unlogged || len(r.prefix) > MaxName {
				t.Fatalf("record %+v", r)
			}
		}
	})
}

func FuzzDecodeSegment(f *testing.F) {
	f.Add(encodeSegment(sample().records)[1:])
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := decodeSegment(sum(append([]byte{version}, b...)))
		if err != nil {
			return
		}
		if again, err := decodeSegment(encodeSegment(records)); err != nil || !slices.Equal(again, records) {
			t.Fatalf("%+v read again is %+v, %v", records, again, err)
		}
	})
}
