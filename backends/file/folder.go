package file

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/edgecache/edgecache/core"
)

// name is the hash of a key, which names its file.
type name [sha256.Size]byte

func hashName(key string) name { return sha256.Sum256([]byte(key)) }

// The folder of a cache.
const (
	indexName   = "index"         // see journal
	damagedName = "index.damaged" // the last index that could not be read
	lockName    = "lock"          // locked by the process at work, whose number it holds
	tempName    = "tmp"           // files before they have their names; emptied when a cache opens
	restDigits  = 2*sha256.Size - 3
)

// folder is the files of a cache. The file of a key is a/bc/d..., of the hexadecimal digits of its name: 4096 folders at
// most, made as they are needed. Its methods are safe for concurrent use; who writes one name at a time is the caller's
// affair.
type folder struct {
	root    string
	mode    fs.FileMode // of files
	dirMode fs.FileMode // of folders
	sync    bool        // wait for the disk
	temps   atomic.Uint64
}

func newFolder(o *Options) *folder {
	return &folder{root: o.Dir, mode: o.Mode, dirMode: o.Mode | o.Mode>>2&0o111 | 0o700, sync: o.Sync}
}

// path returns where the file of a name is.
func (f *folder) path(n name) string {
	var digits [2 * sha256.Size]byte
	hex.Encode(digits[:], n[:])
	b := make([]byte, 0, len(f.root)+len(digits)+3)
	b = append(append(b, f.root...), filepath.Separator, digits[0], filepath.Separator, digits[1], digits[2], filepath.Separator)
	return string(append(b, digits[3:]...))
}

// read returns the entry of a file that is size bytes long, or will be found to be longer or shorter. The error is
// fs.ErrNotExist, core.ErrDecode, or the system's.
func (f *folder) read(n name, key string, size int64) (*core.Entry, error) {
	file, err := os.Open(f.path(n))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	data := make([]byte, size+1)        // one more shows the end
	got, err := io.ReadFull(file, data)
	switch {
	case err == nil: // the file has grown
		if data, err = readWhole(file); err != nil {
			return nil, err
		}
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		return nil, err
	default:
		data = data[:got]
	}
	return decode(key, data)
}

// readWhole reads a file from its beginning, unless it is too long for an entry.
func readWhole(file *os.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	begin := make([]byte, headSize)
	if _, err := file.ReadAt(begin, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	key, err := keyLength(begin)
	if err != nil {
		return nil, err
	}
	if info.Size() > headSize+key+maxValue {
		return nil, damaged("%d bytes", info.Size())
	}
	data := make([]byte, info.Size())
	if _, err := file.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data, nil
}

// stage writes a file without a name yet, and returns where it is. After an error nothing is left of it.
func (f *folder) stage(parts ...[]byte) (string, error) {
	file, err := f.create()
	if err != nil {
		return "", err
	}
	for _, p := range parts {
		if _, err = file.Write(p); err != nil {
			break
		}
	}
	if err == nil && f.sync {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// create opens a new temporary file for writing.
func (f *folder) create() (*os.File, error) {
	path := filepath.Join(f.root, tempName, strconv.FormatUint(f.temps.Add(1), 36))
	file, err := f.open(path, os.O_CREATE|os.O_EXCL)
	if errors.Is(err, fs.ErrNotExist) && f.makeFolders(f.root, filepath.Dir(path)) == nil {
		file, err = f.open(path, os.O_CREATE|os.O_EXCL)
	}
	return file, err
}

// open opens a file for writing, with the mode whatever the process's mask is if flag makes it.
func (f *folder) open(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|flag, f.mode)
	if err != nil {
		return nil, err
	}
	if flag&os.O_CREATE != 0 && f.mode != 0o600 {
		if err := file.Chmod(f.mode); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return file, nil
}

// move gives a staged file its name, in the place of what had it, or removes it.
func (f *folder) move(staged string, n name) error {
	path := f.path(n)
	err := os.Rename(staged, path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = f.makeFolders(f.root, filepath.Dir(filepath.Dir(path)), filepath.Dir(path)); err == nil {
			err = os.Rename(staged, path)
		}
	}
	if err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	return f.settle(filepath.Dir(path))
}

// makeFolders makes folders, each in the one before, unless they are there.
func (f *folder) makeFolders(paths ...string) error {
	for _, path := range paths {
		err := os.Mkdir(path, f.dirMode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil && f.dirMode != 0o700 {
			err = os.Chmod(path, f.dirMode)
		}
		if err == nil {
			err = f.settle(filepath.Dir(path))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the names in a folder are on the disk, where that is wanted.
func (f *folder) settle(path string) error {
	if !f.sync {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// remove removes the file of a name. It need not be there.
func (f *folder) remove(n name) error {
	if err := os.Remove(f.path(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// found is a file that scan found.
type found struct {
	name    name
	key     string
	size    int64
	expires int64
	written int64 // unix nanoseconds, by the file system's clock
}

// scan calls fn for each file that is named like one of an entry, with what its head says or with an error: core.ErrDecode
// where it is none. Whatever else lies in the folders is not looked at.
func (f *folder) scan(fn func(found, error)) error {
	return f.each(f.root, 1, func(first string) error {
		return f.each(filepath.Join(f.root, first), 2, func(second string) error {
			files, err := readNames(filepath.Join(f.root, first, second), restDigits, fs.FileMode.IsRegular)
			for _, rest := range files {
				var n name
				if _, err := hex.Decode(n[:], []byte(first+second+rest)); err == nil {
					fn(f.look(n))
				}
			}
			return err
		})
	})
}

// each calls fn for each folder in path whose name has so many hexadecimal digits.
func (f *folder) each(path string, digits int, fn func(name string) error) error {
	names, err := readNames(path, digits, fs.FileMode.IsDir)
	for _, n := range names {
		err = errors.Join(err, fn(n))
	}
	return err
}

// readNames returns the names in a folder that are so many hexadecimal digits and of that kind.
func readNames(path string, digits int, kind func(fs.FileMode) bool) ([]string, error) {
	entries, err := os.ReadDir(path)
	var names []string
	for _, e := range entries {
		if len(e.Name()) == digits && isHex(e.Name()) && kind(e.Type()) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// look reads the head of a file.
func (f *folder) look(n name) (found, error) {
	got := found{name: n}
	file, err := os.Open(f.path(n))
	if err != nil {
		return got, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	info, err := file.Stat()
	if err != nil {
		return got, err
	}
	h, err := readHead(file, info.Size())
	if err != nil {
		return got, err
	}
	if h.size() != info.Size() {
		return got, damaged("%d bytes, not %d", info.Size(), h.size())
	}
	got.key, got.size, got.expires, got.written = string(h.key), info.Size(), h.expires, info.ModTime().UnixNano()
	return got, nil
}

// readHead reads the head of a file that is size bytes long.
func readHead(file io.ReaderAt, size int64) (head, error) {
	data := make([]byte, min(size, headSize+256))
	if _, err := file.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return head{}, err
	}
	n, err := keyLength(data)
	if err != nil {
		return head{}, err
	}
	if whole := headSize + n; whole > int64(len(data)) && whole <= size {
		data = append(data, bytes.Repeat([]byte{0}, int(whole)-len(data))...)
		if _, err := file.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
			return head{}, err
		}
	}
	return parseHead(data)
}
