package trace

import (
	"bufio"
	"errors"
	"io"
)

// structure hands out what it reads, part by part, so that it is known whether a compressed file ends where it should. What
// is wrong in another way it leaves to who reads it.
type structure struct {
	source *bufio.Reader
	part   func() error // finds out how long the next part is, and what is behind it
	left   int64        // bytes of the part
	whole  bool         // a stream is over
	err    error        // why nothing comes any more
}

func (s *structure) Read(p []byte) (int, error) {
	if s.left == 0 {
		if s.err = s.part(); s.err != nil {
			return 0, s.err
		}
	}
	n, err := s.source.Read(p[:min(int64(len(p)), max(s.left, 1))])
	s.left -= min(int64(n), s.left)
	return n, err
}

// is says how long this part is and what is behind it.
func (s *structure) is(length int64, next func() error) error {
	s.left, s.part = length, next
	return nil
}

// rest gives up on what is not as it should be: the reader will find that out.
func (s *structure) rest() error { return s.is(1<<62, s.rest) }

// ends says that a stream ends in so many bytes, behind which there may be another.
func (s *structure) ends(length int64, next func() error) error {
	return s.is(length-1, func() error {
		_, err := s.source.Peek(1)
		s.whole = err == nil
		return s.is(1, next)
	})
}

// structured is what comes out of a structure. It does not end before a stream does.
type structured struct {
	plain     io.Reader
	structure *structure
}

func (r *structured) Read(p []byte) (int, error) {
	n, err := r.plain.Read(p)
	switch {
	case err == nil:
		return n, nil
	case r.structure.err != nil:
		return n, r.structure.err
	case errors.Is(err, io.EOF) && !r.structure.whole:
		return n, io.ErrUnexpectedEOF
	default:
		return n, err
	}
}
