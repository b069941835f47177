package meter

// Value types as modules encode them.
const (
	i32Type       = 0x7f
	i64Type       = 0x7e
	f32Type       = 0x7d
	f64Type       = 0x7c
	v128Type      = 0x7b
	funcrefType   = 0x70
	externrefType = 0x6f
	emptyType     = 0x40 // of a block
	functionForm  = 0x60
)

// Instructions that are written or looked for.
const (
	opUnreachable = 0x00
	opLoop        = 0x03
	opIf          = 0x04
	opElse        = 0x05
	opEnd         = 0x0b
	opBr          = 0x0c
	opCall        = 0x10
	opDrop        = 0x1a
	opSelect      = 0x1b
	opLocalGet    = 0x20
	opLocalSet    = 0x21
	opLocalTee    = 0x22
	opGlobalGet   = 0x23
	opGlobalSet   = 0x24
	opMemoryGrow  = 0x40
	opI32Const    = 0x41
	opI64Const    = 0x42
	opF32Const    = 0x43
	opF64Const    = 0x44
	opI64LtS      = 0x53
	opI64GeS      = 0x59
	opI64Add      = 0x7c
	opI64Sub      = 0x7d
	opI64ShrU     = 0x88
	opI64ExtendU  = 0xad
	opRefNull     = 0xd0
	opRefFunc     = 0xd2
	opVector      = 0xfd
	opVectorConst = 0x0c // after opVector
)

// form says what follows an opcode, and what it means to a function's flow.
type form uint8

const (
	formUnknown form = iota // refused
	formPlain               // nothing follows
	formBlock
	formLoop
	formIf
	formElse
	formEnd
	formLeave       // unreachable, return
	formBranch      // br, br_if
	formBranchTable // br_table
	formCall
	formCallIndirect
	formReturnCall
	formReturnCallIndirect
	formIndex // of a table
	formLocal
	formGlobal
	formSelect // with types
	formMemory // an operand in memory
	formMemoryByte
	formI32
	formI64
	form4  // four bytes
	form8  // eight bytes
	form16 // sixteen bytes
	formRefNull
	formRefFunc
	formLane
	formMemoryLane
	formMisc   // 0xfc
	formVector // 0xfd
	formBytes  // bulk instructions: their length in bytes is the last operand
	formElements
	formDrop // data.drop, elem.drop
)

// opcode is what the meter knows about an instruction.
type opcode struct {
	form form
	cost uint16
}

// Costs, in units of about 0.15 ns.
const (
	costFree     = 0
	costPlain    = 1
	costDivide   = 8  // also of roots
	costIndirect = 8  // a call by a table
	costEntry    = 64 // of any function, and for each of its locals 1 more: a frame of the stack, which has to be had first
	costLoop     = 1  // each time round, for the check
	costBulk     = 16
	costImport   = 128 // a call of an imported function
	costGrow     = 10_000
)

// opcodes tells of all instructions of one byte, of those after 0xfc and of those after 0xfd.
type opcodes struct {
	plain  [256]opcode
	misc   [18]opcode
	vector [256]opcode
}

func newOpcodes() *opcodes {
	o := &opcodes{}
	o.setPlain()
	o.setMisc()
	o.setVector()
	return o
}

// set gives all instructions from first to last a form and a cost.
func set(table []opcode, first, last int, f form, cost uint16) {
	for i := first; i <= last; i++ {
		table[i] = opcode{f, cost}
	}
}

func (o *opcodes) setPlain() {
	t := o.plain[:]
	set(t, 0x00, 0x00, formLeave, costPlain)
	set(t, 0x01, 0x01, formPlain, costFree) // nop
	set(t, 0x02, 0x02, formBlock, costFree)
	set(t, 0x03, 0x03, formLoop, costFree)
	set(t, 0x04, 0x04, formIf, costPlain)
	set(t, 0x05, 0x05, formElse, costFree)
	set(t, 0x0b, 0x0b, formEnd, costFree)
	set(t, 0x0c, 0x0d, formBranch, costPlain)
	set(t, 0x0e, 0x0e, formBranchTable, costPlain)
	set(t, 0x0f, 0x0f, formLeave, costPlain) // return
	set(t, 0x10, 0x10, formCall, costPlain)
	set(t, 0x11, 0x11, formCallIndirect, costIndirect)
	set(t, 0x12, 0x12, formReturnCall, costPlain)
	set(t, 0x13, 0x13, formReturnCallIndirect, costIndirect)
	set(t, 0x1a, 0x1b, formPlain, costPlain) // drop, select
	set(t, 0x1c, 0x1c, formSelect, costPlain)
	set(t, 0x20, 0x22, formLocal, costPlain) // local.*
	set(t, 0x23, 0x24, formGlobal, costPlain)
	set(t, 0x25, 0x26, formIndex, costPlain) // table.get, table.set
	set(t, 0x28, 0x3e, formMemory, costPlain)
	set(t, 0x3f, 0x3f, formMemoryByte, costPlain)
	set(t, 0x40, 0x40, formMemoryByte, costGrow)
	set(t, 0x41, 0x41, formI32, costPlain)
	set(t, 0x42, 0x42, formI64, costPlain)
	set(t, 0x43, 0x43, form4, costPlain)
	set(t, 0x44, 0x44, form8, costPlain)
	set(t, 0x45, 0xc4, formPlain, costPlain)
	set(t, 0x6d, 0x70, formPlain, costDivide) // i32.div_s to i32.rem_u
	set(t, 0x7f, 0x82, formPlain, costDivide) // i64.div_s to i64.rem_u
	for _, op := range []int{0x91, 0x95, 0x9f, 0xa3} {
		set(t, op, op, formPlain, costDivide) // roots and quotients of floats
	}
	set(t, 0xd0, 0xd0, formRefNull, costPlain)
	set(t, 0xd1, 0xd1, formPlain, costPlain) // ref.is_null
	set(t, 0xd2, 0xd2, formRefFunc, costPlain)
	set(t, 0xfc, 0xfc, formMisc, costFree)
	set(t, 0xfd, 0xfd, formVector, costFree)
}

func (o *opcodes) setMisc() {
	t := o.misc[:]
	set(t, 0x00, 0x07, formPlain, costPlain)   // saturating conversions
	set(t, 0x08, 0x08, formBytes, costBulk)    // memory.init
	set(t, 0x09, 0x09, formDrop, costPlain)    // data.drop
	set(t, 0x0a, 0x0b, formBytes, costBulk)    // memory.copy, memory.fill
	set(t, 0x0c, 0x0c, formElements, costBulk) // table.init
	set(t, 0x0d, 0x0d, formDrop, costPlain)    // elem.drop
	set(t, 0x0e, 0x0e, formElements, costBulk) // table.copy
	set(t, 0x0f, 0x0f, formElements, costGrow) // table.grow
	set(t, 0x10, 0x10, formIndex, costPlain)   // table.size
	set(t, 0x11, 0x11, formElements, costBulk) // table.fill
}

func (o *opcodes) setVector() {
	t := o.vector[:]
	set(t, 0x00, 0x0b, formMemory, costPlain)
	set(t, 0x0c, 0x0d, form16, costPlain) // v128.const, i8x16.shuffle
	set(t, 0x0e, 0x14, formPlain, costPlain)
	set(t, 0x15, 0x22, formLane, costPlain)
	set(t, 0x23, 0x53, formPlain, costPlain)
	set(t, 0x54, 0x5b, formMemoryLane, costPlain)
	set(t, 0x5c, 0x5d, formMemory, costPlain)
	set(t, 0x5e, 0xff, formPlain, costPlain)
	for _, op := range []int{0xe3, 0xe7, 0xef, 0xf3} {
		set(t, op, op, formPlain, costDivide) // roots and quotients of floats
	}
	for _, op := range []int{
		0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee,
	} {
		t[op] = opcode{} // not assigned
	}
}

// proposal names what an unknown instruction may belong to.
func proposal(op byte) string {
	switch op {
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f:
		return "exception handling is not supported"
	case 0x14, 0x15, 0xd3, 0xd4, 0xd5, 0xd6:
		return "typed references are not supported"
	case 0xfb:
		return "garbage collected types are not supported"
	case 0xfe:
		return "threads are not supported"
	}
	return "not known"
}
