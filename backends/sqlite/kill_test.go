package sqlite

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// killEnv has the test binary write to the database that it names until it is killed.
const killEnv = "EDGECACHE_TEST_SQLITE_WRITE"

// valueOf is a value that names its key and its round.
func valueOf(key string, round int) string {
	return fmt.Sprintf("%s=%d=%s", key, round, strings.Repeat(key, 100))
}

const killKeys = 500

// TestWriter is the process that TestKill kills. It says each round that it has set, and each that is committed.
func TestWriter(t *testing.T) {
	path := os.Getenv(killEnv)
	if path == "" {
		t.Skip("only for TestKill")
	}
	b := open(t, Options{Path: path, BatchSize: 64})
	for round := 1; ; round++ {
		for i := range killKeys {
			key := fmt.Sprint("key", i)
			if err := b.Set(t.Context(), key, &core.Entry{Value: []byte(valueOf(key, round))}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Increment(t.Context(), "rounds", 1, 0); err != nil {
			t.Fatal(err)
		}
		fmt.Println("committed", round)
	}
}

// TestKill kills a process that writes: what it had committed is there, and no value is another one's or half of one.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache.db")
	committed := 0
	for kill := 1; kill <= 4; kill++ {
		committed += writeAndKill(t, path, 3*kill)
		b := open(t, Options{Path: path})
		e, err := b.Get(t.Context(), "rounds")
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := strconv.Atoi(string(e.Value)); n < committed {
			t.Errorf("%d rounds are there, want the %d that were committed", n, committed)
		} else {
			committed = n
		}
		wantIntact(t, b, 3*kill)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// writeAndKill runs TestWriter, kills it when it has committed that many rounds, and returns how many it said there were.
func writeAndKill(t *testing.T, path string, rounds int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriter$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "committed %d", &said); err == nil && said == rounds {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return said
}

// wantIntact demands each key with a whole value of its own, of the given round at least.
func wantIntact(t *testing.T, b *Backend, round int) {
	t.Helper()
	for i := range killKeys {
		key := fmt.Sprint("key", i)
		e, err := b.Get(t.Context(), key)
		if err != nil {
			t.Fatalf("Get(%q) = %v", key, err)
		}
		parts := strings.SplitN(string(e.Value), "=", 3)
		n, _ := strconv.Atoi(parts[1])
		if n < round || string(e.Value) != valueOf(key, n) {
			t.Errorf("Get(%q) = %.40q, want its value of round %d or later", key, e.Value, round)
		}
	}
	if n := b.DecodeErrors(); n != 0 {
		t.Errorf("%d values are damaged", n)
	}
}
