package testserver

import (
	"errors"
	"os"
	"testing"
)

// Redis starts a redis-server with extra command line arguments for the test tb.
func Redis(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s, err := Start(tb.Context(), Spec{Kind: KindRedis, Args: args})
	return started(tb, s, err)
}

// Memcached starts a memcached with extra command line arguments for the test tb.
func Memcached(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s, err := Start(tb.Context(), Spec{Kind: KindMemcached, Args: args})
	return started(tb, s, err)
}

// Registry starts an OCI registry for the test tb. config is YAML that is added to its configuration.
func Registry(tb testing.TB, config string) *Server {
	tb.Helper()
	s, err := Start(tb.Context(), Spec{Kind: KindRegistry, Config: config})
	return started(tb, s, err)
}

// RedisCluster starts a Redis cluster of masters without replicas for the test tb.
func RedisCluster(tb testing.TB, masters int) *Cluster {
	tb.Helper()
	c, err := StartCluster(tb.Context(), masters, 0)
	return started(tb, c, err)
}

// RedisClusterWithReplicas starts a Redis cluster for the test tb in which every master has one replica.
func RedisClusterWithReplicas(tb testing.TB, masters int) *Cluster {
	tb.Helper()
	c, err := StartCluster(tb.Context(), masters, 1)
	return started(tb, c, err)
}

// RedisSentinel starts a master, its replica and three sentinels for the test tb.
func RedisSentinel(tb testing.TB) *Sentinel {
	tb.Helper()
	s, err := StartSentinel(tb.Context())
	return started(tb, s, err)
}

// started hands s to the test and stops it at the test's end. A missing program skips the test, unless the variable
// EDGECACHE_REQUIRE_SERVERS is 1.
func started[S interface{ Stop() error }](tb testing.TB, s S, err error) S {
	tb.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("EDGECACHE_REQUIRE_SERVERS") != "1" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}
