package shadow

import "github.com/edgecache/edgecache/core"

const (
	// What looking at the sample may cost: so many nanoseconds for each read of the cache, or that share of a processor. It is
	// halved where it costs more than both.
	mostPerRead = 2.0
	mostShare   = 0.01
	// judged is after how many events the cost is looked at.
	judged = 8192
	// patience is how many sampled reads there must be before the sample grows again. It is doubled each time that one was too
	// dear, so that traffic that comes and goes does not make all begin anew again and again.
	minPatience = judged
	maxPatience = judged << 10
	// eventCost is what an event costs, in nanoseconds, before it is in a batch.
	eventCost = 80
)

// cost is what was spent lately.
type cost struct {
	since  int64  // core.Clock
	reads  uint64 // Options.Reads at since
	events int
	batch  int64 // the least nanoseconds for a full batch: others were held up by what else runs on the machine
}

func (c *cost) begin(l *live) {
	*c = cost{since: core.Clock(), batch: c.batch}
	if l.o.Reads != nil {
		c.reads = l.o.Reads()
	}
}

// took notes how long a full batch took.
func (c *cost) took(nanos int64) {
	if c.batch == 0 || nanos < c.batch {
		c.batch = nanos
	}
}

// exceeds reports whether factor times the cost is too much.
func (c *cost) exceeds(l *live, factor float64) bool {
	spent := factor * float64(c.events) * (eventCost + float64(c.batch)/batchSize)
	if spent <= mostShare*float64(core.Clock()-c.since) {
		return false
	}
	return l.o.Reads == nil || spent > mostPerRead*float64(l.o.Reads()-c.reads)
}

// adjust ends epochs, and makes the sample smaller where it costs too much, or larger where it has too few objects and may
// cost more.
func (l *live) adjust() {
	if l.readsNow() >= epoch {
		l.endEpoch()
	}
	if l.cost.events < judged || l.o.shift != nil {
		return
	}
	few := l.objects.n < maxObjects/4 || l.load() < maxObjects/16
	switch {
	case l.shift < maxShift && l.cost.exceeds(l, 1):
		l.patience = min(2*l.patience, maxPatience)
		l.sample(l.shift + 1)
	case l.shift > 0 && few && l.folded >= needed && l.seen >= l.patience && !l.cost.exceeds(l, 2.5):
		l.sample(l.shift - 1)
	default:
		l.cost.batch = 0
		l.cost.begin(l)
	}
}

func (l *live) readsNow() (n uint64) {
	for _, g := range l.reads.now {
		n += g.n
	}
	return n
}

// sample changes the rate to one key in 1<<shift. Objects that are in the sample no more are forgotten; with the others, in
// the order in which they were asked for last, the caches of the new size begin.
func (l *live) sample(shift uint) {
	l.batch.reset()
	l.shift = shift
	out := uint64(1)<<shift - 1
	t := l.objects
	for id := t.oldest; id != nobody; {
		newer := t.order[id].newer
		if t.hash[id]&out != 0 {
			t.remove(id)
		}
		id = newer
	}
	if err := l.build(); err != nil {
		for _, c := range l.caches {
			c.err = err
		}
		return
	}
	for id := t.oldest; id != nobody; id = t.order[id].newer {
		if t.size[id] == 0 || t.state[id]&gone != 0 {
			continue
		}
		l.request(id, uncounted)
		if l.batch.full() {
			l.flush()
		}
	}
	l.flush()
	l.cost.begin(l)
}

// endEpoch lets what was counted before fade. While the caches fill, nothing counts.
func (l *live) endEpoch() {
	l.flush()
	kept := keep
	switch {
	case l.o.whole:
		kept = 1
	case !l.filled:
		kept = 0
	}
	for _, c := range l.caches {
		c.misses.fold(kept)
	}
	l.reads.fold(kept)
	l.missed.fold(kept)
	l.window.end(l, kept)
	if l.filled {
		l.folded++
		return
	}
	if l.seen >= l.warmUp() || l.allFull() {
		l.filled = true
		l.forget()
	}
}

// forget lets counting begin.
func (l *live) forget() {
	for _, c := range l.caches {
		c.misses = counts{}
	}
	l.reads, l.missed = counts{}, counts{}
	l.window.begin(l)
}

// warmUp is how many sampled reads fill the caches, if they can be filled.
func (l *live) warmUp() int { return max(2*l.objects.n, epoch) }

func (l *live) allFull() bool {
	for _, c := range l.caches {
		if c.err == nil && c.policy.Used() < c.capacity/10*9 {
			return false
		}
	}
	return true
}

// window is the time that the counts are of, and what happened in it in the whole cache. It fades as they do.
type window struct {
	seconds, reads float64 // of past epochs
	since          int64   // core.Clock
	from           uint64  // Options.Reads at since
	lost           uint64  // events until since
	holes          bool    // events were lost: reads are more than those that the sample is of
}

func (w *window) begin(l *live) {
	*w = window{since: core.Clock(), lost: l.lost.Load()}
	if l.o.Reads != nil {
		w.from = l.o.Reads()
	}
}

// at returns the window as it is now.
func (w *window) at(l *live, kept float64) window {
	now := window{since: core.Clock(), lost: l.lost.Load(), from: w.from}
	if l.o.Reads != nil {
		now.from = l.o.Reads()
	}
	now.seconds = w.seconds*kept + float64(now.since-w.since)/1e9
	now.reads = w.reads*kept + float64(now.from-w.from)
	now.holes = w.holes || now.lost != w.lost
	return now
}

func (w *window) end(l *live, kept float64) { *w = w.at(l, kept) }
