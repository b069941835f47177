package httpwasm

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/tetratelabs/wazero/api"
)

// importModule is where guests find the functions of the host.
const importModule = "http_handler"

const i32, i64 = api.ValueTypeI32, api.ValueTypeI64

// The costs of calls of the host, in units of fuel.
const (
	costCall    = 128
	bytesAnUnit = 16
)

// hostFunction is a function that guests may import. It takes its parameters from the stack and leaves its result there. A
// panic fails the guest.
type hostFunction struct {
	name            string
	params, results []api.ValueType
	run             func(in *instance, s []uint64)
}

func (f hostFunction) call() api.GoModuleFunc {
	return func(ctx context.Context, m api.Module, s []uint64) {
		in := ctx.Value(callerKey{}).(*instance)
		in.memory = m.Memory() // while it is set up, it has none yet
		in.charge(costCall)
		f.run(in, s)
	}
}

// hostFunctions returns the functions of the ABI.
func hostFunctions() []hostFunction {
	n := func(n int) []api.ValueType { return []api.ValueType{i32, i32, i32, i32, i32}[:n] }
	one, two := []api.ValueType{i32}, []api.ValueType{i64}
	return []hostFunction{
		{"enable_features", n(1), one, enableFeatures},
		{"get_config", n(2), one, func(in *instance, s []uint64) { s[0] = in.put(s[0], s[1], string(in.guest.o.Config)) }},
		{"log_enabled", n(1), one, func(in *instance, s []uint64) { s[0] = in.logEnabled(int32(s[0])) }},
		{"log", n(3), nil, func(in *instance, s []uint64) { in.log(int32(s[0]), in.text(s[1], s[2])) }},
		{"get_method", n(2), one, func(in *instance, s []uint64) { s[0] = in.put(s[0], s[1], in.exchange().r.Method) }},
		{"set_method", n(2), nil, func(in *instance, s []uint64) { in.before("set_method").setMethod(in.text(s[0], s[1])) }},
		{"get_uri", n(2), one, func(in *instance, s []uint64) { s[0] = in.put(s[0], s[1], in.exchange().uri()) }},
		{"set_uri", n(2), nil, func(in *instance, s []uint64) { in.before("set_uri").setURI(in.text(s[0], s[1])) }},
		{"get_protocol_version", n(2), one, func(in *instance, s []uint64) { s[0] = in.put(s[0], s[1], in.exchange().r.Proto) }},
		{"get_source_addr", n(2), one, func(in *instance, s []uint64) { s[0] = in.put(s[0], s[1], in.exchange().r.RemoteAddr) }},
		{"get_header_names", n(3), two, func(in *instance, s []uint64) {
			s[0] = in.putAll(s[1], s[2], in.exchange().fields(uint32(s[0])).names())
		}},
		{"get_header_values", n(5), two, func(in *instance, s []uint64) {
			s[0] = in.putAll(s[3], s[4], in.exchange().fields(uint32(s[0])).values(in.text(s[1], s[2])))
		}},
		{"set_header_value", n(5), nil, func(in *instance, s []uint64) {
			in.changing("set_header_value", s[0]).set(in.text(s[1], s[2]), in.text(s[3], s[4]))
		}},
		{"add_header_value", n(5), nil, func(in *instance, s []uint64) {
			in.changing("add_header_value", s[0]).add(in.text(s[1], s[2]), in.text(s[3], s[4]))
		}},
		{"remove_header", n(3), nil, func(in *instance, s []uint64) { in.changing("remove_header", s[0]).remove(in.text(s[1], s[2])) }},
		{"read_body", n(3), two, readBody},
		{"write_body", n(3), nil, writeBody},
		{"get_status_code", nil, one, func(in *instance, s []uint64) { s[0] = uint64(in.exchange().responding("get_status_code").status()) }},
		{"set_status_code", n(1), nil, func(in *instance, s []uint64) {
			in.exchange().responding("set_status_code").setStatus(uint32(s[0]))
		}},
	}
}

// exchange returns the request under way. There is none while an instance is set up.
func (in *instance) exchange() *exchange {
	if in.x == nil {
		panic(fmt.Errorf("asked for a request while it was set up"))
	}
	return in.x
}

// before returns the exchange, of which the request can still be changed.
func (in *instance) before(function string) *exchange {
	x := in.exchange()
	if x.passed {
		panic(fmt.Errorf("called %s in handle_response: the request is gone by then", function))
	}
	return x
}

// changing returns the fields of a kind, to be changed.
func (in *instance) changing(function string, kind uint64) fields {
	if k := uint32(kind); k == kindRequest || k == kindRequestTrailers {
		in.before(function).own()
	} else {
		in.exchange().responding(function)
	}
	return in.x.fields(uint32(kind))
}

// region returns a view of the guest's memory.
func (in *instance) region(addr, length uint64) []byte {
	b, ok := in.memory.Read(uint32(addr), uint32(length))
	if !ok {
		panic(fmt.Errorf("named %d bytes at %d, outside its memory of %d", uint32(length), uint32(addr), in.memory.Size()))
	}
	in.charge(int(uint32(length)) / bytesAnUnit)
	return b
}

// text returns a copy of what the guest has.
func (in *instance) text(addr, length uint64) string {
	if uint32(length) == 0 {
		return ""
	}
	return string(in.region(addr, length))
}

// put writes text at buf if it is not longer than limit, and returns how long it is.
func (in *instance) put(buf, limit uint64, text string) uint64 {
	if n := uint64(len(text)); n > 0 && n <= uint64(uint32(limit)) {
		copy(in.region(buf, n), text)
	}
	return uint64(len(text))
}

// putAll writes all, each with a NUL behind it, at buf if that is not longer than limit. It returns how many there are, and
// below 32 bits how long they are.
func (in *instance) putAll(buf, limit uint64, all []string) uint64 {
	size := len(all)
	for _, s := range all {
		size += len(s)
	}
	if size > 0 && uint64(size) <= uint64(uint32(limit)) {
		b := in.region(buf, uint64(size))
		for _, s := range all {
			b = b[copy(b, s):]
			b[0], b = 0, b[1:]
		}
	}
	return uint64(len(all))<<32 | uint64(size)
}

func enableFeatures(in *instance, s []uint64) {
	asked := features(s[0]) & allFeatures
	if in.x == nil {
		in.features |= asked
		s[0] = uint64(in.features)
		return
	}
	in.x.enable(asked)
	s[0] = uint64(in.x.features)
}

const eof = 1 << 32

// readBody fills the guest's buffer from a body, and says whether it ended.
func readBody(in *instance, s []uint64) {
	if uint32(s[2]) == 0 {
		panic(fmt.Errorf("called read_body with no room"))
	}
	body := in.exchange().reader(uint32(s[0]))
	b := in.region(s[1], s[2])
	n, err := io.ReadFull(body, b)
	switch err { // io.ReadFull returns these as they are
	case nil:
		s[0] = uint64(n)
	case io.EOF, io.ErrUnexpectedEOF:
		s[0] = eof | uint64(n)
	default:
		panic(fmt.Errorf("was reading a body that broke off: %w", err))
	}
}

func writeBody(in *instance, s []uint64) {
	var b []byte
	if uint32(s[2]) > 0 {
		b = in.region(s[1], s[2])
	}
	if uint32(s[0]) == kindRequest {
		in.before("write_body").writeRequest(b)
		return
	}
	if err := in.exchange().responding("write_body").append(b); err != nil {
		panic(err)
	}
}

// The guest's levels of logging, from -1 for debug on.
func level(l int32) slog.Level { return slog.Level(max(min(l, 2), -1)) * 4 }

const (
	logNone = 3
	// maxText bounds a line of the log in bytes, and maxLines the lines of a request.
	maxText, maxLines = 1024, 32
)

func (in *instance) logEnabled(l int32) uint64 {
	if l < logNone && in.guest.o.Logger.Enabled(context.Background(), level(l)) {
		return 1
	}
	return 0
}

// log keeps the guest's lines to so many a request.
func (in *instance) log(l int32, text string) {
	if in.logEnabled(l) == 0 {
		return
	}
	if x := in.x; x != nil {
		if x.lines++; x.lines > maxLines {
			return
		}
	}
	in.guest.log(level(l), text)
}

func (g *Guest) log(l slog.Level, text string) {
	text = strings.ToValidUTF8(text[:min(len(text), maxText)], "?")
	g.o.Logger.LogAttrs(context.Background(), l, "http-wasm guest", slog.String("guest", g.o.Name), slog.String("text", text))
}

// output takes what the guest writes to its standard output and error, for the log.
type output struct{ guest *Guest }

func (o *output) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p[:min(len(p), 8*maxText)])) {
		if line = strings.TrimSpace(line); line != "" {
			o.guest.log(slog.LevelDebug, line)
		}
	}
	return len(p), nil
}
