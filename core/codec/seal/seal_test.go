package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/core/codec/codectest"
)

func key(id uint32) Key { return Key{ID: id, Secret: bytes.Repeat([]byte{byte(id)}, secretSize)} }

// makers make both codecs.
func makers() map[string]func(inner codec.Codec, keys ...Key) (codec.Keyed, error) {
	return map[string]func(codec.Codec, ...Key) (codec.Keyed, error){
		"seal": func(c codec.Codec, keys ...Key) (codec.Keyed, error) { return New(c, keys...) },
		"hmac": func(c codec.Codec, keys ...Key) (codec.Keyed, error) { return NewHMAC(c, keys...) },
	}
}

func each(t *testing.T, f func(t *testing.T, with func(keys ...Key) codec.Keyed)) {
	for name, maker := range makers() {
		t.Run(name, func(t *testing.T) {
			f(t, func(keys ...Key) codec.Keyed {
				c, err := maker(codec.JSON{}, keys...)
				if err != nil {
					t.Fatal(err)
				}
				return c
			})
		})
	}
}

func TestCodecs(t *testing.T) {
	each(t, func(t *testing.T, with func(...Key) codec.Keyed) { codectest.Run(t, with(key(1))) })
}

// TestXAES has the test vectors of C2SP, XAES-256-GCM.md.
func TestXAES(t *testing.T) {
	for _, tc := range []struct {
		secret      byte
		extra, want string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		x, err := newXAES(bytes.Repeat([]byte{tc.secret}, secretSize))
		if err != nil {
			t.Fatal(err)
		}
		nonce := [nonceSize]byte([]byte("ABCDEFGHIJKLMNOPQRSTUVWX"))
		got, err := x.seal(nil, &nonce, []byte("XAES-256-GCM"), []byte(tc.extra))
		if err != nil || hex.EncodeToString(got) != tc.want {
			t.Errorf("secret %d: %x, %v, want %s", tc.secret, got, err, tc.want)
		}
		if plain, err := x.open(&nonce, got, []byte(tc.extra)); err != nil || string(plain) != "XAES-256-GCM" {
			t.Errorf("secret %d: open = %q, %v", tc.secret, plain, err)
		}
	}
}

func TestHidesAndShows(t *testing.T) {
	each(t, func(t *testing.T, with func(...Key) codec.Keyed) {
		c := with(key(1))
		data, err := c.Append(nil, "in plain sight")
		if err != nil {
			t.Fatal(err)
		}
		again, _ := c.Append(nil, "in plain sight")
		seen := bytes.Contains(data, []byte("in plain sight"))
		if hides := c.ID() == codec.IDSeal; seen == hides || bytes.Equal(data, again) == hides {
			t.Errorf("the value is seen: %t, and looks the same twice: %t", seen, bytes.Equal(data, again))
		}
	})
}

func TestEveryBitCounts(t *testing.T) {
	each(t, func(t *testing.T, with func(...Key) codec.Keyed) {
		c := with(key(1), key(2))
		data, err := c.AppendFor(nil, "k", "value")
		if err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(data) {
			data[bit/8] ^= 1 << (bit % 8)
			var got string
			if err := c.DecodeFor(data, "k", &got); !errors.Is(err, codec.ErrDecode) {
				t.Fatalf("bit %d flipped: %q, %v, want ErrDecode", bit, got, err)
			}
			data[bit/8] ^= 1 << (bit % 8)
		}
	})
}

func TestBoundToItsKey(t *testing.T) {
	each(t, func(t *testing.T, with func(...Key) codec.Keyed) {
		c := with(key(1))
		var got string
		for _, tc := range []struct {
			wrote, read string
			ok          bool
		}{{"a", "a", true}, {"a", "b", false}, {"a", "", false}, {"", "a", false}, {"", "", true}} {
			data, err := c.AppendFor(nil, tc.wrote, "v")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.DecodeFor(data, tc.read, &got); (err == nil) != tc.ok || err != nil && !errors.Is(err, codec.ErrDecode) {
				t.Errorf("written for %q, read at %q: %v", tc.wrote, tc.read, err)
			}
		}
	})
}

// TestRotation goes from one key to another as the package says.
func TestRotation(t *testing.T) {
	each(t, func(t *testing.T, with func(...Key) codec.Keyed) {
		steps := []codec.Keyed{with(key(1)), with(key(1), key(2)), with(key(2), key(1)), with(key(2))}
		reads := func(r, w int) bool {
			data, err := steps[w].Append(nil, "v")
			if err != nil {
				t.Fatal(err)
			}
			var got string
			return steps[r].Decode(data, &got) == nil && got == "v"
		}
		for i := range len(steps) - 1 { // neighbours run at the same time
			if !reads(i, i+1) && i > 0 || !reads(i+1, i) && i < len(steps)-2 {
				t.Errorf("steps %d and %d do not read each other's values", i, i+1)
			}
		}
		if reads(3, 0) || reads(0, 3) {
			t.Error("a key that is gone still opens")
		}
	})
}

func TestSameNumberOtherSecret(t *testing.T) {
	each(t, func(t *testing.T, with func(...Key) codec.Keyed) {
		other := key(1)
		other.Secret = bytes.Repeat([]byte{9}, secretSize)
		data, err := with(key(1)).Append(nil, "v")
		if err != nil {
			t.Fatal(err)
		}
		if err := with(other).Decode(data, new(string)); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%v, want ErrDecode", err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for name, maker := range makers() {
		for what, keys := range map[string][]Key{
			"no keys": nil, "a short one": {{ID: 1, Secret: make([]byte, 16)}}, "one twice": {key(1), key(1)},
		} {
			if _, err := maker(codec.JSON{}, keys...); err == nil {
				t.Errorf("%s, %s: no error", name, what)
			}
		}
		if _, err := maker(nil, key(1)); err == nil {
			t.Errorf("%s without a codec: no error", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	var codecs []codec.Keyed
	for _, maker := range makers() {
		c, err := maker(codec.JSON{}, key(1))
		if err != nil {
			f.Fatal(err)
		}
		data, err := c.AppendFor(nil, "k", codectest.Sample())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		codecs = append(codecs, c)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range codecs {
			var v codectest.Value
			if err := c.DecodeFor(data, "other", &v); !errors.Is(err, codec.ErrDecode) {
				t.Fatalf("%s: %v, want ErrDecode: nobody has sealed that", c.Name(), err)
			}
		}
	})
}
