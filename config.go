package edgecache

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/units"
)

// LoadConfig reads a file that ParseConfig knows.
func LoadConfig(path string) (map[string]CacheConfig, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("edgecache: configuration: %w", err)
	}
	return ParseConfig(path, data)
}

// ParseConfig reads named caches from YAML, of which JSON is a part:
//
//	caches:
//	  default: memory://?max=256MiB                     # a URL as Open has it
//	  pages:
//	    url: [memory://?max=64MiB, "${REDIS_URL:-redis://127.0.0.1:6379/0}"]   # tiers, nearest first
//	    ttl: 10m                                        # a time, or never
//	    jitter: 0.1
//	    namespace: shop/pages
//	    max: 128MiB                                     # of the nearest store that has a bound
//	    policy: lru
//	  html: {alias: pages}                              # another name for it
//	  assets: {preset: files, ttl: 1d}                  # as Presets has it, with another time
//
// In URLs ${NAME} is the variable of the environment, ${NAME:-text} is text where that is empty, and $$ is a dollar sign.
// What is unknown, misspelt or given twice is an error with its line; name is what errors call the source.
func ParseConfig(name string, data []byte) (map[string]CacheConfig, error) {
	var given struct {
		Caches map[string]cacheNode `yaml:"caches"`
	}
	if err := yaml.UnmarshalWithOptions(data, &given, yaml.Strict()); err != nil {
		return nil, configError(name, err)
	}
	all := make(map[string]CacheConfig, len(given.Caches))
	for cache, node := range given.Caches {
		all[cache] = CacheConfig(node)
	}
	return all, nil
}

// ConfigOf is ParseConfig for a map, or a struct with tags for JSON, that a program has: what stands there is what would
// stand below "caches".
func ConfigOf(caches any) (map[string]CacheConfig, error) {
	data, err := json.Marshal(map[string]any{"caches": caches})
	if err != nil {
		return nil, fmt.Errorf("edgecache: configuration: %w", err)
	}
	return ParseConfig("configuration", data)
}

// configError says where in the source something is wrong. A part of the source that the library would show is left out: it
// may hold passwords.
func configError(name string, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("edgecache: %s: %w", name, err)
	}
	p := at.GetToken().Position
	return fmt.Errorf("edgecache: %s:%d:%d: %s", name, p.Line, p.Column, at.GetMessage())
}

// cacheNode is a CacheConfig as YAML has it.
type cacheNode core.CacheConfig

// UnmarshalYAML reads a URL, a list of them, or a map.
func (c *cacheNode) UnmarshalYAML(node ast.Node) error {
	if node.Type() != ast.MappingType && node.Type() != ast.MappingValueType {
		var urls urlList
		err := yaml.NodeToValue(node, &urls, yaml.Strict())
		c.Stores = urls
		return err
	}
	var given struct {
		URL       urlList                `yaml:"url"`
		Alias     string                 `yaml:"alias"`
		Preset    scalar[CacheConfig]    `yaml:"preset"`
		TTL       scalar[time.Duration]  `yaml:"ttl"`
		Jitter    scalar[float32]        `yaml:"jitter"`
		Namespace scalar[namespaceNames] `yaml:"namespace"`
		Max       scalar[int64]          `yaml:"max"`
		Policy    string                 `yaml:"policy"`
	}
	given.Preset.parse, given.TTL.parse, given.Jitter.parse = preset, parseTTL, parseShare
	given.Namespace.parse, given.Max.parse = parseNames, units.ParseBytes
	if err := yaml.NodeToValue(node, &given, yaml.Strict()); err != nil {
		return err
	}
	own := CacheConfig{
		Alias: given.Alias, Stores: given.URL, Namespace: given.Namespace.value, TTL: given.TTL.value,
		Jitter: given.Jitter.value, MaxBytes: given.Max.value, Policy: given.Policy,
	}
	if given.Alias != "" {
		*c = cacheNode(own) // and what stands beside it is refused with the rest
		return nil
	}
	*c = cacheNode(given.Preset.value.With(own))
	return nil
}

type namespaceNames = []string

func parseNames(given string) (namespaceNames, error) { return parsePath(given) }

// scalar is a value that is parsed from the text of a scalar.
type scalar[T any] struct {
	value T
	parse func(string) (T, error)
}

// UnmarshalYAML keeps the place where an error is.
func (s *scalar[T]) UnmarshalYAML(node ast.Node) (err error) {
	text, err := scalarText(node)
	if err == nil {
		s.value, err = s.parse(text)
	}
	if err != nil {
		return &yaml.SyntaxError{Message: err.Error(), Token: node.GetToken()}
	}
	return nil
}

// scalarText returns what was written: numbers as they stand there.
func scalarText(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, nil
	default:
		return "", fmt.Errorf("a %s is no text and no number", strings.ToLower(node.Type().String()))
	}
}

// urlList is a URL or a list of them, with variables in place.
type urlList []string

// UnmarshalYAML reads either.
func (l *urlList) UnmarshalYAML(node ast.Node) error {
	nodes := []ast.Node{node}
	if list, ok := node.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	for _, n := range nodes {
		url := scalar[string]{parse: func(text string) (string, error) { return expand(text, os.LookupEnv) }}
		if err := url.UnmarshalYAML(n); err != nil {
			return err
		}
		*l = append(*l, url.value)
	}
	return nil
}

// expand puts variables of the environment in place.
func expand(text string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if rest, ok := strings.CutPrefix(after, "$"); ok {
			b.WriteByte('$')
			text = rest
			continue
		}
		inner, rest, closed := strings.Cut(after, "}")
		name, ok := strings.CutPrefix(inner, "{")
		if !ok || !closed {
			return "", errors.New("a dollar sign stands before {NAME}, or is written $$")
		}
		name, def, optional := strings.Cut(name, ":-")
		value, _ := lookup(name)
		if value == "" && !optional {
			return "", fmt.Errorf("variable %s is empty: set it, or write ${%s:-text}", name, name)
		}
		if value == "" {
			value = def
		}
		b.WriteString(value)
		text = rest
	}
}
