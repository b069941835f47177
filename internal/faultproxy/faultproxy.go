// Package faultproxy is a TCP proxy that misbehaves on demand, for tests of what talks to remote servers. The faults it
// makes are the same in every run with the same seed and the same traffic.
package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Fault says how the proxy misbehaves. The zero value passes bytes on unharmed. Faults act on what the server sends,
// unless a field says otherwise.
type Fault struct {
	// Delay holds back every chunk.
	Delay time.Duration
	// Drop swallows every byte in both directions and keeps the connection open: a black hole.
	Drop bool
	// Mute accepts connections and never dials the server: a half-open peer. Connections that are open are swallowed.
	Mute bool
	// Reset answers the next bytes with a TCP reset.
	Reset bool
	// Refuse closes new connections at once, and open ones at their next bytes.
	Refuse bool
	// Truncate closes a connection after that many bytes since it was opened or the fault was set; 0 is off.
	Truncate int
	// Stall passes that many bytes since the connection was opened or the fault was set and swallows the rest; 0 is off.
	Stall int
	// Flip inverts one random bit in a byte with this probability.
	Flip float64
	// Slice, if not 0, cuts what passes into chunks of at most that many bytes, each in a segment of its own.
	Slice int
	// Reply, if not nil, is sent instead of each chunk of the server's.
	Reply []byte
	// Once spends the fault on the next chunk of the server's: the proxy is healed before the client sees the harm.
	Once bool
}

// Proxy forwards connections to one server. Its methods are safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	done     chan struct{} // closed by Close
	fault    atomic.Pointer[setting]
	seed     uint64
	accepted atomic.Uint64

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu; nil once closed
	wg    sync.WaitGroup
}

// setting is a fault and the count of faults set before it, from which connections see that it is new.
type setting struct {
	Fault
	epoch uint64
}

// New returns a proxy on a free loopback port in front of target, a host:port. seed decides which bits Flip inverts.
func New(target string, seed uint64) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: l, done: make(chan struct{}), seed: seed, conns: make(map[net.Conn]struct{})}
	p.fault.Store(&setting{})
	p.wg.Go(p.serve)
	return p, nil
}

// Addr returns the proxy's host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set makes the proxy misbehave as f says from the next chunk on, on new and open connections. The zero Fault heals it;
// connections that were swallowed stay so, as after a real outage.
func (p *Proxy) Set(f Fault) { p.fault.Store(&setting{Fault: f, epoch: p.fault.Load().epoch + 1}) }

// Accepted returns how many connections there were.
func (p *Proxy) Accepted() uint64 { return p.accepted.Load() }

// CloseConns closes the connections that are open now.
func (p *Proxy) CloseConns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Close ends the proxy and its connections and returns when the last goroutine has ended. It is idempotent.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	if p.conns != nil {
		close(p.done)
	}
	for c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		n := p.accepted.Add(1)
		if !p.track(c) {
			continue
		}
		p.wg.Go(func() { p.handle(c, n) })
	}
}

// track registers a connection to be closed by Close; a connection that comes too late is closed at once.
func (p *Proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		_ = c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// dialTimeout bounds the dial to the server, which is on this machine.
const dialTimeout = 2 * time.Second

func (p *Proxy) handle(client net.Conn, n uint64) {
	defer p.drop(client)
	f := p.fault.Load()
	if f.Refuse {
		return
	}
	if f.Mute {
		swallow(client)
		return
	}
	server, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(context.Background(), "tcp", p.target)
	if err != nil || !p.track(server) {
		return
	}
	defer p.drop(server)
	var both sync.WaitGroup
	both.Go(func() {
		defer server.Close()
		p.forward(server, client)
	})
	both.Go(func() {
		defer client.Close()
		p.answer(client, server, rand.New(rand.NewPCG(p.seed, n)))
	})
	both.Wait()
}

// forward copies what the client sends.
func (p *Proxy) forward(server, client net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := client.Read(buf)
		if err != nil || !p.fault.Load().passes(client, client) {
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// answer copies what the server sends, harming it as the current fault asks.
func (p *Proxy) answer(client, server net.Conn, rnd *rand.Rand) {
	buf := make([]byte, 32<<10)
	var passed int
	var epoch uint64
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		f := p.fault.Load()
		if f.epoch != epoch {
			passed, epoch = 0, f.epoch
		}
		if f.Once {
			p.fault.CompareAndSwap(f, &setting{epoch: f.epoch + 1})
		}
		if !f.passes(client, server) || !p.wait(f.Delay) || !f.harm(client, server, buf[:n], passed, rnd) {
			return
		}
		passed += n
	}
}

// passes reports whether bytes read from src may go on at all, after it has dealt with them otherwise.
func (f *setting) passes(client, src net.Conn) bool {
	switch {
	case f.Refuse:
		return false
	case f.Drop || f.Mute:
		swallow(src)
		return false
	case f.Reset:
		if tcp, ok := client.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // makes Close send RST
		}
		_ = client.Close()
		return false
	}
	return true
}

// harm sends one chunk of the server's to the client and reports whether the connection goes on.
func (f *setting) harm(client, server net.Conn, b []byte, passed int, rnd *rand.Rand) bool {
	if f.Reply != nil {
		b = bytes.Clone(f.Reply)
	}
	for i := range b {
		if f.Flip > 0 && rnd.Float64() < f.Flip {
			b[i] ^= 1 << rnd.IntN(8)
		}
	}
	limit := max(f.Truncate, f.Stall)
	over := limit > 0 && passed+len(b) > limit
	if over {
		b = b[:max(limit-passed, 0)]
	}
	if !send(client, b, f.Slice) {
		return false
	}
	if over && f.Stall > 0 {
		swallow(server)
	}
	return !over
}

func send(dst net.Conn, b []byte, slice int) bool {
	if slice <= 0 {
		slice = max(len(b), 1)
	}
	for len(b) > 0 {
		n := min(slice, len(b))
		if _, err := dst.Write(b[:n]); err != nil {
			return false
		}
		b = b[n:]
	}
	return true
}

// wait holds a chunk back and reports whether the proxy still runs.
func (p *Proxy) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.done:
		return false
	}
}

// swallow reads what comes and forgets it, until the connection ends.
func swallow(c net.Conn) {
	buf := make([]byte, 4<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}
