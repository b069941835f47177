package resp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/edgecache/edgecache/core"
)

const (
	// flushSize is how many bytes of replies are collected before they are written ahead of the batch's end.
	flushSize = 64 << 10
	// restAfter is after how many seconds without a command a connection rests.
	restAfter = 2
	// busyAfter is after how many batches a connection counts as busy until it rests.
	busyAfter = 4
	// keptWords is how many words, keys or results a work keeps room for.
	keptWords = 1 << 10
	// maxReads is how many replies settle has to make at most. Beyond it the processor has no more to gain.
	maxReads = 32
)

// conn is a client's connection. Its goroutine owns it, but for what is said to be others' to see.
type conn struct {
	*work  // nil while the connection waits
	server *Server
	nc     net.Conn
	id     int64
	parser parser
	proto  int      // 2 or 3
	mute   muteness // what CLIENT REPLY asked for
	ending bool     // close once the replies are written
	authed bool
	cur    *command // being executed, or the last
	// batches counts, up to busyAfter, since the connection came or rested. renewing says that another goroutine goes on.
	batches  uint8
	renewing bool

	roused  int64        // guarded by the server's mu: active when the connection was woken last
	created int64        // when the connection came, in the server's seconds, as the next three
	login   atomic.Int64 // since when the client should authenticate, plus 1; 0 if it need not
	active  atomic.Int64 // when it last sent commands
	writing atomic.Int64 // since when it should take replies, plus 1; 0 if there are none
	last    atomic.Pointer[command]

	mu       sync.Mutex
	identity identity // guarded by mu: for CLIENT LIST
}

// identity is what a client has said of itself.
type identity struct {
	name, user, libName, libVer string
	proto                       int
}

// work is what a connection needs while it executes commands. Connections that wait have none.
type work struct {
	reply
	cmd    core.Command
	res    core.Result
	args   [][]byte // what the parser keeps its words in, lent to it
	clock  int64    // the reading of core.Clock that the next command begins with, or 0
	keys   []string
	values [][]byte

	reads   []*core.Entry // what GETs have read whose replies are still to come
	touched byte          // keeps the compiler from leaving out reads that serve only to have been made
}

// muteness is which replies are left out.
type muteness uint8

const (
	muteNone muteness = iota
	muteAll           // CLIENT REPLY OFF
	muteNext          // CLIENT REPLY SKIP has just been executed
	muteOnce          // the command being executed is the one to skip

)

func newConn(s *Server, nc net.Conn, id int64) *conn {
	c := &conn{
		server: s, nc: nc, id: id, created: s.seconds.Load(), proto: 2,
		roused: -1, parser: newParser(limits{args: s.opts.MaxArgs, bulk: s.opts.MaxBulk, inline: s.opts.InlineMax}),
	}
	c.active.Store(c.created)
	c.logout()
	return c
}

// logout makes the client the default user, who may have to authenticate.
func (c *conn) logout() {
	c.setLogin(!c.server.logins.required, defaultUser)
}

func (c *conn) setLogin(authed bool, user string) {
	c.authed, c.parser.restricted = authed, !authed
	if authed {
		c.login.Store(0)
	} else {
		c.login.Store(c.server.seconds.Load() + 1)
	}
	c.identify(func(i *identity) { i.user = user })
}

// identify changes what others see of the client.
func (c *conn) identify(change func(*identity)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.identity)
}

func (c *conn) seen() identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

// overdue says what the connection has exceeded at now, or "". Others call it.
func (c *conn) overdue(now int64) string {
	timeout := func(d time.Duration) int64 { return int64(d / time.Second) }
	if t := c.writing.Load(); t != 0 && now-t >= timeout(c.server.opts.WriteTimeout) {
		return "replies are not read"
	}
	if t := c.login.Load(); t != 0 && now-t >= timeout(c.server.opts.LoginTimeout) {
		return "not authenticated in time"
	}
	if t := c.server.idleTimeout.Load(); t > 0 && c.writing.Load() == 0 && now-c.active.Load() > t {
		return "idle"
	}
	return ""
}

// serve reads and executes commands until the connection ends, or goes on in another goroutine.
func (c *conn) serve() {
	defer c.end()
	for c.wait() {
		if !c.batch() || c.renews() {
			return
		}
	}
}

// renews reports whether another goroutine is to wait for the next commands. Executing makes a stack grow to several
// times what waiting needs, and only a new goroutine has a small one again. So a connection that has not sent much since
// it came, or rested, changes goroutines: it may wait for long. A busy one does not.
func (c *conn) renews() bool {
	if c.batches == busyAfter {
		return false
	}
	c.batches++
	c.renewing = true
	return true
}

// end closes the connection, unless it goes on in another goroutine. A panic of a command ends here.
func (c *conn) end() {
	if v := recover(); v != nil {
		c.server.opts.Logger.Error("command panicked, connection closed", slog.Int64("client", c.id),
			slog.String("command", c.cur.fullName()), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	} else if c.renewing {
		c.renewing = false
		go c.serve()
		return
	}
	_ = c.nc.Close()
	c.server.remove(c)
}

// wait reads what comes next. It returns false where the connection ends or is to rest: a deadline that has passed is how
// others wake it for either.
func (c *conn) wait() bool {
	n, err := c.parser.fill(c.nc)
	if n > 0 || err == nil {
		return true
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.server.closing.Load() {
		c.rest()
	}
	return false
}

// rest gives back a grown read buffer and a grown stack while nothing comes.
func (c *conn) rest() {
	if c.parser.idle() {
		c.parser.shrink()
	}
	c.batches, c.renewing = 0, true
	_ = c.nc.SetReadDeadline(time.Time{})
	if c.server.closing.Load() {
		_ = c.nc.SetReadDeadline(past) // this may have been what was taken away
	}
}

// rouse wakes the connection, if it has been quiet since it was woken last, so that it rests. The server's watch calls
// it.
func (c *conn) rouse(now int64) {
	active := c.active.Load()
	if active == c.roused || now-active < restAfter {
		return
	}
	c.roused = active
	_ = c.nc.SetReadDeadline(past)
}

// batch executes all commands that have been read whole and writes their replies. It reports whether the connection
// goes on.
func (c *conn) batch() bool {
	c.acquire()
	c.active.Store(c.server.seconds.Load())
	n := c.executeAll()
	c.settle()
	written := c.flush()
	c.last.Store(c.cur)
	c.server.stats.commands.Add(n)
	c.release()
	return written && !c.ending && !c.server.closing.Load()
}

// acquire takes a work for the commands that have come.
func (c *conn) acquire() {
	c.work = c.server.work.Get().(*work)
	c.v3 = c.proto == 3
	if c.parser.left == 0 {
		c.parser.args = c.args
	}
}

// release gives the work back. A command under way keeps its words.
func (c *conn) release() {
	c.args = nil
	if c.parser.left == 0 {
		c.args, c.parser.args = c.parser.args, nil
	}
	c.work.release()
	c.server.work.Put(c.work)
	c.work = nil
}

// executeAll executes the commands that have been read and returns how many there were.
func (c *conn) executeAll() (n int64) {
	for !c.ending {
		args, err := c.parser.next()
		if err != nil {
			c.complain(err)
			return n
		}
		if len(args) == 0 {
			continue
		}
		n++
		c.execute(args)
	}
	return n
}

// complain ends the connection if err is more than a command that is not complete yet.
func (c *conn) complain(err error) {
	if errors.Is(err, errIncomplete) {
		return
	}
	c.settle()
	c.server.stats.protocolErrors.Add(1)
	c.ending = true
	if c.mute == muteNone {
		c.err(err.Error())
	}
}

// execute runs one command and appends its reply, unless the client wants none. That of a GET may follow later.
func (c *conn) execute(args [][]byte) {
	cmd, problem := c.resolve(args)
	sampled := problem == "" && c.server.opts.Sample != nil && c.server.opts.Sample()
	if problem == "" {
		c.cur = cmd
		if cmd.later && !sampled && c.mute == muteNone {
			c.getLater(args[1])
			return
		}
	}
	c.settle()
	mark := len(c.out)
	switch {
	case problem != "":
		c.fail(problem)
	case sampled:
		c.traced(cmd, args)
	default:
		cmd.run(context.Background(), c, args)
	}
	if c.mute != muteNone {
		c.muffle(mark)
	}
	c.relieve(mark)
}

// getLater reads a key and leaves the reply to settle.
func (c *conn) getLater(key []byte) {
	c.begin(core.OpGet, key)
	if !c.do(context.Background()) {
		return
	}
	if c.reads = append(c.reads, c.res.Entry); len(c.reads) == maxReads {
		c.settle()
	}
}

// settle appends the replies to what getLater has read. Entries lie far apart in memory: touching all of them before the
// first is needed lets the processor wait for them at once, which makes pipelined GETs a fifth cheaper.
func (c *conn) settle() {
	if len(c.reads) == 0 {
		return
	}
	touched := byte(0)
	for _, e := range c.reads {
		if e != nil && len(e.Value) > 0 {
			touched += e.Value[0]
		}
	}
	c.touched = touched
	for _, e := range c.reads {
		mark := len(c.out)
		c.entry(e)
		if c.relieve(mark); c.ending {
			break
		}
	}
	clear(c.reads)
	c.reads = c.reads[:0]
}

// muffle drops the reply from mark on, if CLIENT REPLY asked for that.
func (c *conn) muffle(mark int) {
	if c.mute == muteNext { // this was CLIENT REPLY SKIP, which replies nothing
		c.mute = muteOnce
		return
	}
	if c.mute == muteOnce {
		c.mute = muteNone
	}
	c.out = c.out[:mark]
}

// relieve writes the replies if they are many, and ends the connection where the one from mark on is too large.
func (c *conn) relieve(mark int) {
	switch {
	case c.over:
		c.out, c.over, c.ending = c.out[:mark], false, true
		c.server.stats.killed.Add(1)
		c.server.opts.Logger.Warn("reply exceeds the output limit, connection closed",
			slog.Int64("client", c.id), slog.String("command", c.cur.fullName()))
	case len(c.out) >= flushSize && !c.flush():
		c.ending = true
	}
}

// flush writes the replies. What takes longer than WriteTimeout is ended from outside.
func (c *conn) flush() bool {
	if len(c.out) == 0 {
		return true
	}
	c.writing.Store(c.server.seconds.Load() + 1)
	_, err := c.nc.Write(c.out)
	c.writing.Store(0)
	c.out, c.clock = c.out[:0], 0
	return err == nil
}

// release lets go of what the connection's commands referred to.
func (w *work) release() {
	w.clock = 0
	w.cmd.Key, w.cmd.Value = "", nil
	w.res.Item = core.Item{}
	clear(w.res.Items)
	clear(w.args[:cap(w.args)])
	if cap(w.out) > 2*flushSize {
		w.out = nil
	}
	if cap(w.args) > keptWords || cap(w.keys) > keptWords || cap(w.res.Items) > keptWords || cap(w.res.Keys) > keptWords {
		*w = work{reply: reply{limit: w.limit}}
	}
}

// begin prepares the connection's command for one key.
func (c *conn) begin(op core.Op, key []byte) *core.Command {
	cmd := &c.cmd
	cmd.Op, cmd.Flags, cmd.Key = op, core.FlagBorrowed, view(key)
	cmd.Value, cmd.TTL, cmd.Delta = nil, core.DefaultTTL, 0
	return cmd
}

// do runs the connection's command. Where it fails, do has appended the error and returns false.
func (c *conn) do(ctx context.Context) bool {
	c.cmd.Start = c.clock
	err := c.server.cache.Do(ctx, &c.cmd, &c.res)
	c.clock = c.res.End
	if err != nil {
		c.settle()
		c.fail(errorText(err))
		return false
	}
	return true
}

// doMany runs op on keys, and on values if there are any. It forgets them afterwards.
func (c *conn) doMany(ctx context.Context, op core.Op, keys []string, values [][]byte) bool {
	cmd := c.begin(op, nil)
	cmd.Keys, cmd.Values = keys, values
	ok := c.do(ctx)
	cmd.Keys, cmd.Values = nil, nil
	clear(keys)
	clear(values)
	c.keys, c.values = keys[:0], values[:0]
	return ok
}

// views appends views of the words to the connection's keys.
func (c *conn) views(words [][]byte) []string {
	keys := c.keys[:0]
	for _, w := range words {
		keys = append(keys, view(w))
	}
	return keys
}

// entry appends the entry's value, or what stands for none.
func (c *conn) entry(e *core.Entry) {
	if e == nil {
		c.null()
		return
	}
	c.bulk(e.Value)
}

// view returns b as a string without copying: it changes when b does.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func sortByID(conns []*conn) {
	slices.SortFunc(conns, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
}

// addresses returns both ends of the connection.
func (c *conn) addresses() (remote, local string) {
	return fmt.Sprint(c.nc.RemoteAddr()), fmt.Sprint(c.nc.LocalAddr())
}
