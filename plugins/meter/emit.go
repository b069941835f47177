package meter

import "encoding/binary"

// The meter's own parts stand behind those of the module. Types:
const (
	typeRefuel = iota // no parameters or results
	typeCharge        // an i32 that is returned
	addedTypes
)

// Functions:
const (
	functionRefuel   = iota // moves a slice from budget to fuel
	functionBytes           // charges for a length in bytes, which it returns
	functionElements        // the same in elements of a table
	addedFunctions
)

// Globals:
const (
	globalFuel = iota
	globalBudget
	globalStop
	addedGlobals
)

// emitter writes a metered module.
type emitter struct {
	*module
	Options
	out []byte
}

// emit returns the metered module.
func (m *module) emit(o Options) []byte {
	e := &emitter{module: m, Options: o}
	const siteSize, rest = 32, 1024
	e.out = make([]byte, 0, len(m.wasm)-m.info.Dropped+siteSize*len(m.sites)+5*len(m.functions)+rest)
	e.out = append(e.out, header...)
	missing := []byte{sectionType, sectionFunction, sectionMemory, sectionGlobal, sectionExport, sectionCode}
	for _, s := range m.sections {
		for s.id != sectionCustom && len(missing) > 0 && place(missing[0]) <= place(s.id) {
			if missing[0] != s.id {
				e.section(section{id: missing[0]})
			}
			missing = missing[1:]
		}
		e.section(s)
	}
	for _, id := range missing {
		e.section(section{id: id})
	}
	return e.out
}

// section writes a section with what the meter adds to it.
func (e *emitter) section(s section) {
	if s.id == sectionCode {
		e.code(s)
		return
	}
	added, entries := e.added(s.id)
	if added == 0 {
		if s.end > 0 {
			e.out = append(e.out, e.wasm[s.start:s.end]...)
		}
		return
	}
	e.out = append(e.out, s.id)
	count := uint64(s.count) + added
	e.u(uint64(uSize(count) + s.end - s.entries + len(entries)))
	e.u(count)
	e.out = append(e.out, e.wasm[s.entries:s.end]...)
	e.out = append(e.out, entries...)
}

// added returns what the meter adds to a section.
func (e *emitter) added(id byte) (count uint64, entries []byte) {
	switch id {
	case sectionType:
		return addedTypes, []byte{functionForm, 0, 0, functionForm, 1, i32Type, 1, i32Type}
	case sectionFunction:
		refuel, charge := uint64(e.types)+typeRefuel, uint64(e.types)+typeCharge
		for _, t := range [addedFunctions]uint64{functionRefuel: refuel, functionBytes: charge, functionElements: charge} {
			entries = binary.AppendUvarint(entries, t)
		}
		return addedFunctions, entries
	case sectionMemory:
		if e.info.HasMemory {
			return 0, nil
		}
		return 1, []byte{1, 0, 0} // at most no pages
	case sectionGlobal:
		a := &assembler{}
		fuel := min(e.Budget, e.Slice)
		a.raw(i64Type, 1).i64(fuel).raw(opEnd)
		a.raw(i64Type, 1).i64(e.Budget - fuel).raw(opEnd)
		a.raw(i32Type, 1).i32(0).raw(opEnd)
		return addedGlobals, a.b
	case sectionExport:
		for i, name := range [addedGlobals]string{globalFuel: FuelGlobal, globalBudget: BudgetGlobal, globalStop: StopGlobal} {
			entries = binary.AppendUvarint(entries, uint64(len(name)))
			entries = append(append(entries, name...), kindGlobal)
			entries = binary.AppendUvarint(entries, e.global(uint64(i)))
		}
		return addedGlobals, entries
	}
	return 0, nil
}

// global returns the index of one of the meter's globals.
func (e *emitter) global(i uint64) uint64 { return uint64(e.globals) + i }

// meterFunction returns the index of one of the meter's functions.
func (e *emitter) meterFunction(i uint64) uint64 { return uint64(e.functionCount()) + i }

// code writes the code section.
func (e *emitter) code(s section) {
	c := e.charges()
	helpers := [addedFunctions][]byte{
		functionRefuel: e.refuel(), functionBytes: e.charge(4, c), functionElements: e.charge(0, c),
	}
	count := uint64(s.count) + addedFunctions
	size := uSize(count)
	for i := range e.functions {
		f := &e.functions[i]
		for _, site := range e.sites[e.firstSite(i):f.sites] {
			f.grown += c.size(site)
		}
		body := f.end - f.start + f.grown
		size += uSize(uint64(body)) + body
	}
	for _, h := range helpers {
		size += uSize(uint64(len(h))) + len(h)
	}
	e.out = append(e.out, sectionCode)
	e.u(uint64(size))
	e.u(count)
	for i, f := range e.functions {
		e.function(f, e.sites[e.firstSite(i):f.sites], c)
	}
	for _, h := range helpers {
		e.u(uint64(len(h)))
		e.out = append(e.out, h...)
	}
}

// firstSite returns the first site of the i-th function.
func (e *emitter) firstSite(i int) int {
	if i == 0 {
		return 0
	}
	return e.functions[i-1].sites
}

// function writes one with its sites.
func (e *emitter) function(f function, sites []site, c *charges) {
	e.u(uint64(f.end - f.start + f.grown))
	at := f.start
	for _, s := range sites {
		e.out = append(e.out, e.wasm[at:s.at]...)
		at = s.at
		e.out = c.append(e.out, s)
	}
	e.out = append(e.out, e.wasm[at:f.end]...)
}

// u writes an unsigned number.
func (e *emitter) u(v uint64) { e.out = binary.AppendUvarint(e.out, v) }

// uSize returns the length of an unsigned number.
func uSize(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// charges is what is written at sites, in parts.
type charges struct {
	before          []byte // a cost
	check, toll     []byte // after it
	bytes, elements []byte
}

func (e *emitter) charges() *charges {
	fuel := e.global(globalFuel)
	before := (&assembler{}).op(opGlobalGet, fuel).raw(opI64Const)
	toll := (&assembler{}).raw(opI64Sub).op(opGlobalSet, fuel)
	check := (&assembler{}).raw(toll.b...).
		op(opGlobalGet, fuel).i64(0).raw(opI64LtS, opIf, emptyType).op(opCall, e.meterFunction(functionRefuel)).raw(opEnd)
	return &charges{
		before: before.b, check: check.b, toll: toll.b,
		bytes:    (&assembler{}).op(opCall, e.meterFunction(functionBytes)).b,
		elements: (&assembler{}).op(opCall, e.meterFunction(functionElements)).b,
	}
}

// size returns how many bytes append writes.
func (c *charges) size(s site) int {
	switch s.kind {
	case siteCheck:
		return len(c.before) + sSize(s.cost) + len(c.check)
	case siteToll:
		return len(c.before) + sSize(s.cost) + len(c.toll)
	case siteBytes:
		return len(c.bytes)
	default:
		return len(c.elements)
	}
}

// append writes what charges at a site.
func (c *charges) append(b []byte, s site) []byte {
	switch s.kind {
	case siteCheck:
		return append(appendSigned(append(b, c.before...), s.cost), c.check...)
	case siteToll:
		return append(appendSigned(append(b, c.before...), s.cost), c.toll...)
	case siteBytes:
		return append(b, c.bytes...)
	default:
		return append(b, c.elements...)
	}
}

// refuel returns the function that is called when fuel is below 0.
func (e *emitter) refuel() []byte {
	fuel, budget, stop := e.global(globalFuel), e.global(globalBudget), e.global(globalStop)
	a := (&assembler{}).raw(0)                                         // no locals
	a.i32(0).raw(opMemoryGrow, 0, opDrop)                              // enters Go
	a.op(opGlobalGet, stop).raw(opIf, emptyType, opUnreachable, opEnd) // told to stop
	a.op(opGlobalGet, budget).op(opGlobalGet, fuel).raw(opI64Add)      // the budget pays what is owed
	a.op(opGlobalSet, budget).i64(0).op(opGlobalSet, fuel)             //
	a.op(opGlobalGet, budget).i64(0).raw(opI64LtS)                     // and if it can't
	a.raw(opIf, emptyType, opUnreachable, opEnd)                       // that is the end
	a.op(opGlobalGet, budget).i64(e.Slice)                             // or else gives the lesser
	a.op(opGlobalGet, budget).i64(e.Slice).raw(opI64LtS, opSelect)     // of all it has and a slice
	a.op(opGlobalSet, fuel)                                            //
	a.op(opGlobalGet, budget).op(opGlobalGet, fuel).raw(opI64Sub)      //
	return a.op(opGlobalSet, budget).raw(opEnd).b
}

// charge returns a function that charges its parameter, shifted right, and returns it.
func (e *emitter) charge(shift int64, c *charges) []byte {
	a := (&assembler{}).raw(0) // no locals
	a.op(opGlobalGet, e.global(globalFuel)).op(opLocalGet, 0).raw(opI64ExtendU).i64(shift).raw(opI64ShrU)
	return a.raw(c.check...).op(opLocalGet, 0).raw(opEnd).b
}

// assembler writes instructions. Its methods return it.
type assembler struct{ b []byte }

func (a *assembler) raw(b ...byte) *assembler {
	a.b = append(a.b, b...)
	return a
}

func (a *assembler) op(op byte, index uint64) *assembler {
	a.b = binary.AppendUvarint(append(a.b, op), index)
	return a
}

func (a *assembler) i32(v int32) *assembler {
	a.b = appendSigned(append(a.b, opI32Const), int64(v))
	return a
}

func (a *assembler) i64(v int64) *assembler {
	a.b = appendSigned(append(a.b, opI64Const), v)
	return a
}

// appendSigned appends a signed number.
func appendSigned(b []byte, v int64) []byte {
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if v == 0 && low&0x40 == 0 || v == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}

// sSize returns the length of a signed number.
func sSize(v int64) int {
	n := 1
	for ; v < -0x40 || v >= 0x40; v >>= 7 {
		n++
	}
	return n
}
