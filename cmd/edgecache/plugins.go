package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/plugins"
	"github.com/edgecache/edgecache/plugins/set"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// newHost returns what runs plugins. A folder of compiled code that can't be used is an error if it was asked for, and
// else only makes starts slower.
func newHost(ctx context.Context, settings *config.Run, logger *slog.Logger) (*plugins.Host, error) {
	o := plugins.HostOptions{
		CacheDir: settings.CacheDir(), Logger: logger, CallTimeout: settings.PluginTimeout, Unmetered: settings.DebugPlugins,
	}
	if o.Unmetered {
		logger.LogAttrs(ctx, slog.LevelWarn, "plugins run without fuel and timeout: one that does not end hangs the process",
			slog.String("flag", "--debug-plugins"))
	}
	host, err := plugins.NewHost(ctx, o)
	if err != nil && settings.PluginCache == config.Auto {
		logger.LogAttrs(ctx, slog.LevelWarn, "compiled plugins are not kept", slog.Any("error", err))
		o.CacheDir = ""
		host, err = plugins.NewHost(ctx, o)
	}
	return host, err
}

// loadPlugins loads the built-in plugins, configured as asked for, and then the others in their order. Those that were
// loaded before an error are closed with the host.
func loadPlugins(ctx context.Context, into *set.Set, settings *config.Run) error {
	wanted, err := withBuiltIns(settings.Plugins)
	if err != nil {
		return usageError{err}
	}
	var names []string
	for _, w := range wanted {
		src, err := readPlugin(w)
		if err != nil {
			return err
		}
		c, err := into.Load(ctx, set.Request{Source: src, Origin: originOf(w)})
		if err != nil && w.Path != "" {
			return fmt.Errorf("%s: %w", w.Path, err)
		}
		if err != nil {
			return err
		}
		names = append(names, c.Plugin.Name)
	}
	for _, g := range settings.Grants {
		if !slices.Contains(names, g.Name) {
			return usageError{fmt.Errorf("--grant (EDGECACHE_GRANT): no plugin is called %q, there are %s",
				g.Name, strings.Join(names, ", "))}
		}
	}
	return nil
}

// granted returns what is granted by the plugins' names.
func granted(asked []config.Grant) map[string]plugins.Grants {
	all := make(map[string]plugins.Grants)
	for _, g := range asked {
		all[g.Name] = plugins.Grants(g.Grants)
	}
	return all
}

// originOf says where a plugin of the configuration is from.
func originOf(p config.Plugin) set.Origin {
	o := set.Origin{Kind: set.File, Module: p.Path, Config: p.Config, Read: func() (plugins.Source, error) { return readPlugin(p) }}
	if p.Name != "" {
		o.Kind, o.Module = set.BuiltIn, p.Name
	}
	return o
}

// withBuiltIns returns what to load: every built-in plugin, in the place of which stands the one that was asked for by
// its name, and what was asked for besides.
func withBuiltIns(asked []config.Plugin) ([]config.Plugin, error) {
	names := examples.Names()
	all := make([]config.Plugin, len(names))
	for i, name := range names {
		all[i].Name = name
	}
	taken := make(map[string]bool)
	for _, p := range asked {
		if p.Path != "" {
			all = append(all, p)
			continue
		}
		i := slices.Index(names, p.Name)
		switch {
		case i < 0:
			return nil, fmt.Errorf("--plugin (EDGECACHE_PLUGIN): no built-in plugin is called %q, there are %s: "+
				"write ./%s for a file", p.Name, strings.Join(names, ", "), p.Name)
		case taken[p.Name]:
			return nil, fmt.Errorf("--plugin (EDGECACHE_PLUGIN): the built-in plugin %s is given twice", p.Name)
		}
		all[i], taken[p.Name] = p, true
	}
	return all, nil
}

// readPlugin returns a plugin of the configuration: see readModule.
func readPlugin(p config.Plugin) (src plugins.Source, err error) {
	if p.Name != "" {
		src.Name = p.Name
		src.Wasm, src.Manifest, _ = examples.Lookup(p.Name) // it is one of examples.Names
	} else if src, err = readModule(p.Path); err != nil {
		return src, fmt.Errorf("plugin: %w", err)
	}
	if p.Config == "" {
		return src, nil
	}
	if src.Config, err = os.ReadFile(p.Config); err != nil {
		return src, fmt.Errorf("configuration of plugin %s%s: %w", p.Name, p.Path, err)
	}
	return src, nil
}
