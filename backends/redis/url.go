package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// topology is how servers are found.
type topology uint8

const (
	standalone topology = iota
	cluster
	sentinel
)

// target is what a URL says.
type target struct {
	topology         topology
	network          string // "tcp" or "unix"
	addrs            []string
	username         string
	password         string
	db               int
	tls              *tls.Config
	master           string // of sentinels
	sentinelUsername string
	sentinelPassword string
	timeout          time.Duration
	poolSize         int
	protocol         int
	clientName       string
}

// parseURL reads the forms that Open documents. Errors never contain the URL's password.
func parseURL(raw string) (*target, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, errors.New("redis: url has no scheme: write redis://host:port")
	}
	t := &target{network: "tcp"}
	kind, topologyName, _ := strings.Cut(scheme, "+")
	switch {
	case kind != "redis" && kind != "rediss" && scheme != "unix":
		return nil, fmt.Errorf("redis: url scheme %q is unknown: use redis, rediss, unix, redis+cluster or redis+sentinel", scheme)
	case topologyName == "cluster":
		t.topology = cluster
	case topologyName == "sentinel":
		t.topology = sentinel
	case strings.Contains(scheme, "+"):
		return nil, fmt.Errorf("redis: url scheme %q: after the plus stands cluster or sentinel", scheme)
	}
	hosts, u, err := splitHosts(rest)
	if err != nil {
		return nil, err
	}
	if scheme == "unix" {
		return t, t.socket(hosts, u)
	}
	return t, t.servers(hosts, u, kind == "rediss")
}

// splitHosts takes the list of hosts out of a URL's part after "://", as package net/url refuses more than one.
func splitHosts(rest string) ([]string, *url.URL, error) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndex(rest[:end], "@") + 1
	u, err := url.Parse("redis://" + rest[:at] + "host" + rest[end:])
	if err != nil {
		return nil, nil, errors.New("redis: malformed url: escape special characters of the password with %")
	}
	return strings.Split(rest[at:end], ","), u, nil
}

// socket reads a unix:// URL.
func (t *target) socket(hosts []string, u *url.URL) error {
	if len(hosts) != 1 || hosts[0] != "" || u.Path == "" {
		return errors.New("redis: url of a socket: write unix:///path/to.sock")
	}
	t.network, t.addrs = "unix", []string{u.Path}
	t.username, t.password = credentials(u)
	return t.parameters(u.Query())
}

// servers reads a URL of hosts.
func (t *target) servers(hosts []string, u *url.URL, secure bool) error {
	if len(hosts) > 1 && t.topology == standalone {
		return errors.New("redis: url has several hosts: use redis+cluster:// or redis+sentinel://")
	}
	port := "6379"
	if t.topology == sentinel {
		port = "26379"
	}
	for _, h := range hosts {
		addr, err := address(h, port)
		if err != nil {
			return err
		}
		t.addrs = append(t.addrs, addr)
	}
	if secure {
		host, _, _ := net.SplitHostPort(t.addrs[0])
		t.tls = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	t.username, t.password = credentials(u)
	if t.topology == sentinel {
		t.master, t.username = t.username, ""
		if t.master == "" {
			return errors.New("redis: url of sentinels needs the master's name: write redis+sentinel://NAME@host:port")
		}
	}
	if err := t.database(strings.TrimPrefix(u.Path, "/")); err != nil {
		return err
	}
	return t.parameters(u.Query())
}

func credentials(u *url.URL) (username, password string) {
	password, _ = u.User.Password()
	return u.User.Username(), password
}

// address completes a host with the default port.
func address(host, port string) (string, error) {
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.ContainsAny(host, ":[]") {
		return "", fmt.Errorf("redis: url has the host %q: write host:port or [ipv6]:port", host)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("redis: url has the port %q: it must be a number from 1 to 65535", port)
	}
	return net.JoinHostPort(cmp.Or(host, "localhost"), port), nil
}

func (t *target) database(text string) error {
	if text == "" {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("redis: url has the database %q: it must be a number", text)
	}
	if t.topology == cluster && n != 0 {
		return errors.New("redis: url has a database: a cluster has only database 0")
	}
	t.db = int(n)
	return nil
}

// parameters reads what stands after "?".
func (t *target) parameters(q url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if err := t.parameter(name, q.Get(name)); err != nil {
			return err
		}
	}
	return nil
}

func (t *target) parameter(name, value string) (err error) {
	switch {
	case name == "timeout":
		if t.timeout, err = time.ParseDuration(value); err == nil && t.timeout <= 0 {
			err = errors.New("must be positive")
		}
	case name == "pool_size":
		if t.poolSize, err = strconv.Atoi(value); err == nil && t.poolSize <= 0 {
			err = errors.New("must be positive")
		}
	case name == "protocol":
		if t.protocol, err = strconv.Atoi(value); err == nil && t.protocol != 2 && t.protocol != 3 {
			err = errors.New("must be 2 or 3")
		}
	case name == "client_name":
		t.clientName = value
	case name == "db" && t.network == "unix":
		return t.database(value)
	case name == "skip_verify" && t.tls != nil:
		t.tls.InsecureSkipVerify, err = strconv.ParseBool(value)
	case name == "username" && t.topology == sentinel:
		t.username = value
	case name == "sentinel_username" && t.topology == sentinel:
		t.sentinelUsername = value
	case name == "sentinel_password" && t.topology == sentinel:
		t.sentinelPassword = value
	default:
		return fmt.Errorf("redis: url has the parameter %q, which is unknown here: there are %s", name, strings.Join(t.known(), ", "))
	}
	if err != nil {
		return fmt.Errorf("redis: url parameter %s=%s: %w", name, value, err)
	}
	return nil
}

// known are the names of the parameters that the form of URL has.
func (t *target) known() []string {
	names := []string{"timeout", "pool_size", "protocol", "client_name"}
	switch {
	case t.network == "unix":
		names = append(names, "db")
	case t.topology == sentinel:
		names = append(names, "username", "sentinel_username", "sentinel_password")
	}
	if t.tls != nil {
		names = append(names, "skip_verify")
	}
	return names
}

// connect makes the client. Nothing is dialled yet.
func (t *target) connect(o *Options) redis.UniversalClient {
	common := t.options(o)
	switch t.topology {
	case cluster:
		return t.clusterClient(common)
	case sentinel:
		return t.failoverClient(common)
	default:
		common.Network, common.Addr, common.DB = t.network, t.addrs[0], t.db
		return traced(redis.NewClient(common), t.network, common.Addr)
	}
}

// options are what all topologies share: go-redis's own defaults wait for seconds and ignore contexts.
func (t *target) options(o *Options) *redis.Options {
	opt := &redis.Options{
		ClientName:               t.clientName,
		Protocol:                 t.protocol,
		Username:                 t.username,
		Password:                 t.password,
		MaxRetries:               -1,
		DialTimeout:              o.Timeout,
		DialerRetries:            1,
		ReadTimeout:              o.Timeout,
		WriteTimeout:             o.Timeout,
		ContextTimeoutEnabled:    true,
		PoolSize:                 o.PoolSize,
		PoolTimeout:              o.Timeout,
		PipelinePoolSize:         -1, // pipelines share the pool: GET and PTTL is one
		TLSConfig:                t.tls,
		DisableIdentity:          true, // a round trip less when connecting
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	dial := redis.NewDialer(opt)
	opt.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return guard(conn, int64(o.MaxValue)), nil
	}
	return opt
}

// clusterReload is how old the client's picture of a cluster may be: with go-redis's minute it dials a dead master that
// long after the failover.
const clusterReload = time.Second

func (t *target) clusterClient(o *redis.Options) *redis.ClusterClient {
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                      t.addrs,
		NewClient:                  func(n *redis.Options) *redis.Client { return traced(redis.NewClient(n), "tcp", n.Addr) },
		ClientName:                 o.ClientName,
		Dialer:                     o.Dialer,
		Protocol:                   o.Protocol,
		Username:                   o.Username,
		Password:                   o.Password,
		MaxRetries:                 -1,
		DialTimeout:                o.DialTimeout,
		DialerRetries:              o.DialerRetries,
		ReadTimeout:                o.ReadTimeout,
		WriteTimeout:               o.WriteTimeout,
		ContextTimeoutEnabled:      true,
		PoolSize:                   o.PoolSize,
		PoolTimeout:                o.PoolTimeout,
		PipelinePoolSize:           o.PipelinePoolSize,
		TLSConfig:                  o.TLSConfig,
		DisableRoutingPolicies:     true, // one command, one node
		DisableIdentity:            true,
		MaintNotificationsConfig:   o.MaintNotificationsConfig,
		ClusterStateReloadInterval: clusterReload,
	})
}

func (t *target) failoverClient(o *redis.Options) *redis.Client {
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:            t.master,
		SentinelAddrs:         t.addrs,
		SentinelUsername:      t.sentinelUsername,
		SentinelPassword:      t.sentinelPassword,
		ClientName:            o.ClientName,
		Dialer:                o.Dialer,
		Protocol:              o.Protocol,
		Username:              o.Username,
		Password:              o.Password,
		DB:                    t.db,
		MaxRetries:            -1,
		DialTimeout:           o.DialTimeout,
		DialerRetries:         o.DialerRetries,
		ReadTimeout:           o.ReadTimeout,
		WriteTimeout:          o.WriteTimeout,
		ContextTimeoutEnabled: true,
		PoolSize:              o.PoolSize,
		PoolTimeout:           o.PoolTimeout,
		PipelinePoolSize:      o.PipelinePoolSize,
		TLSConfig:             o.TLSConfig,
		DisableIdentity:       true,
	})
	return traced(client, "", "") // the master's address changes
}
