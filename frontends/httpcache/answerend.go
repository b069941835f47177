package httpcache

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
)

// finish ends the answer when the origin's handler has returned.
func (a *answer) finish(err error) {
	x := a.x
	if m := mode(a.mode.Load()); m == undecided && err == nil {
		a.WriteHeader(http.StatusOK)
	} else if m == undecided {
		x.c.counts.failures.Add(1)
		x.now = time.Now()
		a.mode.Store(uint32(discarding))
		if a.p.flight != nil {
			a.p.flight.err = err
		}
		a.settle(failed)
	}
	if mode(a.mode.Load()) == filling {
		a.commit()
	}
}

// commit ends the fill.
func (a *answer) commit() {
	x := a.x
	r, err := a.fill.Commit()
	if err == nil && a.void() { // it began while the key was being made void
		_, _ = x.c.store.Delete(x.background(), x.primary) // what fails here failed for who made it void, too
		err = store.ErrNotStored
	}
	switch {
	case err == nil && a.content.all():
		x.c.searches.learn(x.primary, a.content.header)
		a.content.committed.Store(r)
		fallthrough
	case err == nil:
		x.c.counts.stored.Add(1)
	case errors.Is(err, store.ErrNotStored):
		x.c.counts.unstored.Add(1)
	default:
		x.c.counts.aborted.Add(1)
	}
	a.endFill()
	if !errors.Is(err, store.ErrNotStored) {
		a.ending = err
	}
}

// endFill says that nothing comes any more.
func (a *answer) endFill() {
	a.mu.Lock()
	a.over = true
	a.timer.Stop()
	a.mu.Unlock()
	a.content.done.Store(true)
	a.x.c.counts.filling.Add(-1)
	if a.p.flight != nil {
		a.x.c.flights.end(a.p.flight)
	}
}

// broken ends the answer of a handler that panicked.
func (a *answer) broken() {
	switch mode(a.mode.Load()) {
	case undecided:
		a.mode.Store(uint32(discarding))
		if a.p.flight != nil {
			a.p.flight.err = ErrBadResponse
		}
		a.settle(failed)
	case filling:
		a.fill.Abort(errAborted)
		if a.p.attached { // the next one shall not end with its client
			a.x.c.uncacheable.forget(a.x.primary)
		}
		a.x.c.counts.aborted.Add(1)
		a.endFill()
		if a.seal() {
			<-a.delivered
		}
		a.x.unpin()
	case passing, discarding, hijacked:
	}
}

// serve gives the client what it has not got yet.
func (a *answer) serve(err error) {
	x := a.x
	if x.w == nil {
		return
	}
	switch mode(a.mode.Load()) {
	case passing:
		a.trailers()
	case filling:
		if a.seal() {
			<-a.delivered
			err = a.failure
		} else if err = a.ending; err == nil {
			err = x.deliver(a.ended())
		}
		if errors.Is(err, store.ErrGone) && a.ending == nil {
			x.again(&plan{direct: true})
			return
		}
		x.check(err)
		a.trailers()
	case discarding:
		switch {
		case a.answered:
		case err != nil:
			x.failed(err)
		case a.retry:
			x.found = nil
			x.lead(&plan{})
		case a.detail != "":
			x.deliverStale(a.detail)
		default:
			x.deliverFound()
		}
	case undecided, hijacked:
	}
}

// ended is the content of a fill that has ended, whose length is known now.
func (a *answer) ended() *content {
	ct := a.content
	if ct.end >= 0 {
		return ct
	}
	n := &content{fill: ct.fill, status: ct.status, header: ct.header, fresh: ct.fresh, end: a.written, size: a.written}
	n.done.Store(true)
	return n
}

// trailers passes on what the origin has set after the body.
func (a *answer) trailers() {
	h := a.x.w.Header()
	for name, values := range a.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			h[name] = values
		}
	}
	for _, line := range a.header["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
			if v := a.header[name]; len(v) > 0 {
				h[name] = v
			}
		}
	}
}
