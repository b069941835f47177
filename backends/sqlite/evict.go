package sqlite

import (
	"database/sql/driver"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
)

const (
	// slice is how many entries one statement deletes at most, and maxSlices how many such a transaction has.
	slice     = 256
	maxSlices = 32
	// slack is by which share of the bounds pruning goes below them.
	slack = 50
	// maxChances bounds how many entries a transaction spares: each is written anew.
	maxChances = 256
)

// usage remembers which keys were used since they were looked at last, in 2^20 bits. Keys of the same bit are taken for one
// another.
type usage struct {
	seed maphash.Seed
	bits [1 << 15]atomic.Uint32
}

func newUsage() *usage { return &usage{seed: maphash.MakeSeed()} }

func (u *usage) bit(key string) (word *atomic.Uint32, mask uint32) {
	h := maphash.String(u.seed, key)
	return &u.bits[h>>5%uint64(len(u.bits))], 1 << (h & 31)
}

func (u *usage) mark(key string) {
	if word, mask := u.bit(key); word.Load()&mask == 0 { // a read is cheaper where it is set
		word.Or(mask)
	}
}

// take reports whether the key was used, and forgets that.
func (u *usage) take(key string) bool {
	word, mask := u.bit(key)
	return word.And(^mask)&mask != 0
}

// usedBytes returns the size of the pages in use.
func (c *conn) usedBytes() (int64, error) {
	pages, err := c.number("PRAGMA page_count")
	if err != nil {
		return 0, err
	}
	free, err := c.number("PRAGMA freelist_count")
	return (pages - free) * pageSize, err
}

// alive counts the entries that have not expired.
func (c *conn) alive(now time.Time) (int64, error) {
	all, err := c.number("SELECT count(*) FROM entries")
	if err != nil {
		return 0, err
	}
	ended, err := c.number("SELECT count(*) FROM entries WHERE expires > 0 AND expires <= ?", now.UnixNano())
	return all - ended, err
}

// over reports whether there is more than the bounds allow, less a 1/below of them; 0 is nothing less.
func (t *tx) over(below int64) bool {
	entries, bytes := t.b.opts.MaxEntries, t.b.opts.MaxBytes
	if below > 0 {
		entries, bytes = entries-entries/below, bytes-bytes/below
	}
	return t.used > bytes || t.b.opts.MaxEntries > 0 && t.entries > entries
}

// prune brings the table back within its bounds, or nearer to them: first goes what has expired, then what came first.
func (t *tx) prune() (err error) {
	if t.used, err = t.usedBytes(); err != nil || !t.over(0) {
		return err
	}
	for range maxSlices {
		n, err := t.expire(slice)
		if err == nil && n == 0 {
			n, err = t.evict(t.excess())
		}
		if err != nil {
			return err
		}
		if t.used, err = t.usedBytes(); err != nil || n == 0 || !t.over(slack) {
			return err
		}
	}
	return nil
}

// excess estimates how many entries must go.
func (t *tx) excess() int64 {
	o := &t.b.opts
	each := max(t.used/max(t.entries, 1), 1)
	n := (t.used - o.MaxBytes + o.MaxBytes/slack) / each
	if o.MaxEntries > 0 {
		n = max(n, t.entries-o.MaxEntries+o.MaxEntries/slack)
	}
	return min(max(n, 1), slice)
}

// expire deletes up to n entries that have expired.
func (t *tx) expire(n int64) (int64, error) {
	return t.remove(core.CauseExpired, "DELETE FROM entries WHERE id IN "+
		"(SELECT id FROM entries WHERE expires > 0 AND expires <= ? ORDER BY expires LIMIT ?)", t.now.UnixNano(), n)
}

// evict looks at the n entries in front. Those that were used go to the end, the others are deleted. It returns how many
// it looked at.
func (t *tx) evict(n int64) (int64, error) {
	ids, keys, err := t.oldest(n)
	if err != nil {
		return 0, err
	}
	for i, id := range ids {
		if t.chances < maxChances && t.b.used.take(keys[i]) {
			t.chances++
			if _, err := t.exec("UPDATE entries SET id = (SELECT max(id) FROM entries) + 1 WHERE id = ?", id); err != nil {
				return 0, err
			}
			continue
		}
		n, err := t.remove(core.CauseEvicted, "DELETE FROM entries WHERE id = ?", id)
		if err != nil {
			return 0, err
		}
		t.evicted += n
	}
	return int64(len(ids)), nil
}

// oldest returns the n entries that came first.
func (c *conn) oldest(n int64) (ids []int64, keys []string, err error) {
	err = c.each(2, func() error {
		id, _ := c.row[0].(int64)
		ids, keys = append(ids, id), append(keys, string(c.blob(1)))
		return nil
	}, "SELECT id, key FROM entries ORDER BY id LIMIT ?", n)
	return ids, keys, err
}

// removal is an entry that went without a command that names it.
type removal struct {
	key   string
	entry *core.Entry
	cause core.Cause
}

// remove runs a statement that deletes and returns how many entries it deleted. It reads them only if somebody wants to
// be told.
func (t *tx) remove(cause core.Cause, query string, args ...driver.Value) (n int64, err error) {
	if t.b.notify.Load() == nil {
		n, err = t.exec(query, args...)
	} else {
		err = t.each(2, func() error {
			n++
			key := string(t.blob(0))
			if e := t.b.decode(key, t.blob(1)); e != nil {
				t.removed = append(t.removed, removal{key, e, cause})
			}
			return nil
		}, query+" RETURNING key, data", args...)
	}
	t.entries -= n
	return n, err
}

// Notify has fn told after the commit that removed the entries. Entries that another process removes are not told.
func (b *Backend) Notify(fn func(key string, e *core.Entry, cause core.Cause)) {
	if fn == nil {
		b.notify.Store(nil)
		return
	}
	b.notify.Store(&fn)
}

func (b *Backend) announce(removed []removal) {
	fn := b.notify.Load()
	if fn == nil {
		return
	}
	for _, r := range removed {
		(*fn)(r.key, r.entry, r.cause)
	}
}
