package meter

// defaultSlack is the most that a check or a toll costs, beside what it costs for itself, if it pays for runs that control
// may leave out.
const defaultSlack = 32

// maxLocals bounds a function's locals, which a few bytes can declare by the billion.
const maxLocals = 50_000

// function is one body: the number of groups of locals stands at start, the groups at groups, the code from code to end.
// Its sites are those up to sites, from where the ones of the function before ended.
type function struct {
	start, groups, code, end int
	groupCount               uint32
	locals                   uint32 // with parameters
	sites                    int
}

// site is a place where something is written in front of an instruction.
type site struct {
	cost  int64 // of a check or a toll
	own   int64 // how much of that a check costs for itself
	at    int32
	loop  int32 // the loop around it, or noLoop
	inner int32 // the loop that begins at a siteLoop
	kind  siteKind
}

type siteKind uint8

const (
	siteCheck siteKind = iota
	siteToll
	siteBytes
	siteElements
	siteLoop // in front of a loop
)

// loop is what matters of one: whether it has calls. One without, and all in it, charges a copy of the fuel in a local,
// beside the fuel itself, so that what it takes to go round once does not wait for what the round before it stored.
type loop struct {
	calls bool
	outer int32 // the loop around it, or noLoop
}

const noLoop = -1

// quiet reports whether a loop is one without calls. What is in no loop is not.
func (m *module) quiet(loop int32) bool { return loop != noLoop && !m.loops[loop].calls }

// coder finds the sites of function bodies.
type coder struct {
	reader
	*opcodes
	m *module

	open []int // for each open block, the site that pays when it has ended
	pays int   // the site that pays if it can: a check or a toll that control always passes before this run
	run  struct {
		at   int // where it began
		cost int64
	}
	region               // the current one
	regions     []region // those around it
	declared    uint32   // the function's locals, with parameters
	constant    uint32   // the value of the last i32.const
	constantEnd int      // where that ended
}

// region is a loop without its inner loops, or a function without its loops.
type region struct {
	cost int64
	loop int32 // noLoop for a function
}

// body finds the sites of one function, whose parameters are given.
func (c *coder) body(f *function, params uint32) {
	c.locals(f, params)
	c.open = append(c.open[:0], 0)
	c.enter(costEntry+int64(f.locals), noLoop)
	for len(c.open) > 0 && c.err == nil {
		c.instruction()
	}
	if c.err == nil && c.at != c.end {
		c.failAt(c.at, "code follows the end of the function")
	}
}

func (c *coder) locals(f *function, params uint32) {
	f.groupCount = c.count("groups of locals", 2)
	f.groups = c.at
	all := uint64(params)
	for range f.groupCount {
		all += uint64(c.u32())
		c.valueType()
	}
	if all > maxLocals {
		c.failAt(f.start, "%d locals: at most %d are allowed", all, maxLocals)
	}
	f.locals = uint32(all)
	c.declared = f.locals
	f.code = c.at
}

// enter begins a function or a loop, whose check pays cost for itself.
func (c *coder) enter(cost int64, loop int32) {
	c.regions = append(c.regions, c.region)
	c.region = region{cost, loop}
	c.pays = len(c.m.sites)
	c.add(site{at: int32(c.at), cost: cost, own: cost, kind: siteCheck})
	c.m.info.Checks++
	c.run.at = c.at
}

// add adds a site in the current region.
func (c *coder) add(s site) {
	s.loop = c.loop
	c.m.sites = append(c.m.sites, s)
}

// leave ends a function or a loop.
func (c *coder) leave() {
	last := len(c.regions) - 1
	c.m.info.LargestRun = max(c.m.info.LargestRun, c.cost)
	c.m.info.Cost += c.cost
	c.region = c.regions[last]
	c.regions = c.regions[:last]
}

// settle ends the run: what pays for it is the site before it, if that is not too much for it, or a toll.
func (c *coder) settle() {
	if cost := c.run.cost; cost > 0 {
		pays := &c.m.sites[c.pays]
		if pays.at == int32(c.run.at) || pays.cost-pays.own+cost <= c.m.slack {
			pays.cost += cost
		} else {
			c.pays = len(c.m.sites)
			c.add(site{at: int32(c.run.at), cost: cost, kind: siteToll})
			c.m.info.Tolls++
		}
		c.cost += cost
		c.run.cost = 0
	}
	c.run.at = c.at
}

// instruction reads one.
func (c *coder) instruction() {
	at := c.at
	op := c.byte()
	o := c.plain[op]
	c.run.cost += int64(o.cost)
	switch o.form {
	case formMisc:
		c.miscInstruction(at)
	case formVector:
		c.vectorInstruction(at)
	case formUnknown:
		c.failAt(at, "instruction %#x: %s", op, proposal(op))
	case formPlain: // most are one of these four
	case formLocal:
		c.index("local", c.declared)
	case formI32:
		c.constant = c.i32()
		c.constantEnd = c.at
	case formMemory:
		c.memory(at)
	case formBlock, formLoop, formIf, formElse, formEnd, formLeave, formBranch, formBranchTable, formReturnCall,
		formReturnCallIndirect:
		c.control(o.form, at)
	default:
		c.operands(o.form, at)
	}
}

// control reads an instruction after which control does not simply go on.
func (c *coder) control(f form, at int) {
	switch f {
	case formBlock:
		c.blockType()
		c.open = append(c.open, c.pays<<1) // control does go on
		return
	case formLoop:
		c.blockType()
		c.settle()
		c.open = append(c.open, c.pays<<1|1)
		c.beginLoop(at)
		return
	case formIf:
		c.blockType()
		c.settle()
		c.open = append(c.open, c.pays<<1)
		return
	case formElse:
		c.settle()
		c.pays = c.open[len(c.open)-1] >> 1
		return
	case formEnd:
		c.settle()
		c.closeBlock()
		return
	case formBranch:
		c.u32()
	case formBranchTable:
		for range c.count("labels", 1) {
			c.u32()
		}
		c.u32()
	case formReturnCall:
		c.call()
	case formReturnCallIndirect:
		c.callIndirect()
	default: // unreachable and return have no operands
	}
	c.settle()
}

func (c *coder) beginLoop(at int) {
	inner := int32(len(c.m.loops))
	c.add(site{at: int32(at), kind: siteLoop, inner: inner})
	c.m.loops = append(c.m.loops, loop{outer: c.loop})
	c.enter(costLoop, inner)
}

// closeBlock ends the innermost open block.
func (c *coder) closeBlock() {
	last := len(c.open) - 1
	top := c.open[last]
	c.open = c.open[:last]
	if top&1 != 0 || last == 0 {
		c.leave()
	}
	c.pays = top >> 1
}

// operands reads those of an instruction that does not concern control.
func (c *coder) operands(f form, at int) {
	switch f {
	case formCall:
		c.call()
	case formCallIndirect:
		c.callIndirect()
	case formIndex:
		c.u32()
	case formGlobal:
		c.index("global", c.m.globals)
	case formSelect:
		if n := c.byte(); n != 1 {
			c.failAt(at, "select of %d types", n)
		}
		c.valueType()
	case formMemoryByte:
		c.memoryByte(at)
	case formI64:
		c.skipI64()
	case form4:
		c.skip(4)
	case form8:
		c.skip(8)
	case formRefNull:
		c.refType()
	case formRefFunc:
		c.index("function", c.m.functionCount())
	default: // none
	}
}

func (c *coder) call() {
	c.calls()
	if c.index("function", c.m.functionCount()) < c.m.importedFunctions {
		c.run.cost += costImport
	}
}

// calls marks the loops around a call.
func (c *coder) calls() {
	for l := c.loop; c.m.quiet(l); l = c.m.loops[l].outer {
		c.m.loops[l].calls = true
	}
}

func (c *coder) callIndirect() {
	c.calls()
	c.index("type", c.m.types())
	c.u32() // table
}

func (c *coder) blockType() {
	start := c.at
	switch b := c.byte(); {
	case b == emptyType:
	case b&0xc0 == 0x40: // one byte, below 0
		c.at = start
		c.valueType()
	default:
		c.at = start
		c.index("type", c.m.types())
	}
}

// memory reads the alignment and the offset of an operand in memory.
func (c *coder) memory(at int) {
	c.needMemory(at)
	if align := c.u32(); align >= 32 {
		c.failAt(at, "alignment %d: more than one memory is not supported", align)
	}
	c.u32()
}

// memoryByte reads the index of a memory where it is a byte.
func (c *coder) memoryByte(at int) {
	c.needMemory(at)
	if b := c.byte(); b != 0 {
		c.failAt(at, "memory %d: more than one memory is not supported", b)
	}
}

func (c *coder) needMemory(at int) {
	if !c.m.info.HasMemory {
		c.failAt(at, "an instruction needs memory: the module has none")
	}
}

func (c *coder) miscInstruction(at int) {
	sub := c.u32()
	if c.err != nil || int(sub) >= len(c.misc) {
		c.failAt(at, "instruction 0xfc%02x: not known", sub)
		return
	}
	o := c.misc[sub]
	switch o.form {
	case formPlain:
	case formIndex, formDrop:
		c.u32()
	default:
		c.bulk(sub, o, at)
		return
	}
	c.run.cost += int64(o.cost)
}

// maxConstant is the longest constant length, in bytes, that is paid for with the instruction.
const maxConstant = 2048

// bulk reads a bulk instruction and sees to it that its length is paid for.
func (c *coder) bulk(sub uint32, o opcode, at int) {
	end := c.at
	switch {
	case o.form == formBytes && c.constantEnd == at && c.constant <= maxConstant:
		c.run.cost += int64(c.constant / 16)
	default:
		c.at = at // the run ends in front
		c.settle()
		kind := siteElements
		if o.form == formBytes {
			kind = siteBytes
		}
		c.add(site{at: int32(at), kind: kind})
		c.m.info.Bulk++
		c.at = end
	}
	c.run.cost += int64(o.cost)
	switch sub {
	case 0x08: // memory.init
		c.u32()
		c.memoryByte(at)
	case 0x0a: // memory.copy
		c.memoryByte(at)
		c.memoryByte(at)
	case 0x0b: // memory.fill
		c.memoryByte(at)
	case 0x0c, 0x0e: // table.init, table.copy
		c.u32()
		c.u32()
	default: // table.grow, table.fill
		c.u32()
	}
}

// vectorInstruction reads what follows 0xfd. The instruction must be encoded in as few bytes as it can.
func (c *coder) vectorInstruction(at int) {
	sub := c.byte()
	if sub >= 0x80 {
		if next := c.byte(); next != 1 {
			c.failAt(at, "instruction 0xfd%02x%02x: not known (relaxed vector instructions are not supported)", sub, next)
		}
	}
	o := c.vector[sub]
	c.run.cost += int64(o.cost)
	switch o.form {
	case formUnknown:
		c.failAt(at, "instruction 0xfd%02x: not known", sub)
	case formMemory:
		c.memory(at)
	case formMemoryLane:
		c.memory(at)
		c.byte()
	case formLane:
		c.byte()
	case form16:
		c.skip(16)
	default: // none
	}
}
