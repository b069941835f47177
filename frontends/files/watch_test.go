package files

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// happening is what happens to a file, and what then must come of /a.txt and /d/b.txt: a body or a status.
type happening struct {
	name string
	do   func(t *testing.T, at func(string) string)
	a, b string
}

func happenings() []happening {
	put := func(path, content string) error { return os.WriteFile(path, []byte(content), 0o644) }
	return []happening{
		{"written in place", func(t *testing.T, at func(string) string) {
			must(t, put(at("a.txt"), "new"))
		}, "new", "old b"},
		{"appended to", func(t *testing.T, at func(string) string) {
			f, err := os.OpenFile(at("d/b.txt"), os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteString(", new b")
			must(t, err)
			must(t, f.Close())
		}, "old a", "old b, new b"},
		{"saved by an editor: renamed over", func(t *testing.T, at func(string) string) {
			must(t, put(at("a.txt.tmp"), "new"))
			must(t, os.Rename(at("a.txt.tmp"), at("a.txt")))
		}, "new", "old b"},
		{"saved by vim: kept as a backup, written anew", func(t *testing.T, at func(string) string) {
			must(t, put(at("4913"), ""))
			must(t, os.Remove(at("4913")))
			must(t, os.Rename(at("a.txt"), at("a.txt~")))
			must(t, put(at("a.txt"), "new"))
			must(t, os.Remove(at("a.txt~")))
		}, "new", "old b"},
		{"renamed over, with the same size and time", func(t *testing.T, at func(string) string) {
			must(t, put(at("x"), "wen a"))
			must(t, os.Chtimes(at("x"), past(), past()))
			must(t, os.Rename(at("x"), at("a.txt")))
		}, "wen a", "old b"},
		{"removed", func(t *testing.T, at func(string) string) {
			must(t, os.Remove(at("a.txt")))
		}, "404", "old b"},
		{"removed and made anew", func(t *testing.T, at func(string) string) {
			must(t, os.Remove(at("a.txt")))
			must(t, put(at("a.txt"), "new"))
		}, "new", "old b"},
		{"moved elsewhere", func(t *testing.T, at func(string) string) {
			must(t, os.Rename(at("a.txt"), at("d/b.txt")))
		}, "404", "old a"},
		{"a folder removed", func(t *testing.T, at func(string) string) {
			must(t, os.RemoveAll(at("d")))
		}, "old a", "404"},
		{"a folder moved away", func(t *testing.T, at func(string) string) {
			must(t, os.Rename(at("d"), filepath.Join(t.TempDir(), "d")))
		}, "old a", "404"},
		{"a folder moved, and another in its place", func(t *testing.T, at func(string) string) {
			must(t, os.Rename(at("d"), at("e")))
			must(t, os.Mkdir(at("d"), 0o755))
			must(t, put(at("d/b.txt"), "new b"))
		}, "old a", "new b"},
		{"a folder moved there and back, and then changed", func(t *testing.T, at func(string) string) {
			must(t, os.Rename(at("d"), at("e")))
			must(t, os.Rename(at("e"), at("d")))
			must(t, put(at("d/b.txt"), "new b"))
		}, "old a", "new b"},
		{"a folder moved in, and then changed", func(t *testing.T, at func(string) string) {
			outside := filepath.Join(t.TempDir(), "d")
			must(t, os.MkdirAll(filepath.Join(outside, "deep"), 0o755))
			must(t, put(filepath.Join(outside, "b.txt"), "moved b"))
			must(t, os.RemoveAll(at("d")))
			must(t, os.Rename(outside, at("d")))
			must(t, put(at("d/b.txt"), "new b"))
		}, "old a", "new b"},
		{"the other end of a link written", func(t *testing.T, at func(string) string) {
			must(t, put(at("target"), "1"))
			must(t, os.Remove(at("a.txt")))
			must(t, os.Symlink("target", at("a.txt")))
			must(t, put(at("target"), "2"))
		}, "2", "old b"},
	}
}

// TestChanges changes files that are cached. The new ones are served soon, whether the system tells or the Handler looks.
func TestChanges(t *testing.T) {
	for mode, o := range map[string]Options{
		"watched": {Recheck: time.Hour},
		"looked":  {NoWatch: true, Recheck: time.Millisecond},
	} {
		for _, c := range happenings() {
			t.Run(mode+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				o := o
				if strings.Contains(c.name, "link") {
					o.Recheck = time.Millisecond // no system tells of these
				}
				s := serve(t, o, "a.txt", "old a", "d/b.txt", "old b")
				shows := func(path, want string) bool {
					r := s.get(path)
					return want == r.body && r.StatusCode == 200 || want == fmt.Sprint(r.StatusCode)
				}
				if !shows("/a.txt", "old a") || !shows("/d/b.txt", "old b") {
					t.Fatal("not as written")
				}
				c.do(t, func(name string) string { return filepath.Join(s.folder, name) })
				s.wait("/a.txt is "+c.a, func() bool { return shows("/a.txt", c.a) })
				s.wait("/d/b.txt is "+c.b, func() bool { return shows("/d/b.txt", c.b) })
				if got := s.Stats().Watching; got != (mode == "watched") {
					t.Errorf("Watching = %v", got)
				}
			})
		}
	}
}

// TestNewFolders watches folders that come later, many at once.
func TestNewFolders(t *testing.T) {
	s := serve(t, Options{Recheck: time.Hour}, "a.txt", "x")
	deep := "n"
	for i := range 5 {
		deep += fmt.Sprintf("/%d", i)
	}
	write(t, filepath.Join(s.folder, deep, "c.txt"), "1")
	s.wait("the file is there", func() bool { return s.get("/"+deep+"/c.txt").body == "1" })
	s.wait("its folder is watched", func() bool { return s.Stats().Folders == 7 })
	s.get("/" + deep + "/c.txt")
	must(t, os.WriteFile(filepath.Join(s.folder, deep, "c.txt"), []byte("2"), 0o644))
	s.wait("the change is noticed", func() bool { return s.get("/"+deep+"/c.txt").body == "2" })
	must(t, os.RemoveAll(filepath.Join(s.folder, "n")))
	s.wait("the folders are forgotten", func() bool { return s.Stats().Folders == 1 })
}

// TestPerPath: what has not changed stays cached.
func TestPerPath(t *testing.T) {
	s := serve(t, Options{}, "a.txt", "a", "d/b.txt", "b", "d/c.txt", "c", "dd/e.txt", "e", "d*/f.txt", "f")
	all := []string{"/a.txt", "/d/c.txt", "/dd/e.txt", "/d%2A/f.txt"}
	for _, path := range append(all, "/d/b.txt") {
		s.get(path)
	}
	must(t, os.WriteFile(filepath.Join(s.folder, "d/b.txt"), []byte("B"), 0o644))
	s.wait("the change is noticed", func() bool { return s.get("/d/b.txt").body == "B" })
	misses := s.Stats().Misses
	for _, path := range all {
		s.get(path)
	}
	if n := s.Stats().Misses; n != misses {
		t.Errorf("%d files had to be read again, want 0", n-misses)
	}
	must(t, os.RemoveAll(filepath.Join(s.folder, "d*")))
	s.wait("the folder is gone", func() bool { return s.get("/d%2A/f.txt").StatusCode == 404 })
	for _, path := range all[:3] {
		s.get(path)
	}
	if n := s.Stats().Misses; n != misses {
		t.Errorf("%d files beside a folder that went had to be read again, want 0", n-misses)
	}
}

// TestSidecarComes: a precompressed file that comes, changes and goes.
func TestSidecarComes(t *testing.T) {
	s := serve(t, Options{}, "a.css", text(4000))
	sidecar := filepath.Join(s.folder, "a.css.gz")
	shows := func(want string) func() bool {
		return func() bool { return s.get("/a.css", "Accept-Encoding", "gzip").body == want }
	}
	own := s.get("/a.css", "Accept-Encoding", "gzip").body
	must(t, os.WriteFile(sidecar, []byte("first"), 0o644))
	s.wait("it is used", shows("first"))
	must(t, os.WriteFile(sidecar, []byte("second"), 0o644))
	s.wait("it is read again", shows("second"))
	must(t, os.Remove(sidecar))
	s.wait("the file is compressed again", shows(own))
}

// TestIgnored: nothing happens because of what editors and compilers leave behind.
func TestIgnored(t *testing.T) {
	s := serve(t, Options{}, "a.txt", "1", "node_modules/x/y.js", "x", ".git/config", "x", "b/__pycache__/z.pyc", "x")
	if n := s.Stats().Folders; n != 2 {
		t.Errorf("%d folders are watched, want 2", n)
	}
	for _, name := range []string{
		"x.log", "x.pyc", "x.pyo", "x.so", "x~", "x.bak", "x.tmp", "x.swp", "x.orig", ".#x", "#x#", "4913", "node_modules/x/y.js", ".git/config",
	} {
		must(t, os.WriteFile(filepath.Join(s.folder, name), []byte("new"), 0o644))
	}
	s.get("/a.txt")
	must(t, os.WriteFile(filepath.Join(s.folder, "a.txt"), []byte("2"), 0o644)) // noticed after all of these
	s.wait("the change is noticed", func() bool { return s.get("/a.txt").body == "2" })
	if n := s.Stats().Invalidations; n > 4 {
		t.Errorf("%d invalidations, want those of a.txt alone", n)
	}
}

// TestOwnIgnore: a list of one's own takes the place of the usual one.
func TestOwnIgnore(t *testing.T) {
	s := serve(t, Options{Ignore: []string{"*.part"}}, "a.bak", "old", "b.part", "old")
	s.get("/a.bak")
	must(t, os.WriteFile(filepath.Join(s.folder, "a.bak"), []byte("new"), 0o644))
	s.wait("the change is noticed", func() bool { return s.get("/a.bak").body == "new" })
	must(t, os.WriteFile(filepath.Join(s.folder, "b.part"), []byte("new"), 0o644))
	if r := s.get("/b.part"); r.body != "new" {
		t.Errorf("what is ignored is cached: %q", r.body)
	}
}

// TestOverflow: when the system has lost events, everything is dropped and everything is watched anew.
func TestOverflow(t *testing.T) {
	var log safeBuffer
	s := serve(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, "a.txt", "1", "d/b.txt", "1")
	for _, path := range []string{"/a.txt", "/d/b.txt"} {
		s.get(path)
	}
	s.watcher.notify.Errors <- fsnotify.ErrEventOverflow // as fsnotify does when the kernel says so
	s.wait("it is noticed", func() bool { return s.Stats().Overflows == 1 && s.Stats().Folders == 2 && s.Stats().Invalidations > 0 })
	misses := s.Stats().Misses
	s.get("/a.txt")
	if s.Stats().Misses == misses || !s.Stats().Watching {
		t.Errorf("not everything was dropped: %+v", s.Stats())
	}
	must(t, os.WriteFile(filepath.Join(s.folder, "d/b.txt"), []byte("2"), 0o644))
	s.wait("changes are noticed as before", func() bool { return s.get("/d/b.txt").body == "2" })
	if !strings.Contains(log.String(), "too many files have changed") {
		t.Errorf("the log has %q", log.String())
	}
}

// TestWatchFails: files are looked at where the system can't tell.
func TestWatchFails(t *testing.T) {
	s := serve(t, Options{Recheck: time.Millisecond}, "a.txt", "1")
	s.get("/a.txt")
	s.watcher.notify.Errors <- os.ErrInvalid
	s.wait("it is noticed", func() bool { return !s.Stats().Watching })
	must(t, os.WriteFile(filepath.Join(s.folder, "a.txt"), []byte("2"), 0o644))
	s.wait("the change is seen", func() bool { return s.get("/a.txt").body == "2" })
	s.wait("by looking", func() bool { s.get("/a.txt"); return s.Stats().Rechecks > 0 })
}

// TestRootMoves: a folder that is moved is served on, and looked at.
func TestRootMoves(t *testing.T) {
	root := filepath.Join(t.TempDir(), "www")
	s := serve(t, Options{Root: root, Recheck: time.Millisecond}, "a.txt", "1")
	s.get("/a.txt")
	must(t, os.Rename(root, root+"2"))
	s.wait("it is noticed", func() bool { return !s.Stats().Watching })
	must(t, os.WriteFile(root+"2/a.txt", []byte("2"), 0o644))
	s.wait("the change is seen", func() bool { return s.get("/a.txt").body == "2" })
}

// TestWatch: a file elsewhere on which the others depend.
func TestWatch(t *testing.T) {
	s := serve(t, Options{}, "a.txt", "1", "b.txt", "1")
	elsewhere := filepath.Join(t.TempDir(), "build.stamp")
	must(t, s.Watch(elsewhere))
	s.get("/a.txt")
	s.get("/b.txt")
	must(t, os.WriteFile(filepath.Join(filepath.Dir(elsewhere), "other"), nil, 0o644))
	must(t, os.WriteFile(elsewhere, []byte("x"), 0o644))
	s.wait("everything is dropped", func() bool {
		n, err := s.cache.Len(t.Context())
		return err == nil && n == 0
	})
	if err := s.Watch(filepath.Join(t.TempDir(), "none", "x")); err == nil {
		t.Error("a file in a folder that is not there can be watched")
	}
	if err := serve(t, Options{NoWatch: true}).Watch(elsewhere); err == nil {
		t.Error("NoWatch watches")
	}
}

// TestWindow gathers changes.
func TestWindow(t *testing.T) {
	w := newWindow()
	note := func(name string, tree bool, want ...change) {
		t.Helper()
		var got []change
		if c, act := w.note(change{name, tree}); act {
			got = append(got, c)
		}
		if !slices.Equal(got, want) {
			t.Errorf("note(%q, %v) = %v, want %v", name, tree, got, want)
		}
	}
	end := func(want ...change) {
		t.Helper()
		if got := w.end(); !slices.Equal(got, want) {
			t.Errorf("end() = %v, want %v", got, want)
		}
	}
	note("a", false, change{"a", false})
	note("a", false)
	note("b", false, change{"b", false})
	note("a", true)
	end(change{"a", true}) // b was acted on
	if !w.open() {
		t.Error("a window that has acted is not open")
	}
	note("a", false)
	end(change{"a", true})
	end()
	if w.open() {
		t.Error("a window in which nothing happened goes on")
	}
	for i := range crowd {
		note(fmt.Sprint(i), false, change{fmt.Sprint(i), false})
	}
	note("one more", false, change{"", true})
	note("and another", false)
	note("0", false)
	end(change{"", true})
	end()
	note("0", false, change{"0", false})
}

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
