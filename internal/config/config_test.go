package config

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/edgecache/edgecache/internal/units"
)

// parse returns what the flags and variables make of the defaults.
func parse(t *testing.T, env map[string]string, args ...string) (*Run, error) {
	t.Helper()
	r := NewRun()
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	r.Bind(fs)
	if err := fs.Parse(args); err != nil {
		return nil, FlagError(err)
	}
	if err := FromEnv(fs, func(name string) (string, bool) { v, ok := env[name]; return v, ok }); err != nil {
		return nil, err
	}
	return r, r.Validate()
}

func TestEverySettingByFlagAndByVariable(t *testing.T) {
	for _, tt := range []struct {
		flag, given string
		want        func(*Run)
	}{
		{"resp", "0.0.0.0:1", func(r *Run) { r.RESP = "0.0.0.0:1" }},
		{"resp", "off", func(r *Run) { r.RESP = Off }},
		{"admin", ":2", func(r *Run) { r.Admin = ":2" }},
		{"password", "a,b=c", func(r *Run) { r.Password = "a,b=c" }},
		{"redis", "redis+cluster://a:1,b:2", func(r *Run) { r.Redis = "redis+cluster://a:1,b:2" }},
		{"max-memory", "1.5GiB", func(r *Run) { r.MaxMemory = 3 << 29 }},
		{"max-memory", "64 mib", func(r *Run) { r.MaxMemory = 64 << 20 }},
		{"max-memory", "5000000", func(r *Run) { r.MaxMemory = 5000000 }},
		{"policy", "slru:segments=2", func(r *Run) { r.Policy = "slru:segments=2" }},
		{"redis", "redis://u:p@h:1/2", func(r *Run) { r.Redis = "redis://u:p@h:1/2" }},
		{"memcached", "a:1, [::1]:2", func(r *Run) { r.Memcached = []string{"a:1", "[::1]:2"} }},
		{"l1-ttl", "0", func(r *Run) { r.L1TTL = 0 }},
		{"l1-ttl", "1m30s", func(r *Run) { r.L1TTL = 90 * time.Second }},
		{"plugin", "keyrewrite=a.json", func(r *Run) { r.Plugins = []Plugin{{Name: "keyrewrite", Config: "a.json"}} }},
		{"plugin", "./x", func(r *Run) { r.Plugins = []Plugin{{Path: "./x"}} }},
		{"plugin", "my.wasm", func(r *Run) { r.Plugins = []Plugin{{Path: "my.wasm"}} }},
		{"no-cache", "true", func(r *Run) { r.NoCache = true }},
		{"no-plugins", "true", func(r *Run) { r.NoPlugins = true }},
		{"grant", "mine=value,kv,memory:512", func(r *Run) {
			r.Grants = []Grant{{Name: "mine", Grants: Grants{Needs: []string{"value", "kv"}, MemoryPages: 512}}}
		}},
		{"admin-token", "s3cr=t,;!", func(r *Run) { r.AdminToken = "s3cr=t,;!" }},
		{"plugin-cache", "/c", func(r *Run) { r.PluginCache = "/c" }},
		{"plugin-timeout", "1s", func(r *Run) { r.PluginTimeout = time.Second }},
		{"debug-plugins", "true", func(r *Run) { r.DebugPlugins = true }},
		{"values", "raw", func(r *Run) { r.Values = ValuesRaw }},
		{"log-level", "WARN", func(r *Run) { r.LogLevel = slog.LevelWarn }},
		{"pprof", "1", func(r *Run) { r.PProf = true }},
	} {
		want := NewRun()
		tt.want(want)
		byFlag, err := parse(t, nil, "--"+tt.flag+"="+tt.given)
		if diff := cmp.Diff(want, byFlag); err != nil || diff != "" {
			t.Errorf("--%s=%s: error %v, -want +got:\n%s", tt.flag, tt.given, err, diff)
		}
		byEnv, err := parse(t, map[string]string{EnvName(tt.flag): tt.given})
		if diff := cmp.Diff(want, byEnv); err != nil || diff != "" {
			t.Errorf("%s=%s: error %v, -want +got:\n%s", EnvName(tt.flag), tt.given, err, diff)
		}
	}
}

func TestPolicyPath(t *testing.T) {
	for _, tt := range []struct {
		given, path string
		params      map[string]string
		guest, ok   bool
	}{
		{"lru", "", nil, false, false},
		{"./a.wasm", "./a.wasm", nil, true, true},
		{"a.wasm:x=1,y=b=c", "a.wasm", map[string]string{"x": "1", "y": "b=c"}, true, true},
		{"C:/a.wasm:x=", "C:/a.wasm", map[string]string{"x": ""}, true, true},
		{"a.wasm:x", "", nil, true, false},
		{"a.wasm:=1", "", nil, true, false},
		{"a.wasm:", "", nil, true, false},
	} {
		r := Run{Policy: tt.given}
		if r.GuestPolicy() != tt.guest {
			t.Errorf("%q is a guest: %v, want %v", tt.given, !tt.guest, tt.guest)
		}
		if !tt.guest {
			continue
		}
		path, params, err := PolicyPath(tt.given)
		if path != tt.path || !maps.Equal(params, tt.params) || (err == nil) != tt.ok {
			t.Errorf("PolicyPath(%q) = %q, %v, %v", tt.given, path, params, err)
		}
	}
}

func TestFlagBeatsVariable(t *testing.T) {
	env := map[string]string{
		"EDGECACHE_MAX_MEMORY": "1GiB", "EDGECACHE_PLUGIN": "a,b", "EDGECACHE_RESP": "", "EDGECACHE_NO_PLUGINS": "false",
	}
	r, err := parse(t, env, "--max-memory", "2GiB", "--plugin", "c", "--plugin", "d")
	if err != nil {
		t.Fatal(err)
	}
	if r.MaxMemory != 2<<30 || len(r.Plugins) != 2 || r.Plugins[0].Name != "c" || r.RESP != NewRun().RESP {
		t.Errorf("settings = %+v, want the flags to win and the empty variable to be none", r)
	}
	if r, err = parse(t, env); err != nil || len(r.Plugins) != 2 || r.Plugins[1].Name != "b" || r.MaxMemory != 1<<30 {
		t.Errorf("settings = %+v, %v, want the variables", r, err)
	}
}

func TestBadSettingsSayWhatIsAccepted(t *testing.T) {
	for _, tt := range []struct{ flag, given, want string }{
		{"resp", "6380", "host:port"},
		{"resp", "a:99999", "host:port"},
		{"admin", "", "host:port"},
		{"max-memory", "lots", "256MiB"},
		{"max-memory", "-1GiB", "256MiB"},
		{"max-memory", "NaN", "256MiB"},
		{"max-memory", "9e30", "256MiB"},
		{"max-memory", "12", "1MiB is the least"},
		{"policy", ":k=2", "is no policy"},
		{"redis", "127.0.0.1", "redis://"},
		{"redis", "secret@h:1", "redis://"},
		{"memcached", "a:1,,b", "host:port"},
		{"l1-ttl", "5", "500ms"},
		{"l1-ttl", "-5s", "500ms"},
		{"plugin", "=x", "built-in"},
		{"plugin", "x=", "built-in"},
		{"grant", "mine", "name=item"},
		{"grant", "=kv", "name=item"},
		{"grant", "mine=", `mine: "" can't be granted`},
		{"grant", "mine=files", `"files" can't be granted: value, kv`},
		{"grant", "mine=disk:1", `"disk:1" can't be granted`},
		{"grant", "mine=clock", "clock needs no grant"},
		{"grant", "mine=kv,kv", "kv is given twice"},
		{"grant", "mine=fuel:1,fuel:2", "fuel is given twice"},
		{"grant", "mine=keys:a,keys:a", "keys is given twice"},
		{"grant", "mine=memory", "memory lacks its value"},
		{"grant", "mine=memory:65537", "memory:65537: a whole number from 1 to 65536"},
		{"grant", "mine=fuel:-1", "fuel:-1: a whole number"},
		{"grant", "mine=kv-bytes:many", `kv-bytes:many: "many" is no size`},
		{"grant", "mine=kv-bytes:0", "out of range"},
		{"grant", "mine=kv-entries:1e3", "kv-entries:1e3: a whole number"},
		{"grant", "mine=keys:", "a prefix of 1 to 256 bytes"},
		{"grant", "mine=failure:loud", "failure:loud: open or closed"},
		{"admin-token", "my secret", "without blanks"},
		{"no-plugins", "perhaps", "true"},
		{"plugin-timeout", "0", "1ms at least"},
		{"plugin-timeout", "100", "1ms at least"},
		{"plugin-timeout", "900us", "1ms at least"},
		{"debug-plugins", "much", "true"},
		{"values", "json", "raw or envelope"},
		{"log-level", "loud", "debug, info, warn or error"},
	} {
		for form, run := range map[string]func() (*Run, error){
			"flag": func() (*Run, error) { return parse(t, nil, "--"+tt.flag+"="+tt.given) },
			"env":  func() (*Run, error) { return parse(t, map[string]string{EnvName(tt.flag): tt.given}) },
		} {
			if form == "env" && tt.given == "" {
				continue
			}
			_, err := run()
			if err == nil {
				t.Errorf("%s %s=%s: no error", form, tt.flag, tt.given)
				continue
			}
			for _, want := range []string{"--" + tt.flag, EnvName(tt.flag), tt.want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s %s=%s: error %q lacks %q", form, tt.flag, tt.given, err, want)
				}
			}
			if strings.Contains(err.Error(), "cret") {
				t.Errorf("error %q repeats a password", err)
			}
		}
	}
}

func TestSettingsThatDoNotGoTogether(t *testing.T) {
	for _, args := range [][]string{
		{"--redis=redis://h:1", "--memcached=h:1"},
		{"--no-plugins", "--plugin=x"},
		{"--no-plugins", "--grant=x=kv"},
		{"--no-plugins", "--debug-plugins"},
		{"--grant=x=kv", "--grant=x=value"},
		{"--resp=off", "--admin=off"},
		{"--values=envelope"},
	} {
		if _, err := parse(t, nil, args...); err == nil || !strings.Contains(err.Error(), args[0][:6]) {
			t.Errorf("%q: error %v, want one that names the settings", args, err)
		}
	}
}

func TestGrants(t *testing.T) {
	given := map[string]string{"EDGECACHE_GRANT": "a=value,kv,metrics,trace,memory:512,fuel:10000000,kv-bytes:8MiB,kv-entries:50000," +
		"keys:user:,keys:a=b,failure:closed; b=failure:open"}
	r, err := parse(t, given)
	want := []Grant{
		{"a", Grants{
			Needs: []string{"value", "kv", "metrics", "trace"}, MemoryPages: 512, Fuel: 10000000, KVBytes: 8 << 20, KVEntries: 50000,
			Keys: []string{"user:", "a=b"}, Failure: "closed",
		}},
		{"b", Grants{Failure: "open"}},
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r.Grants); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSizesPrintAsTheyAreGiven(t *testing.T) {
	for n, want := range map[int64]string{256 << 20: "256MiB", 3 << 30: "3GiB", 1<<20 + 1: "1048577B", 1 << 10: "1KiB"} {
		if got := units.FormatBytes(n); got != want {
			t.Errorf("units.FormatBytes(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestCacheDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/x")
	for given, want := range map[string]string{Auto: "/x/edgecache", Off: "", "/y": "/y"} {
		if got := (&Run{PluginCache: given}).CacheDir(); got != want {
			t.Errorf("CacheDir of %q = %q, want %q", given, got, want)
		}
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if got := NewRun().CacheDir(); got != "" {
		t.Errorf("CacheDir without a home = %q, want none", got)
	}
}

// update rewrites generated files: UPDATE=1 go test ./...
func update() bool { return os.Getenv("UPDATE") != "" }

func TestConfigDocumentIsUpToDate(t *testing.T) {
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	fs.SortFlags = false
	NewRun().Bind(fs)
	path := filepath.Join("..", "..", "docs", "CONFIG.md")
	proxy := pflag.NewFlagSet("proxy", pflag.ContinueOnError)
	proxy.SortFlags = false
	NewProxy().Bind(proxy)
	want := Document(fs, proxy)
	if update() {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/CONFIG.md is not what the settings say: run \"make docs\" (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("256MiB", "redis://a:1/0", "name=conf.json", "a=kv,memory:7,failure:open")
	f.Add("1e3 KiB", "://", "./p.wasm=", "a=kv-bytes:1e300B,keys:x,keys:x")
	f.Fuzz(func(t *testing.T, size, url, plugin, grant string) {
		if n, err := parseSize(size); err == nil && n < minMemory {
			t.Errorf("parseSize(%q) = %d, below the least", size, n)
		} else if err == nil {
			if again, err := parseSize(units.FormatBytes(n)); err != nil || again != n {
				t.Errorf("parseSize(units.FormatBytes(%d)) = %d, %v", n, again, err)
			}
		}
		if p, err := ParsePlugin(plugin); err == nil && (p.Name == "") == (p.Path == "") {
			t.Errorf("ParsePlugin(%q) = %+v, want a name or a path", plugin, p)
		}
		if g, err := ParseGrant(grant); err == nil {
			n := g.Grants
			if g.Name == "" || n.MemoryPages < 0 || n.Fuel < 0 || n.KVBytes < 0 || n.KVEntries < 0 {
				t.Errorf("ParseGrant(%q) = %+v", grant, g)
			}
		}
		_, _ = parseRedis(url)
	})
}
