package meter

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Types that are added. What the meter adds stands behind what the module has.
const (
	typeRefuel = iota // no parameters or results
	typeCharge        // an i32 that is returned
	addedTypes
)

// Functions that are added.
const (
	functionRefuel   = iota // moves a slice from budget to fuel
	functionBytes           // charges for a length in bytes, which it returns
	functionElements        // the same in elements of a table
	addedFunctions
)

// Globals that are added.
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
		refuel, charge := uint64(e.types())+typeRefuel, uint64(e.types())+typeCharge
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
	const siteSize = 32
	b := make([]byte, 0, s.end-s.start+siteSize*len(e.sites)+8*len(e.functions)+256)
	b = binary.AppendUvarint(b, uint64(s.count)+addedFunctions)
	var body []byte
	sites := e.sites
	done := 0
	for i := range e.functions {
		f := &e.functions[i]
		body = e.function(body[:0], f, sites[done:f.sites])
		done = f.sites
		b = append(binary.AppendUvarint(b, uint64(len(body))), body...)
	}
	for _, body := range [addedFunctions][]byte{
		functionRefuel: e.refuel(), functionBytes: e.charge(4), functionElements: e.charge(0),
	} {
		b = append(binary.AppendUvarint(b, uint64(len(body))), body...)
	}
	e.out = append(e.out, sectionCode)
	e.u(uint64(len(b)))
	e.out = append(e.out, b...)
}

// function appends one with its sites.
func (e *emitter) function(b []byte, f *function, sites []site) []byte {
	a := &assembler{b}
	at := f.start
	if e.copies(sites) {
		a.b = binary.AppendUvarint(a.b, uint64(f.groupCount)+1)
		a.raw(e.wasm[f.groups:f.code]...).raw(1, i64Type)
		at = f.code
	}
	copied := uint64(f.locals)
	for _, s := range sites {
		a.raw(e.wasm[at:s.at]...)
		at = int(s.at)
		e.site(a, s, copied)
	}
	return a.raw(e.wasm[at:f.end]...).b
}

// copies reports whether a function has loops that charge a copy of the fuel.
func (e *emitter) copies(sites []site) bool {
	return slices.ContainsFunc(sites, func(s site) bool { return e.quiet(s.loop) })
}

// site writes what stands at a site. copied is the local that is a copy of the fuel within loops without calls.
func (e *emitter) site(a *assembler, s site, copied uint64) {
	fuel, quiet := e.global(globalFuel), e.quiet(s.loop)
	switch s.kind {
	case siteCheck:
		e.check(a, s.cost, quiet, copied)
	case siteToll:
		e.subtract(a, s.cost, quiet, copied)
	case siteBytes, siteElements:
		f := uint64(functionBytes)
		if s.kind == siteElements {
			f = functionElements
		}
		a.op(opCall, e.meterFunction(f))
		if quiet {
			a.op(opGlobalGet, fuel).op(opLocalSet, copied)
		}
	case siteLoop:
		if !quiet && e.quiet(s.inner) {
			a.op(opGlobalGet, fuel).op(opLocalSet, copied)
		}
	}
}

// check writes what charges a cost and sees to fuel where there is none. It is written as a loop that is run again after
// fuel was found, with the cost added so that it is not charged twice, because the compiler then puts that part behind all
// else, and a guest with fuel goes straight on. An "if" would make it jump each time.
func (e *emitter) check(a *assembler, cost int64, quiet bool, copied uint64) {
	fuel := e.global(globalFuel)
	a.raw(opLoop, emptyType)
	e.subtract(a, cost, quiet, copied)
	if quiet {
		a.op(opLocalGet, copied)
	} else {
		a.op(opGlobalGet, fuel)
	}
	a.i64(0).raw(opI64GeS, opIf, emptyType, opElse).op(opCall, e.meterFunction(functionRefuel))
	a.op(opGlobalGet, fuel).i64(cost).raw(opI64Add)
	if quiet {
		a.op(opLocalTee, copied)
	}
	a.op(opGlobalSet, fuel).op(opBr, 1).raw(opEnd, opEnd)
}

// subtract writes what charges a cost.
func (e *emitter) subtract(a *assembler, cost int64, quiet bool, copied uint64) {
	fuel := e.global(globalFuel)
	if quiet {
		a.op(opLocalGet, copied).i64(cost).raw(opI64Sub).op(opLocalTee, copied).op(opGlobalSet, fuel)
		return
	}
	a.op(opGlobalGet, fuel).i64(cost).raw(opI64Sub).op(opGlobalSet, fuel)
}

// u writes an unsigned number.
func (e *emitter) u(v uint64) { e.out = binary.AppendUvarint(e.out, v) }

// uSize returns the length of an unsigned number.
func uSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

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
func (e *emitter) charge(shift int64) []byte {
	fuel := e.global(globalFuel)
	a := (&assembler{}).raw(0) // no locals
	a.op(opGlobalGet, fuel).op(opLocalGet, 0).raw(opI64ExtendU).i64(shift).raw(opI64ShrU, opI64Sub).op(opGlobalSet, fuel)
	e.check(a, 0, false, 0)
	return a.op(opLocalGet, 0).raw(opEnd).b
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
