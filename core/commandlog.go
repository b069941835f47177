package core

import (
	"context"
	"log/slog"
	"time"
)

// commandLog is a hook before all others that logs commands at level debug. Keys only appear there.
type commandLog struct{ logger *slog.Logger }

// newCommandLog returns nil where nothing would be logged.
func newCommandLog(o *Options) *commandLog {
	if !o.LogCommands || o.Logger == nil || !o.Logger.Enabled(context.Background(), slog.LevelDebug) {
		return nil
	}
	return &commandLog{o.Logger}
}

func (*commandLog) Spec() HookSpec { return HookSpec{Name: "log", Before: AllOps, After: AllOps} }

// Before leaves the time where After finds it. A command on no keys has no place for it, and no time.
func (*commandLog) Before(_ context.Context, cmd *Command, _ *Result) error {
	if len(cmd.Cookies) > 0 {
		cmd.Cookies[0] = uint64(Clock())
	}
	return nil
}

func (l *commandLog) After(ctx context.Context, cmd *Command, res *Result) error {
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("op", cmd.Op.String()))
	if cmd.Namespace.path != "" {
		attrs = append(attrs, slog.String("namespace", cmd.Namespace.path))
	}
	switch {
	case !cmd.Op.Many():
		attrs = append(attrs, slog.String("key", string([]byte(cmd.Key))))
	case len(cmd.Keys) > 0:
		attrs = append(attrs, slog.String("key", string([]byte(cmd.Keys[0]))), slog.Int("keys", len(cmd.Keys)))
	}
	attrs = append(attrs, slog.String("outcome", res.Outcome.String()), slog.Int("tier", int(res.Tier)))
	if len(cmd.Cookies) > 0 {
		took := time.Duration(Clock() - int64(cmd.Cookies[0]))
		attrs = append(attrs, slog.Float64("seconds", took.Seconds()))
	}
	if res.Err != nil {
		attrs = append(attrs, slog.Any("error", res.Err))
	}
	l.logger.LogAttrs(ctx, slog.LevelDebug, "command", attrs...)
	return nil
}
