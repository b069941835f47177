package meter

import (
	"math/rand/v2"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

// generator writes random functions that are valid and end: every loop counts down a local of its own, and functions only
// call those behind them.
type generator struct {
	*rand.Rand
	b         []byte
	self, all int      // the function that is written, of how many
	labels    []string // for each open block, the types that a branch to it takes
	loops     int      // open ones
	counter   byte     // the next local to count loops with
	size      int      // instructions still to be written
}

const (
	genParams   = tI32 + tI64
	genCounters = 6
	genLocals   = tI32 + tI32 + tI64 + tI64 + tI32 + tI32 + tI32 + tI32 + tI32 + tI32 // the last genCounters count
	genFirst    = 2 + 4                                                               // the first counter
	genPages    = 2
	genGlobals  = 2
)

func (g *generator) emit(b ...byte) { g.b = append(g.b, b...) }

// pick writes one of several.
func (g *generator) pick(ops ...byte) { g.emit(ops[g.IntN(len(ops))]) }

// value writes an expression of a type.
func (g *generator) value(typ byte, depth int) {
	g.size--
	if depth == 0 || g.size < 0 {
		g.leaf(typ)
		return
	}
	if typ == i32Type {
		g.i32Value(depth - 1)
	} else {
		g.i64Value(depth - 1)
	}
}

func (g *generator) leaf(typ byte) {
	if typ == i32Type {
		switch g.IntN(4) {
		case 0:
			g.b = appendSigned(append(g.b, opI32Const), int64(int32(g.Uint32()>>g.IntN(32))))
		default:
			g.emit(opLocalGet)
			g.pick(0, 2, 3)
		}
		return
	}
	switch g.IntN(4) {
	case 0:
		g.b = appendSigned(append(g.b, opI64Const), int64(g.Uint64()>>g.IntN(64)))
	case 1:
		g.emit(opGlobalGet, byte(g.IntN(genGlobals)))
	default:
		g.emit(opLocalGet)
		g.pick(1, 4, 5)
	}
}

func (g *generator) i32Value(depth int) {
	switch g.IntN(10) {
	case 0, 1, 2: // arithmetic, with divisions that may trap
		g.value(i32Type, depth)
		g.value(i32Type, depth)
		g.pick(0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x6a, 0x6b, 0x6e, 0x46, 0x48, 0x4d)
	case 3:
		g.value(i64Type, depth)
		g.emit(0xa7) // i32.wrap_i64
	case 4:
		g.value(i64Type, depth)
		g.value(i64Type, depth)
		g.pick(0x51, 0x53, 0x56, 0x5a)
	case 5: // load within the memory
		g.address(depth)
		g.emit(0x2d, 0, byte(g.IntN(100)))
	case 6:
		g.value(i32Type, depth)
		g.pick(0x45, 0x67, 0x69, 0xc0)
	case 7: // a choice
		g.value(i32Type, depth)
		g.emit(opIf, i32Type)
		g.open(tI32)
		g.value(i32Type, depth)
		g.emit(opElse)
		g.value(i32Type, depth)
		g.close()
	case 8: // a block with a way out
		g.emit(opBlock, i32Type)
		g.open(tI32)
		g.value(i32Type, depth)
		g.value(i32Type, depth)
		g.emit(opBrIf, 0)
		g.close()
	default:
		g.emit(0x3f, 0) // memory.size
	}
}

func (g *generator) i64Value(depth int) {
	switch g.IntN(7) {
	case 0, 1, 2:
		g.value(i64Type, depth)
		g.value(i64Type, depth)
		g.pick(0x7c, 0x7d, 0x7e, 0x83, 0x84, 0x85, 0x86, 0x89, 0x80)
	case 3:
		g.value(i32Type, depth)
		g.pick(0xac, 0xad)
	case 4:
		g.address(depth)
		g.emit(0x29, 0, byte(g.IntN(100)))
	case 5:
		g.value(i64Type, depth)
		g.value(i64Type, depth)
		g.value(i32Type, depth)
		g.emit(opSelect)
	default:
		g.call(depth)
	}
}

// address writes an address well inside of the memory.
func (g *generator) address(depth int) {
	g.value(i32Type, depth)
	g.emit(opI32Const, 0xff, 0xff, 0x01, 0x71) // and 32767
}

// call writes a call of a function behind this one, or what it would return.
func (g *generator) call(depth int) {
	if g.self+1 >= g.all || g.loops > 1 {
		g.leaf(i64Type)
		return
	}
	g.value(i32Type, depth)
	g.value(i64Type, depth)
	callee := g.self + 1 + g.IntN(g.all-g.self-1)
	if g.IntN(3) == 0 {
		g.emit(opI32Const, byte(callee), 0x11, byte(callee), 0)
	} else {
		g.emit(opCall, byte(callee))
	}
}

func (g *generator) open(types string) { g.labels = append(g.labels, types) }

func (g *generator) close() {
	g.emit(opEnd)
	g.labels = g.labels[:len(g.labels)-1]
}

// statements writes some, which leave nothing on the stack.
func (g *generator) statements(depth int) {
	for range 1 + g.IntN(6) {
		if g.size <= 0 {
			return
		}
		g.statement(depth)
	}
}

func (g *generator) statement(depth int) {
	g.size--
	if depth == 0 {
		g.assign()
		return
	}
	switch g.IntN(12) {
	case 0:
		g.emit(opBlock, emptyType)
		g.open("")
		g.statements(depth - 1)
		g.close()
	case 1, 2:
		g.value(i32Type, 3)
		g.emit(opIf, emptyType)
		g.open("")
		g.statements(depth - 1)
		if g.IntN(2) == 0 {
			g.emit(opElse)
			g.statements(depth - 1)
		}
		g.close()
	case 3, 4:
		g.loop(depth - 1)
	case 5:
		g.branch()
	case 6:
		g.table()
	case 7:
		g.bulk()
	case 8: // loop with parameters and results, which ends at once
		g.value(i32Type, 2)
		g.value(i64Type, 2)
		g.emit(opLoop, byte(g.all)) // the type (i32, i64) -> i64
		g.labels = append(g.labels, "x")
		g.emit(opLocalSet, 4, opLocalSet, 2)
		g.statements(depth - 1)
		g.value(i64Type, 2)
		g.close()
		g.emit(opLocalSet, 5)
	default:
		g.assign()
	}
}

func (g *generator) assign() {
	switch g.IntN(5) {
	case 0:
		g.value(i64Type, 4)
		g.emit(opGlobalSet, byte(g.IntN(genGlobals)))
	case 1:
		g.address(2)
		g.value(i64Type, 3)
		g.emit(0x37, 0, byte(g.IntN(100)))
	case 2, 3:
		g.value(i32Type, 4)
		g.emit(opLocalSet)
		g.pick(2, 3)
	default:
		g.value(i64Type, 4)
		g.emit(opLocalSet)
		g.pick(4, 5)
	}
}

// loop writes one that runs up to seven times.
func (g *generator) loop(depth int) {
	if g.counter == genCounters {
		g.assign()
		return
	}
	local := genFirst + g.counter
	g.counter++
	g.loops++
	g.value(i32Type, 2)
	g.emit(opI32Const, 7, 0x71, opLocalSet, local) // and
	g.emit(opLoop, emptyType)
	g.labels = append(g.labels, "x") // nothing but what follows branches there
	g.statements(depth)
	g.emit(opLocalGet, local, opI32Const, 1, opI32Sub, opLocalTee, local, opI32Const, 0, 0x4a, opBrIf, 0) // gt_s
	g.close()
	g.loops--
}

// targets returns the blocks that a branch without operands may leave.
func (g *generator) targets() []byte {
	var t []byte
	for i, types := range g.labels {
		if types == "" {
			t = append(t, byte(len(g.labels)-1-i))
		}
	}
	return t
}

// branch writes one that may be taken.
func (g *generator) branch() {
	if t := g.targets(); len(t) > 0 {
		g.value(i32Type, 3)
		g.emit(opBrIf, t[g.IntN(len(t))])
	}
}

// table writes a br_table to blocks of its own, each with a continuation.
func (g *generator) table() {
	n := 2 + g.IntN(4)
	for range n {
		g.emit(opBlock, emptyType)
		g.open("")
	}
	g.value(i32Type, 2)
	g.emit(0x0e, byte(n-1))
	for i := range n {
		g.emit(byte(i))
	}
	for range n {
		g.close()
		g.assign()
	}
}

func (g *generator) bulk() {
	switch g.IntN(4) {
	case 0:
		g.address(1)
		g.value(i32Type, 1)
		g.address(1)
		g.emit(opMisc, 0x0b, 0)
	case 1:
		g.address(1)
		g.address(1)
		g.emit(opI32Const, 40, opMisc, 0x0a, 0, 0)
	case 2:
		g.address(1)
		g.address(1)
		g.address(1)
		g.emit(opMisc, 0x0a, 0, 0)
	default:
		g.emit(opI32Const, 1, opMemoryGrow, 0, opLocalSet, 3)
	}
}

// randomProgram returns a module whose functions take an i32 and an i64 and return an i64.
func randomProgram(r *rand.Rand) []byte {
	p := program{pages: []byte{genPages, 4}, globals: genGlobals}
	n := 1 + r.IntN(6)
	for i := range n {
		g := &generator{Rand: r, self: i, all: n, size: 20 + r.IntN(150)}
		for g.size > 0 {
			g.statements(4)
		}
		g.value(i64Type, 3)
		p.functions = append(p.functions, testFunction{
			name: string(rune('a' + i)), params: genParams, results: tI64, locals: genLocals, body: g.b,
		})
	}
	p.table = byte(n)
	p.functions = append(p.functions, testFunction{name: "type", params: genParams, results: tI64, body: []byte{opLocalGet, 1}})
	return p.bytes()
}

// TestRandomPrograms runs random modules without the meter, with it, and with one that pays for every run by itself.
func TestRandomPrograms(t *testing.T) {
	rounds := uint64(200)
	if testing.Short() {
		rounds = 20
	}
	var calls, traps int
	var paid, ran int64
	for seed := range rounds {
		r := rand.New(rand.NewPCG(seed, 0))
		wasm := randomProgram(r)
		o := Options{Slice: 1 + int64(r.IntN(1000)), Budget: plenty}
		metered, info, err := Rewrite(wasm, o)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		precise, _, err := rewriteWith(&module{wasm: wasm}, o)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		a, b, c, d := start(t, wasm), start(t, metered), start(t, metered), start(t, precise)
		for range 10 {
			name := string(rune('a' + r.IntN(info.Functions-1)))
			args := []uint64{uint64(r.Uint32()), r.Uint64()}
			for _, g := range []*guest{b, c, d} {
				g.give(plenty)
			}
			same(t, a, b, name, args...)
			c.call(t, name, args...)
			if b.left() != c.left() {
				t.Fatalf("seed %d: %d and %d units are left after the same calls", seed, b.left(), c.left())
			}
			if _, failure := d.call(t, name, args...); failure != "" {
				traps++
			}
			calls++
			paid += plenty - b.left()
			ran += plenty - d.left()
			if b.left() > d.left() {
				t.Fatalf("seed %d: %s%v paid %d units for %d", seed, name, args, plenty-b.left(), plenty-d.left())
			}
		}
		sameMemory(t, a, b)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d calls of which %d trapped: paid %d units for %d", calls, traps, paid, ran)
	if traps > calls/2 {
		t.Errorf("%d of %d calls trapped: they say little", traps, calls)
	}
}

// TestMutatedPrograms changes a few bytes of random modules: what the runtime then takes or refuses, it must take or refuse
// metered, unless the meter refuses it first.
func TestMutatedPrograms(t *testing.T) {
	rounds := uint64(6000)
	if testing.Short() {
		rounds = 200
	}
	runtime := newRuntime(t)
	var refused, invalid int
	for seed := range rounds {
		r := rand.New(rand.NewPCG(seed, 2))
		wasm := randomProgram(r)
		for range 1 + r.IntN(3) {
			wasm[8+r.IntN(len(wasm)-8)] ^= 1 << r.IntN(8)
		}
		out, _, err := Rewrite(wasm, Options{})
		if err != nil {
			refused++
			if _, perr := hostabi.ParseModule(wasm); perr == nil {
				if _, cerr := runtime.CompileModule(t.Context(), wasm); cerr == nil {
					t.Errorf("seed %d: %v, but the runtime takes it", seed, err)
				}
			}
			continue
		}
		if _, err := hostabi.ParseModule(wasm); err != nil {
			continue // may make the runtime allocate more than it should
		}
		if _, err := hostabi.ParseModule(out); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		_, before := runtime.CompileModule(t.Context(), wasm)
		_, after := runtime.CompileModule(t.Context(), out)
		if (before == nil) != (after == nil) {
			t.Errorf("seed %d: %v metered, %v plain", seed, after, before)
		}
		if before != nil {
			invalid++
		}
	}
	t.Logf("%d modules: %d refused by the meter, %d more by the runtime", rounds, refused, invalid)
}
