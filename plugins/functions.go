package plugins

import (
	"bytes"
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
		hostabi.HostHash:       hostHash,
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

func hostHash(ctx context.Context, m api.Module, s []uint64) {
	b := region(m, "hash64", s[0], s[1])
	caller(ctx).charge(len(b))
	s[0] = xxhash.Sum64(b)
}

// unitsPerRandom is what a random byte costs.
const unitsPerRandom = 16

func hostRandom(ctx context.Context, m api.Module, s []uint64) {
	if uint32(s[1]) > hostabi.MaxRandom {
		panic(protocolf("asked for %d random bytes: at most %d are given at once", uint32(s[1]), hostabi.MaxRandom))
	}
	b := region(m, "random", s[0], s[1])
	caller(ctx).tank.charge(int64(len(b)) * unitsPerRandom)
	_, _ = rand.Read(b) // never fails
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
	in := caller(ctx)
	level, text := logLevel(s[0]), region(m, "log", s[1], s[2])
	text = text[:min(len(text), hostabi.MaxLog)]
	if level == slog.LevelError {
		in.output.said, in.output.call = append(in.output.said[:0], text...), in.calls
	}
	in.version.plugin.logGuest(level, text)
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

// output is what a guest has said in a call: written to its standard output or error, if it has those, or logged as an
// error. If the call fails, these are its last words.
type output struct {
	plugin *Plugin
	text   []byte // written
	said   []byte // logged
	call   uint64 // in which call that was
}

// Write keeps what a guest of WASI writes, as far as there is room, until the call has ended: runtimes write in pieces.
func (o *output) Write(b []byte) (int, error) {
	o.text = append(o.text, b[:min(len(b), hostabi.MaxLog-len(o.text))]...)
	return len(b), nil
}

// flush logs what was written.
func (o *output) flush() {
	if text := bytes.TrimSpace(o.text); len(text) > 0 {
		o.plugin.logGuest(slog.LevelInfo, text)
	}
	o.text = o.text[:0]
}

// take returns the last words of a call.
func (o *output) take(call uint64) string {
	text := bytes.TrimSpace(o.text)
	if len(text) == 0 && o.call == call {
		text = bytes.TrimSpace(o.said)
	}
	o.text = o.text[:0]
	return strings.ToValidUTF8(string(text), "\uFFFD")
}
