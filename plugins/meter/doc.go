// Package meter rewrites WebAssembly modules so that they run on fuel.
//
// Compiled guest code can't be preempted: a guest in an endless loop would hold up Go's garbage collector, and with it the
// whole process, for ever. A metered guest pays for what it runs. It stops when it has spent its budget, and enters Go every
// Options.Slice units, where the collector and the scheduler get their turn.
//
// # What is charged
//
// A function's code falls into runs: stretches between places where control may part or meet. A run's cost, the sum of its
// instructions' costs, is subtracted from the fuel in one of two ways:
//
//   - at a check, which stands at the entry of every function and at the head of every loop, and sees whether fuel is left;
//   - at a toll between them, which only subtracts.
//
// A run is paid for where it begins, or with an earlier check or toll of the same loop that control always passes first, so
// long as that one costs at most 32 units beside its own. Thus
//
//   - no instruction runs that is not paid for;
//   - no check or toll takes more than 32 units for what then does not run (but for instructions behind one that traps);
//   - between two checks runs at most what stands in one function outside of its loops, or in one loop outside of its inner
//     loops: Info.LargestRun.
//
// Most instructions cost 1, those that are only structure (block, loop, else, end, nop) nothing, and those that take long
// more: see opcodes. Functions pay 64 to be entered and 1 for each local, so that deep recursion runs out of fuel before its
// stack is large; loops pay 1 for each time round. Bulk instructions also pay for their length as they run, a unit for 16
// bytes or for one element of a table. The fuel a call takes depends on the module and the call alone, not on time or
// machine.
//
// Within loops without calls a local holds a copy of the fuel, so that a round does not wait for what the one before stored;
// the global is written with each charge all the same.
//
// What the meter adds to a module, it adds behind what is there. A module could name those additions and be valid only
// with them, to write its own fuel say: so every index of a type, function, memory, global and local is checked against
// what the module itself has.
//
// # How the host uses it
//
// A metered module exports three mutable globals: FuelGlobal, BudgetGlobal and StopGlobal. Their sum fuel + budget is what
// the guest may still use. When fuel falls below 0 the guest enters Go, moves a slice from budget to fuel and goes on, or
// traps with "unreachable", leaving budget below 0, if there is none.
//
// Before a call, who owns the instance sets the budget; fuel, what is left of the last slice, can stay. After the call, the
// difference of the sums is what was used. Both must not be written while the guest runs, since it writes them too. To
// stop a guest that runs, another goroutine sets StopGlobal, which guests only read, to 1: the guest traps at the end of its
// slice, with budget not below 0.
package meter
