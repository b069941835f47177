package config

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/edgecache/edgecache/internal/units"
)

// Files is what "edgecache files" is told. What a zero value means, the frontend knows.
type Files struct {
	// Listen and Admin are the addresses, host:port. Admin may be Off.
	Listen, Admin string
	// MaxMemory bounds the memory tier in bytes, MaxFile a file that is cached.
	MaxMemory, MaxFile int64
	// CacheControl is that header, "" for none. Index is the file that stands for a folder.
	CacheControl, Index string
	// Encodings are the codings that are offered.
	Encodings []string
	// TTL is how long something stays cached, 0 for ever. Debounce and Recheck are how changes are gathered and looked for.
	TTL, Debounce, Recheck time.Duration
	// Ignore are patterns of names in the place of the usual ones, nil for these.
	Ignore []string
	// Watch are files elsewhere on which all depend.
	Watch []string
	// DotFiles serves hidden files, NoWatch looks at files instead of watching them.
	DotFiles, NoWatch bool
	// LogLevel is the least level that is logged.
	LogLevel slog.Level
}

// NoEncodings is an Encodings of one word that leaves all of them out.
const NoEncodings = "none"

// NewFiles returns the defaults.
func NewFiles() *Files {
	return &Files{
		Listen: "127.0.0.1:8081", Admin: Off, MaxMemory: 256 << 20, MaxFile: 8 << 20, Index: "index.html",
		Encodings: []string{"br", "zstd", "gzip"}, TTL: time.Hour, Debounce: 50 * time.Millisecond, Recheck: time.Second,
		LogLevel: slog.LevelInfo,
	}
}

// Bind declares every setting on fs, with what f holds as the default.
func (f *Files) Bind(fs *pflag.FlagSet) {
	bind(fs, "listen", "`host:port` to serve HTTP on", &f.Listen, parseListen, text)
	BindAdmin(fs, &f.Admin, "`host:port` of /metrics /livez /readyz /stats, or \"off\"")
	bind(fs, "cache-control", "`value` of the header Cache-Control, such as \"public, max-age=3600\"; without one there is no such header", &f.CacheControl, parseHeader, text)
	bind(fs, "index", "`file` that is served for a folder", &f.Index, parseAny, text)
	bind(fs, "max-memory", "most `bytes` that the cache holds", &f.MaxMemory, parseSize, units.FormatBytes)
	bind(fs, "max-file", "most `bytes` of a file that is cached and compressed; larger ones are read for each request", &f.MaxFile, parseSize, units.FormatBytes)
	bind(fs, "encodings", "content `codings` that are offered, of br, zstd, gzip and deflate, or none", &f.Encodings, parseEncodings, joined)
	bind(fs, "ttl", "longest `time` that something stays cached; 0 is for ever", &f.TTL, parseTTL, time.Duration.String)
	bind(fs, "debounce", "`time` within which further changes of a file are gathered", &f.Debounce, parsePositive, time.Duration.String)
	bind(fs, "recheck", "longest `time` that a cached file is served without a look at the disk where the system does not tell of changes", &f.Recheck, parsePositive, time.Duration.String)
	bindList(fs, "ignore", ",", "`pattern` of names that are neither cached nor watched, in the place of the usual ones, which are what editors, compilers and version control leave behind; repeatable, separated by commas in the variable", &f.Ignore, parseAny)
	bindList(fs, "watch", ",", "a `file` elsewhere whose changes drop everything from the cache; repeatable, separated by commas in the variable", &f.Watch, parseAny)
	bindSwitch(fs, "dot-files", "serve files whose names begin with a dot, too", &f.DotFiles)
	bindSwitch(fs, "no-watch", "look at files as --recheck says instead of watching them: for network file systems", &f.NoWatch)
	bind(fs, "log-level", "least `level` that is logged: debug, info, warn or error", &f.LogLevel, parseLevel, formatLevel)
}

func parseListen(given string) (string, error) {
	if given == Off {
		return "", errors.New("off would serve nothing: host:port is wanted")
	}
	return parseAddress(given)
}

func parseHeader(given string) (string, error) {
	if strings.ContainsFunc(given, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", errors.New("a header is one line of ASCII")
	}
	return given, nil
}

// parseEncodings splits the list: the frontend knows which there are.
func parseEncodings(given string) ([]string, error) {
	if given == NoEncodings {
		return []string{}, nil
	}
	all := strings.Split(given, ",")
	for i, name := range all {
		if all[i] = strings.TrimSpace(name); all[i] == "" {
			return nil, fmt.Errorf("%q is no list of codings: br,zstd,gzip is wanted, or none", given)
		}
	}
	return all, nil
}

func parsePositive(given string) (time.Duration, error) {
	d, err := time.ParseDuration(given)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time: a number with a unit is wanted, such as 50ms or 1s", given)
	}
	return d, nil
}
