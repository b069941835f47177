package msgpack

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/core/codec/codectest"
)

func TestCodec(t *testing.T) { codectest.Run(t, Codec{}) }

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xdf\xff\xff\xff\xff\xa0\xdf\xff\xff\xff\xff"))
	f.Add([]byte("\xd6\xff\x00\x00\x00\x00"))
	f.Add([]byte("\x92\xc7\x02\x05ab\xcb\x00\x00\x00\x00\x00\x00\x00\x00"))
	codectest.Fuzz(f, Codec{}, true)
}

// TestCheck has the format's every code, whole and cut short.
func TestCheck(t *testing.T) {
	for name, data := range map[string]string{
		"fixint": "\x7f", "negative fixint": "\xe0", "nil": "\xc0", "bool": "\xc3",
		"fixmap": "\x81\xa1k\x01", "fixarray": "\x92\x01\x02", "fixstr": "\xa2ab",
		"bin8": "\xc4\x01x", "bin16": "\xc5\x00\x01x", "bin32": "\xc6\x00\x00\x00\x01x",
		"ext8": "\xc7\x01\x05x", "ext16": "\xc8\x00\x01\x05x", "ext32": "\xc9\x00\x00\x00\x01\x05x",
		"float32": "\xca1234", "float64": "\xcb12345678",
		"uint8": "\xcc1", "uint16": "\xcd12", "uint32": "\xce1234", "uint64": "\xcf12345678",
		"int8": "\xd01", "int16": "\xd112", "int32": "\xd21234", "int64": "\xd312345678",
		"fixext1": "\xd4t1", "fixext16": "\xd8t1234567890123456",
		"str8": "\xd9\x01x", "str16": "\xda\x00\x01x", "str32": "\xdb\x00\x00\x00\x01x",
		"array16": "\xdc\x00\x01\x01", "array32": "\xdd\x00\x00\x00\x01\x01",
		"map16": "\xde\x00\x01\x01\x02", "map32": "\xdf\x00\x00\x00\x01\x01\x02",
		"empty array": "\x90", "nested": "\x91\x91\x91\x90",
	} {
		if err := check([]byte(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range data {
			if err := check([]byte(data[:n])); !errors.Is(err, errShort) {
				t.Errorf("%s, %d bytes of it: %v, want cut short", name, n, err)
			}
		}
		if err := check([]byte(data + "\x01")); !errors.Is(err, errLong) {
			t.Errorf("%s and a byte: %v, want bytes after the end", name, err)
		}
	}
}

// TestBombs are small and claim much.
func TestBombs(t *testing.T) {
	for name, data := range map[string]string{
		"unknown code":  "\xc1",
		"deep":          strings.Repeat("\x91", 10<<20) + "\xc0",
		"wide":          "\xdd\xff\xff\xff\xff\xc0",
		"nested maps":   strings.Repeat("\xdf\x00\x0f\xff\xff\xa1k", 1000),
		"long string":   "\xdb\xff\xff\xff\xffx",
		"long bytes":    "\xc6\xff\xff\xff\xffx",
		"map of a half": "\x82\x01\x02\x03",
	} {
		var v any
		if err := (Codec{}).Decode([]byte(data), &v); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%s: %v, want ErrDecode", name, err)
		}
	}
	deep := append(bytes.Repeat([]byte{0x91}, maxDepth-1), 0xc0)
	if err := check(deep); err != nil {
		t.Errorf("as deep as allowed: %v", err)
	}
}
