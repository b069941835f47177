package redis_test

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/backends/backendtest"
	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

// TestInjectedClient runs the suite over clients of the program's own, which survive the backend.
func TestInjectedClient(t *testing.T) {
	s := testserver.Redis(t)
	o, err := goredis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled, o.MaxRetries = true, -1
	client := goredis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	backendtest.Run(t, func(t *testing.T) core.Backend {
		t.Cleanup(func() { flush(t, s.URL()) })
		b, err := redis.New(client, redis.Options{Timeout: slow})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	})
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("Ping after the backends were closed: %v", err)
	}
}

func TestInjectedClusterClient(t *testing.T) {
	cluster := testserver.RedisCluster(t, 3)
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: cluster.Addrs(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	b, err := redis.New(client, redis.Options{Timeout: slow})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	keys := []string{"a", "b", "c", "d"}
	for _, k := range keys {
		if err := b.Set(t.Context(), k, &core.Entry{Value: []byte(k)}); err != nil {
			t.Fatal(err)
		}
	}
	found := make([]*core.Entry, len(keys))
	if err := b.GetMany(t.Context(), keys, found); err != nil || found[0] == nil || string(found[3].Value) != "d" {
		t.Errorf("GetMany over the nodes = %v, %v", found, err)
	}
	if all, _, err := b.Scan(t.Context(), 0, "", "", 0); err != nil || len(all) != len(keys) {
		t.Errorf("Scan = %q, %v, want the keys of all nodes", all, err)
	}
}

func TestInjectedClientOfTheWrongKind(t *testing.T) {
	ring := goredis.NewRing(&goredis.RingOptions{})
	t.Cleanup(func() { _ = ring.Close() })
	var none *goredis.Client
	for _, c := range []goredis.UniversalClient{ring, none, nil} {
		if b, err := redis.New(c, redis.Options{}); err == nil {
			_ = b.Ping(context.WithoutCancel(t.Context()))
			t.Errorf("New took a %T", c)
		}
	}
}
