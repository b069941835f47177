package sqlite

import (
	"context"
	"errors"
	"fmt"

	engine "modernc.org/sqlite"

	"github.com/edgecache/edgecache/core"
)

// SQLite's primary result codes that are told apart (https://www.sqlite.org/rescode.html).
const (
	codeBusy     = 5
	codeLocked   = 6
	codeReadOnly = 8
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeTooBig   = 18
	codeNotADB   = 26
)

// codeOf returns the primary result code of an error of the engine, 0 of any other.
func codeOf(err error) int {
	if e, ok := errors.AsType[*engine.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// isCorrupt reports whether the engine can't make sense of the file.
func isCorrupt(err error) bool {
	code := codeOf(err)
	return code == codeCorrupt || code == codeNotADB || errors.Is(err, errSchema)
}

// fault is a failure that the core has a name for: the error that callers branch on, the file, and the cause.
type fault struct {
	is    error
	path  string
	cause error
}

func (f *fault) Error() string {
	return fmt.Sprintf("sqlite: %s: %v: %s%v", f.path, f.is, advice(f.cause), f.cause)
}

// Unwrap makes errors.Is find the kind and the cause.
func (f *fault) Unwrap() []error { return []error{f.is, f.cause} }

// advice says in plain words what happened and what helps.
func advice(err error) string {
	switch codeOf(err) {
	case codeFull:
		return "the disk is full, free some space or lower MaxBytes: "
	case codeBusy, codeLocked:
		return "another process holds the database, end its transaction: "
	case codeReadOnly:
		return "the file or its directory is read-only, make both writable: "
	case codeCantOpen:
		return "the file can't be opened, its directory must be there and writable: "
	default:
		return ""
	}
}

// fail turns an error of the engine into one of the core's. The core's own and those of contexts stay as they are.
func (b *Backend) fail(err error) error {
	switch _, known := errors.AsType[*fault](err); {
	case err == nil, known,
		errors.Is(err, core.ErrNotFound), errors.Is(err, core.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case codeOf(err) == codeTooBig:
		return &fault{core.ErrTooLarge, b.opts.Path, err}
	default:
		return &fault{core.ErrUnavailable, b.opts.Path, err}
	}
}
