package resp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

// pair is a real Redis and this frontend, which get the same commands.
type pair struct{ redis, ours *client }

// newPair starts both, with one database.
func newPair(t testing.TB, o Options, redisArgs ...string) pair {
	t.Helper()
	redis := testserver.Redis(t, append([]string{"--databases", "1", "--proto-max-bulk-len", "64mb"}, redisArgs...)...)
	_, addr := start(t, newCache(t, core.Options{}), o)
	return pair{dial(t, redis.Addr()), dial(t, addr)}
}

// same sends a command to both and compares the replies.
func (p *pair) same(t *testing.T, words ...string) {
	t.Helper()
	p.redis.send(encode(words...))
	p.ours.send(encode(words...))
	p.compare(t, words)
}

func (p *pair) compare(t *testing.T, words []string) {
	t.Helper()
	want, got := p.redis.reply(), p.ours.reply()
	if want != got && !excused(words, want, got) {
		t.Errorf("%.200q:\n got %.300q\nwant %.300q", words, got, want)
	}
}

// excused reports whether two replies may differ: the order of keys, and times by what passes between the servers.
func excused(words []string, want, got string) bool {
	switch strings.ToLower(words[0]) {
	case "keys", "scan":
		return sortedBulks(want) == sortedBulks(got)
	case "ttl", "expiretime":
		return near(want, got, 1)
	case "pttl", "pexpiretime":
		return near(want, got, 250)
	}
	return false
}

// sortedBulks returns an array's lines with the bulk strings in order.
func sortedBulks(reply string) string {
	lines := strings.Split(reply, "\r\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// near reports whether two integer replies are both times and differ by no more than by.
func near(want, got string, by int64) bool {
	a, errA := strconv.ParseInt(strings.Trim(want, ":\r\n"), 10, 64)
	b, errB := strconv.ParseInt(strings.Trim(got, ":\r\n"), 10, 64)
	return errA == nil && errB == nil && a > 0 && b > 0 && a-b <= by && b-a <= by
}

// TestDifferential sends random commands to a real Redis and to this frontend. EDGECACHE_DIFFERENTIAL is how many
// (default 20,000), EDGECACHE_SEED where they begin.
func TestDifferential(t *testing.T) {
	commands, seed := envInt("EDGECACHE_DIFFERENTIAL", 20_000), envInt("EDGECACHE_SEED", 1)
	for _, proto := range []string{"2", "3"} {
		t.Run("RESP"+proto, func(t *testing.T) {
			p := newPair(t, Options{})
			p.redis.do("HELLO", proto)
			p.ours.do("HELLO", proto)
			g := &generator{rnd: rand.New(rand.NewPCG(uint64(seed), 0))}
			for sent := 0; sent < commands && !t.Failed(); {
				batch := make([][]string, 1+g.rnd.IntN(16))
				var wire []byte
				for i := range batch {
					batch[i] = g.command()
					wire = append(wire, encode(batch[i]...)...)
				}
				p.redis.send(wire)
				p.ours.send(wire)
				for i, words := range batch {
					p.compare(t, words)
					if t.Failed() {
						t.Fatalf("the batch: %q", batch[:i+1])
					}
				}
				sent += len(batch)
			}
		})
	}
}

func envInt(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// generator makes commands, most of them valid.
type generator struct {
	rnd   *rand.Rand
	times int
}

func (g *generator) pick(words ...string) string { return words[g.rnd.IntN(len(words))] }

func (g *generator) key() string {
	return g.pick("a", "b", "c", "d", "e{x}", "", "k\x00\r\n\xff", "longer:key:name")
}

func (g *generator) value() string {
	switch g.rnd.IntN(8) {
	case 0:
		return strings.Repeat(g.pick("x", "yz", "\r\n"), g.rnd.IntN(3000))
	case 1, 2:
		return g.number()
	case 3:
		return g.pick("1.5", "-0.25", "3e2", "1e-3", "5.0", "inf", "nan", "0x10", " 1", "1 ", "1_0", "", "+3", ".5", "7.")
	default:
		return g.pick("hello", "", "\x00\xff", "world", "$-1\r\n")
	}
}

func (g *generator) number() string {
	return g.pick("0", "1", "-1", "7", "12", "-100", "9223372036854775807", "-9223372036854775808", "007", "-0", "1x",
		"9223372036854775808", strconv.Itoa(g.rnd.IntN(1000)))
}

// seconds is far enough and never the same twice, so that no comparison hangs on the time between the servers.
func (g *generator) seconds() int {
	g.times++
	return 1000 + g.times*7919%99991
}

// ttl returns an argument for an expiry, in seconds or milliseconds, from now or since 1970.
func (g *generator) ttl(seconds, absolute bool) string {
	if g.rnd.IntN(6) == 0 {
		words := []string{"0", "-1", "x", "1.5", "", "-9223372036854775808", "+5", "9223372036854775808"}
		if seconds { // in milliseconds these are times beyond the year 2262
			words = append(words, "9223372036854775807", "9223372036854776")
		}
		return g.pick(words...)
	}
	n := g.seconds()
	if absolute {
		n += 4_000_000_000
	}
	if !seconds {
		n *= 1000
	}
	return strconv.Itoa(n)
}

func (g *generator) expiry() []string {
	switch g.rnd.IntN(4) {
	case 0:
		return []string{g.pick("EX", "ex"), g.ttl(true, false)}
	case 1:
		return []string{"PX", g.ttl(false, false)}
	case 2:
		return []string{"eXaT", g.ttl(true, true)}
	default:
		return []string{"PXAT", g.ttl(false, true)}
	}
}

func (g *generator) set() []string {
	words := []string{g.pick("SET", "set", "SeT"), g.key(), g.value()}
	for range g.rnd.IntN(4) {
		switch g.rnd.IntN(6) {
		case 0:
			words = append(words, g.expiry()...)
		case 1:
			words = append(words, g.pick("EX", "PX", "junk", "nxx", "PERSIST"))
		default:
			words = append(words, g.pick("NX", "XX", "GET", "KEEPTTL", "get", "xx"))
		}
	}
	return words
}

func (g *generator) keys(n int) []string {
	words := make([]string, n)
	for i := range words {
		words[i] = g.key()
	}
	return words
}

func (g *generator) expire() []string {
	var words []string
	switch g.rnd.IntN(4) {
	case 0:
		words = []string{"EXPIRE", g.key(), g.ttl(true, false)}
	case 1:
		words = []string{"PEXPIRE", g.key(), g.ttl(false, false)}
	case 2:
		words = []string{"EXPIREAT", g.key(), g.ttl(true, true)}
	default:
		words = []string{"PEXPIREAT", g.key(), g.ttl(false, true)}
	}
	for range g.rnd.IntN(3) {
		words = append(words, g.pick("NX", "XX", "GT", "LT", "gt", "lt", "what"))
	}
	return words
}

func (g *generator) command() []string {
	switch g.rnd.IntN(24) {
	case 0, 1, 2, 3:
		return g.set()
	case 4, 5:
		return []string{"GET", g.key()}
	case 6:
		return []string{g.pick("SETNX", "GETSET", "APPEND"), g.key(), g.value()}
	case 7:
		return []string{"SETEX", g.key(), g.ttl(true, false), g.value()}
	case 8:
		return []string{"PSETEX", g.key(), g.ttl(false, false), g.value()}
	case 9:
		return []string{g.pick("GETDEL", "STRLEN", "TYPE", "PERSIST"), g.key()}
	case 10:
		return append([]string{"GETEX", g.key()}, [][]string{nil, g.expiry(), {"PERSIST"}, {"EX"}, {"KEEPTTL"}}[g.rnd.IntN(5)]...)
	case 11:
		return append([]string{g.pick("MGET", "EXISTS", "TOUCH", "DEL", "UNLINK")}, g.keys(g.rnd.IntN(5))...)
	case 12:
		words := []string{"MSET"}
		for range g.rnd.IntN(4) {
			words = append(words, g.key(), g.value())
		}
		return words[:len(words)-g.rnd.IntN(2)*min(1, len(words)-1)]
	case 13:
		return []string{g.pick("INCR", "DECR"), g.key()}
	case 14:
		return []string{g.pick("INCRBY", "DECRBY"), g.key(), g.number()}
	case 15, 16:
		return []string{g.pick("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"), g.key()}
	case 17, 18:
		return g.expire()
	case 19:
		return []string{g.pick("GETRANGE", "SUBSTR"), g.key(), g.number(), g.number()}
	case 20:
		return []string{"SETRANGE", g.key(), g.pick("0", "1", "5", "-1", "100", "x", "67108864", "9223372036854775807"), g.pick("", "ab", "c")}
	case 21:
		return []string{"INCRBYFLOAT", g.key(), g.pick("1", "0.1", "-2.5", "1e3", "x", "", "inf", "-inf", "nan", "1e4000", " 1")}
	case 22:
		return g.rare()
	default:
		return g.broken()
	}
}

func (g *generator) rare() []string {
	return [][]string{
		{"KEYS", g.pick("*", "?", "[ab]", "lon*", "\\a", "nothing", "[^a]", "e{x}", "")},
		{"SCAN", "0", "COUNT", "1000"},
		{"SCAN", "0", "COUNT", "1000", "MATCH", g.pick("*", "?", "lon*", "")},
		{"SCAN", "0", "COUNT", "1000", "TYPE", g.pick("string", "STRING", "hash")},
		{"SCAN", g.pick("x", "1.0", "-"), "COUNT", "1"},
		{"SCAN", "0", "COUNT", g.pick("0", "-1", "x")},
		{"SCAN", "0", g.pick("COUNT", "MATCH", "TYPE", "junk")},
		{"DBSIZE"},
		{"PING"},
		{"PING", g.value()},
		{"PING", "a", "b"},
		{"ECHO", g.value()},
		{"ECHO"},
		{"SELECT", g.pick("0", "1", "-1", "x", "99999999999")},
		{g.pick("FLUSHDB", "FLUSHALL")},
		{"FLUSHDB", g.pick("ASYNC", "SYNC", "what")},
		{"FLUSHALL", "sync", "async"},
	}[g.rnd.IntN(17)]
}

// broken makes commands that are unknown or have too few or too many words.
func (g *generator) broken() []string {
	name := g.pick("GET", "SET", "MGET", "INCR", "EXPIRE", "TTL", "nope", "ge", "getx", "", "A\r\nB", "verylongcommandname",
		"CLIENT", "CONFIG", "OBJECT", "DEL", "\x00", "SCAN", "KEYS", "APPEND", strings.Repeat("z", 200))
	words := append([]string{name}, g.keys(g.rnd.IntN(2))...)
	if name == "SET" || name == "EXPIRE" || name == "SCAN" || name == "OBJECT" {
		return words[:1]
	}
	for range g.rnd.IntN(5) {
		if name == "nope" || name == "" {
			words = append(words, g.value())
		}
	}
	return words
}

// TestSameReplies compares replies in corners that random commands seldom find.
func TestSameReplies(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		t.Run("RESP"+proto, func(t *testing.T) {
			p := newPair(t, Options{})
			p.redis.do("HELLO", proto)
			p.ours.do("HELLO", proto)
			for _, line := range cornerCommands() {
				p.same(t, line...)
			}
		})
	}
}

func cornerCommands() [][]string {
	var all [][]string
	for line := range strings.SplitSeq(strings.TrimSpace(corners), "\n") {
		var words []string
		split, _ := splitWords(nil, []byte(line))
		for _, w := range split {
			words = append(words, string(w))
		}
		all = append(all, words)
	}
	return append(all, []string{"ECHO", strings.Repeat("x", 200_000)}, []string{strings.Repeat("y", 500), "z"})
}

const corners = `
SET k v
SET k v EX 0
SET k v EX -5
SET k v EX 9223372036854775
SET k v EX 9223372036854775807
SET k v PX 9223372036854775807
SET k v EX 10 EX 20
SET k v EX 10 PX 20
SET k v EX
SET k v EXAT 1
GET k
EXISTS k
SET k v
SET k w PXAT 1 GET
GET k
SET k 1 NX GET
SET k 2 NX GET
SET k 3 XX GET
SET k2 3 XX GET
SET k 4 NX XX
SET k 4 KEEPTTL EX 10
SET k 4 EX 10 KEEPTTL
SET k 4 PERSIST
SET k 10 EX 1000
SET k 11 KEEPTTL
TTL k
PERSIST k
PERSIST k
PERSIST nokey
TTL k
GETEX k EX 0
GETEX nokey EX 0
GETEX nokey EX x
GETEX k EX x
GETEX k EX
GETEX k PERSIST EX 10
GETEX k EX 10 PERSIST
GETEX k KEEPTTL
GETEX k EXAT 1
EXISTS k
GETEX k EXAT 1
EXPIRE k 10
SET k v
EXPIRE k 10 NX GT
EXPIRE k 10 GT LT
EXPIRE k 10 XX
EXPIRE k 1000 NX
EXPIRE k 500 GT
EXPIRE k 500 LT
EXPIRE k 2000 XX
EXPIRE k 9223372036854775807
EXPIRE k 9223372036854775
PEXPIRE k 9223372036854775807
EXPIRE k -9223372036854775808
EXPIRE k x
EXPIRE k x junk
EXPIRE k 10 junk
EXPIRE k 10 XX junk
PEXPIREAT k 1
EXISTS k
TTL k
PTTL k
EXPIRETIME k
SET k v
EXPIRE k -1
EXISTS k
SET n 9223372036854775807
INCR n
DECRBY n -1
INCRBY n 1
DECRBY n -9223372036854775808
DECRBY nokey2 -9223372036854775808
SET n -9223372036854775808
DECR n
INCRBY n x
SET n 007
INCR n
SET n "-0"
INCR n
SET n " 1"
INCR n
SET n ""
INCR n
INCRBYFLOAT f 0.1
INCRBYFLOAT f 0.2
INCRBYFLOAT f -0.3
INCRBYFLOAT f 1e20
INCRBYFLOAT f 3.14159265358979323846
INCRBYFLOAT f abc
SET f 10.50
INCRBYFLOAT f 0.1
SET f 5.0e3
INCRBYFLOAT f 2.0e2
SET f 3
INCRBYFLOAT f 1.000000000000000005
SET f 1
INCRBYFLOAT f 1.15
SETRANGE r 3 abc
GET r
SETRANGE r -1 x
SETRANGE r x x
SETRANGE r2 0 ""
EXISTS r2
SETRANGE r 0 ""
SETRANGE r 9223372036854775807 x
GETRANGE r 0 -1
GETRANGE r -3 -1
GETRANGE r -1 -3
GETRANGE r 5 1
GETRANGE r 0 1000
GETRANGE r -1000 2
GETRANGE r x 2
GETRANGE r 0 x
GETRANGE nokey 0 -1
APPEND r ""
STRLEN r
STRLEN nokey
MSET a
MSET a 1 b
MSET a 1 b 2 a 3
MGET a b nokey a
MGET
EXISTS a a b nokey
TOUCH a b nokey
DEL a a nokey
UNLINK b
DEL b
TYPE r
TYPE nokey
GETDEL r
GETDEL r
GETSET r 1
GETSET r 2
SETNX r 3
SETEX r 0 x
SETEX r x x
SETEX r 10
PSETEX r 0 x
SUBSTR r 0 0
OBJECT ENCODING r
OBJECT ENCODING nokey
OBJECT REFCOUNT nokey
OBJECT NOPE r
OBJECT
OBJECT ENCODING
SET long "0123456789012345678901234567890123456789abcd"
OBJECT ENCODING long
SET long "0123456789012345678901234567890123456789abcde"
OBJECT ENCODING long
SELECT 0
SELECT 1
SELECT -1
SELECT abc
SELECT 99999999999
SELECT
FLUSHDB what
FLUSHDB sync async
FLUSHALL
DBSIZE
SCAN 0
SCAN abc
SCAN 0 MATCH
SCAN 0 COUNT 0
SCAN 0 COUNT x
SCAN 0 TYPE string
SCAN 0 WHAT 1
KEYS *
KEYS
CLIENT
CLIENT NOPE
CLIENT GETNAME
CLIENT SETNAME "a b"
CLIENT SETNAME abc
CLIENT GETNAME
CLIENT SETNAME ""
CLIENT GETNAME
CLIENT SETNAME
CLIENT REPLY nope
CLIENT REPLY on
CLIENT NO-EVICT x
CLIENT NO-EVICT on
CLIENT KILL nope
CLIENT KILL ID x
CLIENT KILL ID 999999
CLIENT KILL TYPE nope
CLIENT KILL USER nobody
CLIENT KILL ADDR
CLIENT KILL ADDR 1.2.3.4:5 SKIPME maybe
CLIENT KILL SKIPME no ADDR 1.2.3.4:5
CLIENT LIST TYPE nope
CLIENT LIST what
CLIENT LIST ID x
CLIENT ID x
CONFIG
CONFIG NOPE
CONFIG GET nothing-like-this
CONFIG GET save
CONFIG GET databases
CONFIG GET appendonly
CONFIG SET nothing-like-this 1
CONFIG SET maxclients
CONFIG SET timeout x
CONFIG SET timeout 0
COMMAND GETKEYS GET a
COMMAND GETKEYS MSET a 1 b 2
COMMAND GETKEYS MGET a b c
COMMAND GETKEYS PING
COMMAND GETKEYS PING x
COMMAND GETKEYS SET a
COMMAND GETKEYS NOPE x
COMMAND GETKEYS SET
COMMAND GETKEYS GET a b
COMMAND GETKEYS OBJECT ENCODING x
COMMAND INFO nope
COMMAND LIST FILTERBY
COMMAND LIST FILTERBY NOPE x
COMMAND NOPE
HELLO 4
HELLO x
HELLO 3 NOPE
HELLO 3 AUTH a
HELLO 3 SETNAME "a b"
HELLO 2 AUTH nobody nothing
AUTH
AUTH x
AUTH default x
AUTH nobody x
AUTH a b c
ECHO
PING
PING hello
PING a b
TIME x
NOPE
NOPE a b c
NOPE "with\r\nbreak" "and\x00nul"
"two\r\nlines" x
get
`

// TestSameProtocol compares what happens to bytes that are not quite commands. The connection is closed by the server,
// or QUIT ends it.
func TestSameProtocol(t *testing.T) {
	redis := testserver.Redis(t, "--databases", "1", "--proto-max-bulk-len", "1mb")
	_, addr := start(t, newCache(t, core.Options{}), Options{MaxBulk: 1 << 20})
	for _, in := range []string{
		"PING\r\n", "ping\n", "  PING  \r\n", "\r\n\r\nPING\r\n", "SET a 'b c'\r\nGET a\r\n", "SET a \"x\\x41\\n\\t\\\"\"\r\nGET a\r\n",
		"SET a 'it\\'s'\r\nGET a\r\n", "GET \"a\r\n", "GET 'a\r\n", "GET \"a\"b\r\n", "GET a\"b\"\r\n", "ECHO a\\x41\r\n", "ECHO \"\\q\"\r\n",
		"ECHO \"\\\"\r\n", "ECHO \"\"\r\n", "ECHO a\vb\r\n", "\t PING\v\r\n", "ECHO \"\\x4\"\r\n", "ECHO 'a\"b'\r\n",
		"*0\r\nPING\r\n", "*-1\r\nPING\r\n", "*-10\r\nPING\r\n", "*1\r\n$4\r\nPING\r\n", "*1\r\n$4\r\nPINGxx", "*x\r\n", "*\r\n",
		"*2147483648\r\n", "*03\r\n", "*+1\r\n", "* 1\r\n", "*1x\r\n", "*1\rx$4\r\nPING\r\n",
		"*1\r\n#4\r\n", "*1\r\nPING\r\n", "*1\r\n\r\n", "*2\r\n$4\r\nECHO\r\n:3\r\n", "*1\r\n$-1\r\n", "*1\r\n$x\r\n", "*1\r\n$\r\n",
		"*1\r\n$04\r\nPING\r\n", "*1\r\n$1048577\r\n", "*1\r\n$9223372036854775808\r\n", "*1\r\n$0\r\n\r\n", "*2\r\n$0\r\n\r\n$1\r\na\r\n",
		strings.Repeat("x", 70_000), "*" + strings.Repeat("1", 70_000),
		"*1\r\n$" + strings.Repeat("1", 70_000), "*1\r\n" + strings.Repeat("z", 70_000),
		"PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n*bad\r\nPING\r\n", "QUIT extra words\r\nPING\r\n",
		"CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n", "CLIENT REPLY SKIP\r\nPING\r\nPING\r\n",
		"CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n", "CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n",
		"HELLO 3\r\nRESET\r\nGET nokey\r\n",
	} {
		t.Run(fmt.Sprintf("%.40q", in), func(t *testing.T) {
			var got [2]string
			for i, a := range []string{redis.Addr(), addr} {
				c := dial(t, a)
				c.send([]byte(in))
				if len(in) < 70_000 {
					c.send([]byte("\r\nQUIT\r\n"))
				}
				got[i] = c.restAfterQuit()
			}
			if strings.HasPrefix(in, "HELLO") {
				for i := range got {
					_, got[i], _ = strings.Cut(got[i], "+RESET")
				}
			}
			if got[0] != got[1] {
				t.Errorf("%.100q:\n got %q\nwant %q", in, got[1], got[0])
			}
		})
	}
}

// restAfterQuit is rest for a server that may reset the connection because it has not read all.
func (c *client) restAfterQuit() string {
	var b []byte
	for {
		part, err := c.r.ReadBytes('\n')
		if b = append(b, part...); err != nil {
			return string(b)
		}
	}
}

// TestSameLogin compares what a client may do before it has authenticated.
func TestSameLogin(t *testing.T) {
	redis := testserver.Redis(t, "--databases", "1")
	dial(t, redis.Addr()).want("+OK\r\n", "CONFIG", "SET", "requirepass", "secret")
	_, addr := start(t, newCache(t, core.Options{}), Options{RequirePass: "secret"})
	p := pair{dial(t, redis.Addr()), dial(t, addr)}
	for _, words := range [][]string{
		{"GET", "a"},
		{"PING"},
		{"NOPE"},
		{"GET"},
		{"CLIENT", "ID"},
		{"HELLO"},
		{"HELLO", "3"},
		{"HELLO", "3", "AUTH", "default", "wrong"},
		{"HELLO", "9"},
		{"AUTH", "wrong"},
		{"AUTH", "default", "wrong"},
		{"AUTH", "nobody", "secret"},
		{"AUTH", "a", "b", "c"},
		{"RESET"},
		{"AUTH", "secret"},
		{"PING"},
		{"RESET"},
		{"PING"},
		{"AUTH", "default", "secret"},
		{"PING"},
	} {
		p.same(t, words...)
	}
	for _, in := range []string{"*11\r\n", "*10\r\n$16385\r\n", "*2\r\n$4\r\nAUTH\r\n$16385\r\n"} {
		var got [2]string
		for i, a := range []string{redis.Addr(), addr} {
			c := dial(t, a)
			c.send([]byte(in))
			got[i] = c.restAfterQuit()
		}
		if got[0] != got[1] {
			t.Errorf("%q: got %q, want %q", in, got[1], got[0])
		}
	}
}
