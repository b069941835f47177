package memcached

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
)

// item is an entry as memcached stores it.
type item struct {
	key     string // as stored
	value   []byte
	flags   uint32
	exptime int64
}

// item returns what e is stored as. The entry has not expired. keep says that the expiry was read from memcached and is
// written back.
func (b *Backend) item(key string, e *core.Entry, now time.Time, keep bool) (item, error) {
	it := item{value: e.Value, flags: e.Flags}
	var hashed bool
	it.key, hashed = storeKey(key)
	env := codec.Envelope{Value: e.Value, Expires: e.Expires, Version: e.Version, Flags: e.Flags, Codec: e.Codec}
	enveloped := b.opts.Values == Enveloped && (hashed || !env.Plain())
	var head []byte
	if hashed {
		head = append(binary.AppendUvarint(nil, uint64(len(key))), key...)
	}
	switch {
	case enveloped:
		it.value = codec.AppendEnvelope(head, key, env)
		it.flags = hint(e.Expires)
	case hashed:
		it.value = slices.Concat(head, e.Value)
	}
	if len(it.value) > b.opts.MaxValue {
		return it, fmt.Errorf("memcached: %w: %d bytes, MaxValue is %d", core.ErrTooLarge, len(it.value), b.opts.MaxValue)
	}
	switch left := time.Duration(e.Expires - now.UnixNano()); {
	case e.Expires == 0:
	case enveloped: // the envelope ends it in time
		it.exptime = exptime(left+time.Second, now)
	case keep:
		it.exptime = exptime(dither(left), now)
	default:
		it.exptime = exptime(left, now)
	}
	return it, nil
}

// exptime turns a time to live into memcached's form: seconds, rounded up, or the unix time if they are more than 30
// days. Memcached has no times after 2038: later is never.
func exptime(left time.Duration, now time.Time) int64 {
	seconds := max(int64((left-1)/time.Second)+1, 1)
	if seconds <= 30*24*60*60 {
		return seconds
	}
	if at := now.Unix() + seconds; at <= math.MaxInt32 {
		return at
	}
	return 0
}

// dither rounds a time to live that memcached counted to whole seconds at random, so that it comes out right on average.
// Rounded up, a key that is changed all the time would gain a second with each tick of memcached's clock, and never end.
func dither(left time.Duration) time.Duration {
	return max((left + time.Duration(rand.Int64N(int64(time.Second)))).Truncate(time.Second), time.Second)
}

// hint is an envelope's expiry in 32 bits of milliseconds, 0 for never. It stands in memcached's flags, so that a Delete
// need not read the value of a key that is about to expire.
func hint(expires int64) uint32 {
	if expires == 0 {
		return 0
	}
	return max(uint32(expires/int64(time.Millisecond)), 1)
}

// ended reports whether an item with these flags and time to live holds an envelope that has ended, or will within the
// millisecond: memcached keeps it for up to two seconds.
func (b *Backend) ended(flags uint32, ttl int64, now time.Time) bool {
	return b.opts.Values == Enveloped && flags != 0 && ttl >= 0 && ttl <= 2 && int32(flags-hint(now.UnixNano())) <= 0
}

// errEnded is returned for an envelope that has ended.
var errEnded = errors.New("memcached: entry has ended")

// entry reads the entry of key from a reply. Errors are errEnded or core.ErrDecode. counted says that the expiry was
// counted by memcached.
func (b *Backend) entry(key string, hashed bool, r *reply, now time.Time) (e *core.Entry, counted bool, err error) {
	data := r.value
	if hashed {
		name, rest, ok := cutName(data)
		if !ok || string(name) != key {
			return nil, false, fmt.Errorf("%w: value of a hashed key does not begin with it", core.ErrDecode)
		}
		data = rest
	}
	if b.opts.Values == Raw {
		return &core.Entry{Value: data, Flags: r.flags, Expires: r.expires(now)}, true, nil
	}
	env, err := codec.OpenEnvelope(key, data)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", core.ErrDecode, err)
	}
	if len(env.Value) == len(data) { // no envelope
		return &core.Entry{Value: trimCounter(data), Flags: r.flags, Expires: r.expires(now)}, true, nil
	}
	e = &core.Entry{Value: env.Value, Expires: env.Expires, Version: env.Version, Flags: env.Flags, Codec: env.Codec}
	if e.Expired(now) {
		return nil, false, errEnded
	}
	return e, false, nil
}

// cutName returns the key that the value of a hashed key begins with, and the rest.
func cutName(data []byte) (name, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return nil, nil, false
	}
	return data[size : size+int(n)], data[size+int(n):], true
}

// trimCounter takes away the spaces that memcached leaves behind a number that has become shorter.
func trimCounter(value []byte) []byte {
	if trimmed := bytes.TrimRight(value, " "); codec.IsCounter(trimmed) {
		return trimmed
	}
	return value
}

// read is entry for reads: what can't be read is nil, and counted if it is damaged.
func (b *Backend) read(key string, hashed bool, r *reply, now time.Time) (e *core.Entry, counted bool) {
	e, counted, err := b.entry(key, hashed, r, now)
	if errors.Is(err, core.ErrDecode) {
		b.damaged.Add(1)
	}
	return e, counted
}
