package redis_test

import (
	"testing"

	"github.com/edgecache/edgecache/backends/backendtest"
	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

// open opens a backend and closes it at the test's end.
func open(t *testing.T, url string, opts redis.Options) *redis.Backend {
	t.Helper()
	b, err := redis.Open(url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestConformance(t *testing.T) {
	s := testserver.Redis(t)
	for name, values := range map[string]redis.Values{"enveloped": redis.Enveloped, "raw": redis.Raw} {
		t.Run(name, func(t *testing.T) { conform(t, s.URL(), values) })
	}
}

// conform runs the suite over servers that are the test's own.
func conform(t *testing.T, url string, values redis.Values) {
	t.Helper()
	plain := values == redis.Raw
	limits := backendtest.Limits{NoVersion: plain, NoFlags: plain, NoCodec: plain}
	limits.Run(t, func(t *testing.T) core.Backend {
		t.Cleanup(func() { flush(t, url) })
		return open(t, url, redis.Options{Values: values, Timeout: slow})
	})
}
