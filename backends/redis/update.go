package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
)

// maxAttempts is how often Update tries against other writers. Each time some writer succeeds, so n writers of one key
// need n attempts at worst.
const maxAttempts = 128

// What swap does about the time to live.
const (
	ttlKeep   = "keep"
	ttlNone   = "none"
	ttlDelete = "delete"
)

// swapScript stores ARGV[4] if the key holds exactly ARGV[2], or nothing if ARGV[1] is empty. ARGV[3] is a time to live
// in milliseconds or one of the words above. It returns 1, or what the key holds and its time to live.
var swapScript = newScript(`
local now = redis.call('GET', KEYS[1])
if (ARGV[1] == '' and now) or (ARGV[1] ~= '' and now ~= ARGV[2]) then
  return {now, redis.call('PTTL', KEYS[1])}
end
if ARGV[3] == 'delete' then
  redis.call('DEL', KEYS[1])
elseif ARGV[3] == 'none' then
  redis.call('SET', KEYS[1], ARGV[4])
elseif ARGV[3] == 'keep' then
  redis.call('SET', KEYS[1], ARGV[4], 'KEEPTTL')
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
end
return 1`)

// incrementScript adds ARGV[1] to the key, which is made with ARGV[2] milliseconds to live if it is absent. The sum is
// returned as text: the script's numbers are no int64.
var incrementScript = newScript(`
redis.call('SET', KEYS[1], '0', 'NX', 'PX', ARGV[2])
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) == 'table' then return sum end
return redis.call('GET', KEYS[1])`)

// script is a Lua script and the hash under which a server keeps it.
type script struct{ source, hash string }

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // the hash that EVALSHA takes
	return script{source, hex.EncodeToString(sum[:])}
}

// stored is a value as it stands in the store.
type stored struct {
	data []byte // nil: absent
	pttl int64
}

// Update reads the entry and swaps its exact bytes for the new entry's, until no other writer came between. The time to
// live stays untouched where fn keeps the expiry. It gives up with core.ErrConflict.
func (b *Backend) Update(
	ctx context.Context, key string, fn func(old *core.Entry) (*core.Entry, error),
) (*core.Entry, error) {
	var s stored
	var err error
	if s.data, s.pttl, err = b.load(ctx, key); err != nil {
		return nil, err
	}
	for attempt := range maxAttempts {
		old := b.decode(key, s.data, s.pttl)
		next, err := fn(old)
		if err != nil || next == old {
			return old, err
		}
		done, err := b.swap(ctx, key, &s, old, next)
		if err != nil || done {
			return b.afterwards(next, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return nil, b.fail(ctx, err)
		}
	}
	return nil, core.ErrConflict
}

// swap stores next if the key still holds s; else it sets s to what the key holds now.
func (b *Backend) swap(ctx context.Context, key string, s *stored, old, next *core.Entry) (done bool, err error) {
	data, ttl := []byte(nil), ttlDelete
	if next != nil && !next.Expired(time.Now()) {
		if data, err = b.encode(key, next); err != nil {
			return false, err
		}
		ttl = ttlOf(old, next)
	}
	present := ""
	if s.data != nil {
		present = "1"
	}
	reply, err := b.eval(ctx, swapScript, key, present, s.data, ttl, data)
	if err != nil {
		return false, err
	}
	now, changed := reply.([]any)
	if !changed {
		return true, nil
	}
	return false, s.read(now)
}

// errScriptReply is returned for a reply of another form than the script's.
var errScriptReply = errors.New("redis: unexpected reply of the update script")

// read takes over the script's reply.
func (s *stored) read(reply []any) error {
	if len(reply) != 2 {
		return errScriptReply
	}
	s.data = nil
	if text, ok := reply[0].(string); ok {
		s.data = bytesOf(text)
	}
	var ok bool
	if s.pttl, ok = reply[1].(int64); !ok {
		return errScriptReply
	}
	return nil
}

// ttlOf returns what the script has to do about the time to live.
func ttlOf(old, next *core.Entry) string {
	switch {
	case old != nil && old.Expires == next.Expires:
		return ttlKeep
	case next.Expires == 0:
		return ttlNone
	default:
		return strconv.FormatInt(max(millisecondsUntil(next.Expires), 1), 10)
	}
}

// afterwards returns the entry as the store has it now: without what plain values lose, nil if it was deleted.
func (b *Backend) afterwards(e *core.Entry, err error) (*core.Entry, error) {
	if err != nil || e == nil || e.Expired(time.Now()) {
		return nil, err
	}
	env := codec.Envelope{Value: e.Value, Flags: e.Flags, Codec: e.Codec}
	if b.opts.Values == Enveloped && !env.Plain() || e.Version == 0 && e.Flags == 0 && e.Codec == 0 {
		return e, nil
	}
	plain := &core.Entry{Value: e.Value, Expires: e.Expires}
	if d := e.Decoded(); d != nil {
		plain.SetDecoded(d)
	}
	return plain, nil
}

// pause waits before another attempt, longer each time up to some milliseconds; the first ones follow at once.
func pause(ctx context.Context, attempt int) error {
	if attempt < 4 {
		return ctx.Err()
	}
	t := time.NewTimer(time.Duration(min(attempt, 20)) * 200 * time.Microsecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// eval runs a script on one key, by its hash where the server knows it.
func (b *Backend) eval(ctx context.Context, s script, key string, args ...any) (any, error) {
	all := append([]any{"evalsha", s.hash, "1", key}, args...)
	cmd := redis.NewCmd(ctx, all...)
	err := b.write(ctx, cmd)
	if hasText(err, "NOSCRIPT") {
		all[0], all[1] = "eval", s.source
		cmd = redis.NewCmd(ctx, all...)
		err = b.write(ctx, cmd)
	}
	if err != nil {
		return nil, err
	}
	return cmd.Val(), nil
}

// Increment adds delta with the server's own INCRBY. Only a number that stands in an envelope, with flags, takes Update.
func (b *Backend) Increment(ctx context.Context, key string, delta, expires int64) (int64, error) {
	n, err := b.incrby(ctx, key, delta, expires)
	switch {
	case err == nil:
		return n, nil
	case hasText(err, "would overflow"):
		return 0, core.ErrOverflow
	case !hasText(err, "not an integer"):
		return 0, err
	case b.opts.Values == Raw:
		return 0, core.ErrNotInteger
	}
	e, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) { return sum(old, delta, expires) })
	if err != nil {
		return 0, err
	}
	n, _ = codec.ParseCounter(e.Value)
	return n, nil
}

func (b *Backend) incrby(ctx context.Context, key string, delta, expires int64) (int64, error) {
	if expires == 0 {
		cmd := redis.NewIntCmd(ctx, "incrby", key, delta)
		err := b.write(ctx, cmd)
		return cmd.Val(), err
	}
	reply, err := b.eval(ctx, incrementScript, key, delta, max(millisecondsUntil(expires), 1))
	if err != nil {
		return 0, err
	}
	text, _ := reply.(string)
	return strconv.ParseInt(text, 10, 64)
}

// sum is an enveloped number with delta added.
func sum(old *core.Entry, delta, expires int64) (*core.Entry, error) {
	if old == nil {
		return &core.Entry{Value: strconv.AppendInt(nil, delta, 10), Expires: expires}, nil
	}
	n, ok := codec.ParseCounter(old.Value)
	if !ok {
		return nil, core.ErrNotInteger
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return nil, core.ErrOverflow
	}
	return &core.Entry{
		Value: strconv.AppendInt(nil, n+delta, 10), Expires: old.Expires,
		Version: old.Version + 1, Flags: old.Flags, Codec: old.Codec,
	}, nil
}
