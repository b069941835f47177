package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/edgecache/edgecache/internal/config"
)

// fileServing is a running "edgecache files".
type fileServing struct {
	t             *testing.T
	cmd           *exec.Cmd
	listen, admin string
	rest          *bytes.Buffer // of the log
	ended         chan struct{}
}

// serveFolder runs "edgecache files" on free ports and waits until it is ready.
func serveFolder(t *testing.T, folder string, args ...string) *fileServing {
	t.Helper()
	args = append([]string{"files", folder, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)
	p := &fileServing{t: t, cmd: exec.Command(os.Getenv(binaryVar), args...), rest: new(bytes.Buffer), ended: make(chan struct{})}
	p.cmd.Env = environ(nil)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	addresses := regexp.MustCompile(`msg=ready .*?listen=(\S+) admin=(\S+)`)
	var log []byte
	for p.listen == "" {
		var chunk [1024]byte
		n, err := stderr.Read(chunk[:])
		log = append(log, chunk[:n]...)
		if m := addresses.FindSubmatch(log); m != nil {
			p.listen, p.admin = string(m[1]), string(m[2])
		} else if err != nil {
			t.Fatalf("edgecache ended before it was ready: %s", log)
		}
	}
	timer.Stop()
	go func() {
		_, _ = io.Copy(p.rest, stderr)
		_ = p.cmd.Wait() // its state tells
		close(p.ended)
	}()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	return p
}

func (p *fileServing) get(url string, headers ...string) (status int, header http.Header, body string) {
	p.t.Helper()
	q, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(b)
}

func TestFilesCommand(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "index.html")
	if err := os.WriteFile(path, []byte(strings.Repeat("<p>hello", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serveFolder(t, folder, "--cache-control", "public, max-age=60", "--encodings", "gzip")
	status, header, body := p.get("http://"+p.listen+"/", "Accept-Encoding", "br, gzip")
	if status != 200 || header.Get("Content-Encoding") != "gzip" || header.Get("Cache-Control") != "public, max-age=60" || len(body) > 1000 {
		t.Errorf("status %d, %v, %d bytes", status, header, len(body))
	}
	if status, _, _ := p.get("http://"+p.listen+"/", "Accept-Encoding", "gzip", "If-None-Match", header.Get("Etag")); status != 304 {
		t.Errorf("status %d, want 304", status)
	}
	if err := os.WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for body != "new" && time.Now().Before(deadline) {
		_, _, body = p.get("http://" + p.listen + "/")
	}
	if body != "new" {
		t.Errorf("a change is not noticed: %q", body)
	}
	_, _, text := p.get("http://" + p.admin + "/stats")
	var stats struct {
		Commands uint64
		Files    struct {
			Requests, Invalidations int64
			NotModified             int64 `json:"not_modified"`
			Watching                bool
		}
	}
	if err := json.Unmarshal([]byte(text), &stats); err != nil || stats.Files.Requests < 3 || stats.Files.NotModified != 1 ||
		stats.Files.Invalidations == 0 || !stats.Files.Watching || stats.Commands == 0 {
		t.Errorf("/stats has %s: %+v, %v", text, stats, err)
	}
	if _, _, text := p.get("http://" + p.admin + "/metrics"); !strings.Contains(text, "edgecache_commands_total") {
		t.Errorf("/metrics has %q", text)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("edgecache does not stop")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 || !strings.Contains(p.rest.String(), "msg=stopped") {
		t.Errorf("exit code %d, log %q", code, p.rest)
	}
}

func TestFilesCommandRefuses(t *testing.T) {
	folder := t.TempDir()
	for want, args := range map[string][]string{
		"DIR is missing":           {},
		"no such file":             {filepath.Join(folder, "none")},
		"lzma":                     {folder, "--encodings", "lzma"},
		"off would serve nothing":  {folder, "--listen", "off"},
		"syntax error in pattern":  {folder, "--ignore", "["},
		"--watch":                  {folder, "--watch", filepath.Join(folder, "none", "x")},
		"one line":                 {folder, "--cache-control", "a\nb"},
		"--listen (EDGECACHE_LIST": {folder, "--listen", "256.0.0.1:80"},
	} {
		if len(args) == 1 || len(args) == 3 && args[1] != "--listen" {
			args = append(args, "--listen", "127.0.0.1:0")
		}
		got := edgecache(t, nil, "", append([]string{"files"}, args...)...)
		if got.code == exitOK || !strings.Contains(got.errOut, want) {
			t.Errorf("edgecache files %q = %+v, want %q", args, got, want)
		}
	}
}

// TestFilesFlagsAreDocumented holds docs/FILES.md to the flags.
func TestFilesFlagsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "FILES.md"))
	if err != nil {
		t.Fatal(err)
	}
	fs := pflag.NewFlagSet("files", pflag.ContinueOnError)
	config.NewFiles().Bind(fs)
	fs.VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(string(text), "`--"+f.Name) {
			t.Errorf("docs/FILES.md does not tell of --%s", f.Name)
		}
	})
}
