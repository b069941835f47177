package gate

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"
)

// next reads until there is a head for the server, or the rest of the connection is its own. It answers what the Answerer can
// and refuses what the Judge refuses.
func (c *Conn) next() error {
	for {
		n, ok := c.head()
		switch {
		case ok && n <= c.l.opts.MaxHead:
			if err := c.pass(n); err != nil || c.phase != boundary {
				return err
			}
		case c.w-c.r >= c.l.opts.MaxHead:
			return c.apply(c.l.opts.Judge.TooLong(c.buf[c.r:c.w]), 0)
		default:
			if err := c.fill(); err != nil || c.phase != boundary {
				return err
			}
		}
	}
}

// peeked is how much of a request the server waits for, when it has answered one: with less, a connection has ended between two
// requests.
const peeked = 4

// head looks for the end of a head at the beginning of what has been read, and returns its length. Lines end where net/http's
// do: with LF.
func (c *Conn) head() (n int, ok bool) {
	b := c.buf[c.r:c.w]
	if c.later && len(b) < peeked {
		return 0, false
	}
	start := 0
	for c.post && start < min(len(b), 4) && (b[start] == '\r' || b[start] == '\n') {
		start++
	}
	at := max(c.scanned, start)
	for {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			c.scanned = at
			return 0, false
		}
		if i == 0 || i == 1 && b[at] == '\r' {
			return at + i + 1, true
		}
		at += i + 1
	}
}

// pass decides over a head of n bytes.
func (c *Conn) pass(n int) error {
	head := c.buf[c.r : c.r+n]
	c.scanned, c.begun = 0, time.Time{}
	if c.l.opts.Answerer != nil && !c.l.stopping.Load() {
		c.now = time.Now()
		if ok, err := c.answer(head); ok || err != nil {
			c.r += n
			c.post, c.answered, c.later = false, true, true
			return err
		}
	}
	return c.apply(c.l.opts.Judge.Head(bytes.TrimLeft(head, "\r\n")), n)
}

// answer has the Answerer answer a request.
func (c *Conn) answer(head []byte) (bool, error) {
	if !c.turn.CompareAndSwap(resting, answering) {
		return false, io.EOF
	}
	ok, err := c.l.opts.Answerer.Answer(head, c)
	if !c.turn.CompareAndSwap(answering, resting) {
		_ = c.leave() // unless somebody has insisted and done so
		return ok, io.EOF
	}
	return ok, err
}

// apply does what the Judge said of a head of n bytes.
func (c *Conn) apply(v Verdict, n int) error {
	switch {
	case v.Status != 0:
		return c.refuse(v)
	case v.Body == Opaque:
		c.phase = given
	default:
		c.phase, c.rest, c.body, c.answered = lending, n, v.Body, false
		c.post = bytes.HasPrefix(bytes.TrimLeft(c.buf[c.r:c.r+n], "\r\n"), []byte("POST "))
	}
	return nil
}

// fill reads more of a head.
func (c *Conn) fill() error {
	c.makeRoom()
	if err := c.await(); err != nil {
		return err
	}
	n, err := c.raw.Read(c.buf[c.w:])
	c.arrived()
	c.w += n
	switch {
	case n > 0:
		return nil
	case errors.Is(err, io.EOF) && c.w > 0 && (c.w >= peeked || !c.later):
		c.phase = given // half a head is the server's to complain of
		return nil
	}
	return err
}

// makeRoom makes buf have room for more of the head at its front.
func (c *Conn) makeRoom() {
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if c.w == len(c.buf) {
		c.buf = append(c.buf, make([]byte, min(len(c.buf), c.l.opts.MaxHead))...)
	}
}

// await begins a wait for a request, or for the rest of a head, and sees to it that it ends in time.
func (c *Conn) await() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting = c.w == 0; c.waiting && c.l.stopping.Load() {
		return io.EOF
	}
	due, slack := c.patience()
	latest := due
	if !due.IsZero() {
		latest = due.Add(slack)
	}
	if c.rawDue.Before(due) || c.rawDue.After(latest) {
		if err := c.setRaw(latest); err != nil {
			return err
		}
	}
	c.reading++
	return nil
}

// patience returns until when to read, and how much longer it may be. The server has set its deadline for the first request that
// it waits for, but does not know of those answered here. Moving the limit of an idle connection a little at a time spares a
// call for each request, at the price of an eighth. The caller holds mu.
func (c *Conn) patience() (due time.Time, slack time.Duration) {
	idle := c.l.opts.idle
	switch {
	case c.w > 0 && c.l.opts.header > 0:
		if c.begun.IsZero() {
			c.begun = time.Now()
		}
		return c.begun.Add(c.l.opts.header), 0
	case c.w > 0 || !c.later:
		return c.readDue, 0
	case !c.answered:
		return c.readDue, idle / 8
	case idle == 0:
		return time.Time{}, 0
	}
	return c.now.Add(idle), idle / 8
}

// arrived ends a wait.
func (c *Conn) arrived() {
	c.mu.Lock()
	c.waiting = false
	c.reading--
	c.mu.Unlock()
}

// nudge ends the wait for a request of which nothing has come.
func (c *Conn) nudge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		_ = c.setRaw(time.Unix(1, 0)) // the next wait sets it anew, if this comes too late
	}
}

// state is told by the server how far it is.
func (c *Conn) state(s http.ConnState) {
	switch {
	case s == http.StateHijacked:
		c.phase = given
	case c.phase == given, c.phase == ended:
	case s == http.StateActive && c.phase == lent && c.body > 0:
		c.phase = body
	case s == http.StateActive && c.phase == lent:
		c.phase = held
	case s == http.StateIdle && c.phase == held:
		c.phase, c.later = boundary, true
	}
}
