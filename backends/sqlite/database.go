package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/edgecache/edgecache/core"
)

// The file's identity (https://www.sqlite.org/fileformat2.html#application_id) and the version of its schema.
const (
	applicationID = 0x45644361 // "EdCa"
	schemaVersion = 1
)

// schema makes an empty file ours. Rows have numbers, in the order in which they came, and a tree of keys beside: with the
// key as the table's own order, rows of more than a quarter of a page each take an overflow page (docs/RATIONALE.md).
func schema() []string {
	return []string{
		`CREATE TABLE entries(
	id      INTEGER PRIMARY KEY, -- ascending: what is evicted first is in front
	key     BLOB NOT NULL UNIQUE,
	expires INTEGER NOT NULL,    -- unix nanoseconds, 0 is never, for the janitor: readers believe the envelope
	data    BLOB NOT NULL        -- the envelope of package codec
)`,
		"CREATE INDEX entries_expires ON entries(expires) WHERE expires > 0",
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", schemaVersion),
	}
}

// Why a file is refused, which is then left as it is; but errSchema is damage.
var (
	errForeign = errors.New("the file is another program's, name another one")
	errSchema  = errors.New("the tables of the file are not as they were made")
	errNewer   = errors.New("the file is of a newer version of edgecache, use that one or name another file")
)

// database is an open file: one connection that writes and some that read.
type database struct {
	path    string
	info    os.FileInfo // of the file that is open; nil in memory
	writing chan struct{}
	writer  *conn      // who has the token in writing
	readers chan *conn // nil in memory, where the writer reads

	entries int64 // how many there were when it was opened
	version int64 // PRAGMA data_version then
}

// openDatabase opens the file, which it makes where there is none. One that is damaged it puts aside first.
func openDatabase(o *Options) (*database, error) {
	if o.Path == Memory {
		return openFile(o)
	}
	if err := prepareFile(o.Path); err != nil {
		return nil, err
	}
	db, err := openFile(o)
	if isDamaged(o.Path, err) {
		if err := setAside(o, err); err != nil {
			return nil, err
		}
		if err := prepareFile(o.Path); err != nil {
			return nil, err
		}
		db, err = openFile(o)
	}
	if codeOf(err) == codeNotADB {
		return nil, errForeign
	}
	return db, err
}

// prepareFile makes an empty file, which nobody else may read, and its directory where there are none.
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// openFile opens the connections. It counts the entries, for which SQLite reads all keys.
func openFile(o *Options) (_ *database, err error) {
	db := &database{path: o.Path, writing: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			_ = db.close()
		}
	}()
	if db.writer, err = dial(o.Path); err != nil {
		return nil, err
	}
	if err := db.writer.setUp(o); err != nil {
		return nil, err
	}
	if db.entries, err = db.writer.number("SELECT count(*) FROM entries"); err != nil {
		return nil, err
	}
	if db.version, err = db.writer.number("PRAGMA data_version"); err != nil {
		return nil, err
	}
	if o.Path == Memory {
		return db, nil
	}
	if db.info, err = os.Stat(o.Path); err != nil {
		return nil, err
	}
	return db, db.dialReaders(o)
}

func (db *database) dialReaders(o *Options) error {
	n := min(max(runtime.GOMAXPROCS(0), 2), maxReaders)
	db.readers = make(chan *conn, n)
	for range n {
		c, err := dial(o.Path)
		if err != nil {
			return err
		}
		db.readers <- c
		if err := c.configure(o); err != nil {
			return err
		}
		if _, err := c.exec("PRAGMA query_only = ON"); err != nil {
			return err
		}
	}
	return nil
}

// configure sets what holds for one connection.
func (c *conn) configure(o *Options) error {
	logPages := min(max(o.MaxBytes/pageSize/8, minLogPages), maxLogPages)
	for _, pragma := range []string{
		fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeout.Milliseconds()),
		"PRAGMA trusted_schema = OFF",
		"PRAGMA cell_size_check = ON",
		"PRAGMA synchronous = " + o.Sync.String(),
		fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", logPages),
		fmt.Sprintf("PRAGMA journal_size_limit = %d", 2*logPages*pageSize),
	} {
		if err := c.each(1, func() error { return nil }, pragma); err != nil {
			return err
		}
	}
	return nil
}

// setUp makes the file ours, or finds that it is not.
func (c *conn) setUp(o *Options) error {
	if err := c.configure(o); err != nil {
		return err
	}
	if _, err := c.isNew(); err != nil {
		return err
	}
	if _, err := c.first(1, "PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	if mode := c.row[0]; o.Path != Memory && mode != "wal" {
		return fmt.Errorf("%w: the journal's mode is %v, not wal: use a local file system", core.ErrUnsupported, mode)
	}
	return c.transact(func() error { // nobody else makes it meanwhile; and the file can be written
		queries := schema()
		switch fresh, err := c.isNew(); {
		case err != nil:
			return err
		case !fresh:
			queries = queries[len(queries)-1:]
		}
		for _, query := range queries {
			if _, err := c.exec(query); err != nil {
				return err
			}
		}
		return nil
	})
}

// isNew reports whether the file is empty. It refuses one that is not ours.
func (c *conn) isNew() (bool, error) {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return false, err
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return false, err
	}
	things, err := c.number("SELECT count(*) FROM sqlite_schema")
	switch {
	case err != nil:
		return false, err
	case id == 0 && version == 0 && things == 0:
		return true, nil
	case id != applicationID:
		return false, errForeign
	case version != schemaVersion:
		return false, errNewer
	}
	return false, c.checkSchema()
}

// checkSchema compares the tables with those that were made: every statement rests on them.
func (c *conn) checkSchema() error {
	var found []string
	if err := c.each(1, func() error {
		sql, _ := c.row[0].(string)
		found = append(found, sql)
		return nil
	}, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"); err != nil {
		return err
	}
	if want := schema()[:2]; !slices.Equal(found, want) {
		return fmt.Errorf("%w: %.200q", errSchema, found)
	}
	return nil
}

// reader takes a connection that reads. release must follow.
func (db *database) reader(ctx context.Context) (*conn, error) {
	if db.readers == nil {
		return db.writer, db.lock(ctx)
	}
	select {
	case c := <-db.readers:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (db *database) release(c *conn) {
	if db.readers == nil {
		<-db.writing
		return
	}
	db.readers <- c
}

// lock takes the writer. <-db.writing gives it back.
func (db *database) lock(ctx context.Context) error {
	select {
	case db.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// moved reports whether the path names another file by now, or none.
func (db *database) moved() bool {
	if db.info == nil {
		return false
	}
	now, err := os.Stat(db.path)
	return err != nil || !os.SameFile(db.info, now)
}

// close closes the connections, the writer last: it moves what is in the log into the file. Nobody must use them.
func (db *database) close() error {
	for len(db.readers) > 0 {
		_ = (<-db.readers).Close() // nothing was written there
	}
	if db.writer == nil {
		return nil
	}
	return db.writer.Close()
}

// isDamaged reports whether opening failed because the file is one of ours and damaged: no other is renamed. It must not be
// called while the engine has the file open: closing it gives up the process's locks.
func isDamaged(path string, err error) bool {
	const (
		magic         = "SQLite format 3\x00"
		writeVersion  = 18 // above 2 the engine takes the file for read-only
		applicationAt = 68
	)
	readOnly := codeOf(err) == codeReadOnly
	if !isCorrupt(err) && !readOnly {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // read only
	header := make([]byte, 100)
	n, _ := io.ReadFull(f, header)
	header = header[:n]
	switch {
	case n < cap(header):
		return n > 0 && strings.HasPrefix(string(header), magic[:min(n, len(magic))])
	case readOnly && header[writeVersion] <= 2:
		return false
	}
	return binary.BigEndian.Uint32(header[applicationAt:]) == applicationID || strings.Trim(string(header), "\x00") == ""
}

// setAside renames a damaged file, its log first: a log must never meet a file that it is not of.
func setAside(o *Options, cause error) error {
	aside := o.Path + ".corrupt-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(o.Path+"-wal", aside+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Remove(o.Path + "-shm"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(o.Path, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	o.Logger.Error("sqlite: the database is damaged: it was put aside, the cache starts empty",
		slog.String("path", o.Path), slog.String("aside", aside), slog.Any("error", cause))
	return nil
}
