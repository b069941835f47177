package sqlite

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/backends/backendtest"
	"github.com/edgecache/edgecache/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, o Options) *Backend {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "cache.db")
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]Options{
		"Defaults": {},
		"Waits":    {BatchDelay: -1, Sync: SyncOff},
		"Small":    {BatchSize: 3},
		"Memory":   {Path: Memory},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backendtest.Run(t, func(t *testing.T) core.Backend { return open(t, o) })
		})
	}
}
