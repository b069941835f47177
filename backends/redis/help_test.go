package redis_test

import (
	"context"
	"testing"
	"time"

	"github.com/edgecache/edgecache/backends/redis"
)

// slow is a timeout for tests of behaviour on a busy machine.
const slow = 5 * time.Second

// flush empties the databases of a test's own servers.
func flush(t *testing.T, url string) {
	t.Helper()
	b, err := redis.Open(url, redis.Options{Owned: true, Timeout: slow})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Clear(context.WithoutCancel(t.Context()), ""); err != nil {
		t.Fatal(err)
	}
}
