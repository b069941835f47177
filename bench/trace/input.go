package trace

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const (
	sniffed     = 64 << 10  // bytes that a format is guessed from
	longestLine = 256 << 10 // bytes
	largestZstd = 1 << 30   // bytes of a window
	largestXZ   = 256 << 20 // bytes of a dictionary: xz -9 takes 64 MiB
)

// compressions are what input undoes.
var compressions = [...]struct {
	suffix, magic string
	open          func(io.Reader) (io.Reader, func(), error)
}{
	{".gz", "\x1f\x8b\x08", func(r io.Reader) (io.Reader, func(), error) {
		z, err := gzip.NewReader(r)
		return z, func() {}, err
	}},
	{".zst", "\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, func(), error) {
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(largestZstd))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}},
	{".xz", "\xfd7zXZ\x00", func(r io.Reader) (io.Reader, func(), error) {
		z, err := newXZ(r)
		return z, func() {}, err
	}},
	{".lz4", "\x04\x22\x4d\x18", func(r io.Reader) (io.Reader, func(), error) {
		return newLZ4(r), func() {}, nil
	}},
	{".bz2", "BZh", func(r io.Reader) (io.Reader, func(), error) {
		return bzip2.NewReader(r), func() {}, nil
	}},
}

// uncompressedName returns a file's name without its folder and without what compression put behind it, and whether that was there.
func uncompressedName(name string) (string, bool) {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	for _, c := range compressions {
		if base, ok := strings.CutSuffix(name, c.suffix); ok {
			return base, true
		}
	}
	return name, false
}

// input hands out the decompressed bytes of a trace, by line or by length, and knows where it is.
type input struct {
	name   string
	r      *bufio.Reader
	line   int   // of what was taken last, or 0
	offset int64 // where what was taken last begins
	end    int64 // where it ends
	close  func()
}

// newInput undoes the compression that r begins with. A name that promises one must keep its word.
func newInput(name string, r io.Reader) (*input, error) {
	in := &input{name: name, r: bufio.NewReaderSize(r, longestLine), close: func() {}}
	head, err := in.r.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, c := range compressions {
		if !bytes.HasPrefix(head, []byte(c.magic)) {
			continue
		}
		plain, done, err := c.open(in.r)
		if err != nil {
			return nil, in.located(fmt.Errorf("%s: %w", c.suffix[1:], err))
		}
		in.r, in.close = bufio.NewReaderSize(&sticky{r: plain}, longestLine), done
		return in, nil
	}
	if _, promised := uncompressedName(name); promised {
		return nil, &BadRecordError{File: name, Want: "what the name promises: a compressed file", Got: fmt.Sprintf("%q", head)}
	}
	return in, nil
}

// sticky returns the first error again and again: bufio forgets one that Peek returned, and not every reader remembers.
type sticky struct {
	r   io.Reader
	err error
}

func (s *sticky) Read(p []byte) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	n, s.err = s.r.Read(p)
	return n, s.err
}

// peek returns the first bytes of what comes, as many as there are.
func (in *input) peek() ([]byte, error) {
	head, err := in.r.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return nil, in.located(err)
	}
	return head, nil
}

// nextLine returns the next line without its end, or io.EOF. It is valid until the next call.
func (in *input) nextLine() ([]byte, error) {
	line, err := in.r.ReadSlice('\n')
	in.offset = in.end
	in.end += int64(len(line))
	if len(line) > 0 {
		in.line++
	}
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		tooLong := in.located(bad(fmt.Sprintf("lines of at most %d bytes", longestLine), line))
		return nil, errors.Join(tooLong, in.skipLine())
	case errors.Is(err, io.EOF) && len(line) > 0, err == nil:
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
	default:
		return nil, in.located(err)
	}
}

// peekLine returns the line behind the last one, or what there is of it. What was returned before it is not valid any more.
func (in *input) peekLine() []byte {
	for n := 512; ; n *= 2 {
		b, err := in.r.Peek(min(n, longestLine))
		if line, _, whole := bytes.Cut(b, []byte("\n")); whole || err != nil || n >= longestLine {
			return bytes.TrimSuffix(line, []byte("\r"))
		}
	}
}

// skipLine goes on to the next line.
func (in *input) skipLine() error {
	for {
		line, err := in.r.ReadSlice('\n')
		in.end += int64(len(line))
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil, errors.Is(err, io.EOF):
			return nil
		default:
			return in.located(err)
		}
	}
}

// take returns the next n bytes, or io.EOF. They are valid until the next call. n is at most longestLine.
func (in *input) take(n int) ([]byte, error) {
	b, err := in.r.Peek(n)
	in.offset = in.end
	in.end += int64(len(b))
	_, _ = in.r.Discard(len(b)) // what was peeked is there
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, io.EOF) && len(b) > 0:
		return nil, in.located(&recordError{fmt.Sprintf("a record of %d bytes", n), fmt.Sprintf("the end of the file after %d", len(b))})
	default:
		return nil, in.located(err)
	}
}

// located says where an error happened. io.EOF stays what it is.
func (in *input) located(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if b, ok := errors.AsType[*recordError](err); ok {
		return &BadRecordError{File: in.name, Line: in.line, Offset: in.offset, Want: b.want, Got: b.got}
	}
	return &damagedError{fmt.Errorf("%s: byte %d after decompression: expected more of the trace: %w", in.name, in.end, err)}
}

// damagedError is that of a stream which can't be read further.
type damagedError struct{ error }

func (e *damagedError) Unwrap() error { return e.error }
