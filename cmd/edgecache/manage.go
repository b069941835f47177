package main

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/plugins"
	"github.com/edgecache/edgecache/plugins/set"
)

// manager is the set of plugins as the admin frontend changes it.
type manager struct{ set *set.Set }

var _ admin.PluginManager = manager{}

func (m manager) List() []admin.PluginInfo {
	all := []admin.PluginInfo{} // JSON knows null, too
	for _, i := range m.set.List() {
		all = append(all, pluginInfo(i))
	}
	return all
}

func (m manager) Load(ctx context.Context, u admin.PluginUpload) (admin.PluginChange, error) {
	return pluginChange(m.set.Load(ctx, upload(u)))
}

func (m manager) Replace(ctx context.Context, name string, u admin.PluginUpload) (admin.PluginChange, error) {
	return pluginChange(m.set.Replace(ctx, name, upload(u)))
}

func (m manager) Reload(ctx context.Context, name string) (admin.PluginChange, error) {
	return pluginChange(m.set.Reload(ctx, name))
}

func (m manager) SetEnabled(ctx context.Context, name string, enabled bool) (admin.PluginChange, error) {
	return pluginChange(m.set.SetEnabled(ctx, name, enabled))
}

func (m manager) Rollback(ctx context.Context, name string) (admin.PluginChange, error) {
	return pluginChange(m.set.Rollback(ctx, name))
}

func (m manager) Remove(ctx context.Context, name string) (admin.PluginChange, error) {
	return pluginChange(m.set.Remove(ctx, name))
}

// upload says what shall be made of what was sent.
func upload(u admin.PluginUpload) set.Request {
	r := set.Request{
		Source: plugins.Source{Name: u.Name, Wasm: u.Wasm, Manifest: u.Manifest, Config: u.Config},
		Origin: set.Origin{Kind: set.Sent, Module: u.Module, Config: u.ConfigName},
	}
	if u.Grants != nil {
		g := plugins.Grants(*u.Grants)
		r.Grants = &g
	}
	return r
}

func pluginChange(c set.Change, err error) (admin.PluginChange, error) {
	switch {
	case errors.Is(err, set.ErrNotFound):
		err = &admin.StatusError{Status: http.StatusNotFound, Err: err}
	case errors.Is(err, set.ErrConflict):
		err = &admin.StatusError{Status: http.StatusConflict, Err: err}
	}
	return admin.PluginChange{Action: string(c.Action), Fresh: c.Fresh, Plugin: pluginInfo(c.Plugin)}, err
}

func pluginInfo(i set.Info) admin.PluginInfo {
	state := "disabled"
	if i.Enabled {
		state = "enabled"
	}
	s := i.Stats
	return admin.PluginInfo{
		Name: i.Name, Version: i.Manifest.Version, State: state, Digest: "sha256:" + hex.EncodeToString(i.Digest[:]),
		Source:   admin.PluginSource{Kind: string(i.Origin.Kind), Module: i.Origin.Module, Config: i.Origin.Config},
		Priority: i.Manifest.Priority, Hooks: list(i.Manifest.Hooks), Ops: list(i.Manifest.Ops), Needs: list(i.Manifest.Needs),
		Granted: admin.PluginGrants(i.Grants), Rollback: i.Rollback,
		Stats: admin.PluginStats{
			Calls: s.Calls, Nanos: s.Nanos, Fuel: s.Fuel, Failures: s.Failures, LastFailure: s.LastFailure, Skipped: s.Skipped,
			Refused: s.Refused, Lost: s.Lost, Swaps: s.Swaps, Rollbacks: s.Rollbacks, Instances: s.Instances,
			MemoryBytes: s.MemoryBytes, Breaker: s.Breaker, KVEntries: s.KVEntries, KVBytes: s.KVBytes,
		},
	}
}

// list returns words as JSON shall have them: [] for none.
func list(words []string) []string { return append([]string{}, words...) }
