package core

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/edgecache/edgecache/core/codec"
)

// Entry is a value with its metadata as a backend stores it. An entry is immutable once it was given to a backend or
// returned by one: it is shared between goroutines, and Value must not be changed. Change one by building a new one.
type Entry struct {
	// Value is the stored bytes. Read-only.
	Value []byte
	// Expires is when the entry ends, in unix nanoseconds. 0 is never.
	Expires int64
	// Version orders the writes of a key: a hybrid logical clock, 48 bits of unix milliseconds and 16 of count.
	// 0 means that the store keeps none (plain values written by other clients).
	Version uint64
	// Flags are the client's own 32 bits, as memcached has them. They travel.
	Flags uint32
	// Codec names the codec that made Value from a typed value; 0 is plain bytes. It travels.
	Codec uint8

	weight  uint32 // see DecodedWeight; set before the entry is shared
	decoded atomic.Pointer[any]
}

// absent reports whether the entry remembers that there is no value (LoadOptions.NegativeTTL).
func (e *Entry) absent() bool { return e.Codec == codec.IDAbsent }

// Token returns what CompareAndSwap compares: the version, or a hash of the content where the store keeps no version.
// It is never 0.
func (e *Entry) Token() uint64 {
	if e.Version != 0 {
		return e.Version
	}
	return xxhash.Sum64(e.Value) ^ uint64(e.Flags) | 1<<63
}

// TTL returns what is left at now, or NoExpiry. It is at least a nanosecond for an entry that expires.
func (e *Entry) TTL(now time.Time) time.Duration {
	if e.Expires == 0 {
		return NoExpiry
	}
	return max(time.Duration(e.Expires-now.UnixNano()), 1)
}

// Expired reports whether the entry has ended at now.
func (e *Entry) Expired(now time.Time) bool { return e.Expires != 0 && e.Expires <= now.UnixNano() }

// Decoded returns what SetDecoded left beside the bytes, or nil. It stays in this process: no tier but the one holding
// this very Entry ever sees it.
func (e *Entry) Decoded() any {
	if p := e.decoded.Load(); p != nil {
		return *p
	}
	return nil
}

// SetDecoded keeps v, the decoded form of Value, beside the bytes, so that the next typed reader of a memory tier need
// not decode again. v is shared between readers and counts nothing towards a tier's weight: what is large belongs into
// EntryOptions.Decoded or Cache.KeepDecoded. Safe for concurrent use.
func (e *Entry) SetDecoded(v any) { e.decoded.Store(&v) }

// DecodedWeight returns what the decoded form takes in memory beside Value, in bytes, as who left it there has said. Tiers
// that bound the memory of what they hold count it. It does not travel.
func (e *Entry) DecodedWeight() uint32 { return e.weight }

// Until returns a copy of the entry, sharing Value and the decoded form, that ends at expires.
func (e *Entry) Until(expires int64) *Entry {
	c := &Entry{Value: e.Value, Expires: expires, Version: e.Version, Flags: e.Flags, Codec: e.Codec, weight: e.weight}
	c.decoded.Store(e.decoded.Load())
	return c
}

// with returns a copy of the entry, sharing Value, with another decoded form and its weight.
func (e *Entry) with(decoded any, weight uint32) *Entry {
	c := e.Until(e.Expires)
	c.weight = weight
	c.SetDecoded(decoded)
	return c
}

// Deadline returns the unix nanoseconds at which a time to live of ttl, begun at now, ends: 0 for NoExpiry, and also
// for one that would end after the year 2262.
func Deadline(now time.Time, ttl time.Duration) int64 {
	n := now.UnixNano()
	if ttl < 0 || int64(ttl) > math.MaxInt64-n {
		return 0
	}
	return n + int64(ttl)
}
