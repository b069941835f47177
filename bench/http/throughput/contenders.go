package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgecache/edgecache/bench/http/server"
)

// The names of contenders that bars are about.
const (
	bare       = "net/http"
	reverse    = "ReverseProxy"
	edge       = "edgecache"
	edgeHook   = "edgecache, no-op hook"
	edgeFast   = "edgecache --fast-h1"
	edgeDisk   = "edgecache --disk"
	nginxOpen  = "nginx sendfile"
	nginxTuned = "nginx tuned"
	varnish    = "varnish"
	gregjones  = "gregjones/httpcache"
	fasthttp   = "fasthttp"
)

// contender is a server that takes part in turns at some objects.
type contender struct {
	name    string
	objects []string
	server  *server.Server
}

func (c *contender) takes(object string) bool { return slices.Contains(c.objects, object) }

// lab is the servers that run.
type lab struct {
	origin     *server.Server
	contenders []*contender
}

func (l *lab) stop() error {
	var errs []error
	for _, c := range l.contenders {
		errs = append(errs, c.server.Stop())
	}
	if l.origin != nil {
		errs = append(errs, l.origin.Stop())
	}
	return errors.Join(errs...)
}

// start starts the origin and the contenders, and has them answer each of their objects once, so that what is measured
// are hits.
func (s *settings) start(ctx context.Context) (*lab, error) {
	l := new(lab)
	var err error
	if l.origin, err = server.Program(ctx, "origin", filepath.Join(s.programs, "floor"), s.loadCore); err != nil {
		return l, err
	}
	for _, p := range s.plans(l.origin.URL()) {
		if !s.wanted(p.name) {
			continue
		}
		srv, err := p.start(ctx)
		if err != nil {
			return l, err
		}
		c := &contender{p.name, p.objects, srv}
		l.contenders = append(l.contenders, c)
		if err := c.warm(ctx); err != nil {
			return l, err
		}
	}
	return l, nil
}

func (s *settings) wanted(name string) bool {
	for word := range strings.SplitSeq(s.only, ",") {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// many is how many objects the paths that end in "*" stand for, in the place of which a number comes.
const many = 256

// warm asks for each object three times: some caches keep what is asked for again.
func (c *contender) warm(ctx context.Context) error {
	for _, object := range slices.Repeat(c.paths(), 3) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server.URL()+object, http.NoBody)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			return err
		}
	}
	return nil
}

// paths returns those of all objects.
func (c *contender) paths() (paths []string) {
	for _, object := range c.objects {
		stem, several := strings.CutSuffix(object, "*")
		if !several {
			paths = append(paths, object)
			continue
		}
		for n := range many {
			paths = append(paths, fmt.Sprint(stem, n))
		}
	}
	return paths
}

// plan is how a contender is started.
type plan struct {
	name    string
	objects []string
	start   func(context.Context) (*server.Server, error)
}

func (s *settings) plans(origin string) []plan {
	hits := []string{"/1k", "/64k"}
	large := []string{"/1k", "/64k", "/1m"}
	all := []string{"/1k", "/64k", "/1m", "/1m?*", "/miss/1k"}
	core := s.serverCore
	program := func(name, file string, objects []string, args ...string) plan {
		return plan{name, objects, func(ctx context.Context) (*server.Server, error) {
			return server.Program(ctx, name, filepath.Join(s.programs, file), core, args...)
		}}
	}
	edgecache := func(name string, objects []string, args ...string) plan {
		return plan{name, objects, func(ctx context.Context) (*server.Server, error) {
			return server.Edgecache(ctx, name, filepath.Join(s.programs, "edgecache"), origin, core, args...)
		}}
	}
	nginx := func(name string, objects []string, lines ...string) plan {
		lines = append(lines, "open_file_cache max=1000 inactive=1h;", "open_file_cache_valid 1h;")
		return plan{name, objects, func(ctx context.Context) (*server.Server, error) {
			return server.Nginx(ctx, name, origin, core, lines...)
		}}
	}
	plans := []plan{
		program(bare, "floor", large),
		program(reverse, "floor", []string{"/miss/1k"}, "-to", origin),
		edgecache(edge, all, "--max-memory", "1GiB"),
		edgecache(edgeFast, hits, "--fast-h1"),
		edgecache(edgeDisk, []string{"/1m?*"}, "--disk", "{dir}/disk", "--max-memory", "64MiB"),
		nginx(nginxOpen, all, "sendfile on;"),
		nginx(nginxTuned, hits, "sendfile off;", "output_buffers 2 128k;"),
		{varnish, all, func(ctx context.Context) (*server.Server, error) { return server.Varnish(ctx, varnish, origin, core) }},
		program(gregjones, "httppeers", hits, "-kind", "gregjones", "-to", origin),
		program(fasthttp, "httppeers", hits, "-kind", "fasthttp"),
	}
	if s.guest != "" {
		plans = append(plans, edgecache(edgeHook, hits, "--http-plugin", s.guest))
	}
	return plans
}
