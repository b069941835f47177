package plugins

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// Where a script has what, in its memory of 8 pages.
const (
	scriptBuf     = 1024
	scriptResults = 8192
	scriptData    = 16384
	scriptFree    = 2 << 16
	scriptEnd     = 8 << 16
)

// script is a guest made of calls of host functions, one after the other, that answers with what they return. Its code is
// by export.
type script struct {
	needs   []string
	code    map[string][]byte
	results uint32 // bytes of them
	data    []byte
}

func newScript(needs ...string) *script { return &script{needs: needs, code: make(map[string][]byte)} }

// Arguments of a script's calls beside numbers and strings, which stand for two: where they are, and their length.
type (
	region2 struct{ address, length uint32 } // two arguments, too
	param   byte                             // of the export
)

// functions are those that the script may import.
func (s *script) functions() []hostabi.HostFunction {
	return slices.DeleteFunc(hostabi.HostFunctions(), func(f hostabi.HostFunction) bool {
		return f.Needs != "" && !slices.Contains(s.needs, f.Needs)
	})
}

// call appends a call to an export's code. What it returns becomes the next result.
func (s *script) call(export, function string, args ...any) {
	i := slices.IndexFunc(s.functions(), func(f hostabi.HostFunction) bool { return f.Name == function })
	sig := s.functions()[i].Signature
	var code []byte
	types := sig.Params
	next := func(v int64) {
		code = append(code, map[byte]byte{0x7f: 0x41, 0x7e: 0x42}[types[0]])
		code = appendSigned(code, v)
		types = types[1:]
	}
	for _, arg := range args {
		switch a := arg.(type) {
		case int:
			next(int64(a))
		case region2:
			next(int64(int32(a.address)))
			next(int64(int32(a.length)))
		case string:
			next(scriptData + int64(len(s.data)))
			next(int64(len(a)))
			s.data = append(s.data, a...)
		case param:
			code = append(code, 0x20, byte(a))
			types = types[1:]
		}
	}
	if types != "" {
		panic(fmt.Sprintf("%s lacks %d arguments", function, len(types)))
	}
	code = append(code, 0x10, byte(i))
	s.keep(export, code, sig.Results)
}

// keep makes the value that code leaves on the stack, if it leaves one, the next result.
func (s *script) keep(export string, code []byte, types string) {
	if types == "" {
		s.code[export] = append(s.code[export], code...)
		return
	}
	s.code[export] = append(appendSigned(append(s.code[export], 0x41), int64(s.room(8))), code...)
	if types == hostabi.I32 {
		s.code[export] = append(s.code[export], 0xac) // i64.extend_i32_s
	}
	s.code[export] = append(s.code[export], 0x37, 3, 0) // i64.store
}

// room reserves bytes among the results and returns their address.
func (s *script) room(n uint32) uint32 {
	s.results += n
	return scriptResults + s.results - n
}

// end ends an export's code that returns an i64: with the action and the bytes at address.
func (s *script) end(export string, action uint64, address, length uint32) {
	v := action<<hostabi.ActionShift | uint64(address-scriptBuf)<<hostabi.OffsetShift | uint64(length)
	s.code[export] = appendSigned(append(s.code[export], 0x42), int64(v))
}

// reply ends ec_before with the results as the new key.
func (s *script) reply() { s.end(hostabi.ExportBefore, hostabi.ActionKey, scriptResults, s.results) }

// trap ends an export's code.
func (s *script) trap(export string) { s.code[export] = append(s.code[export], 0x00) }

func appendSigned(b []byte, v int64) []byte {
	for ; v < -64 || v > 63; v >>= 7 {
		b = append(b, byte(v)&0x7f|0x80)
	}
	return append(b, byte(v)&0x7f)
}

// source makes the guest a plugin with hooks for its exports.
func (s *script) source() Source {
	m := module{exports: []string{"edgecache_abi_hook_1:>", "ec_buf:i>i"}, memories: [][]uint32{{8}}, code: maps.Clone(s.code)}
	m.code[hostabi.ExportBuf] = appendSigned([]byte{0x41}, scriptBuf)
	hooks := []string{}
	for export, signature := range map[string]string{
		hostabi.ExportBefore: "iiiIi>I", hostabi.ExportAfter: "iiiIi>I", hostabi.ExportInit: "iI>i", hostabi.ExportStats: ">I",
	} {
		if m.code[export] == nil {
			continue
		}
		m.exports = append(m.exports, export+":"+signature)
		if hook := strings.TrimPrefix(export, "ec_"); hook == hostabi.HookBefore || hook == hostabi.HookAfter {
			hooks = append(hooks, `"`+hook+`"`)
		}
	}
	for _, f := range s.functions() {
		letters := strings.NewReplacer("\x7f", "i", "\x7e", "I")
		m.imports = append(m.imports, fmt.Sprintf("%s.%s:%s>%s", hostabi.ImportModule, f.Name,
			letters.Replace(f.Signature.Params), letters.Replace(f.Signature.Results)))
	}
	if len(s.data) > 0 { // one active segment
		at := append(appendSigned([]byte{1, 0, 0x41}, scriptData), 0x0b)
		m.extra = section(11, append(at, name(string(s.data))...))
	}
	stats := ""
	if s.code[hostabi.ExportStats] != nil {
		stats = `,"stats":[{"name":"n","kind":"sum"}]`
	}
	manifest := fmt.Sprintf(`{"name":"script","version":"1","abi":"hook/1","hooks":[%s],"ops":["*"],"needs":["%s"]%s}`,
		strings.Join(hooks, ","), strings.Join(s.needs, `","`), stats)
	return Source{Wasm: m.bytes(), Manifest: []byte(manifest), Grants: Grants{Needs: s.needs}}
}

// run loads the guest, calls its hook before on a command and returns the results of the first n calls.
func (s *script) run(t testing.TB, cmd *core.Command, n int) []int64 {
	t.Helper()
	s.reply()
	h, l := newHost(t)
	p := load(t, h, s.source())
	if err := before(t, p, cmd, new(core.Result)); err != nil || len(p.Stats().Failures) > 0 {
		t.Fatalf("Before = %v: %s", err, l)
	}
	return numbers(cmd.Key)[:n]
}

// numbers reads results.
func numbers(b string) []int64 {
	all := make([]int64, len(b)/8)
	for i := range all {
		all[i] = int64(binary.LittleEndian.Uint64([]byte(b[i*8:])))
	}
	return all
}

// fails loads the guest, calls its hook before on a command, and wants a failure with that text.
func (s *script) fails(t *testing.T, op core.Op, want string) {
	t.Helper()
	s.reply()
	h, l := newHost(t)
	p := load(t, h, s.source())
	cmd := core.Command{Op: op, Key: "k", Value: []byte("value")}
	if err := before(t, p, &cmd, new(core.Result)); err != nil {
		t.Fatalf("Before = %v", err)
	}
	if n := p.Stats().Failures[FailureProtocol.String()]; n != 1 || cmd.Key != "k" || !strings.Contains(unquoted(l), want) {
		t.Errorf("%d protocol failures, key %q, want %q in the log: %s", n, cmd.Key, want, l)
	}
}

// unquoted is the log without what slog puts before quotes.
func unquoted(l *logs) string { return strings.ReplaceAll(l.String(), `\`, "") }
