//go:build unix

package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// processor returns the processor time that the process has taken, its own and the system's.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBackend reads, writes and misses values of 1 KiB among 20,000. cpu-µs is processor time, which neighbours change
// less than the clock's.
func BenchmarkBackend(b *testing.B) {
	const keys = 20_000
	backend := mustOpen(b, Options{Dir: b.TempDir()})
	e := &core.Entry{Value: make([]byte, 1024)}
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprint("user:", i)
		set(b, backend, names[i], e)
	}
	run := func(op string, call func(key string) error) {
		b.Run(op, func(b *testing.B) {
			b.ReportAllocs()
			i, begin := 0, processor(b)
			for b.Loop() {
				i++
				if err := call(names[i*7919%keys]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((processor(b)-begin).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
		})
	}
	ctx := b.Context()
	run("Get", func(key string) error { _, err := backend.Get(ctx, key); return err })
	run("Set", func(key string) error { return backend.Set(ctx, key, e) })
	run("Miss", func(key string) error {
		if _, err := backend.Get(ctx, key+"-"); err == nil {
			return fmt.Errorf("hit for %q", key)
		}
		return nil
	})
	n := 0
	run("SetNew", func(string) error { n++; return backend.Set(ctx, "new:"+strconv.Itoa(n), e) })

	// The floor: the same files, read and replaced with nothing known of them.
	data, temp := encode("user:12345", e), filepath.Join(b.TempDir(), "temp")
	run("FloorGet", func(key string) error { _, err := os.ReadFile(backend.folder.path(hashName(key))); return err })
	run("FloorSet", func(key string) error {
		if err := os.WriteFile(temp, data, 0o600); err != nil {
			return err
		}
		return os.Rename(temp, backend.folder.path(hashName(key)))
	})
}

// BenchmarkOpen opens a cache of 20,000 entries, by its index and by a scan.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	backend := mustOpen(b, Options{Dir: dir})
	e := &core.Entry{Value: make([]byte, 1024)}
	for i := range 20_000 {
		set(b, backend, fmt.Sprint("user:", i), e)
	}
	mustClose(b, backend)
	for _, how := range []string{"Index", "Scan"} {
		b.Run(how, func(b *testing.B) {
			for b.Loop() {
				if how == "Scan" {
					if err := os.Remove(filepath.Join(dir, indexName)); err != nil {
						b.Fatal(err)
					}
				}
				o, err := New(Options{Dir: dir})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				mustClose(b, o)
				b.StartTimer()
			}
		})
	}
}
