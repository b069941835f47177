package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher drops from the cache what has changed on the disk. One goroutine hears all that the system tells.
type watcher struct {
	h     *Handler
	able  atomic.Bool // the system tells about every folder
	quit  chan struct{}
	ended chan struct{}

	mu      sync.RWMutex
	notify  *fsnotify.Watcher   // another one after an overflow
	folders map[string]struct{} // that are watched, by their paths within the root, which is "."
	others  map[string]struct{} // absolute paths of files elsewhere on which everything depends
}

// startWatcher returns a watcher of the whole folder, nil where the system has none.
func (h *Handler) startWatcher() *watcher {
	w := &watcher{
		h: h, quit: make(chan struct{}), ended: make(chan struct{}),
		folders: make(map[string]struct{}), others: make(map[string]struct{}),
	}
	var err error
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		w.warn("files can't be watched: they are looked at instead", err)
		return nil
	}
	w.able.Store(true)
	w.add(".")
	go w.run(w.notify)
	return w
}

// watching reports whether every change of a file without links is noticed.
func (h *Handler) watching() bool { return h.watcher != nil && h.watcher.able.Load() }

// Watch drops everything from the cache whenever the file at path changes: one outside of the folder that its files are made
// from. The file need not exist yet, but the folder that it is in must.
func (h *Handler) Watch(path string) error {
	if h.watcher == nil {
		return errors.New("files: nothing is watched: NoWatch is set, or the system can't")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("files: watch: %w", err)
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("files: watch: %w", err)
	}
	w := h.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.notify.Add(folder); err != nil {
		return fmt.Errorf("files: watch %s: %w", folder, err)
	}
	w.others[filepath.Join(folder, filepath.Base(path))] = struct{}{}
	return nil
}

func (w *watcher) close() {
	close(w.quit)
	<-w.ended
}

// run acts on what the system tells until close.
func (w *watcher) run(notify *fsnotify.Watcher) {
	defer close(w.ended)
	window := newWindow()
	timer := time.NewTimer(0)
	<-timer.C
	for {
		select {
		case e := <-notify.Events:
			open := window.open()
			if c, ok := w.change(e); ok {
				if c, ok = window.note(c); ok {
					w.forget(c)
				}
			}
			if !open && window.open() {
				timer.Reset(w.h.options.Debounce)
			}
		case <-timer.C:
			for _, c := range window.end() {
				w.forget(c)
			}
			if window.open() {
				timer.Reset(w.h.options.Debounce)
			}
		case err := <-notify.Errors:
			notify = w.recover(notify, err)
		case <-w.quit:
			timer.Stop()
			_ = notify.Close() // there is nothing that it could lose
			return
		}
	}
}

func (w *watcher) forget(c change) {
	if c.tree {
		w.h.forgetTree(context.Background(), c.name)
	} else {
		w.h.forgetChanged(context.Background(), c.name)
	}
}

// change says what an event means. Folders that come are watched, those that go are not any more.
func (w *watcher) change(e fsnotify.Event) (c change, ok bool) {
	if w.other(e.Name) {
		return change{"", true}, true
	}
	name, ok := w.relative(e.Name)
	if !ok || e.Op == 0 {
		return change{}, false
	}
	gone := e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)
	if name == "." {
		if gone {
			w.disable("the folder is not where it was: its files are looked at instead of watched", nil)
		}
		return change{"", true}, !e.Has(fsnotify.Write)
	}
	if w.h.ignored(name) {
		return change{}, false
	}
	if gone {
		return change{name, w.drop(name)}, true
	}
	if e.Has(fsnotify.Create) {
		info, err := os.Lstat(e.Name)
		if err == nil && info.IsDir() {
			w.add(name)
		}
		return change{name, err != nil || !info.Mode().IsRegular()}, true
	}
	known := w.covers(name + "/.")
	return change{name, known}, !known || !e.Has(fsnotify.Write) // a folder that is written to has other events, too
}

// relative returns the path of a file within the root, with slashes.
func (w *watcher) relative(absolute string) (string, bool) {
	name, err := filepath.Rel(w.h.folder, absolute)
	name = filepath.ToSlash(name)
	return name, err == nil && name != ".." && !strings.HasPrefix(name, "../")
}

func (w *watcher) other(absolute string) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	_, ok := w.others[absolute]
	return ok
}

// covers reports whether the folder of a file is watched: one that is reached through a link is not.
func (w *watcher) covers(name string) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	_, ok := w.folders[path.Dir(name)]
	return ok
}

func (w *watcher) count() int64 {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return int64(len(w.folders))
}

// add watches a folder and those below it. A folder is watched before it is read, so that what comes meanwhile is told or
// read; what was cached of it before must be dropped afterwards.
func (w *watcher) add(name string) {
	start := filepath.Join(w.h.folder, filepath.FromSlash(name))
	err := filepath.WalkDir(start, func(absolute string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return nil // gone again, or nothing that could be served
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		}
		name, _ := w.relative(absolute) // below the root
		if name != "." && (w.h.ignored(name) || !w.h.options.DotFiles && hidden(name+"/")) {
			return fs.SkipDir
		}
		return w.addFolder(absolute, name)
	})
	if err != nil {
		w.disable("not every folder can be watched: files are looked at instead", err)
	}
}

func (w *watcher) addFolder(absolute, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch err := w.notify.Add(absolute); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return fs.SkipDir
	case err != nil:
		return err
	}
	w.folders[name] = struct{}{}
	return nil
}

// drop watches a folder that has gone no more, nor those below it: it may be elsewhere now, and would be taken for itself
// when it comes back. It reports whether it was watched.
func (w *watcher) drop(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.folders[name]; !ok {
		return false
	}
	for folder := range w.folders {
		if folder == name || strings.HasPrefix(folder, name+"/") {
			delete(w.folders, folder)
			_ = w.notify.Remove(filepath.Join(w.h.folder, filepath.FromSlash(folder))) // the system may have done so
		}
	}
	return true
}

// recover goes on after an error. After an overflow, nobody knows what has changed: everything is dropped, and all folders
// are watched anew.
func (w *watcher) recover(old *fsnotify.Watcher, cause error) *fsnotify.Watcher {
	if !errors.Is(cause, fsnotify.ErrEventOverflow) {
		w.disable("watching files failed: they are looked at instead", cause)
		return old
	}
	w.h.stats.overflows.Add(1)
	w.warn("too many files have changed at a time: everything is dropped", cause)
	if notify, err := fsnotify.NewWatcher(); err != nil {
		w.disable("files can't be watched any more: they are looked at instead", err)
	} else {
		w.replace(notify)
		_ = old.Close() // nobody hears it
		old = notify
	}
	w.h.forgetTree(context.Background(), "")
	return old
}

// replace watches all folders with another fsnotify.Watcher.
func (w *watcher) replace(notify *fsnotify.Watcher) {
	w.mu.Lock()
	w.notify = notify
	clear(w.folders)
	var err error
	for other := range w.others {
		err = errors.Join(err, notify.Add(filepath.Dir(other)))
	}
	w.mu.Unlock()
	if err != nil {
		w.disable("not every folder can be watched: files are looked at instead", err)
	}
	w.add(".")
}

// disable has files looked at from now on.
func (w *watcher) disable(message string, cause error) {
	if w.able.Swap(false) {
		w.warn(message, cause)
	}
}

func (w *watcher) warn(message string, cause error) {
	w.h.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, message, slog.String("folder", w.h.folder), slog.Any("error", cause))
}
