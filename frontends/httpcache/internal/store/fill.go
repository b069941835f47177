package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
)

const (
	// window is up to how many bytes a fill holds that all readers have passed, for those that are still to come.
	window = 4 << 20
	// quota is what a fill may hold without asking the budget of all.
	quota = 4 * SegmentSize
	// firstRoom is the room for a body that does not say how long it is; it doubles.
	firstRoom = 4 << 10
	// pageSize is what the allocator rounds large buffers up to.
	pageSize = 8 << 10
)

// Fill is a response that is coming: one writer, any number of readers, of which none is special.
//
// The body is cut into segments. Each goes to the cache once it is full, where nothing leads to it until Commit, and is held
// here until all readers have passed it, and beyond that for as long as there is room. Where there is none, the writer waits
// for the readers. A reader that comes late, or was left behind, gets what is not held any more from the cache; of a response
// that is not retained it gets ErrGone.
type Fill struct {
	store     *Store
	ctx       context.Context //nolint:containedctx // that of Begin without its end: the fill outlives the call
	stamp     invalid.Stamp
	rec       record
	rule      rule
	star      bool // it varies by everything
	ranged    bool // it is a part
	shared    bool // other fills write segments of the same body
	small     bool // it has no segments, nor an id
	id        bodyID
	first     int64 // where in the representation it begins
	end       int64 // and ends, -1 if that is not known
	abandoned chan struct{}
	next      *Fill // of the same key, guarded by fills.mu

	mu       sync.Mutex
	pieces   []*piece // held, without gaps; the last one is being written
	pos      int64    // where the next byte goes
	kept     int64    // up to where the cache has it
	held     int64    // bytes of pieces
	borrowed int64    // of the budget
	readers  []*Reader
	had      bool // there was a reader
	retain   bool // it is to be stored
	doomed   bool // its key was deleted meanwhile
	complete bool // all has come
	ended    bool // Commit or Abort has returned, or is about to
	released bool
	err      error         // of Abort, or why the writer must stop
	more     chan struct{} // closed when there is more for readers; nil if none waits
	room     chan struct{} // closed when readers have moved; nil if the writer does not wait
}

// piece is a segment as it comes. Bytes that are there do not change, so that views of them last.
type piece struct {
	start  int64 // a position in the representation
	want   int64 // how many bytes it can have
	frame  []byte
	sealed bool
}

func (p *piece) end() int64 { return p.start + int64(len(p.frame)) - segmentHead }

// Size returns the declared size of the representation, or -1.
func (f *Fill) Size() int64 {
	if f.ranged {
		return f.rec.size
	}
	return f.end
}

// Abandoned returns a channel that is closed when the writer may stop because nobody reads any more.
func (f *Fill) Abandoned() <-chan struct{} { return f.abandoned }

// Write appends to the body. It waits while readers that can't be left behind have no room. p stays the caller's. It returns
// ErrAbandoned once nobody reads any more, and ErrIncomplete for more than was declared. One goroutine may call it.
func (f *Fill) Write(b []byte) (written int, err error) {
	for len(b) > 0 {
		if f.end >= 0 && f.pos == f.end {
			f.Abort(fmt.Errorf("%w: it is longer than %d bytes", ErrIncomplete, f.end-f.first))
			return written, ErrIncomplete
		}
		p, err := f.tail()
		if err != nil {
			return written, err
		}
		n := f.append(p, b)
		written, b = written+n, b[n:]
		if p.end() == p.start+p.want {
			f.seal(p)
		}
	}
	return written, nil
}

// tail returns the piece to write to, as soon as there is room for one.
func (f *Fill) tail() (*piece, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.err != nil:
			return nil, f.err
		case f.ended || f.complete:
			return nil, ErrEnded
		}
		if n := len(f.pieces); n > 0 && !f.pieces[n-1].sealed {
			return f.pieces[n-1], nil
		}
		p := &piece{start: f.pos, want: SegmentSize - f.pos%SegmentSize}
		room := int64(firstRoom)
		if f.end >= 0 {
			p.want = min(p.want, f.end-f.pos)
			room = p.want
		} else if f.pos > f.first {
			room = p.want
		}
		if f.admit(p.want) {
			p.frame = append([]byte(nil), make([]byte, segmentHead+min(room, p.want))...)[:segmentHead]
			f.pieces = append(f.pieces, p)
			return p, nil
		}
		f.awaitRoom()
	}
}

// append copies as much of b to the piece as it takes, and lets readers know. Nobody else changes the piece.
func (f *Fill) append(p *piece, b []byte) int {
	used := int64(len(p.frame)) - segmentHead
	b = b[:min(int64(len(b)), p.want-used)]
	frame := p.frame
	if need := len(frame) + len(b); need > cap(frame) {
		frame = append(make([]byte, 0, min(max(2*cap(frame), need), segmentHead+int(p.want))), frame...)
	}
	frame = append(frame, b...)
	f.mu.Lock()
	defer f.mu.Unlock()
	p.frame = frame
	f.pos += int64(len(b))
	if f.retain && f.pos-f.first > f.store.options.MaxObject {
		f.retain = false
	}
	unread := len(f.readers) == 0
	if unread && (f.had && !f.worthEnding() || !f.retain && f.pos-f.first > window) {
		f.fail(ErrAbandoned)
	}
	f.wake()
	return len(b)
}

// seal gives a full piece, or the last one, to the cache.
func (f *Fill) seal(p *piece) {
	f.mu.Lock()
	retain := f.retain && f.err == nil && (f.ranged || f.pos > MaxInline)
	f.mu.Unlock()
	stored := retain && f.keep(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	p.sealed = true
	if stored {
		f.kept = p.end()
	}
	f.retain = f.retain && (stored || !retain)
}

// keep gives a piece to the cache.
func (f *Fill) keep(p *piece) bool {
	frame := p.frame
	if cap(frame)-len(frame) >= pageSize { // the last one: the cache counts the room, too
		frame = append([]byte(nil), frame...)
	}
	n := p.start / SegmentSize
	sealSegment(frame, f.id, n, p.start%SegmentSize)
	opts := writeOptions(time.Now(), f.rec.ends)
	opts.Decoded = proven{}
	err := f.store.bodies.Set(f.ctx, string(segmentKey(nil, f.id, n)), frame, opts)
	if err != nil {
		f.store.trouble("a segment can't be stored", err)
	}
	return err == nil
}

// admit makes room for n bytes, and reports whether there is. f.mu is held.
func (f *Fill) admit(n int64) bool {
	for f.held+n > window {
		if !f.dropOldest() {
			break
		}
	}
	for {
		need := f.held + n - quota - f.borrowed
		if need <= 0 || f.store.budget.take(need) {
			f.borrowed += max(need, 0)
			f.held += n
			return true
		}
		if !f.dropOldest() {
			return false
		}
	}
}

// dropOldest lets the oldest piece go if no reader needs it. f.mu is held.
func (f *Fill) dropOldest() bool {
	if len(f.pieces) == 0 || !f.pieces[0].sealed {
		return false
	}
	p := f.pieces[0]
	if f.retain && !f.ended && f.kept < p.end() {
		return false
	}
	for _, r := range f.readers {
		if r.pos < p.end() && !r.behind {
			return false
		}
	}
	f.pieces[0] = nil
	f.pieces = f.pieces[1:]
	f.held -= p.want
	if over := f.borrowed - max(f.held-quota, 0); over > 0 {
		f.borrowed -= over
		f.store.budget.give(over)
	}
	return true
}

// awaitRoom waits until readers have moved, or leaves those behind that can be, once patience is over. f.mu is held, but not
// meanwhile.
func (f *Fill) awaitRoom() {
	room := make(chan struct{})
	f.room = room
	f.mu.Unlock()
	t := time.NewTimer(f.store.options.Patience)
	defer t.Stop()
	late := false
	select {
	case <-room:
	case <-t.C:
		late = true
	}
	f.mu.Lock()
	f.room = nil
	if late {
		f.leaveBehind()
	}
}

// leaveBehind stops waiting for the readers that hold up the fill: if others do not, or if it is stored, so that they can have
// the rest from the cache. f.mu is held.
func (f *Fill) leaveBehind() {
	var slow []*Reader
	for _, r := range f.readers {
		if len(f.pieces) > 0 && r.pos < f.pieces[0].end() {
			slow = append(slow, r)
		}
	}
	if f.retain || len(slow) < len(f.readers) {
		for _, r := range slow {
			r.behind = true
		}
	}
}

// worthEnding reports whether the rest is worth fetching for those to come. f.mu is held.
func (f *Fill) worthEnding() bool {
	done := f.pos - f.first
	switch finish := f.store.options.FinishBytes; {
	case !f.retain || f.doomed:
		return false
	case f.end < 0:
		return done <= finish
	default:
		return f.end-f.first <= finish || done > (f.end-f.first)/2
	}
}

// wake lets waiting readers look again. f.mu is held.
func (f *Fill) wake() {
	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// moved lets a waiting writer look again, and after the end gives back what nobody needs. f.mu is held.
func (f *Fill) moved() {
	if f.room != nil {
		close(f.room)
		f.room = nil
	}
	for f.ended {
		if !f.dropOldest() {
			break
		}
	}
}

// fail ends the fill for readers and the writer. f.mu is held.
func (f *Fill) fail(err error) {
	if f.err != nil || f.complete {
		return
	}
	f.err = err
	f.retain = false
	if errors.Is(err, ErrAbandoned) {
		close(f.abandoned)
	}
	f.wake()
	f.moved()
}

// doom keeps the fill from being stored.
func (f *Fill) doom() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doomed = true
	if f.had && len(f.readers) == 0 && !f.complete {
		f.fail(ErrAbandoned)
	}
}

// Abort ends the fill: readers get err once they have read what has come, nothing is stored. It does nothing after Commit.
func (f *Fill) Abort(err error) {
	f.mu.Lock()
	if f.ended || f.complete {
		f.mu.Unlock()
		return
	}
	f.fail(err)
	f.mu.Unlock()
	f.drop()
	f.finish()
}

// drop frees the segments of a fill that is not stored.
func (f *Fill) drop() {
	if f.kept > f.first && !f.shared {
		f.store.free([]part{{f.first, f.kept, f.id}})
	}
}

// finish ends the fill.
func (f *Fill) finish() {
	f.store.fills.remove(f)
	f.mu.Lock()
	f.ended = true
	f.sealAll()
	f.moved()
	last := f.releasable()
	f.mu.Unlock()
	if last {
		f.leave()
	}
}

// sealAll marks the last piece as one that can go. f.mu is held.
func (f *Fill) sealAll() {
	if n := len(f.pieces); n > 0 {
		f.pieces[n-1].sealed = true
	}
}

// releasable reports, once, that nobody needs the fill any more, and gives back what it holds. f.mu is held.
func (f *Fill) releasable() bool {
	if !f.ended || len(f.readers) > 0 || f.released {
		return false
	}
	f.released = true
	f.pieces = nil
	f.store.budget.give(f.borrowed)
	f.held, f.borrowed = 0, 0
	return true
}

// Commit ends a body that is complete, and stores the response. Readers get the end before that. The error may be
// ErrIncomplete, with which readers fail, or ErrNotStored, with which they do not.
func (f *Fill) Commit() (*Response, error) {
	if err := f.close(); err != nil {
		return nil, err
	}
	defer f.finish()
	if f.purged() {
		f.drop()
		return nil, fmt.Errorf("%w: it was purged meanwhile", ErrNotStored)
	}
	r, err := f.save()
	if err == nil && f.isDoomed() { // what deleted the key may have come before the response
		_, err = f.store.responses.Delete(f.ctx, f.rec.key)
		err = errors.Join(fmt.Errorf("%w: its key was deleted meanwhile", ErrNotStored), err)
	}
	if err != nil {
		f.drop()
		return nil, err
	}
	return r, nil
}

// close lets readers have the end, if all has come.
func (f *Fill) close() error {
	f.mu.Lock()
	switch {
	case f.err != nil:
		defer f.finish()
		defer f.drop()
		defer f.mu.Unlock()
		return f.err
	case f.ended || f.complete:
		defer f.mu.Unlock()
		return ErrEnded
	case f.end >= 0 && f.pos != f.end:
		err := fmt.Errorf("%w: %d bytes of %d", ErrIncomplete, f.pos-f.first, f.end-f.first)
		f.mu.Unlock()
		f.Abort(err)
		return err
	}
	defer f.mu.Unlock()
	f.complete = true
	f.wake()
	return nil
}

// purged reports whether what has come was purged since the origin was asked for it. It may not take the place of what came
// later.
func (f *Fill) purged() bool {
	x := f.store.options.Index
	if x == nil {
		return false
	}
	return x.Purged(f.rec.key, f.rec.tags, f.stamp)
}

func (f *Fill) isDoomed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.doomed
}

// save stores the response of a body that has come.
func (f *Fill) save() (*Response, error) {
	rec := f.rec
	if !f.ranged {
		rec.size = f.pos
	}
	if !f.ranged && f.pos <= MaxInline {
		rec.inline, rec.ends = true, 0
		if len(f.pieces) > 0 {
			rec.body = f.pieces[0].frame[segmentHead:]
		}
	} else {
		if n := len(f.pieces); n > 0 && !f.pieces[n-1].sealed {
			f.seal(f.pieces[n-1])
		}
		rec.parts = []part{{f.first, f.pos, f.id}}
	}
	rec.sized()
	f.mu.Lock()
	retain := f.retain && !f.doomed
	f.mu.Unlock()
	if !retain {
		return nil, ErrNotStored
	}
	return f.store.put(f.ctx, &rec, f.rule.names, f.stamp)
}
