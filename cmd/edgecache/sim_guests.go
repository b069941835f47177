package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/edgecache/edgecache/bench/product"
	"github.com/edgecache/edgecache/bench/sim"
	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins"
)

// guestSuffix tells a module's file from the name of a policy.
const guestSuffix = ".wasm"

// guestPolicies are the policies that are WebAssembly. The zero value with a log is ready.
type guestPolicies struct {
	log     io.Writer // gets what guests say
	host    *plugins.Host
	modules map[string]*plugins.PolicyModule // by path
	names   map[string]string                // paths by what results call the module
}

// parse returns the policies of words, names of native ones or of products, or files. They can be used until close. What is wrong with words is a
// usageError.
func (g *guestPolicies) parse(ctx context.Context, words []string) ([]sim.Policy, error) {
	var broken error // a guest that does not load
	all, err := sim.ParsePolicies(words, func(name string) (sim.Policy, bool, error) {
		path, params, ok := cutGuest(name)
		if !ok {
			return product.Policy(name)
		}
		given, err := parseParams(params)
		if err != nil {
			return sim.Policy{}, false, fmt.Errorf("policy %s: %w", path, err)
		}
		m, err := g.module(ctx, path)
		if err != nil {
			broken = err
			return sim.Policy{}, false, err
		}
		p := sim.Policy{Name: strings.TrimSuffix(g.name(m, path)+":"+params, ":")}
		p.New = func(s evict.Spec) (evict.Policy, error) {
			s.Params = given
			return m.New(s)
		}
		return p, true, nil
	})
	if err != nil && broken == nil {
		return nil, usageError{err}
	}
	return all, err
}

// cutGuest takes "mine.wasm:k=v" apart.
func cutGuest(name string) (path, params string, ok bool) {
	if strings.HasSuffix(name, guestSuffix) {
		return name, "", true
	}
	path, params, ok = strings.Cut(name, guestSuffix+":")
	return path + guestSuffix, params, ok
}

// parseParams reads "k=v,l=w".
func parseParams(list string) (map[string]string, error) {
	params := make(map[string]string)
	for pair := range strings.SplitSeq(list, ",") {
		if pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("parameter %q is no name=value", pair)
		}
		params[key] = value
	}
	return params, nil
}

// module loads a module once. It gets the memory that its manifest asks for.
func (g *guestPolicies) module(ctx context.Context, path string) (*plugins.PolicyModule, error) {
	if m := g.modules[path]; m != nil {
		return m, nil
	}
	if g.host == nil {
		o := plugins.HostOptions{CacheDir: compiledDir(), Logger: slog.New(slog.NewTextHandler(g.log, nil))}
		host, err := plugins.NewHost(ctx, o)
		if err != nil {
			return nil, err
		}
		g.host, g.modules, g.names = host, make(map[string]*plugins.PolicyModule), make(map[string]string)
	}
	src, err := readModule(path)
	if err != nil {
		return nil, err
	}
	src.Grants.MemoryPages = hostabi.MaxMemoryPages
	m, err := g.host.LoadPolicy(ctx, src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	g.modules[path] = m
	return m, nil
}

// name returns what results call a module: its own name, or its path where a native policy or another module is called that.
func (g *guestPolicies) name(m *plugins.PolicyModule, path string) string {
	if _, err := sim.Native(m.Name()); err == nil {
		return path
	}
	if other, ok := g.names[m.Name()]; ok && other != path {
		return path
	}
	g.names[m.Name()] = path
	return m.Name()
}

// close ends the guests. No policy may be in use.
func (g *guestPolicies) close() {
	if g.host != nil {
		_ = g.host.Close(context.Background()) // nothing of them is wanted any more
	}
}
