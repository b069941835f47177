package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/backends/file"
	"github.com/edgecache/edgecache/backends/memcached"
	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/frontends/resp"
	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/internal/telemetry"
	"github.com/edgecache/edgecache/observers/shadow"
	"github.com/edgecache/edgecache/plugins"
	"github.com/edgecache/edgecache/plugins/set"
)

// server is the parts of a cache that serves, put together. A part is nil until it was made, or if it is left out.
type server struct {
	settings *config.Run
	logger   *slog.Logger
	started  time.Time

	telemetry *telemetry.Telemetry
	tiers     []core.Tier
	shadow    *shadow.Shadow // nil where there shall be none
	cache     *core.Cache
	host      *plugins.Host         // nil where nothing is a guest
	policy    *plugins.PolicyModule // nil where no guest evicts
	plugins   *set.Set              // nil where there shall be no plugins
	beside    []*plugins.Plugin     // loaded, and not in plugins: their hooks are not those of commands
	captures  *captures

	resp      *resp.Server
	admin     *http.Server
	respAddr  net.Listener
	adminAddr net.Listener

	saves    bool // stop saves the memory tier
	stopping atomic.Bool
}

// wire makes a server out of settings, from the inside out: telemetry, tiers, cache, plugins, frontends. If a part can't
// be made, those that were are given back.
func wire(ctx context.Context, settings *config.Run, logger *slog.Logger) (*server, error) {
	s := &server{settings: settings, logger: logger, started: time.Now()}
	logClients(logger)
	for _, part := range []func(context.Context) error{
		s.listen, s.wireTelemetry, s.wireHost, s.wireCache, s.wirePersist, s.wirePlugins, s.wireMetrics, s.wireCaptures, s.wireRESP, s.wireAdmin,
	} {
		if err := part(ctx); err != nil {
			return nil, errors.Join(err, s.stop(context.WithoutCancel(ctx)))
		}
	}
	return s, nil
}

// logClients sends what the clients of stores say beside commands to logger, and not to standard error. They have one
// logger for the process.
func logClients(logger *slog.Logger) { redis.LogTo(logger) }

// listen claims the addresses first, since another process on them is the likeliest failure.
func (s *server) listen(ctx context.Context) (err error) {
	if s.respAddr, err = listen(ctx, "resp", s.settings.RESP); err != nil {
		return err
	}
	s.adminAddr, err = listen(ctx, "admin", s.settings.Admin)
	return err
}

func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	if address == config.Off {
		return nil, nil //nolint:nilnil // no listener is what off asks for
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s (%s): %w", flag, config.EnvName(flag), err)
	}
	return ln, nil
}

func (s *server) wireTelemetry(ctx context.Context) (err error) {
	s.telemetry, err = telemetry.Start(ctx, telemetry.Options{Version: version(), Logger: s.logger})
	return err
}

func (s *server) wireHost(ctx context.Context) (err error) {
	if s.settings.NoPlugins && !s.settings.GuestPolicy() {
		return nil
	}
	s.host, err = newHost(ctx, s.settings, s.logger)
	return err
}

func (s *server) wireCache(ctx context.Context) error {
	policy, err := s.openPolicy(ctx)
	if err != nil {
		return err
	}
	tiers, err := openTiers(s.settings, policy, s.logger)
	if err != nil {
		return err
	}
	s.tiers = tiers
	o := core.Options{
		Tiers: tiers, TracerProvider: s.telemetry.TracerProvider(), MeterProvider: s.telemetry.MeterProvider(), Logger: s.logger,
		KeyHash: keyHash(s.settings.CaptureSalt), LogCommands: true, // at level debug
	}
	if s.settings.NoCache {
		o.Disabled = core.AllOps
		s.logger.LogAttrs(ctx, slog.LevelWarn, "caching is off: reads miss, and nothing is stored")
	}
	var reads readCount
	if s.shadow, err = newShadow(s.settings, policy, reads.read); err == nil {
		if s.shadow != nil {
			o.Sampler = s.shadow
		}
		s.cache, err = core.New(o)
	}
	reads.of(s.cache)
	if err != nil {
		err = errors.Join(err, closeTiers(tiers))
	}
	return err
}

// openTiers returns the memory tier and, behind it, that of files and the remote one if there are any.
func openTiers(settings *config.Run, policy *memory.Policy, logger *slog.Logger) ([]core.Tier, error) {
	near, err := memory.New(memory.Options{MaxBytes: settings.MaxMemory, Policy: policy, Logger: logger})
	if err != nil {
		return nil, err
	}
	tiers := []core.Tier{{Name: "memory", Backend: near}}
	if settings.Disk != "" {
		disk, err := file.New(file.Options{Dir: settings.Disk, MaxBytes: settings.DiskSize, Logger: logger})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--disk (EDGECACHE_DISK): %w", err), near.Close())
		}
		tiers = append(tiers, core.Tier{Name: "disk", Backend: disk})
	}
	far, err := openRemote(settings)
	if err != nil {
		return nil, errors.Join(err, closeTiers(tiers))
	}
	if far != nil {
		for i := range tiers {
			tiers[i].MaxTTL = settings.L1TTL
		}
		tiers = append(tiers, *far)
	}
	return tiers, nil
}

func closeTiers(tiers []core.Tier) error {
	var errs []error
	for _, t := range tiers {
		errs = append(errs, t.Backend.Close())
	}
	return errors.Join(errs...)
}

// openPolicy returns what the memory tier evicts by, nil for the default.
func (s *server) openPolicy(ctx context.Context) (p *memory.Policy, err error) {
	switch {
	case s.settings.Policy == memory.Default:
		return nil, nil //nolint:nilnil // nil is how the tier is asked for it
	case runsGuest(s.settings):
		p, s.policy, err = guestPolicy(ctx, s.host, s.settings.Policy)
		return p, err
	}
	if p, err = memory.Native(s.settings.Policy); err != nil {
		return nil, usageError{fmt.Errorf("--policy (EDGECACHE_POLICY): %w", err)}
	}
	return p, nil
}

// openRemote returns the remote tier, or nil if there is none. It doesn't connect.
func openRemote(settings *config.Run) (*core.Tier, error) {
	raw := settings.Values == config.ValuesRaw
	switch {
	case settings.Redis != "":
		values := redis.Enveloped
		if raw {
			values = redis.Raw
		}
		backend, err := redis.Open(settings.Redis, redis.Options{Values: values})
		if err != nil {
			return nil, usageError{fmt.Errorf("--redis (EDGECACHE_REDIS): %w", err)}
		}
		return &core.Tier{Name: "redis", Backend: backend, Remote: true, System: "redis"}, nil
	case len(settings.Memcached) > 0:
		values := memcached.Enveloped
		if raw {
			values = memcached.Raw
		}
		backend, err := memcached.Open(settings.Memcached, memcached.Options{Values: values})
		if err != nil {
			return nil, usageError{fmt.Errorf("--memcached (EDGECACHE_MEMCACHED): %w", err)}
		}
		return &core.Tier{Name: "memcached", Backend: backend, Remote: true, System: "memcached"}, nil
	default:
		return nil, nil //nolint:nilnil // no tier is what the settings ask for
	}
}

func (s *server) wirePlugins(ctx context.Context) error {
	if s.settings.NoPlugins {
		return nil
	}
	s.plugins = set.New(set.Options{Host: s.host, Cache: s.cache, Grants: granted(s.settings.Grants), Logger: s.logger})
	return loadPlugins(ctx, s.plugins, s.settings)
}

func (s *server) wireMetrics(context.Context) error {
	if s.shadow != nil {
		if err := observeShadow(s.telemetry.MeterProvider(), s.shadow.Report); err != nil {
			return err
		}
	}
	return observePlugins(s.telemetry.MeterProvider(), s.allPlugins)
}

func (s *server) wireCaptures(context.Context) (err error) {
	if s.captures, err = startCaptures(s.cache, s.settings, s.logger); err != nil {
		return err
	}
	return observeCaptures(s.telemetry.MeterProvider(), s.captures)
}

func (s *server) wireRESP(context.Context) (err error) {
	if s.respAddr == nil {
		return nil
	}
	o := resp.Options{RequirePass: s.settings.Password, MaxMemory: s.settings.MaxMemory, Version: version(), Logger: s.logger}
	if tp := s.telemetry.TracerProvider(); tp != nil {
		o.Tracer, o.Sample = tp.Tracer("github.com/edgecache/edgecache/frontends/resp"), s.telemetry.Sample()
	}
	if s.resp, err = resp.New(s.cache, o); err != nil {
		return err
	}
	return observeRESP(s.telemetry.MeterProvider(), s.resp)
}

func (s *server) wireAdmin(context.Context) error {
	if s.adminAddr != nil {
		s.admin = admin.Server(admin.Handler(s.adminOptions()))
	}
	return nil
}

func (s *server) adminOptions() admin.Options {
	o := admin.Options{
		Cache: s.cache, Version: version(), Started: s.started, Metrics: s.telemetry.Handler(),
		Local: true, Stores: s.stores(), Ready: s.ready, Plugins: s.loaded, PProf: s.settings.PProf,
		Token: s.settings.AdminToken, Logger: s.logger,
	}
	if s.captures != nil {
		o.Capturer = s.captures
	}
	if s.plugins != nil {
		o.Manager = manager{s.plugins}
	}
	if s.shadow != nil {
		o.Advise = func(ctx context.Context) (any, error) {
			s.cache.Flush()
			return s.shadow.Report(ctx)
		}
	}
	if s.resp != nil {
		o.RESP = func() admin.RESP { return admin.RESP(s.resp.Stats()) }
	}
	return o
}
