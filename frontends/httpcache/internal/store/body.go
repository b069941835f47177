package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/edgecache/edgecache/core"
)

// Body is a stretch of a stored body on its way to one reader. It is not safe for concurrent use.
type Body struct {
	ctx      context.Context //nolint:containedctx // as in an http.Request: it is that of the one who reads
	response *Response
	pos, end int64
	chunk    chunk // bytes from pos on; empty only at the end
	closed   bool
}

// chunk is stored bytes of one segment: in memory, or in a file, whose position is theirs.
type chunk struct {
	data []byte
	file *os.File
	n    int64 // how many they are
}

func (c *chunk) close() {
	if c.file != nil {
		_ = c.file.Close() // nothing was written
	}
	*c = chunk{}
}

// fetch gets the next chunk.
func (b *Body) fetch() (err error) {
	if b.pos == b.end {
		return nil
	}
	r := b.response
	if r.inline {
		b.chunk = chunk{data: r.body[b.pos:b.end], n: b.end - b.pos}
		return nil
	}
	p, ok := at(r.parts, b.pos)
	if !ok {
		return fmt.Errorf("%w: byte %d of %d", ErrGone, b.pos, r.size)
	}
	b.chunk, err = r.store.chunk(b.ctx, p.id, b.pos, min(p.end, b.end))
	if errors.Is(err, ErrGone) {
		r.store.lose(context.WithoutCancel(b.ctx), r, p, b.pos)
	}
	return err
}

// chunk returns what is stored of the bytes from pos up to end, as far as they are in one segment.
func (s *Store) chunk(ctx context.Context, id bodyID, pos, end int64) (chunk, error) {
	n := pos / SegmentSize
	e, file, err := s.bodies.GetFile(ctx, string(segmentKey(nil, id, n)))
	switch {
	case errors.Is(err, core.ErrNotFound):
		return chunk{}, fmt.Errorf("%w: segment %d", ErrGone, n)
	case err != nil && ctx.Err() != nil:
		return chunk{}, err
	case err != nil:
		return chunk{}, fmt.Errorf("%w: segment %d: %w", ErrGone, n, err)
	case file != nil:
		return s.fileChunk(file, id, pos, end)
	}
	return s.memoryChunk(e, id, pos, end)
}

// proven marks the entry of a segment whose checksum has been compared.
type proven struct{}

func (s *Store) memoryChunk(e *core.Entry, id bodyID, pos, end int64) (chunk, error) {
	var begin int64
	var err error
	n, frame := pos/SegmentSize, e.Value
	if _, done := e.Decoded().(proven); done {
		begin, err = checkSegment(frame, int64(len(frame)), id, n)
	} else if _, begin, err = decodeSegment(frame, id, n); err == nil {
		e.SetDecoded(proven{})
	}
	if err != nil {
		return chunk{}, s.damaged(err)
	}
	from := pos - n*SegmentSize - begin
	size := int64(len(frame)) - segmentHead - from
	if from < 0 || size <= 0 {
		return chunk{}, fmt.Errorf("%w: segment %d has others", ErrGone, n)
	}
	size = min(size, end-pos)
	return chunk{data: frame[segmentHead+from : segmentHead+from+size : segmentHead+from+size], n: size}, nil
}

func (s *Store) fileChunk(f *core.ValueFile, id bodyID, pos, end int64) (c chunk, err error) {
	c.file = f.File
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	n := pos / SegmentSize
	var head [segmentHead]byte
	if f.Size < segmentHead {
		return c, s.damaged(errFrame)
	}
	if _, err = f.File.ReadAt(head[:], f.Offset); err != nil {
		return c, fmt.Errorf("%w: segment %d: %w", ErrGone, n, err)
	}
	begin, err := checkSegment(head[:], f.Size, id, n)
	if err != nil {
		return c, s.damaged(err)
	}
	from := pos - n*SegmentSize - begin
	size := f.Size - segmentHead - from
	if from < 0 || size <= 0 {
		return c, fmt.Errorf("%w: segment %d has others", ErrGone, n)
	}
	c.n = min(size, end-pos)
	_, err = f.File.Seek(f.Offset+segmentHead+from, io.SeekStart)
	return c, err
}

// damaged counts a frame that can't be read, and is the error of a segment that is none.
func (s *Store) damaged(err error) error {
	s.damages.Add(1)
	return fmt.Errorf("%w: %w", ErrGone, err)
}

// WriteTo writes what is left, segment by segment: from memory in one Write, from a file with io.CopyN. Where a segment is
// gone it returns ErrGone, and nothing wrong has been written.
func (b *Body) WriteTo(w io.Writer) (written int64, err error) {
	for {
		if b.pos == b.end {
			return written, nil
		}
		if b.chunk.n == 0 {
			if err := b.fetch(); err != nil {
				return written, err
			}
		}
		var n int64
		if b.chunk.file != nil {
			n, err = io.CopyN(w, b.chunk.file, b.chunk.n) // an *os.File as it is: else there is no sendfile
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: the file is shorter than it was", ErrGone)
			}
		} else {
			var m int
			m, err = w.Write(b.chunk.data)
			n = int64(m)
		}
		written, b.pos = written+n, b.pos+n
		b.chunk.close()
		if err != nil {
			return written, err
		}
	}
}

// Next returns the next bytes, which are read-only and stay as they are, and io.EOF at the end.
func (b *Body) Next() ([]byte, error) {
	if b.pos == b.end {
		return nil, io.EOF
	}
	if b.chunk.n == 0 {
		if err := b.fetch(); err != nil {
			return nil, err
		}
	}
	defer b.chunk.close()
	data, err := b.chunk.bytes()
	b.pos += int64(len(data))
	return data, err
}

// Close ends the reading. It is idempotent.
func (b *Body) Close() {
	if !b.closed {
		b.closed = true
		b.chunk.close()
		b.response.store.leave(b.response.parts)
	}
}
