package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/backends/backendtest"
	"github.com/edgecache/edgecache/core"
)

func mustOpen(t testing.TB, o Options) *Backend {
	t.Helper()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, b) })
	return b
}

func mustClose(t testing.TB, b *Backend) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func value(v string) *core.Entry { return &core.Entry{Value: []byte(v)} }

func in(d time.Duration) int64 { return core.Deadline(time.Now(), d) }

func set(t testing.TB, b *Backend, key string, e *core.Entry) {
	t.Helper()
	if err := b.Set(t.Context(), key, e); err != nil {
		t.Fatalf("Set(%q) = %v", key, err)
	}
}

// wantKeys demands that exactly these keys are there, each with the value that is its name.
func wantKeys(t testing.TB, b *Backend, want ...string) {
	t.Helper()
	got, _, err := b.Scan(t.Context(), 0, "", "", 0)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the keys are %q, %v, want %q", got, err, want)
	}
	for _, k := range got {
		if e, err := b.Peek(t.Context(), k); err != nil || string(e.Value) != k {
			t.Errorf("Peek(%q) = %v, %v", k, e, err)
		}
	}
}

func fill(t testing.TB, b *Backend, keys ...string) {
	t.Helper()
	for _, k := range keys {
		set(t, b, k, value(k))
	}
}

// wantMiss demands that nothing is there, and counts how many files were damaged.
func wantMiss(t testing.TB, b *Backend, key string, damages int64) {
	t.Helper()
	before := b.DecodeErrors()
	if e, err := b.Get(t.Context(), key); err != core.ErrNotFound || e != nil { //nolint:errorlint // the contract
		t.Errorf("Get(%q) = %v, %v, want ErrNotFound itself", key, e, err)
	}
	if n := b.DecodeErrors() - before; n != damages {
		t.Errorf("Get(%q) counted %d damaged files, want %d", key, n, damages)
	}
}

// wantFiles demands that the index and the folders agree, and that no temporary file is left.
func wantFiles(t testing.TB, b *Backend) {
	t.Helper()
	var entries, size int64
	if err := b.folder.scan(func(got found, err error) {
		if it := b.index.at(got.name); err != nil || it == nil || it.key != got.key || it.size != got.size || it.expires != got.expires {
			t.Errorf("%s of %q is in the index as %+v, %v", b.folder.path(got.name), got.key, it, err)
		}
		entries++
		size += got.size
	}); err != nil {
		t.Fatal(err)
	}
	if e, s := b.Size(); e != entries || s != size {
		t.Errorf("Size = %d, %d, but there are %d files of %d bytes", e, s, entries, size)
	}
	left, err := os.ReadDir(filepath.Join(b.options.Dir, tempName))
	if err != nil || len(left) != 0 {
		t.Errorf("%d temporary files are left, %v", len(left), err)
	}
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !done() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatal("waited too long for " + what)
		}
	}
}

// logged is a logger and what it was told.
func logged() (*slog.Logger, func() string) {
	var mu sync.Mutex
	var buf bytes.Buffer
	logger := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return buf.Write(p)
	}), nil))
	return logger, func() string {
		mu.Lock()
		defer mu.Unlock()
		return buf.String()
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestConformance(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) core.Backend { return mustOpen(t, Options{Dir: t.TempDir()}) })
}

// TestConformanceSync is the part of the suite that writes little enough to wait for the disk each time.
func TestConformanceSync(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the disk")
	}
	few := []string{"SetGetDelete", "Metadata", "SetExpired", "Update", "Expire", "SetIf", "Clear"}
	backendtest.Run(t, func(t *testing.T) core.Backend {
		if _, name, _ := strings.Cut(t.Name(), "/"); !slices.Contains(few, name) {
			t.Skip("writes too much to wait for the disk")
		}
		return mustOpen(t, Options{Dir: t.TempDir(), Sync: true})
	})
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no folder":        {},
		"negative bytes":   {Dir: "x", MaxBytes: -1},
		"negative entries": {Dir: "x", MaxEntries: -1},
		"negative janitor": {Dir: "x", JanitorInterval: -1},
		"mode of a folder": {Dir: "x", Mode: fs.ModeDir | 0o600},
		"unreadable":       {Dir: "x", Mode: 0o200},
	} {
		if b, err := New(o); err == nil || b != nil {
			t.Errorf("%s: New = %v, %v, want an error", name, b, err)
		}
	}
}

func TestLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "with", "parents")
	b := mustOpen(t, Options{Dir: dir})
	set(t, b, "key", value("v"))
	want := filepath.Join(dir, "2", "c7", "0e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683")
	if got := b.folder.path(hashName("key")); got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
	if data, err := os.ReadFile(want); err != nil || !bytes.Equal(data, encode("key", value("v"))) {
		t.Errorf("the file has %q, %v", data, err)
	}
}

func TestMode(t *testing.T) {
	for _, tc := range []struct{ mode, file, folder fs.FileMode }{
		{0, 0o600, 0o700}, {0o640, 0o640, 0o750}, {0o666, 0o666, 0o777},
	} {
		dir := filepath.Join(t.TempDir(), "cache")
		b := mustOpen(t, Options{Dir: dir, Mode: tc.mode})
		set(t, b, "key", value("v"))
		path := b.folder.path(hashName("key"))
		for p, want := range map[string]fs.FileMode{
			path: tc.file, filepath.Join(dir, indexName): tc.file,
			dir: tc.folder, filepath.Dir(path): tc.folder, filepath.Dir(filepath.Dir(path)): tc.folder,
		} {
			if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
				t.Errorf("mode %v: %s has %v, %v, want %v", tc.mode, p, info.Mode(), err, want)
			}
		}
	}
}

func TestRestart(t *testing.T) {
	logger, log := logged()
	o := Options{Dir: t.TempDir(), Logger: logger}
	b := mustOpen(t, o)
	want := &core.Entry{Value: []byte("v"), Expires: in(time.Hour), Version: 7, Flags: 8, Codec: 9}
	set(t, b, "all", want)
	fill(t, b, "a", "b", "gone")
	if _, err := b.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		mustClose(t, b)
		b = mustOpen(t, o)
		if e, err := b.Get(t.Context(), "all"); err != nil || !same(e, want) {
			t.Errorf("Get = %+v, %v, want %+v", e, err, want)
		}
		if got, err := b.Expiry(t.Context(), "all"); err != nil || got != want.Expires {
			t.Errorf("Expiry = %d, %v, want %d", got, err, want.Expires)
		}
		wantMiss(t, b, "gone", 0)
		wantFiles(t, b)
	}
	if text := log(); text != "" {
		t.Errorf("the index was not used: %s", text)
	}
}

// TestRestartKeepsUses demands that what was used longest ago is known after a restart, whoever knew it.
func TestRestartKeepsUses(t *testing.T) {
	for name, tc := range map[string]struct {
		damage func(dir string) error
		want   []string
	}{
		"by the index":   {func(string) error { return nil }, []string{"a", "d"}},
		"without it":     {func(dir string) error { return os.Remove(filepath.Join(dir, indexName)) }, []string{"c", "d"}},
		"and a new boot": {otherBoot, []string{"c", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Dir: t.TempDir()}
			b := mustOpen(t, o)
			for i, k := range []string{"a", "b", "c", "d"} {
				fill(t, b, k)
				when := time.Unix(int64(1000+i), 0)
				if err := os.Chtimes(b.folder.path(hashName(k)), when, when); err != nil {
					t.Fatal(err)
				}
			}
			for _, k := range []string{"a", "d"} {
				if _, err := b.Get(t.Context(), k); err != nil {
					t.Fatal(err)
				}
			}
			mustClose(t, b)
			if err := tc.damage(o.Dir); err != nil {
				t.Fatal(err)
			}
			o.MaxEntries = 2
			b = mustOpen(t, o)
			if _, err := b.Evict(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, b, tc.want...)
		})
	}
}

// otherBoot makes the index one of a process that did not close the cache before the machine was started again.
func otherBoot(dir string) error {
	path := filepath.Join(dir, indexName)
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, appendRecord(data, record{kind: opened, key: "another"}), 0o600)
	}
	return err
}

// TestDamagedIndex changes and cuts the index everywhere: every entry is found by a scan.
func TestDamagedIndex(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	b := mustOpen(t, o)
	fill(t, b, "a", "b")
	mustClose(t, b)
	path := filepath.Join(o.Dir, indexName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, data []byte) {
		t.Helper()
		logger, log := logged()
		o.Logger = logger
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		b := mustOpen(t, o)
		wantKeys(t, b, "a", "b")
		mustClose(t, b)
		aside, err := os.ReadFile(filepath.Join(o.Dir, damagedName))
		if err != nil || !bytes.Equal(aside, data) || !strings.Contains(log(), "index of the cache is damaged") {
			t.Errorf("%s: aside is %q, %v, and the log says %s", what, aside, err, log())
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		try(fmt.Sprint("byte ", i, " changed"), bad)
	}
	try("text", []byte("not an index"))
	try("nothing", nil)
	for n := range good {
		if _, err := replayed(good[:n]); err != nil {
			try(fmt.Sprint("cut to ", n), good[:n])
		}
	}
}

// TestIndexIsNoFile puts a folder in the index's place.
func TestIndexIsNoFile(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	b := mustOpen(t, o)
	fill(t, b, "a")
	mustClose(t, b)
	path := filepath.Join(o.Dir, indexName)
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, mustOpen(t, o), "a")
}

// TestDamagedFile changes and cuts a file everywhere: it is a counted miss and gone, for a reader and for a scan.
func TestDamagedFile(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	e := sample()
	good := encode("key", e)
	var bad [][]byte
	for i := range good {
		changed := bytes.Clone(good)
		changed[i] ^= 0x10
		bad = append(bad, changed, good[:i])
	}
	bad = append(bad, append(bytes.Clone(good), 0), encode("other", e), make([]byte, len(good)), bytes.Repeat([]byte("x"), 4096))
	b := mustOpen(t, o)
	path := b.folder.path(hashName("key"))
	for i, data := range bad {
		set(t, b, "key", e)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		wantMiss(t, b, "key", 1)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("damage %d: the file is still there, %v", i, err)
		}
		wantMiss(t, b, "key", 0)
	}
	wantFiles(t, b)
	for i, data := range bad {
		if i%8 != 0 {
			continue // one after the other would take long
		}
		fill(t, b, "stays")
		set(t, b, "key", e)
		mustClose(t, b)
		if err := errors.Join(os.WriteFile(path, data, 0o600), os.Remove(filepath.Join(o.Dir, indexName))); err != nil {
			t.Fatal(err)
		}
		b = mustOpen(t, o)
		if got, err := b.Get(t.Context(), "key"); err == nil {
			t.Errorf("damage %d: after a scan Get = %+v", i, got)
		}
		if n := b.DecodeErrors(); n != 1 {
			t.Errorf("damage %d: %d damaged files were counted, want 1", i, n)
		}
		wantKeys(t, b, "stays")
	}
}

// TestChangedBehind changes files as no writer of the cache would: what is read is what the file says.
func TestChangedBehind(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir()})
	path := b.folder.path(hashName("key"))
	for name, e := range map[string]*core.Entry{
		"longer": value(strings.Repeat("long", 5000)), "shorter": value(""), "same": value("W"), "expiring": {Value: []byte("w"), Expires: in(time.Hour)},
	} {
		set(t, b, "key", value("v"))
		if err := os.WriteFile(path, encode("key", e), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Get(t.Context(), "key"); err != nil || !same(got, e) {
			t.Errorf("%s: Get = %+v, %v, want %+v", name, got, err, e)
		}
		if got, err := b.Expiry(t.Context(), "key"); err != nil || got != e.Expires {
			t.Errorf("%s: Expiry = %d, %v, want %d", name, got, err, e.Expires)
		}
		wantFiles(t, b)
	}
	if err := os.WriteFile(path, encode("key", &core.Entry{Expires: 1}), 0o600); err != nil {
		t.Fatal(err)
	}
	wantMiss(t, b, "key", 0)
	set(t, b, "key", value("v"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantMiss(t, b, "key", 0)
	wantFiles(t, b)
	set(t, b, "key", value("v"))
	if err := os.RemoveAll(b.options.Dir); err != nil {
		t.Fatal(err)
	}
	wantMiss(t, b, "key", 0)
	fill(t, b, "key")
	wantKeys(t, b, "key")
}

func TestForeignFilesStay(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	foreign := []string{"notes.txt", "a/notes.txt", "a/bc/notes.txt", "a/bc/" + strings.Repeat("Z", restDigits), "ab/cd/x"}
	for _, name := range foreign {
		path := filepath.Join(o.Dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("mine"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	b := mustOpen(t, o)
	fill(t, b, "a", "b")
	if err := b.Clear(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, b)
	for _, name := range foreign {
		if data, err := os.ReadFile(filepath.Join(o.Dir, name)); err != nil || string(data) != "mine" {
			t.Errorf("%s has %q, %v", name, data, err)
		}
	}
}

// TestCollision gives all keys one name: the last one written is there, and no other gets its value.
func TestCollision(t *testing.T) {
	o, err := Options{Dir: t.TempDir()}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	collide := func() *Backend {
		b := newBackend(o)
		b.hash = func(string) name { return name{1, 2, 3} }
		if err := b.open(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { mustClose(t, b) })
		return b
	}
	b := collide()
	fill(t, b, "one", "two")
	wantMiss(t, b, "one", 0)
	wantKeys(t, b, "two")
	if found, err := b.Delete(t.Context(), "one"); found || err != nil {
		t.Errorf("Delete of the other key = %v, %v, want false", found, err)
	}
	if _, err := b.Increment(t.Context(), "three", 3, 0); err != nil {
		t.Error(err)
	}
	wantMiss(t, b, "two", 0)
	if e, err := b.Get(t.Context(), "three"); err != nil || string(e.Value) != "3" {
		t.Errorf("Get = %v, %v, want 3", e, err)
	}
	wantFiles(t, b)
	for _, index := range []bool{true, false} {
		fill(t, b, "last")
		mustClose(t, b)
		if !index {
			if err := os.Remove(filepath.Join(o.Dir, indexName)); err != nil {
				t.Fatal(err)
			}
		}
		b = collide()
		wantKeys(t, b, "last")
		wantFiles(t, b)
	}
}

func TestOneAtATime(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	b := mustOpen(t, o)
	fill(t, b, "a")
	_, err := New(o)
	if want := fmt.Sprintf("in process %d: give each cache a folder of its own", os.Getpid()); !errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), want) {
		t.Errorf("New of a folder in use = %v, want ErrUnavailable that says %q", err, want)
	}
	wantKeys(t, b, "a")
	mustClose(t, b)
	wantKeys(t, mustOpen(t, o), "a")
}

func TestFolderIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := New(Options{Dir: dir}); !errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), "choose another") {
			t.Errorf("New(%s) = %v, want ErrUnavailable that says what to do", dir, err)
		}
	}
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere: TestReadOnlyDisk is for root")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Dir: dir}); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("New = %v, want ErrUnavailable", err)
	}
}

// TestRefusedWrites lets the system refuse the last step of writing and removing: all is as before.
func TestRefusedWrites(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir()})
	fill(t, b, "old")
	path := b.folder.path(hashName("new"))
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.Set(t.Context(), "new", value("new")); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Set = %v, want ErrUnavailable", err)
	}
	wantMiss(t, b, "new", 0)
	wantFiles(t, b)
	if got := onDisk(t, b.options.Dir); len(got) != 1 {
		t.Errorf("the journal has %v, want the old key", got)
	}

	path = b.folder.path(hashName("old"))
	if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "full"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if found, err := b.Delete(t.Context(), "old"); found || !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Delete = %v, %v, want ErrUnavailable", found, err)
	}
	if _, err := b.Get(t.Context(), "old"); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Get of what is no file = %v, want ErrUnavailable", err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	wantMiss(t, b, "old", 0)
	wantFiles(t, b)
}

func TestTooLarge(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir(), MaxBytes: 1000})
	fill(t, b, "key")
	large := &core.Entry{Value: make([]byte, 1000)}
	if _, err := b.Update(t.Context(), "key", func(*core.Entry) (*core.Entry, error) { return large, nil }); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("Update = %v, want ErrTooLarge", err)
	}
	wantKeys(t, b, "key")
	if err := b.Set(t.Context(), "key", large); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("Set = %v, want ErrTooLarge", err)
	}
	wantMiss(t, b, "key", 0)
	wantFiles(t, b)
}

func TestLongValue(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir()})
	e := &core.Entry{Value: bytes.Repeat([]byte("0123456789abcdef"), 1<<20)}
	set(t, b, "key", e)
	if got, err := b.Get(t.Context(), "key"); err != nil || !same(got, e) {
		t.Errorf("Get = %d bytes, %v, want %d", len(got.Value), err, len(e.Value))
	}
}

// TestPruning goes beyond the bounds by one entry: what has expired goes first, however lately it was used, then what was
// used longest ago. What never expires has not.
func TestPruning(t *testing.T) {
	entry := fileSize("a", value("a"))
	for name, o := range map[string]Options{"by entries": {MaxEntries: 4}, "by bytes": {MaxBytes: 4*entry + 10}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o.Dir, o.JanitorInterval = t.TempDir(), 100*time.Hour
				b := mustOpen(t, o)
				fill(t, b, "a", "b", "c")
				set(t, b, "x", &core.Entry{Value: []byte("x"), Expires: in(time.Minute)})
				time.Sleep(time.Hour) // in the bubble: no time passes
				fill(t, b, "d")
				wantKeys(t, b, "a", "b", "c", "d")
				if n := b.Evictions(); n != 0 {
					t.Errorf("Evictions = %d, want 0: the one that went had expired", n)
				}
				if _, err := b.Get(t.Context(), "a"); err != nil {
					t.Error(err)
				}
				fill(t, b, "b") // written again
				fill(t, b, "e")
				wantKeys(t, b, "a", "b", "d", "e")
				if n := b.Evictions(); n != 1 {
					t.Errorf("Evictions = %d, want 1", n)
				}
				wantFiles(t, b)
			})
		})
	}
}

// TestJanitor removes what has expired, and nothing else, with nobody asking for it.
func TestJanitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustOpen(t, Options{Dir: t.TempDir()})
		fill(t, b, "never")
		set(t, b, "later", &core.Entry{Value: []byte("later"), Expires: in(time.Hour)})
		for i := range 3 * slice {
			set(t, b, fmt.Sprint("soon", i), &core.Entry{Value: []byte("v"), Expires: in(time.Second)})
		}
		time.Sleep(2 * time.Second) // in the bubble
		wantMiss(t, b, "soon1", 0)
		if n, _ := b.Size(); n != 2+3*slice {
			t.Errorf("Size = %d, want all of them before the janitor came", n)
		}
		if info, err := b.Inspect(t.Context()); err != nil || info.Entries != 2 {
			t.Errorf("Inspect = %+v, %v, want two entries", info, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		eventuallyInBubble(t, b, 2)
		wantKeys(t, b, "later", "never")
		wantFiles(t, b)
	})
}

// eventuallyInBubble waits for the janitor, whose files the bubble's clock does not wait for.
func eventuallyInBubble(t *testing.T, b *Backend, entries int64) {
	t.Helper()
	for range 1_000_000 {
		if n, _ := b.Size(); n == entries {
			return
		}
		runtime.Gosched()
	}
	t.Error("the janitor has not come")
}

func TestDeleteExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustOpen(t, Options{Dir: t.TempDir(), JanitorInterval: 100 * time.Hour})
		fill(t, b, "never")
		for i := range 100 {
			set(t, b, fmt.Sprint(i), &core.Entry{Expires: in(time.Duration(i+1) * time.Minute)})
		}
		time.Sleep(60 * time.Minute)
		for _, want := range []int64{60, 0} {
			if n, err := b.DeleteExpired(t.Context()); n != want || err != nil {
				t.Errorf("DeleteExpired = %d, %v, want %d", n, err, want)
			}
		}
		wantFiles(t, b)
		if n, _ := b.Size(); n != 41 {
			t.Errorf("%d entries are left, want 41", n)
		}
	})
}

func TestEvict(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	b := mustOpen(t, o)
	fill(t, b, "a", "b", "c", "d", "e")
	b.options.MaxEntries = 2
	if n, err := b.Evict(t.Context()); n != 3 || err != nil {
		t.Errorf("Evict = %d, %v, want 3", n, err)
	}
	wantKeys(t, b, "d", "e")
}

func TestVictim(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir()})
	if key, err := b.Victim(t.Context(), ""); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Victim of nothing = %q, %v", key, err)
	}
	fill(t, b, "a", "b", "ns:c", "ns:d")
	if _, err := b.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Peek(t.Context(), "b"); err != nil { // no use
		t.Fatal(err)
	}
	for prefix, want := range map[string]string{"": "b", "ns:": "ns:c", "ns:d": "ns:d"} {
		if key, err := b.Victim(t.Context(), prefix); key != want || err != nil {
			t.Errorf("Victim(%q) = %q, %v, want %q", prefix, key, err, want)
		}
	}
}

func TestDeleteRange(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir()})
	fill(t, b, "a", "a%", "a/b", "a/b/c", "a/c", "a0", "b", "\xff", "\xff\xff")
	for _, r := range []struct {
		from, to string
		want     int64
	}{{"a/", "a0", 3}, {"a/", "a0", 0}, {"\xff", "", 2}, {"b", "a", 0}, {"", "a0", 2}} {
		if n, err := b.DeleteRange(t.Context(), r.from, r.to); n != r.want || err != nil {
			t.Errorf("DeleteRange(%q, %q) = %d, %v, want %d", r.from, r.to, n, err, r.want)
		}
	}
	wantKeys(t, b, "a0", "b")
	wantFiles(t, b)
}

func TestInspect(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir()})
	fill(t, b, "a", "b")
	set(t, b, "b", value("longer than before"))
	var size int64
	err := filepath.WalkDir(b.options.Dir, func(path string, d fs.DirEntry, err error) error {
		if len(d.Name()) == restDigits {
			info, err := os.Stat(path)
			size += info.Size()
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := core.Info{Name: "file " + b.options.Dir, Entries: 2, Bytes: size}
	if info, err := b.Inspect(t.Context()); err != nil || info != want {
		t.Errorf("Inspect = %+v, %v, want %+v", info, err, want)
	}
}

func TestNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustOpen(t, Options{Dir: t.TempDir(), MaxEntries: 3, JanitorInterval: 100 * time.Hour})
		var told []string
		b.Notify(func(key string, e *core.Entry, cause core.Cause) {
			told = append(told, fmt.Sprint(key, "=", string(e.Value), " ", cause))
		})
		short := func(key string) {
			set(t, b, key, &core.Entry{Value: []byte(key), Expires: in(time.Second)})
			time.Sleep(time.Minute)
		}
		fill(t, b, "a", "b", "c", "d", "d")
		if _, err := b.Delete(t.Context(), "b"); err != nil {
			t.Error(err)
		}
		short("x")
		fill(t, b, "x")
		short("y")
		fill(t, b, "e")
		short("z")
		if _, err := b.Delete(t.Context(), "z"); err != nil {
			t.Error(err)
		}
		if err := b.Clear(t.Context(), "e"); err != nil {
			t.Error(err)
		}
		want := "[a=a evicted x=x expired c=c evicted y=y expired d=d evicted z=z expired e=e cleared]"
		if got := fmt.Sprint(told); got != want {
			t.Errorf("Notify told %s, want %s", got, want)
		}
		b.Notify(nil)
		if err := b.Clear(t.Context(), ""); err != nil || len(told) != 7 {
			t.Errorf("Clear = %v, and Notify told of %v after it was ended", err, told[7:])
		}
	})
}

// TestNamespaces has a cache's namespaces in one folder: a Clear of one leaves what only looks like it.
func TestNamespaces(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir()})
	c, err := core.New(core.Options{Tiers: []core.Tier{{Name: "file", Backend: b}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"a", "ab", "a%"} {
		if err := c.Namespace(ns).Set(t.Context(), "k", []byte(ns), core.EntryOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Namespace("a").Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	for ns, want := range map[string]bool{"a": false, "ab": true, "a%": true} {
		if ok, err := c.Namespace(ns).Exists(t.Context(), "k"); ok != want || err != nil {
			t.Errorf("Exists in %s = %v, %v, want %v", ns, ok, err, want)
		}
	}
}

// TestHammer has writers, readers, the janitor's work and rewriting of the index in each other's way, beyond the bounds.
func TestHammer(t *testing.T) {
	o := Options{Dir: t.TempDir(), MaxEntries: 30, JanitorInterval: time.Millisecond}
	b := mustOpen(t, o)
	ctx := t.Context()
	work := []func(key string, i int) error{
		func(key string, i int) error {
			return b.Set(ctx, key, &core.Entry{Value: []byte(key + "=" + strings.Repeat("x", i*7%2000)), Expires: in(time.Duration(i%7) * time.Millisecond)})
		},
		func(key string, _ int) error { return b.Set(ctx, key, value(key+"=")) },
		func(key string, _ int) error { _, err := b.Delete(ctx, key); return err },
		func(key string, _ int) error {
			_, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
				if old == nil {
					return value(key + "="), nil
				}
				return old.Until(in(time.Second)), nil
			})
			return err
		},
		func(key string, _ int) error { _, err := b.Expire(ctx, key, 0); return err },
		func(string, int) error { _, err := b.DeleteExpired(ctx); return err },
		func(key string, _ int) error { return b.Clear(ctx, key) },
		func(_ string, i int) error {
			if i%10 != 0 {
				return nil
			}
			return b.Flush(ctx)
		},
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				key := fmt.Sprint("key", (i*g+i)%50)
				if err := work[(i+g*i/3)%len(work)](key, i); err != nil {
					t.Error(err)
				}
				key = fmt.Sprint("key", (i+g)%50)
				if e, err := b.Get(ctx, key); err == nil && !strings.HasPrefix(string(e.Value), key+"=") {
					t.Errorf("Get(%q) = %q", key, e.Value)
				} else if err != nil && !errors.Is(err, core.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := b.DecodeErrors(); n != 0 {
		t.Errorf("%d files were damaged", n)
	}
	if n, _ := b.Size(); n > o.MaxEntries {
		t.Errorf("%d entries are there, want %d at most", n, o.MaxEntries)
	}
	mustClose(t, b)
	o.JanitorInterval = 0 // it must not remove what wantFiles counts
	wantFiles(t, mustOpen(t, o))
}

func TestCloseEndsWalks(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir()})
	fill(t, b, "a", "b", "c")
	var once sync.Once
	var closing sync.WaitGroup
	b.Notify(func(string, *core.Entry, core.Cause) {
		once.Do(func() {
			closing.Go(func() { mustClose(t, b) })
			<-b.quit
		})
	})
	if err := b.Clear(t.Context(), ""); !errors.Is(err, core.ErrClosed) {
		t.Errorf("Clear while the backend is closed = %v, want ErrClosed", err)
	}
	closing.Wait()
}
