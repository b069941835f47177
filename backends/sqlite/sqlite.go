// Package sqlite is the tier in a file: an SQLite database, which outlives the process.
//
// Set returns when the value is in memory; a goroutine commits what has come in batches, and readers of this process see
// what is not committed yet. All other writes (deletions, updates, counters, conditions) are committed when they return,
// and with them everything written before. A process that is killed loses what was set since the last commit: at most
// 2 × Options.BatchSize values, of about the last Options.BatchDelay. Options.BatchDelay below 0 has Set wait for its
// commit, too. What a machine that loses power may lose besides is Options.Sync's affair.
//
// Each value is stored in the envelope of package codec, which proves that it is what was written under its key: damage is
// read as a miss. Where SQLite itself finds the file damaged, it is renamed to NAME.corrupt-TIME, and the cache goes on
// with an empty one. Where writes fail, for want of space say, Set returns core.ErrUnavailable, the key it names reads as
// absent, and everything else goes on being read; once a second the database is tried again. Values that were set and find
// no space on the disk are lost.
//
// Reads never write. A janitor deletes what has expired, in slices. Beyond its bounds the database loses first what has
// expired, then what came first; but entries that were read or written again since get a second chance, as in CLOCK
// (F. J. Corbató, "A Paging Experiment with the Multics System", 1968).
//
// Several processes may use a file at the same time. Each sees what the others have committed, and updates are atomic
// between them; their bounds should agree.
package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Memory is the Options.Path of a database without a file, which ends with its Backend.
const Memory = ":memory:"

// Sync says when the operating system is told to bring what was written to the disk.
type Sync uint8

const (
	// SyncNormal does so now and then. A machine that loses power loses some seconds, and nothing else.
	SyncNormal Sync = iota
	// SyncOff never does. A machine that loses power may damage the file.
	SyncOff
	// SyncFull does so with each commit, which takes milliseconds.
	SyncFull
)

// String returns SQLite's word.
func (s Sync) String() string {
	switch s {
	case SyncOff:
		return "OFF"
	case SyncFull:
		return "FULL"
	default:
		return "NORMAL"
	}
}

// Options configures a Backend.
type Options struct {
	// Path is the file. It is made, for this user alone and with its directory, where it is not there. SQLite keeps two
	// more beside it, Path-wal and Path-shm. Required; Memory needs no file.
	Path string
	// MaxBytes bounds the pages of the file that are in use; its log takes an eighth more,
	// 8 MiB at most, for a while twice that. An entry may have a
	// quarter of it (core.ErrTooLarge). 0 means 1 GiB, the least is 256 KiB.
	MaxBytes int64
	// MaxEntries bounds the number of entries. 0 means that only MaxBytes does.
	MaxEntries int64
	// BatchSize is how many values are committed together at most. 0 means 256.
	BatchSize int
	// BatchDelay is how long a value waits for others in memory. 0 means 5 ms; below 0 Set waits for the commit, which it
	// shares with those who wait at the same time.
	BatchDelay time.Duration
	// Sync says when data is brought to the disk.
	Sync Sync
	// JanitorInterval is how often expired entries are deleted. 0 means a minute, below 0 never.
	JanitorInterval time.Duration
	// Logger is told when the database is put aside or can't be written. nil logs nothing.
	Logger *slog.Logger
}

const (
	defaultMaxBytes = 1 << 30
	minMaxBytes     = 256 << 10
	maxEntryBytes   = 512 << 20 // SQLite's own limit is a billion bytes
	defaultBatch    = 256
	defaultDelay    = 5 * time.Millisecond
	defaultInterval = time.Minute
	// busyTimeout is how long a call waits for another process's transaction.
	busyTimeout = 5 * time.Second
	// maxReaders bounds the connections that read; each has a cache of 2 MB.
	maxReaders = 8
	// pageSize is SQLite's own default.
	pageSize = 4096
	// The log is moved into the file when it has an eighth of MaxBytes, but between these.
	minLogPages = 100
	maxLogPages = 2000
)

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Path == "":
		return o, errors.New("sqlite: no Path, name a file")
	case o.MaxBytes != 0 && o.MaxBytes < minMaxBytes:
		return o, fmt.Errorf("sqlite: MaxBytes %d must be %d at least", o.MaxBytes, minMaxBytes)
	case o.MaxEntries < 0 || o.BatchSize < 0:
		return o, fmt.Errorf("sqlite: MaxEntries %d and BatchSize %d must not be negative", o.MaxEntries, o.BatchSize)
	case o.Sync > SyncFull:
		return o, fmt.Errorf("sqlite: Sync %d is none of this package's", o.Sync)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.BatchSize == 0 {
		o.BatchSize = defaultBatch
	}
	if o.BatchDelay == 0 {
		o.BatchDelay = defaultDelay
	}
	if o.JanitorInterval == 0 {
		o.JanitorInterval = defaultInterval
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Backend is an open database. It is safe for concurrent use. Methods block for the time of a few reads of the file, those
// that commit for a transaction of this process or another one, at most 5 s.
type Backend struct {
	opts   Options
	writes overlay
	used   *usage

	life   sync.RWMutex // held reading by who uses db, writing by who replaces it; no lock is taken before it
	db     *database    // nil after Close, and while there is none that can be used
	closed atomic.Bool

	buf     []byte // for envelopes; of who has the writer, as version is
	version int64  // PRAGMA data_version when the entries were counted
	failure atomic.Pointer[failure]
	over    atomic.Bool // the last commit left more than the bounds allow
	notify  atomic.Pointer[func(string, *core.Entry, core.Cause)]

	entries, bytes, evictions, damaged atomic.Int64

	dirty, full chan struct{} // hold one signal to the goroutine that commits
	stop        chan struct{} // closed by Close
	running     sync.WaitGroup
}

var (
	_ core.Backend            = (*Backend)(nil)
	_ core.Updater            = (*Backend)(nil)
	_ core.Counter            = (*Backend)(nil)
	_ core.ConditionalSetter  = (*Backend)(nil)
	_ core.Expirer            = (*Backend)(nil)
	_ core.ExpiryReader       = (*Backend)(nil)
	_ core.BatchGetter        = (*Backend)(nil)
	_ core.BatchSetter        = (*Backend)(nil)
	_ core.BatchDeleter       = (*Backend)(nil)
	_ core.Scanner            = (*Backend)(nil)
	_ core.Clearer            = (*Backend)(nil)
	_ core.RangeDeleter       = (*Backend)(nil)
	_ core.ExpiredDeleter     = (*Backend)(nil)
	_ core.Popper             = (*Backend)(nil)
	_ core.Evictor            = (*Backend)(nil)
	_ core.Peeker             = (*Backend)(nil)
	_ core.Flusher            = (*Backend)(nil)
	_ core.Inspector          = (*Backend)(nil)
	_ core.Notifier           = (*Backend)(nil)
	_ core.Rawer              = (*Backend)(nil)
	_ core.Pinger             = (*Backend)(nil)
	_ core.Sizer              = (*Backend)(nil)
	_ core.EvictionCounter    = (*Backend)(nil)
	_ core.PolicyNamer        = (*Backend)(nil)
	_ core.DecodeErrorCounter = (*Backend)(nil)
)

// New opens the database, which it makes where there is none. It refuses files of other programs. Where the file can't be
// opened or written the error is core.ErrUnavailable. Close stops its goroutines.
func New(o Options) (*Backend, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Backend{
		opts: o, used: newUsage(), writes: overlay{size: o.BatchSize, next: newBatch()},
		dirty: make(chan struct{}, 1), full: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if err := b.open(); err != nil {
		return nil, b.fail(err)
	}
	b.running.Go(b.write)
	if o.JanitorInterval > 0 {
		b.running.Go(b.janitor)
	}
	return b, nil
}

// open opens the file. The caller holds life.
func (b *Backend) open() error {
	db, err := openDatabase(&b.opts)
	if err != nil {
		return err
	}
	b.db, b.version = db, db.version
	b.entries.Store(db.entries)
	b.over.Store(true) // the next commit looks
	return nil
}

// use calls fn with the database. One that fn finds damaged is replaced by an empty one, and fn is called again.
func (b *Backend) use(fn func(*database) error) error {
	const attempts = 3
	var err error
	for range attempts {
		var db *database
		db, err = b.try(fn)
		if db != nil && !isCorrupt(err) || b.closed.Load() {
			return err
		}
		if f := b.failure.Load(); db == nil && f != nil && core.Clock() < f.until {
			return f.err
		}
		b.replace(db, err)
	}
	return cmp.Or(b.failing(), err)
}

// try calls fn with the database and returns that, nil if there is none.
func (b *Backend) try(fn func(*database) error) (*database, error) {
	b.life.RLock()
	defer b.life.RUnlock()
	if b.db == nil {
		return nil, core.ErrClosed
	}
	return b.db, fn(b.db)
}

// replace puts the database aside, or just opens one if there is none, unless another goroutine was quicker.
func (b *Backend) replace(bad *database, cause error) {
	b.life.Lock()
	defer b.life.Unlock()
	if b.db != bad || b.closed.Load() {
		return
	}
	var err error
	if b.db = nil; bad != nil {
		_ = bad.close() // its errors are why it goes
		if bad.info != nil && !bad.moved() {
			err = setAside(&b.opts, cause)
		}
	}
	if err == nil {
		err = b.open()
	}
	if err != nil {
		b.suspend(fmt.Errorf("open another database: %w", err))
	}
}

// ready returns the error of a call that must not begin.
func (b *Backend) ready(ctx context.Context) error {
	if b.closed.Load() {
		return core.ErrClosed
	}
	return ctx.Err()
}

// Flush returns once all that was set before is committed.
func (b *Backend) Flush(ctx context.Context) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	return b.flush(ctx)
}

// Ping reads, and returns why writes fail if they do.
func (b *Backend) Ping(ctx context.Context) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if err := b.failing(); err != nil {
		return err
	}
	return b.read(ctx, func(c *conn) error {
		_, err := c.number("SELECT 1")
		return err
	})
}

// Size returns the number of entries, of which some may have expired, and the bytes of the pages that they take, as of the
// last commit of this process.
func (b *Backend) Size() (entries, bytes int64) { return b.entries.Load(), b.bytes.Load() }

// Inspect commits what is pending and counts. Bytes is that of the pages in use.
func (b *Backend) Inspect(ctx context.Context) (core.Info, error) {
	info := core.Info{Name: "sqlite " + b.opts.Path}
	if err := b.ready(ctx); err != nil {
		return info, err
	}
	if err := b.flush(ctx); err != nil {
		return info, err
	}
	err := b.read(ctx, func(c *conn) (err error) {
		if info.Entries, err = c.alive(time.Now()); err != nil {
			return err
		}
		info.Bytes, err = c.usedBytes()
		return err
	})
	return info, err
}

// Evictions returns how many entries this process has evicted.
func (b *Backend) Evictions() int64 { return b.evictions.Load() }

// EvictionPolicy returns the policy's name.
func (b *Backend) EvictionPolicy() (name string, failure error) { return "clock", nil }

// DecodeErrors returns how many stored values were damaged and read as misses.
func (b *Backend) DecodeErrors() int64 { return b.damaged.Load() }

// Close commits what is pending, closes the file and returns when the backend's goroutines have ended. It returns the
// error of that commit: the values that had to wait for it are lost then.
func (b *Backend) Close() error {
	if b.closed.Swap(true) {
		b.running.Wait()
		return nil
	}
	b.writes.close()
	close(b.stop)
	b.running.Wait()
	b.failure.Store(nil) // one more try
	err := b.flush(context.Background())
	b.life.Lock()
	defer b.life.Unlock()
	if db := b.db; db != nil {
		b.db = nil
		err = errors.Join(err, b.fail(db.close()))
	}
	return err
}
