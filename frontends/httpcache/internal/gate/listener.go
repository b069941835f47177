package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// handshakeTime is what a client has for its TLS handshake where the server has no ReadHeaderTimeout.
const handshakeTime = 10 * time.Second

// Listener accepts connections through a gate. It is safe for concurrent use.
type Listener struct {
	net.Listener
	opts     Options
	stopping atomic.Bool
	ready    chan net.Conn      // after their handshakes; nil without TLS
	failed   chan error         // what ended accept
	end      context.CancelFunc // ends accept and the handshakes
	once     sync.Once
	running  sync.WaitGroup // accept and the handshakes

	mu    sync.Mutex
	conns map[*Conn]struct{} // guarded by mu: those open
}

func newListener(ln net.Listener, o Options) *Listener {
	ctx, end := context.WithCancel(context.Background())
	l := &Listener{Listener: ln, opts: o, end: end, conns: make(map[*Conn]struct{})}
	if o.TLS != nil {
		l.ready, l.failed = make(chan net.Conn), make(chan error, 1)
		l.running.Go(func() { l.accept(ctx) })
	}
	return l
}

// Accept returns the next connection, over TLS the next whose handshake is done.
func (l *Listener) Accept() (net.Conn, error) {
	if l.ready == nil {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := newConn(l, raw)
		return &plainConn{c}, nil
	}
	select {
	case c := <-l.ready:
		return c, nil
	case err := <-l.failed:
		l.failed <- err // for whoever asks again
		return nil, err
	}
}

// accept feeds ready, one goroutine for each handshake, so that a slow client keeps nobody waiting.
func (l *Listener) accept(ctx context.Context) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Temporary() { //nolint:staticcheck // as net/http's server does
				select {
				case <-time.After(5 * time.Millisecond):
					continue
				case <-ctx.Done():
				}
			}
			l.failed <- err
			return
		}
		l.running.Go(func() { l.greet(ctx, raw) })
	}
}

// greet does a handshake and queues the connection.
func (l *Listener) greet(ctx context.Context, raw net.Conn) {
	limit := l.opts.header
	if limit == 0 {
		limit = handshakeTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel() // or running out of time: it closes raw
	secure := tls.Server(raw, l.opts.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return
	}
	var c net.Conn = secure
	if secure.ConnectionState().NegotiatedProtocol != "h2" {
		c = &secureConn{newConn(l, secure)}
	}
	select {
	case l.ready <- c:
	case <-ctx.Done():
		_ = c.Close()
	}
}

// Close ends accepting. Connections live on.
func (l *Listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		l.end()
		err = l.Listener.Close()
		l.running.Wait()
	})
	return err
}

// Drain waits until no answer is being written by an Answerer, or ctx is done. After the server's Shutdown, which does not know
// of them, it is what is left to wait for.
func (l *Listener) Drain(ctx context.Context) error {
	for {
		c := l.busy()
		if c == nil {
			return nil
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Listener) busy() *Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.turn.Load() != resting {
			return c
		}
	}
	return nil
}

// stop ends the connections on which no request has begun, and lets the server have what comes on the others.
func (l *Listener) stop() {
	l.stopping.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.nudge()
	}
}

// own returns the connection behind nc if it is one of this listener.
func (l *Listener) own(nc net.Conn) *Conn {
	var c *Conn
	switch nc := nc.(type) {
	case *plainConn:
		c = nc.Conn
	case *secureConn:
		c = nc.Conn
	}
	if c == nil || c.l != l {
		return nil
	}
	return c
}
