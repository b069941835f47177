package main

import (
	"context"
	"fmt"
	"maps"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/plugins"
)

// runsGuest reports whether --policy names a module. With a stage of admission it is left to memory.Native to refuse it.
func runsGuest(r *config.Run) bool {
	_, admission := evict.SplitAdmission(r.Policy)
	return admission == "" && r.GuestPolicy()
}

// guestPolicy loads the module that --policy names, and returns what the memory tier evicts by. The module is closed after the
// tier.
func guestPolicy(ctx context.Context, host *plugins.Host, given string) (*memory.Policy, *plugins.PolicyModule, error) {
	path, params, err := config.PolicyPath(given)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--policy (EDGECACHE_POLICY): %w", err)}
	}
	src, err := readModule(path)
	if err != nil {
		return nil, nil, fmt.Errorf("policy: %w", err)
	}
	m, err := host.LoadPolicy(ctx, src)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	p := &memory.Policy{Name: m.Name(), New: func(s evict.Spec) (evict.Policy, error) {
		s.Params = maps.Clone(params)
		p, err := m.New(s)
		if err != nil {
			return nil, err // and no interface that holds nil
		}
		return p, nil
	}}
	return p, m, nil
}
