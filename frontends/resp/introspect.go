package resp

import (
	"context"
	"slices"
	"strings"
)

func commandCount(_ context.Context, c *conn, _ [][]byte) { c.int(int64(len(c.server.commands.all))) }

// commandAll is COMMAND without a subcommand.
func commandAll(_ context.Context, c *conn, _ [][]byte) {
	all := c.server.commands.all
	c.array(len(all))
	for _, cmd := range all {
		c.describeCommand(cmd)
	}
}

// commandList is COMMAND LIST [FILTERBY MODULE name|ACLCAT category|PATTERN pattern].
func commandList(_ context.Context, c *conn, args [][]byte) {
	wanted := func(*command) bool { return true }
	if len(args) > 2 {
		if len(args) != 5 || !is(args[2], "filterby") {
			c.fail(syntaxError)
			return
		}
		filter := string(args[4])
		switch {
		case is(args[3], "module"):
			wanted = func(*command) bool { return false }
		case is(args[3], "aclcat"):
			wanted = func(cmd *command) bool { return slices.Contains(cmd.categories(), "@"+strings.ToLower(filter)) }
		case is(args[3], "pattern"):
			wanted = func(cmd *command) bool { return match(filter, cmd.name) }
		default:
			c.fail(syntaxError)
			return
		}
	}
	var names []string
	for _, cmd := range c.server.commands.all {
		if wanted(cmd) {
			names = append(names, cmd.name)
		}
	}
	c.texts(names)
}

// named returns the commands called as the words say, nil for the unknown, or all without words. A subcommand is called
// "client|id".
func (t *table) named(words [][]byte) []*command {
	if len(words) == 0 {
		return t.all
	}
	list := make([]*command, len(words))
	for i, word := range words {
		name, sub, isSub := strings.Cut(string(word), "|")
		cmd := t.find([]byte(name))
		if cmd != nil && isSub {
			cmd = cmd.sub([]byte(sub))
		}
		list[i] = cmd
	}
	return list
}

func commandInfo(_ context.Context, c *conn, args [][]byte) {
	list := c.server.commands.named(args[2:])
	c.array(len(list))
	for _, cmd := range list {
		if cmd == nil {
			c.null()
		} else {
			c.describeCommand(cmd)
		}
	}
}

// describeCommand appends what COMMAND INFO says of the command.
func (c *conn) describeCommand(cmd *command) {
	c.array(10)
	c.text(cmd.fullName())
	c.int(int64(cmd.arity))
	c.statuses(cmd.flags.names())
	c.int(int64(cmd.keys.first))
	c.int(int64(cmd.keys.last))
	c.int(int64(cmd.keys.step))
	c.statuses(cmd.categories())
	c.set(0) // tips
	c.keySpecs(cmd)
	c.array(len(cmd.subs))
	for _, sub := range cmd.subs {
		c.describeCommand(sub)
	}
}

// keySpecs appends where the command's keys are, in the form that came with Redis 7.
func (c *conn) keySpecs(cmd *command) {
	if cmd.keys.step == 0 {
		c.set(0)
		return
	}
	c.set(1)
	c.dict(3)
	c.text("flags")
	if cmd.has(flagWrite) {
		c.statuses([]string{"RW", "ACCESS", "UPDATE"})
	} else {
		c.statuses([]string{"RO", "ACCESS"})
	}
	c.text("begin_search")
	c.typedSpec("index", []specField{{"index", cmd.keys.first}})
	c.text("find_keys")
	last := cmd.keys.last
	if last > 0 {
		last -= cmd.keys.first // relative to the first
	}
	c.typedSpec("range", []specField{{"lastkey", last}, {"keystep", cmd.keys.step}, {"limit", 0}})
}

type specField struct {
	name string
	n    int
}

func (c *conn) typedSpec(kind string, fields []specField) {
	c.dict(2)
	c.text("type")
	c.text(kind)
	c.text("spec")
	c.dict(len(fields))
	for _, f := range fields {
		c.text(f.name)
		c.int(int64(f.n))
	}
}

// categories returns the access categories that Redis would put the command in.
func (c *command) categories() []string {
	var list []string
	add := func(is bool, name string) {
		if is {
			list = append(list, name)
		}
	}
	add(c.group == "generic" || c.name == "dbsize" || strings.HasPrefix(c.name, "flush"), "@keyspace")
	add(c.has(flagRead), "@read")
	add(c.has(flagWrite), "@write")
	add(c.group == "string", "@string")
	add(c.group == "connection", "@connection")
	add(c.has(flagAdmin), "@admin")
	add(c.has(flagFast), "@fast")
	add(!c.has(flagFast), "@slow")
	add(c.has(flagAdmin) || c.name == "keys" || strings.HasPrefix(c.name, "flush"), "@dangerous")
	return list
}

func commandDocs(_ context.Context, c *conn, args [][]byte) {
	list := slices.DeleteFunc(slices.Clone(c.server.commands.named(args[2:])), func(cmd *command) bool { return cmd == nil })
	c.dict(len(list))
	for _, cmd := range list {
		c.document(cmd)
	}
}

// document appends the command's name and what COMMAND DOCS says of it.
func (c *conn) document(cmd *command) {
	c.text(cmd.fullName())
	if cmd.subs == nil {
		c.dict(2)
	} else {
		c.dict(3)
	}
	c.text("summary")
	c.text(cmd.about)
	c.text("group")
	c.text(cmd.group)
	if cmd.subs == nil {
		return
	}
	c.text("subcommands")
	c.dict(len(cmd.subs))
	for _, sub := range cmd.subs {
		c.document(sub)
	}
}

// commandGetKeys is COMMAND GETKEYS command [arg ...].
func commandGetKeys(_ context.Context, c *conn, args [][]byte) {
	words := args[2:]
	cmd := c.server.commands.find(words[0])
	if cmd != nil && cmd.subs != nil && len(words) > 1 {
		cmd = cmd.sub(words[1])
	}
	switch {
	case cmd == nil:
		c.err("Invalid command specified")
	case cmd.keys.step == 0:
		c.err("The command has no key arguments")
	case !cmd.accepts(len(words)):
		c.err("Invalid number of arguments specified for command")
	default:
		last := cmd.keys.last
		if last < 0 {
			last += len(words)
		}
		c.array((last-cmd.keys.first)/cmd.keys.step + 1)
		for i := cmd.keys.first; i <= last; i += cmd.keys.step {
			c.bulk(words[i])
		}
	}
}
