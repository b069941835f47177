package files

import (
	"bytes"
	"compress/zlib"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// past is when files of tests were last changed, unless they are changed.
func past() time.Time { return time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC) }

const pastHeader = "Mon, 06 May 2024 07:08:09 GMT"

// text is a compressible text of n bytes.
func text(n int) string {
	return strings.Repeat("the quick brown fox jumps over the lazy dog. ", n/45+1)[:n]
}

func newCache(t testing.TB) *core.Cache {
	t.Helper()
	backend, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	})
	return cache
}

// site is a folder that is served by a real server.
type site struct {
	t testing.TB
	*Handler
	server *httptest.Server
	client *http.Client
}

// serve writes files, name and content by turns, into a folder and serves it as o says.
func serve(t testing.TB, o Options, files ...string) *site {
	t.Helper()
	if o.Root == "" {
		o.Root = t.TempDir()
	}
	s := &site{t: t}
	for i := 0; i < len(files); i += 2 {
		write(t, filepath.Join(o.Root, files[i]), files[i+1])
	}
	if o.Cache == nil {
		o.Cache = newCache(t)
	}
	if o.Debounce == 0 {
		o.Debounce = 5 * time.Millisecond
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Handler, s.server = h, httptest.NewServer(h)
	t.Cleanup(s.server.Close)
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// write writes a file as of long ago.
func write(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
	must(t, os.Chtimes(path, past(), past()))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply is an answer with its body.
type reply struct {
	*http.Response
	body string
}

// ask sends a request whose headers are name and value by turns.
func (s *site) ask(method, path string, headers ...string) reply {
	s.t.Helper()
	q, err := http.NewRequest(method, s.server.URL, nil)
	must(s.t, err)
	q.URL.Opaque = path // sent as it is
	for i := 0; i < len(headers); i += 2 {
		q.Header.Add(headers[i], headers[i+1])
	}
	answer, err := s.client.Do(q)
	must(s.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(s.t, err)
	return reply{answer, string(body)}
}

func (s *site) get(path string, headers ...string) reply {
	s.t.Helper()
	return s.ask(http.MethodGet, path, headers...)
}

// wait waits until done holds: what it asks for depends on when the system tells of a change.
func (s *site) wait(what string, done func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			s.t.Fatalf("%s: not within 10 s; %+v", what, s.Stats())
		}
	}
}

// decode undoes a content coding.
func decode(t testing.TB, coding, body string) string {
	t.Helper()
	var r io.Reader
	var err error
	in := strings.NewReader(body)
	switch coding {
	case "":
		return body
	case "br":
		r = brotli.NewReader(in)
	case "gzip":
		r, err = gzip.NewReader(in)
	case "zstd":
		r, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
	case "deflate":
		r, err = zlib.NewReader(in)
	default:
		t.Fatalf("coding %q", coding)
	}
	must(t, err)
	var b bytes.Buffer
	_, err = io.Copy(&b, r)
	must(t, err)
	return b.String()
}
