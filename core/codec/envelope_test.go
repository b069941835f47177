package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"testing"
)

func sample() Envelope {
	return Envelope{Value: []byte("value"), Expires: 1_900_000_000_123_456_789, Version: 1 << 50, Flags: 42, Codec: 3}
}

func equal(a, b Envelope) bool {
	return bytes.Equal(a.Value, b.Value) && a.Expires == b.Expires && a.Version == b.Version &&
		a.Flags == b.Flags && a.Codec == b.Codec
}

func TestEnvelopeRoundTrip(t *testing.T) {
	for name, e := range map[string]Envelope{
		"full":    sample(),
		"zero":    {},
		"extreme": {Value: []byte{0xEC, 0, 0xff}, Expires: math.MinInt64, Version: math.MaxUint64, Flags: math.MaxUint32, Codec: 255},
	} {
		t.Run(name, func(t *testing.T) {
			data := AppendEnvelope([]byte("before"), "key", e)
			if len(data) != len("before")+EnvelopeSize+len(e.Value) {
				t.Errorf("%d bytes, want EnvelopeSize more than the value", len(data))
			}
			got, err := OpenEnvelope("key", data[len("before"):])
			if err != nil || !equal(got, e) {
				t.Errorf("OpenEnvelope = %+v, %v, want %+v", got, err, e)
			}
		})
	}
}

// TestEnvelopeBytes holds the format still: other versions read and write it.
func TestEnvelopeBytes(t *testing.T) {
	got := AppendEnvelope(nil, "key", Envelope{Value: []byte("val"), Expires: 2, Version: 1, Flags: 3, Codec: 4})
	want := "\xec\x01\x00\x04" + "\x01\x00\x00\x00\x00\x00\x00\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00" + "\x03\x00\x00\x00" +
		"\x34\x43\xe1\x2d\x56\x62\x77\x44" + "\x49\x5b\x94\x7c" + "val"
	if string(got) != want {
		t.Errorf("AppendEnvelope =\n%x, want\n%x", got, want)
	}
}

func TestOpenEnvelopeForeign(t *testing.T) {
	for _, data := range []string{"", "x", "-17", "a text that is longer than the header of an envelope is"} {
		got, err := OpenEnvelope("key", []byte(data))
		if err != nil || string(got.Value) != data || got.Version != 0 {
			t.Errorf("OpenEnvelope(%q) = %+v, %v, want the bytes with version 0", data, got, err)
		}
	}
}

// resum makes a changed envelope's checksum right again.
func resum(data []byte) []byte {
	binary.LittleEndian.PutUint32(data[offSum:], checksum(data))
	return data
}

func TestOpenEnvelopeUnreadable(t *testing.T) {
	change := func(i int, b byte) []byte {
		data := AppendEnvelope(nil, "key", sample())
		data[i] = b
		return resum(data)
	}
	for name, tc := range map[string]struct {
		data []byte
		want error
	}{
		"magic alone":     {[]byte{magic}, ErrDamaged},
		"foreign magic":   {append([]byte{magic}, make([]byte, 60)...), ErrDamaged},
		"cut":             {AppendEnvelope(nil, "key", sample())[:EnvelopeSize+3], ErrDamaged},
		"too long":        {append(AppendEnvelope(nil, "key", sample()), 0), ErrDamaged},
		"other magic":     {change(0, 0xED), ErrDamaged},
		"newer format":    {change(1, 2), ErrNewer},
		"required bit":    {change(offBits, 0x01), ErrNewer},
		"section cut":     {change(offBits, 0x10), ErrDamaged},
		"under other key": {AppendEnvelope(nil, "other", sample()), ErrOtherKey},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := OpenEnvelope("key", tc.data); !errors.Is(err, tc.want) {
				t.Errorf("OpenEnvelope = %+v, %v, want %v", got, err, tc.want)
			}
		})
	}
}

func TestOpenEnvelopeSkipsOptionalSections(t *testing.T) {
	e := sample()
	e.Value = []byte("\x03\x00abc" + "\x00\x00" + "value")
	data := AppendEnvelope(nil, "key", e)
	data[offBits] = 0x50
	got, err := OpenEnvelope("key", resum(data))
	if err != nil || string(got.Value) != "value" || got.Flags != e.Flags {
		t.Errorf("OpenEnvelope = %+v, %v, want the value behind two sections", got, err)
	}
}

func TestOpenEnvelopeFindsEveryBit(t *testing.T) {
	data := AppendEnvelope(nil, "key", sample())
	for bit := range len(data) * 8 {
		data[bit/8] ^= 1 << (bit % 8)
		if got, err := OpenEnvelope("key", data); err == nil {
			t.Fatalf("bit %d flipped: OpenEnvelope = %+v", bit, got)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
}

func TestEnvelopeAllocs(t *testing.T) {
	e, buf := sample(), make([]byte, 0, 128)
	if n := testing.AllocsPerRun(100, func() {
		buf = AppendEnvelope(buf[:0], "key", e)
		if _, err := OpenEnvelope("key", buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestCounter(t *testing.T) {
	for text, ok := range map[string]bool{
		"0": true, "7": true, "-7": true, "10": true, "9223372036854775807": true, "-9223372036854775808": true,
		"": false, "-": false, "-0": false, "00": false, "007": false, "-01": false, "+1": false, " 1": false, "1 ": false,
		"1.0": false, "1e3": false, "0x1": false, "--1": false, "9223372036854775808": false, "-9223372036854775809": false,
		"9999999999999999999": false, "18446744073709551616": false, "\xec1": false,
	} {
		n, got := ParseCounter([]byte(text))
		if got != ok || IsCounter([]byte(text)) != ok || ok && strconv.FormatInt(n, 10) != text {
			t.Errorf("ParseCounter(%q) = %d, %v, want %v", text, n, got, ok)
		}
	}
}

func TestPlain(t *testing.T) {
	for name, tc := range map[string]struct {
		e    Envelope
		want bool
	}{
		"number":            {Envelope{Value: []byte("12"), Version: 9, Expires: 9}, true},
		"text":              {Envelope{Value: []byte("x")}, false},
		"number with flags": {Envelope{Value: []byte("12"), Flags: 1}, false},
		"encoded number":    {Envelope{Value: []byte("12"), Codec: 1}, false},
	} {
		if got := tc.e.Plain(); got != tc.want {
			t.Errorf("%s: Plain() = %v, want %v", name, got, tc.want)
		}
	}
}

func FuzzOpenEnvelope(f *testing.F) {
	good := AppendEnvelope(nil, "key", sample())
	f.Add("key", good)
	f.Add("other", good)
	f.Add("key", good[:EnvelopeSize])
	f.Add("key", []byte("123"))
	f.Add("", []byte{magic})
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		before := bytes.Clone(data)
		e, err := OpenEnvelope(key, data)
		if !bytes.Equal(before, data) {
			t.Fatal("OpenEnvelope changed the data")
		}
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) && !errors.Is(err, ErrOtherKey) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		again, err := OpenEnvelope(key, AppendEnvelope(nil, key, e))
		if err != nil || !equal(e, again) {
			t.Fatalf("round trip of %+v = %+v, %v", e, again, err)
		}
	})
}

func FuzzParseCounter(f *testing.F) {
	f.Add([]byte("-9223372036854775808"))
	f.Add([]byte("007"))
	f.Fuzz(func(t *testing.T, value []byte) {
		want, err := strconv.ParseInt(string(value), 10, 64)
		canonical := err == nil && strconv.FormatInt(want, 10) == string(value)
		if n, ok := ParseCounter(value); ok != canonical || ok && n != want {
			t.Fatalf("ParseCounter(%q) = %d, %v, want %d, %v", value, n, ok, want, canonical)
		}
	})
}

func BenchmarkAppendEnvelope(b *testing.B) {
	e, buf := sample(), make([]byte, 0, 1024)
	e.Value = make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEnvelope(buf[:0], "namespace:user:123456", e)
	}
}

func BenchmarkOpenEnvelope(b *testing.B) {
	e := sample()
	e.Value = make([]byte, 256)
	data := AppendEnvelope(nil, "namespace:user:123456", e)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenEnvelope("namespace:user:123456", data); err != nil {
			b.Fatal(err)
		}
	}
}
