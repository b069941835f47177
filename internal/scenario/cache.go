package scenario

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/resp"
	"github.com/edgecache/edgecache/plugins"
)

// cache is a cache in memory with the plugin in it, and a client's connection to it.
type cache struct {
	plugin *plugins.Plugin
	memory *memory.Backend
	core   *core.Cache
	server *resp.Server
	served chan error // what Serve returns
	conn   net.Conn
	reader *bufio.Reader
	failed uint64 // failures of the plugin that were reported
}

// open makes a cache with the plugin that src is. What was made before an error is given back.
func open(ctx context.Context, host *plugins.Host, src plugins.Source) (c *cache, err error) {
	c = &cache{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close(ctx))
		}
	}()
	if c.plugin, err = host.Load(ctx, src); err != nil {
		return c, err
	}
	if c.memory, err = memory.New(memory.Options{}); err != nil {
		return c, err
	}
	c.core, err = core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: c.memory}}})
	if err != nil {
		return c, errors.Join(err, c.memory.Close())
	}
	var hooks []core.Hook
	var observers []core.Observer
	if h := c.plugin.Hook(); h != nil {
		hooks = append(hooks, h)
	}
	if o := c.plugin.Observer(); o != nil {
		observers = append(observers, o)
	}
	if err := c.core.SetHooks(hooks, observers); err != nil {
		return c, err
	}
	return c, c.serve(ctx)
}

// serve puts the cache on a loopback address and connects to it.
func (c *cache) serve(ctx context.Context) error {
	server, err := resp.New(c.core, resp.Options{})
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.server, c.served = server, make(chan error, 1)
	go func() { c.served <- server.Serve(ln) }()
	var d net.Dialer
	if c.conn, err = d.DialContext(ctx, "tcp", ln.Addr().String()); err != nil {
		return err
	}
	c.reader = bufio.NewReader(c.conn)
	return nil
}

// commandTimeout bounds one command.
const commandTimeout = 30 * time.Second

// do sends a command and returns the lines of its reply.
func (c *cache) do(words []string) ([]string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(commandTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(encode(words)); err != nil {
		return nil, err
	}
	lines, err := readReply(c.reader)
	if err != nil {
		return nil, fmt.Errorf("no reply: %w", err)
	}
	return lines, nil
}

// entry returns what the memory tier holds, or nil.
func (c *cache) entry(ctx context.Context, k key) (*core.Entry, error) {
	name := k.name
	if k.namespace != "" {
		name = k.namespace + ":" + name
	}
	e, err := c.memory.Get(ctx, name)
	if errors.Is(err, core.ErrNotFound) {
		return nil, nil //nolint:nilnil // nothing is there
	}
	return e, err
}

// failures returns how often the plugin has failed since the last time.
func (c *cache) failures() uint64 {
	var n uint64
	for _, count := range c.plugin.Stats().Failures {
		n += count
	}
	last := c.failed
	c.failed = n
	return n - last
}

// close ends all parts that there are.
func (c *cache) close(ctx context.Context) error {
	var errs []error
	if c.conn != nil {
		c.conn.Close()
	}
	if c.server != nil {
		errs = append(errs, c.server.Shutdown(ctx), <-c.served)
	}
	if c.core != nil {
		errs = append(errs, c.core.Close())
	}
	if c.plugin != nil {
		errs = append(errs, c.plugin.Close(ctx))
	}
	return errors.Join(errs...)
}

// metric returns a counter or gauge that the plugin defined.
func metric(p *plugins.Plugin, name string) (float64, error) {
	var names []string
	for _, m := range p.Stats().Metrics {
		switch {
		case m.Name != name:
			names = append(names, m.Name)
		case m.Buckets != nil:
			return 0, errors.New("it is a histogram, no single figure")
		default:
			return float64(m.Value), nil
		}
	}
	return 0, fmt.Errorf("the plugin has defined no metric %q, only %q", name, names)
}
