package capture

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core"
)

// What becomes of operations.
const (
	reads   = core.OpMask(1<<core.OpGet | 1<<core.OpGetMany)
	sized   = core.OpMask(1<<core.OpSet | 1<<core.OpSetMany | 1<<core.OpAdd | 1<<core.OpReplace | 1<<core.OpCompareAndSwap)
	changes = core.OpMask(1<<core.OpAppend | 1<<core.OpPrepend | 1<<core.OpIncrement | 1<<core.OpDecrement)
)

const (
	// settleTime is how late an event may be behind one that happened after it: longer than the cache keeps it back.
	settleTime = 50 * time.Millisecond
	// holdTime is how long a request for what was missed waits for the write that tells the size.
	holdTime = time.Second

	mostFresh = 1 << 17 // requests that are not in order yet: 3 MiB
	mostHeld  = 1 << 18 // those that wait for a size, or behind one that does: 6 MiB
)

// request is one on its way.
type request struct {
	hash uint64
	time int64  // in unix nanoseconds
	seq  uint32 // the order in which requests of the same time came
	size uint32 // 0 where it is not known yet
}

func (r request) compare(other request) int {
	return cmp.Or(cmp.Compare(r.time, other.time), int(int32(r.seq-other.seq)))
}

// writer makes a trace of events. They come from many buffers, each in order, so they are put in order first. A request for
// what was missed has no size: it and all behind it wait a while for the write that follows a miss, as a rule, and tells.
type writer struct {
	out       *sink
	requested core.OpMask
	secret    [2]uint64
	joinable  bool
	sizes     recentSizes

	newest   int64     // the time of the newest event
	newestAt time.Time // when it came
	seq      uint32
	fresh    []request

	held     []request // a ring of mostHeld
	first    int       // where the oldest is
	waiting  int       // how many there are
	batch    []trace.Request
	last     uint32 // the time of the last request, in seconds
	requests int64  // that were written
}

func newWriter(o *Options) (*writer, error) {
	out, err := newSink(o.Output, o.MaxBytes, o.FrameTime)
	if err != nil {
		return nil, err
	}
	w := &writer{
		out: out, requested: reads, secret: newSecret(), joinable: o.Joinable,
		fresh: make([]request, 0, mostFresh), held: make([]request, mostHeld), batch: make([]trace.Request, 0, 1<<10),
	}
	if o.Writes {
		w.requested |= sized | changes
	}
	return w, nil
}

// write takes events.
func (w *writer) write(events []core.Event) error {
	w.newestAt = time.Now()
	for i := range events {
		if len(w.fresh) == mostFresh {
			if err := w.settle(w.newest - int64(settleTime)); err != nil {
				return err
			}
		}
		if len(w.fresh) == mostFresh { // they all came within that time
			if err := w.settle(w.newest); err != nil {
				return err
			}
		}
		w.take(&events[i])
	}
	return nil
}

// take keeps what an event tells: a size, a request, or both. There is room.
func (w *writer) take(ev *core.Event) {
	op, outcome := core.Op(ev.Op&^core.EventContinued), core.Outcome(ev.Result&0xf)
	if ev.KeyHash == 0 || ev.Time == 0 {
		return // of a command that began before the capture
	}
	size := uint32(0)
	switch {
	case reads.Has(op) && outcome == core.OutcomeHit, sized.Has(op) && outcome == core.OutcomeStored:
		size = max(1, ev.Size)
		w.sizes.put(ev.KeyHash, size)
	case reads.Has(op) && outcome == core.OutcomeMiss, changes.Has(op) && outcome == core.OutcomeStored:
	default:
		return // refused, failed, or kept from the tiers
	}
	w.newest = max(w.newest, int64(ev.Time))
	if w.requested.Has(op) {
		w.seq++
		w.fresh = append(w.fresh, request{ev.KeyHash, int64(ev.Time), w.seq, size})
	}
}

// tick writes what has waited long enough, and ends a frame that was begun long enough ago.
func (w *writer) tick(now time.Time) error {
	at := w.newest + int64(now.Sub(w.newestAt))
	if err := w.settle(at - int64(settleTime)); err != nil {
		return err
	}
	if err := w.release(at - int64(holdTime)); err != nil {
		return err
	}
	return w.out.tick(now)
}

// finish writes all that waits.
func (w *writer) finish() error {
	if err := w.settle(math.MaxInt64); err != nil {
		return err
	}
	return w.release(math.MaxInt64)
}

// settle puts the requests until a time in order and lets them wait for their sizes.
func (w *writer) settle(until int64) error {
	slices.SortFunc(w.fresh, request.compare)
	n, _ := slices.BinarySearchFunc(w.fresh, until, func(r request, until int64) int {
		if r.time <= until {
			return -1
		}
		return 1
	})
	for _, r := range w.fresh[:n] {
		if w.waiting == mostHeld {
			if err := w.release(r.time - int64(holdTime)); err != nil {
				return err
			}
		}
		w.held[(w.first+w.waiting)%mostHeld] = r
		w.waiting++
	}
	w.fresh = append(w.fresh[:0], w.fresh[n:]...)
	return nil
}

// release writes the requests whose sizes are known, or will not be: those that have waited since a time, and, if there is no
// room for others, one.
func (w *writer) release(since int64) error {
	for w.waiting > 0 {
		r := &w.held[w.first]
		if r.size == 0 {
			r.size = w.sizes.get(r.hash)
		}
		if r.size == 0 && r.time > since && w.waiting < mostHeld {
			break
		}
		w.last = max(w.last, uint32(r.time/int64(time.Second)))
		w.batch = append(w.batch, trace.Request{Key: w.key(r.hash), Time: w.last, Size: max(1, r.size)})
		w.first = (w.first + 1) % mostHeld
		w.waiting--
		if len(w.batch) == cap(w.batch) {
			if err := w.writeBatch(); err != nil {
				return err
			}
		}
	}
	return w.writeBatch()
}

func (w *writer) writeBatch() error {
	n, err := w.out.write(w.batch)
	w.requests += int64(n)
	w.batch = w.batch[:0]
	return err
}

// key returns what the trace has for a key.
func (w *writer) key(hash uint64) uint64 {
	if w.joinable {
		return hash
	}
	return sipHash64(w.secret, hash)
}

// recentSizes are the sizes that objects had when they were last written or read, of the last objects: some 100,000 at least.
type recentSizes struct{ now, before map[uint64]uint32 }

const mostSizes = 1 << 17

func (s *recentSizes) put(hash uint64, size uint32) {
	if s.now == nil {
		s.now, s.before = make(map[uint64]uint32), make(map[uint64]uint32)
	}
	if len(s.now) == mostSizes {
		s.now, s.before = s.before, s.now
		clear(s.now)
	}
	s.now[hash] = size
}

// get returns the object's size, or 0.
func (s *recentSizes) get(hash uint64) uint32 {
	if size, ok := s.now[hash]; ok {
		return size
	}
	return s.before[hash]
}
