package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"github.com/edgecache/edgecache/hostabi"
)

// maxArtefact is how long an artefact's manifest may be, in bytes.
const maxArtefact = 256 << 10

// blob is a part of an artefact and its content.
type blob struct {
	ocispec.Descriptor
	content []byte
}

// newBlob returns content as a part. title is the file name that other programs than ours give it, "" if none.
func newBlob(mediaType, title string, data []byte) blob {
	b := blob{content.NewDescriptorFromBytes(mediaType, data), data}
	if title != "" {
		b.Annotations = map[string]string{ocispec.AnnotationTitle: title}
	}
	return b
}

// pack returns the parts of a plugin, its artefact's manifest last. The same plugin gives the same bytes: nothing is said
// about when and where it was packed.
func (p *Plugin) pack() ([]blob, error) {
	parts := []blob{
		newBlob(MediaTypeManifest, "", p.Manifest),
		newBlob(MediaTypeModule, p.name+".wasm", p.Module),
	}
	if p.Signature != nil {
		parts = append(parts, newBlob(MediaTypeSignature, p.name+".wasm.minisig", p.Signature))
	}
	m := ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: ArtifactType,
		Config:       parts[0].Descriptor,
		Annotations:  map[string]string{ocispec.AnnotationTitle: p.name, ocispec.AnnotationVersion: p.version},
	}
	for _, layer := range parts[1:] {
		m.Layers = append(m.Layers, layer.Descriptor)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return append(parts, newBlob(m.MediaType, "", text)), nil
}

// artefact says where the parts of a plugin are. signature is nil if there is none.
type artefact struct {
	manifest, module, signature *ocispec.Descriptor
}

// parseArtefact reads an artefact's manifest, which may be anybody's. Layers of other types than ours are passed over.
func parseArtefact(text []byte) (a artefact, err error) {
	var m ocispec.Manifest
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&m); err != nil {
		return a, fmt.Errorf("manifest of the artefact: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return a, fmt.Errorf("manifest of the artefact: something follows the JSON object at byte %d", d.InputOffset())
	}
	switch {
	case m.SchemaVersion != 2:
		return a, fmt.Errorf("manifest of the artefact: schema version %d: only 2 is known", m.SchemaVersion)
	case m.ArtifactType != ArtifactType:
		return a, fmt.Errorf("is no plugin: it has the artefact type %.80q, a plugin has %q", m.ArtifactType, ArtifactType)
	case m.Config.MediaType != MediaTypeManifest:
		return a, fmt.Errorf("its config is of type %.80q: it must be %q", m.Config.MediaType, MediaTypeManifest)
	}
	a.manifest = &m.Config
	for i := range m.Layers {
		if err := a.take(&m.Layers[i]); err != nil {
			return a, err
		}
	}
	return a, a.check()
}

// take keeps a layer that is a part of a plugin.
func (a *artefact) take(layer *ocispec.Descriptor) error {
	to := &a.module
	switch layer.MediaType {
	case MediaTypeModule:
	case MediaTypeSignature:
		to = &a.signature
	default:
		return nil
	}
	if *to != nil {
		return fmt.Errorf("it has two layers of type %q: which one counts is not known", layer.MediaType)
	}
	*to = layer
	return nil
}

// check reports a part that is missing or can't be what it should be.
func (a *artefact) check() error {
	if a.module == nil {
		return fmt.Errorf("it has no layer of type %q", MediaTypeModule)
	}
	for _, part := range []struct {
		what string
		at   *ocispec.Descriptor
		most int64
	}{{"manifest", a.manifest, hostabi.MaxManifest}, {"module", a.module, hostabi.MaxModule}, {"signature", a.signature, MaxSignature}} {
		if part.at == nil {
			continue
		}
		if part.at.Size < 1 || part.at.Size > part.most {
			return fmt.Errorf("%s of %d bytes: 1 to %d are possible", part.what, part.at.Size, part.most)
		}
		if err := part.at.Digest.Validate(); err != nil {
			return fmt.Errorf("%s: digest %.80q: %w", part.what, part.at.Digest, err)
		}
	}
	return nil
}
