package shadow

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
)

const (
	// maxObjects bounds the objects of the sample, and with them the memory.
	maxObjects = 1 << 16
	// minObjects is how many a sample must have for its error to be smaller than what policies differ by.
	minObjects = 8192
	// maxShift bounds the rate: one key in a million.
	maxShift = 20
	// epoch is how many sampled reads are counted before they begin to fade, and keep how much is left of them after each
	// epoch that follows: half of what estimates rest on is of the last five.
	epoch = 8192
	keep  = 7.0 / 8
)

// live is the shadow caches and what they need. One goroutine has it.
type live struct {
	o       *Options
	mask    *atomic.Uint64
	lost    *atomic.Uint64
	shift   uint // the sample is one key in 1<<shift
	objects *objects
	caches  []*cache
	batch   batch
	now     int64 // unix milliseconds when the events came that are looked at

	reads  counts // sampled
	missed counts // those of them that the tier itself missed
	window window
	cost   cost
	filled bool // caches are full, or as full as they become
	seen   int  // sampled reads since the caches were built
	folded int  // epochs that ended since filled

	patience int // see minPatience
}

func newLive(o Options, mask *atomic.Uint64, lost *atomic.Uint64) (*live, error) {
	l := &live{o: &o, mask: mask, lost: lost, objects: newObjects(maxObjects), batch: newBatch(), filled: o.whole, patience: minPatience}
	for _, name := range o.Policies {
		for _, factor := range o.Sizes {
			l.caches = append(l.caches, &cache{name: name, factor: factor})
		}
	}
	if o.shift != nil {
		l.shift = *o.shift
	}
	return l, l.build()
}

// build makes all caches anew, for the rate as it is.
func (l *live) build() error {
	l.mask.Store(1<<l.shift - 1)
	for _, c := range l.caches {
		if err := c.build(l.o, l.shift); err != nil {
			return err
		}
		c.misses = counts{}
	}
	l.reads, l.missed, l.seen, l.folded, l.filled = counts{}, counts{}, 0, 0, l.o.whole
	l.window.begin(l)
	l.cost.begin(l)
	return nil
}

func (l *live) release() {
	for _, c := range l.caches {
		c.release()
	}
}

// take looks at events.
func (l *live) take(events []core.Event) {
	l.now = time.Now().UnixMilli()
	for i := range events {
		if ev := &events[i]; ev.KeyHash&l.mask.Load() == 0 { // it may have been sent at a higher rate
			l.event(ev)
		}
	}
	l.cost.events += len(events)
	l.adjust()
}

func (l *live) event(ev *core.Event) {
	switch core.Op(ev.Op &^ core.EventContinued) {
	case core.OpGet, core.OpGetMany:
		l.read(ev)
	case core.OpDelete, core.OpDeleteMany:
		l.remove(ev)
	case core.OpExpire:
		l.expire(ev)
	default:
		l.write(ev)
	}
	if l.batch.full() {
		l.flush()
	}
}

// read is a request. One that missed in the cache is only looked at when its object's size is known, which is when it is
// written; if it is not written, it would have missed everywhere.
func (l *live) read(ev *core.Event) {
	outcome, tier := core.Outcome(ev.Result&0xf), ev.Result>>4
	hit := outcome == core.OutcomeHit
	if !hit && outcome != core.OutcomeMiss || hit && tier == 0 { // a plugin answered
		return
	}
	id, ok := l.object(ev.KeyHash)
	if !ok {
		return
	}
	t, group := l.objects, groupOf(ev.KeyHash)
	l.seen++
	t.state[id] &^= gone
	if hit {
		l.resize(id, l.weigh(ev.Size))
		l.settle(id)
	}
	if !hit || tier > 1 {
		l.missed.now[group].n++
		l.lapse(id)
	}
	if tier > 1 && t.expires[id] == 0 {
		t.expires[id] = l.deadline(0)
	}
	if !hit {
		if t.state[id]&pending != 0 {
			l.absent(group)
		}
		t.state[id] |= waiting
		if t.size[id] == 0 {
			t.state[id] |= pending
			return
		}
	}
	l.request(id, group)
}

// lapse drops an object whose time is over.
func (l *live) lapse(id uint32) {
	if at := l.objects.expires[id]; at != 0 && at <= l.now {
		l.batch.cut(id)
		l.objects.expires[id] = 0
	}
}

// settle ends the wait for a write. A read that it leaves alone found nothing anywhere.
func (l *live) settle(id uint32) {
	if l.objects.state[id]&pending != 0 {
		l.absent(groupOf(l.objects.hash[id]))
	}
	l.objects.state[id] &^= waiting | pending
}

// absent counts a read of what is nowhere.
func (l *live) absent(group uint8) {
	l.reads.now[group].n++
	for _, c := range l.caches {
		c.misses.now[group].n++
	}
}

// request adds a request to the batch; one of a group is counted.
func (l *live) request(id uint32, group uint8) {
	size := l.objects.size[id]
	if group != uncounted {
		l.reads.now[group].n++
		l.reads.now[group].bytes += uint64(size)
	}
	l.batch.add(id, size, group)
}

// write is the end of a read that missed, or else a request of its own that is not counted.
func (l *live) write(ev *core.Event) {
	if core.Outcome(ev.Result&0xf) != core.OutcomeStored {
		return
	}
	id, ok := l.object(ev.KeyHash)
	if !ok {
		return
	}
	state, group := l.objects.state[id], uint8(uncounted)
	l.objects.state[id] = 0
	changed := l.resize(id, l.weigh(ev.Size))
	l.objects.expires[id] = l.deadline(ev.TTL)
	switch {
	case state&pending != 0:
		group = groupOf(ev.KeyHash)
	case state&waiting != 0 && !changed:
		return // the read has put it in
	}
	l.request(id, group)
}

// resize notes what an object weighs now, and reports whether that is so much else that caches must have it anew.
func (l *live) resize(id, size uint32) bool {
	old := l.objects.size[id]
	l.objects.resize(id, size)
	if old == 0 || size/2 <= old && old/2 <= size {
		return false
	}
	l.batch.cut(id)
	return true
}

// remove is a deletion. What is known of the object stays.
func (l *live) remove(ev *core.Event) {
	id, ok := l.objects.find(ev.KeyHash)
	if !ok {
		return
	}
	l.settle(id)
	l.objects.state[id] = gone
	l.objects.expires[id] = 0
	l.batch.cut(id)
}

func (l *live) expire(ev *core.Event) {
	if id, ok := l.objects.find(ev.KeyHash); ok {
		l.objects.expires[id] = l.deadline(ev.TTL)
	}
}

// deadline returns when an entry ends that is written with that TTL of an event, or copied with 0.
func (l *live) deadline(ttl uint32) int64 {
	bound := int64(math.MaxInt64)
	if ttl != 0 && ttl != math.MaxUint32 {
		bound = int64(ttl) * 1000
	}
	if l.o.MaxTTL > 0 {
		bound = min(bound, l.o.MaxTTL.Milliseconds())
	}
	if bound == math.MaxInt64 {
		return 0
	}
	return l.now + max(bound, 1)
}

// weigh returns what the tier weighs an entry whose key and value have that size.
func (l *live) weigh(size uint32) uint32 {
	return uint32(min(int64(size)+l.o.Overhead, math.MaxUint32))
}

// flush has all caches asked for what is in the batch.
func (l *live) flush() {
	start := core.Clock()
	for _, c := range l.caches {
		if c.err == nil {
			c.replay(&l.batch)
		}
	}
	if len(l.batch.ids) == batchSize {
		l.cost.took(core.Clock() - start)
	}
	l.batch.reset()
}

// object returns the id of a hash, as the newest. It reports false if the sample has become too small for it meanwhile.
func (l *live) object(hash uint64) (uint32, bool) {
	if id, ok := l.objects.find(hash); ok {
		l.objects.touch(id)
		return id, true
	}
	if l.objects.full() {
		l.makeRoom()
	}
	if hash&l.mask.Load() != 0 {
		return 0, false
	}
	return l.objects.add(hash), true
}

// makeRoom forgets an object. If that would be one that matters, as the largest caches and what their policies remember
// beside would take more than half of all, it halves the sample instead.
func (l *live) makeRoom() {
	if l.load() > maxObjects/4 && l.shift < maxShift && l.o.shift == nil {
		l.sample(l.shift + 1)
		if !l.objects.full() {
			return
		}
	}
	const tries = 16
	for range tries {
		if !l.resident(l.objects.oldest) {
			break
		}
		l.objects.touch(l.objects.oldest)
	}
	id := l.objects.oldest // no request for it is in the batch, since that holds far less than there are objects
	for _, c := range l.caches {
		c.drop(id)
	}
	l.settle(id)
	l.objects.remove(id)
}

// resident reports whether a cache has the object.
func (l *live) resident(id uint32) bool {
	for _, c := range l.caches {
		if c.policy.Contains(id) {
			return true
		}
	}
	return false
}

// load returns how many objects the largest caches hold when they are full, as far as that is known.
func (l *live) load() uint64 {
	if l.objects.sized == 0 {
		return 0
	}
	return l.caches[len(l.o.Sizes)-1].capacity / l.objects.mean()
}
