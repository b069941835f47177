package memcached

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Get reads the entry in one round trip.
func (b *Backend) Get(ctx context.Context, key string) (*core.Entry, error) {
	stored, hashed := storeKey(key)
	s := b.servers.pick(stored)
	var e *core.Entry
	err := b.do(ctx, "get", s, 1, func(ctx context.Context) error {
		r, err := s.get(ctx, stored)
		if err == nil && r != nil {
			e, _ = b.read(key, hashed, r, time.Now())
		}
		return err
	})
	if err == nil && e == nil {
		err = core.ErrNotFound
	}
	return e, err
}

// get asks for a key with its value and metadata, and returns nil if it is absent.
func (s *server) get(ctx context.Context, stored string) (*reply, error) {
	var found *reply
	err := s.exchange(ctx, appendGet(nil, stored), 1, true, func(_ int, r *reply) error {
		hit, err := r.answers(stored)
		if hit {
			found = r
		}
		return err
	})
	return found, err
}

// answers reports whether the reply is a hit for the key. A hit for another key means that the connection is out of
// step.
func (r *reply) answers(stored string) (bool, error) {
	switch {
	case r.code == "EN":
		return false, nil
	case r.code != "VA" && r.code != "HD":
		return false, r.refusal()
	case r.key != stored:
		return false, fmt.Errorf("%w: asked for %.64q, got %.64q", errProtocol, stored, r.key)
	}
	return true, nil
}

// GetMany reads the entries in one round trip to each server.
func (b *Backend) GetMany(ctx context.Context, keys []string, out []*core.Entry) error {
	return b.spread(ctx, "get", keys, appendGet, 1, true, func(i int, stored string, r *reply) error {
		hit, err := r.answers(stored)
		if hit {
			_, hashed, _ := loadKey(stored)
			out[i], _ = b.read(keys[i], hashed, r, time.Now())
		}
		return err
	})
}

// spread sends one request for each key to its server, in one batch each and to all servers at once, and calls each with
// the perKey replies of every key. Calls for keys of different servers may be concurrent.
func (b *Backend) spread(
	ctx context.Context, op string, keys []string, request func(b []byte, stored string) []byte, perKey int,
	idempotent bool, each func(i int, stored string, r *reply) error,
) error {
	if b.isClosed() {
		return core.ErrClosed
	}
	type batch struct {
		request []byte
		indices []int
		stored  []string
	}
	batches := make(map[*server]*batch)
	for i, key := range keys {
		stored, _ := storeKey(key)
		s := b.servers.pick(stored)
		t := batches[s]
		if t == nil {
			t = &batch{}
			batches[s] = t
		}
		t.request = request(t.request, stored)
		t.indices, t.stored = append(t.indices, i), append(t.stored, stored)
	}
	return everywhere(batches, func(s *server, t *batch) error {
		return b.do(ctx, op, s, len(t.indices), func(ctx context.Context) error {
			return s.exchange(ctx, t.request, perKey*len(t.indices), idempotent, func(n int, r *reply) error {
				return each(t.indices[n/perKey], t.stored[n/perKey], r)
			})
		})
	})
}

// everywhere calls fn for all servers of the map at once and returns their errors.
func everywhere[T any](servers map[*server]T, fn func(*server, T) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	run := func(s *server, t T) {
		if err := fn(s, t); err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		}
	}
	for s, t := range servers {
		if len(servers) == 1 {
			run(s, t)
			break
		}
		wg.Go(func() { run(s, t) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
