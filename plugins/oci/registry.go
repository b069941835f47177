package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Options says how to reach a registry.
type Options struct {
	// PlainHTTP speaks HTTP without TLS. It is refused for registries on other machines.
	PlainHTTP bool
	// Username and Password are what the registry asks for. Without a username, Docker's configuration file and the
	// helpers that it names are asked.
	Username, Password string
	// UserAgent is what the registry is told about the program.
	UserAgent string
}

// Reference is a plugin in a registry.
type Reference struct {
	// Tag is the reference by which it was asked for: REGISTRY/REPOSITORY:TAG, or the same as Digest.
	Tag string
	// Digest is the reference that means these bytes for good: REGISTRY/REPOSITORY@sha256:...
	Digest string
}

// Errors that callers tell apart.
var (
	// ErrReference is returned for a reference that can't be one.
	ErrReference = errors.New("a reference is REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:DIGEST")
	// ErrCredentials is returned where the registry wants other credentials than it got, if it got any.
	ErrCredentials = errors.New("the registry refuses without the right credentials")
)

// Push stores p under reference, which must have a tag. It sends what the registry does not have yet, and the tag last:
// until Push has succeeded, the tag means what it meant before.
func Push(ctx context.Context, reference string, p *Plugin, o Options) (Reference, error) {
	ref, err := parseReference(reference)
	if err != nil {
		return Reference{}, err
	}
	if ref.ValidateReferenceAsTag() != nil {
		return Reference{}, fmt.Errorf("%q names no tag: %w; to push, a tag is needed", reference, ErrReference)
	}
	repo, err := o.repository(ref)
	if err != nil {
		return Reference{}, err
	}
	root, err := push(ctx, repo, p, ref.Reference)
	if err != nil {
		return Reference{}, fmt.Errorf("push %s: %w", ref, explain(err))
	}
	return named(ref, root), nil
}

// Pull brings the plugin that reference names. Every byte has been checked: against the digest in reference, if it has
// one, and else against what the registry says that the tag means. Whether the signature is good is for the caller.
func Pull(ctx context.Context, reference string, o Options) (*Plugin, Reference, error) {
	ref, err := parseReference(reference)
	if err != nil {
		return nil, Reference{}, err
	}
	repo, err := o.repository(ref)
	if err != nil {
		return nil, Reference{}, err
	}
	p, root, err := pull(ctx, repo, ref.Reference)
	if err != nil {
		return nil, Reference{}, fmt.Errorf("pull %s: %w", ref, explain(err))
	}
	return p, named(ref, root), nil
}

// explain turns an error of the registry into ErrCredentials where it is that.
func explain(err error) error {
	var response *errcode.ErrorResponse
	refused := errors.As(err, &response) &&
		(response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden)
	if refused || errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	return err
}

// parseReference reads a reference with a tag or a digest. Of both the digest counts.
func parseReference(reference string) (registry.Reference, error) {
	ref, err := registry.ParseReference(reference)
	switch {
	case err != nil:
		return ref, fmt.Errorf("%q: %w: %w", reference, ErrReference, err)
	case ref.Reference == "":
		return ref, fmt.Errorf("%q has neither a tag nor a digest: %w", reference, ErrReference)
	}
	return ref, nil
}

func named(ref registry.Reference, root ocispec.Descriptor) Reference {
	asked := ref.String()
	ref.Reference = root.Digest.String()
	return Reference{Tag: asked, Digest: ref.String()}
}

// repository returns a client of the repository of ref.
func (o Options) repository(ref registry.Reference) (*remote.Repository, error) {
	if o.PlainHTTP && !loopback(ref.Registry) {
		return nil, fmt.Errorf("plain HTTP is only for registries on this machine: %s may be another", ref.Registry)
	}
	credential, err := o.credential(ref)
	if err != nil {
		return nil, err
	}
	client := retry.NewClient()
	client.CheckRedirect = checkRedirect
	header := make(http.Header)
	header.Set("User-Agent", o.UserAgent)
	return &remote.Repository{
		Reference:        ref,
		PlainHTTP:        o.PlainHTTP,
		MaxMetadataBytes: maxArtefact,
		Client:           &auth.Client{Client: client, Header: header, Cache: auth.NewCache(), Credential: credential},
	}, nil
}

// credential returns what finds the credentials for a registry.
func (o Options) credential(ref registry.Reference) (auth.CredentialFunc, error) {
	if o.Username != "" {
		return auth.StaticCredential(ref.Registry, auth.Credential{Username: o.Username, Password: o.Password}), nil
	}
	if _, err := os.UserHomeDir(); err != nil && os.Getenv("DOCKER_CONFIG") == "" {
		return nil, nil // nowhere to look: what is public can be had without
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("credentials in Docker's configuration: %w", err)
	}
	return credentials.Credential(store), nil
}

// loopback reports whether an address can only be this machine's.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// maxRedirects is as many as net/http follows by itself.
const maxRedirects = 10

// checkRedirect follows a registry to where it keeps its blobs, but not out of TLS.
func checkRedirect(to *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= maxRedirects:
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	case via[0].URL.Scheme == "https" && to.URL.Scheme != "https":
		return fmt.Errorf("the registry redirects from https to %s://%s", to.URL.Scheme, to.URL.Host)
	}
	return nil
}

// repository is what a registry offers: a *remote.Repository.
type repository interface {
	content.Storage
	registry.ReferenceFetcher
	registry.ReferencePusher
}

// push stores p's parts where they are not there yet, and its artefact's manifest under tag.
func push(ctx context.Context, to repository, p *Plugin, tag string) (root ocispec.Descriptor, err error) {
	parts, err := p.pack()
	if err != nil {
		return root, err
	}
	last := len(parts) - 1
	for _, part := range parts[:last] {
		there, err := to.Exists(ctx, part.Descriptor)
		if err != nil {
			return root, err
		}
		if there {
			continue
		}
		if err := to.Push(ctx, part.Descriptor, bytes.NewReader(part.content)); err != nil {
			return root, err
		}
	}
	root = parts[last].Descriptor
	return root, to.PushReference(ctx, root, bytes.NewReader(parts[last].content), tag)
}

// pull brings the plugin that reference, a tag or a digest, means.
func pull(ctx context.Context, from repository, reference string) (p *Plugin, root ocispec.Descriptor, err error) {
	root, body, err := from.FetchReference(ctx, reference)
	if err != nil {
		return nil, root, err
	}
	text, err := readRoot(body, root)
	if err != nil {
		return nil, root, err
	}
	a, err := parseArtefact(text)
	if err != nil {
		return nil, root, err
	}
	var manifest, module, signature []byte
	for _, part := range []struct {
		at *ocispec.Descriptor
		to *[]byte
	}{{a.manifest, &manifest}, {a.signature, &signature}, {a.module, &module}} {
		if part.at == nil {
			continue
		}
		if *part.to, err = content.FetchAll(ctx, from, *part.at); err != nil {
			return nil, root, fmt.Errorf("%s %s: %w", part.at.MediaType, part.at.Digest, err)
		}
	}
	p, err = New(module, manifest, signature)
	return p, root, err
}

// readRoot reads and closes the manifest of an artefact.
func readRoot(body io.ReadCloser, root ocispec.Descriptor) ([]byte, error) {
	defer func() { _ = body.Close() }() // it was only read
	switch {
	case root.MediaType != ocispec.MediaTypeImageManifest:
		return nil, fmt.Errorf("is no plugin: it is of type %.80q, a plugin of %q", root.MediaType, ocispec.MediaTypeImageManifest)
	case root.Size > maxArtefact:
		return nil, fmt.Errorf("manifest of the artefact has %d bytes: at most %d are allowed", root.Size, maxArtefact)
	}
	text, err := content.ReadAll(body, root)
	if err != nil {
		return nil, fmt.Errorf("manifest of the artefact: %w", err)
	}
	return text, nil
}
