package examples

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/hostabi/abitest"
	"github.com/edgecache/edgecache/internal/project"
	"github.com/edgecache/edgecache/plugins"
)

// hostCall is what the host functions of a rustProgram work on.
type hostCall struct {
	value []byte   // the call's
	wrote bool     // the guest replaced it
	log   []string // lines
}

// compileRust builds a guest in Rust and compiles it for a host that has no more than the guests need.
func compileRust(tb testing.TB, name string) (*program, *hostCall) {
	tb.Helper()
	wasm := abitest.Build(tb, name, "rust")
	manifest, _, err := hostabi.ReadManifest(wasm)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := hostabi.ParseManifest(manifest)
	if err != nil {
		tb.Fatal(err)
	}
	pages := m.MemoryPages
	if pages == 0 {
		pages = hostabi.DefaultMemoryPages
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(uint32(pages)))
	tb.Cleanup(func() { rt.Close(ctx) })
	call := new(hostCall)
	if err := call.serve(ctx, rt); err != nil {
		tb.Fatal(err)
	}
	compiled, err := rt.CompileModule(ctx, wasm)
	if err != nil {
		tb.Fatal(err)
	}
	return &program{rt: rt, compiled: compiled, manifest: m}, call
}

// serve defines the host functions in rt.
func (h *hostCall) serve(ctx context.Context, rt wazero.Runtime) error {
	view := func(m api.Module, addr, n uint64) []byte {
		b, ok := m.Memory().Read(uint32(addr), uint32(n))
		if !ok {
			panic(fmt.Sprintf("%d bytes at %d are outside of the guest's memory", n, addr))
		}
		return b
	}
	const i32, i64 = api.ValueTypeI32, api.ValueTypeI64
	builder := rt.NewHostModuleBuilder(hostabi.ImportModule)
	for _, f := range []struct {
		name            string
		params, results []api.ValueType
		do              api.GoModuleFunc
	}{
		{hostabi.HostLog, []api.ValueType{i32, i32, i32}, nil, func(_ context.Context, m api.Module, s []uint64) {
			h.log = append(h.log, string(view(m, s[1], s[2])))
		}},
		{hostabi.HostHash, []api.ValueType{i32, i32}, []api.ValueType{i64}, func(_ context.Context, m api.Module, s []uint64) {
			s[0] = xxhash.Sum64(view(m, s[0], s[1]))
		}},
		{hostabi.HostValueRead, []api.ValueType{i32, i32, i32}, []api.ValueType{i32}, func(_ context.Context, m api.Module, s []uint64) {
			from := h.value[min(int(uint32(s[0])), len(h.value)):]
			s[0] = uint64(copy(view(m, s[1], s[2]), from))
		}},
		{hostabi.HostValueWrite, []api.ValueType{i32, i32}, []api.ValueType{i32}, func(_ context.Context, m api.Module, s []uint64) {
			h.value, h.wrote = bytes.Clone(view(m, s[0], s[1])), true
			s[0] = 1
		}},
	} {
		builder.NewFunctionBuilder().WithGoModuleFunction(f.do, f.params, f.results).Export(f.name)
	}
	_, err := builder.Instantiate(ctx)
	return err
}

func FuzzRustKeyRewrite(f *testing.F) {
	f.Add(``, "Key")
	f.Add(`{"rules":[{"lowercase":true},{"prefix":"v1:\u00e9\ud83d\ude00"}]}`, "KEY-of-some-length")
	f.Add(`{"rules":[{"strip_query":["utm_*","fb"],"if_prefix":"/"}]}`, "/a?utm_x=1&b=2&fb#c")
	f.Add(`{"rules":[{"replace":{"pattern":"/img/*/\\**","with":"$1$$$2"}},{"hash_longer_than":17}]}`, "/img/7/*x")
	f.Add(`{"rules":[{"replace":{"pattern":"*","with":"$7"}}],"rules":[]}`, "x")
	program, _ := compileRust(f, "keyrewrite")
	f.Fuzz(func(t *testing.T, config, key string) {
		if len(config) > 1<<14 || len(key) > 1<<14 {
			t.Skip("longer than what the tests of lengths cover")
		}
		compare(t, program, []byte(config), []byte(key), []byte(key))
	})
}

func TestRustLowercase(t *testing.T) {
	program, _ := compileRust(t, "lowercase")
	r := rand.New(rand.NewPCG(5, 6))
	for _, prefix := range []string{"", "v", "v1:", "1234567:", strings.Repeat("long", 50)} {
		g := program.start(t)
		if text := g.init([]byte(`{"prefix":"` + prefix + `"}`)); text != "" {
			t.Fatal(text)
		}
		for range 500 {
			key := randomKey(r)
			want := append([]byte(prefix), lower(key)...)
			a, got := g.before(hostabi.OpGet, key)
			switch {
			case a.Code == hostabi.ActionKey && bytes.Equal(got, want) && !bytes.Equal(want, key):
			case a.Code == hostabi.ActionNone && bytes.Equal(want, key):
			default:
				t.Fatalf("prefix %q: %q becomes %v %q, want %q", prefix, key, a, got, want)
			}
		}
		for _, n := range []int{4000, 5000, 1<<16 - 10} {
			key := bytes.Repeat([]byte("K"), n)
			if _, got := g.before(hostabi.OpGet, key); !bytes.Equal(got, append([]byte(prefix), lower(key)...)) {
				t.Errorf("prefix %q: a key of %d bytes becomes one of %d", prefix, n, len(got))
			}
		}
	}
	for config, want := range map[string]string{
		`{"prefix":1}`: `config byte 10: want a string, found "1"`,
		`{"p":""}`:     `config byte 1: unknown field "p": want prefix`,
		`{"prefix":"` + strings.Repeat("x", 513) + `"}`: "config byte 10: string of more than 512 bytes",
	} {
		if got := program.start(t).init([]byte(config)); got != want {
			t.Errorf("ec_init(%q): %s, want %s", config, got, want)
		}
	}
}

// lower puts A-Z in lower case.
func lower(key []byte) []byte {
	low := bytes.Clone(key)
	for i, c := range low {
		if c >= 'A' && c <= 'Z' {
			low[i] = c | 0x20
		}
	}
	return low
}

// TestRustAdmission compares the guest with a model that has the same sketch.
func TestRustAdmission(t *testing.T) {
	program, _ := compileRust(t, "admission")
	g := program.start(t)
	if text := g.init([]byte(`{"max_bytes":100,"min_count":3}`)); text != "" {
		t.Fatal(text)
	}
	var model sketch
	var want [4]uint64
	want[0] = hostabi.NamespaceAll << hostabi.LabelNamespace
	zipf := rand.NewZipf(rand.New(rand.NewPCG(7, 8)), 1.01, 1, 1<<20)
	r := rand.New(rand.NewPCG(9, 10))
	for range 400_000 {
		key := []byte(fmt.Sprintf("key:%d", zipf.Uint64()))
		hash := xxhash.Sum64(append(bytes.Clone(key), "SHOP/Carts"...))
		if r.IntN(4) > 0 {
			g.value(hostabi.OpGet, key, 0)
			model.read(hash)
			continue
		}
		size := r.IntN(150)
		column, code := 1, uint8(hostabi.ActionNone)
		switch {
		case size > 100:
			column, code = 2, hostabi.ActionMiss
		case model.estimate(hash) < 3:
			column, code = 3, hostabi.ActionMiss
		}
		want[column]++
		if a := g.value(hostabi.OpSet, key, size); a.Code != code {
			t.Fatalf("a write of %d bytes to %q: %v, want action %d", size, key, a, code)
		}
	}
	block := g.call(hostabi.ExportStats)
	var got [4]uint64
	for i := range got {
		got[i] = binary.LittleEndian.Uint64(g.read(uint32(block>>32)+uint32(8*i), 8))
	}
	if uint32(block) != 1 || got != want {
		t.Errorf("statistics are %d rows of %v, want 1 of %v", uint32(block), got, want)
	}
}

// value shows a key with a value of size bytes to the guest.
func (g *guest) value(op uint8, key []byte, size int) hostabi.Action {
	const namespace = "SHOP/Carts"
	b := g.read(g.buf, hostabi.MinBuf)
	hostabi.Header{NamespaceLen: uint32(len(namespace)), NamespaceID: 7, BatchLen: 1}.Put(b)
	copy(b[hostabi.BufKey+copy(b[hostabi.BufKey:], key):], namespace)
	return hostabi.DecodeAction(g.call(hostabi.ExportBefore, uint64(op), uint64(len(key)), uint64(size), 0, 0))
}

// sketch is admission's, as its README has it.
type sketch struct {
	counters [4][1 << 14]uint8
	reads    int
}

func (s *sketch) places(hash uint64) (p [4]*uint8) {
	for i := range p {
		p[i] = &s.counters[i][hash>>(16*i)&0x3fff]
	}
	return p
}

func (s *sketch) estimate(hash uint64) uint8 {
	p := s.places(hash)
	return min(*p[0], *p[1], *p[2], *p[3])
}

func (s *sketch) read(hash uint64) {
	least := s.estimate(hash)
	for _, c := range s.places(hash) {
		if *c == least && least < 255 {
			*c++
		}
	}
	if s.reads++; s.reads < 163840 {
		return
	}
	s.reads = 0
	for i := range s.counters {
		for j := range s.counters[i] {
			s.counters[i][j] /= 2
		}
	}
}

// TestRustDenyList compares the guest with regular expressions.
func TestRustDenyList(t *testing.T) {
	program, _ := compileRust(t, "denylist")
	r := rand.New(rand.NewPCG(11, 12))
	for range 300 {
		deny, allow := randomPatterns(r), randomPatterns(r)
		g := program.start(t)
		config := fmt.Sprintf(`{"deny":%q,"allow":%q}`, deny, allow)
		if text := g.init([]byte(strings.ReplaceAll(config, `" "`, `","`))); text != "" {
			t.Fatalf("%s: %s", config, text)
		}
		for range 30 {
			key := []byte(randomText(r, "aB/", 12))
			want := ""
			if i := slices.IndexFunc(deny, matches(key)); i >= 0 && !slices.ContainsFunc(allow, matches(key)) {
				want = `key matches "` + deny[i] + `"`
			}
			a, got := g.before(hostabi.OpGet, key)
			if string(got) != want || (a.Code == hostabi.ActionDeny) != (want != "") {
				t.Fatalf("%s: %q gets %v %q, want %q", config, key, a, got, want)
			}
		}
	}
	long := strings.Repeat("x", 257)
	for config, want := range map[string]string{
		`{"deny":["` + long + `"]}`:                                             "config byte 9: pattern of more than 256 bytes",
		`{"deny":[` + strings.Repeat(`"a",`, 64) + `"b"]}`:                      "config byte 265: more than 64 patterns",
		"{\"deny\":[\"\xff\"]}":                                                 "config byte 9: pattern that is not UTF-8",
		`{"deny":[` + strings.Repeat(`"`+long[:256]+`",`, 63) + `"*********"]}`: "",
	} {
		if got := program.start(t).init([]byte(config)); got != want {
			t.Errorf("ec_init(%.40q): %s, want %s", config, got, want)
		}
	}
}

func randomPatterns(r *rand.Rand) []string {
	patterns := make([]string, r.IntN(4))
	for i := range patterns {
		patterns[i] = randomText(r, "aB/**", 6)
	}
	return patterns
}

// matches returns a function that reports whether a pattern matches key.
func matches(key []byte) func(string) bool {
	return func(pattern string) bool {
		expr := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$"
		return regexp.MustCompile(expr).Match(key)
	}
}

// compressor drives the guest that compresses.
type compressor struct {
	*guest
	host *hostCall
}

func newCompressor(tb testing.TB, program *program, host *hostCall, config string) *compressor {
	tb.Helper()
	g := program.start(tb)
	if text := g.init([]byte(config)); text != "" {
		tb.Fatal(text)
	}
	return &compressor{g, host}
}

// write returns what is stored of a value, or the action that keeps it from being so.
func (c *compressor) write(value []byte) ([]byte, hostabi.Action) {
	c.host.value = value
	a := c.value(hostabi.OpSet, []byte("key"), len(value))
	return c.host.value, a
}

// read returns what is read of what is stored, and the lines that were logged.
func (c *compressor) read(stored []byte) ([]byte, []string) {
	c.host.value, c.host.log = stored, nil
	if a := c.call(hostabi.ExportAfter, hostabi.OpGet, 3, hostabi.OutcomeHit, 0, uint64(len(stored))); a != 0 {
		c.tb.Fatalf("ec_after returned %#x", a)
	}
	return c.host.value, c.host.log
}

func TestRustCompress(t *testing.T) {
	program, host := compileRust(t, "compress")
	c := newCompressor(t, program, host, `{"min_bytes":64}`)
	r := rand.New(rand.NewPCG(13, 14))
	noise := make([]byte, 1<<20+1)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	text := []byte(strings.Repeat(`{"id":17,"name":"a name","tags":["x","y"]},`, 40_000))
	form := []byte("\xec\x5a\xf1")
	for _, test := range []struct {
		name  string
		value []byte
		least int // bytes that are stored
		most  int
	}{
		{"nothing", nil, 0, 0},
		{"short", text[:63], 63, 63},
		{"short noise", noise[:64], 64, 64},
		{"least", text[:64], 20, 64},
		{"text", text[:1000], 50, 100},
		{"long text", text[:1<<20], 1000, 10_000},
		{"too long", text[:1<<20+1], 1<<20 + 1, 1<<20 + 1},
		{"noise", noise[:1<<20], 1 << 20, 1 << 20},
		{"zeros", make([]byte, 100_000), 20, 1000},
		{"like a form", append(form[:3:3], noise[:200]...), 215, 215},
		{"like a short form", append(form[:3:3], noise[:9]...), 24, 24},
		{"three bytes of a form", form, 3, 3},
		{"eleven bytes of a form", append(form[:3:3], noise[:8]...), 11, 11},
		{"like a long form", append(form[:3:3], noise[:1<<20-3]...), 1<<20 + 12, 1<<20 + 12},
		{"like a form that shrinks", append(form[:3:3], text[:1000]...), 50, 110},
	} {
		t.Run(test.name, func(t *testing.T) {
			stored, a := c.write(test.value)
			if a.Code != hostabi.ActionNone || len(stored) < test.least || len(stored) > test.most {
				t.Fatalf("%d bytes are stored as %d (action %v), want %d to %d", len(test.value), len(stored), a, test.least, test.most)
			}
			if got, log := c.read(stored); !bytes.Equal(got, test.value) || log != nil {
				t.Errorf("%d bytes are read as %d, or others; log: %q", len(test.value), len(got), log)
			}
		})
	}
	for _, value := range [][]byte{append(form[:3:3], noise[:1<<20-2]...), append(form[:3:3], text...)} {
		if _, a := c.write(value); a.Code != hostabi.ActionDeny {
			t.Errorf("%d bytes like a form: %v, want deny", len(value), a)
		}
	}
	for _, op := range []uint8{hostabi.OpAppend, hostabi.OpPrepend} {
		if a := c.value(op, []byte("key"), 3); a.Code != hostabi.ActionDeny {
			t.Errorf("%s: %v, want deny", hostabi.OpName(op), a)
		}
	}
	for range 300 { // texts of few letters have matches of all lengths and distances
		value := []byte(strings.Repeat(randomText(r, "ab", 40), 1+r.IntN(60)) + randomText(r, "abc", 100))
		stored, _ := c.write(value)
		if got, _ := c.read(stored); !bytes.Equal(got, value) {
			t.Fatalf("%q is read as %q", value, got)
		}
	}
}

// TestRustCompressDamage sees that a damaged form is returned as it is, if the damage matters.
func TestRustCompressDamage(t *testing.T) {
	program, host := compileRust(t, "compress")
	c := newCompressor(t, program, host, `{}`)
	value := []byte(strings.Repeat("some text or other, ", 50))
	stored, _ := c.write(value)
	stored = bytes.Clone(stored)
	for i := 3; i < len(stored); i++ {
		for _, damaged := range [][]byte{append(stored[:i:i], stored[i+1:]...), append(append(stored[:i:i], stored[i]^4), stored[i+1:]...)} {
			got, log := c.read(damaged)
			if whole := bytes.Equal(got, value) && log == nil; !whole && (!bytes.Equal(got, damaged) || len(log) != 1) {
				t.Fatalf("with byte %d changed or gone, %d bytes are read as %d; log: %q", i, len(damaged), len(got), log)
			}
		}
	}
}

// FuzzRustCompress reads foreign bytes as if they were a compressed value: no trap, and only what is whole is restored. The
// same bytes are then written and read.
func FuzzRustCompress(f *testing.F) {
	f.Add([]byte(""), uint32(0))
	f.Add([]byte("\x50hello"), uint32(5))
	f.Add([]byte("\x1fa\x01\x00\xff\x00\x50aaaaa"), uint32(280))
	f.Add([]byte("\xf0\xff\xff\xff"), uint32(1<<20))
	f.Add([]byte("\x14a\x02\x00"), uint32(9))
	program, host := compileRust(f, "compress")
	c := newCompressor(f, program, host, `{"min_bytes":64}`)
	f.Fuzz(func(t *testing.T, body []byte, size uint32) {
		c.tb = t
		for method := range byte(4) {
			stored := append(binary.LittleEndian.AppendUint32([]byte{0xec, 0x5a, 0xf1, method}, size), 1, 2, 3, 4)
			stored = append(stored, body...)
			if got, _ := c.read(stored); !bytes.Equal(got, stored) && uint32(xxhash.Sum64(got)) != 0x04030201 {
				t.Errorf("%q is read as %q", stored, got)
			}
		}
		stored, a := c.write(bytes.Clone(body))
		if got, log := c.read(stored); a.Code == hostabi.ActionNone && (!bytes.Equal(got, body) || log != nil) {
			t.Errorf("%q is read as %q", body, got)
		}
	})
}

// TestRustLimits sees that what takes longest stays within the fuel and the memory of the manifests.
func TestRustLimits(t *testing.T) {
	t.Run("compress", func(t *testing.T) {
		p := load(t, "compress", "rust", "", "value")
		cache := newSide(t, p.Hook()).cache
		text := make([]byte, 1<<20)
		r := rand.New(rand.NewPCG(15, 16))
		for _, letters := range []int{1, 2, 4, 16, 256} {
			for i := range text {
				text[i] = byte(r.IntN(letters))
			}
			var res core.Result
			set := core.Command{Op: core.OpSet, Key: "key", Value: bytes.Clone(text)}
			if err := cache.Do(t.Context(), &set, &res); err != nil {
				t.Fatalf("%d letters: set: %v", letters, err)
			}
			if err := cache.Do(t.Context(), &core.Command{Op: core.OpGet, Key: "key"}, &res); err != nil {
				t.Fatalf("%d letters: get: %v", letters, err)
			}
			if res.Entry == nil || !bytes.Equal(res.Entry.Value, text) {
				t.Errorf("%d letters: 1 MiB is not read as it was written", letters)
			}
		}
	})
	t.Run("admission", func(t *testing.T) {
		p := load(t, "admission", "rust", "")
		cache := newSide(t, p.Hook()).cache
		for range 163_840 { // after which all counters are halved
			if err := cache.Do(t.Context(), &core.Command{Op: core.OpGet, Key: "key"}, &core.Result{}); err != nil {
				t.Fatal(err)
			}
		}
		if s := p.Stats(); len(s.Failures) > 0 || s.Refused > 0 {
			t.Errorf("the guest failed: %+v", s)
		}
	})
}

// TestRustSDK sees what the examples do not use: the SDK as a module beside the source, guests with the standard library, and
// what becomes of panics.
func TestRustSDK(t *testing.T) {
	const plain = `#![no_std]
mod edgecache;
use edgecache::*;

struct Plain;

impl Plugin for Plain {
    const NEW: Self = Plain;
}

impl Before for Plain {
    fn before(&mut self, call: &mut Call) -> Action {
        match call.key() {
            b"panic" => [Action::NONE; 3][call.key().len() + call.value_len],
            _ => call.deny(b"not here"),
        }
    }
}

plugin!(Plain: before);
`
	const std = `use edgecache::*;

struct Std {
    seen: Vec<String>,
}

impl Plugin for Std {
    const NEW: Self = Std { seen: Vec::new() };
}

impl Before for Std {
    fn before(&mut self, call: &mut Call) -> Action {
        let key = String::from_utf8_lossy(call.key()).to_uppercase();
        if key == "PANIC" {
            panic!("{} seen", self.seen.len());
        }
        self.seen.push(key.clone());
        call.deny(key.as_bytes())
    }
}

plugin!(std Std: before);
`
	for _, test := range []struct {
		name, source, key, reason, panics string
		crate                             bool
	}{
		{"module", plain, "key", "not here", "panicked at 'index out of bounds: the len is 3 but the index is 5', guest.rs:14:25", false},
		{"std", std, "straße", "STRASSE", "panicked at '1 seen', guest.rs:15:13", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			host, err := plugins.NewHost(t.Context(), plugins.HostOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer host.Close(context.Background())
			p, err := host.Load(t.Context(), plugins.Source{Wasm: compileRustSource(t, test.source, test.crate)})
			if err != nil {
				t.Fatal(err)
			}
			cache := newSide(t, p.Hook()).cache
			get := func(key string) error {
				return cache.Do(t.Context(), &core.Command{Op: core.OpGet, Key: key}, &core.Result{})
			}
			if err := get(test.key); err == nil || !strings.HasSuffix(err.Error(), ": "+test.reason) {
				t.Errorf("%q: %v, want %s", test.key, err, test.reason)
			}
			if err := get("panic"); !errors.Is(err, core.ErrPlugin) {
				t.Errorf("a panic ends in %v, want ErrPlugin", err)
			}
			if !strings.Contains(log.String(), test.panics) {
				t.Errorf("the log of a panic lacks %q:\n%s", test.panics, log.String())
			}
		})
	}
}

// compileRustSource builds a guest from a source, with the SDK as a crate or as a module.
func compileRustSource(t *testing.T, source string, crate bool) []byte {
	t.Helper()
	sdks := os.DirFS(filepath.Join("..", "hostabi", "sdk"))
	dir := t.TempDir()
	files := map[string]string{
		"guest.rs":      source,
		"manifest.json": `{"name":"guest","version":"1","abi":"hook/1","hooks":["before"],"ops":["*"],"needs":["log"],"failure":"closed"}`,
	}
	for _, name := range []string{"edgecache.rs", "edgecache_http.rs", "edgecache_policy.rs"} {
		text, err := fs.ReadFile(sdks, "rust/"+name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	o := project.BuildOptions{Dir: dir, Stderr: &said}
	if crate {
		o.SDK = sdks
	}
	built, err := project.Build(t.Context(), o)
	if missing, ok := errors.AsType[*project.MissingError](err); ok {
		abitest.Missing(t, "rust", missing.Error())
	}
	if err != nil || said.Len() > 0 {
		t.Fatalf("%v\n%s", err, said.String())
	}
	return built.Wasm
}
