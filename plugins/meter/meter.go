package meter

import (
	"fmt"
	"math"
)

// Version changes whenever Rewrite makes something else of a module, so that what it made can be kept.
const Version = 1

// Names of the globals that a metered module exports, beside its own exports. All are mutable.
const (
	// FuelGlobal, an i64, is what is left of the current slice.
	FuelGlobal = "edgecache_meter_fuel"
	// BudgetGlobal, an i64, is what is left beyond the current slice. Below 0 it says that the guest used up all it had.
	BudgetGlobal = "edgecache_meter_budget"
	// StopGlobal, an i32, stops the guest at the end of the current slice if it is not 0.
	StopGlobal = "edgecache_meter_stop"
)

// Options configures Rewrite.
type Options struct {
	// Budget is what the module may use, in units, until the host sets another one: it bounds start functions. 0 means 2^28.
	Budget int64
	// Slice is how many units the guest runs at a time between two stops in Go. 0 means 50,000, some 10 µs.
	Slice int64
}

const (
	defaultBudget = 1 << 28
	defaultSlice  = 50_000
)

func (o Options) withDefaults() (Options, error) {
	if o.Budget < 0 || o.Slice < 0 {
		return o, fmt.Errorf("meter: budget %d, slice %d: must not be below 0", o.Budget, o.Slice)
	}
	if o.Budget == 0 {
		o.Budget = defaultBudget
	}
	if o.Slice == 0 {
		o.Slice = defaultSlice
	}
	return o, nil
}

// Info tells about a module.
type Info struct {
	Functions int   // those with a body
	Loops     int   // all of them
	Checks    int   // places that charge and see whether fuel is left: one for each function and loop
	Tolls     int   // places that only charge
	Bulk      int   // instructions charged by their length as they run
	Cost      int64 // of all instructions, in units
	// LargestRun is the most that is charged between two checks, in units.
	LargestRun int64
	// HasMemory says whether the module has a memory, be it an imported one. If not, it got an empty one, which it does
	// not export.
	HasMemory bool
	// HasStart says whether the module runs code when it is instantiated.
	HasStart bool
	// Dropped is the size of the custom sections left out, in bytes: those with positions of code, which moved.
	Dropped int
}

// Error says why a module was refused.
type Error struct {
	Function int // index, counting imported ones, or -1 if the place is outside of code
	Offset   int // in the module, in bytes
	Reason   string
}

func (e *Error) Error() string {
	if e.Function < 0 {
		return fmt.Sprintf("meter: byte %#x: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("meter: function %d: byte %#x: %s", e.Function, e.Offset, e.Reason)
}

// Rewrite returns a metered copy of a core module, which may use what WebAssembly 2.0 has, tail calls and extended constant
// expressions. A module that uses anything else, that is malformed or that exports one of the meter's names is refused with
// an *Error. Rewrite does not check types: a module that is invalid stays invalid, for the compiler to find out. Indices
// don't change, so that names of functions stay right.
//
// Rewrite neither changes nor keeps wasm. It takes time and memory in proportion to len(wasm), whatever the module says.
func Rewrite(wasm []byte, o Options) ([]byte, Info, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, Info{}, err
	}
	if int64(len(wasm)) > math.MaxInt32 {
		return nil, Info{}, fmt.Errorf("meter: module of %d bytes: at most %d are allowed", len(wasm), math.MaxInt32)
	}
	return rewriteWith(&module{wasm: wasm, slack: defaultSlack}, o)
}

func rewriteWith(m *module, o Options) ([]byte, Info, error) {
	if err := m.parse(); err != nil {
		return nil, Info{}, err
	}
	return m.emit(o), m.info, nil
}
