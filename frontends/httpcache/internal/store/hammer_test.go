package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
)

// origin makes up bodies that tell what they are of: any eight bytes that are aligned in them say which resource and variant
// they belong to, in which version, and where in the body they are.
func origin(resource, variant, version, n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.BigEndian.AppendUint64(b, uint64(resource)<<56|uint64(variant)<<48|uint64(version)<<32|uint64(len(b)))
	}
	return b[:n]
}

// checked is a writer that demands a body of just one resource, variant and version.
type checked struct {
	resource, variant int
	pos               int
	rest              []byte
	version           int
}

func (c *checked) Write(p []byte) (int, error) {
	c.rest = append(c.rest, p...)
	for len(c.rest) >= 8 {
		n := binary.BigEndian.Uint64(c.rest)
		version := int(n >> 32 & 0xffff)
		if c.pos == 0 {
			c.version = version
		}
		if int(n>>56) != c.resource || int(n>>48&0xff) != c.variant || version != c.version || int(n&0xffffffff) != c.pos {
			return 0, fmt.Errorf("byte %d of resource %d, variant %d, version %d is %x", c.pos, c.resource, c.variant, c.version, n)
		}
		c.rest = c.rest[8:]
		c.pos += 8
	}
	return len(p), nil
}

// TestHammer has many clients fill, follow, read, freshen, cut short and delete few resources in a cache that is too small for
// them. No reader ever gets a wrong byte.
func TestHammer(t *testing.T) {
	b, err := memory.New(memory.Options{MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	tiers := []core.Tier{{Name: "memory", Backend: b}, newFile(t, t.TempDir())}
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d tiers", n), func(t *testing.T) {
			s := open(t, func(o *store.Options) {
				o.Cache, o.FillBytes, o.Patience, o.MaxObject = overTiers(t, tiers[:n]...), 2<<20, 50*time.Millisecond, 6<<20
			})
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			h := &hammer{t: t, store: s}
			var clients sync.WaitGroup
			for i := range 12 {
				clients.Go(func() {
					r := rand.New(rand.NewPCG(uint64(i), 1))
					for ctx.Err() == nil {
						h.step(ctx, r)
					}
				})
			}
			clients.Wait()
			t.Logf("%d fills, %d read to the end, %d hits, %d gone, %d freshened", h.fills.Load(), h.followed.Load(), h.hits.Load(), h.gone.Load(), h.freshened.Load())
			if h.hits.Load() == 0 || h.followed.Load() == 0 {
				t.Error("nothing was tested")
			}
			if n := s.DecodeErrors(); n != 0 {
				t.Errorf("%d frames were damaged", n)
			}
		})
		tiers[0].Backend, _ = memory.New(memory.Options{MaxBytes: 16 << 20})
	}
}

type hammer struct {
	t       *testing.T
	store   *store.Store
	version atomic.Int64

	fills, followed, hits, gone, freshened atomic.Int64
}

func (h *hammer) step(ctx context.Context, r *rand.Rand) {
	resource, variant := r.IntN(6), r.IntN(3)
	key := fmt.Sprint("http://host/", resource)
	req := http.Header{"X-User": {fmt.Sprint(variant)}}
	size := []int{100, 60_000, 70_000, 1 << 20, 5 << 20, 8 << 20}[resource]
	found, _ := h.store.Lookup(ctx, key, req)
	switch {
	case found == nil || r.IntN(20) == 0:
		h.fill(ctx, r, key, req, resource, variant, size)
	case r.IntN(100) == 0:
		if _, err := h.store.Delete(ctx, key); err != nil && ctx.Err() == nil {
			h.t.Error(err)
		}
	case r.IntN(10) == 0:
		h.freshen(ctx, found)
	default:
		h.hit(ctx, found, resource, variant)
	}
}

func (h *hammer) meta(version int, vary bool) *store.Meta {
	m := meta("Etag", fmt.Sprintf(`"%d"`, version))
	if vary {
		m.Header.Set("Vary", "X-User")
	}
	return m
}

func (h *hammer) fill(ctx context.Context, r *rand.Rand, key string, req http.Header, resource, variant, size int) {
	version := int(h.version.Add(1) & 0xffff)
	data := origin(resource, variant, version, size)
	declared := int64(size)
	if r.IntN(2) == 0 {
		declared = -1
	}
	h.fills.Add(1)
	f := h.store.Begin(ctx, key, req, h.meta(version, true), declared)
	var readers sync.WaitGroup
	for range r.IntN(3) {
		follower, err := f.Reader(0)
		if err != nil {
			h.t.Error(err)
			break
		}
		slow, cut := r.IntN(4) == 0, r.IntN(4) == 0
		readers.Go(func() { h.follow(ctx, follower, &checked{resource: resource, variant: variant}, size, slow, cut) })
	}
	var err error
	abort := r.IntN(10) == 0
	for len(data) > 0 && err == nil {
		n := min(len(data), 1+r.IntN(100_000))
		if _, err = f.Write(data[:n]); abort && r.IntN(5) == 0 {
			err = errOrigin
		}
		data = data[n:]
	}
	if err != nil {
		f.Abort(err)
	} else if _, err = f.Commit(); err != nil && !errors.Is(err, store.ErrNotStored) && !errors.Is(err, store.ErrAbandoned) {
		h.t.Error(err)
	}
	readers.Wait()
}

func (h *hammer) follow(ctx context.Context, r *store.Reader, c *checked, size int, slow, cut bool) {
	defer r.Close()
	for i := 0; ; i++ {
		data, err := r.Next(ctx)
		if _, wrong := c.Write(data); wrong != nil {
			h.t.Error(wrong)
		}
		switch {
		case errors.Is(err, io.EOF):
			if got := c.pos + len(c.rest); got != size {
				h.t.Errorf("a reader got %d bytes of %d", got, size)
			}
			h.followed.Add(1)
			return
		case err != nil:
			if !errors.Is(err, errOrigin) && !errors.Is(err, store.ErrGone) && !errors.Is(err, store.ErrAbandoned) && ctx.Err() == nil {
				h.t.Error(err)
			}
			return
		case cut && i == 3:
			return
		case slow:
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	}
}

func (h *hammer) hit(ctx context.Context, r *store.Response, resource, variant int) {
	c := &checked{resource: resource, variant: variant}
	if !r.Complete() {
		h.gone.Add(1)
		return
	}
	n, err := r.WriteRange(ctx, c, 0, r.Size())
	switch {
	case errors.Is(err, store.ErrGone):
		h.gone.Add(1)
	case err != nil && ctx.Err() == nil:
		h.t.Error(err)
	case err == nil:
		if got := fmt.Sprintf(`"%d"`, c.version); n != r.Size() || got != r.ETag() {
			h.t.Errorf("%d bytes of %d, of version %s with %s", n, r.Size(), got, r.ETag())
		}
		h.hits.Add(1)
	}
}

func (h *hammer) freshen(ctx context.Context, r *store.Response) {
	var version int
	_, _ = fmt.Sscanf(r.ETag(), `"%d"`, &version)
	_, err := h.store.Freshen(ctx, r, h.meta(version, true))
	if err != nil && !errors.Is(err, store.ErrNotStored) {
		h.t.Error(err)
	}
	h.freshened.Add(1)
}

// TestLimits fills a cache with much more than it holds, in objects that are larger than the cache: what is held stays within
// its bound, the fills' own, and what a few segments take.
func TestLimits(t *testing.T) {
	if race || testing.Short() {
		t.Skip("it moves 2 GiB")
	}
	const limit, fills, object = cacheBytes, 4 << 20, 256 << 20
	s := open(t, func(o *store.Options) { o.Cache, o.FillBytes = newCache(t), fills })
	base := heap()
	chunk := body(1, 1<<20)
	var most uint64
	for i := range 8 {
		size := int64(object)
		if i%2 == 1 {
			size = -1
		}
		f := s.Begin(t.Context(), fmt.Sprint(key, i), nil, meta(), size)
		r := reader(t, f, 0)
		done := make(chan int, 1)
		go func() {
			n := 0
			for {
				data, err := r.Next(t.Context())
				if n += len(data); err != nil {
					done <- n
					return
				}
			}
		}()
		for range object >> 20 {
			write(t, f, chunk)
		}
		most = max(most, heap()-base)
		if _, err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := <-done; n != object {
			t.Errorf("the reader got %d bytes", n)
		}
		r.Close()
	}
	t.Logf("at most %d MiB of live heap over a limit of %d and %d for fills", most>>20, limit>>20, fills>>20)
	if most > limit*115/100 {
		t.Errorf("%d MiB are held, the limit is %d", most>>20, limit>>20)
	}
	debug.FreeOSMemory()
	runtime.KeepAlive(s)
}
