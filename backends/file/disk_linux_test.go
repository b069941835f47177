package file

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// smallDisk returns a folder on a disk of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("a disk can't be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount = %v", err)
		}
	})
	return dir
}

// fillDisk writes entries until there is no room, and returns how many it wrote.
func fillDisk(t *testing.T, b *Backend) int {
	t.Helper()
	for i := range 100_000 {
		err := b.Set(t.Context(), fmt.Sprint("key", i), &core.Entry{Value: make([]byte, 10_000)})
		if err != nil {
			if !errors.Is(err, core.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("Set on a full disk = %v, want ErrUnavailable and ENOSPC", err)
			}
			return i
		}
	}
	t.Fatal("the disk does not get full")
	return 0
}

func TestFullDisk(t *testing.T) {
	o := Options{Dir: smallDisk(t, 1<<20)}
	b := mustOpen(t, o)
	n := fillDisk(t, b)
	check := func() {
		t.Helper()
		for i := range n {
			if e, err := b.Get(t.Context(), fmt.Sprint("key", i)); err != nil || len(e.Value) != 10_000 {
				t.Fatalf("Get of what was stored before = %v, %v", e, err)
			}
		}
		wantFiles(t, b)
	}
	check()
	if err := b.Set(t.Context(), "key0", &core.Entry{Value: make([]byte, 100_000)}); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Set of a key that is there = %v, want ErrUnavailable", err)
	}
	check()
	if err := b.Close(); err != nil {
		t.Logf("Close on a full disk = %v", err)
	}
	b = mustOpen(t, o)
	check()
	n--
	if found, err := b.Delete(t.Context(), fmt.Sprint("key", n)); !found || err != nil {
		t.Errorf("Delete on a full disk = %v, %v", found, err)
	}
	if _, err := b.Delete(t.Context(), fmt.Sprint("key", n-1)); err != nil {
		t.Error(err)
	}
	n--
	b.renew(b.journal.incomplete) // as the janitor does every minute
	if err := b.Set(t.Context(), fmt.Sprint("key", n), &core.Entry{Value: make([]byte, 10_000)}); err != nil {
		t.Errorf("Set with room again = %v", err)
	}
	n++
	check()
}

func TestReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t, 1<<20)
	b := mustOpen(t, Options{Dir: dir})
	fill(t, b, "a")
	mustClose(t, b)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("the disk can't be made read-only here: %v", err)
	}
	if _, err := New(Options{Dir: dir}); !errors.Is(err, core.ErrUnavailable) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("New = %v, want ErrUnavailable and EROFS", err)
	}
}
