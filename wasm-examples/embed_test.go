package examples

import (
	"bytes"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

func TestLookup(t *testing.T) {
	for _, name := range Names() {
		wasm, manifest, ok := Lookup(name)
		if !ok {
			t.Fatalf("Lookup(%q) finds nothing", name)
		}
		inside, ok, err := hostabi.ReadManifest(wasm)
		if err != nil || !ok || !bytes.Equal(inside, manifest) {
			t.Errorf("%s: the module's manifest is not manifest.json: build it again", name)
		}
		m, err := hostabi.ParseManifest(manifest)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m.Name != name {
			t.Errorf("%s: the manifest's name is %q", name, m.Name)
		}
	}
	for _, name := range []string{"", "none", "../hostabi", "hitratio/c"} {
		if _, _, ok := Lookup(name); ok {
			t.Errorf("Lookup(%q) finds something", name)
		}
	}
}
