package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

func TestConformanceCluster(t *testing.T) {
	c := testserver.RedisCluster(t, 3)
	for name, values := range map[string]redis.Values{"enveloped": redis.Enveloped, "raw": redis.Raw} {
		t.Run(name, func(t *testing.T) { conform(t, c.URL(), values) })
	}
}

func TestConformanceSentinel(t *testing.T) {
	conform(t, testserver.RedisSentinel(t).URL(), redis.Enveloped)
}

func TestClusterScanVisitsEveryNode(t *testing.T) {
	c := testserver.RedisCluster(t, 3)
	b := open(t, c.URL(), redis.Options{Timeout: slow})
	var want []string
	for i := range 500 {
		key := fmt.Sprintf("p*:%03d", i)
		want = append(want, key)
		must(t, b.Set(t.Context(), key, &core.Entry{Value: []byte("v")}))
	}
	must(t, b.Set(t.Context(), "px:1", &core.Entry{Value: []byte("v")}))
	var got []string
	for cursor, pages := uint64(0), 0; ; pages++ {
		keys, next, err := b.Scan(t.Context(), cursor, "p*:", "", 50)
		must(t, err)
		got = append(got, keys...)
		if next == 0 {
			if pages < 3 {
				t.Errorf("%d pages, want one a node at least", pages)
			}
			break
		}
		cursor = next
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("Scan found %d keys, want %d", len(got), len(want))
	}
	must(t, b.Clear(t.Context(), "p*:"))
	if keys, _, err := b.Scan(t.Context(), 0, "", "", 0); err != nil || !slices.Equal(keys, []string{"px:1"}) {
		t.Errorf("after Clear: %q, %v", keys, err)
	}
}

// failover writes and reads while kill takes the master away, and demands that service returns soon and that no read
// is wrong. It returns how long service was away.
func failover(t *testing.T, b *redis.Backend, kill func()) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	write := func(n int) error {
		call, done := context.WithTimeout(ctx, deadline)
		defer done()
		if err := b.Set(call, "k", &core.Entry{Value: []byte(strconv.Itoa(n) + " value")}); err != nil {
			return err
		}
		e, err := b.Get(call, "k")
		if err == nil && string(e.Value) != strconv.Itoa(n)+" value" {
			t.Errorf("Get = %q after writing %d", e.Value, n)
		}
		return err
	}
	for n := range 100 {
		must(t, write(n))
	}
	kill()
	begin, n := time.Now(), 100
	_, err := eventually(ctx, func() (int, error) { n++; return n, write(n) })
	must(t, err)
	return time.Since(begin)
}

func TestClusterFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	c := testserver.RedisClusterWithReplicas(t, 3)
	b := open(t, c.URL(), redis.Options{Timeout: deadline})
	must(t, b.Ping(t.Context()))
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: c.Addrs()})
	t.Cleanup(func() { _ = client.Close() })
	master, err := client.MasterForKey(t.Context(), "k")
	must(t, err)
	away := failover(t, b, func() {
		for _, n := range c.Nodes {
			if n.Addr() == master.Options().Addr {
				must(t, n.Kill())
			}
		}
	})
	t.Logf("service was away for %v", away)
	if away > 10*time.Second {
		t.Errorf("service was away for %v", away)
	}
}

func TestSentinelFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	s := testserver.RedisSentinel(t)
	b := open(t, s.URL(), redis.Options{Timeout: deadline})
	away := failover(t, b, func() { must(t, s.Master.Kill()) })
	t.Logf("service was away for %v", away)
	if away > 10*time.Second {
		t.Errorf("service was away for %v", away)
	}
}

func TestClusterNodePaused(t *testing.T) {
	c := testserver.RedisCluster(t, 3)
	b := open(t, c.URL(), redis.Options{Timeout: deadline})
	keys, entries, errs := make([]string, 30), make([]*core.Entry, 30), make([]error, 30)
	for i := range keys {
		keys[i], entries[i] = strconv.Itoa(i), &core.Entry{Value: []byte("value")}
	}
	must(t, b.SetMany(t.Context(), keys, entries, errs))
	must(t, errors.Join(errs...))
	must(t, c.Nodes[1].Pause())
	failed := 0
	for _, k := range keys[:8] {
		if err := inTime(t, "Get", func(ctx context.Context) error { _, err := b.Get(ctx, k); return err }); err != nil {
			failed++
		}
	}
	if failed == 0 || failed == 8 {
		t.Errorf("%d of 8 keys failed, want those of one node", failed)
	}
	out := make([]*core.Entry, len(keys))
	if err := inTime(t, "GetMany", func(ctx context.Context) error { return b.GetMany(ctx, keys, out) }); err == nil {
		t.Error("GetMany succeeded without a node")
	}
	must(t, c.Nodes[1].Resume())
	for _, k := range keys {
		healed(t, b, k, "value")
	}
}
