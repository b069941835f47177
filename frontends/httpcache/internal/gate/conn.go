package gate

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// phase is where a connection stands between two requests, by the bytes that the server has been given.
type phase uint8

const (
	boundary phase = iota // the server has nothing of the next request
	lending               // it is being given a head
	lent                  // it has the head and has been asked for no answer yet, for all we know
	body                  // it may have c.body more bytes
	held                  // it has the whole request: nothing more until it has answered
	given                 // the rest of the connection is the server's
	ended                 // there is nothing more to come: c.err
)

// The values of Conn.turn.
const (
	resting   int32 = iota
	answering       // an Answerer may be writing
	leaving         // and somebody has closed the connection meanwhile, which has to wait for the end of the answer
	gone
)

// bufferSize is what most heads fit into.
const bufferSize = 4 << 10

// Conn is a connection through a gate. The server and an Answerer use it; its methods are safe for what net/http does: one
// reader, one writer, and Close and the deadlines from anywhere.
type Conn struct {
	l    *Listener
	raw  net.Conn
	sock *socket // raw, or nil if it is none

	// Of the reader. The server never reads in two goroutines at once, and changes state in between.
	phase    phase
	err      error  // once it has ended
	post     bool   // the last request was a POST, after which the server forgives empty lines
	buf      []byte // read and not given yet: buf[r:w]
	r, w     int
	scanned  int       // up to here in buf[r:w] there is no end of a head
	rest     int       // how much of buf[r:] is the head being lent
	body     int64     // how much of the body is still to come
	answered bool      // an Answerer has answered the last request, so that the time is ours to watch
	later    bool      // there has been a request
	begun    time.Time // when the head that is being read began; zero while none has
	now      time.Time // when an Answerer was last asked, or had sent a long answer

	turn atomic.Int32
	done chan struct{} // closed with raw

	mu       sync.Mutex
	woken    sync.Cond // of mu: the read deadline or open have changed
	readDue  time.Time // guarded by mu: the server's read deadline
	rawDue   time.Time // guarded by mu: raw's, which follows when raw is read
	reading  int       // guarded by mu: how many read raw
	writeDue time.Time // guarded by mu: raw's write deadline
	writeCap time.Time // guarded by mu: the server's own
	armed    bool      // guarded by mu: writeDue is for what is being written
	open     bool      // guarded by mu
	waiting  bool      // guarded by mu: for a request of which nothing has come

	pair [2][]byte   // of Send
	vec  net.Buffers // of Send, over pair
}

// plainConn is a Conn over TCP, on which files can be sent by the kernel.
type plainConn struct{ *Conn }

// ReadFrom implements io.ReaderFrom.
func (c *plainConn) ReadFrom(src io.Reader) (int64, error) { return c.readFrom(src) }

// secureConn is a Conn over TLS.
type secureConn struct{ *Conn }

// ConnectionState is where net/http finds Request.TLS.
func (c *secureConn) ConnectionState() tls.ConnectionState {
	return c.raw.(*tls.Conn).ConnectionState()
}

func newConn(l *Listener, raw net.Conn) *Conn {
	c := &Conn{l: l, raw: raw, done: make(chan struct{}), open: true, buf: make([]byte, bufferSize)}
	c.woken.L = &c.mu
	if c.sock = newSocket(raw, c.armWrite, c.disarm); c.sock != nil {
		c.raw = c.sock
	}
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	return c
}

// Read gives the server bytes of the request it is to serve, and waits where there must be none.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		switch c.phase {
		case boundary:
			if c.err = c.next(); c.err != nil {
				c.phase = ended // a server that looks for HTTP/2's preface asks twice
			}
		case lending:
			return c.lend(p), nil
		case lent:
			// A complete head and yet it wants more: it does not see an end where we do. Nothing good comes of going on.
			return 0, io.EOF
		case body:
			return c.readBody(p)
		case held:
			return 0, c.hold()
		case given:
			if c.r < c.w {
				return c.replay(p), nil
			}
			return c.readRaw(p)
		case ended:
			return 0, c.err
		}
	}
}

// lend gives the server the head, or as much as it asks for.
func (c *Conn) lend(p []byte) int {
	n := copy(p, c.buf[c.r:c.r+c.rest])
	c.r += n
	if c.rest -= n; c.rest == 0 {
		c.phase = lent
	}
	return n
}

func (c *Conn) readBody(p []byte) (n int, err error) {
	if int64(len(p)) > c.body {
		p = p[:c.body]
	}
	if c.r < c.w {
		n = c.replay(p)
	} else {
		n, err = c.readRaw(p)
	}
	if c.body -= int64(n); c.body == 0 {
		c.phase = held
	}
	return n, err
}

func (c *Conn) replay(p []byte) int {
	n := copy(p, c.buf[c.r:c.w])
	if c.r += n; c.phase == given && c.r == c.w {
		c.buf = nil
	}
	return n
}

// hold is what the server's watch over a client meets while a request is being answered: it ends with the connection or the
// watch. What comes meanwhile is kept, and then, as net/http has it too, the end of the connection is no longer noticed.
func (c *Conn) hold() error {
	if c.r == c.w {
		c.r, c.w = 0, 0
		n, err := c.readRaw(c.buf)
		if c.w = n; n == 0 && err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.open {
		if !c.readDue.IsZero() && !time.Now().Before(c.readDue) {
			return os.ErrDeadlineExceeded
		}
		c.woken.Wait()
	}
	return net.ErrClosed
}

// readRaw reads raw, until the server's deadline.
func (c *Conn) readRaw(p []byte) (int, error) {
	if err := c.enter(); err != nil {
		return 0, err
	}
	defer c.exit()
	return c.raw.Read(p)
}

// enter begins a read of raw, which exit ends. The server sets deadlines several times for each request, and most of them for
// reads that do not come to it.
func (c *Conn) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if due := c.readDue; !due.Equal(c.rawDue) {
		if !due.IsZero() && !time.Now().Before(due) {
			return os.ErrDeadlineExceeded
		}
		if err := c.setRaw(due); err != nil {
			return err
		}
	}
	c.reading++
	return nil
}

func (c *Conn) exit() {
	c.mu.Lock()
	c.reading--
	c.mu.Unlock()
}

// setRaw sets raw's read deadline. The caller holds mu.
func (c *Conn) setRaw(due time.Time) error {
	c.rawDue = due
	return c.raw.SetReadDeadline(due)
}

// CloseWrite tells the client that there is nothing more to come.
func (c *Conn) CloseWrite() error {
	if cw, ok := c.raw.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

// Close closes the connection, after the answer that an Answerer is writing, if there is one: http.Server's Shutdown takes a
// connection for idle then, on which it did not see a request.
func (c *Conn) Close() error {
	if c.turn.CompareAndSwap(answering, leaving) {
		return nil
	}
	return c.leave()
}

func (c *Conn) leave() error {
	if c.turn.Swap(gone) == gone {
		return net.ErrClosed
	}
	err := c.raw.Close()
	c.mu.Lock()
	c.open = false
	c.woken.Broadcast()
	c.mu.Unlock()
	c.l.mu.Lock()
	delete(c.l.conns, c)
	c.l.mu.Unlock()
	close(c.done)
	return err
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readDue = t
	c.woken.Broadcast()
	if c.reading > 0 {
		return c.setRaw(t)
	}
	return nil
}

// Secure reports whether the connection is one over TLS.
func (c *Conn) Secure() bool {
	_, ok := c.raw.(*tls.Conn)
	return ok
}
