package file

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"github.com/edgecache/edgecache/core"
)

// OpenValue opens the file of a key for whoever sends it on. The checksum of the value is compared before the first time
// that the file is handed out by this Backend, for which it is read whole; the head's is compared each time. A file that is
// removed or replaced afterwards can be read to its end.
func (b *Backend) OpenValue(ctx context.Context, key string) (*core.ValueFile, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	n := b.hash(key)
	it := b.index.get(n, key, now(), true)
	if it == nil {
		return nil, core.ErrNotFound
	}
	f, err := b.folder.openValue(n, key, it)
	switch {
	case err == nil && f.Entry.Expires != 0 && f.Entry.Expires <= now():
		_ = f.File.Close() // nothing was written
		return nil, core.ErrNotFound
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, core.ErrDecode):
		return nil, b.lost(n, key)
	case err != nil:
		return nil, unavailable(err)
	}
	return f, nil
}

// lost sees to a file that is not what the index says, as a read of it does, and returns what OpenValue returns.
func (b *Backend) lost(n name, key string) error {
	mu := b.stripe(n)
	mu.Lock()
	defer mu.Unlock()
	if _, err := b.current(n, key); err != nil {
		return err
	}
	return core.ErrNotFound // somebody has just written it, or it is gone
}

// openValue opens the file of a name, and proves it.
func (f *folder) openValue(n name, key string, it *item) (*core.ValueFile, error) {
	file, err := os.Open(f.path(n))
	if err != nil {
		return nil, err
	}
	v, err := provenValue(file, key, it)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return v, nil
}

// provenValue reads the head of a file, and unless the item knows that it was done for this very head, compares the value's
// checksum.
func provenValue(file *os.File, key string, it *item) (*core.ValueFile, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	begin := make([]byte, headSize+len(key))
	if _, err := file.ReadAt(begin, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	h, err := parseHead(begin)
	switch {
	case err != nil:
		return nil, err
	case string(h.key) != key:
		return nil, damaged("file of another key")
	case h.size() != info.Size():
		return nil, damaged("%d bytes, not %d", info.Size(), h.size())
	}
	v := &core.ValueFile{File: file, Offset: int64(len(begin)), Size: h.value, Entry: entryOf(begin)}
	sum := binary.LittleEndian.Uint32(begin[offHeadSum:])
	if it.proven.Load() == sum && sum != 0 {
		return v, nil
	}
	if err := prove(v, binary.LittleEndian.Uint32(begin[offSum:])); err != nil {
		return nil, err
	}
	it.proven.Store(sum)
	return v, nil
}

// prove reads the value of a file and compares its checksum.
func prove(v *core.ValueFile, want uint32) error {
	sum := crc32.New(castagnoli)
	got, err := io.Copy(sum, io.NewSectionReader(v.File, v.Offset, v.Size))
	switch {
	case err != nil:
		return err
	case got != v.Size:
		return damaged("value of %d bytes, not %d", got, v.Size)
	case sum.Sum32() != want:
		return damaged("wrong checksum of the value")
	}
	return nil
}

// entryOf returns what a proven head says of its entry.
func entryOf(head []byte) *core.Entry {
	return &core.Entry{
		Expires: int64(binary.LittleEndian.Uint64(head[offExpires:])),
		Version: binary.LittleEndian.Uint64(head[offVersion:]),
		Flags:   binary.LittleEndian.Uint32(head[offFlags:]),
		Codec:   head[offCodec],
	}
}
