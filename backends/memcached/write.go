package memcached

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/edgecache/edgecache/core"
)

// Set stores the entry.
func (b *Backend) Set(ctx context.Context, key string, e *core.Entry) error {
	now := time.Now()
	if e.Expired(now) {
		_, err := b.Delete(ctx, key)
		return err
	}
	it, err := b.item(key, e, now, false)
	if err != nil {
		return err
	}
	return b.write(ctx, "set", b.servers.pick(it.key), func() error { return b.plain.Set(it.plain()) })
}

// plain is the item as gomemcache has it.
func (it *item) plain() *memcache.Item {
	return &memcache.Item{Key: it.key, Value: it.value, Flags: it.flags, Expiration: int32(it.exptime)}
}

// SetIf stores the entry if cond holds. Memcached's own conditions take an envelope that has ended for a key that is
// there: where that can matter, Update decides.
func (b *Backend) SetIf(ctx context.Context, key string, e *core.Entry, cond core.Condition) error {
	now := time.Now()
	if e.Expired(now) || cond == core.IfPresent && b.opts.Values == Enveloped {
		return b.updateIf(ctx, key, e, cond)
	}
	it, err := b.item(key, e, now, false)
	if err != nil {
		return err
	}
	op, call := "add", b.plain.Add
	if cond == core.IfPresent {
		op, call = "replace", b.plain.Replace
	}
	err = b.write(ctx, op, b.servers.pick(it.key), func() error { return call(it.plain()) })
	switch {
	case !errors.Is(err, errNotStored):
		return err
	case cond == core.IfPresent:
		return core.ErrNotFound
	case b.opts.Values == Enveloped:
		return b.updateIf(ctx, key, e, cond)
	}
	return core.ErrExists
}

func (b *Backend) updateIf(ctx context.Context, key string, e *core.Entry, cond core.Condition) error {
	_, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		return e, cond.Check(old)
	})
	return err
}

// Delete removes the entry. It looks at the key's time to live in the same round trip, since memcached keeps an envelope
// that has ended a bit longer.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	found := [1]bool{}
	err := b.DeleteMany(ctx, []string{key}, found[:])
	return found[0], err
}

// DeleteMany removes the entries in one round trip to each server.
func (b *Backend) DeleteMany(ctx context.Context, keys []string, found []bool) error {
	ended := make([]bool, len(keys))
	request := func(to []byte, stored string) []byte { return appendDelete(appendPeek(to, stored), stored, "") }
	return b.spread(ctx, "delete", keys, request, 2, false, func(i int, stored string, r *reply) error {
		switch r.code {
		case "NF":
			return nil
		case "HD":
			if r.key == stored { // the look before
				ended[i] = b.ended(r.flags, r.ttl, time.Now())
				return nil
			}
			found[i] = !ended[i]
			return nil
		}
		_, err := r.answers(stored)
		return err
	})
}

// SetMany stores the entries in one round trip to each server.
func (b *Backend) SetMany(ctx context.Context, keys []string, entries []*core.Entry, errs []error) error {
	if b.isClosed() {
		return core.ErrClosed
	}
	type batch struct {
		request []byte
		indices []int
	}
	batches := make(map[*server]*batch)
	now := time.Now()
	for i, key := range keys {
		it, err := b.item(key, entries[i], now, false)
		if errs[i] = err; err != nil {
			continue
		}
		s := b.servers.pick(it.key)
		t := batches[s]
		if t == nil {
			t = &batch{}
			batches[s] = t
		}
		if entries[i].Expired(now) {
			t.request = appendDelete(t.request, it.key, "")
		} else {
			t.request = appendSet(t.request, &it, "")
		}
		t.indices = append(t.indices, i)
	}
	_ = everywhere(batches, func(s *server, t *batch) error { // errs has the errors
		done := 0
		err := b.do(ctx, "set", s, len(t.indices), func(ctx context.Context) error {
			return s.exchange(ctx, t.request, len(t.indices), false, func(n int, r *reply) error {
				errs[t.indices[n]], done = r.want("HD", "NF"), n+1
				return nil
			})
		})
		for _, i := range t.indices[done:] {
			errs[i] = err
		}
		return nil
	})
	return nil
}

// Expire changes the expiry: in Raw mode with memcached's touch, else by writing the envelope anew if nobody else did.
func (b *Backend) Expire(ctx context.Context, key string, expires int64) (bool, error) {
	now := time.Now()
	if expires != 0 && expires <= now.UnixNano() {
		return b.Delete(ctx, key)
	}
	if b.opts.Values == Raw {
		return b.touch(ctx, key, expires, now)
	}
	found := false
	_, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		if found = old != nil; !found {
			return nil, nil //nolint:nilnil // leaves an absent key absent
		}
		return old.Until(expires), nil
	})
	return found, err
}

func (b *Backend) touch(ctx context.Context, key string, expires int64, now time.Time) (bool, error) {
	seconds := int64(0)
	if expires != 0 {
		seconds = exptime(time.Duration(expires-now.UnixNano()), now)
	}
	stored, _ := storeKey(key)
	stored = strings.Clone(stored) // the call may outlive the key
	err := b.write(ctx, "touch", b.servers.pick(stored), func() error {
		return b.plain.Touch(stored, int32(min(seconds, math.MaxInt32)))
	})
	if errors.Is(err, core.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
