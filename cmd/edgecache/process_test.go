package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/frontends/admin"
)

// binaryVar is where TestMain tells the tests of this process which binary it built.
const binaryVar = "EDGECACHE_TEST_BINARY"

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

// testMain builds the program once for all tests.
func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "edgecache-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "edgecache")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "go build:", err)
		return 1
	}
	for name, value := range map[string]string{binaryVar: binary, "XDG_CACHE_HOME": filepath.Join(dir, "cache")} {
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// environ is the environment of a child: none of ours or OpenTelemetry's variables but those in set.
func environ(set map[string]string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "EDGECACHE_") && !strings.HasPrefix(v, "OTEL_") {
			env = append(env, v)
		}
	}
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env
}

// result is how a command line ended.
type result struct {
	code        int
	out, errOut string
}

// edgecache runs a command line to its end.
func edgecache(t *testing.T, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv(binaryVar), args...)
	cmd.Env, cmd.Stdin = environ(env), strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("edgecache %q: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// process is a running "edgecache run".
type process struct {
	cmd         *exec.Cmd
	resp, admin string
	ended       chan struct{} // closed when it has ended

	mu  sync.Mutex
	log strings.Builder
}

// start runs "edgecache run" on free ports, waits until it is ready, and stops it at the test's end.
func start(t *testing.T, env map[string]string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Getenv(binaryVar), append([]string{"run"}, args...)...), ended: make(chan struct{})}
	defaults := map[string]string{"EDGECACHE_RESP": "127.0.0.1:0", "EDGECACHE_ADMIN": "127.0.0.1:0"}
	maps.Copy(defaults, env)
	p.cmd.Env = environ(defaults)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go p.read(stderr, ready)
	t.Cleanup(func() { p.stop(t, syscall.SIGTERM) })
	select {
	case <-ready:
	case <-p.ended:
		t.Fatalf("edgecache ended before it was ready:\n%s", p.logged())
	case <-time.After(30 * time.Second):
		t.Fatalf("edgecache is not ready:\n%s", p.logged())
	}
	return p
}

// read keeps the log, finds the addresses in the line that says ready, and waits for the end.
func (p *process) read(stderr io.Reader, ready chan struct{}) {
	addresses := regexp.MustCompile(`msg=ready .*?resp=(\S+) admin=(\S+)`)
	var chunk [4096]byte
	for found := false; ; {
		n, err := stderr.Read(chunk[:])
		p.mu.Lock()
		p.log.Write(chunk[:n])
		if m := addresses.FindStringSubmatch(p.log.String()); m != nil && !found {
			found, p.resp, p.admin = true, m[1], m[2]
			close(ready)
		}
		p.mu.Unlock()
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait() // its state tells
	close(p.ended)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// stop sends a signal and returns the exit code.
func (p *process) stop(t *testing.T, sig os.Signal) int {
	t.Helper()
	_ = p.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
		t.Errorf("edgecache does not stop:\n%s", p.logged())
	}
	return p.cmd.ProcessState.ExitCode()
}

// env is what points the other commands to the process.
func (p *process) env() map[string]string {
	return map[string]string{"EDGECACHE_RESP": p.resp, "EDGECACHE_ADMIN": p.admin}
}

// client returns a Redis client of the process.
func (p *process) client(t *testing.T) *redis.Client {
	t.Helper()
	return client(t, &redis.Options{Addr: p.resp})
}

func client(t *testing.T, o *redis.Options) *redis.Client {
	t.Helper()
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// get asks the admin frontend.
func (p *process) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.admin+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (p *process) stats(t *testing.T) admin.Stats {
	t.Helper()
	var s admin.Stats
	_, body := p.get(t, "/stats")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("stats: %v in %s", err, body)
	}
	return s
}

// eventually asks again and again until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(15 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}
