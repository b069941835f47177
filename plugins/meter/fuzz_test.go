package meter

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

// FuzzRewrite gives the meter any bytes. It must not panic, and what the runtime takes unmetered, it must take metered.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte(header))
	f.Add(program{functions: []testFunction{countDown(), spin()}, pages: []byte{1, 2}, table: 2, globals: 1, start: true}.bytes())
	for seed := range uint64(5) {
		f.Add(randomProgram(rand.New(rand.NewPCG(seed, 1))))
	}
	for _, wasm := range exampleGuests(f) {
		f.Add(wasm)
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		out, info, err := Rewrite(wasm, Options{})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || out != nil || e.Offset < 0 || e.Offset > len(wasm) {
				t.Fatalf("error %#v with %d bytes", err, len(out))
			}
			return
		}
		if len(out) > 32*len(wasm)+1024 || info.LargestRun > info.Cost || info.Checks != info.Functions+info.Loops {
			t.Fatalf("%d bytes became %d: %+v", len(wasm), len(out), info)
		}
		if _, err := hostabi.ParseModule(wasm); err != nil {
			return // may make the runtime allocate more than it should
		}
		r := newRuntime(t)
		_, before := r.CompileModule(t.Context(), wasm)
		_, after := r.CompileModule(t.Context(), out)
		if (before == nil) != (after == nil) {
			t.Fatalf("compile: %v metered, %v plain", after, before)
		}
	})
}
