package redis_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/backends/redis"
)

func TestMain(m *testing.M) {
	redis.LogTo(slog.New(slog.DiscardHandler)) // the tests make servers fail
	goleak.VerifyTestMain(m)
}
