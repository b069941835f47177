package edgecache

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/edgecache/edgecache/backends/file"
	"github.com/edgecache/edgecache/backends/memcached"
	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/backends/null"
	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/backends/sqlite"
	"github.com/edgecache/edgecache/core"
)

// Scheme is a kind of store that URLs name.
type Scheme struct {
	// Names are what URLs of the kind begin with, in lower case.
	Names []string
	// Params are the parameters that it has beside those that every URL may have.
	Params []string
	// Open makes the tier of a URL, of which no parameter but Params is left. It does not wait for anything: whether a store
	// is there, its Ping tells.
	Open func(ctx context.Context, u *URL) (core.Tier, error)
}

// What every URL may have: what is the cache's, and what is the tier's.
const (
	paramTTL       = "ttl"
	paramJitter    = "jitter"
	paramNamespace = "namespace"
	paramMaxTTL    = "max_ttl"
	paramLazy      = "lazy"
)

// What a store has whose size and policy can be chosen.
const (
	paramMax    = "max"
	paramPolicy = "policy"
)

func commonParams() []string {
	return []string{paramTTL, paramJitter, paramNamespace, paramMaxTTL, paramLazy}
}

// schemes are the stores of this module.
func schemes(o *Options) []Scheme {
	redisParams := []string{
		"timeout", "pool_size", "protocol", "client_name", "db", "skip_verify", "username", "sentinel_username",
		"sentinel_password", "values", "max_value", "owned",
	}
	return []Scheme{
		{Names: []string{"memory"}, Params: []string{paramMax, "max_entry", paramPolicy}, Open: o.openMemory},
		{
			Names:  []string{"redis", "rediss", "unix", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel"},
			Params: redisParams, Open: openRedis,
		},
		{
			Names: []string{"memcached"}, Params: []string{"timeout", "max_conns", "values", "max_value", "owned"},
			Open: openMemcached,
		},
		{
			Names: []string{"sqlite"}, Params: []string{paramMax, "max_entries", "batch_size", "batch_delay", "sync", "janitor"},
			Open: o.openSQLite,
		},
		{Names: []string{"file"}, Params: []string{paramMax, "max_entries", "mode", "sync", "janitor"}, Open: o.openFile},
		{Names: []string{"null"}, Open: openNull},
	}
}

// scheme returns the kind of store that a URL names. A program's own come first.
func (o *Options) scheme(u *URL) (*Scheme, error) {
	all := append(slices.Clone(o.Schemes), schemes(o)...)
	var names []string
	for i := range all {
		if slices.Contains(all[i].Names, u.Scheme) {
			return &all[i], all[i].check(u)
		}
		names = append(names, all[i].Names...)
	}
	return nil, fmt.Errorf("no store is called %s://: there are %s", u.Scheme, strings.Join(names, ", "))
}

// has reports whether the scheme has a parameter of its own.
func (s *Scheme) has(param string) bool { return slices.Contains(s.Params, param) }

// check refuses parameters that the scheme does not have.
func (s *Scheme) check(u *URL) error {
	known := append(slices.Clone(s.Params), commonParams()...)
	for name := range u.Params.values {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s:// has no parameter %q: there are %s", u.Scheme, name, strings.Join(known, ", "))
		}
	}
	return nil
}

// noRest refuses what stands behind "://" where nothing can.
func noRest(u *URL) error {
	if u.Rest != "" && u.Rest != "/" {
		return fmt.Errorf("%s:// has no host and no path: parameters begin with a question mark", u.Scheme)
	}
	return nil
}

func (o *Options) openMemory(_ context.Context, u *URL) (core.Tier, error) {
	p := &u.Params
	m := memory.Options{MaxBytes: p.Size(paramMax), MaxEntryBytes: p.Size("max_entry"), Logger: o.Cache.Logger}
	if err := firstError(noRest(u), p.Err()); err != nil {
		return core.Tier{}, err
	}
	if p.Has(paramMax) && m.MaxBytes == 0 {
		return core.Tier{}, fmt.Errorf("memory:// parameter %s: a memory of no bytes holds nothing: use null://", paramMax)
	}
	if name := p.Text(paramPolicy); name != "" && name != memory.Default {
		var err error
		if m.Policy, err = memory.Native(name); err != nil {
			return core.Tier{}, fmt.Errorf("memory:// parameter %s: %w", paramPolicy, err)
		}
	}
	b, err := memory.New(m)
	if err != nil {
		return core.Tier{}, err
	}
	return core.Tier{Name: "memory", Backend: b}, nil
}

func openNull(_ context.Context, u *URL) (core.Tier, error) {
	if err := noRest(u); err != nil {
		return core.Tier{}, err
	}
	return core.Tier{Name: "null", Backend: null.New()}, nil
}

// valueForms are the words for how a remote store keeps values, in the order of redis.Values and memcached.Values.
func valueForms() []string { return []string{"envelope", "raw"} }

func openRedis(_ context.Context, u *URL) (core.Tier, error) {
	p := &u.Params
	r := redis.Options{
		Values: redis.Values(p.Choice("values", valueForms()...)), MaxValue: int(p.Size("max_value")), Owned: p.Bool("owned"),
	}
	timeout := p.Time("timeout")
	if err := p.Err(); err != nil {
		return core.Tier{}, err
	}
	p.take("values", "max_value", "owned")
	b, err := redis.Open(u.String(), r)
	if err != nil {
		return core.Tier{}, err
	}
	return core.Tier{Name: "redis", Backend: b, Remote: true, System: "redis", Limits: core.Limits{Timeout: timeout}}, nil
}

func openMemcached(_ context.Context, u *URL) (core.Tier, error) {
	p := &u.Params
	m := memcached.Options{
		Values: memcached.Values(p.Choice("values", valueForms()...)), Timeout: p.Time("timeout"), MaxConns: p.Int("max_conns"),
		MaxValue: int(p.Size("max_value")), Owned: p.Bool("owned"),
	}
	if err := p.Err(); err != nil {
		return core.Tier{}, err
	}
	servers := strings.Split(u.Rest, ",")
	for i, s := range servers {
		if servers[i] = strings.TrimSpace(s); !strings.HasPrefix(s, "/") {
			servers[i] = strings.TrimSuffix(servers[i], "/")
		}
	}
	b, err := memcached.Open(servers, m)
	if err != nil {
		return core.Tier{}, err
	}
	return core.Tier{
		Name: "memcached", Backend: b, Remote: true, System: "memcached", Limits: core.Limits{Timeout: m.Timeout},
	}, nil
}

func (o *Options) openSQLite(_ context.Context, u *URL) (core.Tier, error) {
	p := &u.Params
	path, err := u.Path()
	s := sqlite.Options{
		Path: path, MaxBytes: p.Size(paramMax), MaxEntries: int64(p.Int("max_entries")), BatchSize: p.Int("batch_size"),
		BatchDelay: p.Time("batch_delay"), Sync: sqlite.Sync(p.Choice("sync", "normal", "off", "full")),
		JanitorInterval: p.Time("janitor"), Logger: o.Cache.Logger,
	}
	if err := firstError(err, p.Err()); err != nil {
		return core.Tier{}, err
	}
	b, err := sqlite.New(s)
	if err != nil {
		return core.Tier{}, err
	}
	return core.Tier{Name: "sqlite", Backend: b}, nil
}

func (o *Options) openFile(_ context.Context, u *URL) (core.Tier, error) {
	p := &u.Params
	dir, err := u.Path()
	f := file.Options{
		Dir: dir, MaxBytes: p.Size(paramMax), MaxEntries: int64(p.Int("max_entries")), Mode: read(p, "mode", parseMode),
		Sync: p.Bool("sync"), JanitorInterval: p.Time("janitor"), Logger: o.Cache.Logger,
	}
	if err := firstError(err, p.Err()); err != nil {
		return core.Tier{}, err
	}
	b, err := file.New(f)
	if err != nil {
		return core.Tier{}, err
	}
	return core.Tier{Name: "file", Backend: b}, nil
}

// parseMode reads permissions as chmod has them: 0640.
func parseMode(given string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(given, 8, 9)
	if err != nil {
		return 0, fmt.Errorf("%q is no mode: an octal number is wanted, such as 0640", given)
	}
	return fs.FileMode(n), nil
}

// firstError returns the first that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
