package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/edgecache/edgecache/core"
)

func encode(key string, e *core.Entry) []byte { return append(appendHead(nil, key, e), e.Value...) }

func sample() *core.Entry {
	return &core.Entry{Value: []byte("value"), Expires: 1_900_000_000_123_456_789, Version: 1 << 50, Flags: 42, Codec: 3}
}

func same(a, b *core.Entry) bool {
	return bytes.Equal(a.Value, b.Value) && a.Expires == b.Expires && a.Version == b.Version && a.Flags == b.Flags && a.Codec == b.Codec
}

func TestFileRoundTrip(t *testing.T) {
	for name, tc := range map[string]struct {
		key string
		e   *core.Entry
	}{
		"full":    {"key", sample()},
		"zero":    {"", &core.Entry{}},
		"extreme": {"\x00\xff", &core.Entry{Value: []byte(fileMagic), Expires: math.MinInt64, Version: math.MaxUint64, Flags: math.MaxUint32, Codec: 255}},
	} {
		t.Run(name, func(t *testing.T) {
			data := encode(tc.key, tc.e)
			if int64(len(data)) != fileSize(tc.key, tc.e) {
				t.Errorf("the file has %d bytes, want %d", len(data), fileSize(tc.key, tc.e))
			}
			if got, err := decode(tc.key, data); err != nil || !same(got, tc.e) {
				t.Errorf("decode = %+v, %v, want %+v", got, err, tc.e)
			}
		})
	}
}

// TestFileBytes holds the format still: other versions read and write it.
func TestFileBytes(t *testing.T) {
	got := encode("key", &core.Entry{Value: []byte("val"), Expires: 2, Version: 1, Flags: 3, Codec: 4})
	want := "ecfile1\n" + "\x01\x00\x00\x00\x00\x00\x00\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00" + "\x03\x00\x00\x00" + "\x04\x00\x00\x00" +
		"\x03\x00\x00\x00" + "\xe9\xb2\xed\x58" + "\x03\x00\x00\x00\x00\x00\x00\x00" + "\xd4\x67\xa8\xa0" + "keyval"
	if string(got) != want {
		t.Errorf("encode =\n%x, want\n%x", got, want)
	}
}

func TestDecodeFindsEveryBit(t *testing.T) {
	data := encode("key", sample())
	for bit := range len(data) * 8 {
		data[bit/8] ^= 1 << (bit % 8)
		if got, err := decode("key", data); !errors.Is(err, core.ErrDecode) {
			t.Fatalf("bit %d flipped: decode = %+v, %v", bit, got, err)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
}

func TestDecodeRefuses(t *testing.T) {
	data := encode("key", sample())
	resum := func(at int, b byte) []byte {
		c := bytes.Clone(data)
		c[at] = b
		binary.LittleEndian.PutUint32(c[offHeadSum:], headSum(c[:headSize+3]))
		return c
	}
	for name, bad := range map[string][]byte{
		"under another key": encode("kez", sample()),
		"too long":          append(bytes.Clone(data), 0),
		"unknown fields":    resum(offZero, 1),
		"a huge value":      resum(offLen+5, 1),
		"another length":    resum(offLen, 4),
		"nothing":           nil,
		"zeros":             make([]byte, 100),
	} {
		if got, err := decode("key", bad); !errors.Is(err, core.ErrDecode) {
			t.Errorf("%s: decode = %+v, %v, want ErrDecode", name, got, err)
		}
	}
	for n := range data {
		if got, err := decode("key", data[:n]); !errors.Is(err, core.ErrDecode) {
			t.Errorf("cut to %d bytes: decode = %+v, %v, want ErrDecode", n, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	good := encode("key", sample())
	f.Add("key", good)
	f.Add("other", good)
	f.Add("key", good[:headSize])
	f.Add("", encode("", &core.Entry{}))
	f.Add("key", []byte(fileMagic))
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		before := bytes.Clone(data)
		e, err := decode(key, data)
		h, headErr := readHead(bytes.NewReader(data), int64(len(data)))
		if !bytes.Equal(before, data) {
			t.Fatal("decode changed the data")
		}
		if err != nil {
			if !errors.Is(err, core.ErrDecode) || headErr != nil && !errors.Is(headErr, core.ErrDecode) {
				t.Fatalf("unexpected errors %v, %v", err, headErr)
			}
			return
		}
		if headErr != nil || string(h.key) != key || h.expires != e.Expires || h.size() != int64(len(data)) {
			t.Fatalf("readHead = %+v, %v, but decode = %+v", h, headErr, e)
		}
		if !bytes.Equal(encode(key, e), data) {
			t.Fatalf("%+v does not encode to what it was decoded from", e)
		}
	})
}
