package gate

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// piece is what is written under one deadline.
	piece = 256 << 10
	// gathered is up to what size a body is worth copying behind its head, beside a second element of a vector.
	gathered = 8 << 10
	// lingering and leftovers are for how long, and for how much, a refused client is listened to: closing a connection with
	// unread bytes resets it, and the client may lose the answer by that (RFC 9112 section 9.6).
	lingering = 500 * time.Millisecond
	leftovers = 256 << 10
)

// Send writes an answer: its head, which must have room for small bodies behind it, and its body. It returns the head for the
// next use. Only an Answerer calls it.
func (c *Conn) Send(head, body []byte) ([]byte, error) {
	if len(body) <= gathered {
		head = append(head, body...)
		_, err := c.push(head, nil)
		if c.sock == nil || c.sock.waited {
			c.now = time.Now()
		}
		return head, err
	}
	first := body[:min(len(body), piece)]
	_, err := c.push(head, first)
	if err == nil && len(first) < len(body) {
		_, err = c.Write(body[len(first):])
	}
	c.now = time.Now()
	return head, err
}

// Now returns when the Answerer was asked, for it to use.
func (c *Conn) Now() time.Time { return c.now }

// push writes a and b, and gives the client time for both together.
func (c *Conn) push(a, b []byte) (int, error) {
	if c.sock != nil {
		return c.sock.send(a, b)
	}
	c.armWrite(len(a) + len(b))
	if len(b) == 0 {
		return c.raw.Write(a)
	}
	c.pair = [2][]byte{a, b}
	c.vec = c.pair[:]
	n, err := c.vec.WriteTo(c.raw)
	c.pair, c.vec = [2][]byte{}, nil
	return int(n), err
}

// Write implements net.Conn. A client that takes too little of it, for its time, is given up.
func (c *Conn) Write(p []byte) (n int, err error) {
	for {
		m, err := c.push(p[n:min(len(p), n+piece)], nil)
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// readFrom has the kernel send src where it can, a piece at a time.
func (c *Conn) readFrom(src io.Reader) (n int64, err error) {
	rf, ok := c.raw.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	left, file := int64(-1), src
	if lr, ok := src.(*io.LimitedReader); ok { // the kernel's way sees through one of them, which has to be ours
		left, file = lr.N, lr.R
		defer func() { lr.N -= n }()
	}
	defer c.disarm()
	part := &io.LimitedReader{R: file}
	for left != 0 {
		part.N = piece
		if left > 0 {
			part.N = min(left, piece)
		}
		want := part.N
		c.armWrite(int(want))
		m, err := rf.ReadFrom(part)
		n += m
		if left > 0 {
			left -= m
		}
		if err != nil || m < want {
			return n, err
		}
	}
	return n, nil
}

// armWrite gives the client time for n bytes. A socket needs it only for what does not go at once.
func (c *Conn) armWrite(n int) {
	o := &c.l.opts
	now := time.Now()
	due := now.Add(o.Stall + time.Duration(n)*time.Second/time.Duration(o.MinRate))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = true
	if limit := c.writeCap; !limit.IsZero() && limit.Before(due) {
		due = limit
	} else if !c.writeDue.Before(due) && c.writeDue.Before(due.Add(o.Stall)) {
		return // the last one will do
	} else {
		due = due.Add(o.Stall / 2) // and will do for some time to come
	}
	if !due.Equal(c.writeDue) {
		c.writeDue = due
		_ = c.raw.SetWriteDeadline(due) // a closed connection says so when it is written to
	}
}

// disarm ends what armWrite began on a socket: the next write has another time, and may be long after.
func (c *Conn) disarm() {
	if c.sock == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed = false; !c.writeDue.Equal(c.writeCap) {
		c.writeDue = c.writeCap
		_ = c.raw.SetWriteDeadline(c.writeCap)
	}
}

// SetWriteDeadline implements net.Conn, beside the limits of the gate.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeCap = t
	switch ours := c.armed || c.sock == nil; {
	case ours && (t.IsZero() || c.writeDue.Before(t) && !c.writeDue.IsZero()), !ours && t.Equal(c.writeDue):
		return nil
	}
	c.writeDue = t
	return c.raw.SetWriteDeadline(t)
}

// refuse answers with an error, and ends the connection.
func (c *Conn) refuse(v Verdict) error {
	if _, err := c.push(Refusal(v), nil); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(lingering)); err != nil {
		return err
	}
	if err := c.enter(); err != nil {
		return err
	}
	defer c.exit()
	_, _ = io.CopyN(io.Discard, c.raw, leftovers)
	return io.EOF // the server says nothing more and closes
}

// Refusal returns the answer to a refused request. No cache may keep it: the next client's request may be well formed.
func Refusal(v Verdict) []byte {
	status := strconv.Itoa(v.Status) + " " + http.StatusText(v.Status)
	text := status + ": " + v.Reason + "\n"
	return []byte("HTTP/1.1 " + status + "\r\nDate: " + time.Now().UTC().Format(http.TimeFormat) +
		"\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Length: " +
		strconv.Itoa(len(text)) + "\r\n\r\n" + text)
}

var (
	_ net.Conn      = (*Conn)(nil)
	_ io.ReaderFrom = (*plainConn)(nil)
)
