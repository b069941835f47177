package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
)

// parseProxy returns what the flags and variables make of the defaults.
func parseProxy(env map[string]string, args ...string) (*Proxy, error) {
	p := NewProxy()
	fs := pflag.NewFlagSet("proxy", pflag.ContinueOnError)
	p.Bind(fs)
	if err := fs.Parse(args); err != nil {
		return nil, FlagError(err)
	}
	if err := FromEnv(fs, func(name string) (string, bool) { v, ok := env[name]; return v, ok }); err != nil {
		return nil, err
	}
	return p, p.Validate()
}

func TestEverySettingOfTheProxy(t *testing.T) {
	for _, tt := range []struct {
		flag, given string
		want        func(*Proxy)
	}{
		{"listen", ":80", func(p *Proxy) { p.Listen = ":80" }},
		{"profile", "rfc", func(p *Proxy) { p.Profile = "rfc" }},
		{"admin", "off", func(p *Proxy) { p.Admin = Off }},
		{"max-memory", "64MiB", func(p *Proxy) { p.MaxMemory = 64 << 20 }},
		{"redis", "redis://h:1/2", func(p *Proxy) { p.Redis = "redis://h:1/2" }},
		{"disk", "/var/cache", func(p *Proxy) { p.Disk = "/var/cache" }},
		{"disk-size", "2GiB", func(p *Proxy) { p.DiskSize = 2 << 30 }},
		{"max-object", "1MiB", func(p *Proxy) { p.MaxObject = 1 << 20 }},
		{"ttl", "1m", func(p *Proxy) { p.TTL = time.Minute }},
		{"stale-while-revalidate", "2m", func(p *Proxy) { p.StaleWhileRevalidate = 2 * time.Minute }},
		{"stale-if-error", "3m", func(p *Proxy) { p.StaleIfError = 3 * time.Minute }},
		{"show-key", "true", func(p *Proxy) { p.ShowKey = true }},
		{"http-plugin", "a.wasm=c.json", func(p *Proxy) { p.HTTPPlugins = []Plugin{{Path: "a.wasm", Config: "c.json"}} }},
		{"http-wasm", "./b", func(p *Proxy) { p.HTTPWasm = []Plugin{{Path: "./b"}} }},
		{"compress", "br, gzip", func(p *Proxy) { p.Compress = []string{"br", "gzip"} }},
		{"purge-token", "s3cret", func(p *Proxy) { p.PurgeToken = "s3cret" }},
		{"purge-from", "10.0.0.0/8", func(p *Proxy) { p.PurgeFrom = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }},
		{"fast-h1", "true", func(p *Proxy) { p.FastH1 = true }},
		{"acme", "WWW.Example.com.", func(p *Proxy) { p.ACME = []string{"www.example.com"} }},
		{"acme-dir", "/acme", func(p *Proxy) { p.ACMEDir = "/acme" }},
		{"acme-url", "https://ca/dir", func(p *Proxy) { p.ACMEURL = "https://ca/dir" }},
		{"h2c", "1", func(p *Proxy) { p.H2C = true }},
		{"trust", "10.1.2.3/8", func(p *Proxy) { p.Trust = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }},
		{"trust", "::1", func(p *Proxy) { p.Trust = []netip.Prefix{netip.MustParsePrefix("::1/128")} }},
		{"connect-timeout", "1s", func(p *Proxy) { p.ConnectTimeout = time.Second }},
		{"origin-timeout", "2s", func(p *Proxy) { p.OriginTimeout = 2 * time.Second }},
		{"body-timeout", "3s", func(p *Proxy) { p.BodyTimeout = 3 * time.Second }},
		{"client-timeout", "4s", func(p *Proxy) { p.ClientTimeout = 4 * time.Second }},
		{"idle-timeout", "5s", func(p *Proxy) { p.IdleTimeout = 5 * time.Second }},
		{"max-header", "8KiB", func(p *Proxy) { p.MaxHeader = 8 << 10 }},
		{"retries", "0", func(p *Proxy) { p.Retries = 0 }},
		{"health-path", "/h?a", func(p *Proxy) { p.HealthPath = "/h?a" }},
		{"health-interval", "6s", func(p *Proxy) { p.HealthInterval = 6 * time.Second }},
		{"origin-ca", "ca.pem", func(p *Proxy) { p.OriginCA = "ca.pem" }},
	} {
		want := NewProxy()
		want.To = []Origin{{URL: "http://a"}}
		tt.want(want)
		same := cmpopts.EquateComparable(netip.Prefix{})
		byFlag, err := parseProxy(nil, "--to=http://a", "--"+tt.flag+"="+tt.given)
		if diff := cmp.Diff(want, byFlag, same); err != nil || diff != "" {
			t.Errorf("--%s=%s: error %v, -want +got:\n%s", tt.flag, tt.given, err, diff)
		}
		byEnv, err := parseProxy(map[string]string{"EDGECACHE_TO": "http://a", EnvName(tt.flag): tt.given})
		if diff := cmp.Diff(want, byEnv, same); err != nil || diff != "" {
			t.Errorf("%s=%s: error %v, -want +got:\n%s", EnvName(tt.flag), tt.given, err, diff)
		}
	}
}

func TestParseOrigin(t *testing.T) {
	for given, want := range map[string]Origin{
		"http://a":                             {URL: "http://a"},
		"https://a:1,weight=3":                 {URL: "https://a:1", Weight: 3},
		"h2c://a,host=origin":                  {URL: "h2c://a", As: "origin"},
		"b.example=http://a":                   {Host: "b.example", URL: "http://a"},
		"B.example:81/x/y=http://a":            {Host: "b.example:81", Prefix: "/x/y", URL: "http://a"},
		"/api=http://a,host=c:1,weight=2":      {Prefix: "/api", URL: "http://a", As: "c:1", Weight: 2},
		"*.example/=http://[::1]:80":           {Host: "*.example", Prefix: "/", URL: "http://[::1]:80"},
		"":                                     {},
		"a":                                    {},
		"a:80":                                 {},
		"ftp://a":                              {},
		"http://":                              {},
		"http://a,weight=0":                    {},
		"http://a,weight=x":                    {},
		"http://a,host=":                       {},
		"http://a,colour=red":                  {},
		"b.example=a":                          {},
		"http://a http://b":                    {},
		"b.example=c.example=http://a:1":       {},
		"b.example=http://a,weight=2,weight=x": {},
	} {
		got, err := ParseOrigin(given)
		if (err != nil) != (want.URL == "") || err == nil && got != want {
			t.Errorf("ParseOrigin(%q) = %+v, %v, want %+v", given, got, err, want)
		}
	}
}

func TestSeveralOriginsInTheVariable(t *testing.T) {
	p, err := parseProxy(map[string]string{"EDGECACHE_TO": "http://a,weight=2 /x=http://b"})
	want := []Origin{{URL: "http://a", Weight: 2}, {Prefix: "/x", URL: "http://b"}}
	if diff := cmp.Diff(want, p.To); err != nil || diff != "" {
		t.Errorf("error %v, -want +got:\n%s", err, diff)
	}
}

func TestProxySettingsThatDoNotGo(t *testing.T) {
	for args, want := range map[string]string{
		"":                                "--to (EDGECACHE_TO) is missing",
		"--to=a":                          "--to (environment: EDGECACHE_TO)",
		"--to=http://a --listen=off":      "off would serve nothing",
		"--to=http://a --max-memory=1MiB": "too little",
		"--to=http://a --fast-h1 --http-wasm=a.wasm":        "both set",
		"--to=http://a --compress=br,,":                     "no list of codings",
		"--to=http://a --profile=bold":                      "safe or rfc",
		"--to=http://a --tls-cert=a":                        "go together",
		"--to=http://a --tls-key=a":                         "go together",
		"--to=http://a --acme=b.c --tls-cert=a --tls-key=b": "both set",
		"--to=http://a --acme=*.b.c":                        "no name",
		"--to=http://a --redirect-from=:80":                 "there is no https",
		"--to=http://a --no-plugins --plugin=a":             "leave one of them out",
		"--to=http://a --redis=redis://a --memcached=b:1":   "one remote tier",
		"--to=http://a --trust=local":                       "is no network",
		"--to=http://a --max-header=1KiB":                   "4KiB to 16MiB",
		"--to=http://a --retries=-1":                        "0 to 255",
		"--to=http://a --health-path=health":                "is no path",
		"--to=http://a --http-plugin=hitratio":              "is no file",
		"--to=http://a --resp=:1":                           "unknown flag",
		"--to=http://a --grant=a=kv --grant=a=kv":           "given twice",
	} {
		if _, err := parseProxy(nil, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", args, err, want)
		}
	}
}

func FuzzParseOrigin(f *testing.F) {
	for _, given := range []string{"http://a", "b/c=http://a,weight=2,host=d", "*.a:1/=h2c://[::1]:2", "=", "/,=http://%"} {
		f.Add(given)
	}
	f.Fuzz(func(t *testing.T, given string) {
		o, err := ParseOrigin(given)
		if err == nil && (!strings.Contains(o.URL, "://") || o.Prefix != "" && o.Prefix[0] != '/' || o.Weight < 0) {
			t.Errorf("ParseOrigin(%q) = %+v", given, o)
		}
	})
}
