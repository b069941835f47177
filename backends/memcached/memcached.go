// Package memcached is a backend over one or several memcached servers, 1.6 or later.
//
// Values are stored in the envelope of package codec, which carries version, flags and expiry and proves that a value is
// what was written under its key; decimal numbers without flags are stored as plain digits, so that memcached's own
// counters work on them. With the option Raw every value is stored as plain bytes with memcached's flags, as other
// clients of the same servers read and write them; version and codec are then lost, and nothing notices damage.
//
// Memcached counts time in seconds. An envelope ends to the nanosecond all the same, plain values end with the second:
// times to live are rounded up, but memcached's clock may tick right after the write.
//
// Two clients share the servers. gomemcache does the plain writes. What needs more than it has is done by a client of the
// meta protocol: reads that return the time to live, batches in one round trip, counters, compare and swap. Reads
// belong there also because a hostile length makes gomemcache allocate gigabytes.
package memcached

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/edgecache/edgecache/backends/internal/keyscan"
	"github.com/edgecache/edgecache/core"
)

// Values says how values are stored.
type Values uint8

const (
	// Enveloped stores values with their metadata and a checksum.
	Enveloped Values = iota
	// Raw stores the bytes of values alone.
	Raw
)

// Options configures a Backend.
type Options struct {
	// Values says how values are stored. All users of a key must agree.
	Values Values
	// Timeout bounds each round trip, the dial before it included, where the context does not end earlier. 0 means
	// 250 ms.
	Timeout time.Duration
	// MaxConns bounds the connections to each server that each of the two clients has; calls beyond wait. 0 means 64.
	MaxConns int
	// MaxValue is the size in bytes of the largest value: a larger one is not sent (core.ErrTooLarge), and a reply with
	// a larger one closes its connection. What memcached's own limit refuses is core.ErrTooLarge too. 0 means 64 MiB.
	MaxValue int
	// Owned says that the servers hold nothing but this cache: clearing everything is then one flush_all.
	Owned bool
}

const (
	defaultTimeout  = 250 * time.Millisecond
	defaultMaxConns = 64
	defaultMaxValue = 64 << 20
	defaultPort     = "11211"
)

// Backend is a group of memcached servers. Each key lives on one of them, found by rendezvous hashing: all clients with
// the same list, in any order, agree, and a server more or less moves only its share of the keys. It is safe for
// concurrent use. Methods block until the reply, the end of the context or Options.Timeout.
type Backend struct {
	opts    Options
	servers *selector
	plain   *memcache.Client
	slots   chan struct{} // one for each call of plain under way
	scans   *keyscan.Scans
	damaged atomic.Int64

	closing sync.RWMutex
	closed  bool           // guarded by closing
	calls   sync.WaitGroup // what is under way; grows only under closing
}

var (
	_ core.Backend            = (*Backend)(nil)
	_ core.Updater            = (*Backend)(nil)
	_ core.Counter            = (*Backend)(nil)
	_ core.ConditionalSetter  = (*Backend)(nil)
	_ core.Expirer            = (*Backend)(nil)
	_ core.BatchGetter        = (*Backend)(nil)
	_ core.BatchSetter        = (*Backend)(nil)
	_ core.BatchDeleter       = (*Backend)(nil)
	_ core.Scanner            = (*Backend)(nil)
	_ core.Clearer            = (*Backend)(nil)
	_ core.Rawer              = (*Backend)(nil)
	_ core.Pinger             = (*Backend)(nil)
	_ core.DecodeErrorCounter = (*Backend)(nil)
)

// Open returns a backend for servers, each host, host:port or the absolute path of a Unix socket. The names are hashed
// as they are written: all clients must write them alike. It does not connect: the first call does.
func Open(servers []string, opts Options) (*Backend, error) {
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.MaxConns <= 0 {
		opts.MaxConns = defaultMaxConns
	}
	if opts.MaxValue <= 0 {
		opts.MaxValue = defaultMaxValue
	}
	sel := &selector{}
	for _, name := range servers {
		addr, err := parseAddress(name)
		if err != nil {
			return nil, err
		}
		if err := sel.add(newServer(addr, &opts)); err != nil {
			return nil, err
		}
	}
	if len(sel.servers) == 0 {
		return nil, errors.New("memcached: no servers: name at least one host:port")
	}
	plain := memcache.NewFromSelector(sel)
	plain.Timeout, plain.MaxIdleConns = opts.Timeout, opts.MaxConns
	return &Backend{
		opts: opts, servers: sel, plain: plain, scans: keyscan.New(),
		slots: make(chan struct{}, opts.MaxConns*len(sel.servers)),
	}, nil
}

// address is where a server is. It is dialled by name, so that a change in DNS is followed.
type address struct{ network, name string }

// Network and String make an address a net.Addr.
func (a address) Network() string { return a.network }

func (a address) String() string { return a.name }

func parseAddress(name string) (address, error) {
	if path.IsAbs(name) {
		return address{"unix", name}, nil
	}
	host, port, err := net.SplitHostPort(name)
	if err != nil && !strings.Contains(name, ":") {
		host, port, err = name, defaultPort, nil
	}
	if err != nil || host == "" || port == "" {
		return address{}, fmt.Errorf("memcached: server %q is neither host:port nor the path of a Unix socket", name)
	}
	return address{"tcp", net.JoinHostPort(host, port)}, nil
}

// do runs a call to a server: it keeps Close waiting, has a span where the context asks for one, and its error is turned
// into one of the core's. n is how many operations the call carries.
func (b *Backend) do(ctx context.Context, op string, s *server, n int, call func(context.Context) error) error {
	if !b.enter() {
		return core.ErrClosed
	}
	defer b.calls.Done()
	ctx, finish := startSpan(ctx, op, s, n)
	err := ctx.Err()
	if err == nil {
		err = call(ctx)
	}
	err = b.fail(ctx, err)
	finish(err)
	return err
}

// enter adds one to the calls under way, unless the backend is closed.
func (b *Backend) enter() bool {
	b.closing.RLock()
	defer b.closing.RUnlock()
	if b.closed {
		return false
	}
	b.calls.Add(1)
	return true
}

func (b *Backend) isClosed() bool {
	b.closing.RLock()
	defer b.closing.RUnlock()
	return b.closed
}

// write runs a call of gomemcache, which knows no context: it goes on in the background, for Options.Timeout at most,
// where the context ends first.
func (b *Backend) write(ctx context.Context, op string, s *server, call func() error) error {
	return b.do(ctx, op, s, 1, func(ctx context.Context) error {
		select {
		case b.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		done := make(chan error, 1)
		b.calls.Go(func() { // calls is not 0: do has added one
			defer func() { <-b.slots }()
			done <- recovered(call)
		})
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// recovered turns a panic of call into an error.
func recovered(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("client panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return call()
}

// Ping asks every server whether it is there.
func (b *Backend) Ping(ctx context.Context) error {
	for _, s := range b.servers.servers {
		if err := b.do(ctx, "ping", s, 1, func(ctx context.Context) error {
			return s.exchange(ctx, []byte("mn\r\n"), 1, true, func(_ int, r *reply) error { return r.want("MN") })
		}); err != nil {
			return err
		}
	}
	return nil
}

// DecodeErrors returns how many stored values were damaged and read as misses.
func (b *Backend) DecodeErrors() int64 { return b.damaged.Load() }

// Close closes the connections and returns when the calls under way have ended. They fail, or time out.
func (b *Backend) Close() error {
	b.closing.Lock()
	b.closed = true
	b.closing.Unlock()
	for _, s := range b.servers.servers {
		s.close()
	}
	b.calls.Wait()
	b.scans.Clear()
	return b.plain.Close()
}
