package plugins

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/core"
)

// call calls a plugin's hook for a key and returns how the guest failed.
func call(t testing.TB, p *Plugin, key string) *GuestError {
	t.Helper()
	cmd, res := core.Command{Op: core.OpGet, Key: key}, core.Result{}
	err := before(t, p, &cmd, &res)
	guest, ok := errors.AsType[*GuestError](err)
	if err != nil && !ok {
		t.Fatalf("%s: %v", key, err)
	}
	return guest
}

// closed is the actor with failure policy closed and other changes.
func closedActor(fields string) Source {
	return actorSource(`"memory_pages"`, `"failure": "closed", `+fields+`"memory_pages"`)
}

func TestFuel(t *testing.T) {
	h, _ := newHost(t)
	for _, test := range []struct {
		name   string
		fields string
		grants Grants
		rounds string // thousand
		want   string // of the failure, "" for none
	}{
		{"within the default", "", Grants{}, "100", ""},
		{"beyond the default", "", Grants{}, "1000", "fuel: it used up 1000000 units"},
		{"more asked for", `"fuel": 100000000, `, Grants{}, "1000", ""},
		{"less asked for", `"fuel": 20000, `, Grants{}, "100", "fuel: it used up 20000 units"},
		{"less granted than asked for", `"fuel": 100000000, `, Grants{Fuel: 20000}, "100", "fuel: it used up 20000 units"},
	} {
		t.Run(test.name, func(t *testing.T) {
			src := closedActor(test.fields)
			src.Grants = test.grants
			err := call(t, load(t, h, src), "spin:"+test.rounds)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestFuelForLongKeys gives a guest whose work grows with the key no more than it needs for short ones.
func TestFuelForLongKeys(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, closedActor(`"fuel": 20000, `))
	for range 2 * breakerFailures {
		if err := call(t, p, "up:"+strings.Repeat("k", 8000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := call(t, p, "spin:100"); err == nil || err.Kind != FailureFuel {
		t.Errorf("a short key after long ones: %v", err)
	}
}

// TestFuelComesBack burns nearly all in one call: the next has half of it, and after some that use little it is all there.
func TestFuelComesBack(t *testing.T) {
	h, _ := newHost(t)
	src := closedActor(`"stateful": true, "fuel": 1200000, `)
	p := load(t, h, src)
	if err := call(t, p, "spin:280"); err != nil {
		t.Fatal(err)
	}
	used := p.Stats().Fuel
	if used < 280_000*3 || used > 280_000*5 {
		t.Fatalf("280,000 rounds used %d units", used)
	}
	if err := call(t, p, "spin:280"); err == nil || err.Kind != FailureFuel {
		t.Errorf("at once again: %v", err)
	}
	for _, key := range []string{"spin:280", "pass", "pass", "spin:280"} { // the first on a new instance
		if err := call(t, p, key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestFuelIsCounted compares what calls use with what the figures say, over instances that are gone, too.
func TestFuelIsCounted(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	burn := func(key string, n int) uint64 {
		begin := p.Stats().Fuel
		for range n {
			call(t, p, key)
		}
		return p.Stats().Fuel - begin
	}
	one := burn("spin:10", 1)
	if many := burn("spin:10", 50); many != 50*one {
		t.Errorf("one call used %d, fifty used %d", one, many)
	}
	if got := burn("spin", 1); got < 1_000_000 || got > 1_100_000 {
		t.Errorf("a call without end used %d", got)
	}
	total := p.Stats().Fuel
	if err := p.Close(t.Context()); err != nil || p.Stats().Fuel < total {
		t.Errorf("Close = %v, then %d units, before %d", err, p.Stats().Fuel, total)
	}
}

// TestWatchdog gives a guest more fuel than time. Collections must go on meanwhile.
func TestWatchdog(t *testing.T) {
	const timeout = 10 * time.Millisecond
	h, err := NewHost(t.Context(), HostOptions{CallTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close(context.Background()) }()
	p := load(t, h, closedActor(`"fuel": 1000000000000, `))
	best := time.Hour
	for range 4 { // a fifth failure would open the breaker
		done := make(chan *GuestError)
		begin := time.Now()
		go func() { done <- call(t, p, "spin") }()
		goruntime.GC()
		goruntime.GC()
		if err := <-done; err == nil || err.Kind != FailureTime || !strings.Contains(err.Error(), "it took longer than 10ms") {
			t.Errorf("spin = %v", err)
		}
		took := time.Since(begin)
		if took < timeout {
			t.Errorf("stopped after %v", took)
		}
		best = min(best, took)
	}
	t.Logf("stopped after %v", best)
	for range 300 { // with time to spare, none is stopped
		if err := call(t, p, "spin:1"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWatchdogRests sees that it runs only while it has something to watch, and is there again when it has.
func TestWatchdogRests(t *testing.T) {
	h, err := NewHost(t.Context(), HostOptions{CallTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close(context.Background()) }()
	p := load(t, h, closedActor(`"fuel": 1000000000000, `))
	for range 2 {
		waitFor(t, h.dog.asleep.Load)
		if err := call(t, p, "spin"); err == nil || err.Kind != FailureTime {
			t.Errorf("spin = %v", err)
		}
	}
}

// waitFor waits until a condition holds.
func waitFor(t testing.TB, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for range 10_000 {
		if condition() {
			return
		}
		<-ticker.C
	}
	t.Fatal("that does not happen")
}

// TestWatchdogUnderLoad has many calls begin and end about when their time is up: whatever comes of each, the instance that
// stays must not be stopped by what was meant for a call before.
func TestWatchdogUnderLoad(t *testing.T) {
	h, err := NewHost(t.Context(), HostOptions{CallTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close(context.Background()) }()
	p := load(t, h, actorSource(`"memory_pages"`, `"fuel": 1000000000000, "memory_pages"`))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 200 {
				call(t, p, []string{"pass", "spin:500"}[i%2])
			}
		})
	}
	all.Wait()
	for kind := range p.Stats().Failures {
		if kind != "time" {
			t.Errorf("failures %v", p.Stats().Failures)
		}
	}
}

func TestUnmetered(t *testing.T) {
	h, err := NewHost(t.Context(), HostOptions{Unmetered: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close(context.Background()) }()
	p := load(t, h, closedActor(""))
	if err := call(t, p, "spin:1000"); err != nil || p.Stats().Fuel != 0 {
		t.Errorf("spin = %v, used %d", err, p.Stats().Fuel)
	}
}

// TestMeteredIsKept sees that a module is metered once for all processes, and that damage is noticed.
func TestMeteredIsKept(t *testing.T) {
	dir := t.TempDir()
	loadIn := func() {
		t.Helper()
		h, err := NewHost(t.Context(), HostOptions{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		p := load(t, h, closedActor(""))
		if err := call(t, p, "spin"); err == nil || err.Kind != FailureFuel {
			t.Errorf("spin = %v", err)
		}
		if err := h.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	loadIn()
	kept, err := filepath.Glob(filepath.Join(dir, "metered-*", "*.wasm"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	whole, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]byte{whole, whole[:len(whole)-1], {}, slices.Concat(whole, []byte{0})} {
		if err := os.WriteFile(kept[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		loadIn()
		if b, err := os.ReadFile(kept[0]); err != nil || !slices.Equal(b, whole) {
			t.Errorf("after damage %d bytes, %v, want %d", len(b), err, len(whole))
		}
	}
}

func TestKeyPrefixes(t *testing.T) {
	h, _ := newHost(t)
	for _, test := range []struct {
		name            string
		asked, granted  string
		called, skipped []string
	}{
		{"asked for", `"keys": ["up:a", "up:b"], `, "", []string{"up:a", "up:bc"}, []string{"up:c", "up", ""}},
		{"granted", ``, "up:a", []string{"up:a", "up:abc"}, []string{"up:b"}},
		{"both", `"keys": ["up:a"], `, "up:ab", []string{"up:ab"}, []string{"up:a", "up:b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			src := only(`"memory_pages"`, test.asked+`"memory_pages"`)
			if test.granted != "" {
				src.Grants.Keys = []string{test.granted}
			}
			p := load(t, h, src)
			for _, key := range slices.Concat(test.called, test.skipped) {
				cmd, res := core.Command{Op: core.OpGet, Key: key}, core.Result{}
				if err := before(t, p, &cmd, &res); err != nil {
					t.Fatal(err)
				}
				if want := slices.Contains(test.called, key); (cmd.Key == strings.ToUpper(key)) != want && key != "" {
					t.Errorf("key %q became %q", key, cmd.Key)
				}
			}
			if calls := figure(t, p, "calls"); calls != uint64(len(test.called)) {
				t.Errorf("%d calls, want %d", calls, len(test.called))
			}
		})
	}
	src := actorSource()
	src.Grants.Keys = []string{"a"}
	if _, err := h.Load(t.Context(), src); err == nil || !strings.Contains(err.Error(), "events carry no key") {
		t.Errorf("an observer limited to keys: %v", err)
	}
}

// plainGlobal is a global that no guest has.
type plainGlobal struct {
	api.MutableGlobal
	v uint64
}

func (g *plainGlobal) Get() uint64  { return g.v }
func (g *plainGlobal) Set(v uint64) { g.v = v }

// TestCreditAfterCredit has a guest use exactly what it was given on top, so that its budget looks as if it had used nothing.
func TestCreditAfterCredit(t *testing.T) {
	budget := &plainGlobal{}
	tank := tank{fuel: &plainGlobal{}, budget: budget, kind: callKinds}
	tank.ready(callHook, allowance{each: 50, full: 100})
	for n := range uint64(3) {
		tank.credit(50)
		if budget.v != 150 || tank.burnt() != 50*n {
			t.Errorf("%d: a budget of %d, %d burnt, want 150 and %d", n, budget.v, tank.burnt(), 50*n)
		}
		budget.v -= 50
		tank.settle()
	}
}
