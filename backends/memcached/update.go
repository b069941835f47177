package memcached

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
)

// maxTries is how often Update starts anew because other writers came first.
const maxTries = 128

// Update reads the entry, calls fn and writes if the key has not changed meanwhile, again and again until that succeeds.
// After 128 times it returns core.ErrConflict.
func (b *Backend) Update(
	ctx context.Context, key string, fn func(old *core.Entry) (*core.Entry, error),
) (*core.Entry, error) {
	for range maxTries {
		e, done, err := b.tryUpdate(ctx, key, fn)
		if done || err != nil {
			return e, err
		}
	}
	return nil, fmt.Errorf("memcached: %w: %d times", core.ErrConflict, maxTries)
}

// tryUpdate returns false if another writer came first.
func (b *Backend) tryUpdate(
	ctx context.Context, key string, fn func(old *core.Entry) (*core.Entry, error),
) (e *core.Entry, done bool, err error) {
	stored, hashed := storeKey(key)
	s := b.servers.pick(stored)
	var held *reply // nil if memcached has nothing, not even an envelope that has ended or is damaged
	err = b.do(ctx, "get", s, 1, func(ctx context.Context) (err error) {
		held, err = s.get(ctx, stored)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	now := time.Now()
	var old *core.Entry
	counted := false
	if held != nil {
		old, counted = b.read(key, hashed, held, now)
	}
	e, err = fn(old)
	switch {
	case err != nil:
		return nil, true, err
	case e == old:
		return e, true, nil
	case e == nil || e.Expired(now):
		done, err = b.deleteHeld(ctx, s, stored, held)
		return nil, done, err
	}
	it, err := b.item(key, e, now, counted && e.Expires == old.Expires)
	if err != nil {
		return nil, false, err
	}
	done, err = b.setHeld(ctx, s, &it, held)
	return e, done, err
}

// setHeld stores an item if the key is still as held says.
func (b *Backend) setHeld(ctx context.Context, s *server, it *item, held *reply) (done bool, err error) {
	condition := " ME" // add
	if held != nil {
		condition = " C" + strconv.FormatUint(held.cas, 10)
	}
	return b.conditional(ctx, "cas", s, appendSet(nil, it, condition), "HD")
}

// deleteHeld deletes a key if it is still as held says.
func (b *Backend) deleteHeld(ctx context.Context, s *server, stored string, held *reply) (done bool, err error) {
	if held == nil {
		return true, nil
	}
	return b.conditional(ctx, "delete", s, appendDelete(nil, stored, " C"+strconv.FormatUint(held.cas, 10)), "HD", "NF")
}

// conditional sends a request that takes place unless another writer came first.
func (b *Backend) conditional(ctx context.Context, op string, s *server, request []byte, success ...string) (done bool, err error) {
	err = b.do(ctx, op, s, 1, func(ctx context.Context) error {
		return s.exchange(ctx, request, 1, false, func(_ int, r *reply) error {
			done = r.want(success...) == nil
			return r.want("HD", "NF", "NS", "EX")
		})
	})
	return done && err == nil, err
}

// maxNative is the largest delta that memcached adds itself. Its numbers are uint64 and wrap around: with more it would
// not take improbably many callers at once to get there.
const maxNative = 1 << 32

// Increment adds to the number. Memcached does it where it can: it knows no negative numbers, does not go below 0 and has
// no number in an envelope; Update does the rest. In Raw mode what memcached takes for a number is one, spaces and all.
func (b *Backend) Increment(ctx context.Context, key string, delta, expires int64) (int64, error) {
	now := time.Now()
	stored, hashed := storeKey(key)
	if delta >= 0 && delta <= maxNative && !hashed && (expires == 0 || expires > now.UnixNano()) {
		n, err := b.incrementNative(ctx, stored, uint64(delta), expires, now)
		if !errors.Is(err, errNotStored) {
			return n, err
		}
	}
	return b.incrementHeld(ctx, key, delta, expires)
}

// incrementNative returns errNotStored where memcached can't do it.
func (b *Backend) incrementNative(ctx context.Context, stored string, delta uint64, expires int64, now time.Time) (int64, error) {
	left := int64(0)
	if expires != 0 {
		left = exptime(time.Duration(expires-now.UnixNano()), now)
	}
	request := fmt.Appendf(nil, "ma %s MI v D%d J%d N%d\r\n", stored, delta, delta, left)
	sum, err := b.arithmetic(ctx, stored, request)
	if err != nil || sum <= math.MaxInt64 {
		return int64(sum), err
	}
	if _, err := b.arithmetic(ctx, stored, fmt.Appendf(nil, "ma %s MD v D%d\r\n", stored, delta)); err != nil {
		return 0, err
	}
	if sum-delta > math.MaxInt64 {
		return 0, core.ErrNotInteger
	}
	return 0, core.ErrOverflow
}

// arithmetic sends an ma request and returns the number that comes back.
func (b *Backend) arithmetic(ctx context.Context, stored string, request []byte) (n uint64, err error) {
	s := b.servers.pick(stored)
	var result *reply
	err = b.do(ctx, "incr", s, 1, func(ctx context.Context) error {
		return s.exchange(ctx, request, 1, false, func(_ int, r *reply) error {
			result = r
			return nil
		})
	})
	if err != nil {
		return 0, err
	}
	switch result.code {
	case "VA":
		if n, err = strconv.ParseUint(string(result.value), 10, 64); err != nil {
			return 0, b.fail(ctx, fmt.Errorf("%w: number %.32q", errProtocol, result.value))
		}
		return n, nil
	case "CLIENT_ERROR", "NS", "NF": // not a number, or another writer came between the miss and the add
		return 0, errNotStored
	}
	return 0, b.fail(ctx, result.refusal())
}

// incrementHeld adds to the number in an Update.
func (b *Backend) incrementHeld(ctx context.Context, key string, delta, expires int64) (sum int64, err error) {
	_, err = b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		next := &core.Entry{Expires: expires}
		n := int64(0)
		if old != nil {
			var err error
			if n, err = b.number(old.Value); err != nil {
				return nil, err
			}
			next.Expires, next.Flags = old.Expires, old.Flags
		}
		if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
			return nil, core.ErrOverflow
		}
		sum = n + delta
		next.Value = strconv.AppendInt(nil, sum, 10)
		return next, nil
	})
	if err != nil {
		return 0, err
	}
	return sum, nil
}

// number reads a number. In Raw mode it may have been shortened by another program's decr.
func (b *Backend) number(value []byte) (int64, error) {
	if b.opts.Values == Raw {
		value = trimCounter(value)
	}
	n, ok := codec.ParseCounter(value)
	if !ok {
		return 0, core.ErrNotInteger
	}
	return n, nil
}
