package redis

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogTo sends what go-redis has to say beside commands, such as failed dials and failovers, to log at level Debug; without
// it go-redis writes to standard error. It has one logger for the whole process: only a main function should call this,
// once.
func LogTo(log *slog.Logger) { redis.SetLogger(clientLog{log}) }

type clientLog struct{ log *slog.Logger }

func (c clientLog) Printf(ctx context.Context, format string, args ...any) {
	if c.log.Enabled(ctx, slog.LevelDebug) {
		c.log.DebugContext(ctx, "redis client", slog.String("message", fmt.Sprintf(format, args...)))
	}
}
