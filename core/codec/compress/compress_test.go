package compress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/core/codec/codectest"
)

func newCodec(tb testing.TB, inner codec.Codec, o Options) *Codec {
	tb.Helper()
	c, err := New(inner, o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestCodec(t *testing.T) {
	for name, o := range map[string]Options{
		"stored": {MinSize: 1 << 20}, "s2": {MinSize: 1}, "zstd": {MinSize: 1, Method: Zstd},
	} {
		t.Run(name, func(t *testing.T) { codectest.Run(t, newCodec(t, codec.JSON{}, o)) })
	}
}

func FuzzDecode(f *testing.F) {
	text := []byte(strings.Repeat("some text ", 200))
	for _, m := range []Method{S2, Zstd} {
		data, err := newCodec(f, codec.Bytes{}, Options{Method: m}).Append(nil, text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte{codec.IDBytes, byte(stored), 'x'})
	c := newCodec(f, codec.Bytes{}, Options{MaxSize: 1 << 20})
	f.Fuzz(func(t *testing.T, data []byte) {
		var got []byte
		if err := c.Decode(data, &got); err != nil {
			if !errors.Is(err, codec.ErrDecode) {
				t.Fatal(err)
			}
			return
		}
		if len(got) > 1<<20 && data[1] != byte(stored) {
			t.Fatalf("%d bytes, at most %d are allowed", len(got), 1<<20)
		}
	})
}

func TestSizes(t *testing.T) {
	noise := make([]byte, 4<<10)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	text := []byte(strings.Repeat("some text ", 400))
	for name, tc := range map[string]struct {
		method Method
		value  []byte
		want   Method
	}{
		"small":      {S2, text[:1023], stored},
		"at the min": {S2, text[:1024], S2},
		"s2":         {S2, text, S2},
		"zstd":       {Zstd, text, Zstd},
		"noise":      {Zstd, noise, stored},
		"empty":      {Zstd, nil, stored},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCodec(t, codec.Bytes{}, Options{Method: tc.method})
			data, err := c.Append(nil, tc.value)
			if err != nil || Method(data[1]) != tc.want || len(data) > 2+len(tc.value) {
				t.Fatalf("%d bytes became %d by method %d, %v, want method %d", len(tc.value), len(data), data[1], err, tc.want)
			}
			other := newCodec(t, codec.Bytes{}, Options{Method: S2 + Zstd - tc.method}) // reads both
			var got []byte
			if err := other.Decode(data, &got); err != nil || !bytes.Equal(got, tc.value) {
				t.Errorf("Decode = %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	c := newCodec(t, codec.Bytes{}, Options{MaxSize: 2 << 10})
	if _, err := c.Append(nil, make([]byte, 3<<10)); !errors.Is(err, codec.ErrEncode) {
		t.Errorf("Append: %v, want ErrEncode", err)
	}
}

// TestBombs opens what claims, or is, more than is allowed, and looks at what that takes.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 64<<20)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zbomb, sbomb := enc.EncodeAll(zeros, nil), s2.Encode(nil, zeros)
	c := newCodec(t, codec.Bytes{}, Options{MaxSize: 1 << 20})
	claim := func(m Method, size uint64, data []byte) []byte {
		return append(binary.AppendUvarint([]byte{codec.IDBytes, byte(m)}, size), data...)
	}
	for name, data := range map[string][]byte{
		"zstd":                   claim(Zstd, 64<<20, zbomb),
		"zstd that claims less":  claim(Zstd, 1<<10, zbomb),
		"s2":                     claim(S2, 64<<20, sbomb),
		"s2 that claims less":    claim(S2, 1<<10, sbomb),
		"s2 that claims itself":  claim(S2, 1<<20, binary.AppendUvarint(nil, 1<<20)),
		"zstd of nothing":        claim(Zstd, 1<<20, nil),
		"a size without end":     claim(S2, 1<<63, nil),
		"an unknown method":      claim(9, 1, []byte("x")),
		"another codec's":        {codec.IDJSON, byte(stored), 'x'},
		"nothing":                nil,
		"one byte":               {codec.IDBytes},
		"a size that is cut off": {codec.IDBytes, byte(Zstd), 0x80},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var got []byte
		err := c.Decode(data, &got)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%s: %d bytes, %v, want ErrDecode", name, len(got), err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 24<<20 { // zstd's decoder has buffers of its own
			t.Errorf("%s: %d MiB were allocated", name, n>>20)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(nil, Options{}); err == nil {
		t.Error("no inner codec: no error")
	}
	for _, o := range []Options{{Method: 3}, {MinSize: -1}, {MaxSize: -1}} {
		if _, err := New(codec.Bytes{}, o); err == nil {
			t.Errorf("New(%+v): no error", o)
		}
	}
}
