package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/frontends/files"
	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/internal/telemetry"
)

func (a *app) filesCommand() *cobra.Command {
	settings := config.NewFiles()
	cmd := &cobra.Command{
		Use:   "files DIR",
		Short: "Serve a folder over HTTP out of memory, compressed",
		Long: `Serve a folder over HTTP until SIGINT or SIGTERM. Files are kept in memory as br, zstd and gzip, made once or found
beside them (app.css.br), with entity tags, conditional requests and ranges. What changes on the disk is noticed.`,
		Example: `  edgecache files ./public
  edgecache files ./public --listen :8080 --cache-control "public, max-age=3600" --admin 127.0.0.1:9380`,
		Args: arguments(1, 1, "dir"),
	}
	cmd.Flags().SortFlags = false
	settings.Bind(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		logger := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: settings.LogLevel}))
		a.limitMemory(settings.MaxMemory)
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return serveFiles(ctx, stop, args[0], settings, logger)
	}
	return cmd
}

// fileServer is the parts of "edgecache files". A part is nil until it was made, or if it is left out.
type fileServer struct {
	settings  *config.Files
	started   time.Time
	telemetry *telemetry.Telemetry
	cache     *core.Cache
	files     *files.Handler
	servers   []*http.Server // of files, and of the admin frontend
	listeners []net.Listener
}

// serveFiles serves a folder until ctx ends or a server fails. A second signal, after forget, ends the process at once.
func serveFiles(ctx context.Context, forget func(), folder string, settings *config.Files, logger *slog.Logger) error {
	s := &fileServer{settings: settings, started: time.Now()}
	if err := s.wire(ctx, folder, logger); err != nil {
		return errors.Join(err, s.stop(context.WithoutCancel(ctx)))
	}
	failed := make(chan error, len(s.servers))
	for i, server := range s.servers {
		go func() { failed <- server.Serve(s.listeners[i]) }()
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "ready", s.describe(folder)...)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	forget()
	logger.LogAttrs(ctx, slog.LevelInfo, "stopping")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err = errors.Join(err, s.stop(stopping))
	logger.LogAttrs(ctx, slog.LevelInfo, "stopped")
	return err
}

// wire makes the parts, from the inside out.
func (s *fileServer) wire(ctx context.Context, folder string, logger *slog.Logger) (err error) {
	if err := s.listen(ctx); err != nil {
		return err
	}
	if s.telemetry, err = telemetry.Start(ctx, telemetry.Options{Version: version(), Logger: logger}); err != nil {
		return err
	}
	backend, err := memory.New(memory.Options{MaxBytes: s.settings.MaxMemory, Logger: logger})
	if err != nil {
		return err
	}
	s.cache, err = core.New(core.Options{
		Tiers:          []core.Tier{{Name: "memory", Backend: backend}},
		TracerProvider: s.telemetry.TracerProvider(), MeterProvider: s.telemetry.MeterProvider(), Logger: logger,
	})
	if err != nil {
		return errors.Join(err, backend.Close())
	}
	if s.files, err = files.New(s.options(folder, logger)); err != nil {
		return usageError{err}
	}
	for _, path := range s.settings.Watch {
		if err := s.files.Watch(path); err != nil {
			return usageError{fmt.Errorf("--watch (EDGECACHE_WATCH): %w", err)}
		}
	}
	s.serve(logger)
	return nil
}

func (s *fileServer) listen(ctx context.Context) error {
	for _, of := range []struct{ flag, address string }{{"listen", s.settings.Listen}, {"admin", s.settings.Admin}} {
		ln, err := listen(ctx, of.flag, of.address)
		if err != nil {
			return err
		}
		if ln != nil {
			s.listeners = append(s.listeners, ln)
		}
	}
	return nil
}

func (s *fileServer) options(folder string, logger *slog.Logger) files.Options {
	o := s.settings
	ttl := o.TTL
	if ttl == 0 {
		ttl = core.NoExpiry
	}
	return files.Options{
		Root: folder, Cache: s.cache, Index: o.Index, CacheControl: o.CacheControl, MaxFileBytes: o.MaxFile, Encodings: o.Encodings,
		TTL: ttl, Ignore: o.Ignore, DotFiles: o.DotFiles, NoWatch: o.NoWatch, Debounce: o.Debounce, Recheck: o.Recheck, Logger: logger,
	}
}

// serve makes the servers of the listeners. That of the files bounds no answer: a large one takes a slow client as long as
// it takes.
func (s *fileServer) serve(logger *slog.Logger) {
	s.servers = []*http.Server{{
		Handler: s.files, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
	if len(s.listeners) > 1 {
		s.servers = append(s.servers, admin.Server(admin.Handler(admin.Options{
			Cache: s.cache, Version: version(), Started: s.started, Metrics: s.telemetry.Handler(), Local: true, Logger: logger,
			Files: func() any { return s.files.Stats() },
		})))
	}
}

func (s *fileServer) describe(folder string) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("version", version()), slog.String("folder", folder), slog.String("listen", s.listeners[0].Addr().String()),
	}
	if len(s.listeners) > 1 {
		attrs = append(attrs, slog.String("admin", s.listeners[1].Addr().String()))
	}
	stats := s.files.Stats()
	return append(attrs, slog.Bool("watching", stats.Watching), slog.Int64("folders", stats.Folders))
}

// stop ends all parts from the outside in. ctx bounds the waiting for answers under way.
func (s *fileServer) stop(ctx context.Context) error {
	var errs []error
	for _, server := range s.servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, err, server.Close())
		}
	}
	for _, ln := range s.listeners {
		_ = ln.Close() // closed already unless nothing was served
	}
	if s.telemetry != nil {
		errs = append(errs, s.telemetry.Shutdown(ctx)) // asks the cache for its last figures
	}
	if s.files != nil {
		errs = append(errs, s.files.Close())
	}
	if s.cache != nil {
		errs = append(errs, s.cache.Close())
	}
	return errors.Join(errs...)
}
