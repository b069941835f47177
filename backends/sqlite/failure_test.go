package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// set sets and demands success.
func set(t testing.TB, b *Backend, key string, e *core.Entry) {
	t.Helper()
	if err := b.Set(t.Context(), key, e); err != nil {
		t.Fatalf("Set(%q) = %v", key, err)
	}
}

func value(v string) *core.Entry { return &core.Entry{Value: []byte(v)} }

func flush(t testing.TB, b *Backend) {
	t.Helper()
	if err := b.Flush(t.Context()); err != nil {
		t.Fatalf("Flush = %v", err)
	}
}

// run runs a statement on the writer's connection.
func run(t testing.TB, b *Backend, query string) {
	t.Helper()
	if err := b.use(func(db *database) error {
		if err := db.lock(t.Context()); err != nil {
			return err
		}
		defer func() { <-db.writing }()
		_, err := db.writer.exec(query)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// lines is a log that tests read while others write.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// wantFailing demands that writes are refused, that what they would have replaced is not read, and that reads go on.
func wantFailing(t *testing.T, b *Backend) {
	t.Helper()
	if err := b.Set(t.Context(), "old", value("newer")); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Set = %v, want ErrUnavailable", err)
	}
	if _, err := b.Delete(t.Context(), "deleted"); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Delete = %v, want ErrUnavailable", err)
	}
	for _, key := range []string{"old", "deleted"} {
		if e, err := b.Get(t.Context(), key); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("Get(%q) = %v, %v, want a miss: a write to it has failed", key, e, err)
		}
	}
	if e, err := b.Get(t.Context(), "kept"); err != nil || string(e.Value) != "v" {
		t.Errorf("Get of another key = %v, %v", e, err)
	}
	if err := b.Ping(t.Context()); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Ping = %v, want ErrUnavailable", err)
	}
}

// wantWorking waits until writes succeed again.
func wantWorking(t *testing.T, b *Backend) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for b.Set(t.Context(), "after", value("v")) != nil {
		<-poll.C
	}
	flush(t, b)
	for _, key := range []string{"old", "deleted"} {
		if e, err := b.Get(t.Context(), key); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("Get(%q) = %v, %v, want a miss still", key, e, err)
		}
	}
	if e, err := b.Get(t.Context(), "after"); err != nil || string(e.Value) != "v" {
		t.Errorf("Get = %v, %v", e, err)
	}
	if err := b.Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
}

// fill sets values until that fails.
func fill(t *testing.T, b *Backend) {
	t.Helper()
	for i := range 1_000_000 {
		if b.Set(t.Context(), fmt.Sprint("fill", i), value(strings.Repeat("x", 4000))) != nil {
			return
		}
	}
	t.Fatal("the disk does not get full")
}

// TestFull fills a database that may not grow, which is a full disk to SQLite. Then it may.
func TestFull(t *testing.T) {
	log := new(lines)
	b := open(t, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	for _, k := range []string{"old", "deleted", "kept"} {
		set(t, b, k, value("v"))
	}
	flush(t, b)
	run(t, b, "PRAGMA max_page_count = 60")
	fill(t, b)
	wantFailing(t, b)
	if n := log.count("can't be written"); n != 1 || log.count("disk is full") == 0 {
		t.Errorf("the log says %d times that nothing can be written: %s", n, log.text.String())
	}
	run(t, b, "PRAGMA max_page_count = 100000")
	wantWorking(t, b)
	if log.count("written again") == 0 {
		t.Error("the log does not say that the database can be written again")
	}
}

// TestFullDisk is TestFull on a file system of its own.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting needs rights: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 200<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, Options{Path: filepath.Join(dir, "cache.db")})
	for _, k := range []string{"old", "deleted", "kept"} {
		set(t, b, k, value("v"))
	}
	flush(t, b)
	fill(t, b)
	wantFailing(t, b)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	wantWorking(t, b)
}

// TestReadOnly opens files where nothing can be written.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/proc/cache.db", filepath.Join(file, "cache.db"), dir} {
		if _, err := New(Options{Path: path}); !errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), path) {
			t.Errorf("New(%q) = %v, want ErrUnavailable and the path", path, err)
		}
	}
}

// TestReadOnlyDisk makes the file system of a database read-only.
func TestReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting needs rights: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "cache.db")
	b := open(t, Options{Path: path})
	set(t, b, "k", value("v"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Path: path}); !errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), "writable") {
		t.Errorf("New = %v, want ErrUnavailable and what must be writable", err)
	}
}

// TestManyForgotten has more writes fail than are remembered one by one: everything reads as absent then.
func TestManyForgotten(t *testing.T) {
	b := open(t, Options{BatchDelay: time.Hour})
	set(t, b, "kept", value("v"))
	flush(t, b)
	for i := range maxForgotten + defaultBatch {
		b.writes.forget(fmt.Sprint(i))
	}
	if e, err := b.Get(t.Context(), "kept"); err != nil || string(e.Value) != "v" {
		t.Errorf("Get before = %v, %v", e, err)
	}
	b.writes.forget("one more")
	if _, err := b.Get(t.Context(), "kept"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Get = %v, want a miss", err)
	}
	set(t, b, "new", value("w"))
	flush(t, b)
	if _, err := b.Get(t.Context(), "kept"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Get after the commit = %v, want a miss", err)
	}
	if e, err := b.Get(t.Context(), "new"); err != nil || string(e.Value) != "w" {
		t.Errorf("Get of what was set since = %v, %v", e, err)
	}
}

// TestUpdatePanics leaves the database as it is, and keeps what others had set.
func TestUpdatePanics(t *testing.T) {
	b := open(t, Options{BatchDelay: time.Hour})
	set(t, b, "pending", value("v"))
	func() {
		defer func() {
			if p := recover(); p != "oops" {
				t.Errorf("recovered %v, want the function's own panic", p)
			}
		}()
		_, _ = b.Update(t.Context(), "k", func(*core.Entry) (*core.Entry, error) { panic("oops") })
	}()
	if e, err := b.Get(t.Context(), "pending"); err != nil || string(e.Value) != "v" {
		t.Errorf("Get = %v, %v", e, err)
	}
	if _, err := b.Increment(t.Context(), "n", 1, 0); err != nil {
		t.Errorf("Increment after the panic = %v", err)
	}
	flush(t, b)
}

// TestFileRemoved goes on in a new file where somebody has removed the one that is open.
func TestFileRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache.db")
	b := open(t, Options{Path: path, JanitorInterval: 5 * time.Millisecond})
	set(t, b, "k", value("v"))
	flush(t, b)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			break
		}
		<-poll.C
	}
	set(t, b, "l", value("w"))
	flush(t, b)
	if e, err := b.Get(t.Context(), "l"); err != nil || string(e.Value) != "w" {
		t.Errorf("Get = %v, %v", e, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Options{Path: path})
	if _, err := again.Get(t.Context(), "l"); err != nil {
		t.Errorf("Get from the file = %v", err)
	}
}
