package redis

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestTracerIsFreeWithoutSpan(t *testing.T) {
	tr := newTracer("tcp", "localhost:6379")
	one := tr.ProcessHook(func(context.Context, redis.Cmder) error { return nil })
	many := tr.ProcessPipelineHook(func(context.Context, []redis.Cmder) error { return nil })
	cmd := redis.NewStringCmd(t.Context(), "get", "k")
	cmds := []redis.Cmder{cmd}
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		if one(ctx, cmd) != nil || many(ctx, cmds) != nil {
			t.Error("a hook made an error")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
