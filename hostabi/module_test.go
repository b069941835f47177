package hostabi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// wasm returns a module of sections, each the bytes that follow its length.
func wasm(sections ...any) []byte {
	b := []byte(moduleHeader)
	for i := 0; i < len(sections); i += 2 {
		body := sections[i+1].(string)
		b = append(b, byte(sections[i].(int)))
		b = binary.AppendUvarint(b, uint64(len(body)))
		b = append(b, body...)
	}
	return b
}

// rich is a module with everything that the walker knows.
func rich() []byte {
	return wasm(
		SectionType, "\x03\x60\x00\x00\x60\x02\x7f\x7e\x01\x7d\x60\x00\x02\x7b\x70",
		SectionImport, "\x04\x01m\x01f\x00\x01\x01m\x01t\x01\x6f\x00\x01\x01m\x01M\x02\x01\x01\x02\x01m\x01g\x03\x7c\x01",
		SectionFunction, "\x01\x00",
		SectionTable, "\x02\x70\x00\x05\x6f\x01\x01\x80\x80\x80\x80\x08",
		SectionMemory, "\x01\x00\x03",
		SectionGlobal, "\x06\x7f\x00\x41\x80\x01\x0b\x7e\x01\x42\x00\x0b\x7d\x00\x43aaaa\x0b\x7c\x00\x44aaaaaaaa\x0b"+
			"\x70\x00\xd0\x70\x0b\x7b\x00\xfd\x0caaaaaaaaaaaaaaaa\x0b",
		SectionExport, "\x03\x01f\x00\x01\x01i\x00\x00\x01m\x02\x00",
		SectionStart, "\x01",
		SectionElement, "\x08\x00\x41\x00\x0b\x01\x00\x01\x00\x01\x00\x02\x00\x41\x00\x0b\x00\x01\x00\x03\x00\x01\x00"+
			"\x04\x41\x00\x0b\x01\xd2\x00\x0b\x05\x70\x01\xd0\x70\x0b\x06\x00\x23\x00\x0b\x70\x00\x07\x70\x00",
		SectionCount, "\x03",
		SectionCode, "\x01\x06\x01\x02\x7f\x01\x01\x0b",
		SectionData, "\x03\x00\x41\x00\x0b\x01a\x01\x01b\x02\x00\x41\x00\x0b\x00",
		SectionCustom, "\x04name\x00\x02\x01n\x01\x04\x01\x00\x01f\x02\x06\x01\x00\x01\x00\x01l\x09\x01x",
		SectionCustom, "\x12edgecache.manifest{}",
		SectionCustom, "\x05other",
	)
}

func TestParseModule(t *testing.T) {
	m, err := ParseModule(rich())
	if err != nil {
		t.Fatal(err)
	}
	empty, typed := Signature{}, Signature{I32 + I64, "\x7d"}
	if want := []Import{{"m", "f", KindFunction, typed}, {"m", "t", KindTable, empty}, {"m", "M", KindMemory, empty}, {"m", "g", KindGlobal, empty}}; !reflect.DeepEqual(m.Imports, want) {
		t.Errorf("imports %v", m.Imports)
	}
	if want := []Export{{"f", KindFunction, empty}, {"i", KindFunction, typed}, {"m", KindMemory, empty}}; !reflect.DeepEqual(m.Exports, want) {
		t.Errorf("exports %v", m.Exports)
	}
	if want := []Table{{0x70, Limits{Min: 5}}, {0x6f, Limits{Min: 1, Max: 1 << 31, HasMax: true}}}; !reflect.DeepEqual(m.Tables, want) {
		t.Errorf("tables %+v", m.Tables)
	}
	if want := []Limits{{Min: 3}}; !reflect.DeepEqual(m.Memories, want) || !m.HasStart {
		t.Errorf("memories %+v, start %v", m.Memories, m.HasStart)
	}
	if m.Export("m") == nil || m.Export("M") != nil {
		t.Error("exports are not found by name")
	}
	clamped, err := m.ClampTables(rich(), 100)
	if err != nil {
		t.Fatal(err)
	}
	m, err = ParseModule(clamped)
	if err != nil || m.Tables[0].Limits != (Limits{5, 100, true}) || m.Tables[1].Limits != (Limits{1, 100, true}) {
		t.Errorf("clamped tables %+v, %v", m.Tables, err)
	}
	if _, err := m.ClampTables(clamped, 4); err == nil || !strings.Contains(err.Error(), "table of 5 elements: at most 4") {
		t.Errorf("ClampTables = %v", err)
	}
}

func TestSignature(t *testing.T) {
	for want, s := range map[string]Signature{
		"() -> ()":                       {},
		"(i32, i64) -> i32":              {I32 + I64, I32},
		"(f32, f64, v128) -> (i32, i32)": {"\x7d\x7c\x7b", I32 + I32},
		"(funcref) -> externref":         {"\x70", "\x6f"},
	} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
}

func TestBadModules(t *testing.T) {
	long := strings.Repeat("\x00", 20)
	for name, test := range map[string]struct {
		wasm []byte
		want string
	}{
		"empty":             {nil, "module ends within its header, after 0 bytes"},
		"short":             {[]byte("\x00as"), "module ends within its header, after 3 bytes"},
		"other":             {[]byte("\x7fELF...."), "is no WebAssembly module"},
		"half a header":     {[]byte("\x00asm\x01\x00"), "module ends within its header, after 6 bytes"},
		"version":           {[]byte("\x00asm\x02\x00\x00\x00"), "module of version 2"},
		"large":             {make([]byte, MaxModule+1), "at most 67108864 are allowed"},
		"section":           {wasm(13, ""), "section 13 is not known"},
		"section's length":  {append(wasm(), 1, 100), "100 bytes belong here, 0 are left"},
		"long number":       {append(wasm(), 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0), "longer than 5 bytes"},
		"large number":      {append(wasm(), 1, 0xff, 0xff, 0xff, 0xff, 0x7f), "larger than 32 bits"},
		"name of custom":    {wasm(0, "\x05a"), "5 bytes belong here, 1 are left"},
		"twice":             {wasm(1, "\x00", 1, "\x00"), "section 1 stands twice"},
		"rest":              {wasm(1, "\x00\x00"), "section type: at byte 11: 1 bytes too many"},
		"many types":        {wasm(1, "\xff\xff\xff\xff\x0f"), "4294967295 types: at most 1048576"},
		"more than there":   {wasm(1, "\x80\x80\x10"+long), "262144 types can't be in the 20 bytes left"},
		"type form":         {wasm(1, "\x01\x5f\x00\x00"), "type form 0x5f is not supported"},
		"value type":        {wasm(1, "\x01\x60\x01\x64\x00"), "value type 0x64 is not supported"},
		"import kind":       {wasm(2, "\x01\x01m\x01t\x04\x00"), "import of unknown kind 4"},
		"import's type":     {wasm(2, "\x01\x01m\x01f\x00\x00"), "function of type 0: there are 0"},
		"function's type":   {wasm(3, "\x01\x01"), "function of type 1: there are 0"},
		"table's type":      {wasm(4, "\x01\x40\x00\x00"), "table element type 0x40"},
		"shared memory":     {wasm(5, "\x01\x03\x01\x01"), "limits 0x3 are not supported"},
		"constant":          {wasm(6, "\x01\x7f\x00\x10\x00\x0b"), "instruction 0x10 in a constant"},
		"long constant":     {wasm(6, "\x01\x7f\x00\x41\x80\x80\x80\x80\x80\x00\x0b"), "longer than 5 bytes"},
		"export kind":       {wasm(7, "\x01\x01a\x04\x00"), "export of unknown kind 4"},
		"export's function": {wasm(7, "\x01\x01a\x00\x09"), `export "a" is function 9: there are 0`},
		"element kind":      {wasm(9, "\x01\x08\x00\x00"), "element segment of unknown kind 8"},
		"elements":          {wasm(9, "\x01\x01\x00\xff\xff\x03"), "65535 elements can't be in the 0 bytes left"},
		"locals":            {wasm(10, "\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b"), "4294967295 locals: at most 50000"},
		"body":              {wasm(10, "\x01\x20\x00"), "32 bytes belong here, 1 are left"},
		"data kind":         {wasm(11, "\x01\x07\x00"), "data segment of unknown kind 7"},
		"data":              {wasm(11, "\x01\x01\xff\xff\x03a"), "65535 bytes belong here, 1 are left"},
		"names":             {wasm(0, "\x04name\x01\x05\xff\xff\xff\xff\x0f"), `section "name": at byte`},
	} {
		_, err := ParseModule(test.wasm)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := ParseModule([]byte("\x00asm\x0d\x00\x01\x00")); !errors.Is(err, ErrComponent) {
		t.Errorf("component: %v", err)
	}
}

func TestTruncatedModules(t *testing.T) {
	whole := rich()
	ends := map[int]bool{len(moduleHeader): true}
	for s := range Sections(whole) {
		ends[s.End] = true
	}
	for n := range whole {
		if _, err := ParseModule(whole[:n]); (err == nil) != ends[n] {
			t.Errorf("prefix of %d bytes: %v", n, err)
		}
	}
}

func TestManifestSections(t *testing.T) {
	if b, ok, err := ReadManifest(rich()); err != nil || !ok || string(b) != "{}" {
		t.Errorf("ReadManifest = %q, %v, %v", b, ok, err)
	}
	if _, ok, err := ReadManifest(wasm(1, "\x00")); err != nil || ok {
		t.Errorf("ReadManifest of a module without = %v, %v", ok, err)
	}
	twice := wasm(0, "\x12edgecache.manifest{}", 0, "\x12edgecache.manifest{}")
	if _, _, err := ReadManifest(twice); err == nil || !strings.Contains(err.Error(), "two edgecache.manifest sections") {
		t.Errorf("ReadManifest of two = %v", err)
	}
	if _, _, err := ReadManifest([]byte("x")); err == nil {
		t.Error("text has a manifest")
	}
	long := []byte(`{"name":"` + strings.Repeat("x", 1000) + `"}`)
	for _, w := range [][]byte{wasm(), rich(), twice} {
		out := AppendManifest(AppendManifest(w, []byte("old")), long)
		if b, ok, err := ReadManifest(out); err != nil || !ok || !bytes.Equal(b, long) {
			t.Errorf("ReadManifest = %.20q, %v, %v", b, ok, err)
		}
		if _, err := ParseModule(out); err != nil {
			t.Error(err)
		}
	}
}

func FuzzModule(f *testing.F) {
	f.Add(rich())
	f.Add(wasm(1, "\x01\x60\x00\x00"))
	f.Add([]byte("\x00asm\x0d\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseModule(b)
		if err != nil {
			return
		}
		if n := len(m.Imports) + len(m.Exports) + len(m.Tables) + len(m.types) + len(m.functions); n > len(b) {
			t.Errorf("%d things in %d bytes", n, len(b))
		}
		clamped, err := m.ClampTables(b, 1000)
		if err != nil {
			return
		}
		c, err := ParseModule(clamped)
		if err != nil {
			t.Fatalf("the clamped module: %v", err)
		}
		for _, table := range c.Tables {
			if !table.HasMax || table.Max > 1000 {
				t.Errorf("table %+v", table)
			}
		}
	})
}

func FuzzSections(f *testing.F) {
	f.Add(rich(), []byte("{}"))
	f.Add([]byte("\x00asm"), []byte{})
	f.Fuzz(func(t *testing.T, b, manifest []byte) {
		if _, _, err := ReadManifest(b); err != nil {
			return
		}
		got, ok, err := ReadManifest(AppendManifest(b, manifest))
		if err != nil || !ok || !bytes.Equal(got, manifest) {
			t.Errorf("ReadManifest = %q, %v, %v, want %q", got, ok, err, manifest)
		}
	})
}
