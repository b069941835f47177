package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/frontends/httpcache"
	"github.com/edgecache/edgecache/frontends/httpcache/fasth1"
	"github.com/edgecache/edgecache/frontends/httpcache/guard"
	"github.com/edgecache/edgecache/frontends/httpcache/origin"
	"github.com/edgecache/edgecache/internal/config"
)

// wireProxy makes a proxy out of settings, from the inside out, as wire makes a server. If a part can't be made, those that
// were are given back.
func wireProxy(ctx context.Context, settings *config.Proxy, logger *slog.Logger) (*proxyServer, error) {
	s := &proxyServer{server: server{settings: &settings.Run, logger: logger, started: time.Now()}, proxy: settings}
	logClients(logger)
	for _, part := range []func(context.Context) error{
		s.listen, s.wireCertificates, s.wireTelemetry, s.wireHost, s.wireHooks, s.wireCache, s.wirePlugins, s.wireMetrics,
		s.wireOrigins, s.wireHTTP, s.wireServers, s.wireAdmin,
	} {
		if err := part(ctx); err != nil {
			return nil, errors.Join(err, s.stop(context.WithoutCancel(ctx)))
		}
	}
	return s, nil
}

// listen claims the addresses.
func (s *proxyServer) listen(ctx context.Context) error {
	if err := s.server.listen(ctx); err != nil {
		return err
	}
	for _, of := range []struct{ flag, address string }{{"listen", s.proxy.Listen}, {"redirect-from", s.proxy.RedirectFrom}} {
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

func (s *proxyServer) wireOrigins(context.Context) error {
	o := s.proxy
	trusted, err := originCAs(o.OriginCA)
	if err != nil {
		return err
	}
	retries := o.Retries
	if retries == 0 {
		retries = -1
	}
	s.origins, err = origin.New(origin.Options{
		Routes: routes(o.To), TLS: trusted, Trusted: o.Trust, ConnectTimeout: o.ConnectTimeout, HeaderTimeout: o.OriginTimeout,
		BodyTimeout: o.BodyTimeout, Retries: retries, Logger: s.logger,
		Active: origin.Active{Path: o.HealthPath, Interval: o.HealthInterval},
	})
	if err != nil {
		return usageError{fmt.Errorf("--to (EDGECACHE_TO): %w", err)}
	}
	return nil
}

// routes gathers origins of the same host and prefix.
func routes(to []config.Origin) []origin.Route {
	var all []origin.Route
next:
	for _, given := range to {
		o := origin.Origin{URL: given.URL, Weight: given.Weight, Host: given.As}
		for i := range all {
			if all[i].Host == given.Host && all[i].Prefix == given.Prefix {
				all[i].Origins = append(all[i].Origins, o)
				continue next
			}
		}
		all = append(all, origin.Route{Host: given.Host, Prefix: given.Prefix, Origins: []origin.Origin{o}})
	}
	return all
}

func originCAs(path string) (*tls.Config, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nil is the system's
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--origin-ca (EDGECACHE_ORIGIN_CA): %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, usageError{fmt.Errorf("--origin-ca (EDGECACHE_ORIGIN_CA): %s has no certificate in PEM", path)}
	}
	return &tls.Config{RootCAs: pool}, nil
}

func (s *proxyServer) wireHTTP(context.Context) error {
	o := s.proxy
	profile, err := httpcache.ParseProfile(o.Profile)
	if err != nil {
		return usageError{fmt.Errorf("--profile (EDGECACHE_PROFILE): %w", err)}
	}
	s.http, err = httpcache.New(httpcache.Options{
		Cache: s.cache.Namespace("http"), Profile: profile, ShowKey: o.ShowKey, MaxObject: o.MaxObject, MaxFilling: o.MaxMemory / 8, DefaultTTL: o.TTL,
		Compress: httpcache.CompressOptions{Codings: o.Compress}, Purge: httpcache.PurgeOptions{Token: o.PurgeToken, Clients: o.PurgeFrom},
		StaleWhileRevalidate: o.StaleWhileRevalidate, StaleIfError: o.StaleIfError, Hooks: s.hooks(), Observers: s.observers(),
		TracerProvider: s.telemetry.TracerProvider(), MeterProvider: s.telemetry.MeterProvider(), Logger: s.logger,
	})
	return err
}

// wireServers makes the servers of the listeners. They bound no whole answer: a large one takes a slow client as long as it
// takes.
func (s *proxyServer) wireServers(ctx context.Context) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	s.cut = cut
	g, err := guard.New(guard.Options{
		Trusted: s.proxy.Trust, MaxHead: int(s.proxy.MaxHeader), IdleTime: s.proxy.IdleTimeout, Stall: s.proxy.ClientTimeout,
	})
	if err != nil {
		return err
	}
	front := s.httpServer(base, g.Handler(origin.Duplex(s.middleware(s.http.Proxy(s.origins)))))
	front.Protocols.SetUnencryptedHTTP2(s.proxy.H2C)
	front.DisableGeneralOptionsHandler = true // OPTIONS * is for the origin, too
	fast, err := s.fastFront()
	if err != nil {
		return err
	}
	s.guarded(g, front, s.certs.config, fast)
	if len(s.listeners) > 1 {
		s.guarded(g, s.httpServer(base, g.Handler(s.certs.redirect(s.proxy.Listen))), nil, nil)
	}
	return nil
}

// fastFront returns what answers simple hits before the server, nil for nothing.
func (s *proxyServer) fastFront() (guard.Front, error) {
	if !s.proxy.FastH1 {
		return nil, nil //nolint:nilnil // nothing is what the settings ask for
	}
	s.fast = fasth1.New(s.http.Fast())
	_, err := s.fast.Instrument(s.telemetry.MeterProvider()) // for as long as the process lives
	return s.fast, err
}

// guarded puts the guard between the next server and its listener.
func (s *proxyServer) guarded(g *guard.Guard, server *http.Server, secure *tls.Config, fast guard.Front) {
	g.Server(server)
	i := len(s.servers)
	ln := g.Listen(server, s.listeners[i], secure, fast)
	s.servers, s.listeners[i], s.drains = append(s.servers, server), ln, append(s.drains, ln.Drain)
}

func (s *proxyServer) httpServer(base context.Context, h http.Handler) *http.Server {
	server := &http.Server{
		Handler: h, ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug), Protocols: new(http.Protocols),
		BaseContext: func(net.Listener) context.Context { return base },
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	return server
}

func (s *proxyServer) wireAdmin(context.Context) error {
	if s.adminAddr == nil {
		return nil
	}
	o := s.adminOptions()
	o.HTTP, o.Purger = s.figures, purger{s.http}
	s.admin = admin.Server(admin.Handler(o))
	return nil
}

// figures are what /stats has of HTTP.
func (s *proxyServer) figures() any {
	f := struct {
		httpcache.Stats
		Fast    *fasth1.Stats  `json:"fast_h1,omitempty"`
		Origins []origin.Stats `json:"origins"`
	}{Stats: s.http.Stats(), Origins: s.origins.Stats()}
	if s.fast != nil {
		fast := s.fast.Stats()
		f.Fast = &fast
	}
	return f
}

// purger is the cache as the admin frontend purges it.
type purger struct{ http *httpcache.Cache }

func (p purger) Purge(ctx context.Context, r admin.PurgeRequest) (admin.PurgeResult, error) {
	result := admin.PurgeResult{Purged: len(r.URLs) + len(r.Prefixes) + len(r.Tags), Shared: true}
	if r.All {
		result.Purged = 1
	}
	err := p.http.Purge(ctx, httpcache.PurgeRequest{URLs: r.URLs, Prefixes: r.Prefixes, Tags: r.Tags, All: r.All, Soft: r.Soft})
	switch {
	case errors.Is(err, httpcache.ErrNotShared):
		result.Shared, result.Detail = false, err.Error()
		return result, nil
	case err != nil && !errors.Is(err, httpcache.ErrBadPurge):
		return admin.PurgeResult{}, &admin.StatusError{Status: http.StatusServiceUnavailable, Err: err}
	}
	return result, err
}
