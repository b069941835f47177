package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/edgecache/edgecache/internal/units"
)

// Proxy is what "edgecache proxy" is told. What a zero value means, the frontend knows.
type Proxy struct {
	// Run is what it is told as "edgecache run" is. It has no RESP frontend. Its MaxMemory is that of the whole process.
	Run
	// Listen is the address to serve HTTP on, host:port.
	Listen string
	// To are the origins, in the order in which they were given.
	To []Origin
	// Profile is how boldly responses are stored, safe or rfc.
	Profile string
	// MaxObject bounds a response that is stored, in bytes.
	MaxObject int64
	// TTL is how long a response is fresh that says nothing of it. StaleWhileRevalidate and StaleIfError are as RFC 5861 has
	// them, for responses that do not say.
	TTL, StaleWhileRevalidate, StaleIfError time.Duration
	// ShowKey has Cache-Status tell the key.
	ShowKey bool
	// HTTPPlugins are guests with hooks of HTTP, HTTPWasm those of the http-wasm ABI.
	HTTPPlugins, HTTPWasm []Plugin
	// Compress are the codings that stored responses are compressed with.
	Compress []string
	// PurgeToken and PurgeFrom say who may use the method PURGE.
	PurgeToken string
	PurgeFrom  []netip.Prefix
	// FastH1 answers simple hits before net/http.
	FastH1 bool
	// TLSCert and TLSKey are files in PEM, both or none.
	TLSCert, TLSKey string
	// ACME are names that certificates are had for, kept in the folder ACMEDir. ACMEURL is the directory of the authority.
	ACME             []string
	ACMEDir, ACMEURL string
	// RedirectFrom is an address where plain HTTP is sent on to https, "off" for none.
	RedirectFrom string
	// H2C serves HTTP/2 without TLS, too.
	H2C bool
	// Trust are the networks of proxies in front, whose word counts.
	Trust []netip.Prefix
	// The time-outs of origins and clients.
	ConnectTimeout, OriginTimeout, BodyTimeout, ClientTimeout, IdleTimeout time.Duration
	// MaxHeader bounds a request's header in bytes.
	MaxHeader int64
	// Retries is how many other origins are tried.
	Retries int
	// HealthPath is asked for every HealthInterval, "" is never.
	HealthPath     string
	HealthInterval time.Duration
	// OriginCA is a file of certificates that origins are trusted by.
	OriginCA string
}

// Origin is a server that requests go to, and which.
type Origin struct {
	// Host and Prefix say which requests: "" is all.
	Host, Prefix string
	// URL is http://, https:// or h2c://host[:port].
	URL string
	// Weight is its share, 0 for the default.
	Weight int
	// As is the host that it is told, "" for the client's.
	As string
}

// NewProxy returns the defaults.
func NewProxy() *Proxy {
	p := &Proxy{
		Run: *NewRun(), Listen: "127.0.0.1:8080", Profile: "safe", MaxObject: 1 << 30, RedirectFrom: Off, ACMEDir: Auto,
		ConnectTimeout: 5 * time.Second, OriginTimeout: time.Minute, BodyTimeout: time.Minute, ClientTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeader: 64 << 10, Retries: 1, HealthInterval: 5 * time.Second,
	}
	p.RESP, p.Shadow, p.Values, p.DiskSize = Off, false, ValuesEnvelope, 1<<30
	return p
}

// ofRun are the settings of "edgecache run" that the proxy has, too.
var ofRun = []string{ //nolint:gochecknoglobals // a constant list
	"admin", "admin-token", "policy", "redis", "memcached", "l1-ttl", "no-cache", "plugin", "no-plugins", "grant",
	"plugin-cache", "plugin-timeout", "debug-plugins", "shadow", "shadow-policies", "shadow-sizes", "log-level", "pprof",
}

// Bind declares every setting on fs, with what p holds as the default.
func (p *Proxy) Bind(fs *pflag.FlagSet) {
	bindList(fs, "to", " ", "an `origin` that requests go to, [host][/path]=url[,weight=n][,host=name]: http://host:port, https:// or h2c://, for all requests or those for a host (*.name is all below one) and below a path. Origins of one route take turns by weight. They are told the client's host, or with host=origin that of the URL, or another; repeatable, separated by blanks in the variable", &p.To, ParseOrigin)
	bind(fs, "listen", "`host:port` to serve HTTP on, or HTTPS with a certificate", &p.Listen, parseListen, text)
	bind(fs, "profile", "`profile`: safe, which stores no response that sets a cookie, or rfc, which stores all that RFC 9111 allows to", &p.Profile, parseProfile, text)
	bind(fs, "max-memory", "most `bytes` of memory that the process takes, of which stored responses have about a half", &p.MaxMemory, parseMemory, units.FormatBytes)
	run := pflag.NewFlagSet("", pflag.ContinueOnError)
	p.Run.Bind(run)
	run.VisitAll(func(f *pflag.Flag) {
		if slices.Contains(ofRun, f.Name) {
			fs.AddFlag(f)
		}
	})
	bind(fs, "disk", "`folder` of a tier behind the memory, which survives restarts; made if it is absent", &p.Disk, parseAny, text)
	bind(fs, "disk-size", "most `bytes` that the files in --disk take", &p.DiskSize, parseSize, units.FormatBytes)
	p.bindCaching(fs)
	p.bindTLS(fs)
	p.bindLimits(fs)
}

func (p *Proxy) bindCaching(fs *pflag.FlagSet) {
	bind(fs, "max-object", "most `bytes` of a response that is stored; larger ones pass", &p.MaxObject, parseSize, units.FormatBytes)
	bind(fs, "ttl", "`time` for which a response is fresh that does not say for how long; 0 stores no such", &p.TTL, parseTTL, time.Duration.String)
	bind(fs, "stale-while-revalidate", "`time` for which a response that does not say is still used while it is asked for anew", &p.StaleWhileRevalidate, parseTTL, time.Duration.String)
	bind(fs, "stale-if-error", "`time` for which a response that does not say is still used where the origin answers 500, 502, 503 or 504", &p.StaleIfError, parseTTL, time.Duration.String)
	bindSwitch(fs, "show-key", "have Cache-Status tell the key", &p.ShowKey)
	bind(fs, "compress", "content `codings` that stored responses are compressed with for clients that like one, of br, zstd and gzip, or none", &p.Compress, parseEncodings, joined)
	bind(fs, "purge-token", "`token` with which clients may use the method PURGE, as Authorization: Bearer token; without one, and without --purge-from, only \"edgecache purge\" purges. Better given by the variable", &p.PurgeToken, parseToken, text)
	bindList(fs, "purge-from", ",", "`network` whose clients may use PURGE without a token; repeatable, separated by commas in the variable", &p.PurgeFrom, parseNetwork)
	bindList(fs, "http-plugin", ",", "a plugin with hooks of HTTP, `path.wasm[=config.json]`: it sees requests and responses; --grant is by its name, too; repeatable, separated by commas in the variable", &p.HTTPPlugins, parseModule)
	bindList(fs, "http-wasm", ",", "a plugin of the http-wasm ABI, `path.wasm[=config]`, which sees requests before the cache and answers after it; repeatable, separated by commas in the variable", &p.HTTPWasm, parseModule)
	bindSwitch(fs, "fast-h1", "answer simple hits of HTTP/1.1 without net/http, which takes the rest", &p.FastH1)
}

func (p *Proxy) bindTLS(fs *pflag.FlagSet) {
	bind(fs, "tls-cert", "`file` in PEM with the certificate and those above it; read again when it changes", &p.TLSCert, parseAny, text)
	bind(fs, "tls-key", "`file` in PEM with the certificate's key", &p.TLSKey, parseAny, text)
	bindList(fs, "acme", ",", "a `name` to have a certificate for from Let's Encrypt, whose terms you accept with this: --listen must be reached there as port 443, or --redirect-from as port 80; repeatable, separated by commas in the variable", &p.ACME, parseName)
	bind(fs, "acme-dir", "`folder` of the certificates and keys that --acme got; \"auto\" is edgecache/acme in the user's cache folder", &p.ACMEDir, parseFolder, text)
	bind(fs, "acme-url", "`URL` of the directory of another authority than Let's Encrypt", &p.ACMEURL, parseAny, text)
	bind(fs, "redirect-from", "`host:port` where plain HTTP is sent on to https, or \"off\"", &p.RedirectFrom, parseAddress, text)
	bindSwitch(fs, "h2c", "serve HTTP/2 without TLS to clients that begin with it, too", &p.H2C)
}

func (p *Proxy) bindLimits(fs *pflag.FlagSet) {
	bindList(fs, "trust", ",", "`network` of proxies in front, such as 10.0.0.0/8, whose X-Forwarded-For, -Host, -Proto and Forwarded are kept; those of others are dropped; repeatable, separated by commas in the variable", &p.Trust, parseNetwork)
	bind(fs, "connect-timeout", "longest `time` that connecting to an origin takes", &p.ConnectTimeout, parsePositive, time.Duration.String)
	bind(fs, "origin-timeout", "longest `time` that an origin takes to begin an answer", &p.OriginTimeout, parsePositive, time.Duration.String)
	bind(fs, "body-timeout", "longest `time` in which an origin takes or gives nothing of a body", &p.BodyTimeout, parsePositive, time.Duration.String)
	bind(fs, "client-timeout", "longest `time` in which a client sends nothing of a request that it began, or takes nothing of an answer", &p.ClientTimeout, parsePositive, time.Duration.String)
	bind(fs, "idle-timeout", "longest `time` that a client's connection is kept between requests", &p.IdleTimeout, parsePositive, time.Duration.String)
	bind(fs, "max-header", "most `bytes` of a request's header", &p.MaxHeader, parseHeaderSize, units.FormatBytes)
	bind(fs, "retries", "`number` of other origins of its route a GET or HEAD is sent to after one failed", &p.Retries, parseRetries, strconv.Itoa)
	bind(fs, "health-path", "`path` that every origin is asked for regularly; one that fails three times in a row gets no requests until it answers twice", &p.HealthPath, parsePath, text)
	bind(fs, "health-interval", "`time` between these", &p.HealthInterval, parsePositive, time.Duration.String)
	bind(fs, "origin-ca", "`file` in PEM with the certificates by which https origins are trusted, in the place of the system's", &p.OriginCA, parseAny, text)
}

// Validate reports settings that do not go together.
func (p *Proxy) Validate() error {
	switch {
	case len(p.To) == 0:
		return errors.New("--to (EDGECACHE_TO) is missing: where shall requests go? --to http://host:port")
	case p.Redis != "" && len(p.Memcached) > 0:
		return errors.New("--redis and --memcached are both set: there is one remote tier: leave one of them out")
	case (p.TLSCert == "") != (p.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key go together: one of them is missing")
	case p.TLSCert != "" && len(p.ACME) > 0:
		return errors.New("--tls-cert and --acme are both set: leave one of them out")
	case p.RedirectFrom != Off && !p.TLS():
		return errors.New("--redirect-from needs --tls-cert or --acme: there is no https to go to")
	case p.FastH1 && len(p.HTTPWasm) > 0:
		return errors.New("--fast-h1 and --http-wasm are both set: such a plugin sees every request, also those that would be fast")
	case p.NoPlugins && (len(p.Plugins) > 0 || len(p.Grants) > 0 && len(p.HTTPPlugins) == 0 || p.DebugPlugins):
		return errors.New("--no-plugins stands beside --plugin, --grant or --debug-plugins: leave one of them out")
	}
	return p.checkGrants()
}

// TLS reports whether clients are served by HTTPS.
func (p *Proxy) TLS() bool { return p.TLSCert != "" || len(p.ACME) > 0 }

// ParseOrigin reads [host][/path]=url[,weight=n][,host=name].
func ParseOrigin(given string) (Origin, error) {
	var o Origin
	rest := given
	if before, after, found := strings.Cut(given, "="); found && !strings.Contains(before, "://") {
		host, path, slash := strings.Cut(before, "/")
		o.Host, rest = strings.ToLower(host), after
		if slash {
			o.Prefix = "/" + path
		}
	}
	words := strings.Split(rest, ",")
	u, err := url.Parse(words[0])
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c" {
		return Origin{}, fmt.Errorf("%q is no origin: http://host:port is wanted, or host/path=http://host:port,weight=2", given)
	}
	o.URL = words[0]
	for _, word := range words[1:] {
		if err := o.set(word); err != nil {
			return Origin{}, fmt.Errorf("%q: %w", given, err)
		}
	}
	return o, nil
}

func (o *Origin) set(word string) error {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "weight":
		n, err := count(value, 10_000)
		o.Weight = int(n)
		return err
	case "host":
		if value == "" {
			return errors.New("host=name, or host=origin, is wanted")
		}
		o.As = value
		return nil
	default:
		return fmt.Errorf("%q is unknown: weight=n and host=name are there", word)
	}
}

// MemoryTier returns what of MaxMemory the memory tier has. The rest is for the code, for answers under way and for what the
// garbage collector has not collected yet, or cannot give back because something else lies beside it.
func (p *Proxy) MemoryTier() int64 { return (p.MaxMemory - codeMemory) / 8 * 5 }

// codeMemory is what the process takes with nothing stored.
const codeMemory = 32 << 20

func parseMemory(given string) (int64, error) {
	n, err := units.ParseBytes(given)
	if err == nil && n < 2*codeMemory {
		err = fmt.Errorf("%s is too little for the process: %s is the least", given, units.FormatBytes(2*codeMemory))
	}
	return n, err
}

func parseProfile(given string) (string, error) {
	if given != "safe" && given != "rfc" {
		return "", fmt.Errorf("%q is no profile: safe or rfc is wanted", given)
	}
	return given, nil
}

// parseModule reads path.wasm[=config].
func parseModule(given string) (Plugin, error) {
	p, err := ParsePlugin(given)
	if err == nil && p.Path == "" {
		err = fmt.Errorf("%q is no file: the path of a .wasm file is wanted, with =config if it has a configuration", given)
	}
	return p, err
}

// parseName reads the name of a host that a certificate can be for.
func parseName(given string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(given, "."))
	if !strings.Contains(name, ".") || strings.ContainsAny(name, "*:/ ") {
		return "", fmt.Errorf("%q is no name that a certificate can be had for: www.example.com is wanted", given)
	}
	return name, nil
}

// parseNetwork reads a network or an address.
func parseNetwork(given string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(given); err == nil {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(given)
	if err != nil {
		return p, fmt.Errorf("%q is no network: 10.0.0.0/8, ::1/128 or 192.0.2.1 is wanted", given)
	}
	return p.Masked(), nil
}

func parseHeaderSize(given string) (int64, error) {
	n, err := units.ParseBytes(given)
	if err == nil && (n < 4<<10 || n > 16<<20) {
		err = fmt.Errorf("%s is no bound of a header: 4KiB to 16MiB are wanted", given)
	}
	return n, err
}

func parseRetries(given string) (int, error) {
	n, err := strconv.ParseUint(given, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of retries: 0 to 255 is wanted", given)
	}
	return int(n), nil
}

func parsePath(given string) (string, error) {
	if !strings.HasPrefix(given, "/") || strings.ContainsFunc(given, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%q is no path: /healthz is wanted", given)
	}
	return given, nil
}
