package core_test

import (
	"testing"
	"time"

	"github.com/edgecache/edgecache/backends/memcached"
	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

// patience is a limit for servers on a busy machine.
const patience = 10 * time.Second

// onStores runs f on every kind of store. open returns another cache on the one store of the run, as another process has it.
func onStores(t *testing.T, f func(t *testing.T, open func() *core.Cache)) {
	far := func(b core.Backend, err error) core.Tier {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return core.Tier{Name: "far", Backend: b, Remote: true, Limits: core.Limits{Timeout: patience}}
	}
	run := func(name string, start func(t *testing.T) func() []core.Tier) {
		t.Run(name, func(t *testing.T) {
			tiers := start(t)
			f(t, func() *core.Cache { return newCache(t, core.Options{Tiers: tiers(), TTL: time.Hour, Jitter: 1}) })
		})
	}
	run("memory", func(t *testing.T) func() []core.Tier {
		b := newMemory(t)
		return func() []core.Tier { return []core.Tier{{Name: "memory", Backend: b}} }
	})
	for name, values := range map[string]redis.Values{"redis": redis.Enveloped, "redis raw": redis.Raw} {
		run(name, func(t *testing.T) func() []core.Tier {
			s := testserver.Redis(t)
			return func() []core.Tier {
				b, err := redis.Open(s.URL(), redis.Options{Values: values, Timeout: patience})
				return []core.Tier{far(b, err)}
			}
		})
	}
	for name, values := range map[string]memcached.Values{"memcached": memcached.Enveloped, "memcached raw": memcached.Raw} {
		run(name, func(t *testing.T) func() []core.Tier {
			s := testserver.Memcached(t)
			return func() []core.Tier {
				b, err := memcached.Open([]string{s.Addr()}, memcached.Options{Values: values, Timeout: patience})
				return []core.Tier{far(b, err)}
			}
		})
	}
	run("memory over redis", func(t *testing.T) func() []core.Tier {
		s := testserver.Redis(t)
		return func() []core.Tier {
			b, err := redis.Open(s.URL(), redis.Options{Timeout: patience})
			return []core.Tier{{Name: "memory", Backend: newMemory(t), MaxTTL: time.Minute}, far(b, err)}
		}
	})
}
