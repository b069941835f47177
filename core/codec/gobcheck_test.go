package codec

import (
	"bytes"
	"encoding/gob"
	"errors"
	"math/big"
	"net/netip"
	"slices"
	"testing"
	"time"
)

type gobAll struct {
	B     bool
	I     int8
	U     uint16
	F     float32
	C     complex128
	S     string
	Raw   []byte
	Array [3]int
	Slice []string
	Map   map[string][]int
	Inner *gobAll
	Any   any
	Anys  []any
	Big   *big.Int
	Addr  netip.Addr
	At    time.Time
	Deep  map[int]map[gobKey]gobKey
}

type gobKey struct{ X, Y int }

type gobOther struct{ V any }

func gobSample() gobAll {
	return gobAll{
		B: true, I: -5, U: 60000, F: 1.5, C: 1 + 2i, S: "text", Raw: []byte{1, 2}, Array: [3]int{0, 1, -1 << 40},
		Slice: []string{"", "x"}, Map: map[string][]int{"a": {1}, "b": nil}, Inner: &gobAll{S: "inner"},
		Any: gobOther{V: gobKey{1, 2}}, Anys: []any{nil, 1, "two", gobKey{}, []int{3}, &gobKey{Y: 4}, gobOther{V: map[string]any{"m": 1}}},
		Big: big.NewInt(1 << 60), Addr: netip.MustParseAddr("::1"), At: time.Unix(1, 2).UTC(),
		Deep: map[int]map[gobKey]gobKey{1: {{}: {}}},
	}
}

func register() {
	for _, v := range []any{gobKey{}, gobOther{}, []int(nil), map[string]any(nil)} {
		gob.Register(v)
	}
}

// TestGobCheck lets pass whatever the library writes.
func TestGobCheck(t *testing.T) {
	register()
	var iface any = gobSample()
	gob.Register(iface)
	for name, v := range map[string]any{
		"all": gobSample(), "zero": gobAll{}, "int": 5, "text": "x", "map": map[gobKey]string{{1, 2}: "x"}, "interface": &iface,
		"slice of structs": []gobKey{{}, {1, 0}}, "bytes": []byte("x"), "time": time.Now(), "array": [2]any{1, gobKey{}},
		"map of empty": map[gobKey]gobKey{{}: {}},
	} {
		data, err := Gob{}.Append(nil, v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := checkGob(data[1:]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := 1; n < len(data); n++ {
			if checkGob(data[1:n]) == nil {
				t.Errorf("%s: %d of %d bytes are enough", name, n-1, len(data)-1)
			}
		}
	}
}

// TestGobBomb claims a map of 2^40 elements, of which the library would make room for all.
func TestGobBomb(t *testing.T) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(map[string]int{"k": 1}); err != nil {
		t.Fatal(err)
	}
	value := []byte("\x00\x01\x01k\x02") // a zero, one pair, its key and value, at the end of a message of two bytes more
	head, ok := bytes.CutSuffix(b.Bytes(), value)
	if !ok {
		t.Fatalf("%x does not end with %x", b.Bytes(), value)
	}
	head[len(head)-3] += 6
	bomb := slices.Concat([]byte{gobValue}, head, []byte("\x00\xfa\x01\x00\x00\x00\x00\x00\x01k\x02"))
	var got map[string]int
	if err := (Gob{}).Decode(bomb, &got); !errors.Is(err, ErrDecode) || !errors.Is(err, errGobShort) {
		t.Errorf("Decode: %v, want ErrDecode, cut short", err)
	}
}

// FuzzGobCheck has the library read what passes.
func FuzzGobCheck(f *testing.F) {
	register()
	data, err := Gob{}.Append(nil, gobSample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	data, _ = Gob{}.Append(nil, map[string]int{"k": 1})
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var all gobAll
		var anys map[gobKey]map[string]any
		for _, err := range []error{(Gob{}).Decode(data, &all), (Gob{}).Decode(data, &anys)} {
			if err != nil && !errors.Is(err, ErrDecode) {
				t.Fatal(err)
			}
		}
	})
}
