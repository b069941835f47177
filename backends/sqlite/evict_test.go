package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// soon is an expiry to wait for, when all that has it is committed.
func soon() int64 { return time.Now().Add(400 * time.Millisecond).UnixNano() }

func has(t testing.TB, b *Backend, key string) bool {
	t.Helper()
	_, err := b.Peek(t.Context(), key)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		t.Fatalf("Peek(%q) = %v", key, err)
	}
	return err == nil
}

// rows returns how many rows the table has, and how often it has changed.
func rows(t testing.TB, b *Backend) (n, changes int64) {
	t.Helper()
	err := b.use(func(db *database) (err error) {
		if err := db.lock(t.Context()); err != nil {
			return err
		}
		defer func() { <-db.writing }()
		if n, err = db.writer.number("SELECT count(*) FROM entries"); err != nil {
			return err
		}
		changes, err = db.writer.number("SELECT total_changes()")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, changes
}

// waitExpired waits until the key is a miss.
func waitExpired(t testing.TB, b *Backend, key string) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for has(t, b, key) {
		<-poll.C
	}
}

// TestReadsDoNotWrite has every kind of read meet entries that have expired: they are misses, and stay in the file.
func TestReadsDoNotWrite(t *testing.T) {
	b := open(t, Options{JanitorInterval: -1})
	for i := range 10 {
		set(t, b, fmt.Sprint("k", i), &core.Entry{Value: []byte("v"), Expires: soon()})
	}
	set(t, b, "stays", value("v"))
	flush(t, b)
	waitExpired(t, b, "k9")
	n, changes := rows(t, b)
	if n != 11 {
		t.Fatalf("%d rows, want 11", n)
	}
	if _, err := b.Get(t.Context(), "k0"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Get = %v", err)
	}
	if err := b.GetMany(t.Context(), []string{"k1", "stays"}, make([]*core.Entry, 2)); err != nil {
		t.Errorf("GetMany = %v", err)
	}
	if _, err := b.Expiry(t.Context(), "k2"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Expiry = %v", err)
	}
	if keys, _, err := b.Scan(t.Context(), 0, "", "", 0); err != nil || len(keys) != 1 {
		t.Errorf("Scan = %q, %v, want the key that stays", keys, err)
	}
	if info, err := b.Inspect(t.Context()); err != nil || info.Entries != 1 {
		t.Errorf("Inspect = %+v, %v, want 1 entry", info, err)
	}
	if _, after := rows(t, b); after != changes {
		t.Errorf("reading has changed %d rows", after-changes)
	}
}

// TestJanitor deletes what has expired, without anybody reading it, and in several slices.
func TestJanitor(t *testing.T) {
	b := open(t, Options{JanitorInterval: 5 * time.Millisecond})
	var mu sync.Mutex
	told := map[string]core.Cause{}
	b.Notify(func(key string, e *core.Entry, cause core.Cause) {
		mu.Lock()
		defer mu.Unlock()
		if string(e.Value) == "of "+key {
			told[key] = cause
		}
	})
	const n = 3*slice + 7
	for i := range n {
		key := fmt.Sprint("k", i)
		set(t, b, key, &core.Entry{Value: []byte("of " + key), Expires: soon()})
	}
	set(t, b, "stays", &core.Entry{Value: []byte("v"), Expires: time.Now().Add(time.Hour).UnixNano()})
	set(t, b, "never", value("v"))
	flush(t, b)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		if left, _ := rows(t, b); left == 2 {
			break
		}
		<-poll.C
	}
	b.Notify(nil)
	if entries, _ := b.Size(); entries != 2 || !has(t, b, "stays") || !has(t, b, "never") {
		t.Errorf("%d entries are left, want the 2 that have not expired", entries)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != n || told["k0"] != core.CauseExpired {
		t.Errorf("%d expired entries were told, k0 as %v, want %d", len(told), told["k0"], n)
	}
}

func TestDeleteExpired(t *testing.T) {
	b := open(t, Options{JanitorInterval: -1})
	for i := range 2 * slice {
		set(t, b, fmt.Sprint("k", i), &core.Entry{Value: []byte("v"), Expires: soon()})
	}
	set(t, b, "stays", value("v"))
	waitExpired(t, b, fmt.Sprint("k", 2*slice-1))
	n, err := b.DeleteExpired(t.Context())
	if left, _ := rows(t, b); err != nil || left != 1 || n > 2*slice {
		t.Errorf("DeleteExpired = %d, %v, and %d rows are left", n, err, left)
	}
	if n, err := b.DeleteExpired(t.Context()); n != 0 || err != nil {
		t.Errorf("DeleteExpired once more = %d, %v", n, err)
	}
}

// TestMaxEntries evicts what came first, but what has expired before that, and what was used later.
func TestMaxEntries(t *testing.T) {
	const bound = 100
	b := open(t, Options{MaxEntries: bound, JanitorInterval: -1})
	key := func(i int) string { return fmt.Sprintf("k%03d", i) }
	for i := range bound - 1 {
		set(t, b, key(i), value("v"))
		flush(t, b) // in this order
	}
	set(t, b, "short", &core.Entry{Value: []byte("v"), Expires: soon()})
	flush(t, b)
	waitExpired(t, b, "short")
	for i := range 5 {
		if _, err := b.Get(t.Context(), key(2*i)); err != nil {
			t.Fatal(err)
		}
	}
	set(t, b, key(1), value("written again"))
	set(t, b, "one", value("v"))
	flush(t, b)
	if n := b.Evictions(); n > bound/slack {
		t.Errorf("%d evictions, want those that make room after what had expired", n)
	}
	for i := range 6 {
		set(t, b, fmt.Sprint("more", i), value("v"))
		flush(t, b)
	}
	if n, _ := rows(t, b); n > bound {
		t.Errorf("%d rows, want %d at most", n, bound)
	}
	if entries, _ := b.Size(); entries > bound {
		t.Errorf("Size = %d, want %d at most", entries, bound)
	}
	for i := range 9 {
		used := i%2 == 0 || i == 1
		if has(t, b, key(i)) != used && i < 6 {
			t.Errorf("%q is there: %v, want %v", key(i), !used, used)
		}
	}
	if !has(t, b, key(bound-2)) || !has(t, b, "more5") || b.Evictions() == 0 {
		t.Error("entries that came late were evicted")
	}
}

// TestMaxBytes writes ten times what the file may have.
func TestMaxBytes(t *testing.T) {
	const bound = 1 << 20
	b := open(t, Options{MaxBytes: bound})
	var evicted int
	b.Notify(func(_ string, _ *core.Entry, cause core.Cause) {
		if cause == core.CauseEvicted {
			evicted++
		}
	})
	for i := range 10_000 {
		set(t, b, fmt.Sprint("key", i), value(strings.Repeat("v", 1000)))
		if i%1000 == 0 {
			flush(t, b)
			if _, bytes := b.Size(); bytes > bound {
				t.Fatalf("%d bytes after %d writes, want %d at most", bytes, i, bound)
			}
		}
	}
	flush(t, b)
	b.Notify(nil)
	entries, bytes := b.Size()
	if bytes > bound || bytes < bound/2 || entries < 500 || entries > 1050 {
		t.Errorf("Size = %d, %d, want near %d bytes", entries, bytes, bound)
	}
	if n, _ := rows(t, b); n != entries {
		t.Errorf("%d rows, and Size has %d", n, entries)
	}
	if !has(t, b, "key9999") || has(t, b, "key0") {
		t.Error("not the last ones are left")
	}
	if n := b.Evictions(); n != int64(10_000)-entries || int64(evicted) != n {
		t.Errorf("%d evictions and %d told, want %d", n, evicted, 10_000-entries)
	}
	if err := b.Set(t.Context(), "key9999", value(strings.Repeat("v", bound/4))); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("Set of a quarter = %v, want ErrTooLarge", err)
	}
	if has(t, b, "key9999") {
		t.Error("a value is still there that was to be replaced by one that is too large")
	}
}

// TestLowerBounds opens a file with bounds below what it has.
func TestLowerBounds(t *testing.T) {
	b := open(t, Options{})
	path := b.opts.Path
	for i := range 3000 {
		set(t, b, fmt.Sprint("key", i), value(strings.Repeat("v", 1000)))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, Options{Path: path, MaxBytes: 512 << 10, MaxEntries: 200})
	n, err := b.Evict(t.Context())
	if entries, bytes := b.Size(); err != nil || entries > 200 || bytes > 512<<10 || entries+n != 3000 {
		t.Errorf("Evict = %d, %v and leaves %d entries of %d bytes", n, err, entries, bytes)
	}
}

func TestVictim(t *testing.T) {
	b := open(t, Options{JanitorInterval: -1})
	if _, err := b.Victim(t.Context(), ""); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Victim of nothing = %v", err)
	}
	for _, k := range []string{"z1", "a2", "a1", "b1"} {
		set(t, b, k, value("v"))
		flush(t, b)
	}
	for prefix, want := range map[string]string{"": "z1", "a": "a2", "b": "b1"} {
		if key, err := b.Victim(t.Context(), prefix); key != want || err != nil {
			t.Errorf("Victim(%q) = %q, %v, want %q", prefix, key, err, want)
		}
	}
	if _, err := b.Victim(t.Context(), "c"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Victim of no key = %v", err)
	}
}
