// Package file is the tier of files: each entry is one, in folders by the hash of its key, written whole or not at all and
// proven by checksums when it is read. An index in memory knows which there are, so that a miss and an expiry cost no look
// at the disk; it is kept in a journal and survives the process however that ends. Entries beyond the bounds go: those that
// have expired first, then those used longest ago.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/backends/internal/keyscan"
	"github.com/edgecache/edgecache/core"
)

// Options configures a Backend.
type Options struct {
	// Dir is the folder of the cache, made if it is absent. One Backend has it at a time. What lies there beside the
	// cache's own files stays as it is. It must be given.
	Dir string
	// MaxBytes bounds the lengths of the entries' files together. Writers may be ahead of it by an entry each. What the
	// file system needs besides, such as the rest of each file's last block, is not counted. 0 means 1 GiB.
	MaxBytes int64
	// MaxEntries bounds the number of entries, of which each takes about 130 bytes of memory beside its key. 0 means no
	// bound but MaxBytes.
	MaxEntries int64
	// Mode is the permissions of the files, whatever the process's mask is. Who may read a folder's files may also enter
	// the folder. 0 means 0600.
	Mode fs.FileMode
	// Sync waits with each write until it is on the disk, so that it survives a breakdown of the machine. Without, such a
	// breakdown may lose the last seconds; what is left is what was written either way.
	Sync bool
	// JanitorInterval is how often what has expired is removed. It is a miss before that. 0 means a minute.
	JanitorInterval time.Duration
	// Logger is told of damaged files and of what goes wrong beside the commands. nil logs nothing.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Dir == "":
		return o, errors.New("file: Dir must be given")
	case o.MaxBytes < 0 || o.MaxEntries < 0 || o.JanitorInterval < 0:
		return o, fmt.Errorf("file: MaxBytes %d, MaxEntries %d and JanitorInterval %v must not be negative",
			o.MaxBytes, o.MaxEntries, o.JanitorInterval)
	case o.Mode&^fs.ModePerm != 0 || o.Mode != 0 && o.Mode&0o600 != 0o600:
		return o, fmt.Errorf("file: Mode %#o must be permissions, with reading and writing for the owner", uint32(o.Mode))
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("file: folder %q: %w", o.Dir, err)
	}
	o.Dir = dir
	setDefault(&o.MaxBytes, 1<<30)
	setDefault(&o.MaxEntries, math.MaxInt64)
	setDefault(&o.Mode, 0o600)
	setDefault(&o.JanitorInterval, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Backend keeps entries in files. Writers of one key wait for each other, and a few other keys; readers wait for nobody
// but the disk. Contexts are looked at before a call begins and, where it touches many files, between them. What the
// system refuses is core.ErrUnavailable; what was there stays then.
//
// Lock order: that of who rewrites the journal, a stripe, then the journal's or the index's own, which never nest.
type Backend struct {
	options Options
	folder  *folder
	index   *index
	journal *journal
	hash    func(key string) name
	scans   *keyscan.Scans
	buffers sync.Pool       // of *[]byte
	stripes [256]sync.Mutex // of who changes files, by the name's first byte

	damages, evictions atomic.Int64
	notify             atomic.Pointer[func(key string, e *core.Entry, cause core.Cause)]

	life   sync.RWMutex // read-locked by calls
	closed bool
	lock   *os.File

	stop    sync.Once
	quit    chan struct{}
	wake    chan struct{} // of the janitor
	janitor sync.WaitGroup
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
	_ core.Pinger             = (*Backend)(nil)
	_ core.Sizer              = (*Backend)(nil)
	_ core.EvictionCounter    = (*Backend)(nil)
	_ core.PolicyNamer        = (*Backend)(nil)
	_ core.DecodeErrorCounter = (*Backend)(nil)
	_ core.ValueOpener        = (*Backend)(nil)
)

// New opens the cache in a folder, with what is there. It reads the index, or where that is absent, damaged or older than
// the files may be, the head of each file. A folder that another Backend has, in this process or another, and one that can't
// be written are core.ErrUnavailable. Close gives the folder back.
func New(o Options) (*Backend, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := newBackend(o)
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

func newBackend(o Options) *Backend {
	f := newFolder(&o)
	return &Backend{
		options: o, folder: f, index: newIndex(), journal: &journal{folder: f}, hash: hashName, scans: keyscan.New(),
		buffers: sync.Pool{New: func() any { return new([]byte) }},
		quit:    make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// enter begins a call, which leave ends if it returned nil.
func (b *Backend) enter(ctx context.Context) error {
	b.life.RLock()
	err := ctx.Err()
	if b.closed {
		err = core.ErrClosed
	}
	if err != nil {
		b.life.RUnlock()
	}
	return err
}

func (b *Backend) leave() { b.life.RUnlock() }

// goOn says why a call that touches many files must end, nil if it need not.
func (b *Backend) goOn(ctx context.Context) error {
	select {
	case <-b.quit:
		return core.ErrClosed
	default:
		return ctx.Err()
	}
}

func (b *Backend) stripe(n name) *sync.Mutex { return &b.stripes[n[0]] }

// unavailable is an error of the system.
func unavailable(err error) error { return fmt.Errorf("file: %w: %w", core.ErrUnavailable, err) }

// now is in unix nanoseconds.
func now() int64 { return time.Now().UnixNano() }

// Get reads the file, whole. It counts as a use.
func (b *Backend) Get(ctx context.Context, key string) (*core.Entry, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	return b.get(key, true)
}

// Peek is Get, but no use.
func (b *Backend) Peek(ctx context.Context, key string) (*core.Entry, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	return b.get(key, false)
}

// get reads without a lock: a file that is there is whole, whoever writes meanwhile. Where it is not what the index says,
// it is looked at again while nobody can write.
func (b *Backend) get(key string, use bool) (*core.Entry, error) {
	n := b.hash(key)
	it := b.index.get(n, key, now(), use)
	if it == nil {
		return nil, core.ErrNotFound
	}
	e, err := b.folder.read(n, key, it.size)
	if err != nil || !it.fits(e) {
		mu := b.stripe(n)
		mu.Lock()
		defer mu.Unlock()
		e, err = b.current(n, key)
	}
	if err == nil && e == nil {
		err = core.ErrNotFound
	}
	return e, err
}

// fits reports whether the item's file is the entry's.
func (it *item) fits(e *core.Entry) bool {
	return it.expires == e.Expires && it.size == fileSize(it.key, e)
}

// current returns the entry of a key, nil where there is none, and mends the index where the file is another than it says,
// or none. The caller holds the stripe.
func (b *Backend) current(n name, key string) (*core.Entry, error) {
	it := b.index.get(n, key, now(), false)
	if it == nil {
		return nil, nil
	}
	e, err := b.folder.read(n, key, it.size)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.strike(n, it)
		return nil, nil
	case errors.Is(err, core.ErrDecode):
		b.damage(b.folder.path(n), err)
		return nil, b.erase(n, it, 0)
	case err != nil:
		return nil, unavailable(err)
	case !it.fits(e):
		it = &item{key: it.key, size: fileSize(key, e), expires: e.Expires}
		b.index.put(n, it)
		b.note(putOf(it))
	}
	if it.expired(now()) { // by the file, which knows better
		return nil, nil
	}
	return e, nil
}

// damage counts a file that can't be read and says so.
func (b *Backend) damage(path string, err error) {
	b.damages.Add(1)
	b.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, "damaged file of the cache is removed",
		slog.String("file", path), slog.Any("error", err))
}

// Notify has fn told of the entries that go by themselves. Each of them is read for that.
func (b *Backend) Notify(fn func(key string, e *core.Entry, cause core.Cause)) {
	if fn == nil {
		b.notify.Store(nil)
		return
	}
	b.notify.Store(&fn)
}

// Ping returns nil unless the backend is closed or the folder is gone.
func (b *Backend) Ping(ctx context.Context) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	if _, err := os.Stat(b.options.Dir); err != nil {
		return unavailable(err)
	}
	return nil
}

// Size returns the number of entries, of which some may have expired, and the length of their files.
func (b *Backend) Size() (entries, bytes int64) { return b.index.size() }

// Inspect returns what has not expired: the number of entries and the length of their files.
func (b *Backend) Inspect(ctx context.Context) (core.Info, error) {
	if err := b.enter(ctx); err != nil {
		return core.Info{}, err
	}
	defer b.leave()
	info := core.Info{Name: "file " + b.options.Dir}
	for it, err := range b.items(ctx) {
		if err != nil {
			return core.Info{}, err
		}
		info.Entries++
		info.Bytes += it.size
	}
	return info, nil
}

// Evictions returns how many entries went that had not expired, to make room.
func (b *Backend) Evictions() int64 { return b.evictions.Load() }

// EvictionPolicy returns "lru": what was used longest ago goes first. A use is a Get or a write, or, after the process was
// killed, what is known of them: the writes.
func (b *Backend) EvictionPolicy() (name string, failure error) { return "lru", nil }

// DecodeErrors returns how many files were damaged.
func (b *Backend) DecodeErrors() int64 { return b.damages.Load() }

// Flush writes the index anew, with the order in which the entries were used, and waits until it is on the disk. The entries
// are in their files without it, and on the disk if Options.Sync says so.
func (b *Backend) Flush(ctx context.Context) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	return b.rewrite(false)
}

// rewrite writes the journal anew.
func (b *Backend) rewrite(complete bool) error {
	err := b.journal.rewrite(func() []*item {
		for i := range b.stripes { // who appended before changes the index before he unlocks
			b.stripes[i].Lock()
			b.stripes[i].Unlock() //nolint:staticcheck // waiting is all
		}
		return b.index.byUse()
	}, complete)
	if err != nil {
		return unavailable(err)
	}
	return nil
}

// Close ends calls under way that touch many files, waits for the others, writes the index and gives the folder back.
func (b *Backend) Close() error {
	b.stop.Do(func() { close(b.quit) })
	b.life.Lock()
	defer b.life.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	b.janitor.Wait()
	b.scans.Clear()
	err := b.rewrite(true)
	return errors.Join(err, b.journal.close(), b.lock.Close())
}

// inUseError says which process has a folder.
type inUseError struct{ pid int }

func (e *inUseError) Error() string { return fmt.Sprintf("another cache has it, in process %d", e.pid) }

// errInUse is inUseError where the process is not known.
var errInUse = errors.New("another cache has it")
