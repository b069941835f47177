package plugins

import (
	"strings"
	"testing"
)

// TestLoadHTTPRefuses has modules that can't be what their manifests say. Nothing of them runs.
func TestLoadHTTPRefuses(t *testing.T) {
	const manifest = `{"name": "x", "version": "1", "abi": "http/1", "phases": ["request", "event"], "needs": ["log"]}`
	good := []string{
		"edgecache_abi_http_1:>", "ec_buf:i>i", "ec_http:ii>I", "ec_events:i>i", "ec_observe:i>",
	}
	h, _ := newHost(t)
	for _, test := range []struct {
		name, from, to, want string
	}{
		{"marker", "edgecache_abi_http_1:>", "edgecache_abi_hook_1:>", "built for another ABI"},
		{"no marker", "edgecache_abi_http_1:>", "x:>", "edgecache_abi_http_1 is missing"},
		{"no ec_http", "ec_http:ii>I", "x:>", `ec_http is missing: phase "request"`},
		{"no ec_buf", "ec_buf:i>i", "x:>", `ec_buf is missing: phase "request"`},
		{"no ec_observe", "ec_observe:i>", "x:>", `ec_observe is missing: phase "event"`},
		{"type", "ec_http:ii>I", "ec_http:ii>i", "must be (i32, i32) -> i64"},
	} {
		exports := strings.Split(strings.Replace(strings.Join(good, " "), test.from, test.to, 1), " ")
		m := module{exports: exports, memories: [][]uint32{{1}}}
		_, err := h.LoadHTTP(t.Context(), Source{Wasm: m.bytes(), Manifest: []byte(manifest)})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: LoadHTTP = %v, want %q", test.name, err, test.want)
		}
	}
	m := module{exports: good, imports: []string{"edgecache_1.value_read:iii>i"}, memories: [][]uint32{{1}}}
	if _, err := h.LoadHTTP(t.Context(), Source{Wasm: m.bytes(), Manifest: []byte(manifest)}); err == nil || !strings.Contains(err.Error(), "value") {
		t.Errorf("an import that no manifest can ask for: LoadHTTP = %v", err)
	}
}

func TestInspectHTTP(t *testing.T) {
	const manifest = `{"name": "x", "version": "1", "abi": "http/1", "phases": ["response"], "lengthen": true, "needs": ["kv"]}`
	m := module{exports: []string{"edgecache_abi_http_1:>", "ec_buf:i>i", "ec_http:ii>I"}, memories: [][]uint32{{1}}}
	h, _ := newHost(t)
	r := h.Inspect(Source{Wasm: m.bytes(), Manifest: []byte(manifest)})
	if r.Verdict != VerdictOK || strings.Join(r.Grants, " ") != "kv lengthen" || r.Fuel == nil || r.Fuel.PerCall != hookFuel {
		t.Errorf("Inspect = %+v", r)
	}
}
