package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/internal/encode"
	"github.com/edgecache/edgecache/rfc9110"
)

// stamp tells the states of a file apart, as far as the file system does. The zero value is no file.
type stamp struct {
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime"` // unix nanoseconds
	Inode uint64 `json:"inode,omitempty"`
}

func stampOf(info fs.FileInfo) stamp {
	inode, _ := inodeOf(info)
	return stamp{info.Size(), info.ModTime().UnixNano(), inode}
}

// state is what is known of a file without its bytes. The cache has it beside an entry at the file's name; it is of this
// process alone. It is immutable but for looked.
type state struct {
	name        string
	info        stamp
	sidecars    [rfc9110.Codings]stamp // of the precompressed files beside it that are in use
	contentType string
	has         [rfc9110.Codings]bool // codings that bodies can be had in, though they may turn out not to be worth it
	vary        bool
	ignored     bool                    // neither it nor its bodies are kept
	watched     bool                    // every change of it is noticed
	keys        [rfc9110.Codings]string // of the bodies
	looked      atomic.Int64            // when the disk was last looked at, in unix nanoseconds
}

// same reports whether the files are in the same state.
func (s *state) same(o *state) bool {
	return s.info == o.info && s.sidecars == o.sidecars && s.watched == o.watched
}

// origin is what the body in a coding comes from.
func (s *state) origin(c rfc9110.Coding) origin { return origin{s.info, s.sidecars[c]} }

// suffixes are what the names of precompressed files end in, "" for none.
var suffixes = [rfc9110.Codings]string{rfc9110.Brotli: ".br", rfc9110.Zstd: ".zst", rfc9110.Gzip: ".gz"}

// key returns the key of a file's body. No name holds "//", and everything of a file and what is below it begins with its
// name and a slash.
func key(name string, c rfc9110.Coding) string { return name + "//" + c.String() }

// state returns the state of a file, from the cache as long as that is good.
func (h *Handler) state(ctx context.Context, name string) (*state, error) {
	e, err := h.cache.GetEntry(ctx, name)
	if err != nil {
		return h.discover(ctx, name)
	}
	s, ok := e.Decoded().(*state)
	if !ok {
		return h.discover(ctx, name) // left by another process, or changed on its way
	}
	if s.watched && h.watching() {
		return s, nil
	}
	now := time.Now().UnixNano()
	if now-s.looked.Load() < int64(h.options.Recheck) {
		return s, nil
	}
	h.stats.rechecks.Add(1)
	if fresh, err := h.look(name); err == nil && fresh.same(s) {
		s.looked.Store(now)
		return s, nil
	}
	h.forget(ctx, name)
	return h.discover(ctx, name)
}

// discover looks at a file and keeps what it finds, unless that is to be ignored.
func (h *Handler) discover(ctx context.Context, name string) (*state, error) {
	mark := h.marks.of(name)
	s, err := h.look(name)
	if err != nil {
		return nil, err
	}
	if s.ignored = h.ignored(name); !s.ignored {
		h.keep(ctx, name, mark, name, []byte(s.contentType), s)
	}
	return s, nil
}

// keep stores what was made of a file at key, unless the file may have changed since mark. That the cache fails is no
// failure here.
func (h *Handler) keep(ctx context.Context, name string, mark uint64, key string, value []byte, decoded any) {
	if h.marks.of(name) != mark {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if err := h.cache.Set(ctx, key, value, core.EntryOptions{TTL: h.options.TTL, Decoded: decoded}); err != nil {
		h.stats.unkept.Add(1)
		return
	}
	if h.marks.of(name) != mark { // what forgot the file may have come before the entry
		_, _ = h.cache.Delete(ctx, key)
	}
}

// look finds out about a file on the disk.
func (h *Handler) look(name string) (*state, error) {
	s := &state{name: name}
	s.looked.Store(time.Now().UnixNano())
	var err error
	if s.info, s.watched, err = h.stat(name); err != nil {
		return nil, err
	}
	s.watched = s.watched && h.watcher != nil && h.watcher.covers(name)
	if s.contentType = h.typeByName(name); s.contentType == "" {
		if s.contentType, err = h.sniff(name); err != nil {
			return nil, err
		}
	}
	worth := encode.Compressible(s.contentType) && s.info.Size >= h.options.MinCompressBytes && s.info.Size <= h.options.MaxFileBytes
	for c := range rfc9110.Codings {
		s.keys[c] = key(name, c)
		if c == rfc9110.Identity || !h.offered[c] {
			continue
		}
		watched := true
		if suffixes[c] != "" {
			s.sidecars[c], watched = h.sidecar(name+suffixes[c], s.info)
			if s.info.Size <= h.options.MaxFileBytes && s.sidecars[c].Size > h.options.MaxFileBytes {
				s.sidecars[c] = stamp{}
			}
		}
		s.watched = s.watched && watched
		s.has[c] = worth || s.sidecars[c] != stamp{}
		s.vary = s.vary || s.has[c]
	}
	s.has[rfc9110.Identity] = true
	return s, nil
}

// stat returns the stamp of a regular file, and whether it has one name alone, where a watcher sees what happens to it.
func (h *Handler) stat(name string) (s stamp, plain bool, err error) {
	info, err := h.root.Lstat(name)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		info, err = h.root.Stat(name)
	} else if err == nil {
		_, links := inodeOf(info)
		plain = links <= 1
	}
	switch {
	case err != nil:
		return stamp{}, false, err
	case info.IsDir():
		return stamp{}, false, errFolder
	case !info.Mode().IsRegular():
		return stamp{}, false, fs.ErrNotExist
	}
	return stampOf(info), plain, nil
}

// sidecar returns the stamp of a precompressed file if it is at least as new as the file itself.
func (h *Handler) sidecar(name string, of stamp) (s stamp, watched bool) {
	s, plain, err := h.stat(name)
	switch {
	case err != nil:
		return stamp{}, absent(err)
	case s.MTime < of.MTime || s.Size == 0 || h.ignored(name):
		return stamp{}, plain
	}
	return s, plain
}

// sniff guesses the media type by the first bytes.
func (h *Handler) sniff(name string) (string, error) {
	f, err := h.openFile(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	var first [512]byte
	n, err := io.ReadFull(f, first[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	return http.DetectContentType(first[:n]), nil
}

// absent reports whether the error says that there is no such file here: none at all, one outside of the folder, or a name
// that no file can have.
func absent(err error) bool {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, errFolder) {
		return true
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number == syscall.ENOTDIR || number == syscall.ENAMETOOLONG || number == syscall.ELOOP || number == syscall.EINVAL
	}
	_, isPath := errors.AsType[*fs.PathError](err)
	return isPath && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrClosed) // os.Root's own: the path escapes
}
