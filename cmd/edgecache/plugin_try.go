package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/internal/scenario"
	"github.com/edgecache/edgecache/plugins"
)

// pluginTestCommand returns "edgecache plugin test". The file can't be called after it: Go would take it for a test.
func (a *app) pluginTestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test MODULE|FOLDER",
		Short: "Run a plugin's scenario against a cache in memory",
		Long: `Run a plugin's scenario: commands, the replies they must bring and what then is stored. Every line that does
not come true is printed with what came and what the plugin has logged, and the status is then 1.

The scenario is scenario.txt beside the module, or one folder up. The manifest is MODULE.json, or the one in the
module, or manifest.json in the module's folder. A scenario:

  config {"prefix":"v1:"}     # configuration from here on; begins a fresh cache if a command came before
  grant value kv              # capabilities that an operator must grant
  > SET Greeting hello        # a command as redis-cli takes it
  OK                          # and its reply as redis-cli prints it; "~ " begins a regular expression
  stored v1:greeting "hello"  # what the memory tier holds, or (nil); NAMESPACE|KEY for one in a namespace
  length v1:greeting 5        # its length: a number, a range 1..9 or a bound <300
  ttl v1:greeting -1          # seconds left; -1 none, -2 no such key
  stats denied 1              # a figure of the first row of the plugin's report
  metric requests 3           # a counter or gauge of the plugin
  log ~ outcome=hit           # a line that the plugin has logged since the last command
  refused config {"x":3} ~ x  # this configuration must be refused with such a text`,
		Example: "  edgecache plugin test .\n  edgecache plugin test mine.wasm --scenario other.txt -o json",
		Args:    arguments(1, 1, "module"),
	}
	out := bindFormat(cmd)
	file := cmd.Flags().String("scenario", "", "`file` with the scenario")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		res, err := testPlugin(cmd.Context(), args[0], *file)
		if err != nil {
			return err
		}
		if err := a.printTest(*out, res); err != nil {
			return err
		}
		if n := len(res.Failures); n > 0 {
			return fmt.Errorf("%d of %d checks failed, %d were left out", n, res.Checks, res.Skipped)
		}
		return nil
	}
	return cmd
}

// tested is the result of a scenario as JSON has it.
type tested struct {
	Module   string `json:"module"`
	Scenario string `json:"scenario"`
	OK       bool   `json:"ok"`
	scenario.Result
}

func testPlugin(ctx context.Context, path, file string) (*tested, error) {
	src, module, err := findPlugin(path)
	if err != nil {
		return nil, err
	}
	if isHTTP(src) {
		return nil, fmt.Errorf("%s: it has hooks of HTTP, which no scenario of commands calls: see docs/PLUGINS-HTTP.md for how they are tried", module)
	}
	if file == "" {
		if file, err = findScenario(filepath.Dir(module)); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s, err := scenario.Parse(file, text)
	if err != nil {
		return nil, err
	}
	res, err := s.Run(ctx, scenario.Options{Source: src, CacheDir: compiledDir()})
	return &tested{module, file, len(res.Failures) == 0, res}, err
}

// isHTTP reports whether a plugin's hooks are those of an HTTP cache.
func isHTTP(src plugins.Source) bool {
	b := src.Manifest
	if b == nil {
		b, _, _ = hostabi.ReadManifest(src.Wasm) // what is wrong with it, loading says
	}
	m, err := hostabi.ParseManifest(b)
	return err == nil && m.ABI == hostabi.ABIHTTP
}

// findScenario returns the scenario in a folder, or one folder up.
func findScenario(folder string) (string, error) {
	const name = "scenario.txt"
	for _, path := range []string{filepath.Join(folder, name), filepath.Join(folder, "..", name)} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
	}
	return "", fmt.Errorf("%s: there is no %s, nor one folder up: write one, or name one with --scenario", folder, name)
}

func (a *app) printTest(out format, res *tested) error {
	if out == "json" {
		return writeJSON(a.out, res)
	}
	for _, f := range res.Failures {
		if _, err := fmt.Fprint(a.out, f); err != nil {
			return err
		}
	}
	if res.OK {
		_, err := fmt.Fprintf(a.out, "ok: %s: %d checks of %s\n", res.Module, res.Checks, res.Scenario)
		return err
	}
	return nil
}
