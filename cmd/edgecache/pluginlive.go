package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/internal/config"
)

// livePluginCommands returns the commands for the plugins of a running cache.
func (a *app) livePluginCommands() []*cobra.Command {
	return []*cobra.Command{
		a.pluginListCommand(), a.pluginLoadCommand(), a.pluginReloadCommand(),
		a.pluginVerb("disable", http.MethodPost, "Let commands pass by a plugin, which stays loaded"),
		a.pluginVerb("enable", http.MethodPost, "Let commands pass a plugin again"),
		a.pluginVerb("rollback", http.MethodPost, "Put the version back that was in a plugin's place before"),
		a.pluginVerb("remove", http.MethodDelete, "Take a plugin out"),
	}
}

// bindPlugin declares the flags of a command that talks to the admin frontend about plugins. A change may have to compile a
// large module.
func bindPlugin(cmd *cobra.Command) *target {
	t := bindOutput(cmd)
	timeout := cmd.Flags().Lookup("timeout")
	t.timeout, timeout.DefValue = time.Minute, time.Minute.String()
	config.BindAdmin(cmd.Flags(), &t.admin, "`host:port` of the admin frontend")
	config.BindAdminToken(cmd.Flags(), &t.token, "`token` that the admin frontend asks for")
	return t
}

func (a *app) pluginListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print the plugins in the order in which commands pass them",
		Long: `Print the plugins in the order in which commands pass them, with what their calls cost. Of an instance's calls
one in 128 is timed; before the first was, the time is "-". -o json has more: digests, sources, hooks, grants, the kinds
of failures and the last one.`,
		Example: "  edgecache plugin list\n  edgecache plugin list -o json",
		Args:    arguments(0, 0),
	}
	t := bindPlugin(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		body, err := t.ask(cmd.Context(), http.MethodGet, "/plugins", nil)
		if err != nil {
			return fmt.Errorf("plugins of %s: %w", t.admin, err)
		}
		if *t.out == "json" {
			_, err = a.out.Write(body)
			return err
		}
		var l admin.PluginList
		if err := json.Unmarshal(body, &l); err != nil {
			return fmt.Errorf("plugins of %s: %w", t.admin, err)
		}
		return writePlugins(a.out, l.Plugins)
	}
	return cmd
}

// writePlugins prints a table that fits into 100 columns.
func writePlugins(out io.Writer, plugins []admin.PluginInfo) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "NAME\tVERSION\tSTATE\tCALLS\tNS/CALL\tFAILURES\tBREAKER\tINSTANCES\tMEMORY\tSOURCE\n")
	for _, p := range plugins {
		failures := uint64(0)
		for _, n := range p.Stats.Failures {
			failures += n
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%d\t%s\t%d\t%s\t%s\n",
			p.Name, p.Version, p.State, p.Stats.Calls, dash(float64(p.Stats.Nanos)/float64(max(p.Stats.Calls, 1))), failures,
			p.Stats.Breaker, p.Stats.Instances, memorySize(p.Stats.MemoryBytes), p.Source.Kind)
	}
	return w.Flush()
}

// memorySize is a size of memory in a unit that suits it.
func memorySize(bytes uint64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%dKiB", bytes>>10)
	}
	return fmt.Sprintf("%.1fMiB", float64(bytes)/(1<<20))
}

// sending is what is sent besides a module.
type sending struct{ name, config, grants string }

// bind declares the flags of a command that sends a module.
func (s *sending) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.config, "config", "", "`file` with the plugin's configuration, JSON")
	cmd.Flags().StringVar(&s.grants, "grant", "", "what the plugin may have: `item,item,...`, as behind the name in "+
		"\"edgecache run --grant\"; only where the cache asks for a token")
}

func (a *app) pluginLoadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "load FILE",
		Short: "Load a plugin into a running cache",
		Long: `Load a plugin into a running cache. The module, its manifest if that stands outside (in FILE.json, or for a
module without one in manifest.json of its folder), and the configuration are read here and sent. When the cache starts again it has only the plugins that its own settings name.`,
		Example: "  edgecache plugin load ./mine.wasm\n  edgecache plugin load ./mine.wasm --config mine.json --name mine-2",
		Args:    arguments(1, 1, "file"),
	}
	t := bindPlugin(cmd)
	var s sending
	s.bind(cmd)
	cmd.Flags().StringVar(&s.name, "name", "", "`name` of the plugin, in place of the one in its manifest")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		u, err := s.upload(args[0])
		if err != nil {
			return err
		}
		return a.changePlugin(cmd, t, http.MethodPost, "/plugins", u)
	}
	return cmd
}

func (a *app) pluginReloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload NAME [FILE]",
		Short: "Replace a plugin by what its files hold now, or by a file from here",
		Long: `Replace a plugin. Without FILE the cache reads the plugin's own files again; with it, the module and its manifest
are read here and sent, and the plugin keeps its configuration unless another is given. If the new version does not load,
the old one stays.`,
		Example: "  edgecache plugin reload mine\n  edgecache plugin reload mine ./mine.wasm",
		Args:    arguments(1, 2, "name"),
	}
	t := bindPlugin(cmd)
	var s sending
	s.bind(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path := "/plugins/" + url.PathEscape(args[0])
		if len(args) == 1 && s.config == "" && s.grants == "" {
			return a.changePlugin(cmd, t, http.MethodPost, path+"/reload", nil)
		}
		if len(args) == 1 {
			return usageError{errors.New("FILE is missing: --config and --grant go with a module")}
		}
		u, err := s.upload(args[1])
		if err != nil {
			return err
		}
		return a.changePlugin(cmd, t, http.MethodPut, path, u)
	}
	return cmd
}

// pluginVerb is a command that needs only the plugin's name. A POST goes to the path of the verb.
func (a *app) pluginVerb(verb, method, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Example: "  edgecache plugin " + verb + " mine", Args: arguments(1, 1, "name"),
	}
	t := bindPlugin(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path := "/plugins/" + url.PathEscape(args[0])
		if method == http.MethodPost {
			path += "/" + verb
		}
		return a.changePlugin(cmd, t, method, path, nil)
	}
	return cmd
}

// upload reads the files that are sent.
func (s *sending) upload(path string) (*admin.PluginUpload, error) {
	src, err := readPlugin(config.Plugin{Path: path, Config: s.config})
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		what string
		text []byte
	}{{"manifest beside " + path, src.Manifest}, {"configuration " + s.config, src.Config}} {
		if part.text != nil && !json.Valid(part.text) {
			return nil, fmt.Errorf("%s: it is no JSON", part.what)
		}
	}
	u := &admin.PluginUpload{Name: s.name, Wasm: src.Wasm, Manifest: src.Manifest, Config: src.Config, Module: filepath.Base(path)}
	if s.config != "" {
		u.ConfigName = filepath.Base(s.config)
	}
	if s.grants != "" {
		g, err := config.ParseGrants(s.grants)
		if err != nil {
			return nil, usageError{fmt.Errorf("--grant: %w", err)}
		}
		granted := admin.PluginGrants(g)
		u.Grants = &granted
	}
	return u, nil
}

// changePlugin asks for a change and prints what came of it.
func (a *app) changePlugin(cmd *cobra.Command, t *target, method, path string, u *admin.PluginUpload) error {
	var body any
	if u != nil {
		body = u
	}
	answer, err := t.ask(cmd.Context(), method, path, body)
	if err != nil {
		return err
	}
	if *t.out == "json" {
		_, err = a.out.Write(answer)
		return err
	}
	var c admin.PluginChange
	if err := json.Unmarshal(answer, &c); err != nil {
		return fmt.Errorf("answer from %s: %w", t.admin, err)
	}
	note := ""
	if c.Fresh {
		note = ": it wants something else than the version before, so its figures begin anew"
	}
	_, err = fmt.Fprintf(a.out, "%s %s %s%s\n", c.Action, c.Plugin.Name, c.Plugin.Version, note)
	return err
}
