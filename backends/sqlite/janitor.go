package sqlite

import (
	"context"
	"log/slog"
	"time"

	"github.com/edgecache/edgecache/core"
)

// janitor looks after the database until the backend is closed.
func (b *Backend) janitor() {
	for b.sleep(b.opts.JanitorInterval, nil) {
		ctx := context.Background()
		b.follow()
		if err := b.recount(ctx); err == nil {
			_, _ = b.Evict(ctx) // where it fails, writes do, and that is logged
		}
	}
}

// follow opens the file that is there where somebody has removed or replaced the one that is open.
func (b *Backend) follow() {
	b.life.RLock()
	db := b.db
	moved := db != nil && db.moved()
	b.life.RUnlock()
	if moved {
		b.opts.Logger.Warn("sqlite: the file is another one now or gone: it is opened anew", slog.String("path", b.opts.Path))
		b.replace(db, nil)
	}
}

// recount counts the entries again if another process has written since the last time.
func (b *Backend) recount(ctx context.Context) error {
	return b.commit(ctx, func(t *tx) error {
		version, err := t.number("PRAGMA data_version")
		if err != nil || version == b.version {
			return err
		}
		b.version = version
		t.entries, err = t.number("SELECT count(*) FROM entries")
		return err
	})
}

// DeleteExpired deletes what has expired, in slices of 256.
func (b *Backend) DeleteExpired(ctx context.Context) (int64, error) {
	return b.repeat(ctx, func(t *tx) (int64, bool, error) {
		n, err := t.expire(slice)
		return n, n == slice, err
	})
}

// Evict deletes what has expired and what is beyond the bounds.
func (b *Backend) Evict(ctx context.Context) (int64, error) {
	return b.repeat(ctx, func(t *tx) (int64, bool, error) {
		before := t.entries
		expired, err := t.expire(slice)
		if err == nil {
			err = t.prune()
		}
		return before - t.entries, expired == slice || t.over(0) && t.entries > 0, err
	})
}

// repeat runs fn in transactions, between which others come through, until there is no more to do, and adds up what it
// deletes.
func (b *Backend) repeat(ctx context.Context, fn func(*tx) (n int64, more bool, err error)) (sum int64, err error) {
	if err := b.ready(ctx); err != nil {
		return 0, err
	}
	for more := true; more; {
		var n int64
		err := b.commit(ctx, func(t *tx) (err error) {
			n, more, err = fn(t)
			return err
		})
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

// Victim returns the first of the entries with the prefix that came first, without the chance that one which was used has:
// it would be written anew.
func (b *Backend) Victim(ctx context.Context, prefix string) (string, error) {
	if err := b.ready(ctx); err != nil {
		return "", err
	}
	if err := b.flush(ctx); err != nil {
		return "", err
	}
	var key string
	err := b.read(ctx, func(c *conn) error {
		where, args := within(core.PrefixRange(prefix))
		found, err := c.first(2, "SELECT key, min(id) FROM entries WHERE "+where+" AND (expires = 0 OR expires > ?)",
			append(args, time.Now().UnixNano())...)
		if err == nil && (!found || c.row[1] == nil) {
			err = core.ErrNotFound
		}
		key = string(c.blob(0))
		return err
	})
	return key, err
}
