package httpcache_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache"
)

// forgetful is a backend that loses large values from a moment on.
type forgetful struct {
	core.Backend
	left atomic.Int64 // how many it still gives
}

func (f *forgetful) Get(ctx context.Context, key string) (*core.Entry, error) {
	e, err := f.Backend.Get(ctx, key)
	if err == nil && len(e.Value) > 100<<10 && f.left.Add(-1) < 0 {
		return nil, core.ErrNotFound
	}
	return e, err
}

func TestSegmentsThatAreGone(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 128<<10) // 2 MiB
	tests := []struct {
		name, tag string
		left      int64
		lines     []string
		changed   bool
		broken    bool
		from      int
		want      string // of Cache-Status
		whole     bool   // the origin knows no ranges
	}{
		{"all there", `"a"`, 100, nil, false, false, 0, "; hit", false},
		{"the first", `"a"`, 0, nil, false, false, 0, "fwd=miss", false},
		{"the third", `"a"`, 2, nil, false, false, 0, "; hit", false},
		{"of a range", `"a"`, 2, []string{"Range: bytes=300000-"}, false, false, 300000, "; hit", false},
		{"by an origin without ranges", `"a"`, 2, nil, false, false, 0, "; hit", true},
		{"without a strong tag", `W/"a"`, 2, nil, false, true, 0, "; hit", false},
		{"which has changed", `"a"`, 2, nil, true, true, 0, "; hit", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tier, err := memory.New(memory.Options{MaxBytes: 64 << 20})
			if err != nil {
				t.Fatal(err)
			}
			lossy := &forgetful{Backend: tier}
			lossy.left.Store(1 << 40)
			cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "lossy", Backend: lossy}}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cache.Close() })
			c, err := httpcache.New(httpcache.Options{Cache: cache})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			var changed atomic.Bool
			o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=60")
				w.Header().Set("Etag", tt.tag)
				if tt.whole {
					r.Header.Del("Range")
				}
				if changed.Load() {
					w.Header().Set("Etag", `"b"`)
				}
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
			})
			s := serve(t, c.Proxy(o.forwarder()))
			if a := get(t, s, "/a"); a.body != body {
				t.Fatal("the first answer is not the origin's")
			}
			changed.Store(tt.changed)
			lossy.left.Store(tt.left)
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/a", nil)
			for _, line := range tt.lines {
				name, value, _ := strings.Cut(line, ": ")
				r.Header.Set(name, value)
			}
			res, err := s.Client().Transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if (err != nil) != tt.broken || !strings.HasPrefix(body[tt.from:], string(b)) || !tt.broken && len(b) != len(body)-tt.from {
				t.Errorf("%d bytes (%v), want broken: %v", len(b), err, tt.broken)
			}
			if cs := res.Header.Get("Cache-Status"); !strings.Contains(cs, tt.want) {
				t.Errorf("Cache-Status = %q, want %q", cs, tt.want)
			}
		})
	}
}
