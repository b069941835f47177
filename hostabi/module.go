package hostabi

import (
	"errors"
	"fmt"
	"strings"
)

// Module is what can be told about a core module without compiling it.
type Module struct {
	Imports  []Import
	Exports  []Export
	Memories []Limits
	Tables   []Table
	// HasStart says that the module runs code when it is instantiated.
	HasStart bool
	// TableSection is where the section of Tables stands; its End is 0 if there is none.
	TableSection Section

	types     []Signature
	functions []uint32 // type of each function, imported ones first
}

// Import is something that the module wants from outside.
type Import struct {
	Module, Name string
	Kind         byte
	Signature    Signature // of a function
}

// Export is something that the module offers.
type Export struct {
	Name      string
	Kind      byte
	Signature Signature // of a function
}

// Kinds of imports and exports.
const (
	KindFunction = 0
	KindTable    = 1
	KindMemory   = 2
	KindGlobal   = 3
)

// KindName names a kind of import or export.
func KindName(kind byte) string {
	return [...]string{"function", "table", "memory", "global"}[kind&3]
}

// Limits are those of a memory (in pages) or a table (in elements).
type Limits struct {
	Min    uint32
	Max    uint32 // if HasMax
	HasMax bool
}

// Table is one table.
type Table struct {
	Element byte // the type of its elements
	Limits
}

// Signature is a function's type: the value types as the module encodes them, one byte each. It is comparable.
type Signature struct{ Params, Results string }

// Value types, to build signatures from.
const (
	I32 = "\x7f"
	I64 = "\x7e"
)

// String returns the signature as "(i32, i64) -> i32".
func (s Signature) String() string {
	result := typeNames(s.Results)
	if len(s.Results) != 1 {
		result = "(" + result + ")"
	}
	return "(" + typeNames(s.Params) + ") -> " + result
}

func typeNames(types string) string {
	names := make([]string, len(types))
	for i := range len(types) {
		switch types[i] {
		case 0x7f:
			names[i] = "i32"
		case 0x7e:
			names[i] = "i64"
		case 0x7d:
			names[i] = "f32"
		case 0x7c:
			names[i] = "f64"
		case 0x7b:
			names[i] = "v128"
		case 0x70:
			names[i] = "funcref"
		case 0x6f:
			names[i] = "externref"
		}
	}
	return strings.Join(names, ", ")
}

const (
	// maxLocals bounds a function's locals, which a few bytes can declare by the billion.
	maxLocals = 50_000
	// maxValueTypes bounds a function's parameters, and its results.
	maxValueTypes = 1000
)

// ParseModule reads a core module's structure. It looks at every count and length outside of function bodies, so that a
// compiler which trusts them does not allocate what a hostile module claims. It does not validate code.
func ParseModule(wasm []byte) (*Module, error) {
	m := &Module{}
	seen := [sectionLast + 1]bool{}
	for s, err := range Sections(wasm) {
		if err != nil {
			return nil, err
		}
		if s.ID != SectionCustom && seen[s.ID] {
			return nil, fmt.Errorf("section %d stands twice", s.ID)
		}
		seen[s.ID] = true
		if err := m.parse(s); err != nil {
			return nil, fmt.Errorf("section %s: %w", sectionName(s), err)
		}
	}
	return m, nil
}

func sectionName(s Section) string {
	if s.ID == SectionCustom {
		return fmt.Sprintf("%.64q", s.Name)
	}
	return [...]string{
		"", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count",
	}[s.ID]
}

func (m *Module) parse(s Section) error {
	c := &cursor{b: s.Body, base: s.End}
	switch s.ID {
	case SectionCustom:
		if s.Name == "name" {
			c.names()
		}
		return c.err
	case SectionType:
		m.parseTypes(c)
	case SectionImport:
		m.parseImports(c)
	case SectionFunction:
		for range c.count("functions", 1) {
			m.addFunction(c)
		}
	case SectionTable:
		m.TableSection = s
		for range c.count("tables", 3) {
			m.Tables = append(m.Tables, c.table())
		}
	case SectionMemory:
		for range c.count("memories", 2) {
			m.Memories = append(m.Memories, c.limits())
		}
	case SectionGlobal:
		for range c.count("globals", 4) {
			c.globalType()
			c.constant()
		}
	case SectionExport:
		m.parseExports(c)
	case SectionStart:
		m.HasStart = true
		c.u32()
	case SectionElement:
		for range c.count("element segments", 3) {
			c.elements()
		}
	case SectionCode:
		for range c.count("functions", 2) {
			c.code()
		}
	case SectionData:
		for range c.count("data segments", 2) {
			c.data()
		}
	case SectionCount:
		c.u32()
	}
	c.end()
	return c.err
}

func (m *Module) parseTypes(c *cursor) {
	for range c.count("types", 3) {
		if form := c.byte(); c.err == nil && form != 0x60 {
			c.fail("type form %#x is not supported: only functions are", form)
		}
		m.types = append(m.types, Signature{Params: c.valueTypes(), Results: c.valueTypes()})
	}
}

func (m *Module) parseImports(c *cursor) {
	for range c.count("imports", 4) {
		i := Import{Module: string(c.vec()), Name: string(c.vec()), Kind: c.byte()}
		switch i.Kind {
		case KindFunction:
			m.addFunction(c)
			if c.err == nil {
				i.Signature = m.types[m.functions[len(m.functions)-1]]
			}
		case KindTable:
			c.table()
		case KindMemory:
			c.limits()
		case KindGlobal:
			c.globalType()
		default:
			c.fail("import of unknown kind %d", i.Kind)
		}
		m.Imports = append(m.Imports, i)
	}
}

// addFunction reads the type of a function.
func (m *Module) addFunction(c *cursor) {
	t := c.u32()
	if int64(t) >= int64(len(m.types)) {
		c.fail("function of type %d: there are %d", t, len(m.types))
		return
	}
	m.functions = append(m.functions, t)
}

func (m *Module) parseExports(c *cursor) {
	for range c.count("exports", 3) {
		e := Export{Name: string(c.vec()), Kind: c.byte()}
		index := c.u32()
		switch {
		case e.Kind > KindGlobal:
			c.fail("export of unknown kind %d", e.Kind)
		case e.Kind != KindFunction:
		case int64(index) >= int64(len(m.functions)):
			c.fail("export %.64q is function %d: there are %d", e.Name, index, len(m.functions))
		default:
			e.Signature = m.types[m.functions[index]]
		}
		m.Exports = append(m.Exports, e)
	}
}

// Export returns the export called name, or nil.
func (m *Module) Export(name string) *Export {
	for i := range m.Exports {
		if m.Exports[i].Name == name {
			return &m.Exports[i]
		}
	}
	return nil
}

// valueTypes reads a vector of value types.
func (c *cursor) valueTypes() string {
	n := c.count("value types", 1)
	if n > maxValueTypes {
		c.fail("%d parameters or results: at most %d are allowed", n, maxValueTypes)
	}
	types := c.take(uint32(n))
	for _, t := range types {
		c.checkValueType(t)
	}
	return string(types)
}

func (c *cursor) checkValueType(t byte) {
	if t != 0x70 && t != 0x6f && (t < 0x7b || t > 0x7f) {
		c.fail("value type %#x is not supported", t)
	}
}

func (c *cursor) limits() (l Limits) {
	switch flags := c.byte(); flags {
	case 0:
		l.Min = c.u32()
	case 1:
		l.Min, l.Max, l.HasMax = c.u32(), c.u32(), true
	default:
		c.fail("limits %#x are not supported: neither shared nor 64-bit memories are", flags)
	}
	return l
}

func (c *cursor) table() (t Table) {
	t.Element = c.byte()
	if t.Element != 0x70 && t.Element != 0x6f {
		c.fail("table element type %#x is not supported", t.Element)
	}
	t.Limits = c.limits()
	return t
}

func (c *cursor) globalType() {
	c.checkValueType(c.byte())
	c.byte()
}

// constant reads over a constant expression.
func (c *cursor) constant() {
	for c.err == nil {
		switch op := c.byte(); op {
		case 0x0b: // end
			return
		case 0x23, 0xd2: // global.get, ref.func
			c.u32()
		case 0x41: // i32.const
			c.skipLEB(5)
		case 0x42: // i64.const
			c.skipLEB(10)
		case 0x43: // f32.const
			c.take(4)
		case 0x44: // f64.const
			c.take(8)
		case 0xd0: // ref.null
			c.byte()
		case 0xfd: // v128.const
			if c.u32() != 12 {
				c.fail("instruction of a vector in a constant")
			}
			c.take(16)
		default:
			c.fail("instruction %#x in a constant", op)
		}
	}
}

// elements reads over an element segment.
func (c *cursor) elements() {
	flags := c.u32()
	if flags > 7 {
		c.fail("element segment of unknown kind %d", flags)
	}
	if flags&1 == 0 {
		if flags&2 != 0 {
			c.u32() // table
		}
		c.constant()
	}
	if flags&3 != 0 {
		c.byte() // kind or type of the elements
	}
	expressions := flags&4 != 0
	for range c.count("elements", 1) {
		if expressions {
			c.constant()
		} else {
			c.u32()
		}
	}
}

// code reads over a function's body, looking at its locals only.
func (c *cursor) code() {
	body := c.sub(c.u32())
	var locals uint64
	for range body.count("groups of locals", 2) {
		locals += uint64(body.u32())
		body.checkValueType(body.byte())
	}
	if locals > maxLocals {
		body.fail("%d locals: at most %d are allowed", locals, maxLocals)
	}
	if c.err == nil {
		c.err = body.err
	}
}

// data reads over a data segment.
func (c *cursor) data() {
	switch flags := c.u32(); flags {
	case 0:
		c.constant()
	case 1:
	case 2:
		c.u32()
		c.constant()
	default:
		c.fail("data segment of unknown kind %d", flags)
	}
	c.vec()
}

// names reads over the parts of a name section that compilers read.
func (c *cursor) names() {
	for c.err == nil && len(c.b) > 0 {
		id := c.byte()
		s := c.sub(c.u32())
		switch id {
		case 0:
			s.vec()
		case 1:
			s.nameMap()
		case 2:
			for range s.count("functions", 2) {
				s.u32()
				s.nameMap()
			}
		}
		if c.err == nil {
			c.err = s.err
		}
	}
}

func (c *cursor) nameMap() {
	for range c.count("names", 2) {
		c.u32()
		c.vec()
	}
}

// checkTables reports a table that ClampTables can't bound.
func (m *Module) checkTables(limit uint32) error {
	for _, t := range m.Tables {
		if t.Min > limit {
			return fmt.Errorf("table of %d elements: at most %d are allowed", t.Min, limit)
		}
	}
	return nil
}

// ClampTables returns the module wasm, of which m is the structure, with no table growing beyond limit elements: tables
// grow outside the memory limit. A table that begins beyond it is an error.
func (m *Module) ClampTables(wasm []byte, limit uint32) ([]byte, error) {
	if err := m.checkTables(limit); err != nil {
		return nil, err
	}
	if len(m.Tables) == 0 {
		return wasm, nil
	}
	if m.TableSection.End > len(wasm) {
		return nil, errors.New("the structure is another module's")
	}
	body := appendU32(nil, uint32(len(m.Tables)))
	for _, t := range m.Tables {
		most := limit
		if t.HasMax {
			most = min(limit, t.Max)
		}
		body = append(body, t.Element, 1)
		body = appendU32(appendU32(body, t.Min), most)
	}
	out := make([]byte, 0, len(wasm)+len(body)+8)
	out = append(out, wasm[:m.TableSection.Start]...)
	out = append(out, SectionTable)
	out = appendU32(out, uint32(len(body)))
	out = append(out, body...)
	return append(out, wasm[m.TableSection.End:]...), nil
}
