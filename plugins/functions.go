package plugins

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// hostFunction is a function that guests may import. A panic with a protocolError fails the guest.
type hostFunction struct {
	hostabi.HostFunction
	call api.GoModuleFunc
}

// hostFunctions returns the ABI's functions with what they do.
func hostFunctions() []hostFunction {
	calls := map[string]api.GoModuleFunc{
		hostabi.HostLog:        hostLog,
		hostabi.HostLogEnabled: hostLogEnabled,
		hostabi.HostNow:        func(_ context.Context, _ api.Module, s []uint64) { s[0] = uint64(time.Now().UnixNano()) },
		hostabi.HostMono:       func(_ context.Context, _ api.Module, s []uint64) { s[0] = uint64(core.Clock()) },
		hostabi.HostRandom:     hostRandom,
		hostabi.HostHash: func(_ context.Context, m api.Module, s []uint64) {
			s[0] = xxhash.Sum64(region(m, "hash64", s[0], s[1]))
		},
	}
	maps.Copy(calls, grantedFunctions())
	var all []hostFunction
	for _, f := range hostabi.HostFunctions() {
		all = append(all, hostFunction{HostFunction: f, call: calls[f.Name]})
	}
	return all
}

// region returns a view of the guest's memory.
func region(m api.Module, function string, addr, length uint64) []byte {
	b, ok := m.Memory().Read(uint32(addr), uint32(length))
	if !ok {
		panic(protocolf("called %s with %d bytes at %d, outside its memory of %d",
			function, uint32(length), uint32(addr), m.Memory().Size()))
	}
	return b
}

// callerKey asks a guestContext for its instance.
type callerKey struct{}

// guestContext is the context of all calls of an instance. It never ends, and the runtime, which asks every context for
// values, gets its answer at once.
type guestContext struct{ in *instance }

func (*guestContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*guestContext) Done() <-chan struct{}       { return nil }
func (*guestContext) Err() error                  { return nil }

func (c *guestContext) Value(key any) any {
	if _, ok := key.(callerKey); ok {
		return c.in
	}
	return nil
}

func hostRandom(_ context.Context, m api.Module, s []uint64) {
	if uint32(s[1]) > hostabi.MaxRandom {
		panic(protocolf("asked for %d random bytes: at most %d are given at once", uint32(s[1]), hostabi.MaxRandom))
	}
	_, _ = rand.Read(region(m, "random", s[0], s[1])) // never fails
}

func hostLogEnabled(ctx context.Context, _ api.Module, s []uint64) {
	p := caller(ctx).version.plugin
	enabled := p.host.logger.Enabled(context.Background(), logLevel(s[0]))
	s[0] = 0
	if enabled {
		s[0] = 1
	}
}

func hostLog(ctx context.Context, m api.Module, s []uint64) {
	p := ctx.Value(callerKey{}).(*instance).version.plugin
	text := region(m, "log", s[1], s[2])
	p.logGuest(logLevel(s[0]), text)
}

func logLevel(level uint64) slog.Level {
	switch uint32(level) {
	case hostabi.LogDebug:
		return slog.LevelDebug
	case hostabi.LogInfo:
		return slog.LevelInfo
	case hostabi.LogWarn:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

// logGuest writes a guest's line, if there is room for it.
func (p *Plugin) logGuest(level slog.Level, text []byte) {
	text = text[:min(len(text), hostabi.MaxLog)]
	p.write(&p.guestLines, level, "plugin says", slog.String("text", strings.ToValidUTF8(string(text), "\uFFFD")))
}

// log writes a line of the host's about the plugin, if there is room for it. A guest that talks takes none of it.
func (p *Plugin) log(level slog.Level, message string, attrs ...slog.Attr) {
	p.write(&p.lines, level, message, attrs...)
}

func (p *Plugin) write(room *limiter, level slog.Level, message string, attrs ...slog.Attr) {
	ctx := context.Background()
	if !p.host.logger.Enabled(ctx, level) {
		return
	}
	ok, dropped := room.allow(core.Clock())
	if !ok {
		return
	}
	attrs = append(attrs, slog.String("plugin", p.name))
	if dropped > 0 {
		attrs = append(attrs, slog.Int("dropped_before", dropped))
	}
	p.host.logger.LogAttrs(ctx, level, message, attrs...)
}

// logWriter makes lines of the log from what a WASI guest writes to its standard output or error.
type logWriter struct {
	plugin *Plugin
	level  slog.Level
}

func (w logWriter) Write(b []byte) (int, error) {
	if text := strings.TrimSpace(string(b[:min(len(b), hostabi.MaxLog)])); text != "" {
		w.plugin.logGuest(w.level, []byte(text))
	}
	return len(b), nil
}
