package null_test

import (
	"errors"
	"testing"

	"github.com/edgecache/edgecache/backends/backendtest"
	"github.com/edgecache/edgecache/backends/null"
	"github.com/edgecache/edgecache/core"
)

func TestConformance(t *testing.T) {
	backendtest.Limits{Forgets: true}.Run(t, func(*testing.T) core.Backend { return null.New() })
}

func TestWritesSeeAnAbsentKey(t *testing.T) {
	b, ctx := null.New(), t.Context()
	stored := &core.Entry{Value: []byte("v")}
	for range 2 {
		if e, err := b.Update(ctx, "k", func(old *core.Entry) (*core.Entry, error) {
			if old != nil {
				t.Errorf("fn saw %v, want nil", old)
			}
			return stored, nil
		}); e != stored || err != nil {
			t.Errorf("Update = %v, %v; want what fn returned", e, err)
		}
		if n, err := b.Increment(ctx, "k", -3, 0); n != -3 || err != nil {
			t.Errorf("Increment = %d, %v; want -3", n, err)
		}
		if err := b.SetIf(ctx, "k", stored, core.IfAbsent); err != nil {
			t.Errorf("SetIf absent = %v", err)
		}
	}
	if err := b.SetIf(ctx, "k", stored, core.IfPresent); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("SetIf present = %v, want ErrNotFound", err)
	}
}
