package resp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Server serves a cache to Redis clients. It is safe for concurrent use.
type Server struct {
	cache    *core.Cache
	opts     Options
	logins   logins
	commands *table
	started  time.Time
	work     sync.Pool // of *work

	// seconds counts since the server began to serve: the clock of all timeouts, which need no better one.
	seconds     atomic.Int64
	maxClients  atomic.Int64 // CONFIG SET may change these two
	idleTimeout atomic.Int64 // in seconds

	mu        sync.Mutex
	conns     map[int64]*conn           // guarded by mu
	listeners map[net.Listener]struct{} // guarded by mu
	lastID    int64                     // guarded by mu
	watching  bool                      // guarded by mu: watch is running
	closing   atomic.Bool               // set under mu
	stop      chan struct{}             // closed when closing is set
	running   sync.WaitGroup            // connections and watch

	stats counters
}

type counters struct {
	accepted, refused, commands, protocolErrors, killed atomic.Int64
}

// Stats is what a server has counted since it was made.
type Stats struct {
	// Connections are those open now, Accepted all that there have been, Refused those sent away: too many, or not
	// allowed in.
	Connections, Accepted, Refused int64
	// Commands counts what clients sent, unknown commands included.
	Commands int64
	// ProtocolErrors counts the connections closed because what came was no command.
	ProtocolErrors int64
	// Killed counts the connections closed for exceeding a limit or a timeout.
	Killed int64
}

// New returns a Server for cache and the namespaces below it. The caller closes the cache, after the server.
func New(cache *core.Cache, o Options) (*Server, error) {
	if cache == nil {
		return nil, errors.New("resp: a cache is needed")
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cache: cache, opts: o, logins: newLogins(o), commands: newTable(), started: time.Now(),
		conns: make(map[int64]*conn), listeners: make(map[net.Listener]struct{}), stop: make(chan struct{}),
	}
	s.work.New = func() any { return &work{reply: reply{limit: o.OutputLimit}} }
	s.maxClients.Store(int64(o.MaxClients))
	s.idleTimeout.Store(int64(o.IdleTimeout / time.Second))
	return s, nil
}

// Serve accepts connections from ln, which it closes in the end. It returns nil after Shutdown, else why it could not
// go on. Several listeners may be served at once.
func (s *Server) Serve(ln net.Listener) error {
	defer s.forget(ln)
	if !s.begin(ln) {
		return nil
	}
	for pause := time.Duration(0); ; {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.welcome(nc)
		case s.closing.Load():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // too many open files, mostly
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.opts.Logger.Error("accepting failed", slog.Any("error", err))
			if !s.pause(pause) {
				return nil
			}
		}
	}
}

// begin notes the listener, and reports whether the server is not closing.
func (s *Server) begin(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.listeners[ln] = struct{}{}
	if !s.watching {
		s.watching = true
		s.running.Go(s.watch)
	}
	return true
}

// forget closes a listener that is no longer served.
func (s *Server) forget(ln net.Listener) {
	s.mu.Lock()
	delete(s.listeners, ln)
	s.mu.Unlock()
	_ = ln.Close() // Shutdown may have done it already
}

// pause waits for d, or returns false if the server closes.
func (s *Server) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.stop:
		return false
	}
}

// welcome begins to serve a connection, unless it must be refused.
func (s *Server) welcome(nc net.Conn) {
	if !s.opts.Unprotected && !s.logins.required && !isLocal(nc.RemoteAddr()) {
		s.refuse(nc, protectedText)
		return
	}
	c, ok := s.add(nc)
	if !ok {
		s.refuse(nc, "-ERR max number of clients reached\r\n")
		return
	}
	s.stats.accepted.Add(1)
	go c.serve()
}

// refuse sends a connection away.
func (s *Server) refuse(nc net.Conn, text string) {
	s.stats.refused.Add(1)
	_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = nc.Write([]byte(text))
	_ = nc.Close()
}

const protectedText = "-DENIED edgecache is running in protected mode: no password is set, so that connections are only " +
	"accepted from the loopback interface. Set a password, or switch protected mode off if only trusted clients can " +
	"reach this address.\r\n"

// isLocal reports whether a peer is on this machine.
func isLocal(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return true // a unix socket or a pipe
	}
	ip, _ := netip.AddrFromSlice(tcp.IP)
	return ip.Unmap().IsLoopback()
}

// add registers a connection, and reports whether there is room.
func (s *Server) add(nc net.Conn) (*conn, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() || int64(len(s.conns)) >= s.maxClients.Load() {
		return nil, false
	}
	s.lastID++
	c := newConn(s, nc, s.lastID)
	s.conns[c.id] = c
	s.running.Add(1)
	return c, true
}

// remove forgets a connection that has ended.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.conns, c.id)
	s.mu.Unlock()
	s.running.Done()
}

// clients returns the connections that are open, in the order they came.
func (s *Server) clients() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	sortByID(all)
	return all
}

// watch keeps the clock of the timeouts and looks after the connections every second. Timers of the connections' own would
// cost each command more than this costs all of them.
func (s *Server) watch() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.sweep(s.seconds.Add(1))
		case <-s.stop:
			return
		}
	}
}

// sweep closes the connections that are overdue and lets quiet ones rest.
func (s *Server) sweep(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if why := c.overdue(now); why != "" {
			s.stats.killed.Add(1)
			s.opts.Logger.Debug("connection closed", slog.Int64("client", c.id), slog.String("why", why))
			_ = c.nc.Close()
		} else {
			c.rouse(now)
		}
	}
}

// Stats returns a snapshot.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open := len(s.conns)
	s.mu.Unlock()
	return Stats{
		Connections: int64(open), Accepted: s.stats.accepted.Load(), Refused: s.stats.refused.Load(),
		Commands: s.stats.commands.Load(), ProtocolErrors: s.stats.protocolErrors.Load(), Killed: s.stats.killed.Load(),
	}
}

// Shutdown stops accepting, lets every connection finish the commands that it has read, closes it, and returns when all
// have ended. If ctx is done first, what still runs is cut off and the context's error returned. It is idempotent.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	for _, c := range s.clients() {
		_ = c.nc.Close()
	}
	<-ended
	return ctx.Err()
}

// close ends accepting and wakes the connections that wait for commands.
func (s *Server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing.Swap(true) {
		close(s.stop)
	}
	for ln := range s.listeners {
		_ = ln.Close()
	}
	for _, c := range s.conns {
		_ = c.nc.SetReadDeadline(past)
	}
}

// past is a deadline that has passed. It is never changed.
var past = time.Unix(1, 0)
