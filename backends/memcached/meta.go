package memcached

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"
)

// server is one memcached, with the meta client's connections to it.
type server struct {
	addr address
	seed uint64 // what the server draws numbers with
	opts *Options
	dial net.Dialer

	slots chan struct{} // one for each connection in use

	mu     sync.Mutex
	idle   []*conn        // the one used last is the last
	active map[*conn]bool // in use
	closed bool
}

// conn is a connection to a server. One call uses it at a time.
type conn struct {
	net.Conn
	reader *bufio.Reader
	used   bool // has served a call before
}

func newServer(addr address, opts *Options) *server {
	return &server{
		addr: addr, seed: xxhash.Sum64String(addr.name), opts: opts,
		slots: make(chan struct{}, opts.MaxConns), active: make(map[*conn]bool),
	}
}

// acquire returns a connection, a new one if none is idle. It waits while MaxConns are in use.
func (s *server) acquire(ctx context.Context) (*conn, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := s.takeIdle(); c != nil {
		return c, nil
	}
	nc, err := s.dial.DialContext(ctx, s.addr.network, s.addr.name)
	if err != nil {
		<-s.slots
		return nil, err
	}
	c := &conn{Conn: nc, reader: bufio.NewReaderSize(nc, lineSize)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.slots
		return nil, errors.Join(net.ErrClosed, nc.Close())
	}
	s.active[c] = true
	return c, nil
}

func (s *server) takeIdle() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.idle)
	if n == 0 {
		return nil
	}
	c := s.idle[n-1]
	s.idle = s.idle[:n-1]
	s.active[c] = true
	return c
}

// release gives a connection back. One that is not good any more is closed.
func (s *server) release(c *conn, good bool) {
	s.mu.Lock()
	delete(s.active, c)
	good = good && !s.closed && c.reader.Buffered() == 0
	if good {
		c.used = true
		s.idle = append(s.idle, c)
	}
	s.mu.Unlock()
	if !good {
		_ = c.Close()
	}
	<-s.slots
}

// dropIdle closes the idle connections: the server has been restarted.
func (s *server) dropIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.idle {
		_ = c.Close()
	}
	s.idle = nil
}

// close closes all connections. The calls that have one fail and release it.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.active {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.dropIdle()
}

// exchange sends a request and calls each with its n replies, in order; its error ends the exchange and the connection.
// A connection that turns out to have died while idle is replaced, once, if the request is idempotent.
func (s *server) exchange(
	ctx context.Context, request []byte, n int, idempotent bool, each func(i int, r *reply) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	c, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	used := c.used
	replies, err := s.talk(ctx, c, request, n, each)
	if !used || !isDead(err) {
		return err
	}
	s.dropIdle()
	if !idempotent || replies > 0 {
		return err
	}
	if c, err = s.acquire(ctx); err != nil {
		return err
	}
	_, err = s.talk(ctx, c, request, n, each)
	return err
}

// isDead reports whether the other side has closed the connection.
func isDead(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// talk runs one exchange on c, releases it and returns how many replies there were.
func (s *server) talk(
	ctx context.Context, c *conn, request []byte, n int, each func(i int, r *reply) error,
) (replies int, err error) {
	unbind := c.bind(ctx)
	defer func() { s.release(c, unbind() && err == nil) }()
	wait := c.send(request, n)
	defer func() {
		if err != nil {
			_ = c.Close() // ends the write
		}
		wait()
	}()
	for ; replies < n; replies++ {
		r, err := readReply(c.reader, s.opts.MaxValue)
		if err != nil {
			return replies, err
		}
		if err := each(replies, r); err != nil {
			return replies, err
		}
	}
	return replies, nil
}

// bind makes the end of ctx end reads and writes of c. The function returned undoes it, and returns false if ctx has
// ended meanwhile.
func (c *conn) bind(ctx context.Context) (unbind func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
}

// inline is how many bytes of requests are written before the first reply is read. It must fit into the socket's
// buffers: memcached stops reading while its replies are not read.
const inline = 16 << 10

// send writes a request that has n replies, beside the reader if it is long. A write that fails ends the reads, whose
// error tells. The function returned waits for the end of the write.
func (c *conn) send(request []byte, n int) (wait func()) {
	if n == 1 || len(request) <= inline {
		if _, err := c.Write(request); err != nil {
			_ = c.Close()
		}
		return func() {}
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		if _, err := c.Write(request); err != nil {
			_ = c.Close()
		}
	}()
	return func() { <-written }
}

// appendGet appends a request for the key's value, flags, time to live and compare-and-swap token.
func appendGet(b []byte, stored string) []byte {
	return append(append(append(b, "mg "...), stored...), " k v f t c\r\n"...)
}

// appendPeek appends a request for the key's flags and time to live.
func appendPeek(b []byte, stored string) []byte {
	return append(append(append(b, "mg "...), stored...), " k f t\r\n"...)
}

// appendSet appends a request to store an item, with more flags of the protocol.
func appendSet(b []byte, it *item, more string) []byte {
	b = append(append(append(b, "ms "...), it.key...), ' ')
	b = strconv.AppendInt(b, int64(len(it.value)), 10)
	b = strconv.AppendInt(append(b, " T"...), it.exptime, 10)
	b = strconv.AppendUint(append(b, " F"...), uint64(it.flags), 10)
	b = append(append(b, more...), "\r\n"...)
	return append(append(b, it.value...), "\r\n"...)
}

// appendDelete appends a request to delete a key, with more flags of the protocol.
func appendDelete(b []byte, stored, more string) []byte {
	return append(append(append(append(b, "md "...), stored...), more...), "\r\n"...)
}
