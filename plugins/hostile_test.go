package plugins

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/hostabi/abitest"
)

// hostileManifest is what a hostile guest's is, unless it says otherwise.
const hostileManifest = `{"name": "hostile", "version": "1", "abi": "hook/1", "hooks": ["before", "after", "observe"], "ops": ["*"],
	"needs": ["clock", "hash", "log", "rng"], "memory_pages": 4, "failure": "closed", "stats": [{"name": "calls", "kind": "sum"}]}`

// defaults are the fields that a guest needs, by what tells that it has its own.
var defaults = [][2]string{
	{`"edgecache_abi_hook_1"`, `(func (export "edgecache_abi_hook_1"))`},
	{`(export "memory")`, `(memory (export "memory") 1)`},
	{`"ec_buf"`, `(func (export "ec_buf") (param i32) (result i32)
		(select (i32.const 1024) (i32.const 0) (i32.le_u (local.get 0) (i32.const 16384))))`},
	{`"ec_before"`, `(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (i64.const 0))`},
	{`"ec_after"`, `(func (export "ec_after") (param i32 i32 i32 i64 i32) (result i64) (i64.const 0))`},
	{`"ec_events"`, `(func (export "ec_events") (param i32) (result i32) (i32.const 32768))`},
	{`"ec_observe"`, `(func (export "ec_observe") (param i32))`},
	{`"ec_stats"`, `(func (export "ec_stats") (result i64) (i64.const 0))`},
}

// hostile is a guest of testdata/hostile.
type hostile struct {
	name     string
	wasm     []byte
	manifest []byte
	grants   []string
	wants    []want
}

// want is what a call must come to. For "refused" there is no kind.
type want struct{ call, kind, text string }

// readHostile assembles a guest.
func readHostile(t *testing.T, path string) hostile {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h := hostile{name: strings.TrimSuffix(filepath.Base(path), ".wat"), manifest: []byte(hostileManifest)}
	fields, bare := string(b), false
	for line := range strings.Lines(fields) {
		rest, ok := strings.CutPrefix(line, ";; ")
		if !ok {
			break
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
		switch word {
		case "bare":
			bare = true
		case "manifest":
			h.manifest = merge(t, h.manifest, rest)
		case "grant":
			h.grants = strings.Fields(rest)
		case "refused":
			h.wants = append(h.wants, want{"refused", "", unquote(t, rest)})
		case "before", "before-long", "before-set", "after", "observe", "report", "concurrent":
			kind, text, _ := strings.Cut(rest, " ")
			h.wants = append(h.wants, want{word, kind, unquote(t, text)})
		}
	}
	if len(h.wants) == 0 {
		t.Fatalf("%s says nothing of what must happen", path)
	}
	for _, d := range defaults {
		if !bare && !strings.Contains(fields, d[0]) {
			fields += d[1] + "\n"
		}
	}
	h.wasm = assemble(t, "(module "+fields+")")
	return h
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	if s == "" {
		return ""
	}
	text, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return text
}

// merge changes fields of a JSON object.
func merge(t *testing.T, object []byte, changes string) []byte {
	t.Helper()
	var fields map[string]json.RawMessage
	err := json.Unmarshal(object, &fields)
	if err == nil {
		err = json.Unmarshal([]byte(changes), &fields)
	}
	if err != nil {
		t.Fatalf("%s: %v", changes, err)
	}
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// assemble makes a module of text, with wabt's assembler.
func assemble(t testing.TB, text string) []byte {
	t.Helper()
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		abitest.Missing(t, "wat", err.Error()+": it comes with wabt")
	}
	in, out := filepath.Join(t.TempDir(), "guest.wat"), filepath.Join(t.TempDir(), "guest.wasm")
	if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(tool, "--debug-names", in, "-o", out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// TestHostile lets every hostile guest do its worst, beside a plugin that must not notice.
func TestHostile(t *testing.T) {
	files, err := filepath.Glob("testdata/hostile/*.wat")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d guests, %v", len(files), err)
	}
	for _, file := range files {
		guest := readHostile(t, file)
		t.Run(guest.name, func(t *testing.T) {
			goroutines, heap := goruntime.NumGoroutine(), heapInUse()
			guest.run(t)
			if n := goruntime.NumGoroutine(); n > goroutines+1 { // those of tests that end
				t.Errorf("%d goroutines, %d before", n, goroutines)
			}
			if grown := int64(heapInUse()) - int64(heap); grown > 8<<20 {
				t.Errorf("the heap has grown by %d KiB", grown>>10)
			}
		})
	}
}

func heapInUse() uint64 {
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapInuse
}

// run loads the guest and makes the calls, each on an instance that has done nothing bad yet.
func (g *hostile) run(t *testing.T) {
	t.Helper()
	l := &logs{}
	h, err := NewHost(t.Context(), HostOptions{Logger: logger(l)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(t.Context()); err != nil {
			t.Errorf("Host.Close: %v", err)
		}
	}()
	witness := load(t, h, actorSource(`"name": "actor"`, `"name": "witness"`))
	src := Source{Wasm: g.wasm, Manifest: g.manifest, Grants: Grants{Needs: g.grants}}
	p, err := h.Load(t.Context(), src)
	if g.wants[0].call == "refused" {
		if err == nil || !strings.Contains(err.Error(), g.wants[0].text) || !strings.HasPrefix(err.Error(), "plugin hostile: ") &&
			!strings.Contains(err.Error(), "manifest") {
			t.Errorf("Load = %v, want %q", err, g.wants[0].text)
		}
	} else if err != nil {
		t.Fatalf("Load = %v", err)
	}
	if err == nil {
		for _, w := range g.wants {
			w.check(t, p, l)
		}
	}
	cmd, res := core.Command{Op: core.OpGet, Key: "up:still works"}, core.Result{}
	if err := before(t, witness, &cmd, &res); err != nil || cmd.Key != "UP:STILL WORKS" {
		t.Errorf("the plugin beside it: %q, %v", cmd.Key, err)
	}
}

// check makes one call.
func (w want) check(t *testing.T, p *Plugin, l *logs) {
	t.Helper()
	begin := time.Now()
	err := w.do(t, p)
	took := time.Since(begin)
	if w.kind == "ok" {
		if err != nil {
			t.Errorf("%s = %v", w.call, err)
		}
		return
	}
	var guest *GuestError
	if !errors.As(err, &guest) {
		t.Fatalf("%s = %v, want a failure of kind %s", w.call, err, w.kind)
	}
	if guest.Plugin != "hostile" || guest.Kind.String() != w.kind || !strings.Contains(guest.Error(), w.text) ||
		strings.Contains(guest.Error(), "\n") {
		t.Errorf("%s = %q, want kind %s and %q", w.call, guest, w.kind, w.text)
	}
	if text := l.String(); w.call != "report" && (!strings.Contains(text, "plugin failed") || !strings.Contains(text, guest.Kind.String())) {
		t.Errorf("%s: the failure is not in the log: %s", w.call, text)
	}
	t.Logf("%s ended after %v: %v", w.call, took, guest)
}

// do makes the call and returns how the guest failed.
func (w want) do(t *testing.T, p *Plugin) error {
	t.Helper()
	cmd := core.Command{Op: core.OpGet, Key: "some key", Namespace: pureNamespace, Cookies: make([]uint64, 1)}
	res := core.Result{Item: core.Item{Outcome: core.OutcomeMiss}}
	switch w.call {
	case "before-set":
		cmd.Op, cmd.Value, res.Outcome = core.OpSet, []byte("value"), core.OutcomeNone
		return p.Hook().Before(t.Context(), &cmd, &res)
	case "before-long":
		cmd.Key = strings.Repeat("k", 8192)
		fallthrough
	case "before":
		res.Outcome = core.OutcomeNone
		return p.Hook().Before(t.Context(), &cmd, &res)
	case "after":
		return p.Hook().After(t.Context(), &cmd, &res)
	case "observe":
		return w.observe(p)
	case "report":
		_, err := p.Report()
		return err
	default:
		return concurrently(t, p)
	}
}

// observe hands events over and returns what was logged of the failure as what it was: observers fail alone.
func (w want) observe(p *Plugin) error {
	before := p.Stats().Failures
	lost := p.Stats().Lost
	p.Observer().Observe(eventsOf(3))
	s := p.Stats()
	if s.Failures[w.kind] != before[w.kind]+1 || s.Lost != lost+3 {
		return errors.New("events were not lost by a failure of that kind")
	}
	return p.failure.Load()
}

// concurrently makes many calls at once and returns what went wrong in any.
func concurrently(t *testing.T, p *Plugin) error {
	t.Helper()
	var all sync.WaitGroup
	failed := make(chan error, 16)
	for range cap(failed) {
		all.Go(func() {
			for range 500 {
				cmd := core.Command{Op: core.OpGet, Key: "k", Namespace: pureNamespace, Cookies: make([]uint64, 1)}
				if err := p.Hook().Before(t.Context(), &cmd, new(core.Result)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// TestNoHostileTruncation loads a good module cut off at every byte: it must be refused with a reason, or be whole.
func TestNoHostileTruncation(t *testing.T) {
	h, _ := newHost(t)
	wasm := assemble(t, `(module `+defaults[0][1]+defaults[1][1]+defaults[2][1]+defaults[3][1]+`)`)
	manifest := merge(t, []byte(hostileManifest), `{"hooks": ["before"], "stats": []}`)
	for n := range wasm {
		p, err := h.Load(t.Context(), Source{Wasm: wasm[:n], Manifest: manifest})
		if err == nil { // what is missing are names alone
			if err := p.Close(t.Context()); err != nil || hostabiParses(wasm[:n]) != nil {
				t.Errorf("the first %d bytes of %d were loaded: %v", n, len(wasm), err)
			}
			continue
		}
		if !strings.HasPrefix(err.Error(), "plugin hostile: ") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func hostabiParses(wasm []byte) error {
	_, err := hostabi.ParseModule(wasm)
	return err
}
