package archtest

import (
	"slices"
	"strings"
)

// Module is the path of the module whose arrows these are.
const Module = "github.com/edgecache/edgecache"

// Rule says what the packages at Path may import beside most of the standard library. Paths are relative to the module;
// one that ends in "/*" stands for the packages directly below.
type Rule struct {
	Path string
	// Ours are the packages of this module, by path; "*" is all of them.
	Ours []string
	// Others are foreign import paths. One that ends in "/..." stands for everything at and below it; "*" is all.
	Others []string
	// HTTP allows net/http and what is below it.
	HTTP bool
	// ContextValues allows context.WithValue and Value, which request state must not travel in.
	ContextValues bool
	// Guest is for code that runs as a guest: its exports find their state in package variables, which an instance has alone,
	// and there is no main to set them up.
	Guest bool
	// Files narrows the rule to files of the package; other files need another rule. nil is all files.
	Files []string
}

// House returns the arrows of docs/ARCHITECTURE.md. The first rule that fits a file is the one.
func House() []Rule {
	const (
		otelAPI = "go.opentelemetry.io/otel"
		wazero  = "github.com/tetratelabs/wazero/..."
		goRedis = "github.com/redis/go-redis/v9/..."
		xxhash  = "github.com/cespare/xxhash/v2"
	)
	otel := []string{otelAPI, otelAPI + "/attribute", otelAPI + "/codes", otelAPI + "/metric", otelAPI + "/metric/noop", otelAPI + "/semconv/...", otelAPI + "/trace"}
	with := func(more ...string) []string { return append(more, otel...) }
	return []Rule{
		{
			// The whole of it for programs: what its URLs name, it makes.
			Path: "", Ours: []string{
				"backends/file", "backends/memcached", "backends/memory", "backends/null", "backends/redis", "backends/sqlite", "core",
				"internal/units",
			},
			Others: []string{"github.com/goccy/go-yaml/..."},
		},
		{Path: "core", Ours: []string{"core/codec"}, Others: with(xxhash)},
		{Path: "core/codec", Others: []string{xxhash}},
		{Path: "core/codec/cbor", Ours: []string{"core/codec"}, Others: []string{"github.com/fxamacker/cbor/v2"}},
		{Path: "core/codec/codectest", Ours: []string{"core/codec"}, Others: []string{"github.com/google/go-cmp/cmp"}},
		{Path: "core/codec/compress", Ours: []string{"core/codec"}, Others: []string{"github.com/klauspost/compress/..."}},
		{Path: "core/codec/msgpack", Ours: []string{"core/codec"}, Others: []string{"github.com/vmihailenco/msgpack/v5"}},
		{Path: "core/codec/seal", Ours: []string{"core/codec"}},
		{Path: "core/evict"},
		{Path: "core/evict/policytest", Ours: []string{"core/evict"}},
		{Path: "httphook"},
		{Path: "hostabi"},
		{Path: "hostabi/sdk"},
		{Path: "hostabi/sdk/go", Guest: true},
		{Path: "hostabi/sdk/go/policy", Guest: true},
		{Path: "hostabi/abitest", Ours: []string{"hostabi"}},
		{Path: "hostabi/abitest/guests/go", Ours: []string{"hostabi/sdk/go"}, Guest: true},
		{Path: "plugins", Ours: []string{"core", "core/evict", "hostabi", "internal/atomicfile", "plugins/meter"}, Others: []string{wazero, xxhash}, ContextValues: true},
		{
			Path: "plugins/httpwasm", Ours: []string{"hostabi", "plugins/meter"}, HTTP: true, ContextValues: true,
			Others: []string{wazero, "golang.org/x/net/http/httpguts"},
		},
		{Path: "plugins/http", Ours: []string{"core", "hostabi", "httphook", "plugins"}},
		{Path: "plugins/meter"},
		{Path: "plugins/set", Ours: []string{"core", "hostabi", "plugins"}},
		{
			Path: "plugins/oci", Ours: []string{"hostabi"}, HTTP: true,
			Others: []string{"oras.land/oras-go/v2/...", "github.com/opencontainers/image-spec/specs-go/..."},
		},
		{Path: "plugins/signing", Others: []string{"aead.dev/minisign"}},
		{Path: "rfc9110", HTTP: true},
		{Path: "observers/shadow", Ours: []string{"core", "core/evict"}},
		{Path: "plugins/native", Ours: []string{"core"}, Others: []string{xxhash}},
		{Path: "backends/backendtest", Ours: []string{"core"}, Others: []string{"pgregory.net/rapid"}},
		{Path: "backends/internal/keyscan", Ours: []string{"core"}},
		{Path: "backends/file", Ours: []string{"core", "backends/internal/keyscan"}},
		{Path: "backends/memory", Ours: []string{"core", "core/evict", "backends/internal/keyscan"}, Others: []string{"github.com/maypok86/otter/v2/..."}},
		{Path: "backends/redis", Ours: []string{"core", "core/codec"}, Others: with(goRedis, xxhash)},
		{
			Path: "backends/memcached", Ours: []string{"core", "core/codec", "backends/internal/keyscan"},
			Others: with("github.com/bradfitz/gomemcache/memcache", xxhash),
		},
		{Path: "backends/sqlite", Ours: []string{"core", "core/codec", "backends/internal/keyscan"}, Others: []string{"modernc.org/sqlite"}},
		{Path: "backends/*", Ours: []string{"core", "core/codec"}, Others: otel},
		{Path: "observers/capture", Ours: []string{"bench/trace", "core"}, Others: []string{xxhash}},
		{Path: "frontends/httpcache/internal/gate", HTTP: true},
		{Path: "frontends/httpcache/guard", Ours: []string{"frontends/httpcache/internal/gate"}, HTTP: true},
		{Path: "frontends/httpcache/fasth1", Ours: []string{"frontends/httpcache/internal/gate"}, Others: otel, HTTP: true},
		{
			Path: "frontends/httpcache", Files: []string{"fast.go"}, HTTP: true,
			Ours: []string{"frontends/httpcache/fasth1", "frontends/httpcache/internal/store", "httphook", "rfc9111"},
		},
		{Path: "frontends/admin", Ours: []string{"core"}, HTTP: true},
		{
			Path: "frontends/files", Ours: []string{"core", "frontends/internal/encode", "rfc9110"}, HTTP: true,
			Others: []string{"github.com/fsnotify/fsnotify", "golang.org/x/sync/singleflight"},
		},
		{
			Path: "frontends/internal/encode", Ours: []string{"rfc9110"},
			Others: []string{"github.com/andybalholm/brotli", "github.com/klauspost/compress/..."},
		},
		{Path: "frontends/forms", Ours: []string{"core", "core/codec"}},
		{Path: "frontends/httpcache/internal/invalid", Ours: []string{"core"}, Others: []string{xxhash}},
		{
			Path: "frontends/httpcache/internal/store", HTTP: true, Others: []string{xxhash},
			Ours: []string{"core", "frontends/httpcache/internal/invalid", "rfc9111"},
		},
		{
			Path: "frontends/httpcache", HTTP: true, Others: otel,
			Ours: []string{
				"core", "frontends/httpcache/internal/invalid", "frontends/httpcache/internal/store", "frontends/internal/encode",
				"httphook", "rfc9110", "rfc9111",
			},
		},
		{Path: "frontends/httpcache/origin", Ours: []string{"frontends/httpcache"}, HTTP: true},
		{Path: "frontends/*", Ours: []string{"core"}, Others: otel},
		// wire.go is the only file that imports everything; those beside it take a share of its work.
		{Path: "cmd/edgecache", Files: []string{"wire.go"}, Ours: []string{"*"}, HTTP: true},
		{
			Path: "cmd/edgecache", Files: []string{"plugins.go"},
			Ours: []string{"hostabi", "internal/config", "plugins", "plugins/set", "wasm-examples"},
		},
		{
			Path: "cmd/edgecache", Files: []string{"policy.go"},
			Ours: []string{"backends/memory", "core/evict", "internal/config", "plugins"},
		},
		{Path: "cmd/edgecache", Files: []string{"manage.go"}, Ours: []string{"frontends/admin", "plugins", "plugins/set"}, HTTP: true},
		{Path: "cmd/edgecache", Files: []string{"server.go"}, Ours: []string{"core", "frontends/admin", "plugins"}, HTTP: true},
		{
			Path: "cmd/edgecache", Files: []string{"plugin_push.go", "plugin_pull.go", "plugin_sign.go"},
			Ours: []string{"hostabi", "internal/atomicfile", "plugins/oci", "plugins/signing"}, HTTP: true,
			Others: []string{"github.com/spf13/cobra"},
		},
		{
			Path: "cmd/edgecache",
			Files: []string{
				"plugin_bench.go", "plugin_build.go", "plugin_inspect.go", "plugin_module.go", "plugin_new.go", "plugin_pack.go",
				"plugin_try.go",
			},
			Ours:   []string{"core", "hostabi", "hostabi/sdk", "internal/atomicfile", "internal/config", "internal/pluginbench", "internal/project", "internal/scenario", "plugins", "wasm-examples"},
			Others: []string{"github.com/spf13/cobra"},
		},
		{
			Path: "cmd/edgecache", Files: []string{"advise.go", "shadow.go"},
			Ours:   []string{"backends/memory", "core", "core/evict", "internal/config", "observers/shadow"},
			Others: with("github.com/spf13/cobra"), HTTP: true,
		},
		{
			Path: "cmd/edgecache", Files: []string{"cache.go"}, Ours: []string{"", "core", "frontends/admin", "internal/config"}, HTTP: true,
			Others: []string{"github.com/spf13/cobra", goRedis},
		},
		{
			Path: "cmd/edgecache", Files: []string{"sim_command.go", "sim_progress.go"},
			Ours: []string{"bench/sim", "bench/trace"}, Others: []string{"github.com/spf13/cobra"},
		},
		{
			Path: "cmd/edgecache", Files: []string{"sim_guests.go"},
			Ours: []string{"bench/product", "bench/sim", "core/evict", "hostabi", "plugins"},
		},
		{
			Path: "cmd/edgecache", Files: []string{"trace.go", "trace_convert.go", "trace_head.go", "trace_info.go"},
			Ours: []string{"bench/trace"}, Others: []string{"github.com/spf13/cobra"},
		},
		{Path: "cmd/edgecache", Files: []string{"capture.go"}, Ours: []string{"core", "frontends/admin", "internal/config", "observers/capture"}, HTTP: true},
		{
			Path: "cmd/edgecache", Files: []string{"trace_capture.go"}, Ours: []string{"frontends/admin", "internal/config", "observers/capture"}, HTTP: true,
			Others: []string{"github.com/spf13/cobra"},
		},
		{Path: "cmd/edgecache", Files: []string{"persist.go"}, Ours: []string{"internal/atomicfile"}},
		{
			Path: "cmd/edgecache", Files: []string{"files.go"}, HTTP: true,
			Ours:   []string{"backends/memory", "core", "frontends/admin", "frontends/files", "internal/config", "internal/telemetry"},
			Others: []string{"github.com/spf13/cobra"},
		},
		{
			Path: "cmd/edgecache", Files: []string{"proxy.go", "proxy_hooks.go", "proxy_wire.go"}, HTTP: true,
			Ours: []string{
				"frontends/admin", "frontends/httpcache", "frontends/httpcache/fasth1", "frontends/httpcache/guard",
				"frontends/httpcache/origin", "httphook",
				"internal/config", "plugins", "plugins/http", "plugins/httpwasm",
			},
			Others: []string{"github.com/spf13/cobra"},
		},
		{
			Path: "cmd/edgecache", Files: []string{"proxy_tls.go"}, HTTP: true, Ours: []string{"internal/certs", "internal/config"},
			Others: []string{"golang.org/x/crypto/acme/..."},
		},
		{Path: "cmd/edgecache", Files: []string{"metrics.go"}, Ours: []string{"frontends/resp", "plugins"}, Others: otel},
		{
			Path: "cmd/edgecache", Ours: []string{"core", "frontends/admin", "internal/config"}, HTTP: true,
			Others: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", goRedis},
		},
		{Path: "rfc9111", HTTP: true},
		{Path: "bench", Ours: []string{"*"}, Others: []string{"*"}, HTTP: true},
		{Path: "bench/*", Ours: []string{"*", "internal/testserver"}, Others: []string{"*"}, HTTP: true},
		{Path: "bench/http/*", Ours: []string{"*"}, HTTP: true},
		{Path: "wasm-examples"},
		{Path: "wasm-examples/accesslog/go", Ours: []string{"hostabi/sdk/go"}, Guest: true},
		{Path: "wasm-examples/compress/go", Ours: []string{"hostabi/sdk/go"}, Guest: true},
		{Path: "wasm-examples/httpttl/go", Ours: []string{"hostabi/sdk/go"}, Guest: true},
		{Path: "wasm-examples/lowercase/go", Ours: []string{"hostabi/sdk/go"}, Guest: true},
		{Path: "wasm-examples/policies/lru/go", Ours: []string{"hostabi/sdk/go/policy"}, Guest: true},
		{Path: "wasm-examples/policies/sieve/go", Ours: []string{"hostabi/sdk/go/policy"}, Guest: true},
		{Path: "wasm-examples/policies/sizefirst/go", Ours: []string{"hostabi/sdk/go/policy"}, Guest: true},
		{Path: "wasm-examples/ttl/go", Ours: []string{"hostabi/sdk/go"}, Guest: true},
		{Path: "internal/archtest"},
		{Path: "internal/atomicfile"},
		{Path: "internal/certs"},
		{Path: "internal/units"},
		{Path: "internal/config", Ours: []string{"internal/units"}, Others: []string{"github.com/spf13/pflag"}},
		{Path: "internal/pluginbench", Ours: []string{"backends/memory", "core", "hostabi", "plugins"}},
		{Path: "internal/project", Ours: []string{"hostabi", "internal/atomicfile"}},
		{
			Path: "internal/scenario", // a cache of its own, so it wires one
			Ours: []string{"backends/memory", "core", "frontends/resp", "hostabi", "plugins"},
		},
		{Path: "internal/telemetry", Others: []string{otelAPI + "/...", "github.com/prometheus/client_golang/prometheus/..."}, HTTP: true},
		// What follows serves tests alone.
		{Path: "internal/otlptest", Others: []string{"go.opentelemetry.io/proto/otlp/...", "google.golang.org/protobuf/proto"}, HTTP: true},
		{Path: "internal/testserver", Others: []string{goRedis}},
		{Path: "internal/faultproxy"},
	}
}

// testOnly are packages of ours that only tests and each other may import.
func testOnly() []string {
	return []string{"backends/backendtest", "core/codec/codectest", "core/evict/policytest", "hostabi/abitest", "internal/archtest", "internal/faultproxy", "internal/otlptest", "internal/testserver"}
}

// fits reports whether the rule is about file in the package at path.
func (r *Rule) fits(path, file string) bool {
	if r.Files != nil && !slices.Contains(r.Files, file) {
		return false
	}
	parent, ok := strings.CutSuffix(r.Path, "/*")
	if !ok {
		return r.Path == path
	}
	rest, ok := strings.CutPrefix(path, parent+"/")
	return ok && !strings.Contains(rest, "/")
}

// allows reports whether the rule lets its packages import path, and if not, what to do.
func (r *Rule) allows(path string) (hint string, ok bool) {
	switch {
	case path == "net/http" || strings.HasPrefix(path, "net/http/"):
		return "speak HTTP in a frontend that is made for it", r.HTTP
	case path == Module || strings.HasPrefix(path, Module+"/"):
		ours := strings.TrimPrefix(strings.TrimPrefix(path, Module), "/")
		return "turn the arrow round with an interface where it is used, or pass the thing in from cmd/edgecache/wire.go",
			matches(r.Ours, ours) && (slices.Contains(r.Ours, ours) || !slices.Contains(testOnly(), ours))
	case strings.Contains(strings.SplitN(path, "/", 2)[0], "."):
		return "use it behind the package that is made for it, or give it its line in docs/RATIONALE.md and in internal/archtest/rules.go",
			matches(r.Others, path)
	default:
		return "", true // the standard library
	}
}

func matches(patterns []string, path string) bool {
	for _, p := range patterns {
		base, below := strings.CutSuffix(p, "/...")
		if p == "*" || base == path || below && strings.HasPrefix(path, base+"/") {
			return true
		}
	}
	return false
}
