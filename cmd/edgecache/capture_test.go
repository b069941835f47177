package main

import (
	"bytes"
	bin "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/observers/capture"
)

// source writes a trace of 10,000 requests and returns its path and its keys.
func source(t *testing.T) (path string, keys []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "source.txt")
	if got := edgecache(t, nil, "", "trace", "gen", "zipf:0.9,2000,9000 + scan:1000", path, "--seed", "3"); got.code != 0 {
		t.Fatal(got)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, strings.Fields(string(text))
}

// replay asks a cache for keys as its clients do: what is missed is set.
func replay(t *testing.T, c *redis.Client, keys []string) {
	t.Helper()
	for _, key := range keys {
		err := c.Get(t.Context(), key).Err()
		if errors.Is(err, redis.Nil) {
			err = c.Set(t.Context(), key, make([]byte, sizeFor(key)), 0).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func sizeFor(key string) int { return 10 + len(key)*len(key) }

func infoOf(t *testing.T, path string, args ...string) traceInfo {
	t.Helper()
	got := edgecache(t, nil, "", append([]string{"trace", "info", "--no-cache", "-o", "json", path}, args...)...)
	var info traceInfo
	if err := json.Unmarshal([]byte(got.out), &info); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	return info
}

// misses simulates a trace and returns a line for each policy and size.
func misses(t *testing.T, path string) string {
	t.Helper()
	got := edgecache(t, nil, "", "sim", path, "--no-cache", "-p", "lru,fifo,sieve,arc,opt", "-s", "20,10%", "--csv", "--no-gap")
	if got.code != 0 {
		t.Fatal(got)
	}
	return strings.Join(regexp.MustCompile(`(?m)obj,\d+,\w+,\d+,\d+`).FindAllString(got.out, -1), "\n")
}

// TestCapture records what is asked for and simulates that: it must be what the source is.
func TestCapture(t *testing.T) {
	path, keys := source(t)
	want, objects := infoOf(t, path), make(map[string]int)
	for _, key := range keys {
		objects[key] = sizeFor(key)
	}
	footprint := uint64(0)
	for _, size := range objects {
		footprint += uint64(size)
	}
	for _, tt := range []struct {
		name string
		args []string
		end  os.Signal
	}{
		{"default", nil, syscall.SIGTERM},
		{"salt, no plugins", []string{"--capture-salt", "pepper", "--no-plugins"}, os.Interrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			captured := filepath.Join(t.TempDir(), "c.oracleGeneral.zst")
			p := start(t, nil, append([]string{"--capture", captured}, tt.args...)...)
			replay(t, p.client(t), keys)
			if code := p.stop(t, tt.end); code != 0 {
				t.Fatalf("ended with %d:\n%s", code, p.logged())
			}
			if !regexp.MustCompile(`msg="capture complete" file=\S*c.oracleGeneral.zst requests=10000 bytes=\d+ dropped=0`).MatchString(p.logged()) {
				t.Errorf("log:\n%s", p.logged())
			}
			got := infoOf(t, captured)
			if got.Requests != len(keys) || got.Objects != len(objects) || got.FootprintBytes != footprint || got.IDsSHA256 != want.IDsSHA256 {
				t.Errorf("captured %+v\nwant %d bytes and otherwise %+v", got, footprint, want)
			}
			if diff := cmp.Diff(misses(t, path), misses(t, captured)); diff != "" {
				t.Errorf("misses (-source +captured):\n%s", diff)
			}
			raw, err := os.ReadFile(captured)
			if err != nil || bytes.Contains(raw, []byte(keys[0])) && len(keys[0]) > 6 {
				t.Error("a key is in the capture", err)
			}
		})
	}
}

// TestCapturesJoin has two processes record the same keys.
func TestCapturesJoin(t *testing.T) {
	dir := t.TempDir()
	record := func(name, salt string) string {
		path := filepath.Join(dir, name+".zst")
		p := start(t, map[string]string{"EDGECACHE_CAPTURE_SALT": salt, "EDGECACHE_CAPTURE": path, "EDGECACHE_CAPTURE_OPS": "get,set"})
		_ = p.client(t).Set(t.Context(), "some key", "123", 0)
		p.stop(t, syscall.SIGTERM)
		plain, err := exec.CommandContext(t.Context(), "zstd", "-dc", path).Output()
		if err != nil || len(plain) != 24 {
			t.Skipf("zstd: %v, %d bytes", err, len(plain))
		}
		return string(plain[4:]) // all but the time
	}
	a, b, c, plain := record("a", "x"), record("b", "x"), record("c", ""), record("d", "none")
	if a != b || a == c || a == plain || c == plain {
		t.Errorf("records %x, %x with one salt, %x without, %x plain", a, b, c, plain)
	}
	if want := bin.LittleEndian.AppendUint64(nil, capture.Plain("", "some key")); plain[:8] != string(want) {
		t.Errorf("the plain hash of \"some key\" is %x, want %x", plain[:8], want)
	}
}

// TestKilledCapture has the process killed: what was written can be read.
func TestKilledCapture(t *testing.T) {
	_, keys := source(t)
	path := filepath.Join(t.TempDir(), "c.zst")
	p := start(t, nil, "--capture", path)
	replay(t, p.client(t), keys[:1000])
	eventually(t, "a frame is written", func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() > 0
	})
	replay(t, p.client(t), keys[1000:2000])
	p.stop(t, os.Kill)
	if got := infoOf(t, path, "--skip-bad", "1"); got.Requests < 100 || got.Requests > 2000 {
		t.Errorf("%d requests can be read", got.Requests)
	}
}

// TestCaptureOnAFullDisk has a file system of 64 KiB.
func TestCaptureOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a file system can't be mounted: %v", err)
	}
	defer func() { _ = syscall.Unmount(dir, 0) }()
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, "--capture", filepath.Join(dir, "c.zst"))
	c := p.client(t)
	for i := 0; !strings.Contains(p.logged(), "capture failed"); i++ {
		if err := c.Set(t.Context(), fmt.Sprint(i%1000), "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.Get(t.Context(), fmt.Sprint(i%1000)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if want := `level=ERROR msg="capture failed, serving goes on".*no space left on device`; !regexp.MustCompile(want).MatchString(p.logged()) {
		t.Errorf("log:\n%s", p.logged())
	}
	if err := c.Get(t.Context(), "1").Err(); err != nil {
		t.Errorf("a command afterwards: %v", err)
	}
	_, figures := p.get(t, "/metrics")
	for _, want := range []string{`capture_errors_total{[^}]*to="file"[^}]*} 1\n`, `capture_state{[^}]*to="file"[^}]*} 3\n`} {
		if !regexp.MustCompile(want).MatchString(figures) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if code := p.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

// TestCaptureOverTheAdminAddress records a running cache, from outside, to its end in every way.
func TestCaptureOverTheAdminAddress(t *testing.T) {
	path, keys := source(t)
	for _, tt := range []struct {
		name string
		args []string
		end  func(t *testing.T, p *process, client *exec.Cmd)
		code int
		said string
	}{
		{"time is up", []string{"--for", "3s"}, func(*testing.T, *process, *exec.Cmd) {}, 0, `c.zst: 10000 requests\n$`},
		{"interrupted", nil, func(_ *testing.T, _ *process, client *exec.Cmd) { _ = client.Process.Signal(os.Interrupt) }, 0, `c.zst: \d+ requests\n$`},
		{"server stops", nil, func(t *testing.T, p *process, _ *exec.Cmd) { p.stop(t, syscall.SIGTERM) }, 0, `c.zst: 10000 requests\n$`},
		{"server is killed", nil, func(t *testing.T, p *process, _ *exec.Cmd) { p.stop(t, os.Kill) }, 1, `c.zst: \d+ requests\n.*(EOF|reset)`},
		{"full", []string{"--max-bytes", "5KB"}, func(*testing.T, *process, *exec.Cmd) {}, 0, `c.zst: \d+ requests\n$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := start(t, map[string]string{"EDGECACHE_ADMIN_TOKEN": "secret"})
			captured := filepath.Join(t.TempDir(), "c.zst")
			client := exec.Command(os.Getenv(binaryVar), append([]string{"trace", "capture", "-o", captured}, tt.args...)...)
			env := p.env()
			env["EDGECACHE_ADMIN_TOKEN"] = "secret"
			client.Env = environ(env)
			var said bytes.Buffer
			client.Stderr = &said
			if err := client.Start(); err != nil {
				t.Fatal(err)
			}
			figure := func(want string) func() bool {
				return func() bool {
					_, figures := p.get(t, "/metrics")
					return regexp.MustCompile(want).MatchString(figures)
				}
			}
			eventually(t, "the capture runs", figure(`capture_state{[^}]*to="client"[^}]*} 1\n`))
			if got := edgecache(t, env, "", "trace", "capture", "-o", captured+".zst"); got.code != 1 || !strings.Contains(got.errOut, "another capture") {
				t.Errorf("a second capture: %+v", got)
			}
			replay(t, p.client(t), keys)
			eventually(t, "a part is written", func() bool {
				info, err := os.Stat(captured)
				return err == nil && info.Size() > 0
			})
			tt.end(t, p, client)
			_ = client.Wait() // its state tells
			if code := client.ProcessState.ExitCode(); code != tt.code || !regexp.MustCompile(tt.said).MatchString(said.String()) {
				t.Errorf("ended with %d and %q, want %d and %s", code, said.String(), tt.code, tt.said)
			}
			switch tt.name {
			case "time is up", "server stops":
				if diff := cmp.Diff(misses(t, path), misses(t, captured)); diff != "" {
					t.Errorf("misses (-source +captured):\n%s", diff)
				}
			case "full":
				if info, err := os.Stat(captured); err != nil || info.Size() > 5000 || info.Size() < 4000 {
					t.Errorf("%v, %v", info.Size(), err)
				}
				fallthrough
			case "interrupted":
				eventually(t, "the capture has ended", figure(`capture_state{[^}]*to="client"[^}]*} 2\n`))
			}
			if info := infoOf(t, captured); info.Requests < 100 {
				t.Errorf("%d requests can be read", info.Requests)
			}
		})
	}
}

func TestCaptureIsRefused(t *testing.T) {
	p := start(t, map[string]string{"EDGECACHE_ADMIN_TOKEN": "secret"})
	out := filepath.Join(t.TempDir(), "c.zst")
	for _, tt := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{"-o", out}, 1, "the token is missing or wrong"},
		{nil, 2, "-o FILE is missing"},
		{[]string{"-o", "c.bin"}, 2, "must end in .zst"},
		{[]string{"-o", out, "--ops", "put"}, 2, "get or get,set is wanted"},
		{[]string{"-o", out, "--for", "-1s"}, 2, "a time is wanted"},
		{[]string{"-o", out, "--admin", "off"}, 2, "--admin (EDGECACHE_ADMIN) is off"},
	} {
		got := edgecache(t, p.env(), "", append([]string{"trace", "capture"}, tt.args...)...)
		if got.code != tt.code || !strings.Contains(got.errOut, tt.said) {
			t.Errorf("trace capture %q = %+v, want %d, %s", tt.args, got, tt.code, tt.said)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written")
	}
	for _, args := range [][]string{{"--capture", "c.bin"}, {"--capture-for", "5s"}, {"--capture", filepath.Join(out, "x.zst")}} {
		if got := edgecache(t, nil, "", append([]string{"run", "--resp", "127.0.0.1:0", "--admin", "off"}, args...)...); got.code == 0 {
			t.Errorf("run %q: %+v", args, got)
		}
	}
}
