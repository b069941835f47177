package trace

import (
	"errors"
	"fmt"
)

// BadRecordError says where a trace is not what it should be.
type BadRecordError struct {
	// File is the trace.
	File string
	// Line counts from 1. It is 0 for binary formats.
	Line int
	// Offset is where the record begins, in bytes after decompression.
	Offset int64
	// Want is what was expected, Got what was found.
	Want, Got string
}

// Error names the file, the line or else the byte, and what was expected there.
func (e *BadRecordError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: expected %s, found %s", e.File, e.Line, e.Want, e.Got)
	}
	return fmt.Sprintf("%s: byte %d: expected %s, found %s", e.File, e.Offset, e.Want, e.Got)
}

// recordError is a BadRecordError that does not know where it is.
type recordError struct{ want, got string }

func (e *recordError) Error() string { return "expected " + e.want + ", found " + e.got }

// bad returns a recordError that shows what was found.
func bad(want string, found []byte) error {
	return &recordError{want, shorten(found)}
}

// shorten returns bytes as text that a line of an error has room for.
func shorten(b []byte) string {
	const most = 40
	switch {
	case len(b) == 0:
		return "nothing"
	case len(b) > most:
		return fmt.Sprintf("%q...", b[:most])
	default:
		return fmt.Sprintf("%q", b)
	}
}

// errSkip is what a decoder returns for what is no request, such as a comment.
var errSkip = errors.New("trace: no request")
