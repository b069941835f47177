package examples

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgecache/edgecache/hostabi/abitest"
	"github.com/edgecache/edgecache/internal/scenario"
	"github.com/edgecache/edgecache/plugins"
)

// TestScenarios runs the scenario of every plugin against it in each of its languages. A plugin has a scenario and is
// written in two languages at least. Hooks of HTTP have tests of their own.
func TestScenarios(t *testing.T) {
	for _, plugin := range folders(t, ".") {
		if slices.Contains([]string{"build", "internal", "node_modules", "policies", "testdata"}, plugin) ||
			slices.Contains(httpExamples(), plugin) {
			continue
		}
		t.Run(plugin, func(t *testing.T) {
			languages := folders(t, plugin)
			if len(languages) < 2 {
				t.Errorf("it is written in %q: two languages are wanted", languages)
			}
			s := readScenario(t, plugin)
			for _, language := range languages {
				t.Run(language, func(t *testing.T) { runScenario(t, s, plugin, language) })
			}
		})
	}
}

// folders returns the names of the folders in dir.
func folders(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name())) // what npm installs may be a link
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func readScenario(t *testing.T, plugin string) *scenario.Scenario {
	t.Helper()
	path := filepath.Join(plugin, "scenario.txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func runScenario(t *testing.T, s *scenario.Scenario, plugin, language string) {
	t.Helper()
	if !slices.Contains(abitest.Languages(), language) {
		t.Fatalf("%s is none of the languages %q", language, abitest.Languages())
	}
	result, err := s.Run(t.Context(), scenario.Options{Source: plugins.Source{Wasm: abitest.Build(t, plugin, language)}})
	if err != nil || result.Checks == 0 {
		t.Errorf("%d checks, %v", result.Checks, err)
	}
	for _, f := range result.Failures {
		t.Error(f)
	}
}
