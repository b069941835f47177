package file

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/edgecache/edgecache/core"
)

// Set writes a file and then lets entries go that are too much. An entry that is too large for the cache also removes what
// was there: it is no longer what was written.
func (b *Backend) Set(ctx context.Context, key string, e *core.Entry) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	return b.set(key, e)
}

func (b *Backend) set(key string, e *core.Entry) error {
	n := b.hash(key)
	if b.tooLarge(key, e) {
		_, err := b.drop(n, key)
		return errors.Join(core.ErrTooLarge, err)
	}
	if e.Expires != 0 && e.Expires <= now() {
		_, err := b.drop(n, key)
		return err
	}
	mu := b.stripe(n)
	mu.Lock()
	err := b.write(n, key, e)
	mu.Unlock()
	b.trim()
	return err
}

func (b *Backend) tooLarge(key string, e *core.Entry) bool {
	return len(e.Value) > maxValue || fileSize(key, e) > b.options.MaxBytes
}

// small is up to which length a value is copied behind its head, to be written in one go.
const small = 64 << 10

// write stores an entry. The caller holds the stripe.
func (b *Backend) write(n name, key string, e *core.Entry) error {
	buf := b.buffers.Get().(*[]byte)
	defer b.buffers.Put(buf)
	*buf = appendHead((*buf)[:0], key, e)
	parts := [][]byte{*buf, e.Value}
	if len(e.Value) <= small {
		*buf = append(*buf, e.Value...)
		parts = [][]byte{*buf}
	}
	staged, err := b.folder.stage(parts...)
	if err != nil {
		return unavailable(err)
	}
	return b.place(n, &item{key: key, size: fileSize(key, e), expires: e.Expires}, staged)
}

// place makes a staged file that of the item. The caller holds the stripe.
func (b *Backend) place(n name, it *item, staged string) error {
	if err := b.journal.append(putOf(it)); err != nil {
		return unavailable(errors.Join(err, os.Remove(staged)))
	}
	old := b.index.at(n)
	if old != nil && old.expired(now()) {
		defer b.farewell(n, old, core.CauseExpired)()
	}
	if err := b.folder.move(staged, n); err != nil {
		if old != nil {
			b.note(putOf(old))
		} else {
			b.note(record{kind: remove, key: it.key})
		}
		return unavailable(err)
	}
	b.index.put(n, it)
	b.poke()
	return nil
}

// note appends to the journal what has happened already. If that fails, the index will find out, and the janitor writes
// the journal anew.
func (b *Backend) note(r record) {
	if err := b.journal.append(r); err != nil {
		b.options.Logger.LogAttrs(context.Background(), slog.LevelDebug, "index lacks a change", slog.Any("error", err))
	}
}

// Delete removes the file.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	if err := b.enter(ctx); err != nil {
		return false, err
	}
	defer b.leave()
	return b.drop(b.hash(key), key)
}

// drop removes a key and reports whether it was there.
func (b *Backend) drop(n name, key string) (found bool, err error) {
	mu := b.stripe(n)
	mu.Lock()
	defer mu.Unlock()
	return b.dropLocked(n, key)
}

// dropLocked is drop for who holds the stripe.
func (b *Backend) dropLocked(n name, key string) (found bool, err error) {
	it := b.index.at(n)
	switch {
	case it == nil || it.key != key:
		return false, nil
	case it.expired(now()):
		return false, b.erase(n, it, core.CauseExpired)
	default:
		err = b.erase(n, it, 0)
		return err == nil, err
	}
}

// erase removes the file of an item, for a cause that Notify is told of unless it is 0. The caller holds the stripe.
func (b *Backend) erase(n name, it *item, cause core.Cause) error {
	defer b.farewell(n, it, cause)()
	if err := b.folder.remove(n); err != nil {
		return unavailable(err)
	}
	b.strike(n, it)
	return nil
}

// strike removes an item whose file is gone. The caller holds the stripe.
func (b *Backend) strike(n name, it *item) {
	b.index.remove(n, it)
	b.note(record{kind: remove, key: it.key})
	b.poke()
}

// farewell reads what goes if somebody wants to know, and returns a function that tells, once it is gone.
func (b *Backend) farewell(n name, it *item, cause core.Cause) func() {
	fn := b.notify.Load()
	if cause == 0 || fn == nil {
		return func() {}
	}
	e, err := b.folder.read(n, it.key, it.size)
	return func() {
		if err == nil && b.index.at(n) != it {
			(*fn)(it.key, e, cause)
		}
	}
}
