package plugins

import (
	"cmp"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins/meter"
)

// callKind tells calls of a guest apart by what they may burn.
type callKind uint8

const (
	callHook  callKind = iota // ec_before, ec_after, and what belongs to them
	callAside                 // a batch of events, statistics, idling: nothing that a command waits for
	callSetup                 // what comes before all others
	callKinds
)

// Units that a call may burn unless the manifest or the operator says otherwise: about as many as instructions, some 0.15 ns
// each. A hook that burns them all has half as many for the next call: a guest may tidy up now and then, but not always.
const (
	hookFuel  = 1_000_000
	asideFuel = 5_000_000
	setupFuel = 256_000_000
	// runtimeFuel is for hooks of guests with a runtime of their own, whose collector runs within calls. Those import WASI.
	runtimeFuel = 50_000_000
	// longKey is how long a key is for which a hook gets more, unitsPerByte: clients choose keys, and could have a plugin fail
	// whose work grows with them, and so be left out.
	longKey      = 1024
	unitsPerByte = 64
	// maxFuel bounds what may be asked for: some minutes.
	maxFuel = 1 << 40
	// slowUnits is how many units surely take a nanosecond: a guest that has less fuel than its timeout is long needs no watch.
	slowUnits = 1
	// setupTimeout is how long the calls that set up an instance may take, if the host's timeout is not longer.
	setupTimeout = time.Second
	// maxRun bounds what a guest may do between two looks at its fuel, in units.
	maxRun = 1_000_000
)

// allowance is what a call may have, beside what is left of a slice that the guest had taken before.
type allowance struct {
	each, full int64 // units: full at once, of which each comes back with every call
	ticks      int64 // of the watchdog's; 0 if the fuel is gone before they are
}

// allowances returns what each kind of call may have, where timeout is the host's.
func (s *Source) allowances(m *hostabi.Manifest, hasRuntime bool, timeout time.Duration) (all [callKinds]allowance) {
	hook, aside := int64(hookFuel), int64(asideFuel)
	if hasRuntime {
		hook, aside = runtimeFuel, runtimeFuel
	}
	if asked := cmp.Or(s.Grants.Fuel, m.Fuel); asked > 0 {
		hook, aside = asked, max(aside, asked)
	}
	all[callHook] = allowance{each: (hook + 1) / 2, full: hook}
	all[callAside] = allowance{each: aside, full: aside}
	all[callSetup] = allowance{each: setupFuel, full: setupFuel, ticks: ticksOf(max(timeout, setupTimeout))}
	for kind := range callSetup {
		if time.Duration(all[kind].full) > slowUnits*timeout {
			all[kind].ticks = ticksOf(timeout)
		}
	}
	return all
}

func ticksOf(d time.Duration) int64 { return int64((d + tick - 1) / tick) }

// tank is the fuel of an instance. Who has the instance has it alone.
type tank struct {
	fuel, budget, stop api.MutableGlobal

	kind callKind
	may  allowance // of kind
	held int64     // what budget holds, or held before the guest took from it
	used uint64    // by calls before, what is left of a slice not yet subtracted
}

// newTank finds the meter's globals in an instance.
func newTank(module api.Module) tank {
	if module.ExportedGlobal(meter.BudgetGlobal) == nil { // the host does not meter
		return tank{kind: callKinds}
	}
	global := func(name string) api.MutableGlobal { return module.ExportedGlobal(name).(api.MutableGlobal) }
	t := tank{
		fuel: global(meter.FuelGlobal), budget: global(meter.BudgetGlobal), stop: global(meter.StopGlobal), kind: callKinds,
	}
	t.fill(0)
	t.fuel.Set(0)
	return t
}

// ready fills the tank for a call of a kind that the call before was not.
func (t *tank) ready(kind callKind, may allowance) {
	t.kind, t.may = kind, may
	if t.budget != nil {
		t.used = t.burnt()
		t.fuel.Set(0)
		t.fill(may.full)
	}
}

func (t *tank) fill(units int64) {
	t.held = units
	t.budget.Set(uint64(units))
}

// settle accounts for a call and refills. A guest that has not used up the slice it had has not touched the budget, and a
// full one needs nothing.
func (t *tank) settle() {
	if t.budget == nil {
		return
	}
	if left := int64(t.budget.Get()); left != t.may.full {
		t.used += uint64(t.held - left)
		t.fill(min(max(left, 0)+t.may.each, t.may.full))
	}
}

// empty reports whether the guest failed because it had used up everything.
func (t *tank) empty() bool { return t.budget != nil && int64(t.budget.Get()) < 0 }

// credit gives units to the next call alone.
func (t *tank) credit(units int64) {
	if t.budget != nil {
		left := int64(t.budget.Get())
		t.used += uint64(t.held - left)
		t.fill(left + units)
	}
}

// charge takes units from a guest that is calling the host.
func (t *tank) charge(units int64) {
	if t.fuel != nil {
		t.fuel.Set(t.fuel.Get() - uint64(units))
	}
}

// burnt returns the units that were used, all told.
func (t *tank) burnt() uint64 {
	if t.budget == nil {
		return 0
	}
	return t.used + uint64(t.held) - t.budget.Get() - t.fuel.Get()
}
