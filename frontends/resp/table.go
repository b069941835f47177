package resp

import (
	"context"
	"strings"
)

// handler runs a command and appends its reply. args begins with the command's name and is valid until handler returns.
type handler func(ctx context.Context, c *conn, args [][]byte)

// command is an entry of the command table.
type command struct {
	name   string
	parent string // the command that this is a subcommand of, or ""
	arity  int    // how many words, the name included; negative is at least so many
	run    handler
	later  bool // GET: the reply may be made later
	keys   keyRange
	flags  flags
	group  string // as in COMMAND DOCS
	about  string // one sentence for COMMAND DOCS
	subs   []*command
}

// keyRange says which words are keys: from first to last, which counts from the end where negative, in steps.
type keyRange struct{ first, last, step int }

// flags are a command's properties, as COMMAND INFO has them.
type flags uint16

const (
	flagRead flags = 1 << iota
	flagWrite
	flagFast
	flagAdmin
	flagNoScript
	flagLoading
	flagStale
	flagNoAuth
	flagGrows // Redis: denyoom
)

// flagNames are in the order of the flags.
const flagNames = "readonly write fast admin noscript loading stale no_auth denyoom"

// names returns the flags' names.
func (f flags) names() (names []string) {
	for i, name := range strings.Fields(flagNames) {
		if f>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return names
}

func (c *command) has(f flags) bool { return c.flags&f != 0 }

func (c *command) accepts(words int) bool {
	return words == c.arity || c.arity < 0 && words >= -c.arity
}

// fullName returns the name as errors have it. A nil command, of a connection that has executed none, has none.
func (c *command) fullName() string {
	switch {
	case c == nil:
		return ""
	case c.parent != "":
		return c.parent + "|" + c.name
	default:
		return c.name
	}
}

func (c *command) wrongArity() string {
	return "wrong number of arguments for '" + c.fullName() + "' command"
}

// sub returns the subcommand called name, in whatever case, or nil.
func (c *command) sub(name []byte) *command {
	for _, s := range c.subs {
		if is(name, s.name) {
			return s
		}
	}
	return nil
}

// tableSlots is a power of two, large enough for few collisions.
const tableSlots = 512

// maxName is the length of the longest name that the table can hold.
const maxName = 16

// table finds commands by name. It is immutable.
type table struct {
	slots [tableSlots]slot
	all   []*command // in the order in which they are listed
}

// slot holds a command under its folded name.
type slot struct {
	high, low uint64
	cmd       *command
}

// newTable returns the table of all commands.
func newTable() *table {
	t := &table{all: commands()}
	for _, cmd := range t.all {
		for _, s := range cmd.subs {
			s.parent = cmd.name
		}
		high, low := fold([]byte(cmd.name))
		i := slotOf(high, low)
		for t.slots[i].cmd != nil {
			i = (i + 1) % tableSlots
		}
		t.slots[i] = slot{high, low, cmd}
	}
	return t
}

// find returns the command called name, in whatever case, or nil.
func (t *table) find(name []byte) *command {
	if len(name) > maxName {
		return nil
	}
	high, low := fold(name)
	for i := slotOf(high, low); ; i = (i + 1) % tableSlots {
		s := &t.slots[i]
		if s.cmd == nil || s.low == low && s.high == high {
			return s.cmd
		}
	}
}

// fold packs a name of at most maxName bytes into two words, without regard to case. The bit that it sets tells lower
// from upper case in letters, of which all names of commands are made, so that nothing else looks like one of them.
func fold(name []byte) (high, low uint64) {
	for _, b := range name {
		high = high<<8 | low>>56
		low = low<<8 | uint64(b|0x20)
	}
	return high, low
}

func slotOf(high, low uint64) uint64 {
	return ((low ^ high*31) * 0x9e3779b97f4a7c15) >> (64 - 9) // 9 bits: tableSlots
}

// one is a command on one key.
func one(name string, arity int, run handler, f flags, about string) *command {
	return &command{name: name, arity: arity, run: run, keys: keyRange{1, 1, 1}, flags: f, about: about}
}

// many is a command all of whose words are keys.
func many(name string, run handler, f flags, about string) *command {
	return &command{name: name, arity: -2, run: run, keys: keyRange{1, -1, 1}, flags: f, about: about}
}

// bare is a command without keys.
func bare(name string, arity int, run handler, f flags, about string) *command {
	return &command{name: name, arity: arity, run: run, flags: f, about: about}
}

// commands returns every command. Handlers find the table through their connection, so that it need not be a variable.
func commands() []*command {
	return append(append(append(append(stringCommands(), keyCommands()...), connectionCommands()...), serverCommands()...),
		objectCommand())
}

func stringCommands() []*command {
	const (
		read  = flagRead | flagFast
		write = flagWrite | flagGrows
	)
	list := []*command{
		{
			name: "get", arity: 2, run: get, later: true, keys: keyRange{1, 1, 1}, flags: read,
			about: "Returns the value of a key.",
		},
		one("set", -3, set, write, "Sets the value of a key, and its expiry."),
		one("setnx", 3, setnx, write|flagFast, "Sets a key only if it is absent."),
		one("setex", 4, setex, write, "Sets a key and its time to live in seconds."),
		one("psetex", 4, psetex, write, "Sets a key and its time to live in milliseconds."),
		one("getset", 3, getset, write|flagFast, "Sets a key and returns its old value."),
		one("getdel", 2, getdel, flagWrite|flagFast, "Deletes a key and returns its value."),
		one("getex", -2, getex, flagWrite|flagFast, "Returns a key's value and sets its expiry."),
		many("mget", mget, read, "Returns the values of keys."),
		{name: "mset", arity: -3, run: mset, keys: keyRange{1, -1, 2}, flags: write, about: "Sets keys."},
		one("incr", 2, incr, write|flagFast, "Adds one to a number."),
		one("decr", 2, decr, write|flagFast, "Subtracts one from a number."),
		one("incrby", 3, incrby, write|flagFast, "Adds to a number."),
		one("decrby", 3, decrby, write|flagFast, "Subtracts from a number."),
		one("incrbyfloat", 3, incrbyfloat, write|flagFast, "Adds to a number with a fraction."),
		one("append", 3, appendTo, write|flagFast, "Adds bytes at the end of a value."),
		one("strlen", 2, strlen, read, "Returns the length of a value."),
		one("getrange", 4, getrange, flagRead, "Returns a part of a value."),
		one("substr", 4, getrange, flagRead, "Returns a part of a value."),
		one("setrange", 4, setrange, write, "Overwrites a part of a value."),
	}
	return grouped("string", list)
}

func keyCommands() []*command {
	list := []*command{
		many("del", del, flagWrite, "Deletes keys."),
		many("unlink", del, flagWrite|flagFast, "Deletes keys."),
		many("exists", exists, flagRead|flagFast, "Counts the keys that are there."),
		many("touch", exists, flagRead|flagFast, "Counts the keys that are there."),
		one("type", 2, typeOf, flagRead|flagFast, "Returns the type of a key."),
		one("ttl", 2, ttl, flagRead|flagFast, "Returns a time to live in seconds."),
		one("pttl", 2, pttl, flagRead|flagFast, "Returns a time to live in milliseconds."),
		one("expiretime", 2, expiretime, flagRead|flagFast, "Returns when a key ends, in unix seconds."),
		one("pexpiretime", 2, pexpiretime, flagRead|flagFast, "Returns when a key ends, in unix milliseconds."),
		one("expire", -3, expire, flagWrite|flagFast, "Sets a time to live in seconds."),
		one("pexpire", -3, pexpire, flagWrite|flagFast, "Sets a time to live in milliseconds."),
		one("expireat", -3, expireat, flagWrite|flagFast, "Sets when a key ends, in unix seconds."),
		one("pexpireat", -3, pexpireat, flagWrite|flagFast, "Sets when a key ends, in unix milliseconds."),
		one("persist", 2, persist, flagWrite|flagFast, "Takes the expiry from a key."),
		bare("keys", 2, keys, flagRead, "Returns all keys that match a pattern."),
		bare("scan", -2, scan, flagRead, "Returns some of the keys and where to go on."),
	}
	return grouped("generic", list)
}

func connectionCommands() []*command {
	const always = flagNoScript | flagLoading | flagStale | flagFast
	list := []*command{
		bare("ping", -1, ping, flagFast, "Returns PONG, or its argument."),
		bare("echo", 2, echo, flagFast, "Returns its argument."),
		bare("hello", -1, hello, always|flagNoAuth, "Chooses the protocol and authenticates."),
		bare("auth", -2, auth, always|flagNoAuth, "Authenticates the connection."),
		bare("select", 2, selectDB, flagLoading|flagStale|flagFast, "Chooses database 0, the only one."),
		bare("quit", -1, quit, always|flagNoAuth, "Closes the connection."),
		bare("reset", 1, reset, always|flagNoAuth, "Makes the connection as it was at first."),
		clientCommand(),
	}
	return grouped("connection", list)
}

func clientCommand() *command {
	const common = flagNoScript | flagLoading | flagStale
	return &command{name: "client", arity: -2, run: help, about: "Client connections.", subs: grouped("connection", []*command{
		bare("id", 2, clientID, common, "Returns the connection's number."),
		bare("getname", 2, clientGetName, common, "Returns the connection's name."),
		bare("setname", 3, clientSetName, common, "Names the connection."),
		bare("setinfo", 4, clientSetInfo, common, "Notes the client's library: LIB-NAME or LIB-VER."),
		bare("info", 2, clientInfo, common, "Describes the connection."),
		bare("list", -2, clientList, common|flagAdmin, "Describes connections: TYPE type, or ID id ..."),
		bare("kill", -3, clientKill, common|flagAdmin, "Closes connections: addr, or ID, ADDR, LADDR, TYPE, USER, SKIPME."),
		bare("no-evict", 3, clientSwitch, common|flagAdmin, "Taken note of: ON or OFF."),
		bare("no-touch", 3, clientSwitch, common, "Taken note of: ON or OFF."),
		bare("reply", 3, clientReply, common, "Says which replies are wanted: ON, OFF or SKIP."),
		bare("help", 2, help, common, "Lists the subcommands."),
	})}
}

func serverCommands() []*command {
	const common = flagLoading | flagStale
	list := []*command{
		bare("info", -1, info, common, "Returns figures of the server."),
		bare("dbsize", 1, dbsize, flagRead|flagFast, "Counts the keys."),
		bare("time", 1, clock, common|flagFast, "Returns the server's time."),
		bare("flushdb", -1, flush, flagWrite, "Deletes all keys."),
		bare("flushall", -1, flush, flagWrite, "Deletes all keys."),
		{name: "config", arity: -2, run: help, about: "Parameters of the server.", subs: grouped("server", []*command{
			bare("get", -3, configGet, common|flagAdmin|flagNoScript, "Returns the parameters that match."),
			bare("set", -4, configSet, common|flagAdmin|flagNoScript, "Changes parameters."),
			bare("help", 2, help, common, "Lists the subcommands."),
		})},
		{name: "command", arity: -1, run: commandAll, flags: common, about: "Describes the commands.", subs: grouped("server", []*command{
			bare("count", 2, commandCount, common, "Counts the commands."),
			bare("list", -2, commandList, common, "Lists commands: FILTERBY MODULE, ACLCAT or PATTERN."),
			bare("info", -2, commandInfo, common, "Describes commands for clients."),
			bare("docs", -2, commandDocs, common, "Describes commands for people."),
			bare("getkeys", -4, commandGetKeys, common, "Returns the keys of a command."),
			bare("help", 2, help, common, "Lists the subcommands."),
		})},
	}
	return grouped("server", list)
}

func objectCommand() *command {
	key := keyRange{2, 2, 1}
	c := &command{name: "object", arity: -2, run: help, about: "How a value is stored.", subs: grouped("generic", []*command{
		{name: "encoding", arity: 3, run: objectEncoding, keys: key, flags: flagRead, about: "Returns how Redis would store the value."},
		{name: "refcount", arity: 3, run: objectRefcount, keys: key, flags: flagRead, about: "Returns 1."},
		{name: "idletime", arity: 3, run: objectIdletime, keys: key, flags: flagRead, about: "Returns 0: not measured."},
		bare("help", 2, help, flagLoading|flagStale, "Lists the subcommands."),
	})}
	c.group = "generic"
	return c
}

// grouped sets the group of the commands.
func grouped(group string, list []*command) []*command {
	for _, c := range list {
		c.group = group
	}
	return list
}
