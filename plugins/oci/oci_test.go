package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/errdef"

	"github.com/edgecache/edgecache/hostabi"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"), // of http.DefaultTransport
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"))
}

// layout is a registry in a folder.
type layout struct{ *oci.Store }

func newLayout(t testing.TB) layout {
	t.Helper()
	store, err := oci.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return layout{store}
}

func (l layout) PushReference(ctx context.Context, d ocispec.Descriptor, r io.Reader, tag string) error {
	if err := l.Push(ctx, d, r); err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
		return err
	}
	return l.Tag(ctx, d, tag)
}

func (l layout) FetchReference(ctx context.Context, reference string) (d ocispec.Descriptor, r io.ReadCloser, err error) {
	if d, err = l.Resolve(ctx, reference); err != nil {
		return d, nil, err
	}
	r, err = l.Fetch(ctx, d)
	return d, r, err
}

// module is the example plugin hitratio, with its manifest inside.
func module(t testing.TB) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join("..", "..", "wasm-examples", "hitratio", "c", "hitratio.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// bare is the same module without a manifest, and the manifest.
func bare(t testing.TB) (wasm, manifest []byte) {
	t.Helper()
	packed := module(t)
	for s, err := range hostabi.Sections(packed) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Name == hostabi.ManifestSection {
			return append(bytes.Clone(packed[:s.Start]), packed[s.End:]...), s.Body
		}
	}
	t.Fatal("the example has no manifest inside")
	return nil, nil
}

func newPlugin(t testing.TB, module, sidecar, signature []byte) *Plugin {
	t.Helper()
	p, err := New(module, sidecar, signature)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRoundTrip(t *testing.T) {
	wasm, manifest := bare(t)
	other := bytes.Replace(manifest, []byte(`"hitratio"`), []byte(`"renamed"`), 1)
	for name, p := range map[string]*Plugin{
		"manifest inside":                       newPlugin(t, module(t), nil, nil),
		"manifest beside":                       newPlugin(t, wasm, manifest, nil),
		"manifest beside wins":                  newPlugin(t, module(t), other, nil),
		"the same manifest inside and beside":   newPlugin(t, module(t), manifest, nil),
		"signed":                                newPlugin(t, module(t), nil, []byte("signature")),
		"signed, the same manifest beside, too": newPlugin(t, module(t), manifest, []byte("signature")),
	} {
		l := newLayout(t)
		root, err := push(t.Context(), l, p, "1")
		if err != nil {
			t.Fatalf("%s: push: %v", name, err)
		}
		again, err := push(t.Context(), l, p, "2")
		if err != nil || again.Digest != root.Digest {
			t.Errorf("%s: pushed again: %v, %v; want the same digest %v", name, again.Digest, err, root.Digest)
		}
		for _, reference := range []string{"1", "2", root.Digest.String()} {
			got, at, err := pull(t.Context(), l, reference)
			if err != nil || at.Digest != root.Digest {
				t.Errorf("%s: pull %s: %v, %v", name, reference, at.Digest, err)
			} else if diff := cmp.Diff(p, got, cmp.AllowUnexported(Plugin{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: pull %s: (-pushed +pulled)\n%s", name, reference, diff)
			}
		}
	}
}

// TestArtefact shows what other programs see.
func TestArtefact(t *testing.T) {
	parts, err := newPlugin(t, module(t), nil, []byte("signature")).pack()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(parts[len(parts)-1].content, &got); err != nil {
		t.Fatal(err)
	}
	part := func(b blob, title string) map[string]any {
		d := map[string]any{"mediaType": b.MediaType, "digest": b.Digest.String(), "size": float64(len(b.content))}
		if title != "" {
			d["annotations"] = map[string]any{"org.opencontainers.image.title": title}
		}
		return d
	}
	version := newPlugin(t, module(t), nil, nil).Version()
	want := map[string]any{
		"schemaVersion": 2., "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"artifactType": "application/vnd.edgecache.plugin.v1",
		"config":       part(parts[0], ""),
		"layers":       []any{part(parts[1], "hitratio.wasm"), part(parts[2], "hitratio.wasm.minisig")},
		"annotations":  map[string]any{"org.opencontainers.image.title": "hitratio", "org.opencontainers.image.version": version},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("manifest of the artefact (-want +got):\n%s", diff)
	}
}

func TestNewRefuses(t *testing.T) {
	wasm, manifest := bare(t)
	for _, tt := range []struct {
		name                       string
		module, sidecar, signature []byte
		want                       string
	}{
		{"no module", nil, manifest, nil, "module ends within its header"},
		{"no WebAssembly", []byte("#!/bin/sh"), manifest, nil, "is no WebAssembly module"},
		{"a component", []byte("\x00asm\x0d\x00\x01\x00"), manifest, nil, "is a component"},
		{"no plugin", []byte("\x00asm\x01\x00\x00\x00"), manifest, nil, "is this a plugin?"},
		{"a module that is cut", wasm[:len(wasm)-1], manifest, nil, "bytes belong here"},
		{"no manifest", wasm, nil, nil, "module has no manifest"},
		{"a bad manifest inside", hostabi.AppendManifest(wasm, []byte("{}")), nil, nil, `name ""`},
		{"a bad manifest beside", module(t), []byte("["), nil, "manifest: the JSON ends too soon"},
		{"two manifests inside", append(module(t), hostabi.AppendManifest(wasm[:8], manifest)[8:]...), nil, nil, "has two"},
		{"signed without its manifest", wasm, manifest, []byte("s"), ErrManifestOutside.Error()},
		{"signed with another manifest", module(t), append([]byte(" "), manifest...), []byte("s"), ErrManifestOutside.Error()},
		{"a signature that is none", module(t), nil, make([]byte, MaxSignature+1), "signature of 16385 bytes"},
	} {
		if _, err := New(tt.module, tt.sidecar, tt.signature); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// artefactText returns the manifest of a good artefact in which texts were replaced.
func artefactText(t testing.TB, oldnew ...string) string {
	t.Helper()
	parts, err := newPlugin(t, module(t), nil, []byte("signature")).pack()
	if err != nil {
		t.Fatal(err)
	}
	text := string(parts[len(parts)-1].content)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("there is no %q in %s", oldnew[i], text)
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

func TestParseArtefactRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "EOF"},
		{"cut", artefactText(t)[:100], "unexpected EOF"},
		{"followed", artefactText(t) + "{}", "something follows the JSON object"},
		{"another schema", artefactText(t, `"schemaVersion":2`, `"schemaVersion":1`), "schema version 1"},
		{"an image", artefactText(t, ArtifactType, "application/vnd.oci.empty.v1+json"), "is no plugin"},
		{"another config", artefactText(t, MediaTypeManifest, "application/json"), `config is of type "application/json"`},
		{"no module", artefactText(t, MediaTypeModule, "application/x-sh"), `no layer of type "application/wasm"`},
		{"two modules", artefactText(t, MediaTypeSignature, MediaTypeModule), `two layers of type "application/wasm"`},
		{"an empty part", artefactText(t, `"size":9,`, `"size":0,`), "signature of 0 bytes"},
		{"a negative size", artefactText(t, `"size":9,`, `"size":-9,`), "signature of -9 bytes"},
		{"a huge size", artefactText(t, `"size":9,`, `"size":4611686018427387904,`), "1 to 16384 are possible"},
		{"a size beyond all", artefactText(t, `"size":9,`, `"size":1e300,`), "number 1e300"},
		{"a path as a digest", artefactText(t, "sha256:", "../../sha256:"), "invalid checksum digest format"},
		{"an unknown digest", artefactText(t, "sha256:", "md5:"), "unsupported digest algorithm"},
	} {
		if _, err := parseArtefact([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	more := artefactText(t, `"layers":[`, `"layers":[{"mediaType":"text/plain","digest":"x","size":-1},`)
	if a, err := parseArtefact([]byte(more)); err != nil || a.module == nil || a.signature == nil || a.manifest == nil {
		t.Errorf("with a layer of another kind: %+v, %v; want all parts", a, err)
	}
}

func FuzzParseArtefact(f *testing.F) {
	f.Add([]byte(artefactText(f)))
	f.Add([]byte(artefactText(f, `"size":9,`, `"size":-1,`)))
	f.Add([]byte(`{"schemaVersion":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := parseArtefact(text)
		if err != nil {
			return
		}
		if a.manifest == nil || a.module == nil {
			t.Fatalf("a part is missing: %+v", a)
		}
		for _, part := range []*ocispec.Descriptor{a.manifest, a.module, a.signature} {
			if part != nil && (part.Size < 1 || part.Size > hostabi.MaxModule || part.Digest.Validate() != nil) {
				t.Errorf("part %+v was let pass", part)
			}
		}
	})
}
