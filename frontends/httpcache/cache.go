// Package httpcache is the frontend that keeps responses of HTTP origins as RFC 9111 says: as a handler before others, as a proxy
// before an origin, and as a transport of clients.
//
// An exchange goes one straight way: hooks on the request, key, lookup, hooks on what was found, the decision of package rfc9111
// on its reuse, and then it is delivered, or validated, or fetched. What is fetched may be stored while it comes, and others that
// want the same get it from there, without waiting for its end.
package httpcache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/rfc9111"
)

// Cache answers requests from what it has stored, or lets an origin answer. It is safe for concurrent use; Close must follow.
type Cache struct {
	options     Options
	profile     rfc9111.Profile
	index       *invalid.Index
	store       *store.Store
	flights     *flights
	uncacheable *memory
	voids       *voids
	coder       *coder // nil where nothing is compressed
	hooks       hooks
	watchers    *watchers // nil for none
	searches    searches
	counts      counts
	tracer      trace.Tracer        // nil for none
	metrics     metric.Registration // nil for none
	pool        sync.Pool           // of *exchange
	via         []string            // for messages that have been through no gateway yet

	refreshes chan struct{} // one for each refresh under way
	closing   context.Context
	shut      context.CancelFunc
	mu        sync.Mutex // guards closed, and work from growing afterwards
	closed    bool
	work      sync.WaitGroup // refreshes, compressions, removals
}

// New returns a Cache of o.
func New(o Options) (*Cache, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Cache{
		options: o, profile: o.profile(), flights: newFlights(o.LockAge, o.MaxWaiters), uncacheable: newMemory(o.UncacheableFor), voids: newVoids(),
		refreshes: make(chan struct{}, o.Refreshers), via: []string{"1.1 " + o.Name},
	}
	if o.TracerProvider != nil {
		c.tracer = o.TracerProvider.Tracer(scope)
	}
	c.hooks, c.watchers = newHooks(o.Hooks), watch(o.Observers)
	c.pool.New = func() any { return new(exchange) }
	c.closing, c.shut = context.WithCancel(context.Background())
	if c.index, err = invalid.New(c.closing, invalid.Options{Cache: o.Cache.Namespace("purges"), Logger: o.Logger}); err != nil {
		c.shut()
		return nil, fmt.Errorf("httpcache: %w", err)
	}
	c.store, err = store.New(store.Options{
		Cache: o.Cache.Namespace("responses"), Index: c.index, MaxObject: o.MaxObject, FillBytes: o.MaxFilling, Logger: o.Logger,
	})
	if err != nil {
		c.shut()
		_ = c.index.Close() // never fails
		return nil, fmt.Errorf("httpcache: %w", err)
	}
	if c.coder, err = newCoder(c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.instrument(o.MeterProvider); err != nil {
		return nil, errors.Join(fmt.Errorf("httpcache: %w", err), c.Close())
	}
	return c, nil
}

// profile returns how the RFCs are read.
func (o *Options) profile() rfc9111.Profile {
	p := rfc9111.Safe()
	if o.Profile == RFC {
		p = rfc9111.RFC()
	}
	p.Private, p.Targets = o.Private, o.Targets
	p.StaleWhileRevalidate, p.StaleIfError = o.StaleWhileRevalidate, o.StaleIfError
	return p
}

// Handler returns a handler that answers what c can and lets next answer the rest. Panics of next come through.
func (c *Cache) Handler(next http.Handler) http.Handler {
	return &handler{c: c, origin: ForwarderFunc(func(w http.ResponseWriter, r *http.Request) error {
		next.ServeHTTP(w, r)
		return nil
	})}
}

// Proxy returns a handler that answers what c can and forwards the rest to origin, as a gateway does: messages get a Via.
func (c *Cache) Proxy(origin Forwarder) http.Handler {
	return &handler{c: c, origin: origin, gateway: true}
}

// handler is a Cache before an origin.
type handler struct {
	c       *Cache
	origin  Forwarder
	gateway bool
	client  bool // it is a Transport's
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == methodPurge && !h.client {
		h.c.servePurge(w, r)
		return
	}
	x := h.c.pool.Get().(*exchange)
	x.begin(h, w, r)
	x.run()
	x.record()
	if !x.shared { // neither goroutines nor a panic have it
		x.end()
		h.c.pool.Put(x)
	}
}

// Close waits for refreshes under way, which it cuts short. It is idempotent. Handlers must not be in use any more. What is
// stored stays.
func (c *Cache) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	c.shut()
	c.work.Wait()
	if closed {
		return nil
	}
	c.watchers.close()
	errs := []error{c.store.Close(), c.index.Close()}
	if c.metrics != nil {
		errs = append(errs, c.metrics.Unregister())
	}
	return errors.Join(errs...)
}

// warn logs what went wrong beside a request.
func (c *Cache) warn(what string, err error) {
	c.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, what, slog.Any("error", err))
}
