package core

// Op names what a command does. The numbers are part of the guest ABI (package hostabi repeats them): they never change,
// new ones are appended.
type Op uint8

// The operations. A comment says what the command reads and what its result carries beside the outcome.
const (
	OpNone           Op = iota
	OpGet               // Key; Entry
	OpGetMany           // Keys; Items
	OpSet               // Key, Value, TTL; with FlagOld Entry is what was there
	OpSetMany           // Keys, Values, TTL; Items
	OpAdd               // as OpSet, only if the key is absent
	OpReplace           // as OpSet, only if the key is present
	OpCompareAndSwap    // as OpSet, only if the key's entry has the token Version
	OpAppend            // Key, Value: adds bytes at the end, absent counts as empty; N is the new length
	OpPrepend           // Key, Value: adds bytes at the front, absent counts as empty; N is the new length
	OpIncrement         // Key, Delta: a decimal int64, absent counts as 0; N is the new value
	OpDecrement         // Key, Delta: as OpIncrement, the other way
	OpExists            // Key
	OpTTL               // Key; TTL
	OpExpire            // Key, TTL (NoExpiry persists); with FlagOld Entry is the entry; FlagIfValue
	OpDelete            // Key; with FlagOld Entry is what was there; FlagIfValue
	OpDeleteMany        // Keys; Items, N is how many were there
	OpClear             // everything in the namespace and below
	OpKeys              // Key is a glob pattern, Cursor, Count; Keys and Cursor
	OpRaw               // Args go to the farthest tier as they are; Raw
	opCount
)

// OpCount is one more than the highest Op.
const OpCount = int(opCount)

var opNames = [opCount]string{
	"none", "get", "get_many", "set", "set_many", "add", "replace", "compare_and_swap", "append", "prepend",
	"increment", "decrement", "exists", "ttl", "expire", "delete", "delete_many", "clear", "keys", "raw",
}

// String returns the operation's name as it stands in metrics, manifests and statistics.
func (o Op) String() string {
	if o < opCount {
		return opNames[o]
	}
	return "unknown"
}

// ParseOp returns the operation called name, and whether there is one.
func ParseOp(name string) (Op, bool) {
	for o := OpGet; o < opCount; o++ {
		if opNames[o] == name {
			return o, true
		}
	}
	return OpNone, false
}

// Many reports whether the operation works on Keys instead of Key.
func (o Op) Many() bool { return o == OpGetMany || o == OpSetMany || o == OpDeleteMany }

// writesTTL reports whether Command.TTL means something to the operation.
func (o Op) writesTTL() bool { return o >= OpSet && o <= OpDecrement || o == OpExpire }

// OpMask is a set of operations.
type OpMask uint32

// AllOps holds every operation.
const AllOps OpMask = 1<<opCount - 2

// Ops returns the set of ops.
func Ops(ops ...Op) OpMask {
	var m OpMask
	for _, o := range ops {
		m |= 1 << o
	}
	return m
}

// Has reports whether o is in the set.
func (m OpMask) Has(o Op) bool { return m>>o&1 != 0 }

// Outcome says how a command, or one key of it, ended. The numbers are part of the guest ABI.
type Outcome uint8

// The outcomes. OutcomeNone means that nothing has answered yet.
const (
	OutcomeNone      Outcome = iota
	OutcomeHit               // the key was there
	OutcomeMiss              // the key was not there
	OutcomeStored            // the write took place
	OutcomeNotStored         // the condition of a conditional write did not hold
	OutcomeBypass            // a hook kept the command from the tiers: a read misses, a write is skipped
	OutcomeDenied            // a hook refused the command
	OutcomeError             // the command failed
	outcomeCount
)

// OutcomeCount is one more than the highest Outcome.
const OutcomeCount = int(outcomeCount)

var outcomeNames = [outcomeCount]string{"none", "hit", "miss", "stored", "not_stored", "bypass", "denied", "error"}

// String returns the outcome's name as it stands in metrics and statistics.
func (o Outcome) String() string {
	if o < outcomeCount {
		return outcomeNames[o]
	}
	return "unknown"
}
