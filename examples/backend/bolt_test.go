package bolt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgecache/edgecache"
	"github.com/edgecache/edgecache/backends/backendtest"
	"github.com/edgecache/edgecache/core"
	bolt "github.com/edgecache/edgecache/examples/backend"
)

// TestConformance is all that a backend has to prove.
func TestConformance(t *testing.T) {
	limits := backendtest.Limits{MaxKey: 32 << 10 - 1}
	limits.Run(t, func(t *testing.T) core.Backend {
		b, err := bolt.Open(filepath.Join(t.TempDir(), "cache.bolt"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

// The store behind a memory tier, by a URL of its own.
func Example() {
	dir, err := os.MkdirTemp("", "bolt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	o := edgecache.Options{Schemes: []edgecache.Scheme{{
		Names: []string{"bolt"},
		Open: func(_ context.Context, u *edgecache.URL) (core.Tier, error) {
			path, err := u.Path()
			if err != nil {
				return core.Tier{}, err
			}
			b, err := bolt.Open(path)
			if err != nil {
				return core.Tier{}, err
			}
			return core.Tier{Name: "bolt", Backend: b}, nil
		},
	}}}
	ctx := context.Background()
	cache, err := o.Open(ctx, "memory://?max=16MiB", "bolt://"+filepath.ToSlash(dir)+"/cache.bolt?ttl=1h")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cache.Close() }()
	_ = cache.Set(ctx, "greeting", []byte("hello"), edgecache.EntryOptions{})
	value, err := cache.Get(ctx, "greeting")
	fmt.Println(string(value), err)
	// Output:
	// hello <nil>
}
