package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
)

// retryAfter is how long a database that failed is left alone.
const retryAfter = time.Second

// errPanic is the fate of a transaction that panicked: it is rolled back, and what others had written is kept for the next.
var errPanic = errors.New("sqlite: the function of an update panicked")

// failure is why the last commit failed.
type failure struct {
	err   error
	until int64 // core.Clock
}

// tx is the transaction of one commit.
type tx struct {
	*conn
	b       *Backend
	now     time.Time
	entries int64 // how many entries the table has now
	used    int64 // bytes of the pages in use
	evicted int64
	chances int       // how many entries prune has spared
	removed []removal // what the Notifier's function is told after the commit
	buf     []byte
}

// commit writes what was written before the call, and what fn does besides, in one transaction. An error of fn is one of
// the engine: everything is rolled back. fn may be called twice.
func (b *Backend) commit(ctx context.Context, fn func(*tx) error) error {
	err := b.use(func(db *database) error {
		if f := b.failure.Load(); f != nil && core.Clock() < f.until {
			return f.err
		}
		if err := db.lock(ctx); err != nil {
			return err
		}
		defer func() { <-db.writing }()
		return b.commitTo(db, fn)
	})
	return b.fail(err)
}

// commitTo is commit with the writer in hand.
func (b *Backend) commitTo(db *database, fn func(*tx) error) (err error) {
	batch := b.writes.take()
	t := &tx{conn: db.writer, b: b, now: time.Now(), entries: b.entries.Load(), buf: b.buf}
	err = errPanic
	defer func() { b.writes.settle(b.fail(err), codeOf(err) != codeFull) }()
	err = db.writer.transact(func() error {
		if err := t.apply(batch); err != nil {
			return err
		}
		if fn != nil {
			if err := fn(t); err != nil {
				return err
			}
		}
		return t.prune()
	})
	b.buf = t.buf
	b.note(err)
	if err == nil {
		b.entries.Store(t.entries)
		b.bytes.Store(t.used)
		b.evictions.Add(t.evicted)
		b.over.Store(t.over(0))
		b.announce(t.removed)
	}
	if codeOf(err) == codeFull {
		_, _ = db.writer.first(3, "PRAGMA wal_checkpoint(TRUNCATE)") // the log may have space to give back
	}
	return err
}

// apply writes a batch, in the order of its keys: neighbours share pages.
func (t *tx) apply(batch *batch) error {
	if batch.forget {
		if err := t.deleteAll(); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(batch.entries)) {
		if err := t.store(key, batch.entries[key]); err != nil {
			return err
		}
	}
	return nil
}

// store writes the entry, or deletes the key if e is nil or has ended.
func (t *tx) store(key string, e *core.Entry) error {
	if e == nil || e.Expired(t.now) {
		_, err := t.delete(key)
		return err
	}
	t.buf = codec.AppendEnvelope(t.buf[:0], key, codec.Envelope{
		Value: e.Value, Expires: e.Expires, Version: e.Version, Flags: e.Flags, Codec: e.Codec,
	})
	k := []byte(key)
	added, err := t.exec("INSERT INTO entries(key, expires, data) VALUES(?, ?, ?) ON CONFLICT DO NOTHING", k, e.Expires, t.buf)
	t.entries += added
	if err != nil || added > 0 {
		return err
	}
	t.b.used.mark(key) // it keeps its place, and is as good as new
	_, err = t.exec("UPDATE entries SET expires = ?, data = ? WHERE key = ?", e.Expires, t.buf, k)
	return err
}

// delete removes the key and reports whether it was there and had not expired.
func (t *tx) delete(key string) (live bool, err error) {
	err = t.each(1, func() error {
		t.entries--
		live = t.live(0)
		return nil
	}, "DELETE FROM entries WHERE key = ? RETURNING expires", []byte(key))
	return live, err
}

// live reports whether the expiry in a column of the row has not come.
func (t *tx) live(column int) bool {
	expires, _ := t.row[column].(int64)
	return expires == 0 || expires > t.now.UnixNano()
}

// deleteAll empties the table.
func (t *tx) deleteAll() error {
	_, err := t.exec("DELETE FROM entries")
	t.entries = 0
	return err
}

// note keeps in mind whether the database can be written, and says so when that changes.
func (b *Backend) note(err error) {
	if err == nil {
		if b.failure.Swap(nil) != nil {
			b.opts.Logger.Info("sqlite: the database can be written again", slog.String("path", b.opts.Path))
		}
		return
	}
	if !isCorrupt(err) { // what is damaged is replaced
		b.suspend(err)
	}
}

// suspend has writes fail until a commit succeeds, which is tried once a second.
func (b *Backend) suspend(err error) {
	err = b.fail(err)
	if b.failure.Swap(&failure{err, core.Clock() + int64(retryAfter)}) == nil {
		b.opts.Logger.Error("sqlite: the database can't be written: writes fail until it can, reads go on",
			slog.String("path", b.opts.Path), slog.Any("error", err))
	}
}

// failing returns why writes fail at the moment, or nil.
func (b *Backend) failing() error {
	if f := b.failure.Load(); f != nil {
		return f.err
	}
	return nil
}

// flush commits what is pending.
func (b *Backend) flush(ctx context.Context) error {
	if b.writes.empty() && !b.over.Load() {
		return nil
	}
	return b.commit(ctx, nil)
}

// write commits batches until the backend is closed: a batch that is full at once, others when their first write is
// Options.BatchDelay old.
func (b *Backend) write() {
	for {
		select {
		case <-b.dirty:
		case <-b.stop:
			return
		}
		delay, full := b.opts.BatchDelay, b.full
		if b.failing() != nil {
			delay, full = retryAfter, nil
		}
		if !b.sleep(delay, full) {
			return
		}
		if b.flush(context.Background()) != nil || b.over.Load() {
			signal(b.dirty)
		}
	}
}

// sleep waits for d, or less if there is a signal. It reports whether the backend is still open.
func (b *Backend) sleep(d time.Duration, wake <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-wake:
		return true
	case <-b.stop:
		return false
	}
}

// signal leaves a mark in a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
