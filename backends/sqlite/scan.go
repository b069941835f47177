package sqlite

import (
	"context"
	"database/sql/driver"
	"io"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/edgecache/edgecache/backends/internal/keyscan"
	"github.com/edgecache/edgecache/core"
)

const (
	// maxLooked is how many rows a page of a scan looks at, at least.
	maxLooked = 4096
	// rangeSlice is how many entries of a range one transaction deletes.
	rangeSlice = 1000
)

// within is the condition for the keys of a range, and its arguments. to "" is no bound.
func within(from, to string) (where string, args []driver.Value) {
	if to == "" {
		return "key >= ?", []driver.Value{[]byte(from)}
	}
	return "key >= ? AND key < ?", []driver.Value{[]byte(from), []byte(to)}
}

// Scan commits what is pending and walks the entries by their numbers: the cursor is the last one. What is written
// meanwhile keeps its number or comes at the end. A page has fewer keys than count where few of the entries match.
func (b *Backend) Scan(ctx context.Context, cursor uint64, prefix, match string, count int) ([]string, uint64, error) {
	if err := b.ready(ctx); err != nil {
		return nil, 0, err
	}
	if cursor > math.MaxInt64 {
		return nil, 0, nil // none of ours
	}
	if err := b.flush(ctx); err != nil {
		return nil, 0, err
	}
	s := scan{prefix: prefix, match: match, count: count, now: time.Now().UnixNano()}
	err := b.read(ctx, func(c *conn) error {
		s.keys, s.last = nil, 0
		return s.page(c, int64(cursor))
	})
	return s.keys, uint64(s.last), err
}

// scan is one page of a scan.
type scan struct {
	prefix, match string
	count         int
	now           int64
	looked        int
	keys          []string
	last          int64 // number of the entry to go on behind, 0 at the end
}

// page reads the entries behind the number: in the order of keys where all are wanted, from the whole range where that is
// small, else from the table.
func (s *scan) page(c *conn, after int64) error {
	where, args := within(core.PrefixRange(s.prefix))
	if s.count <= 0 {
		defer func() { s.last = 0 }()
		return s.walk(c, math.MaxInt, "SELECT id, key, expires FROM entries WHERE "+where, args...)
	}
	looks := max(s.count, maxLooked)
	n, err := c.number("SELECT count(*) FROM (SELECT 1 FROM entries WHERE "+where+" LIMIT ?)", append(args, int64(maxLooked))...)
	switch {
	case err != nil:
		return err
	case n < maxLooked:
		return s.walk(c, looks, "SELECT id, key, expires FROM entries INDEXED BY sqlite_autoindex_entries_1 WHERE "+where+
			" AND id > ? ORDER BY id", append(args, after)...)
	default:
		return s.walk(c, looks, "SELECT id, key, expires FROM entries NOT INDEXED WHERE id > ? ORDER BY id", after)
	}
}

// walk takes keys from the query's rows until there are enough, or it has looked at that many.
func (s *scan) walk(c *conn, looks int, query string, args ...driver.Value) error {
	more := false
	err := c.each(3, func() error {
		if s.looked == looks || s.count > 0 && len(s.keys) == s.count {
			more = true
			return io.EOF
		}
		s.looked++
		s.last, _ = c.row[0].(int64)
		if expires, _ := c.row[2].(int64); expires == 0 || expires > s.now {
			s.take(string(c.blob(1)))
		}
		return nil
	}, query, args...)
	if !more {
		s.last = 0
	}
	return err
}

func (s *scan) take(key string) {
	rest, ok := strings.CutPrefix(key, s.prefix)
	if ok && (s.match == "" || keyscan.Match(s.match, rest)) {
		s.keys = append(s.keys, key)
	}
}

// Clear is DeleteRange of the keys with the prefix.
func (b *Backend) Clear(ctx context.Context, prefix string) error {
	from, to := core.PrefixRange(prefix)
	_, err := b.DeleteRange(ctx, from, to)
	return err
}

// DeleteRange deletes all entries in one transaction and gives the file's space back, or those of a range in slices of a
// thousand, between which others come through.
func (b *Backend) DeleteRange(ctx context.Context, from, to string) (int64, error) {
	if from == "" && to == "" && b.notify.Load() == nil {
		return b.deleteAll(ctx)
	}
	where, args := within(from, to)
	var live int64
	_, err := b.repeat(ctx, func(t *tx) (int64, bool, error) {
		now := t.now.UnixNano()
		ended, err := t.remove(core.CauseExpired, "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE "+where+
			" AND expires > 0 AND expires <= ? LIMIT ?)", append(args, now, int64(rangeSlice))...)
		if err != nil || ended == rangeSlice {
			return 0, true, err
		}
		n, err := t.remove(core.CauseCleared, "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE "+where+
			" LIMIT ?)", append(args, int64(rangeSlice))...)
		live += n
		return n, n == rangeSlice, err
	})
	return live, err
}

func (b *Backend) deleteAll(ctx context.Context) (live int64, err error) {
	if err := b.ready(ctx); err != nil {
		return 0, err
	}
	err = b.commit(ctx, func(t *tx) error {
		if live, err = t.alive(t.now); err != nil {
			return err
		}
		return t.deleteAll()
	})
	if err == nil {
		b.shrink(ctx)
	}
	return live, err
}

// shrink gives the space of an empty table back. Where others are reading it is left for them to use.
func (b *Backend) shrink(ctx context.Context) {
	err := b.use(func(db *database) error {
		if err := db.lock(ctx); err != nil {
			return err
		}
		defer func() { <-db.writing }()
		if _, err := db.writer.exec("VACUUM"); err != nil {
			return err
		}
		_, err := db.writer.first(3, "PRAGMA wal_checkpoint(TRUNCATE)")
		return err
	})
	if err != nil {
		b.opts.Logger.DebugContext(ctx, "sqlite: the file keeps its size", slog.String("path", b.opts.Path), slog.Any("error", err))
	}
}
