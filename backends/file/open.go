package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/edgecache/edgecache/core"
)

// open takes the folder, learns what is there and starts the janitor.
func (b *Backend) open() (err error) {
	root := b.options.Dir
	err = os.MkdirAll(filepath.Dir(root), 0o755)
	if err == nil {
		err = b.folder.makeFolders(root, filepath.Join(root, tempName))
	}
	if err != nil {
		return fmt.Errorf("file: folder %q can't be made: %w: %w: make it writable or choose another", root, core.ErrUnavailable, err)
	}
	b.lock, err = b.folder.lock(filepath.Join(root, lockName))
	var pid *inUseError
	switch {
	case errors.Is(err, errInUse) || errors.As(err, &pid):
		return fmt.Errorf("file: folder %q: %w: %w: give each cache a folder of its own", root, core.ErrUnavailable, err)
	case err != nil:
		return fmt.Errorf("file: folder %q can't be written: %w: %w: make it writable or choose another", root, core.ErrUnavailable, err)
	}
	if err := b.load(); err != nil {
		return errors.Join(unavailable(err), b.lock.Close())
	}
	b.wake <- struct{}{} // what is there may be too much for these options
	b.janitor.Go(b.serve)
	return nil
}

// load reads the index, or makes a new one.
func (b *Backend) load() error {
	if err := b.emptyTemp(); err != nil {
		return err
	}
	size, records, ok := b.readIndex()
	if ok {
		if err := b.journal.resume(size, records); err == nil {
			return nil
		}
	} else if err := b.rebuild(); err != nil {
		return err
	}
	// The old journal is not true any more from here on, and its room may be needed.
	if err := os.Remove(filepath.Join(b.options.Dir, indexName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := b.rewrite(false); err != nil {
		b.options.Logger.LogAttrs(context.Background(), slog.LevelWarn,
			"index of the cache can't be written: nothing is stored until it can", slog.Any("error", err))
	}
	return nil
}

// emptyTemp removes the files that a process left behind that was killed.
func (b *Backend) emptyTemp() error {
	temp := filepath.Join(b.options.Dir, tempName)
	entries, err := os.ReadDir(temp)
	for _, e := range entries {
		err = errors.Join(err, os.Remove(filepath.Join(temp, e.Name())))
	}
	return err
}

// readIndex fills the index from its file, of which it returns the length and the number of records. Not ok is one that is
// absent, damaged, which is kept aside, or not to be trusted.
func (b *Backend) readIndex() (size, records int64, ok bool) {
	path := filepath.Join(b.options.Dir, indexName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, false
	}
	var last record
	var booted string
	if err == nil {
		err = replay(data, func(r record) {
			last, records = r, records+1
			if r.kind == opened {
				booted = r.key
			}
			b.apply(r)
		})
	}
	log := b.options.Logger
	switch {
	case err != nil:
		aside := filepath.Join(b.options.Dir, damagedName)
		err = errors.Join(err, os.Rename(path, aside))
		log.LogAttrs(context.Background(), slog.LevelWarn, "index of the cache is damaged: it is kept aside and the files are scanned",
			slog.String("aside", aside), slog.Any("error", err))
	case last.kind != closed && (booted == "" || booted != boot()):
		log.LogAttrs(context.Background(), slog.LevelInfo, "cache was not closed before the machine was restarted: the files are scanned")
	default:
		return int64(len(data)), records, true
	}
	b.index = newIndex()
	return 0, 0, false
}

// apply does to the index what a record says.
func (b *Backend) apply(r record) {
	n := b.hash(r.key)
	switch r.kind {
	case put:
		b.index.put(n, &item{key: r.key, size: r.size, expires: r.expires})
	case remove:
		if it := b.index.at(n); it != nil && it.key == r.key {
			b.index.remove(n, it)
		}
	case opened, closed:
	}
}

// rebuild makes the index from the files, the one written last as the one used last. Damaged ones are removed.
func (b *Backend) rebuild() error {
	var all []found
	err := b.folder.scan(func(got found, err error) {
		path := b.folder.path(got.name)
		switch {
		case err == nil && b.hash(got.key) == got.name:
			all = append(all, got)
		case err == nil || errors.Is(err, core.ErrDecode):
			b.damage(path, cmp.Or(err, damaged("file of another key")))
			if err := os.Remove(path); err != nil {
				b.complain("damaged file of the cache can't be removed", err)
			}
		default:
			b.complain("file of the cache can't be read", err)
		}
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.written, b.written) })
	for _, f := range all {
		b.index.put(f.name, &item{key: f.key, size: f.size, expires: f.expires})
	}
	if len(all) > 0 {
		b.options.Logger.LogAttrs(context.Background(), slog.LevelInfo, "index of the cache was made from its files",
			slog.Int("entries", len(all)))
	}
	return nil
}

// complain logs what goes wrong beside the commands.
func (b *Backend) complain(what string, err error) {
	b.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, what, slog.Any("error", err))
}
