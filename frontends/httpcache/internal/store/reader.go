package store

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// Reader follows a fill. It is not safe for concurrent use.
type Reader struct {
	fill   *Fill
	closed bool

	// Guarded by fill.mu.
	pos    int64 // up to where the reader is done
	next   int64 // up to where it has been given bytes
	behind bool  // the fill does not wait for it
}

// Reader returns a reader of the body from off on, a position in the representation. It returns ErrGone where that is not at
// hand any more, and the fill's error if it has failed. Close must follow.
func (f *Fill) Reader(off int64) (*Reader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.err != nil:
		return nil, f.err
	case f.released:
		return nil, ErrEnded
	case off < f.first || off < f.oldest() && !f.retain:
		return nil, fmt.Errorf("%w: byte %d", ErrGone, off)
	}
	r := &Reader{fill: f, pos: off, next: off}
	if off < f.oldest() {
		r.behind = true
	}
	f.readers = append(f.readers, r)
	f.had = true
	return r, nil
}

// oldest is the position of the first byte held. f.mu is held.
func (f *Fill) oldest() int64 {
	if len(f.pieces) == 0 {
		return f.pos
	}
	return f.pieces[0].start
}

// Next waits for bytes and returns all that are at hand of a segment: read-only, they stay as they are. It returns io.EOF at
// the end, the error of Abort, ErrGone if the reader was so slow that it was left behind, or ctx's error.
func (r *Reader) Next(ctx context.Context) ([]byte, error) {
	f := r.fill
	if r.closed {
		return nil, ErrEnded
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.pos = r.next; r.pos >= f.oldest() {
		r.behind = false // it has caught up
	}
	f.moved()
	for {
		if r.pos < f.oldest() {
			return r.fetch(ctx)
		}
		if data := f.at(r.pos); len(data) > 0 {
			r.next = r.pos + int64(len(data))
			return data, nil
		}
		switch {
		case f.complete:
			return nil, io.EOF
		case f.err != nil:
			return nil, f.err
		}
		if err := f.await(ctx); err != nil {
			return nil, err
		}
	}
}

// at returns what is held of a piece from pos on. f.mu is held.
func (f *Fill) at(pos int64) []byte {
	for _, p := range f.pieces {
		if p.start <= pos && pos < p.end() {
			return p.frame[segmentHead+pos-p.start : len(p.frame) : len(p.frame)]
		}
	}
	return nil
}

// await waits until there is more. f.mu is held, but not meanwhile.
func (f *Fill) await(ctx context.Context) error {
	if f.more == nil {
		f.more = make(chan struct{})
	}
	more := f.more
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-more:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetch returns bytes that are not held any more from the cache. f.mu is held, but not meanwhile.
func (r *Reader) fetch(ctx context.Context) ([]byte, error) {
	f := r.fill
	pos, end := r.pos, min(f.oldest(), f.kept)
	if pos >= end {
		return nil, fmt.Errorf("%w: byte %d", ErrGone, pos)
	}
	f.mu.Unlock()
	data, err := f.store.bytes(ctx, f.id, pos, end)
	f.mu.Lock()
	r.next = pos + int64(len(data))
	return data, err
}

// bytes returns the stored bytes from pos up to end, as far as they are in one segment.
func (s *Store) bytes(ctx context.Context, id bodyID, pos, end int64) ([]byte, error) {
	c, err := s.chunk(ctx, id, pos, end)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.bytes()
}

// bytes returns what the chunk has.
func (c *chunk) bytes() ([]byte, error) {
	if c.file == nil {
		return c.data, nil
	}
	data := make([]byte, c.n)
	if _, err := io.ReadFull(c.file, data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return data, nil
}

// Close ends the reading. It is idempotent. A fill that nobody reads any more goes on only if it is worth its end.
func (r *Reader) Close() {
	if r.closed {
		return
	}
	r.closed = true
	f := r.fill
	f.mu.Lock()
	f.readers = slices.DeleteFunc(f.readers, func(o *Reader) bool { return o == r })
	f.moved()
	if len(f.readers) == 0 && !f.complete && !f.worthEnding() {
		f.fail(ErrAbandoned)
	}
	last := f.releasable()
	f.mu.Unlock()
	if last {
		f.leave()
	}
}
