package trace

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

const monitorWant = `a line of Redis's MONITOR: 1339518083.107412 [0 127.0.0.1:60866] "get" "key"`

// command is what a command of Redis does with its keys: the first is its first argument, and after step arguments there
// is the next. A step of 0 is that of commands with one key.
type command struct {
	op   Op
	step int
	// value says which argument, counted from the key on, is the value, if any.
	value int
	// ttl says which one is the lifetime, if any, in seconds, or in milliseconds where millis is set.
	ttl    int
	millis bool
}

// commandWords are the commands that ask for keys: https://redis.io/docs/latest/commands/. Others are passed over.
var commandWords = [...]struct {
	command
	words string
}{
	{command{op: OpGet}, `get getex getrange substr strlen getbit bitcount bitpos hget hmget hgetall hkeys hvals hlen hexists
		hstrlen hrandfield hscan lrange lindex llen lpos smembers sismember smismember scard srandmember sscan zrange
		zrangebyscore zrangebylex zrevrange zrevrangebyscore zscore zmscore zrank zrevrank zcard zcount zlexcount zscan xrange
		xrevrange xlen type dump geopos geodist geosearch`},
	{command{op: OpGet, step: 1}, "mget exists touch sdiff sinter sunion pfcount"},
	{command{op: OpSet, value: 1}, "set setnx getset append"},
	{command{op: OpSet, value: 2, ttl: 1}, "setex"},
	{command{op: OpSet, value: 2, ttl: 1, millis: true}, "psetex"},
	{command{op: OpSet, step: 2, value: 1}, "mset msetnx"},
	{command{op: OpSet}, `incr incrby incrbyfloat decr decrby setrange setbit bitfield hset hsetnx hmset hincrby hincrbyfloat hdel
		lpush rpush lpushx rpushx lpop rpop lset linsert lrem ltrim sadd srem spop zadd zrem zincrby zpopmin zpopmax xadd xdel
		xtrim pfadd geoadd restore`},
	{command{op: OpDelete}, "getdel"},
	{command{op: OpDelete, step: 1}, "del unlink"},
	{command{op: OpOther, ttl: 1}, "expire"},
	{command{op: OpOther, ttl: 1, millis: true}, "pexpire"},
	{command{op: OpOther}, "persist expireat pexpireat"},
}

// commands returns them by their words.
func commands() map[string]command {
	all := make(map[string]command)
	for _, known := range commandWords {
		for word := range strings.FieldsSeq(known.words) {
			all[word] = known.command
		}
	}
	return all
}

// monitored is a line of MONITOR: when which command came, and its arguments without their escapes.
type monitored struct {
	time     int64
	database uint64
	word     []byte
	args     [][]byte
	text     []byte // what they are in
}

// parse reads a line. Lines of the reply's own, such as OK, are errSkip.
func (m *monitored) parse(line []byte) (err error) {
	line = bytes.TrimPrefix(line, []byte("+")) // of the protocol
	if len(line) == 0 || string(line) == "OK" {
		return errSkip
	}
	stamp, rest := cutField(line)
	whole, micros, dotted := bytes.Cut(stamp, []byte("."))
	seconds, ok := parseUint(whole)
	if _, fraction := parseUint(micros); !ok || !dotted || !fraction || len(rest) == 0 || rest[0] != '[' {
		return bad(monitorWant, line)
	}
	client, rest, closed := bytes.Cut(rest[1:], []byte("] "))
	database, _ := cutField(client)
	if m.database, ok = parseUint(database); !ok || !closed {
		return bad(monitorWant, line)
	}
	m.time = int64(seconds)
	return m.arguments(line, rest)
}

// arguments takes quoted words apart.
func (m *monitored) arguments(line, rest []byte) error {
	m.args, m.text = m.args[:0], m.text[:0]
	if cap(m.text) < len(rest) {
		m.text = make([]byte, 0, len(rest)) // it does not move while args are made of it
	}
	for len(rest) > 0 {
		if rest[0] != '"' {
			return bad(monitorWant, line)
		}
		quoted, behind, ok := cutQuoted(rest[1:])
		if !ok {
			return bad("a quote at the end of an argument", line)
		}
		from := len(m.text)
		m.text = unescape(m.text, quoted)
		m.args = append(m.args, m.text[from:])
		rest = bytes.TrimLeft(behind, " ")
	}
	if len(m.args) == 0 {
		return bad(monitorWant, line)
	}
	m.word, m.args = m.args[0], m.args[1:]
	return nil
}

// unescape appends what Redis wrote with backslashes.
func unescape(to, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			to = append(to, b[i])
			continue
		}
		i++
		if b[i] == 'x' && i+2 < len(b) {
			if n, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8); err == nil {
				to = append(to, byte(n))
				i += 2
				continue
			}
		}
		c := b[i]
		if at := strings.IndexByte("nrtab", c); at >= 0 {
			c = "\n\r\t\a\b"[at]
		}
		to = append(to, c)
	}
	return to
}

// monitorLine reports by its error whether a line is one of MONITOR.
func monitorLine(line []byte, _ *record) error { return new(monitored).parse(line) }

// monitorDecoder reads what Redis's MONITOR shows, a request for each key of a command. Sizes are those of key and value,
// which sets alone show; times are in seconds.
type monitorDecoder struct {
	commands map[string]command
	line     monitored
	now      command
	at       int // the next key's argument
	left     bool
	lower    []byte
	name     []byte
}

func openMonitor(*input, *Options) (decoder, columns, error) {
	return &monitorDecoder{commands: commands()}, columns{size: true, time: true, op: true, ttl: true, late: true}, nil
}

func (d *monitorDecoder) next(in *input, r *record) error {
	if !d.left {
		line, err := in.nextLine()
		if err != nil {
			return err
		}
		if err := d.line.parse(line); err != nil {
			if errors.Is(err, errSkip) {
				return err
			}
			return in.located(err)
		}
		d.lower = append(d.lower[:0], d.line.word...)
		for i, c := range d.lower {
			if 'A' <= c && c <= 'Z' {
				d.lower[i] = c | 0x20
			}
		}
		known, ok := d.commands[string(d.lower)]
		if !ok || len(d.line.args) == 0 {
			return errSkip
		}
		d.now, d.at = known, 0
	}
	r.reset()
	r.time, r.op = d.line.time, d.now.op
	err := d.request(r)
	d.at += d.now.step
	d.left = err == nil && d.now.step > 0 && d.at < len(d.line.args)
	if err != nil {
		return in.located(err)
	}
	return nil
}

// request makes a record of the key that is next.
func (d *monitorDecoder) request(r *record) error {
	args := d.line.args[d.at:]
	d.name = append(d.name[:0], args[0]...)
	if d.line.database > 0 {
		d.name = strconv.AppendUint(append(d.name, " in database "...), d.line.database, 10)
	}
	r.setKey(d.name)
	if v := d.now.value; v > 0 && v < len(args) {
		r.size = uint32(min(len(args[0])+len(args[v]), longestLine))
	}
	if l := d.now.ttl; l > 0 && l < len(args) {
		ttl, err := parseTTL(args[l])
		if err != nil {
			return err
		}
		r.ttl = inSeconds(ttl, d.now.millis)
		return nil
	}
	return d.expiry(r, args)
}

// expiry reads EX and PX of SET and GETEX.
func (d *monitorDecoder) expiry(r *record, args [][]byte) error {
	if word := string(d.lower); word != "set" && word != "getex" {
		return nil
	}
	for i := 1; i+1 < len(args); i++ {
		seconds, millis := bytes.EqualFold(args[i], []byte("ex")), bytes.EqualFold(args[i], []byte("px"))
		if i == d.now.value || !seconds && !millis {
			continue
		}
		ttl, err := parseTTL(args[i+1])
		if err != nil {
			return err
		}
		r.ttl = inSeconds(ttl, millis)
		return nil
	}
	return nil
}

// inSeconds rounds up: something that lives lives a second.
func inSeconds(ttl uint32, millis bool) uint32 {
	if !millis {
		return ttl
	}
	return uint32((uint64(ttl) + 999) / 1000)
}
