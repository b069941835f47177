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
	c.armWrite(len(head) + len(body))
	if len(body) <= gathered {
		head = append(head, body...)
		_, err := c.raw.Write(head)
		return head, err
	}
	if len(body) > piece {
		if _, err := c.raw.Write(head); err != nil {
			return head, err
		}
		_, err := c.Write(body)
		return head, err
	}
	c.pair = [2][]byte{head, body}
	c.vec = c.pair[:]
	_, err := c.vec.WriteTo(c.raw)
	c.pair, c.vec = [2][]byte{}, nil
	return head, err
}

// Write implements net.Conn. A client that takes too little of it, for its time, is given up.
func (c *Conn) Write(p []byte) (n int, err error) {
	for {
		part := p[n:min(len(p), n+piece)]
		c.armWrite(len(part))
		m, err := c.raw.Write(part)
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

// armWrite gives the client time for n bytes.
func (c *Conn) armWrite(n int) {
	o := &c.l.opts
	now := time.Now()
	due := now.Add(o.Stall + time.Duration(n)*time.Second/time.Duration(o.MinRate))
	c.mu.Lock()
	defer c.mu.Unlock()
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

// SetWriteDeadline implements net.Conn, beside the limits of the gate.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeCap = t
	if t.IsZero() || c.writeDue.Before(t) && !c.writeDue.IsZero() {
		return nil
	}
	c.writeDue = t
	return c.raw.SetWriteDeadline(t)
}

// refuse answers with an error, and ends the connection.
func (c *Conn) refuse(v Verdict) error {
	c.armWrite(bufferSize)
	if _, err := c.raw.Write(Refusal(v)); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(lingering)); err != nil {
		return err
	}
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
