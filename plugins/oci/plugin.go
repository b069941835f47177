// Package oci keeps plugins in OCI registries: a plugin is one artefact, and the digest of its manifest names it for good.
package oci

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/edgecache/edgecache/hostabi"
)

// What an artefact is made of. It is an image manifest of version 1.1 whose config is the plugin's manifest, with the
// module as a layer and, if the plugin is signed, the signature as another.
const (
	ArtifactType       = "application/vnd.edgecache.plugin.v1"
	MediaTypeManifest  = "application/vnd.edgecache.plugin.manifest.v1+json"
	MediaTypeModule    = "application/wasm"
	MediaTypeSignature = "application/vnd.edgecache.plugin.minisign.v1"
)

// MaxSignature is how long a signature may be, in bytes.
const MaxSignature = 16 << 10

// Plugin is what an artefact holds. It is made by New or Pull, and not changed afterwards.
type Plugin struct {
	// Module is the core module.
	Module []byte
	// Manifest is the plugin's manifest, as it was written.
	Manifest []byte
	// Signature is a minisign signature of Module, or nil. That it has the right form is all that is known about it.
	Signature []byte
	// Inside says that Manifest is the one that stands in Module, so that the module needs no file beside it.
	Inside bool

	name, version string
}

// New returns a plugin that is fit to be pushed. sidecar is the manifest beside the module, which wins over the one
// inside, or nil. A signature is only good for a module that has its manifest inside: a signed module whose manifest can
// be exchanged could be given hooks and capabilities that its signer never meant. The plugin keeps the slices.
func New(module, sidecar, signature []byte) (*Plugin, error) {
	parsed, err := hostabi.ParseModule(module)
	if err != nil {
		return nil, fmt.Errorf("module: %w", err)
	}
	if parsed.Export(hostabi.ExportMarker) == nil && parsed.Export(hostabi.ExportPolicyMarker) == nil {
		return nil, fmt.Errorf("module: export %s is missing: is this a plugin?", hostabi.ExportMarker)
	}
	p := &Plugin{Module: module, Manifest: sidecar, Signature: signature}
	m, err := p.readManifest()
	if err != nil {
		return nil, err
	}
	p.name, p.version = m.Name, m.Version
	switch {
	case parsed.Export(m.Marker()) == nil:
		return nil, fmt.Errorf("module: export %s is missing, of abi %q in the manifest", m.Marker(), m.ABI)
	case len(signature) > MaxSignature:
		return nil, fmt.Errorf("signature of %d bytes: at most %d are allowed", len(signature), MaxSignature)
	case signature != nil && !p.Inside:
		return nil, ErrManifestOutside
	}
	return p, nil
}

// ErrManifestOutside is returned for a signed module whose manifest is not the one inside, and so is not signed.
var ErrManifestOutside = errors.New("the plugin is signed but its manifest, which stands outside of the module, is not: " +
	"put it into the module before signing (edgecache plugin pack)")

// readManifest finds the manifest, if it is not given, and reads it.
func (p *Plugin) readManifest() (*hostabi.Manifest, error) {
	inside, ok, err := hostabi.ReadManifest(p.Module)
	if err != nil {
		return nil, fmt.Errorf("module: %w", err)
	}
	if p.Manifest == nil {
		if !ok {
			return nil, fmt.Errorf("module has no manifest: put it into section %s (edgecache plugin pack), or beside the module into a "+
				"file with %s added to its name", hostabi.ManifestSection, hostabi.ManifestSuffix)
		}
		p.Manifest = inside
	}
	p.Inside = ok && bytes.Equal(p.Manifest, inside)
	return hostabi.ParseManifest(p.Manifest)
}

// Name returns the plugin's name, which is safe to be a file's.
func (p *Plugin) Name() string { return p.name }

// Version returns the plugin's version, as its author wrote it.
func (p *Plugin) Version() string { return p.version }
