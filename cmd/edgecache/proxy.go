package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/frontends/httpcache"
	"github.com/edgecache/edgecache/frontends/httpcache/fasth1"
	"github.com/edgecache/edgecache/frontends/httpcache/origin"
	"github.com/edgecache/edgecache/internal/config"
	httpguest "github.com/edgecache/edgecache/plugins/http"
	"github.com/edgecache/edgecache/plugins/httpwasm"
)

func (a *app) proxyCommand() *cobra.Command {
	settings := config.NewProxy()
	cmd := &cobra.Command{
		Use:   "proxy --to URL",
		Short: "Serve HTTP in front of other servers, and keep what they answer",
		Long: `Serve HTTP in front of other servers until SIGINT or SIGTERM, and keep what they answer as RFC 9111 says. What came
of each request stands in the header Cache-Status. Every flag has an environment variable: EDGECACHE_TO is --to. SIGHUP
reads plugins and certificates again.`,
		Example: `  edgecache proxy --to http://127.0.0.1:3000
  edgecache proxy --to http://10.0.0.1:3000,weight=2 --to http://10.0.0.2:3000 --health-path /healthz
  edgecache proxy --to http://127.0.0.1:3000 --to static.example.com/img=https://img.internal,host=origin
  edgecache proxy --listen :443 --redirect-from :80 --acme www.example.com --to h2c://127.0.0.1:3000
  edgecache proxy --to http://127.0.0.1:3000 --max-memory 1GiB --disk /var/cache/edgecache --disk-size 50GiB`,
		Args: arguments(0, 0),
	}
	cmd.Flags().SortFlags = false
	settings.Bind(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := settings.Validate(); err != nil {
			return usageError{err}
		}
		off, err := a.switchedOff()
		if err != nil {
			return usageError{err}
		}
		settings.NoCache = settings.NoCache || off
		logger := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: settings.LogLevel}))
		a.limitProcess(settings)
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		reload := make(chan os.Signal, 1)
		signal.Notify(reload, syscall.SIGHUP)
		defer signal.Stop(reload)
		return serveProxy(ctx, stop, reload, settings, logger)
	}
	return cmd
}

// limitProcess gives the memory tier its share of what the process may take, and tells the garbage collector of the whole,
// unless GOMEMLIMIT did. The collector does not see the pages of the program's code.
func (a *app) limitProcess(settings *config.Proxy) {
	const code = 16 << 20
	if given, _ := a.lookupEnv("GOMEMLIMIT"); given == "" {
		debug.SetMemoryLimit(settings.MaxMemory - code)
	}
	settings.MaxMemory = settings.MemoryTier()
}

// proxyServer is the parts of "edgecache proxy": a server without RESP, and what speaks HTTP.
type proxyServer struct {
	server
	proxy   *config.Proxy
	origins *origin.Forwarder
	http    *httpcache.Cache
	fast    *fasth1.Front // nil where net/http answers everything
	certs   certificates
	guests  []*httpguest.Guest            // hooks of HTTP
	again   []func(context.Context) error // reads each of guests anew
	outer   []*httpwasm.Guest             // before the cache

	servers   []*http.Server // of clients, and of those that are sent on to https
	listeners []net.Listener
	drains    []func(context.Context) error // of the listeners
	cut       context.CancelFunc            // ends what a stop does not wait for
}

// serveProxy serves until ctx ends or a server fails. A second signal, after forget, ends the process at once.
func serveProxy(ctx context.Context, forget func(), reload <-chan os.Signal, settings *config.Proxy, logger *slog.Logger) error {
	started := time.Now()
	s, err := wireProxy(ctx, settings, logger)
	if err != nil {
		return err
	}
	failed := s.serve()
	logger.LogAttrs(ctx, slog.LevelInfo, "ready", append(s.describe(), slog.Duration("after", time.Since(started)))...)
	for waiting := true; waiting; {
		select {
		case <-reload:
			s.reload(ctx)
		case <-ctx.Done():
			waiting = false
		case err = <-failed:
			waiting = false
		}
	}
	forget()
	logger.LogAttrs(ctx, slog.LevelInfo, "stopping")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err = errors.Join(err, s.stop(stopping))
	logger.LogAttrs(ctx, slog.LevelInfo, "stopped")
	return err
}

// serve begins to answer and returns at once. What makes a server fail comes out of the channel.
func (s *proxyServer) serve() <-chan error {
	failed := make(chan error, len(s.servers)+1)
	for i, server := range s.servers {
		go func() {
			if err := server.Serve(s.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	if s.admin != nil {
		go func() {
			if err := s.admin.Serve(s.adminAddr); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	return failed
}

func (s *proxyServer) describe() []slog.Attr {
	attrs := append(s.server.describe(), slog.String("listen", s.listeners[0].Addr().String()), slog.Bool("tls", s.proxy.TLS()))
	if len(s.listeners) > 1 {
		attrs = append(attrs, slog.String("redirect-from", s.listeners[1].Addr().String()))
	}
	var origins []string
	for _, o := range s.origins.Stats() {
		origins = append(origins, o.Route+"="+o.Origin)
	}
	return append(attrs, slog.Any("origins", origins), slog.String("profile", s.proxy.Profile))
}

// reload reads plugins and certificates again.
func (s *proxyServer) reload(ctx context.Context) {
	s.server.reload(ctx)
	s.reloadHooks(ctx)
	if s.certs.files == nil {
		return
	}
	if err := s.certs.files.Reload(); err != nil {
		s.logger.LogAttrs(ctx, slog.LevelError, "certificate can't be read: the one before stays", slog.Any("error", err))
		return
	}
	s.logger.LogAttrs(ctx, slog.LevelInfo, "certificate read")
}

// stop ends all parts from the outside in. ctx bounds the waiting for answers under way; upgraded connections are cut.
func (s *proxyServer) stop(ctx context.Context) error {
	s.stopping.Store(true)
	var errs []error
	for _, server := range s.servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, err, server.Close())
		}
	}
	for _, drain := range s.drains {
		errs = append(errs, drain(ctx))
	}
	if s.cut != nil {
		s.cut()
	}
	for _, ln := range s.listeners {
		_ = ln.Close() // closed already unless nothing was served
	}
	for _, g := range s.outer {
		errs = append(errs, g.Close(ctx))
	}
	if s.http != nil {
		errs = append(errs, s.http.Close())
	}
	if s.origins != nil {
		errs = append(errs, s.origins.Close())
	}
	return errors.Join(append(errs, s.server.stop(ctx))...)
}
