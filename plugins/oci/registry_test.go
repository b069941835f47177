package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"

	"github.com/edgecache/edgecache/internal/testserver"
)

// plain is for registries on loopback.
func plain() Options { return Options{PlainHTTP: true, UserAgent: "edgecache/test"} }

// withoutDocker keeps the credentials of whoever runs the test out of it.
func withoutDocker(t *testing.T) string {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	return dir
}

func TestRegistry(t *testing.T) {
	withoutDocker(t)
	s := testserver.Registry(t, "")
	repository := s.Addr() + "/team/hitratio"
	wasm, manifest := bare(t)
	first, second := newPlugin(t, wasm, manifest, nil), newPlugin(t, module(t), nil, []byte("signature"))

	ref, err := Push(t.Context(), repository+":latest", first, plain())
	if err != nil {
		t.Fatal(err)
	}
	if ref.Tag != repository+":latest" || !strings.HasPrefix(ref.Digest, repository+"@sha256:") {
		t.Errorf("Push = %+v", ref)
	}
	moved, err := Push(t.Context(), repository+":latest", second, plain())
	if err != nil {
		t.Fatal(err)
	}
	for reference, want := range map[string]*Plugin{
		ref.Digest:             first,
		repository + ":latest": second,
		moved.Digest:           second,
		repository + ":ignored@" + strings.SplitAfter(ref.Digest, "@")[1]: first,
	} {
		got, at, err := Pull(t.Context(), reference, plain())
		if err != nil {
			t.Errorf("Pull(%s): %v", reference, err)
		} else if !bytes.Equal(got.Module, want.Module) || !bytes.Equal(got.Manifest, want.Manifest) || !bytes.Equal(got.Signature, want.Signature) {
			t.Errorf("Pull(%s) = another plugin, %+v", reference, at)
		}
	}
	for reference, want := range map[string]error{
		repository + ":absent":                               errdef.ErrNotFound,
		repository + "@sha256:" + strings.Repeat("0", 64):    errdef.ErrNotFound,
		s.Addr() + "/nobody/nothing:1":                       errdef.ErrNotFound,
		repository:                                           ErrReference,
		"hitratio:1":                                         ErrReference,
		repository + "@sha256:00":                            ErrReference,
		repository + ":../../x":                              ErrReference,
		"user:password@" + repository + ":1":                 ErrReference,
		strings.ToUpper(repository) + "/Upper:1":             ErrReference,
		"http://" + repository + ":1":                        ErrReference,
		repository + "@md5:d41d8cd98f00b204e9800998ecf8427e": ErrReference,
	} {
		if _, _, err := Pull(t.Context(), reference, plain()); !errors.Is(err, want) {
			t.Errorf("Pull(%s): %v, want %v", reference, err, want)
		}
	}
	if _, err := Push(t.Context(), ref.Digest, first, plain()); !errors.Is(err, ErrReference) {
		t.Errorf("Push to a digest: %v, want %v", err, ErrReference)
	}
}

func TestCredentials(t *testing.T) {
	docker := withoutDocker(t)
	users := filepath.Join(t.TempDir(), "users")
	// bcrypt of "secret".
	write(t, users, "ann:$2a$04$..oDD231ePdVtzqEqSn.LOikUgwvmEtkq.Xz5LsoxcpTc8cf3sqse\n")
	s := testserver.Registry(t, fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", users))
	reference := s.Addr() + "/hitratio:1"
	p := newPlugin(t, module(t), nil, nil)
	try := func(what, user, password string, want error) {
		t.Helper()
		o := plain()
		o.Username, o.Password = user, password
		if _, err := Push(t.Context(), reference, p, o); !errors.Is(err, want) {
			t.Errorf("Push %s: %v, want %v", what, err, want)
		}
		if _, _, err := Pull(t.Context(), reference, o); !errors.Is(err, want) {
			t.Errorf("Pull %s: %v, want %v", what, err, want)
		}
	}
	try("without credentials", "", "", ErrCredentials)
	try("with a wrong password", "ann", "guess", ErrCredentials)
	try("with the right one", "ann", "secret", nil)
	// base64 of ann:secret
	write(t, filepath.Join(docker, "config.json"), fmt.Sprintf(`{"auths": {%q: {"auth": "YW5uOnNlY3JldA=="}}}`, s.Addr()))
	try("with Docker's configuration", "", "", nil)
	try("with a wrong password beside Docker's configuration", "ann", "guess", ErrCredentials)
	write(t, filepath.Join(docker, "config.json"), `{"auths": [`)
	if _, _, err := Pull(t.Context(), reference, plain()); err == nil || !strings.Contains(err.Error(), "Docker's configuration") {
		t.Errorf("with a broken configuration of Docker: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNobodyLoggedIn(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("DOCKER_CONFIG", "")
	s := testserver.Registry(t, "")
	if _, err := Push(t.Context(), s.Addr()+"/hitratio:1", newPlugin(t, module(t), nil, nil), plain()); err != nil {
		t.Errorf("without a home: %v", err)
	}
}

// TestInterruptedPush breaks the connection while the artefact's manifest is sent: the tag stays what it was.
func TestInterruptedPush(t *testing.T) {
	withoutDocker(t)
	s := testserver.Registry(t, "")
	behind, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	honest := func(*http.Request) bool { return false }
	var broken atomic.Pointer[func(*http.Request) bool]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if (*broken.Load())(q) {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, q) // keeps the host, so that the registry sends uploads through here, too
	}))
	defer front.Close()
	reference := strings.TrimPrefix(front.URL, "http://") + "/hitratio:1"
	wasm, manifest := bare(t)
	first, second := newPlugin(t, wasm, manifest, nil), newPlugin(t, module(t), nil, []byte("signature"))
	broken.Store(&honest)
	want, err := Push(t.Context(), reference, first, plain())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct { // in this order: what was uploaded once is not uploaded again
		name string
		at   func(*http.Request) bool
	}{
		{"the check", func(q *http.Request) bool { return q.Method == http.MethodHead }},
		{"an upload", func(q *http.Request) bool {
			return q.Method == http.MethodPut && strings.Contains(q.URL.Path, "/blobs/")
		}},
		{"the manifest", func(q *http.Request) bool {
			return q.Method == http.MethodPut && strings.Contains(q.URL.Path, "/manifests/")
		}},
	} {
		name := test.name
		broken.Store(&test.at)
		if ref, err := Push(t.Context(), reference, second, plain()); err == nil {
			t.Errorf("a push broken off at %s succeeded: %+v", name, ref)
		}
		broken.Store(&honest)
		if _, got, err := Pull(t.Context(), reference, plain()); err != nil || got.Digest != want.Digest {
			t.Errorf("after a push broken off at %s the tag means %v, %v; want %v", name, got.Digest, err, want.Digest)
		}
	}
	if got, err := Push(t.Context(), reference, second, plain()); err != nil || got.Digest == want.Digest {
		t.Errorf("after that, Push = %+v, %v", got, err)
	}
}

// liar is a registry with one plugin, which may answer a path otherwise than it should.
type liar struct {
	blobs map[string]blob // by path
	root  string          // path of the artefact's manifest
	lie   func(w http.ResponseWriter, path string, honest []byte) (lied bool)
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	parts, err := newPlugin(t, module(t), nil, []byte("signature")).pack()
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{blobs: make(map[string]blob)}
	for _, b := range parts {
		l.blobs["/v2/hitratio/blobs/"+b.Digest.String()] = b
	}
	root := parts[len(parts)-1]
	l.root = "/v2/hitratio/manifests/" + root.Digest.String()
	l.blobs[l.root], l.blobs["/v2/hitratio/manifests/1"] = root, root
	return l
}

func (l *liar) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	b, ok := l.blobs[q.URL.Path]
	if !ok {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Type", b.MediaType)
	if l.lie == nil || !l.lie(w, b.MediaType, b.content) {
		_, _ = w.Write(b.content)
	}
}

// about lies about the parts of one type.
func about(mediaType string, lie func(w http.ResponseWriter, honest []byte)) func(http.ResponseWriter, string, []byte) bool {
	return func(w http.ResponseWriter, got string, honest []byte) bool {
		if got == mediaType {
			lie(w, honest)
		}
		return got == mediaType
	}
}

const rootType = "application/vnd.oci.image.manifest.v1+json"

func TestLiesAreFound(t *testing.T) {
	withoutDocker(t)
	flip := func(w http.ResponseWriter, honest []byte) {
		b := bytes.Clone(honest)
		b[len(b)/2] ^= 1
		_, _ = w.Write(b)
	}
	cut := func(w http.ResponseWriter, honest []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(honest)))
		_, _ = w.Write(honest[:len(honest)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	short := func(w http.ResponseWriter, honest []byte) { _, _ = w.Write(honest[:len(honest)-1]) }
	endless := func(w http.ResponseWriter, honest []byte) { // 80 MB and more, unless the client goes
		for n := 0; n < 80<<20; n += len(honest) {
			if _, err := w.Write(honest); err != nil {
				return
			}
		}
	}
	instead := func(mediaType, text string) func(http.ResponseWriter, []byte) {
		return func(w http.ResponseWriter, _ []byte) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = io.WriteString(w, text)
		}
	}
	withHeader := func(key, value string) func(http.ResponseWriter, []byte) {
		return func(w http.ResponseWriter, honest []byte) {
			w.Header().Set(key, value)
			_, _ = w.Write(honest)
		}
	}
	zero := "sha256:" + strings.Repeat("0", 64)
	for _, tt := range []struct {
		name, byTag, byDigest string // the error's text
		lie                   func(http.ResponseWriter, string, []byte) bool
		is                    error // of both, if not nil
	}{
		{"module changed", "mismatched digest", "mismatched digest", about(MediaTypeModule, flip), content.ErrMismatchedDigest},
		{"module cut", "unexpected EOF", "unexpected EOF", about(MediaTypeModule, cut), io.ErrUnexpectedEOF},
		{"module shorter", "Content-Length", "Content-Length", about(MediaTypeModule, short), nil},
		{"module endless", "trailing data", "trailing data", about(MediaTypeModule, endless), content.ErrTrailingData},
		{"module under another digest", "digest mismatch", "digest mismatch", about(MediaTypeModule, withHeader("Docker-Content-Digest", zero)), nil},
		{"manifest changed", "mismatched digest", "mismatched digest", about(MediaTypeManifest, flip), content.ErrMismatchedDigest},
		{"signature changed", "mismatched digest", "mismatched digest", about(MediaTypeSignature, flip), content.ErrMismatchedDigest},
		{"root cut", "unexpected EOF", "unexpected EOF", about(rootType, cut), io.ErrUnexpectedEOF},
		{"root endless", "Content-Length", "Content-Length", about(rootType, endless), nil},
		{"root too large", "at most 262144 are allowed", "digest mismatch", about(rootType, func(w http.ResponseWriter, honest []byte) {
			w.Header().Set("Docker-Content-Digest", zero)
			w.Header().Set("Content-Length", "1000000000000")
			_, _ = w.Write(honest)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}), nil},
		{"root under another digest", "mismatched digest", "digest mismatch", about(rootType, withHeader("Docker-Content-Digest", zero)), nil},
		{"root is an index", "is no plugin", "digest mismatch", about(rootType, instead("application/vnd.oci.image.index.v1+json", `{"schemaVersion":2}`)), nil},
		{"a page for people", "is no plugin", "digest mismatch", about(rootType, instead("text/html", "<h1>Log in</h1>")), nil},
		{"another artefact", "is no plugin", "digest mismatch", about(rootType, instead(rootType, `{"schemaVersion":2}`)), nil},
		{"denied", "403", "403", about(rootType, func(w http.ResponseWriter, _ []byte) { w.WriteHeader(403) }), ErrCredentials},
		{"no blob", "not found", "not found", about(MediaTypeModule, func(w http.ResponseWriter, _ []byte) { w.WriteHeader(404) }), errdef.ErrNotFound},
		{"redirected in circles", "stopped after 10 redirects", "stopped after 10 redirects", about(rootType, func(w http.ResponseWriter, _ []byte) {
			w.Header().Set("Location", "?")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLiar(t)
			front := httptest.NewServer(l)
			defer front.Close()
			repository := strings.TrimPrefix(front.URL, "http://") + "/hitratio"
			byDigest := repository + "@" + strings.TrimPrefix(l.root, "/v2/hitratio/manifests/")
			for _, reference := range []string{repository + ":1", byDigest} {
				if _, _, err := Pull(t.Context(), reference, plain()); err != nil {
					t.Fatalf("honestly: %v", err)
				}
			}
			l.lie = tt.lie
			for reference, want := range map[string]string{repository + ":1": tt.byTag, byDigest: tt.byDigest} {
				p, _, err := Pull(t.Context(), reference, plain())
				if p != nil || err == nil || !strings.Contains(err.Error(), want) || tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("Pull(%s) = %v, %v; want %q", reference, p, err, want)
				}
			}
		})
	}
}

// TestSilentRegistry answers nothing: the caller's time is all that is waited.
func TestSilentRegistry(t *testing.T) {
	withoutDocker(t)
	over := make(chan struct{})
	front := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer front.Close()
	defer close(over)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := Pull(ctx, strings.TrimPrefix(front.URL, "http://")+"/hitratio:1", plain())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Pull: %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestPlainHTTPStaysHere(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:5000": true, "127.9.9.9": true, "[::1]:5000": true,
		"registry.example": false, "localhost.example:5000": false, "10.0.0.1:5000": false, "127.0.0.1.example": false, "0.0.0.0:5000": false,
	} {
		if got := loopback(host); got != want {
			t.Errorf("loopback(%q) = %v, want %v", host, got, want)
		}
	}
	if _, _, err := Pull(t.Context(), "registry.example/hitratio:1", plain()); err == nil || !strings.Contains(err.Error(), "plain HTTP") {
		t.Errorf("plain HTTP to another machine: %v", err)
	}
	request := func(address string) *http.Request {
		return httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	}
	if err := checkRedirect(request("http://b.example/"), []*http.Request{request("https://a.example/")}); err == nil {
		t.Error("a redirect out of TLS was followed")
	}
	if err := checkRedirect(request("https://b.example/"), []*http.Request{request("https://a.example/")}); err != nil {
		t.Errorf("a redirect within TLS: %v", err)
	}
}
