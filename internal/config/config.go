// Package config declares what "edgecache run" can be told: each setting once, as a flag, with the environment variable
// of the same name and the line of docs/CONFIG.md made from it.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/edgecache/edgecache/internal/units"
)

// Run is what "edgecache run" is told. Its fields are checked where they are parsed; Validate checks what they say
// together.
type Run struct {
	// RESP and Admin are the addresses of the frontends, host:port. "off" leaves one out.
	RESP, Admin string
	// Password is what Redis clients must give. "" asks for none, and lets in clients on this machine alone.
	Password string
	// AdminToken is what must be given to see and change plugins over the admin address. "" asks for none, and lets only
	// this machine change them.
	AdminToken string
	// MaxMemory bounds the memory tier in bytes.
	MaxMemory int64
	// Policy is what the memory tier evicts by: the name of a policy or the path of a .wasm file, and behind a colon
	// parameters. It is checked where it is made.
	Policy string
	// Persist is the file that the memory tier is saved to and read from, "" for none.
	Persist string
	// Redis is the URL of the remote tier, "" for none; Memcached its servers, none for none. At most one is given.
	Redis     string
	Memcached []string
	// Disk is the folder of a tier of files behind the memory tier, "" for none, of DiskSize bytes. "edgecache proxy" sets it.
	Disk     string
	DiskSize int64
	// L1TTL bounds how long the memory tier keeps its copy of a remote entry. 0 is no bound.
	L1TTL time.Duration
	// NoCache switches all commands off: reads miss, and nothing is stored.
	NoCache bool
	// Plugins are loaded beside the default ones, unless NoPlugins is set.
	Plugins   []Plugin
	NoPlugins bool
	// Grants are what plugins get by their names.
	Grants []Grant
	// PluginCache is the folder of compiled plugins, or Auto, or Off; CacheDir reads it.
	PluginCache string
	// PluginTimeout bounds how long a plugin may take for a command or a batch of events, by the wall clock.
	PluginTimeout time.Duration
	// DebugPlugins runs plugins without fuel and timeout.
	DebugPlugins bool
	// Shadow runs shadow caches, which compare ShadowPolicies, nil for the usual ones, at ShadowSizes, multiples of MaxMemory.
	Shadow         bool
	ShadowPolicies []string
	ShadowSizes    []float64
	// Values says in which form the remote tier stores values.
	Values string
	// Capture is the file that what is asked for is recorded in, "" for none. CaptureOps are what counts as asking.
	Capture, CaptureOps string
	// CaptureSalt is what keys are hashed with in captures, or PlainKeys. "" is a secret of each capture's own.
	CaptureSalt string
	// CaptureMaxBytes and CaptureFor end Capture. 0 is no bound.
	CaptureMaxBytes int64
	CaptureFor      time.Duration
	// LogLevel is the least level that is logged.
	LogLevel slog.Level
	// PProf serves profiles on the admin address.
	PProf bool
}

// What Run.Values may be.
const (
	ValuesRaw      = "raw"
	ValuesEnvelope = "envelope"
)

// What Run.CaptureOps may be.
const (
	CaptureReads  = "get"
	CaptureWrites = "get,set"
)

// PlainKeys is a Run.CaptureSalt that leaves keys without one.
const PlainKeys = "none"

// DefaultPolicy is otter's adaptive W-TinyLFU.
const DefaultPolicy = "tinylfu"

// Words in the place of an address or a folder.
const (
	Off  = "off"  // leave it out
	Auto = "auto" // the usual one
)

// NewRun returns the defaults.
func NewRun() *Run {
	return &Run{
		RESP: "127.0.0.1:6380", Admin: "127.0.0.1:9380", MaxMemory: 256 << 20, Policy: DefaultPolicy, L1TTL: 5 * time.Second,
		Shadow: true, ShadowSizes: []float64{0.5, 1, 2},
		PluginCache: Auto, PluginTimeout: 100 * time.Millisecond, Values: ValuesRaw, LogLevel: slog.LevelInfo,
		CaptureOps: CaptureReads,
	}
}

// Bind declares every setting on fs, with what r holds as the default.
func (r *Run) Bind(fs *pflag.FlagSet) {
	BindRESP(fs, &r.RESP, "`host:port` for Redis clients, or \"off\"")
	BindAdmin(fs, &r.Admin, "`host:port` of /metrics /livez /readyz /stats /advise /plugins, or \"off\"")
	BindAdminToken(fs, &r.AdminToken, "`token` that /plugins and profiles ask for on the admin address; without one plugins can be changed from this machine alone, and not be granted anything there. Better given by the variable, since command lines can be seen")
	BindPassword(fs, &r.Password, "`password` that Redis clients must give; without one only those on this machine are let in")
	bind(fs, "max-memory", "most `bytes` that the memory tier holds, keys and values counted", &r.MaxMemory, parseSize, units.FormatBytes)
	bind(fs, "policy", "`policy` that chooses what leaves a full memory tier, `name[:param=value,...]`: tinylfu, or one that \"edgecache sim\" knows, such as lru, sieve, s3fifo or slru:segments=2, but for those that know the future; or the path of a .wasm file with one", &r.Policy, parsePolicy, text)
	bind(fs, "persist", "`file` that the memory tier is saved to at the end and on SIGUSR1, and read from at the start; not with a tier behind it, which keeps everything itself", &r.Persist, parseAny, text)
	bind(fs, "redis", "`URL` of a Redis behind the memory tier: redis://[user:password@]host:port/db, rediss:// for TLS, redis+cluster:// or redis+sentinel://", &r.Redis, parseRedis, text)
	bind(fs, "memcached", "memcached servers behind the memory tier: `host:port`,host:port,...", &r.Memcached, parseServers, joined)
	bind(fs, "l1-ttl", "longest `time` that the memory tier keeps its copy of a remote entry; 0 is as long as the entry lives", &r.L1TTL, parseTTL, time.Duration.String)
	bindSwitch(fs, "no-cache", "store nothing: reads miss and writes are as if they had been done, which EDGECACHE_DISABLE=1 also asks for", &r.NoCache)
	bindList(fs, "plugin", ",", "a plugin to load, `name|path[=config.json]`: the name of a built-in one, which replaces its configuration, or the path of a .wasm file; repeatable, separated by commas in the variable", &r.Plugins, ParsePlugin)
	bindSwitch(fs, "no-plugins", "load no plugins at all", &r.NoPlugins)
	bindList(fs, "grant", ";", "what a plugin may have, `name=item,item,...`, by the name it is loaded under. Items: value, kv, metrics and trace (capabilities), lengthen (hooks of HTTP may have responses kept that no-store, private or Authorization forbid to keep), memory:PAGES (of 64 KiB, for each instance), fuel:UNITS (for each call), kv-bytes:SIZE, kv-entries:N, keys:PREFIX (more than once for several), failure:open or failure:closed; repeatable, separated by semicolons in the variable", &r.Grants, ParseGrant)
	bind(fs, "plugin-cache", "`folder` of compiled plugins, which makes the next start quick; \"auto\" is edgecache in the user's cache folder, \"off\" is none", &r.PluginCache, parseFolder, text)
	bind(fs, "plugin-timeout", "longest `time` that a plugin may take for a command or a batch of events, from 1ms; fuel stops most that do not end much earlier", &r.PluginTimeout, parseCallTime, time.Duration.String)
	bindSwitch(fs, "debug-plugins", "run plugins without fuel and timeout, with lines of source in traces where modules have them: one that does not end then hangs the process", &r.DebugPlugins)
	bind(fs, "shadow", "`on` or off: caches without values that follow a sample of the traffic and tell \"edgecache advise\" what other policies and sizes would miss", &r.Shadow, parseOnOff, formatOnOff)
	bind(fs, "shadow-policies", "eviction `policies` to compare, separated by commas (default: those that win most often)", &r.ShadowPolicies, parsePolicies, joined)
	bind(fs, "shadow-sizes", "`sizes` to compare, as multiples of --max-memory, separated by commas", &r.ShadowSizes, parseFactors, formatFactors)
	bind(fs, "values", "`form` of values in the remote tier: raw, which every client of that store can read, or envelope, which adds version, flags and a checksum", &r.Values, parseValues, text)
	bind(fs, "capture", "`file` that what clients ask for is recorded in as a trace, .zst at the end; a file that is there stays, and another has a number", &r.Capture, parseCapture, text)
	BindCaptureOps(fs, "capture-ops", &r.CaptureOps)
	bind(fs, "capture-salt", "`secret` that keys are hashed with in captures: where it is the same, so are the hashes; \"none\" hashes them without, so that guesses of keys can be checked; otherwise each capture has one of its own. Better given by the variable", &r.CaptureSalt, parseAny, text)
	BindCaptureMaxBytes(fs, "capture-max-bytes", &r.CaptureMaxBytes)
	bind(fs, "capture-for", "longest `time` that a capture lasts; 0 is until the end", &r.CaptureFor, parseTTL, time.Duration.String)
	bind(fs, "log-level", "least `level` that is logged: debug, info, warn or error", &r.LogLevel, parseLevel, formatLevel)
	bindSwitch(fs, "pprof", "serve profiles under /debug/pprof on the admin address", &r.PProf)
}

// BindCaptureOps declares what counts as asking for an object in a capture.
func BindCaptureOps(fs *pflag.FlagSet, flag string, ops *string) {
	bind(fs, flag, "`operations` that a capture has as requests: get, or get,set; simulators have an object come in when it is missed, so that with both the set that follows a miss is a hit", ops, parseCaptureOps, text)
}

// BindCaptureMaxBytes declares how large a capture may be.
func BindCaptureMaxBytes(fs *pflag.FlagSet, flag string, most *int64) {
	bind(fs, flag, "most `bytes` that a capture has, compressed; 0 is no bound", most, units.ParseBytes, units.FormatBytes)
}

// BindRESP declares the address of the RESP frontend: "edgecache run" listens there, the other commands go there.
func BindRESP(fs *pflag.FlagSet, addr *string, usage string) {
	bind(fs, "resp", usage, addr, parseAddress, text)
}

// BindAdmin declares the address of the admin frontend, as BindRESP does.
func BindAdmin(fs *pflag.FlagSet, addr *string, usage string) {
	bind(fs, "admin", usage, addr, parseAddress, text)
}

// BindAdminToken declares the token of the admin frontend, as BindPassword does.
func BindAdminToken(fs *pflag.FlagSet, token *string, usage string) {
	bind(fs, "admin-token", usage, token, parseToken, text)
}

// BindPassword declares the password of the RESP frontend.
func BindPassword(fs *pflag.FlagSet, password *string, usage string) {
	bind(fs, "password", usage, password, parseAny, text)
}

// Validate reports settings that do not go together.
func (r *Run) Validate() error {
	switch {
	case r.Redis != "" && len(r.Memcached) > 0:
		return errors.New("--redis and --memcached are both set: there is one remote tier: leave one of them out")
	case r.Persist != "" && (r.Redis != "" || len(r.Memcached) > 0):
		return errors.New("--persist stands beside --redis or --memcached: the memory tier then has copies only, which may be out of date when they come back: leave --persist out")
	case r.NoPlugins && len(r.Plugins) > 0:
		return errors.New("--no-plugins and --plugin are both set: leave one of them out")
	case r.NoPlugins && len(r.Grants) > 0:
		return errors.New("--no-plugins and --grant are both set: leave one of them out")
	case r.NoPlugins && r.DebugPlugins:
		return errors.New("--no-plugins and --debug-plugins are both set: leave one of them out")
	case !r.Shadow && len(r.ShadowPolicies) > 0:
		return errors.New("--shadow is off and --shadow-policies is set: leave one of them out")
	case r.RESP == Off && r.Admin == Off:
		return errors.New("--resp and --admin are both off: nothing would listen: give one of them an address")
	case r.Values == ValuesEnvelope && r.Redis == "" && len(r.Memcached) == 0:
		return fmt.Errorf("--values %s needs --redis or --memcached: the memory tier keeps everything anyway", r.Values)
	case r.Capture == "" && (r.CaptureMaxBytes > 0 || r.CaptureFor > 0):
		return errors.New("--capture-max-bytes and --capture-for need --capture: captures over the admin address have limits of their own")
	}
	return r.checkGrants()
}

// checkGrants reports a plugin that is granted something in two places.
func (r *Run) checkGrants() error {
	given := make(map[string]bool)
	for _, g := range r.Grants {
		if given[g.Name] {
			return fmt.Errorf("--grant (EDGECACHE_GRANT): %s is given twice: write its items behind one name, with commas", g.Name)
		}
		given[g.Name] = true
	}
	return nil
}

// CacheDir returns the folder of compiled plugins, "" for none. Auto is none where the user has no cache folder, as in a
// container.
func (r *Run) CacheDir() string {
	switch r.PluginCache {
	case Off:
		return ""
	case Auto:
		dir, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		return filepath.Join(dir, "edgecache")
	default:
		return r.PluginCache
	}
}
