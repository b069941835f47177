// Package codectest is the conformance suite of codecs.
package codectest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache/core/codec"
)

// Value has what structs have.
type Value struct {
	Name   string
	Number int64
	Share  float64
	Raw    []byte
	Tags   []string
	Counts map[string]int
	Next   *Value
	At     time.Time
}

// Sample returns a Value with everything in it.
func Sample() Value {
	return Value{
		Name: "näme", Number: -1 << 62, Share: 0.1, Raw: []byte{0, 0xff}, Tags: []string{"a", ""},
		Counts: map[string]int{"x": 1, "": -1}, Next: &Value{Name: "next"}, At: time.Unix(1_900_000_000, 123_456_789).UTC(),
	}
}

// Run checks a codec of structs.
func Run(t *testing.T, c codec.Codec) {
	t.Run("values", func(t *testing.T) {
		trip(t, c, Sample())
		trip(t, c, Value{})
		trip(t, c, &Value{Name: "pointed"})
		trip(t, c, (*Value)(nil))
		trip(t, c, map[string]int(nil))
		trip(t, c, []string(nil))
		trip(t, c, []string{"a"})
		trip(t, c, "")
		trip(t, c, int64(-5))
		trip(t, c, false)
		trip(t, c, 2.5)
	})
	t.Run("value and pointer", func(t *testing.T) { values(t, c) })
	t.Run("destination", func(t *testing.T) { destination(t, c) })
	t.Run("unserialisable", func(t *testing.T) {
		if data, err := c.Append([]byte("x"), make(chan int)); !errors.Is(err, codec.ErrEncode) || string(data) != "x" {
			t.Errorf("Append of a channel = %q, %v, want the destination and ErrEncode", data, err)
		}
	})
	t.Run("damaged", func(t *testing.T) { damaged(t, c) })
	t.Run("not kept", func(t *testing.T) { notKept(t, c) })
}

// trip encodes and decodes v.
func trip[T any](t *testing.T, c codec.Codec, v T) {
	t.Helper()
	data, err := c.Append(nil, &v)
	if err != nil {
		t.Errorf("Append(%#v): %v", v, err)
		return
	}
	var got T
	if err := c.Decode(data, &got); err != nil {
		t.Errorf("Decode(%#v): %v", v, err)
	} else if !cmp.Equal(got, v) {
		t.Errorf("Decode = %#v, want %#v", got, v)
	}
}

func values(t *testing.T, c codec.Codec) {
	v := Sample()
	var got Value
	data, err := c.Append(nil, v)
	if err == nil {
		err = c.Decode(data, &got)
	}
	if err != nil || !cmp.Equal(got, v) {
		t.Errorf("Append of a value, Decode = %#v, %v, want %#v", got, err, v)
	}
}

func destination(t *testing.T, c codec.Codec) {
	v := Sample()
	dst := append(make([]byte, 0, 4<<10), "before"...)
	data, err := c.Append(dst, &v)
	if err != nil || !bytes.HasPrefix(data, []byte("before")) {
		t.Fatalf("Append = %q, %v, want it after the destination", data, err)
	}
	var got Value
	if err := c.Decode(data[len("before"):], &got); err != nil || !cmp.Equal(got, v) {
		t.Errorf("Decode = %#v, %v, want %#v", got, err, v)
	}
}

// damaged cuts the bytes at every place and appends to them.
func damaged(t *testing.T, c codec.Codec) {
	v := Sample()
	data, err := c.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		var got Value
		if err := c.Decode(data[:n], &got); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("Decode of the first %d of %d bytes: %v, want ErrDecode", n, len(data), err)
		}
	}
	var got Value
	if err := c.Decode(append(bytes.Clone(data), 0xc1), &got); !errors.Is(err, codec.ErrDecode) {
		t.Errorf("Decode with a byte more: %v, want ErrDecode", err)
	}
	var other chan int
	if err := c.Decode(data, &other); !errors.Is(err, codec.ErrDecode) {
		t.Errorf("Decode into a channel: %v, want ErrDecode", err)
	}
}

// notKept overwrites the bytes after they were read.
func notKept(t *testing.T, c codec.Codec) {
	v := Sample()
	data, err := c.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	var got Value
	if err := c.Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if !cmp.Equal(got, v) {
		t.Errorf("the decoded value changed with the bytes: %#v", got)
	}
}

// Fuzz decodes any bytes: into structs, into an any if dynamic, and what comes out must survive another trip.
func Fuzz(f *testing.F, c codec.Codec, dynamic bool) {
	v := Sample()
	data, err := c.Append(nil, &v)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		var got Value
		check(t, c, c.Decode(data, &got), &got)
		if dynamic {
			var got any
			check(t, c, c.Decode(data, &got), &got)
		}
		if !bytes.Equal(data, before) {
			t.Fatal("Decode changed the bytes")
		}
	})
}

// check is called with what Decode has returned and left at v.
func check(t *testing.T, c codec.Codec, err error, v any) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, codec.ErrDecode) {
			t.Fatalf("Decode: %v, want ErrDecode", err)
		}
		return
	}
	if _, err := c.Append(nil, v); err != nil && !errors.Is(err, codec.ErrEncode) {
		t.Fatalf("Append of what was decoded: %v", err)
	}
}
