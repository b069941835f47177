// Package redis is a backend over Redis and servers that speak its protocol: standalone, cluster or behind sentinels.
//
// Values are stored in the envelope of package codec, which carries version, flags and expiry and proves that a value is
// what was written under its key; decimal numbers without flags are stored as plain digits, so that the server's own
// counter commands work on them. With the option Raw every value is stored as plain bytes, as other clients of the same
// server read and write them; version, flags and codec are then lost, and nothing notices damage.
//
// The server's time to live and the envelope's expiry are always set together. The server's decides whether a key is
// there; the envelope's tells a Get the expiry without a second question. Where they differ, because clocks do or because
// another client used EXPIRE or PERSIST on an enveloped key, an entry beyond its envelope's expiry is returned as one that
// ends within a millisecond.
package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

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
	// 250 ms. The URL's parameter timeout wins.
	Timeout time.Duration
	// PoolSize is how many connections are kept to each server. 0 means 10 per processor. The URL's parameter pool_size
	// wins.
	PoolSize int
	// MaxValue is the size in bytes of the largest value: a larger one is not sent (core.ErrTooLarge), and a reply with
	// a larger one closes its connection. 0 means 64 MiB.
	MaxValue int
	// Owned says that the database holds nothing but this cache: clearing everything is then one FLUSHDB.
	Owned bool
}

const (
	defaultTimeout  = 250 * time.Millisecond
	defaultMaxValue = 64 << 20
)

// Backend is a Redis database. It is safe for concurrent use. Every method that talks to the server blocks until the
// reply, the end of the context or Options.Timeout; cancelling a context is noticed before a round trip, not during it.
type Backend struct {
	client  redis.UniversalClient
	lent    bool                 // client is somebody else's
	cluster *redis.ClusterClient // client if it is one, else nil
	opts    Options
	closed  atomic.Bool
	damaged atomic.Int64
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

// Open returns a backend for the servers that url names. It does not connect: the first command does. The forms are
//
//	redis://[[user]:password@]host[:port][/database]
//	rediss://...                                              the same over TLS
//	unix://[[user]:password@]/path/to.sock[?db=database]
//	redis+cluster://[[user]:password@]host[:port],host[:port],...
//	rediss+cluster://...                                      the same over TLS
//	redis+sentinel://master[:password]@host[:port],host[:port],...[/database]
//	rediss+sentinel://...                                     the same over TLS, sentinels too
//
// Ports default to 6379, those of sentinels to 26379. Parameters, after "?": timeout=250ms, pool_size=20,
// protocol=2|3, client_name=NAME; with TLS skip_verify=true; with sentinels username=USER for the servers,
// sentinel_username=USER and sentinel_password=PASSWORD for the sentinels.
func Open(url string, opts Options) (*Backend, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	if t.timeout != 0 {
		opts.Timeout = t.timeout
	}
	if t.poolSize != 0 {
		opts.PoolSize = t.poolSize
	}
	opts.setDefaults()
	b := &Backend{opts: opts, client: t.connect(&opts)}
	b.cluster, _ = b.client.(*redis.ClusterClient)
	return b, nil
}

// New returns a backend over a client that the program has already: a *redis.Client, of one server or by sentinels, or a
// *redis.ClusterClient. It works as its owner has set it up: with its pool, its retries, its hooks, and without Open's spans
// and Open's checks of replies, so that MaxValue is for writes alone. ContextTimeoutEnabled should be set, else
// Options.Timeout is only looked at between round trips. PoolSize means nothing here.
//
// The client stays the caller's: Close leaves it open.
func New(client redis.UniversalClient, opts Options) (*Backend, error) {
	opts.setDefaults()
	b := &Backend{opts: opts, client: client, lent: true}
	switch c := client.(type) {
	case *redis.Client:
		if c != nil {
			return b, nil
		}
	case *redis.ClusterClient:
		if b.cluster = c; c != nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("redis: a client of type %T: a *redis.Client or a *redis.ClusterClient is wanted", client)
}

func (o *Options) setDefaults() {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxValue <= 0 {
		o.MaxValue = defaultMaxValue
	}
}

// Close closes the connections, unless the client is the caller's. It is idempotent; commands under way fail.
func (b *Backend) Close() error {
	if b.closed.CompareAndSwap(false, true) && !b.lent {
		return b.client.Close()
	}
	return nil
}

// Ping asks the server, or one of a cluster's, whether it is there.
func (b *Backend) Ping(ctx context.Context) error {
	return b.read(ctx, func(ctx context.Context) error { return b.client.Ping(ctx).Err() })
}

// Raw runs a Redis command and returns go-redis's form of the reply, nil for a nil reply. In a cluster it goes to the
// master of its first key, or to any master if it has none. It is sent once and not retried.
func (b *Backend) Raw(ctx context.Context, args ...any) (any, error) {
	cmd := redis.NewCmd(ctx, args...)
	err := b.write(ctx, cmd)
	if errors.Is(err, core.ErrNotFound) {
		return nil, nil //nolint:nilnil // a nil reply is a reply
	}
	if err != nil {
		return nil, err
	}
	return cmd.Val(), nil
}

// DecodeErrors returns how many stored values were damaged and read as misses.
func (b *Backend) DecodeErrors() int64 { return b.damaged.Load() }

// read runs a call that may be repeated. A connection that the server has closed meanwhile gets a second chance.
func (b *Backend) read(ctx context.Context, call func(ctx context.Context) error) error {
	ctx, cancel, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	err = call(ctx)
	if connectionLost(err) && ctx.Err() == nil {
		err = call(ctx)
	}
	return b.fail(ctx, err)
}

// write sends one command, once: a write whose reply was lost may have taken place, and a second one might undo
// somebody else's.
func (b *Backend) write(ctx context.Context, cmd redis.Cmder) error {
	ctx, cancel, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return b.fail(ctx, b.client.Process(ctx, once{cmd}))
}

// writeAll sends commands in one round trip, each once. The commands hold their own errors; fail turns them into the
// core's. The error returned is for a failure before anything was sent.
func (b *Backend) writeAll(ctx context.Context, cmds []redis.Cmder) (fail func(error) error, err error) {
	call, cancel, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	pipe := b.client.Pipeline()
	for _, cmd := range cmds {
		_ = pipe.Process(call, once{cmd}) // a pipeline only queues here
	}
	_, _ = pipe.Exec(call) // the first of the commands' errors
	return func(err error) error { return b.fail(ctx, err) }, nil
}

// once is a command that the client never sends a second time by itself.
type once struct{ redis.Cmder }

// NoRetry tells go-redis so.
func (once) NoRetry() bool { return true }

// begin refuses what can't succeed and gives a context without an earlier deadline the backend's.
func (b *Backend) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if b.closed.Load() {
		return nil, nil, core.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, b.fail(ctx, err)
	}
	if d, ok := ctx.Deadline(); ok && time.Until(d) <= b.opts.Timeout {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	return ctx, cancel, nil
}

// connectionLost reports whether the server ended the connection, as a restarted one does with those it had.
func connectionLost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
