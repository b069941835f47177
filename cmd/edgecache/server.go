package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/plugins"
)

// serve begins to answer and returns at once. What makes a frontend fail comes out of the channel.
func (s *server) serve() <-chan error {
	failed := make(chan error, 2)
	if s.resp != nil {
		go func() { failed <- s.resp.Serve(s.respAddr) }()
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

// stop ends all parts from the outside in: commands that run are answered, what observers and exporters have not seen
// yet they see, then the stores are closed. ctx bounds the waiting, not the closing.
func (s *server) stop(ctx context.Context) error {
	s.stopping.Store(true)
	var errs []error
	if s.resp != nil {
		errs = append(errs, s.resp.Shutdown(ctx))
	}
	if s.respAddr != nil {
		_ = s.respAddr.Close() // closed already unless nothing was served
	}
	if s.cache != nil {
		s.cache.Flush()
	}
	if s.captures != nil {
		errs = append(errs, s.captures.close(ctx))
	}
	if s.telemetry != nil {
		errs = append(errs, s.telemetry.Shutdown(ctx)) // asks the cache and the plugins for their last figures
	}
	if s.admin != nil {
		errs = append(errs, s.admin.Shutdown(ctx))
	}
	if s.adminAddr != nil {
		_ = s.adminAddr.Close()
	}
	if s.plugins != nil {
		errs = append(errs, s.plugins.Close(ctx))
	}
	if s.cache != nil {
		errs = append(errs, s.save(context.WithoutCancel(ctx)), s.cache.Close())
	}
	if s.shadow != nil {
		errs = append(errs, s.shadow.Close())
	}
	if s.policy != nil {
		errs = append(errs, s.policy.Close(ctx))
	}
	if s.host != nil {
		errs = append(errs, s.host.Close(ctx))
	}
	return errors.Join(errs...)
}

// describe says where the server can be reached and what it is made of.
func (s *server) describe() []slog.Attr {
	attrs := []slog.Attr{slog.String("version", version())}
	if s.respAddr != nil {
		attrs = append(attrs, slog.String("resp", s.respAddr.Addr().String()))
	}
	if s.adminAddr != nil {
		attrs = append(attrs, slog.String("admin", s.adminAddr.Addr().String()))
	}
	var tiers, names []string
	for i := range s.tiers {
		tiers = append(tiers, s.tiers[i].Name)
	}
	for _, p := range s.allPlugins() {
		names = append(names, p.Name())
	}
	return append(attrs, slog.Any("tiers", tiers), slog.Any("plugins", names))
}

// ready reports what keeps the server from serving.
func (s *server) ready() error {
	if s.stopping.Load() {
		return errors.New("the server is stopping")
	}
	return nil
}

// allPlugins returns the plugins that are loaded now.
func (s *server) allPlugins() []*plugins.Plugin {
	if s.plugins == nil {
		return s.beside
	}
	return slices.Concat(s.plugins.Plugins(), s.beside)
}

// loaded returns the plugins as the admin frontend sees them.
func (s *server) loaded() []admin.Plugin {
	var all []admin.Plugin
	for _, p := range s.allPlugins() {
		all = append(all, p)
	}
	return all
}

// reload reads the plugins' files again and logs what came of it. A plugin that can't be had anew stays as it is.
func (s *server) reload(ctx context.Context) {
	s.logger.LogAttrs(ctx, slog.LevelInfo, "reloading plugins")
	if s.plugins == nil {
		return
	}
	changes, err := s.plugins.ReloadAll(ctx)
	for _, c := range changes {
		s.logger.LogAttrs(ctx, slog.LevelInfo, "plugin reloaded", slog.String("plugin", c.Plugin.Name),
			slog.String("version", c.Plugin.Manifest.Version), slog.String("action", string(c.Action)))
	}
	if err != nil {
		s.logger.LogAttrs(ctx, slog.LevelError, "plugins that can't be reloaded stay as they are", slog.Any("error", err))
	}
	s.logger.LogAttrs(ctx, slog.LevelInfo, "reloaded plugins")
}

// stores returns the remote tiers' stores, to ask whether they answer.
func (s *server) stores() []admin.Store {
	var stores []admin.Store
	for _, t := range s.tiers {
		if p, ok := t.Backend.(core.Pinger); ok && t.Remote {
			stores = append(stores, admin.Store{Name: t.Name, Pinger: p})
		}
	}
	return stores
}
