package resp

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
)

// defaultUser is who a client is before it says otherwise.
const defaultUser = "default"

// logins knows who may log in. Comparing takes the same time whatever is wrong.
type logins struct {
	required bool
	digests  map[string][sha256.Size]byte // of the passwords, by user
}

func newLogins(o Options) logins {
	l := logins{digests: make(map[string][sha256.Size]byte)}
	for user, password := range o.Users {
		l.digests[user] = sha256.Sum256([]byte(password))
	}
	if o.RequirePass != "" {
		l.digests[defaultUser] = sha256.Sum256([]byte(o.RequirePass))
	}
	l.required = len(l.digests) > 0
	return l
}

// accepts reports whether the password is the user's. Where nobody needs one, the default user has any.
func (l *logins) accepts(user string, password []byte) bool {
	if !l.required {
		return user == defaultUser
	}
	given := sha256.Sum256(password)
	want, known := l.digests[user]
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1 && known
}

const (
	noPassword = "ERR AUTH <password> called without any password configured for the default user. " +
		"Are you sure your configuration is correct?"
	wrongPassword = "WRONGPASS invalid username-password pair or user is disabled."
	notLoggedIn   = "NOAUTH Authentication required."
	helloNoAuth   = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH " +
		"<user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
)

// auth is AUTH [username] password.
func auth(_ context.Context, c *conn, args [][]byte) {
	user, password := defaultUser, args[1]
	switch {
	case len(args) > 3:
		c.fail(syntaxError)
		return
	case len(args) == 3:
		user, password = string(args[1]), args[2]
	case !c.server.logins.required:
		c.fail(noPassword)
		return
	}
	if c.logIn(user, password) {
		c.ok()
	}
}

// logIn makes the client the user, or appends an error and returns false.
func (c *conn) logIn(user string, password []byte) bool {
	if !c.server.logins.accepts(user, password) {
		c.fail(wrongPassword)
		return false
	}
	c.setLogin(true, user)
	return true
}

// hello is HELLO [protover [AUTH username password] [SETNAME clientname]].
func hello(_ context.Context, c *conn, args [][]byte) {
	proto := int64(c.proto)
	if len(args) > 1 {
		var ok bool
		if proto, ok = c.integer(args[1], "ERR Protocol version is not an integer or out of range"); !ok {
			return
		}
		if proto < 2 || proto > 3 {
			c.fail("NOPROTO unsupported protocol version")
			return
		}
	}
	o, ok := c.helloOptions(args[min(len(args), 2):])
	if !ok || o.user != nil && !c.logIn(string(o.user), o.password) {
		return
	}
	if !c.authed {
		c.fail(helloNoAuth)
		return
	}
	c.proto, c.v3 = int(proto), proto == 3
	c.identify(func(i *identity) {
		i.proto = c.proto
		if o.name != nil {
			i.name = string(o.name)
		}
	})
	c.greet()
}

type helloOptions struct{ user, password, name []byte }

func (c *conn) helloOptions(args [][]byte) (o helloOptions, ok bool) {
	for i := 0; i < len(args); i++ {
		more := len(args) - 1 - i
		switch {
		case is(args[i], "auth") && more >= 2:
			o.user, o.password = args[i+1], args[i+2]
			i += 2
		case is(args[i], "setname") && more >= 1:
			o.name = args[i+1]
			if !validName(o.name) {
				c.err(badClientName)
				return o, false
			}
			i++
		default:
			c.err("Syntax error in HELLO option '" + cString(args[i]) + "'")
			return o, false
		}
	}
	return o, true
}

// greet says who the server is. Clients look for a Redis and its version.
func (c *conn) greet() {
	c.dict(7)
	c.text("server")
	c.text("redis")
	c.text("version")
	c.text(redisVersion)
	c.text("proto")
	c.int(int64(c.proto))
	c.text("id")
	c.int(c.id)
	c.text("mode")
	c.text("standalone")
	c.text("role")
	c.text("master")
	c.text("modules")
	c.array(0)
}
