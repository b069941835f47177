package resp

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/edgecache/edgecache/core"
)

func ping(_ context.Context, c *conn, args [][]byte) {
	switch len(args) {
	case 1:
		c.out = append(c.out, "+PONG\r\n"...)
	case 2:
		c.bulk(args[1])
	default:
		c.err(c.cur.wrongArity())
	}
}

func echo(_ context.Context, c *conn, args [][]byte) { c.bulk(args[1]) }

func quit(_ context.Context, c *conn, _ [][]byte) {
	c.ok()
	c.ending = true
}

func selectDB(_ context.Context, c *conn, args [][]byte) {
	db, ok := c.integer(args[1], notInteger)
	switch {
	case !ok:
	case db < math.MinInt32 || db > math.MaxInt32:
		c.err("value is out of range, value must between -2147483648 and 2147483647")
	case db != 0:
		c.err("DB index is out of range")
	default:
		c.ok()
	}
}

func reset(_ context.Context, c *conn, _ [][]byte) {
	c.proto, c.v3, c.mute = 2, false, muteNone
	c.logout()
	c.identify(func(i *identity) { i.name, i.proto = "", c.proto })
	c.simple("RESET")
}

const badClientName = "Client names cannot contain spaces, newlines or special characters."

// validName reports whether a name can stand in CLIENT LIST.
func validName(name []byte) bool {
	for _, b := range name {
		if b < '!' || b > '~' {
			return false
		}
	}
	return true
}

func clientID(_ context.Context, c *conn, _ [][]byte) { c.int(c.id) }

func clientGetName(_ context.Context, c *conn, _ [][]byte) {
	if name := c.seen().name; name != "" {
		c.text(name)
	} else {
		c.null()
	}
}

func clientSetName(_ context.Context, c *conn, args [][]byte) {
	if !validName(args[2]) {
		c.err(badClientName)
		return
	}
	c.identify(func(i *identity) { i.name = string(args[2]) })
	c.ok()
}

// clientSetInfo is CLIENT SETINFO LIB-NAME|LIB-VER value.
func clientSetInfo(_ context.Context, c *conn, args [][]byte) {
	attribute, value := strings.ToLower(string(args[2])), string(args[3])
	switch {
	case attribute != "lib-name" && attribute != "lib-ver":
		c.err("Unrecognized option '" + cString(args[2]) + "'")
	case !validName(args[3]):
		c.err(attribute + " cannot contain spaces, newlines or special characters.")
	case attribute == "lib-name":
		c.identify(func(i *identity) { i.libName = value })
		c.ok()
	default:
		c.identify(func(i *identity) { i.libVer = value })
		c.ok()
	}
}

func clientInfo(_ context.Context, c *conn, _ [][]byte) {
	c.verbatim(c.describe(c) + "\n")
}

// describe returns other's line in CLIENT LIST.
func (c *conn) describe(other *conn) string {
	now, who, last := c.server.seconds.Load(), other.seen(), other.last.Load()
	if other == c {
		last = c.cur
	}
	remote, local := other.addresses()
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=-1 name=%s age=%d idle=%d flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 "+
		"cmd=%s user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s",
		other.id, remote, local, who.name, now-other.created, now-other.active.Load(),
		last.fullName(), who.user, max(who.proto, 2), who.libName, who.libVer)
}

// clientList is CLIENT LIST [TYPE type | ID id ...].
func clientList(_ context.Context, c *conn, args [][]byte) {
	wanted := func(*conn) bool { return true }
	switch {
	case len(args) == 2:
	case len(args) == 4 && is(args[2], "type"):
		normal, ok := c.clientType(args[3])
		if !ok {
			return
		}
		wanted = func(*conn) bool { return normal }
	case len(args) > 3 && is(args[2], "id"):
		ids := make(map[int64]bool)
		for _, arg := range args[3:] {
			id, ok := c.integer(arg, "ERR Invalid client ID")
			if !ok {
				return
			}
			ids[id] = true
		}
		wanted = func(other *conn) bool { return ids[other.id] }
	default:
		c.fail(syntaxError)
		return
	}
	var b strings.Builder
	for _, other := range c.server.clients() {
		if wanted(other) {
			b.WriteString(c.describe(other) + "\n")
		}
	}
	c.verbatim(b.String())
}

// clientType reports whether a type of clients is the one that all are of here, or appends an error.
func (c *conn) clientType(word []byte) (normal, ok bool) {
	switch {
	case is(word, "normal"):
		return true, true
	case is(word, "master"), is(word, "replica"), is(word, "slave"), is(word, "pubsub"):
		return false, true
	default:
		c.err("Unknown client type '" + cString(word) + "'")
		return false, false
	}
}

// clientKill is CLIENT KILL addr, or CLIENT KILL with filters.
func clientKill(_ context.Context, c *conn, args [][]byte) {
	f := killFilter{skipMe: len(args) > 3, normal: true}
	if len(args) == 3 {
		f.addr = string(args[2])
	} else if !c.killFilters(args[2:], &f) {
		return
	}
	killed := 0
	for _, other := range c.server.clients() {
		if !f.takes(c, other) {
			continue
		}
		killed++
		if other == c {
			c.ending = true
		} else {
			_ = other.nc.Close()
		}
	}
	switch {
	case len(args) > 3:
		c.int(int64(killed))
	case killed == 0:
		c.err("No such client")
	default:
		c.ok()
	}
}

// killFilter is whom CLIENT KILL means. Zero fields are not looked at.
type killFilter struct {
	id                int64
	addr, laddr, user string
	normal, skipMe    bool
}

func (f *killFilter) takes(c, other *conn) bool {
	remote, local := other.addresses()
	return f.normal && (other != c || !f.skipMe) &&
		(f.id == 0 || f.id == other.id) &&
		(f.addr == "" || f.addr == remote) &&
		(f.laddr == "" || f.laddr == local) &&
		(f.user == "" || f.user == other.seen().user)
}

func (c *conn) killFilters(args [][]byte, f *killFilter) (ok bool) {
	for i := 0; i < len(args); i += 2 {
		if i+1 == len(args) {
			c.fail(syntaxError)
			return false
		}
		word, value := args[i], args[i+1]
		switch {
		case is(word, "id"):
			n, ok := core.ParseInt(value)
			if !ok || n < 1 {
				c.err("client-id should be greater than 0")
				return false
			}
			f.id = n
		case is(word, "addr"):
			f.addr = string(value)
		case is(word, "laddr"):
			f.laddr = string(value)
		case is(word, "user"):
			f.user = string(value)
			if _, known := c.server.logins.digests[f.user]; !known && f.user != defaultUser {
				c.err("No such user '" + cString(value) + "'")
				return false
			}
		case is(word, "type"):
			if f.normal, ok = c.clientType(value); !ok {
				return false
			}
		case is(word, "skipme") && is(value, "yes"):
			f.skipMe = true
		case is(word, "skipme") && is(value, "no"):
			f.skipMe = false
		default:
			c.fail(syntaxError)
			return false
		}
	}
	return true
}

// clientSwitch is for what a cache need not do, but clients ask for: ON or OFF.
func clientSwitch(_ context.Context, c *conn, args [][]byte) {
	if !is(args[2], "on") && !is(args[2], "off") {
		c.fail(syntaxError)
		return
	}
	c.ok()
}

// clientReply is CLIENT REPLY ON|OFF|SKIP.
func clientReply(_ context.Context, c *conn, args [][]byte) {
	switch {
	case is(args[2], "on"):
		c.mute = muteNone
		c.ok()
	case is(args[2], "off"):
		c.mute = muteAll
	case is(args[2], "skip"):
		if c.mute != muteAll {
			c.mute = muteNext
		}
	default:
		c.fail(syntaxError)
	}
}

// help lists the subcommands of the command, as statuses.
func help(_ context.Context, c *conn, args [][]byte) {
	cmd := c.server.commands.find(args[0])
	lines := []string{strings.ToUpper(cmd.name) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"}
	for _, s := range cmd.subs {
		lines = append(lines, strings.ToUpper(s.name), "    "+s.about)
	}
	c.array(len(lines))
	for _, line := range lines {
		c.simple(line)
	}
}

// clock is TIME: unix seconds and the microseconds of the present one.
func clock(_ context.Context, c *conn, _ [][]byte) {
	now := time.Now().UnixMicro()
	c.array(2)
	c.text(strconv.FormatInt(now/1e6, 10))
	c.text(strconv.FormatInt(now%1e6, 10))
}
