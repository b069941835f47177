package meter

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestCosts(t *testing.T) {
	many := func(n int, b ...byte) []byte { return bytes.Repeat(b, n) }
	nops := func(n int) []byte { return many(n, opI32Const, 0, opDrop) } // two units each
	for _, tt := range []struct {
		name string
		f    testFunction
		args []uint64
		want int64 // beside the entry
	}{
		{name: "empty", want: 0},
		{name: "straight", f: testFunction{body: nops(10)}, want: 20},
		{name: "loop", f: countDown(), args: []uint64{100}, want: 600},
		{name: "division", f: testFunction{body: []byte{opI32Const, 1, opI32Const, 1, 0x6d, opDrop}}, want: 1 + 1 + 8 + 1},
		{name: "import", f: testFunction{body: []byte{opCall, 0}}, want: costPlain + costImport},
		{name: "call", f: testFunction{body: []byte{opCall, 2}}, want: costPlain + costEntry},
		{
			name: "indirect call", want: 1 + costIndirect + costEntry,
			f: testFunction{body: []byte{opI32Const, 2, 0x11, 0, 0}},
		},
		{
			name: "both arms are paid up to the slack", want: 22 + 40,
			f: testFunction{body: slices.Concat([]byte{opI32Const, 0, opIf, emptyType}, nops(10), []byte{opElse}, nops(20), []byte{opEnd})},
		},
		{
			name: "only the arm that runs beyond the slack", want: 2 + 400,
			f: testFunction{body: slices.Concat([]byte{opI32Const, 0, opIf, emptyType}, nops(100), []byte{opElse}, nops(200), []byte{opEnd})},
		},
		{
			name: "nothing behind a branch beyond the slack", want: 1,
			f: testFunction{body: slices.Concat([]byte{opBlock, emptyType, opBr, 0}, nops(100), []byte{opEnd})},
		},
		{
			name: "what follows a block is paid with what precedes it", want: 2 + 60 + 1 + 20,
			f: testFunction{body: slices.Concat([]byte{opBlock, emptyType, opI32Const, 0, opBrIf, 0}, nops(30), []byte{opBr, 0, opEnd}, nops(10))},
		},
		{name: "memory.grow", f: testFunction{body: []byte{opI32Const, 0, opMemoryGrow, 0, opDrop}}, want: 2 + costGrow},
		{
			name: "memory.fill of a constant length", want: 3 + costBulk + 100,
			f: testFunction{body: []byte{opI32Const, 0, opI32Const, 0, opI32Const, 0xc0, 0x0c, opMisc, 0x0b, 0}}, // 1,600
		},
		{
			name: "memory.fill", f: testFunction{params: tI32, body: []byte{opI32Const, 0, opI32Const, 0, opLocalGet, 0, opMisc, 0x0b, 0}},
			args: []uint64{65536}, want: 3 + costBulk + 4096,
		},
		{
			name: "memory.copy", args: []uint64{32768}, want: 3 + costBulk + 2048,
			f: testFunction{params: tI32, body: []byte{opI32Const, 0, opI32Const, 0, opLocalGet, 0, opMisc, 0x0a, 0, 0}},
		},
		{
			name: "table.grow", args: []uint64{1000}, want: 3 + costGrow + 1000,
			f: testFunction{params: tI32, body: []byte{opRefNull, funcrefType, opLocalGet, 0, opMisc, 0x0f, 0, opDrop}},
		},
		{
			name: "table.fill", args: []uint64{3}, want: 3 + costBulk + 3,
			f: testFunction{params: tI32, body: []byte{opI32Const, 0, opRefNull, funcrefType, opLocalGet, 0, opMisc, 0x11, 0}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.f.name = "f"
			p := program{
				imports: []testFunction{{name: "h"}}, functions: []testFunction{tt.f, {name: "empty"}}, pages: []byte{1, 1}, table: 3,
			}
			g := start(t, rewrite(t, p.bytes(), Options{}))
			for range 3 {
				const units = 1_000_000
				g.give(units)
				g.must(t, "f", tt.args...)
				if got, want := units-g.left(), tt.want+costEntry+tt.f.slots(); got != want {
					t.Errorf("used %d units, want %d", got, want)
				}
			}
		})
	}
}

func TestBudgetIsExact(t *testing.T) {
	for _, slice := range []int64{1, 7, 100, 0} {
		g := start(t, rewrite(t, program{functions: []testFunction{countDown()}}.bytes(), Options{Slice: slice}))
		need := costEntry + countDown().slots() + 6*100_000
		g.give(need)
		if g.must(t, "count", 100_000); g.left() != 0 {
			t.Errorf("slice %d: %d units are left, want none", slice, g.left())
		}
		g.give(need - 1)
		_, failure := g.call(t, "count", 100_000)
		if failure != "wasm error: unreachable" || int64(g.budget.Get()) >= 0 {
			t.Errorf("slice %d: %q, budget %d", slice, failure, int64(g.budget.Get()))
		}
		if _, failure = g.call(t, "count", 1); failure == "" {
			t.Errorf("slice %d: a call without a budget was made", slice)
		}
		g.give(need)
		g.must(t, "count", 100_000)
	}
}

func TestStop(t *testing.T) {
	g := start(t, rewrite(t, program{functions: []testFunction{countDown()}}.bytes(), Options{}))
	g.stop.Set(1)
	g.must(t, "count", 100) // within the slice
	_, failure := g.call(t, "count", 100_000)
	if failure != "wasm error: unreachable" || int64(g.budget.Get()) < 0 {
		t.Errorf("%q, budget %d", failure, int64(g.budget.Get()))
	}
	g.give(plenty)
	g.must(t, "count", 100_000)
}

func TestStart(t *testing.T) {
	f := spin()
	wasm := rewrite(t, program{functions: []testFunction{f}, start: true}.bytes(), Options{Budget: 1_000_000})
	if _, err := newRuntime(t).Instantiate(t.Context(), wasm); !strings.Contains(firstLine(err), "unreachable") {
		t.Errorf("an endless start function: %v", err)
	}
}

func TestInitialGlobals(t *testing.T) {
	for _, tt := range []struct {
		o            Options
		fuel, budget int64
	}{
		{Options{}, 50_000, 1<<28 - 50_000},
		{Options{Budget: 10}, 10, 0},
		{Options{Budget: 10, Slice: 3}, 3, 7},
	} {
		g := start(t, rewrite(t, program{}.bytes(), tt.o))
		if fuel, budget := int64(g.fuel.Get()), int64(g.budget.Get()); fuel != tt.fuel || budget != tt.budget {
			t.Errorf("%+v: fuel %d, budget %d", tt.o, fuel, budget)
		}
	}
	for _, o := range []Options{{Budget: -1}, {Slice: -1}} {
		if _, _, err := Rewrite(program{}.bytes(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestInfo(t *testing.T) {
	f := testFunction{name: "f", params: tI32, body: slices.Concat(
		bytes.Repeat([]byte{opI32Const, 0, opDrop}, 100),
		[]byte{opLocalGet, 0, opIf, emptyType}, bytes.Repeat([]byte{opI32Const, 0, opDrop}, 100), []byte{opEnd},
		[]byte{opI32Const, 0, opI32Const, 0, opLocalGet, 0, opMisc, 0x0b, 0},
	)}
	debug := append([]byte{0, 13, 11}, ".debug_infox"...)
	p := program{functions: []testFunction{countDown(), f}, pages: []byte{1, 1}, start: false, sections: debug}
	_, got, err := Rewrite(p.bytes(), Options{})
	want := Info{
		Functions: 2, Loops: 1, Checks: 3, Tolls: 2, Bulk: 1, HasMemory: true, Dropped: len(debug),
		Cost: costEntry + 1 + 6 + costEntry + 1 + 202 + 200 + 19, LargestRun: costEntry + 1 + 202 + 200 + 19,
	}
	if err != nil || got != want {
		t.Errorf("Rewrite: %+v, %v, want %+v", got, err, want)
	}
	p = program{functions: []testFunction{spin()}, start: true}
	if _, got, _ = Rewrite(p.bytes(), Options{}); got.HasMemory || !got.HasStart {
		t.Errorf("Rewrite: %+v", got)
	}
}

func TestNamesStayRight(t *testing.T) {
	names := append([]byte{0, 14, 4}, "name"...)
	names = append(names, 1, 7, 1, 1, 4)
	names = append(names, "fall"...)
	f := testFunction{name: "f", body: []byte{opUnreachable}}
	wasm := program{imports: []testFunction{{name: "h"}}, functions: []testFunction{f}, sections: names}.bytes()
	_, err := start(t, rewrite(t, wasm, Options{})).ExportedFunction("f").Call(t.Context())
	if err == nil || !strings.Contains(err.Error(), ".fall()") {
		t.Errorf("error %v does not name the function", err)
	}
}

func TestModuleIsNotChanged(t *testing.T) {
	wasm := program{functions: []testFunction{countDown()}}.bytes()
	before := slices.Clone(wasm)
	a, b := rewrite(t, wasm, Options{}), rewrite(t, wasm, Options{})
	if !bytes.Equal(wasm, before) {
		t.Error("the module was changed")
	}
	if !bytes.Equal(a, b) {
		t.Error("two rewrites differ")
	}
}

func TestRefusals(t *testing.T) {
	code := func(body ...byte) []byte {
		return program{imports: []testFunction{{name: "h"}}, functions: []testFunction{{name: "f", body: body}}, globals: 2}.bytes()
	}
	sections := func(b ...byte) []byte { return append([]byte(header), b...) }
	for _, tt := range []struct {
		name   string
		wasm   []byte
		reason string
		inCode bool
	}{
		{"nothing", nil, "not a core module", false},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "not a core module", false},
		{"exceptions: throw", code(0x08, 0), "exception handling", true},
		{"exceptions: try", code(0x06, 0x40, 0x0b), "exception handling", true},
		{"exceptions: try_table", code(0x1f, 0x40, 0, 0x0b), "exception handling", true},
		{"exceptions: tags", sections(13, 1, 0), "exception handling", false},
		{"exceptions: block of exnref", code(opBlock, 0x69, opEnd), "exception handling", true},
		{"threads: instruction", code(0xfe, 0x03, 0), "threads", true},
		{"threads: memory", sections(5, 4, 1, 3, 1, 1), "threads", false},
		{"garbage collection: instruction", code(0xfb, 0), "garbage collected types", true},
		{"garbage collection: types", sections(1, 3, 1, 0x5f, 0), "only functions", false},
		{"typed references: call_ref", code(0x14, 0), "typed references", true},
		{"typed references: local", sections(1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 7, 1, 5, 1, 1, 0x63, 0x70, opEnd), "typed references", true},
		{"relaxed vectors", code(opVector, 0x80, 2), "relaxed", true},
		{"unknown vector instruction", code(opVector, 0x9a, 1), "0xfd9a: not known", true},
		{"64-bit memory", sections(5, 3, 1, 4, 1), "64-bit", false},
		{"two memories", sections(5, 5, 2, 0, 1, 0, 1), "more than one memory", false},
		{"trailing byte", append(code(), 0), "is cut short", false},
		{"unknown instruction", code(0xff), "instruction 0xff: not known", true},
		{"unknown misc instruction", code(opMisc, 0x12), "0xfc12: not known", true},
		{"unknown section", sections(14, 0), "section 14 is not known", false},
		{"section twice", sections(1, 1, 0, 1, 1, 0), "twice", false},
		{"section in the wrong place", sections(3, 1, 0, 1, 1, 0), "wrong place", false},
		{"section with more than its entries", sections(1, 2, 0, 0), "follows the last entry", false},
		{"more entries than fit", sections(1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f), "do not fit", false},
		{"memory without one", code(opI32Const, 0, 0x28, 0, 0, opDrop), "module has none", true},
		{"memory.size without one", code(0x3f, 0, opDrop), "module has none", true},
		{"data without a memory", sections(11, 6, 1, 0, opI32Const, 0, opEnd, 0), "module has none", false},
		{"the meter's globals", code(opI64Const, 9, opGlobalSet, 2), "global 2 is used: there are 2", true},
		{"the meter's local", code(opLoop, emptyType, opI64Const, 9, opLocalSet, 0, opEnd), "local 0 is used: there are 0", true},
		{"the meter's functions", code(opCall, 2), "function 2 is used: there are 2", true},
		{"the meter's types", code(opBlock, 2, opEnd), "type 2 is used: there are 2", true},
		{"a reference to the meter's function", code(opRefFunc, 2, opDrop), "function 2 is used", true},
		{"export of the meter's globals", sections(7, 5, 1, 1, 'x', 3, 0), "global 0 is used: there are 0", false},
		{"start of the meter's function", sections(8, 1, 0), "function 0 is used: there are 0", false},
		{"code after the end", code(opEnd, 1), "code follows the end", true},
		{"function without an end", sections(1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 4, 1, 2, 0, 1), "cut short", true},
		{"body without a type", sections(10, 4, 1, 2, 0, opEnd), "0 functions have a type, 1 a body", false},
		{"type without a body", sections(1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0), "1 functions have a type, 0 a body", false},
		{"metered already", nil, "metered already", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.reason == "metered already" {
				tt.wasm = rewrite(t, program{}.bytes(), Options{})
			}
			_, _, err := Rewrite(tt.wasm, Options{})
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Reason, tt.reason) {
				t.Fatalf("Rewrite: %v, want %q", err, tt.reason)
			}
			if in := e.Function >= 0; in != tt.inCode {
				t.Errorf("error %v: function %d", err, e.Function)
			}
			if e.Offset < 0 || e.Offset > len(tt.wasm) {
				t.Errorf("error %v: offset %d of %d", err, e.Offset, len(tt.wasm))
			}
		})
	}
}

func TestTruncated(t *testing.T) {
	wasm := program{
		imports: []testFunction{{name: "h", params: tI32}}, functions: []testFunction{countDown(), spin()},
		pages: []byte{1, 2}, table: 2, globals: 3,
	}.bytes()
	for n := range wasm {
		out, _, err := Rewrite(wasm[:n], Options{})
		if err == nil {
			if _, err = newRuntime(t).CompileModule(t.Context(), wasm[:n]); err != nil {
				continue
			}
			if _, err = newRuntime(t).CompileModule(t.Context(), out); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
}
