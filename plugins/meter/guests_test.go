package meter

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// exampleGuests returns plugins in C.
func exampleGuests(t testing.TB) map[string][]byte {
	t.Helper()
	guests := make(map[string][]byte)
	for _, name := range examples.Names() {
		wasm, _, ok := examples.Lookup(name)
		if !ok {
			t.Fatalf("no example %s", name)
		}
		guests[name] = wasm
	}
	actor, err := os.ReadFile("../testdata/actor.wasm")
	if err != nil {
		t.Fatal(err)
	}
	guests["actor"] = actor
	return guests
}

// goGuest builds a plugin in Go.
func goGuest(t testing.TB) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", file, "../testdata/goguest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// TestExamples calls the hooks of plugins with random keys and events.
func TestExamples(t *testing.T) {
	for name, wasm := range exampleGuests(t) {
		t.Run(name, func(t *testing.T) {
			plain, metered := compareGuests(t, wasm)
			sameMemory(t, plain, metered)
		})
	}
}

func TestGoGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	compareGuests(t, goGuest(t)) // not their memories, where the time stands
}

func compareGuests(t *testing.T, wasm []byte) (plain, metered *guest) {
	t.Helper()
	plain, metered = start(t, wasm), start(t, rewrite(t, wasm, Options{}))
	random := rand.New(rand.NewPCG(1, 2))
	if plain.ExportedFunction(hostabi.ExportInit) != nil {
		same(t, plain, metered, hostabi.ExportInit, 0)
	}
	metered.give(plenty)
	for i := range 300 {
		if plain.ExportedFunction(hostabi.ExportBefore) != nil {
			compareBefore(t, plain, metered, random)
		}
		if i%10 == 0 && plain.ExportedFunction(hostabi.ExportObserve) != nil {
			compareObserve(t, plain, metered, random)
		}
	}
	if metered.left() == plenty {
		t.Error("no fuel was used")
	}
	if plain.ExportedFunction(hostabi.ExportStats) != nil {
		same(t, plain, metered, hostabi.ExportStats)
	}
	return plain, metered
}

func compareBefore(t *testing.T, plain, metered *guest, random *rand.Rand) {
	t.Helper()
	key := make([]byte, 1+random.IntN(200))
	for i := range key {
		key[i] = "abcXYZ:/09"[random.IntN(10)]
	}
	frame := append(make([]byte, hostabi.BufKey), key...)
	addr := same(t, plain, metered, hostabi.ExportBuf, uint64(len(frame)))[0]
	for _, g := range []*guest{plain, metered} {
		if !g.Memory().Write(uint32(addr), frame) {
			t.Fatalf("%s returned %#x", hostabi.ExportBuf, addr)
		}
	}
	result := same(t, plain, metered, hostabi.ExportBefore, hostabi.OpGet, uint64(len(key)), 0, 0, 0)[0]
	want, _ := plain.Memory().Read(uint32(addr), uint32(len(frame)+64))
	got, _ := metered.Memory().Read(uint32(addr), uint32(len(frame)+64))
	if string(got) != string(want) {
		t.Fatalf("%s: result %#x, buffer %q metered, %q plain", hostabi.ExportBefore, result, got, want)
	}
}

func compareObserve(t *testing.T, plain, metered *guest, random *rand.Rand) {
	t.Helper()
	const events = 64
	addr := same(t, plain, metered, hostabi.ExportEvents, events)[0]
	block := make([]byte, events*hostabi.EventSize)
	for i := range block {
		block[i] = byte(random.Uint32())
	}
	for _, g := range []*guest{plain, metered} {
		if !g.Memory().Write(uint32(addr), block) {
			t.Fatalf("%s returned %#x", hostabi.ExportEvents, addr)
		}
	}
	same(t, plain, metered, hostabi.ExportObserve, events)
}
