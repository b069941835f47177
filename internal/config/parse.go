package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/edgecache/edgecache/internal/units"
)

// Plugin names a plugin to load.
type Plugin struct {
	// Name is that of a built-in plugin, or "" where Path is set.
	Name string
	// Path is the .wasm file.
	Path string
	// Config is the path of the JSON file that the plugin is given, "" for none.
	Config string
}

// ParsePlugin reads NAME|PATH[=config.json]. What ends in .wasm or holds a slash is a path.
func ParsePlugin(given string) (Plugin, error) {
	what, config, found := strings.Cut(given, "=")
	if what == "" || found && config == "" {
		return Plugin{}, fmt.Errorf("%q is no plugin: the name of a built-in one or the path of a .wasm file is wanted, "+
			"with =config.json if it has a configuration", given)
	}
	if strings.HasSuffix(what, ".wasm") || strings.ContainsRune(what, '/') || strings.ContainsRune(what, filepath.Separator) {
		return Plugin{Path: what, Config: config}, nil
	}
	return Plugin{Name: what, Config: config}, nil
}

// parsePolicy reads NAME[:param=value,...]. What names and parameters there are, others know.
func parsePolicy(given string) (string, error) {
	if name, _, _ := strings.Cut(given, ":"); name == "" {
		return "", fmt.Errorf("%q is no policy: a name such as %s, lru or sieve is wanted, and behind a colon its parameters", given, DefaultPolicy)
	}
	return given, nil
}

// GuestPolicy reports whether Policy is the path of a module.
func (r *Run) GuestPolicy() bool {
	path, _, _ := strings.Cut(r.Policy, ".wasm:")
	return strings.HasSuffix(path, ".wasm") || path != r.Policy
}

// PolicyPath takes a path and the parameters behind it apart, as in my.wasm:size=3,depth=2.
func PolicyPath(given string) (path string, params map[string]string, err error) {
	if strings.HasSuffix(given, ".wasm") {
		return given, nil, nil
	}
	path, list, _ := strings.Cut(given, ".wasm:")
	params = make(map[string]string)
	for pair := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return "", nil, fmt.Errorf("parameter %q of %s.wasm is no name=value", pair, path)
		}
		params[name] = value
	}
	return path + ".wasm", params, nil
}

// minMemory is the least that the memory tier can do with.
const minMemory = 1 << 20

// parseSize reads the size of the memory tier.
func parseSize(given string) (int64, error) {
	n, err := units.ParseBytes(given)
	if err == nil && n < minMemory {
		err = fmt.Errorf("%s is too little: 1MiB is the least", given)
	}
	return n, err
}

func parseAddress(given string) (string, error) {
	if given == Off {
		return Off, nil
	}
	_, port, err := net.SplitHostPort(given)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("%q is no address: host:port is wanted, such as 127.0.0.1:6380, :6380 or [::1]:6380", given)
	}
	return given, nil
}

// parseServers splits the list: the tier that uses it knows what a server may be called.
func parseServers(given string) ([]string, error) {
	servers := strings.Split(given, ",")
	for i, s := range servers {
		if servers[i] = strings.TrimSpace(s); servers[i] == "" {
			return nil, fmt.Errorf("%q is no list of servers: host:port,host:port,... is wanted", given)
		}
	}
	return servers, nil
}

// parseRedis checks the form only: the tier that uses the URL knows the rest. A URL may hold a password, so an error
// never repeats it.
func parseRedis(given string) (string, error) {
	if scheme, rest, ok := strings.Cut(given, "://"); !ok || scheme == "" || rest == "" {
		return "", errors.New("it is no URL: redis://[user:password@]host:port/db is wanted, or rediss://... for TLS")
	}
	return given, nil
}

func parseTTL(given string) (time.Duration, error) {
	d, err := time.ParseDuration(given)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no time: a number with a unit is wanted, such as 500ms, 5s or 10m, or 0", given)
	}
	return d, nil
}

func parseCallTime(given string) (time.Duration, error) {
	d, err := time.ParseDuration(given)
	if err != nil || d < time.Millisecond {
		return 0, fmt.Errorf("%q is no time for a call: 1ms at least is wanted, such as 50ms or 1s", given)
	}
	return d, nil
}

func parseValues(given string) (string, error) {
	if given != ValuesRaw && given != ValuesEnvelope {
		return "", fmt.Errorf("%q is no form of values: %s or %s is wanted", given, ValuesRaw, ValuesEnvelope)
	}
	return given, nil
}

func parseCapture(given string) (string, error) {
	if !strings.HasSuffix(given, ".zst") {
		return "", fmt.Errorf("%q must end in .zst, which the trace is compressed with, such as today.oracleGeneral.zst", given)
	}
	return given, nil
}

func parseCaptureOps(given string) (string, error) {
	if given != CaptureReads && given != CaptureWrites {
		return "", fmt.Errorf("%q is not what a capture can have: %s or %s is wanted", given, CaptureReads, CaptureWrites)
	}
	return given, nil
}

func parseLevel(given string) (level slog.Level, err error) {
	if err := level.UnmarshalText([]byte(given)); err != nil {
		return 0, fmt.Errorf("%q is no level: debug, info, warn or error is wanted", given)
	}
	return level, nil
}

func parseBool(given string) (bool, error) {
	b, err := strconv.ParseBool(given)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", given)
	}
	return b, nil
}

func parseOnOff(given string) (bool, error) {
	switch given {
	case "on", "true":
		return true, nil
	case Off, "false":
		return false, nil
	default:
		return false, fmt.Errorf("%q is neither on nor off", given)
	}
}

func formatOnOff(on bool) string {
	if on {
		return "on"
	}
	return Off
}

// parsePolicies reads a list of policies. What has a = and no colon is a further parameter of the one before.
func parsePolicies(given string) ([]string, error) {
	var all []string
	for word := range strings.SplitSeq(given, ",") {
		word = strings.TrimSpace(word)
		last := len(all) - 1
		switch {
		case word == "":
			return nil, fmt.Errorf("%q is no list of policies: lru,sieve,... is wanted", given)
		case last >= 0 && strings.Contains(all[last], ":") && strings.Contains(word, "=") && !strings.Contains(word, ":"):
			all[last] += "," + word
		default:
			all = append(all, word)
		}
	}
	return all, nil
}

// parseFactors reads a list of sizes as multiples of another.
func parseFactors(given string) ([]float64, error) {
	var all []float64
	for word := range strings.SplitSeq(given, ",") {
		f, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		if err != nil || !(f >= 0.01 && f <= 100) {
			return nil, fmt.Errorf("%q is no list of sizes: numbers from 0.01 to 100 with commas between them are wanted", given)
		}
		all = append(all, f)
	}
	return all, nil
}

func formatFactors(factors []float64) string {
	words := make([]string, len(factors))
	for i, f := range factors {
		words[i] = strconv.FormatFloat(f, 'g', -1, 64)
	}
	return strings.Join(words, ",")
}

func parseFolder(given string) (string, error) {
	if given == "" {
		return "", errors.New(`a folder, "auto" or "off" is wanted`)
	}
	return given, nil
}

// parseToken checks that the token can be sent in a header. An error never repeats it.
func parseToken(given string) (string, error) {
	for _, c := range []byte(given) {
		if c <= ' ' || c > '~' {
			return "", errors.New("letters, digits and punctuation of ASCII are wanted, without blanks")
		}
	}
	return given, nil
}

func parseAny(s string) (string, error) { return s, nil }

func text(s string) string            { return s }
func joined(s []string) string        { return strings.Join(s, ",") }
func formatLevel(l slog.Level) string { return strings.ToLower(l.String()) }
func formatBool(b bool) string        { return strconv.FormatBool(b) }
