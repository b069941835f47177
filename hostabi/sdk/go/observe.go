package edgecache

import "math/bits"

// Event is one key of a command that has ended. Its layout is the ABI's.
type Event struct {
	// KeyHash tells keys of namespaces apart while the host's process lives. 0 unless the manifest needs "hash".
	KeyHash uint64
	// Time is the command's end in unix nanoseconds. 0 unless the manifest needs "clock".
	Time int64
	// Elapsed is what the command took in nanoseconds. 0 unless the manifest needs "clock".
	Elapsed uint32
	// ValueSize is the length in bytes of the value read or written.
	ValueSize uint32
	// TTL is how many seconds a write asked for, rounded up: 0 the default, 0xffffffff none or kept.
	TTL uint32
	// NamespaceID is the namespace's number, or NamespaceOther.
	NamespaceID uint16
	op          uint8
	result      uint8
}

// Op returns the operation.
func (e *Event) Op() Op { return Op(e.op &^ EventContinued) }

// Continued reports whether this is another key of the command before it.
func (e *Event) Continued() bool { return e.op&EventContinued != 0 }

// Outcome returns how the command ended.
func (e *Event) Outcome() Outcome { return Outcome(e.result & OutcomeMask) }

// Tier returns the tier that answered, 1 the nearest, 0 none.
func (e *Event) Tier() int { return int(e.result >> TierShift) }

// Rows are statistics that a plugin reports: rows of the columns that the manifest's stats name.
type Rows struct {
	slots []uint64
	width int // of a row, its label included
}

// AllOps is the operation of a row that is about all of them.
const AllOps Op = 0

// Add adds a row: the columns in their order, of which a log2 histogram takes HistogramSlots and a mean or ratio none. op
// may be AllOps, and namespace, else its number, NamespaceAll or NamespaceOther. All rows have the same columns; the host
// takes MaxStatRows of them.
func (r *Rows) Add(op Op, namespace uint16, columns ...uint64) {
	switch width := len(columns) + 1; {
	case len(r.slots) == 0:
		r.width = width
	case width != r.width:
		panic("rows of statistics differ in their number of columns")
	}
	r.slots = append(r.slots, uint64(op)<<LabelOp|uint64(namespace)<<LabelNamespace)
	r.slots = append(r.slots, columns...)
}

// Bucket returns the slot of a log2 histogram that v counts in: its bit length, or the last.
func Bucket(v uint64) int { return min(bits.Len64(v), HistogramSlots-1) }

func (r *Rows) reset() { r.slots = r.slots[:0] }

// count returns how many rows there are.
func (r *Rows) count() int {
	if len(r.slots) == 0 {
		return 0
	}
	return len(r.slots) / r.width
}
