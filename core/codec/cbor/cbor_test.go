package cbor

import (
	"errors"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/core/codec/codectest"
)

func TestCodec(t *testing.T) { codectest.Run(t, New()) }

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xbb\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\x9f\x01\xff"))
	f.Add([]byte("\xc1\x1a\x51\x4b\x67\xb0"))
	codectest.Fuzz(f, New(), true)
}

func TestBombs(t *testing.T) {
	for name, data := range map[string]string{
		"deep":       strings.Repeat("\x81", 1<<20) + "\xf6",
		"wide array": "\x9a\x7f\xff\xff\xff\xf6",
		"wide map":   "\xba\x7f\xff\xff\xff\xf6",
		"long text":  "\x7b\x00\x00\x00\xff\xff\xff\xff\xffx",
	} {
		var v any
		if err := New().Decode([]byte(data), &v); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%s: %v, want ErrDecode", name, err)
		}
	}
}

// TestLong reads back what the library's own limits would not.
func TestLong(t *testing.T) {
	c, want := New(), make([]int, 200_000)
	data, err := c.Append(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	if err := c.Decode(data, &got); err != nil || len(got) != len(want) {
		t.Errorf("%d elements, %v, want %d", len(got), err, len(want))
	}
}
