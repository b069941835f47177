package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/plugins"
	httpguest "github.com/edgecache/edgecache/plugins/http"
	"github.com/edgecache/edgecache/plugins/httpwasm"
)

// wireHost makes a host also where the guests have hooks of HTTP alone.
func (s *proxyServer) wireHost(ctx context.Context) (err error) {
	if len(s.proxy.HTTPPlugins) == 0 {
		return s.server.wireHost(ctx)
	}
	s.host, err = newHost(ctx, s.settings, s.logger)
	return err
}

// wireHooks loads the guests that see requests and responses. Those with hooks inside the cache have their share of the
// grants; the rest is for the plugins of commands.
func (s *proxyServer) wireHooks(ctx context.Context) error {
	for _, p := range s.proxy.HTTPPlugins {
		if err := s.loadHook(ctx, p); err != nil {
			return fmt.Errorf("--http-plugin (EDGECACHE_HTTP_PLUGIN): %s: %w", p.Path, err)
		}
	}
	if s.settings.NoPlugins && len(s.settings.Grants) > 0 {
		return usageError{fmt.Errorf("--grant (EDGECACHE_GRANT): no plugin is called %q", s.settings.Grants[0].Name)}
	}
	for _, p := range s.proxy.HTTPWasm {
		if err := s.loadOuter(ctx, p); err != nil {
			return fmt.Errorf("--http-wasm (EDGECACHE_HTTP_WASM): %s: %w", p.Path, err)
		}
	}
	return nil
}

func (s *proxyServer) loadHook(ctx context.Context, p config.Plugin) error {
	src, err := readPlugin(p)
	if err != nil {
		return err
	}
	name := s.host.Inspect(src).Name
	mine := func(g config.Grant) bool { return g.Name == name }
	if i := slices.IndexFunc(s.settings.Grants, mine); i >= 0 {
		src.Grants = plugins.Grants(s.settings.Grants[i].Grants)
		s.settings.Grants = slices.Delete(s.settings.Grants, i, i+1)
	}
	src.Name = name
	g, err := httpguest.Load(ctx, s.host, src)
	if err != nil {
		return err
	}
	s.guests, s.beside = append(s.guests, g), append(s.beside, g.Plugin())
	s.again = append(s.again, func(ctx context.Context) error {
		now, err := readPlugin(p)
		if err != nil {
			return err
		}
		now.Name, now.Grants = name, src.Grants
		return g.Plugin().Swap(ctx, now)
	})
	s.logger.LogAttrs(ctx, slog.LevelInfo, "plugin of HTTP loaded", slog.String("plugin", g.Plugin().Name()))
	return nil
}

// reloadHooks reads the guests inside the cache again. One that can't be had anew stays as it is.
func (s *proxyServer) reloadHooks(ctx context.Context) {
	for i, again := range s.again {
		name := slog.String("plugin", s.guests[i].Plugin().Name())
		if err := again(ctx); err != nil {
			s.logger.LogAttrs(ctx, slog.LevelError, "plugin of HTTP stays as it is", name, slog.Any("error", err))
			continue
		}
		s.logger.LogAttrs(ctx, slog.LevelInfo, "plugin of HTTP reloaded", name)
	}
}

// loadOuter loads a guest of the http-wasm ABI. Its configuration is whatever it takes for one.
func (s *proxyServer) loadOuter(ctx context.Context, p config.Plugin) error {
	wasm, err := os.ReadFile(p.Path)
	if err != nil {
		return err
	}
	var given []byte
	if p.Config != "" {
		if given, err = os.ReadFile(p.Config); err != nil {
			return err
		}
	}
	name := strings.TrimSuffix(filepath.Base(p.Path), ".wasm")
	g, err := httpwasm.New(ctx, wasm, httpwasm.Options{Name: name, Config: given, CacheDir: s.settings.CacheDir(), Logger: s.logger})
	if err != nil {
		return err
	}
	s.outer = append(s.outer, g)
	return nil
}

// middleware puts the outer guests before h, the first outermost.
func (s *proxyServer) middleware(h http.Handler) http.Handler {
	for _, g := range slices.Backward(s.outer) {
		h = g.Handler(h)
	}
	return h
}

func (s *proxyServer) hooks() []httphook.Hook {
	all := make([]httphook.Hook, len(s.guests))
	for i, g := range s.guests {
		all[i] = g
	}
	return all
}

// observers are the guests that are told of exchanges afterwards.
func (s *proxyServer) observers() []httphook.Observer {
	var all []httphook.Observer
	for _, g := range s.guests {
		if g.Spec().Phases.Has(httphook.OnEvent) {
			all = append(all, g)
		}
	}
	return all
}
