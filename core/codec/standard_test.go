package codec_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/core/codec/codectest"
)

func TestJSON(t *testing.T) { codectest.Run(t, codec.JSON{}) }
func TestGob(t *testing.T)  { codectest.Run(t, codec.Gob{}) }

func FuzzJSON(f *testing.F)    { codectest.Fuzz(f, codec.JSON{}, true) }
func FuzzRawJSON(f *testing.F) { codectest.Fuzz(f, codec.JSON{Raw: true}, true) }
func FuzzGob(f *testing.F)     { codectest.Fuzz(f, codec.Gob{}, true) }

// trip encodes v and decodes the bytes into a value of its type.
func trip(c codec.Codec, v any) (any, error) {
	data, err := c.Append(nil, v)
	if err != nil {
		return nil, err
	}
	got := reflect.New(reflect.TypeOf(v))
	err = c.Decode(data, got.Interface())
	return got.Elem().Interface(), err
}

func TestPlainCodecs(t *testing.T) {
	for name, tc := range map[string]struct {
		c codec.Codec
		v any
	}{
		"bytes":          {codec.Bytes{}, []byte{0xff, 0}},
		"no bytes":       {codec.Bytes{}, []byte{}},
		"string":         {codec.String{}, "text\x00"},
		"empty string":   {codec.String{}, ""},
		"int":            {codec.Integer{}, -7},
		"int64":          {codec.Integer{}, int64(-1 << 63)},
		"gob empty":      {codec.Gob{}, struct{ X int }{}},
		"json raw value": {codec.JSON{Raw: true}, map[string]any{"a": 1.0}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := trip(tc.c, tc.v); err != nil || !reflect.DeepEqual(got, tc.v) {
				t.Errorf("got %#v, %v, want %#v", got, err, tc.v)
			}
		})
	}
}

func TestPlainCodecsRefuse(t *testing.T) {
	for _, c := range []codec.Codec{codec.Bytes{}, codec.String{}, codec.Integer{}} {
		if _, err := c.Append(nil, 1.5); !errors.Is(err, codec.ErrEncode) {
			t.Errorf("%s: Append(1.5): %v, want ErrEncode", c.Name(), err)
		}
		if err := c.Decode([]byte("1"), new(float64)); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%s: Decode into a float64: %v, want ErrDecode", c.Name(), err)
		}
	}
	if err := (codec.Integer{}).Decode([]byte("12x"), new(int)); !errors.Is(err, codec.ErrDecode) {
		t.Errorf("Decode(12x): %v, want ErrDecode", err)
	}
}

func FuzzInteger(f *testing.F) {
	f.Add([]byte("-12"))
	f.Add([]byte("9223372036854775808"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var n int64
		if err := (codec.Integer{}).Decode(data, &n); err != nil {
			if !errors.Is(err, codec.ErrDecode) {
				t.Fatal(err)
			}
			return
		}
		if again, _ := (codec.Integer{}).Append(nil, n); !bytes.Equal(again, bytes.TrimSpace(data)) {
			t.Fatalf("%q became %q", data, again)
		}
	})
}

// TestRawJSON reads what other clients have stored.
func TestRawJSON(t *testing.T) {
	raw := codec.JSON{Raw: true}
	if !codec.Accepts(raw, codec.IDBytes) || codec.Accepts(codec.JSON{}, codec.IDBytes) || !codec.Accepts(raw, codec.IDJSON) {
		t.Error("only Raw accepts plain bytes")
	}
	for text, want := range map[string]any{`{"a":1}`: map[string]any{"a": 1.0}, "plain text": "plain text", "\xff": []byte("\xff")} {
		var got any
		if err := raw.Decode([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Decode(%q) = %#v, %v, want %#v", text, got, err, want)
		}
	}
	var s string
	if err := raw.Decode([]byte("plain"), &s); err != nil || s != "plain" {
		t.Errorf("Decode into a string = %q, %v", s, err)
	}
	if err := raw.Decode([]byte("plain"), new(codectest.Value)); !errors.Is(err, codec.ErrDecode) {
		t.Errorf("Decode into a struct: %v, want ErrDecode", err)
	}
	if err := raw.Decode([]byte("5"), &s); !errors.Is(err, codec.ErrDecode) {
		t.Errorf("Decode of JSON of another type: %v, want ErrDecode", err)
	}
}
