package meter

import (
	"bytes"
	"strings"
)

// Sections.
const (
	sectionCustom   = 0
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionTable    = 4
	sectionMemory   = 5
	sectionGlobal   = 6
	sectionExport   = 7
	sectionStart    = 8
	sectionElement  = 9
	sectionCode     = 10
	sectionData     = 11
	sectionCount    = 12
	sectionTag      = 13
)

// Kinds of imports and exports.
const (
	kindFunction = 0
	kindTable    = 1
	kindMemory   = 2
	kindGlobal   = 3
	kindTag      = 4
)

const header = "\x00asm\x01\x00\x00\x00"

// section is a part of a module. Its entries are what follows their count, from entries to end.
type section struct {
	id           byte
	start, body  int // of the header, and of what follows it
	count        uint32
	entries, end int
}

// module is what is known of a module. It refers to its bytes.
type module struct {
	wasm     []byte
	slack    int64     // see defaultSlack
	sections []section // but for custom ones to be left out

	params            []uint32 // of each type
	importedFunctions uint32
	importedGlobals   uint32
	globals           uint32 // with imported ones
	memories          uint32
	bodies            []uint32 // their types

	functions []function
	sites     []site
	loops     []loop
	info      Info
}

// functionCount returns the number of functions, with imported ones.
func (m *module) functionCount() uint32 { return m.importedFunctions + uint32(len(m.bodies)) }

func (m *module) types() uint32 { return uint32(len(m.params)) }

// parse reads the module and finds the places to charge at.
func (m *module) parse() error {
	r := &reader{b: m.wasm, end: len(m.wasm), function: -1}
	if !bytes.HasPrefix(m.wasm, []byte(header)) {
		r.failAt(0, "not a core module of version 1")
		return r.err
	}
	r.at = len(header)
	for last := 0; r.at < r.end; {
		s := r.section()
		if r.err != nil {
			return r.err
		}
		if s.id != sectionCustom {
			if place(s.id) <= last {
				r.failAt(s.start, "section %d stands twice or in the wrong place", s.id)
				return r.err
			}
			last = place(s.id)
		}
		if err := m.parseSection(&s); err != nil {
			return err
		}
		r.at = s.end
	}
	if len(m.bodies) != len(m.functions) {
		r.failAt(r.end, "%d functions have a type, %d a body", len(m.bodies), len(m.functions))
	}
	return r.err
}

// place returns the place of a section among the others.
func place(id byte) int {
	switch id {
	case sectionCount:
		return 2*sectionElement + 1
	default:
		return 2 * int(id)
	}
}

// section reads the header of one.
func (r *reader) section() section {
	s := section{start: r.at}
	s.id = r.byte()
	if s.id > sectionTag {
		r.failAt(s.start, "section %d is not known", s.id)
	}
	if s.id == sectionTag {
		r.failAt(s.start, "section %d: exception handling is not supported", s.id)
	}
	size := r.u32()
	s.body = r.at
	r.skip(size)
	s.end = r.at
	return s
}

// parseSection reads one and keeps it.
func (m *module) parseSection(s *section) error {
	r := &reader{b: m.wasm, at: s.body, end: s.end, function: -1}
	if s.id == sectionCustom {
		if moved(string(r.name())) {
			m.info.Dropped += s.end - s.start
		} else {
			m.sections = append(m.sections, *s)
		}
		return r.err
	}
	m.sections = append(m.sections, *s)
	s = &m.sections[len(m.sections)-1]
	switch s.id {
	case sectionStart:
		r.index("function", m.functionCount())
		m.info.HasStart = true
	case sectionCount:
		r.u32()
	default:
		s.count = r.count("entries", 1)
		s.entries = r.at
		if s.id == sectionCode {
			return m.parseCode(r, s.count)
		}
		for range s.count {
			if r.err != nil {
				break
			}
			m.entry(r, s.id)
		}
	}
	if r.err == nil && r.at != s.end {
		r.failAt(r.at, "something follows the last entry of section %d", s.id)
	}
	return r.err
}

// moved reports whether a custom section holds positions of code.
func moved(name string) bool {
	return strings.HasPrefix(name, ".debug_") || strings.HasPrefix(name, "reloc.") ||
		strings.HasPrefix(name, "metadata.code.") || name == "linking" || name == "sourceMappingURL" ||
		name == "external_debug_info"
}

// entry reads one of a section's entries.
func (m *module) entry(r *reader, id byte) {
	switch id {
	case sectionType:
		m.addType(r)
	case sectionImport:
		m.addImport(r)
	case sectionFunction:
		m.bodies = append(m.bodies, r.index("type", m.types()))
	case sectionTable:
		r.table()
	case sectionMemory:
		r.limits()
		m.addMemory(r)
	case sectionGlobal:
		r.globalType()
		m.constant(r)
		m.globals++
	case sectionExport:
		m.export(r)
	case sectionElement:
		m.elements(r)
	case sectionData:
		m.data(r)
	}
}

func (m *module) addType(r *reader) {
	start := r.at
	if f := r.byte(); f != functionForm {
		r.failAt(start, "type form %#x is not supported: only functions are", f)
	}
	m.params = append(m.params, r.valueTypes())
	r.valueTypes() // results
}

// valueTypes reads several and returns how many.
func (r *reader) valueTypes() uint32 {
	n := r.count("value types", 1)
	for range n {
		r.valueType()
	}
	return n
}

func (m *module) addImport(r *reader) {
	r.name()
	r.name()
	start := r.at
	switch kind := r.byte(); kind {
	case kindFunction:
		r.index("type", m.types())
		m.importedFunctions++
	case kindTable:
		r.table()
	case kindMemory:
		r.limits()
		m.addMemory(r)
	case kindGlobal:
		r.globalType()
		m.importedGlobals++
		m.globals++
	case kindTag:
		r.failAt(start, "import of a tag: exception handling is not supported")
	default:
		r.failAt(start, "import of unknown kind %d", kind)
	}
}

func (m *module) addMemory(r *reader) {
	if m.memories++; m.memories > 1 {
		r.failAt(r.at, "more than one memory is not supported")
	}
	m.info.HasMemory = true
}

func (m *module) export(r *reader) {
	start := r.at
	switch name := string(r.name()); name {
	case FuelGlobal, BudgetGlobal, StopGlobal:
		r.failAt(start, "export %s belongs to the meter: is the module metered already?", name)
	}
	start = r.at
	switch kind := r.byte(); kind {
	case kindFunction:
		r.index("function", m.functionCount())
	case kindTable:
		r.u32()
	case kindMemory:
		r.index("memory", m.memories)
	case kindGlobal:
		r.index("global", m.globals)
	case kindTag:
		r.failAt(start, "export of a tag: exception handling is not supported")
	default:
		r.failAt(start, "export of unknown kind %d", kind)
	}
}

// constant reads over a constant expression.
func (m *module) constant(r *reader) {
	for r.err == nil {
		start := r.at
		switch op := r.byte(); op {
		case opEnd:
			return
		case opI32Const:
			r.i32()
		case opI64Const:
			r.skipI64()
		case opF32Const:
			r.skip(4)
		case opF64Const:
			r.skip(8)
		case opGlobalGet:
			r.index("global", m.globals)
		case opRefNull:
			r.refType()
		case opRefFunc:
			r.index("function", m.functionCount())
		case opVector:
			if r.byte() != opVectorConst {
				r.failAt(start, "instruction 0xfd in a constant")
			}
			r.skip(16)
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // add, sub and mul of i32 and i64
		default:
			r.failAt(start, "instruction %#x in a constant", op)
		}
	}
}

// elements reads over an element segment.
func (m *module) elements(r *reader) {
	start := r.at
	flags := r.u32()
	if flags > 7 {
		r.failAt(start, "element segment of unknown kind %d", flags)
	}
	if flags&1 == 0 {
		if flags&2 != 0 {
			r.u32() // table
		}
		m.constant(r)
	}
	expressions := flags&4 != 0
	if flags&3 != 0 {
		r.elementKind(expressions)
	}
	for range r.count("elements", 1) {
		if expressions {
			m.constant(r)
		} else {
			r.index("function", m.functionCount())
		}
	}
}

// elementKind reads what the elements of a segment are: references given by expressions, or functions.
func (r *reader) elementKind(expressions bool) {
	if expressions {
		r.refType()
		return
	}
	start := r.at
	if kind := r.byte(); kind != 0 {
		r.failAt(start, "elements of unknown kind %d", kind)
	}
}

// data reads over a data segment.
func (m *module) data(r *reader) {
	start := r.at
	switch flags := r.u32(); flags {
	case 0:
		r.needMemory(m, start)
		m.constant(r)
	case 1:
	case 2:
		r.needMemory(m, start)
		if memory := r.u32(); memory != 0 {
			r.failAt(start, "memory %d: more than one memory is not supported", memory)
		}
		m.constant(r)
	default:
		r.failAt(start, "data segment of unknown kind %d", flags)
	}
	r.name()
}

// needMemory refuses what uses a memory that the module does not have, and would have after the rewrite.
func (r *reader) needMemory(m *module, offset int) {
	if !m.info.HasMemory {
		r.failAt(offset, "memory is used: the module has none")
	}
}

// parseCode finds the places to charge at.
func (m *module) parseCode(r *reader, count uint32) error {
	c := &coder{reader: *r, opcodes: newOpcodes(), m: m}
	section := c.end
	if int(count) != len(m.bodies) {
		c.failAt(c.at, "%d functions have a type, %d a body", len(m.bodies), count)
		return c.err
	}
	m.functions = make([]function, 0, count)
	m.sites = make([]site, 0, int(count)+(c.end-c.at)/32) // what compilers write needs a little less
	for i, t := range m.bodies {
		c.function = int(m.importedFunctions) + i
		size := c.u32()
		f := function{start: c.at}
		c.skip(size)
		f.end = c.at
		if c.err != nil {
			return c.err
		}
		c.at, c.end = f.start, f.end
		c.body(&f, m.params[t])
		if c.err != nil {
			return c.err
		}
		c.end = section
		f.sites = len(m.sites)
		m.functions = append(m.functions, f)
	}
	c.function = -1
	if c.at != section {
		c.failAt(c.at, "something follows the last function")
	}
	m.info.Functions, m.info.Loops = len(m.functions), len(m.loops)
	return c.err
}
