package file

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// crashVariable makes TestWriterToKill of a child write into the folder that it names.
const crashVariable = "EDGECACHE_TEST_FILE_DIR"

const (
	crashWriters = 4
	crashKeys    = 20 // of each writer
)

// TestWriterToKill is no test but the child of TestKill: its writers write for ever and say what is done.
func TestWriterToKill(t *testing.T) {
	dir := os.Getenv(crashVariable)
	if dir == "" {
		t.Skip("is the child of TestKill")
	}
	b := mustOpen(t, Options{Dir: dir, MaxEntries: 60})
	var begin int
	if _, err := fmt.Scan(&begin); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range crashWriters {
		wg.Go(func() {
			for gen := begin; ; gen++ {
				if err := crashWrite(t.Context(), b, w, gen); err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Printf("%d %d\n", w, gen)
			}
		})
	}
	wg.Wait()
}

func crashKey(w, gen int) string { return fmt.Sprintf("w%dk%d", w, gen*7%crashKeys) }

func crashDeletes(gen int) bool { return gen%5 == 3 }

func crashWrite(ctx context.Context, b *Backend, w, gen int) error {
	key := crashKey(w, gen)
	if crashDeletes(gen) {
		_, err := b.Delete(ctx, key)
		return err
	}
	return b.Set(ctx, key, value(fmt.Sprintf("%s=%d=%s", key, gen, strings.Repeat("x", gen*131%9000))))
}

// TestKill kills a process that writes, again and again: what it said is done is done, unless it was evicted, no value is
// wrong, nothing is damaged, and the index has all files and needs no scan.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	done := [crashWriters]int{} // the last gen of each
	for range 6 {
		crash(t, dir, &done)
		logger, log := logged()
		b := mustOpen(t, Options{Dir: dir, Logger: logger})
		for w := range crashWriters {
			for k := range crashKeys {
				checkCrash(t, b, w, k, done[w])
			}
			done[w] += 2 // the one under way may have happened
		}
		wantFiles(t, b)
		if n := b.DecodeErrors(); n != 0 || log() != "" {
			t.Errorf("%d files are damaged, and the log says %s", n, log())
		}
		if n, _ := b.Size(); n < 20 {
			t.Errorf("only %d entries are left", n)
		}
		mustClose(t, b)
	}
}

// crash runs a child until it has written some, and kills it. done are the last writes that it said are done.
func crash(t *testing.T, dir string, done *[crashWriters]int) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriterToKill$")
	child.Env = append(os.Environ(), crashVariable+"="+dir)
	begin := 0
	for _, gen := range done {
		begin = max(begin, gen)
	}
	child.Stdin = strings.NewReader(fmt.Sprintln(begin))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		var w, gen int
		if _, err := fmt.Sscan(lines.Text(), &w, &gen); err != nil {
			t.Errorf("the child says %q", lines.Text())
			break
		}
		done[w] = gen
		if n == 400 {
			if err := child.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_, _ = io.Copy(io.Discard, out)
	if err := child.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
}

// checkCrash demands that a key has the last value that was written before the kill, or the one under way then.
func checkCrash(t *testing.T, b *Backend, w, k, done int) {
	t.Helper()
	key := fmt.Sprintf("w%dk%d", w, k)
	e, err := b.Get(t.Context(), key)
	if err == core.ErrNotFound { //nolint:errorlint // the contract
		return // deleted, evicted or never written
	}
	if err != nil {
		t.Errorf("Get(%q) = %v", key, err)
		return
	}
	var gen int
	if _, err := fmt.Sscanf(string(e.Value), key+"=%d=", &gen); err != nil || !strings.HasSuffix(string(e.Value), "="+strings.Repeat("x", gen*131%9000)) {
		t.Errorf("Get(%q) = %.40q, which nobody wrote (%v)", key, e.Value, err)
	}
	if gen > done+1 || crashKey(w, gen) != key {
		t.Errorf("Get(%q) is of write %d, and %d was the last one", key, gen, done)
	}
	for later := gen + 1; later <= done; later++ {
		if crashKey(w, later) == key {
			t.Errorf("Get(%q) is of write %d, but %d was done", key, gen, later)
			return
		}
	}
}
