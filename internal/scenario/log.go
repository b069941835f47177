package scenario

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// recorder keeps what a plugin logs, and what is logged about its failures. It is safe for concurrent use.
type recorder struct {
	mu    sync.Mutex
	lines []logLine // guarded by mu
}

// logLine is one line of the log.
type logLine struct {
	level slog.Level
	text  string
}

func (l logLine) String() string { return strings.ToLower(l.level.String()) + ": " + l.text }

// says is the message of the lines that guests write themselves, in the attribute text.
const says = "plugin says"

var _ slog.Handler = (*recorder)(nil)

// Enabled takes everything, so that log_enabled is true of every level.
func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps a guest's line, and the host's own if something is wrong.
func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	if record.Message != says && record.Level < slog.LevelWarn {
		return nil
	}
	text := record.Message
	record.Attrs(func(a slog.Attr) bool {
		switch value := a.Value.String(); {
		case a.Key == "plugin" || value == "":
		case a.Key == "text":
			text = value
		default:
			text += "\n" + a.Key + ": " + value
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, logLine{record.Level, text})
	return nil
}

// WithAttrs and WithGroup are not used by the host, which passes attributes with each line.
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup is like WithAttrs.
func (r *recorder) WithGroup(string) slog.Handler { return r }

// clear forgets all lines.
func (r *recorder) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = nil
}

// all returns the lines since the last clear.
func (r *recorder) all() []logLine {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]logLine(nil), r.lines...)
}
