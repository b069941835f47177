// Package bolt is a backend outside edgecache's module, over the key-value file of go.etcd.io/bbolt: what a program writes
// that has a store of its own. It passes backendtest, and docs/BACKENDS.md goes through it.
package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/edgecache/edgecache/core"
)

// Backend is a bbolt file. It is safe for concurrent use; one process has the file at a time.
type Backend struct{ db *bbolt.DB }

// Four methods make a backend. Each further one is an ability of its own: what is left out, the cache does without.
var (
	_ core.Backend = (*Backend)(nil)
	_ core.Updater = (*Backend)(nil)
	_ core.Clearer = (*Backend)(nil)
	_ core.Pinger  = (*Backend)(nil)
)

// Open opens the file at path, or makes it.
func Open(path string) (*Backend, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoFreelistSync: true})
	if err != nil {
		return nil, fmt.Errorf("bolt: open %s: %w", path, err)
	}
	db.NoSync = true // a cache may lose what it was told last
	b := &Backend{db: db}
	if err := b.write(func(*bbolt.Bucket) error { return nil }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return b, nil
}

// bucketName is where entries are.
const bucketName = "entries"

// maxKey is what bbolt takes, less the byte that storeKey adds.
const maxKey = bbolt.MaxKeySize - 1

// storeKey returns the key as bbolt has it, which knows no empty one.
func storeKey(key string) ([]byte, error) {
	if len(key) > maxKey {
		return nil, fmt.Errorf("bolt: %w: %d bytes, at most %d are possible", core.ErrBadKey, len(key), maxKey)
	}
	return append([]byte{'k'}, key...), nil
}

// headSize is what stands before a value: expiry, version, flags and codec.
const headSize = 8 + 8 + 4 + 1

func encode(e *core.Entry) []byte {
	b := make([]byte, headSize, headSize+len(e.Value))
	binary.LittleEndian.PutUint64(b, uint64(e.Expires))
	binary.LittleEndian.PutUint64(b[8:], e.Version)
	binary.LittleEndian.PutUint32(b[16:], e.Flags)
	b[20] = e.Codec
	return append(b, e.Value...)
}

// decode returns the entry, nil if there is none, if it has expired or if it can't be one. It copies: what bbolt returns is
// only valid within the transaction.
func decode(b []byte) *core.Entry {
	if len(b) < headSize {
		return nil
	}
	e := &core.Entry{
		Expires: int64(binary.LittleEndian.Uint64(b)), Version: binary.LittleEndian.Uint64(b[8:]),
		Flags: binary.LittleEndian.Uint32(b[16:]), Codec: b[20],
	}
	if e.Expired(time.Now()) {
		return nil
	}
	e.Value = bytes.Clone(b[headSize:])
	return e
}

// Get returns the entry, or core.ErrNotFound itself, which is what a miss must be.
func (b *Backend) Get(_ context.Context, key string) (e *core.Entry, err error) {
	k, err := storeKey(key)
	if err != nil {
		return nil, err
	}
	err = b.db.View(func(tx *bbolt.Tx) error {
		e = decode(tx.Bucket([]byte(bucketName)).Get(k))
		return nil
	})
	if err == nil && e == nil {
		return nil, core.ErrNotFound
	}
	return e, closed(err)
}

// Set stores the entry. One that has expired already deletes the key.
func (b *Backend) Set(ctx context.Context, key string, e *core.Entry) error {
	_, err := b.Update(ctx, key, func(*core.Entry) (*core.Entry, error) { return e, nil })
	return err
}

// Delete removes the entry.
func (b *Backend) Delete(ctx context.Context, key string) (found bool, err error) {
	_, err = b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		found = old != nil
		return nil, nil
	})
	return found, err
}

// Update is the one atomic change that add, replace, compare-and-swap, counters, appends and expiries rest on. bbolt has
// one writer at a time, so that a transaction is all it takes.
func (b *Backend) Update(_ context.Context, key string, fn func(old *core.Entry) (*core.Entry, error)) (e *core.Entry, err error) {
	k, err := storeKey(key)
	if err != nil {
		return nil, err
	}
	err = b.write(func(all *bbolt.Bucket) error {
		old := decode(all.Get(k))
		switch e, err = fn(old); {
		case err != nil:
			return err
		case e == nil || e.Expired(time.Now()):
			e = nil
			return all.Delete(k)
		case e == old:
			return nil
		default:
			return all.Put(k, encode(e))
		}
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Clear removes every key that begins with prefix.
func (b *Backend) Clear(ctx context.Context, prefix string) error {
	first := append([]byte{'k'}, prefix...)
	return b.write(func(all *bbolt.Bucket) error {
		c := all.Cursor()
		for k, _ := c.Seek(first); bytes.HasPrefix(k, first); k, _ = c.Seek(first) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := c.Delete(); err != nil {
				return err
			}
		}
		return nil
	})
}

// Ping reports whether the file is open.
func (b *Backend) Ping(context.Context) error {
	return closed(b.db.View(func(*bbolt.Tx) error { return nil }))
}

// Close closes the file once no transaction is under way. It is idempotent.
func (b *Backend) Close() error { return b.db.Close() }

// write runs fn in a transaction that is undone where it returns an error.
func (b *Backend) write(fn func(all *bbolt.Bucket) error) error {
	return closed(b.db.Update(func(tx *bbolt.Tx) error {
		all, err := tx.CreateBucketIfNotExists([]byte(bucketName))
		if err != nil {
			return err
		}
		return fn(all)
	}))
}

// closed turns bbolt's error for a closed file into the core's.
func closed(err error) error {
	if errors.Is(err, bbolt.ErrDatabaseNotOpen) {
		return core.ErrClosed
	}
	return err
}
