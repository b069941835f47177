package file

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
)

// The file of the index is a journal, format 1: the magic "ecindex1", then records, little-endian:
//
//	offset  bytes
//	     0      4  CRC-32C of what follows
//	     4      1  kind
//	     5      4  length of the key
//	     9      8  length of the file
//	    17      8  expires
//	    25         the key
//
// It begins with a put for each file, the one used longest ago first, as they were when it was written anew. Each change
// appends a record before the change where it puts a file, and after it where it removes one: what is there is in the
// journal, and what is in the journal but not there is found missing when somebody asks. So it holds whenever the process
// ends, even by a kill. When the machine breaks down the last records may be lost; therefore a journal that was not closed
// counts only for the boot in which it was opened, and else the folders are scanned.
const (
	indexMagic = "ecindex1"
	recordSize = 25
)

// kind says what a record means.
type kind uint8

const (
	put    kind = iota + 1 // the key has a file, of that length and expiry
	remove                 // it has none any more
	opened                 // a process opened the cache: the key is the boot
	closed                 // it closed the cache, and the journal is complete
)

// record is one of a journal.
type record struct {
	kind    kind
	key     string
	size    int64
	expires int64
}

func putOf(it *item) record { return record{put, it.key, it.size, it.expires} }

func appendRecord(dst []byte, r record) []byte {
	n := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(r.kind))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(r.key)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.size))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.expires))
	dst = append(dst, r.key...)
	binary.LittleEndian.PutUint32(dst[n:], crc32.Checksum(dst[n+4:], castagnoli))
	return dst
}

// replay calls fn for each record of a journal. It returns core.ErrDecode, and where, if not all of it can be read; what
// came before was read well.
func replay(data []byte, fn func(record)) error {
	if len(data) < len(indexMagic) || string(data[:len(indexMagic)]) != indexMagic {
		return damaged("no index")
	}
	for at := len(indexMagic); at < len(data); {
		r, size := parseRecord(data[at:])
		if size == 0 {
			return damaged("index at byte %d of %d", at, len(data))
		}
		fn(r)
		at += size
	}
	return nil
}

// parseRecord reads the record that data begins with. size is 0 if there is none that is whole.
func parseRecord(data []byte) (r record, size int) {
	if len(data) < recordSize {
		return r, 0
	}
	key := uint64(binary.LittleEndian.Uint32(data[5:]))
	if uint64(len(data)) < recordSize+key {
		return r, 0
	}
	size = recordSize + int(key)
	if crc32.Checksum(data[4:size], castagnoli) != binary.LittleEndian.Uint32(data) {
		return r, 0
	}
	r = record{
		kind: kind(data[4]), key: string(data[recordSize:size]),
		size: int64(binary.LittleEndian.Uint64(data[9:])), expires: int64(binary.LittleEndian.Uint64(data[17:])),
	}
	if r.kind < put || r.kind > closed || r.size < 0 {
		return r, 0
	}
	return r, size
}

// journal is the file of the index, open. It is safe for concurrent use.
type journal struct {
	folder *folder

	rewriting sync.Mutex // of who rewrites; taken before mu

	mu      sync.Mutex
	file    *os.File // nil while there is none
	size    int64    // where the next record goes
	records int64
	lost    bool // a record could not be written
	failed  bool // it could not be rewritten
	both    bool // it is being rewritten: since has the records that were appended after the first before
	since   []byte
	before  int64
	buf     []byte
}

// errNoJournal is why nothing can be stored after the journal could not be written when the cache was opened.
var errNoJournal = errors.New("there is no index")

// resume opens the journal, which holds so many bytes and records, to append to it.
func (j *journal) resume(size, records int64) error {
	file, err := j.folder.open(filepath.Join(j.folder.root, indexName), 0)
	if err != nil {
		return err
	}
	first := appendRecord(nil, record{kind: opened, key: boot()})
	if _, err = file.WriteAt(first, size); err == nil {
		err = file.Sync()
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	j.file, j.size, j.records = file, size+int64(len(first)), records+1
	return nil
}

// append appends a record. Nothing of it counts if that fails.
func (j *journal) append(r record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = appendRecord(j.buf[:0], r)
	if j.file == nil {
		return errNoJournal
	}
	if _, err := j.file.WriteAt(j.buf, j.size); err != nil {
		j.lost = true
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(len(j.buf))
	j.records++
	if j.both {
		j.since = append(j.since, j.buf...)
	}
	return nil
}

// long reports whether the journal says so much more than there is that it should be rewritten at once.
func (j *journal) long(entries int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.failed && j.records > 2*entries+minRecords
}

// incomplete reports whether the journal should be rewritten when there is time: it is long, or it lacks something.
func (j *journal) incomplete(entries int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file == nil || j.lost || j.records > 2*entries+minRecords
}

// minRecords is how many records a journal may have before it is rewritten.
const minRecords = 4096

// rewrite replaces the journal by one that says what is there, and waits until it is on the disk. Appending goes on
// meanwhile: items is called after a moment from which on all that is appended is kept, and once it returns must know
// what was appended before. complete says that the cache is being closed.
func (j *journal) rewrite(items func() []*item, complete bool) error {
	j.rewriting.Lock()
	defer j.rewriting.Unlock()
	j.begin()
	err := j.renew(items, complete)
	j.end(err)
	if err != nil {
		return err
	}
	return j.folder.settle(j.folder.root)
}

// begin has what is appended kept from here on.
func (j *journal) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.both, j.since, j.before = true, nil, j.records
}

// end ends what begin began.
func (j *journal) end(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.both, j.since, j.failed = false, nil, err != nil
}

func (j *journal) renew(items func() []*item, complete bool) error {
	file, err := j.folder.create()
	if err != nil {
		return err
	}
	size, records, err := writeItems(file, items())
	if err == nil {
		err = j.replace(file, size, records, complete)
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return nil
}

// writeItems writes a new journal for the items and returns its length and records.
func writeItems(file *os.File, items []*item) (size, records int64, err error) {
	buf := append(make([]byte, 0, 1<<16), indexMagic...)
	flush := func() {
		if err == nil {
			_, err = file.Write(buf)
		}
		size += int64(len(buf))
		buf = buf[:0]
	}
	buf = appendRecord(buf, record{kind: opened, key: boot()})
	for _, it := range items {
		if buf = appendRecord(buf, putOf(it)); len(buf) > 1<<15 {
			flush()
		}
	}
	flush()
	if err == nil {
		err = file.Sync()
	}
	return size, int64(len(items)) + 1, err
}

// replace puts a new journal into the place of the old one, with what was appended to that meanwhile.
func (j *journal) replace(file *os.File, size, records int64, complete bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	tail := j.since
	if complete {
		tail = appendRecord(tail, record{kind: closed})
	}
	_, err := file.WriteAt(tail, size)
	if err == nil && complete {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(j.folder.root, indexName))
	}
	if err != nil {
		return err
	}
	if j.file != nil {
		_ = j.file.Close() // it has no name any more
	}
	j.file, j.size, j.records, j.lost = file, size+int64(len(tail)), records+j.records-j.before, false
	return nil
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

// boot names the time since the machine was started last, "" where that is not known.
func boot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(id)
}
