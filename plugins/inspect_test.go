package plugins

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	h, logged := newHost(t)
	r := h.Inspect(actorSource(`"clock"`, `"clock", "kv", "value"`, `"memory_pages": 8`, `"memory_pages": 300, "fuel": 77`))
	if r.Verdict != VerdictOK || r.Reason != "" || r.Name != "actor" || r.Version != "1" {
		t.Errorf("Inspect = %s: %s, of %s %s", r.Verdict, r.Reason, r.Name, r.Version)
	}
	if want := []string{"kv", "value", "memory_pages"}; !slices.Equal(r.Grants, want) {
		t.Errorf("grants needed: %q, want %q", r.Grants, want)
	}
	if !slices.Contains(r.Exports, InspectedExport{"ec_before", "function", "(i32, i32, i32, i64, i32) -> i64"}) ||
		!slices.Contains(r.Exports, InspectedExport{Name: "memory", Kind: "memory"}) {
		t.Errorf("exports are %+v", r.Exports)
	}
	if !slices.Contains(r.Imports, InspectedImport{Module: "edgecache_1", Name: "log", Kind: "function", Type: "(i32, i32, i32) -> ()", Allowed: true}) {
		t.Errorf("imports are %+v", r.Imports)
	}
	if m := r.Memory; m == nil || m.Min == 0 || m.Max != -1 || m.Limit != 300 {
		t.Errorf("memory is %+v", r.Memory)
	}
	if f := r.Fuel; f == nil || f.PerCall != 77 || f.Functions == 0 || f.Loops == 0 || f.Cost == 0 || f.LargestRun == 0 {
		t.Errorf("fuel is %+v", r.Fuel)
	}
	if r.Size != len(actor) || !strings.HasPrefix(r.Digest, "sha256:") || len(r.Digest) != 7+64 {
		t.Errorf("size %d, digest %s", r.Size, r.Digest)
	}
	if s := logged.String(); s != "" {
		t.Errorf("something was logged: %s", s)
	}
}

func TestInspectDescribesWhatIsRefused(t *testing.T) {
	h, _ := newHost(t)
	m := passing()
	m.imports = append(m.imports, "edgecache_1.kv_delete:ii>i")
	r := h.Inspect(Source{Wasm: m.bytes(), Manifest: []byte(passingManifest)})
	if r.Verdict != VerdictRefused || len(r.Imports) != 1 || r.Imports[0].Allowed ||
		r.Imports[0].Reason != `belongs to capability "kv": list it under needs in the manifest` {
		t.Errorf("Inspect = %+v", r)
	}
}

func TestInspectOfAnything(t *testing.T) {
	h, _ := newHost(t)
	for _, wasm := range [][]byte{nil, {}, []byte("text"), []byte("\x00asm"), []byte("\x00asm\x0d\x00\x01\x00"), actor[:len(actor)/2]} {
		r := h.Inspect(Source{Wasm: wasm})
		if r.Verdict != VerdictRefused || r.Reason == "" {
			t.Errorf("Inspect(%.20q) = %s: %s", wasm, r.Verdict, r.Reason)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("Inspect(%.20q): %v", wasm, err)
		}
	}
}
