package hostabi

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
)

func TestPolicySpec(t *testing.T) {
	s := PolicySpec{Capacity: 1 << 40, Seed: 7, Objects: 100, Most: 50, Batch: 64, Bytes: true, Params: []byte(`{"a":"b"}`)}
	b := s.Append(nil)
	if got, err := DecodePolicySpec(b); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("DecodePolicySpec = %+v, %v, want %+v", got, err, s)
	}
	if len(b) != SpecParams+len(s.Params) || b[SpecFlags] != SpecBytes || b[SpecBatch] != 64 || b[SpecParamsLen] != 9 {
		t.Errorf("Append = %v", b)
	}
	for n := range b {
		if _, err := DecodePolicySpec(b[:n]); err == nil {
			t.Errorf("%d bytes were read as a spec", n)
		}
	}
}

// frameOf writes a frame at 8 of a memory of a page.
func frameOf(words ...uint32) []byte {
	memory := make([]byte, 65536)
	for i, w := range words {
		binary.LittleEndian.PutUint32(memory[8+4*i:], w)
	}
	return memory
}

func TestDecodePolicyFrame(t *testing.T) {
	objects, bytes := &PolicySpec{Most: 10, Batch: 64}, &PolicySpec{Most: 10, Batch: 64, Bytes: true}
	for _, test := range []struct {
		spec  *PolicySpec
		addr  uint32
		words []uint32
		want  string
	}{
		{objects, 8, []uint32{64, 0, 320, 328, 0}, ""},
		{bytes, 8, []uint32{64, 1000, 320, 328, 0}, ""},
		{bytes, 8, []uint32{64, 920, 320, 328, 0}, ""},
		{objects, 8, []uint32{64, 0, 320, 64944, 0}, ""},
		{objects, 12, nil, "frame at 12: its address must be a multiple of 8"},
		{objects, 65520, nil, "frame at 65520 is outside the memory of 65536 bytes"},
		{objects, 0xfffffff8, nil, "frame at 4294967288 is outside"},
		{objects, 8, []uint32{64, 0, 320, 328, 1}, "offset 16 is 1: it is reserved"},
		{objects, 8, []uint32{0, 0, 320, 328, 0}, "ids at 0: 256 bytes there are outside"},
		{objects, 8, []uint32{66, 0, 320, 328, 0}, "ids at 66: the address must be a multiple of 4"},
		{objects, 8, []uint32{64, 0, 65532, 328, 0}, "hits at 65532: 8 bytes there are outside the memory of 65536"},
		{objects, 8, []uint32{64, 0, 320, 64948, 0}, "victims at 64948: 592 bytes there are outside"},
		{objects, 8, []uint32{64, 0, 320, 0xfffffffc, 0}, "victims at 4294967292: 592 bytes there are outside"},
		{objects, 8, []uint32{64, 0, 316, 328, 0}, "ids at 64 and hits at 316 overlap: they have 256 and 8 bytes"},
		{objects, 8, []uint32{24, 0, 320, 328, 0}, "frame at 8 and ids at 24 overlap"},
		{bytes, 8, []uint32{64, 0, 320, 328, 0}, "sizes at 0: 256 bytes there are outside"},
		{bytes, 8, []uint32{64, 64, 320, 328, 0}, "ids at 64 and sizes at 64 overlap"},
	} {
		f, err := DecodePolicyFrame(frameOf(test.words...), test.addr, test.spec)
		if test.want == "" {
			if want := (PolicyFrame{test.words[0], test.words[1], test.words[2], test.words[3]}); err != nil || f != want {
				t.Errorf("frame %v = %+v, %v", test.words, f, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("frame %v at %d: %v, want %q", test.words, test.addr, err, test.want)
		}
	}
}

// FuzzPolicyFrame demands of a frame that is taken that its buffers can be written without one touching another.
func FuzzPolicyFrame(f *testing.F) {
	f.Add(frameOf(64, 1000, 320, 328, 0)[:2048], uint32(8), uint16(10), uint16(64), true)
	f.Add(frameOf(64, 0, 320, 328, 0)[:1024], uint32(8), uint16(10), uint16(64), false)
	f.Fuzz(func(t *testing.T, memory []byte, addr uint32, most, batch uint16, bytes bool) {
		s := &PolicySpec{Most: uint32(most), Batch: uint32(batch), Bytes: bytes}
		frame, err := DecodePolicyFrame(memory, addr, s)
		if err != nil {
			return
		}
		marks := make([]bool, len(memory))
		for _, b := range frame.buffers(addr, s) {
			for at := b.addr; at < b.end; at++ {
				if marks[at] {
					t.Fatalf("%+v at %d: %s shares byte %d", frame, addr, b.name, at)
				}
				marks[at] = true
			}
		}
	})
}
