package hostabi

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func TestAction(t *testing.T) {
	for v, want := range map[uint64]Action{
		0:                          {},
		1<<56 | 64<<32 | 5:         {Code: ActionKey, Offset: 64, Length: 5},
		1 << 55:                    {Cookie: true},
		3<<56 | 1<<55 | 1<<32 | 10: {Code: ActionDeny, Cookie: true, Offset: 1, Length: 10},
		1<<64 - 1:                  {Code: 255, Cookie: true, Offset: OffsetMask, Length: LengthMask},
	} {
		if got := DecodeAction(v); got != want {
			t.Errorf("DecodeAction(%#x) = %+v, want %+v", v, got, want)
		}
		if got := want.Encode(); got != v {
			t.Errorf("%+v.Encode() = %#x, want %#x", want, got, v)
		}
	}
}

func TestActionChecks(t *testing.T) {
	for _, test := range []struct {
		a             Action
		before, after string
	}{
		{Action{}, "", ""},
		{Action{Cookie: true}, "", ""},
		{Action{Code: ActionKey, Length: 3}, "", "returned key: only none and respond"},
		{Action{Code: ActionRespond, Length: 3}, "", ""},
		{Action{Code: ActionDeny}, "", "returned deny"},
		{Action{Code: ActionMiss}, "", "returned miss"},
		{Action{Code: ActionMiss, Length: 1}, "returned miss with an offset or a length", "returned miss"},
		{Action{Length: 1}, "returned none with", "returned none with"},
		{Action{Code: 6}, "returned unknown action 6", "returned action 6"},
	} {
		check := func(what string, err error, want string) {
			if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s(%+v) = %v, want %q", what, test.a, err, want)
			}
		}
		check("CheckBefore", test.a.CheckBefore(), test.before)
		check("CheckAfter", test.a.CheckAfter(), test.after)
	}
}

func ttlPatch(ms int64) []byte {
	return AppendPatch(nil, FieldTTL, binary.LittleEndian.AppendUint64(nil, uint64(ms)))
}

func TestPatches(t *testing.T) {
	list := AppendPatch(nil, FieldKey, []byte("key"))
	list = append(list, ttlPatch(TTLKeep)...)
	list = AppendPatch(list, FieldNamespace, nil)
	var fields []byte
	for p, err := range Patches(list) {
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, p.Field)
		if p.Field == FieldTTL && p.TTL() != TTLKeep {
			t.Errorf("ttl %d", p.TTL())
		}
	}
	if !bytes.Equal(fields, []byte{FieldKey, FieldTTL, FieldNamespace}) {
		t.Errorf("fields %v", fields)
	}
	for name, test := range map[string]struct {
		list []byte
		want string
	}{
		"header":  {[]byte{1, 0, 0}, "ends within a header: 3 bytes left of 5"},
		"length":  {[]byte{1, 255, 255, 255, 255, 0}, "patch of field 1 says 4294967295 bytes, 1 are left"},
		"field":   {[]byte{9, 0, 0, 0, 0}, "patch of unknown field 9"},
		"ttl":     {[]byte{FieldTTL, 1, 0, 0, 0, 7}, "patch of the ttl has 1 bytes, not 8"},
		"bad ttl": {ttlPatch(-3), "patch of the ttl is -3 ms"},
	} {
		var err error
		for _, e := range Patches(test.list) {
			err = e
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestLayout(t *testing.T) {
	h := Header{NamespaceLen: 1, NamespaceID: 2, BatchIndex: 3, BatchLen: 4}
	b := make([]byte, BufKey)
	h.Put(b)
	if got, err := DecodeHeader(b); err != nil || got != h {
		t.Errorf("DecodeHeader = %+v, %v", got, err)
	}
	if b[BufNamespaceLen] != 1 || b[BufNamespaceID] != 2 || b[BufBatchIndex] != 3 || b[BufBatchLen] != 4 {
		t.Errorf("header % x", b)
	}
	if _, err := DecodeHeader(b[:BufKey-1]); err == nil {
		t.Error("a short buffer has a header")
	}
	e := Event{1, 2, 3, 4, 5, 6, 7, 8}
	b = e.Append(nil)
	if got, err := DecodeEvent(b); err != nil || got != e || len(b) != EventSize {
		t.Errorf("DecodeEvent = %+v, %v", got, err)
	}
	for offset, want := range map[int]byte{
		EventKeyHash: 1, EventTime: 2, EventElapsed: 3, EventValueSize: 4, EventTTL: 5, EventNamespace: 6, EventOp: 7, EventResult: 8,
	} {
		if b[offset] != want {
			t.Errorf("byte %d of an event is %d, want %d", offset, b[offset], want)
		}
	}
	if _, err := DecodeEvent(b[:EventSize-1]); err == nil {
		t.Error("a short event is one")
	}
}

func FuzzAction(f *testing.F) {
	f.Add(uint64(0))
	f.Add(uint64(5<<56 | 64<<32 | 17))
	f.Fuzz(func(t *testing.T, v uint64) {
		a := DecodeAction(v)
		if a.Encode() != v {
			t.Errorf("%#x decodes to %+v, which encodes to %#x", v, a, a.Encode())
		}
		if a.CheckAfter() == nil && a.CheckBefore() != nil {
			t.Errorf("%+v is good after and bad before", a)
		}
	})
}

func FuzzPatches(f *testing.F) {
	f.Add(append(ttlPatch(5), AppendPatch(nil, FieldKey, []byte("k"))...))
	f.Add([]byte{1, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		for p, err := range Patches(b) {
			if err != nil {
				return
			}
			again = AppendPatch(again, p.Field, p.Data)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("% x was read as % x", b, again)
		}
	})
}

func FuzzLayout(f *testing.F) {
	f.Add(make([]byte, BufKey))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := DecodeEvent(b); err == nil && !bytes.Equal(e.Append(nil), b[:EventSize]) {
			t.Errorf("event %+v", e)
		}
		if h, err := DecodeHeader(b); err == nil {
			c := bytes.Clone(b)
			h.Put(c)
			if !bytes.Equal(b, c) {
				t.Errorf("header %+v", h)
			}
		}
	})
}
