package resp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/edgecache/edgecache/core"
)

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// countingListener counts the writes on its connections.
type countingListener struct {
	net.Listener
	writes atomic.Int64
}

type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return countingConn{nc, &l.writes}, err
}

func (c countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// TestWritesPerBatch checks that the replies to 16 pipelined commands leave in at most two writes.
func TestWritesPerBatch(t *testing.T) {
	s, err := New(newCache(t, core.Options{}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counting := &countingListener{Listener: ln}
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(counting) })
	defer served.Wait()
	defer s.Shutdown(context.Background())
	c := dial(t, ln.Addr().String())
	for round := range 20 {
		var wire []byte
		for i := range 8 {
			wire = append(wire, encode("SET", "key:"+strconv.Itoa(i), strings.Repeat("x", 64))...)
			wire = append(wire, encode("GET", "key:"+strconv.Itoa(i))...)
		}
		before := counting.writes.Load()
		c.send(wire)
		for range 16 {
			c.reply()
		}
		writes := counting.writes.Load() - before
		if writes > 2 {
			t.Errorf("round %d: %d writes", round, writes)
		}
	}
}

// TestManyReplies checks that replies that fill many buffers come whole and in order, GETs among other commands.
func TestManyReplies(t *testing.T) {
	_, addr := start(t, newCache(t, core.Options{}), Options{})
	c := dial(t, addr)
	for i := range 10 {
		c.want("+OK\r\n", "SET", strconv.Itoa(i), strings.Repeat(strconv.Itoa(i), 30_000))
	}
	go func() {
		var wire []byte
		for i := range 1000 {
			wire = append(wire, encode("GET", strconv.Itoa(i%10))...)
			if i%7 == 0 {
				wire = append(wire, encode("ECHO", strconv.Itoa(i))...)
			}
		}
		_, _ = c.nc.Write(wire)
	}()
	for i := range 1000 {
		if got, want := c.reply(), fmt.Sprintf("$30000\r\n%s\r\n", strings.Repeat(strconv.Itoa(i%10), 30_000)); got != want {
			t.Fatalf("reply %d begins with %.50q", i, got)
		}
		if i%7 == 0 {
			if got, want := c.reply(), fmt.Sprintf("$%d\r\n%d\r\n", len(strconv.Itoa(i)), i); got != want {
				t.Fatalf("ECHO %d: %.50q", i, got)
			}
		}
	}
}

// TestAllocations checks that reading and writing by the hot commands allocates nothing but what is stored.
func TestAllocations(t *testing.T) {
	if race {
		t.Skip("the race detector empties pools")
	}
	cache := newCache(t, core.Options{})
	s, err := New(cache, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		words []string
		max   float64
	}{
		{[]string{"GET", "k"}, 0},
		{[]string{"GET", "absent"}, 0},
		{[]string{"PING"}, 0},
		{[]string{"MGET", "k", "absent", "k"}, 0},
		{[]string{"EXISTS", "k"}, 0},
		{[]string{"TTL", "k"}, 0},
		{[]string{"STRLEN", "k"}, 0},
		{[]string{"SET", "k", "value"}, 4},
		{[]string{"SET", "k", "value", "EX", "100"}, 4},
	} {
		in := bytes.Repeat(encode(tt.words...), 16)
		nc := &loopback{in: in}
		c, _ := s.add(nc)
		round := func() {
			nc.at = 0
			for nc.at < len(in) {
				c.wait()
				c.batch()
			}
		}
		round()
		if n := testing.AllocsPerRun(100, round) / 16; n > tt.max {
			t.Errorf("%q allocates %v times, at most %v are allowed", tt.words, n, tt.max)
		}
		s.remove(c)
	}
}

// loopback is a connection that reads the same again and again.
type loopback struct {
	net.Conn
	in []byte
	at int
}

func (l *loopback) Read(b []byte) (int, error) {
	n := copy(b, l.in[l.at:])
	l.at += n
	return n, nil
}

func (l *loopback) Write(b []byte) (int, error) { return len(b), nil }

func TestStuckReader(t *testing.T) {
	s, addr := start(t, newCache(t, core.Options{}), Options{})
	c := dial(t, addr)
	c.want("+OK\r\n", "SET", "k", strings.Repeat("x", 1<<20))
	go func() { // nobody reads the replies
		for range 100 {
			if _, err := c.nc.Write(encode("GET", "k")); err != nil {
				return
			}
		}
	}()
	eventually(t, "the server waits for the reader", func() bool { return s.clients()[0].writing.Load() != 0 })
	s.sweep(s.seconds.Add(29))
	if got := s.Stats().Killed; got != 0 {
		t.Fatalf("%d connections killed too early", got)
	}
	s.sweep(s.seconds.Add(2))
	eventually(t, "the connection is gone", func() bool { return s.Stats().Connections == 0 })
	if got := s.Stats().Killed; got != 1 {
		t.Errorf("%d connections killed, want 1", got)
	}
}

func TestTimeouts(t *testing.T) {
	s, addr := start(t, newCache(t, core.Options{}), Options{RequirePass: "secret", IdleTimeout: time.Minute})
	slow, user := dial(t, addr), dial(t, addr)
	slow.send([]byte("*2\r\n$4\r\nAU")) // and no more
	user.want("+OK\r\n", "AUTH", "secret")
	eventually(t, "both are there", func() bool { return s.Stats().Connections == 2 })
	s.sweep(s.seconds.Add(12))
	if rest := slow.restAfterQuit(); rest != "" {
		t.Errorf("the slow client got %q", rest)
	}
	user.want("+PONG\r\n", "PING")
	s.sweep(s.seconds.Add(62))
	if rest := user.restAfterQuit(); rest != "" {
		t.Errorf("the idle client got %q", rest)
	}
	eventually(t, "both are gone", func() bool { return s.Stats().Connections == 0 })
}

// TestRest checks that a quiet connection gives its buffer back and goes on.
func TestRest(t *testing.T) {
	s, addr := start(t, newCache(t, core.Options{}), Options{})
	c := dial(t, addr)
	value := strings.Repeat("x", 1<<20)
	c.want("+OK\r\n", "SET", "k", value)
	c.send([]byte("*2\r\n$3\r\nGET\r\n")) // half a command must survive
	for range 3 {
		s.sweep(s.seconds.Add(3))
	}
	c.send([]byte("$1\r\nk\r\n"))
	if got := c.reply(); len(got) != len(value)+12 {
		t.Errorf("%d bytes for a value of %d", len(got), len(value))
	}
	s.sweep(s.seconds.Add(3))
	c.want("+PONG\r\n", "PING")
	if got := s.Stats(); got.Connections != 1 || got.Killed != 0 {
		t.Errorf("%+v", got)
	}
}

func TestOutputLimit(t *testing.T) {
	s, addr := start(t, newCache(t, core.Options{}), Options{OutputLimit: 1 << 20})
	c := dial(t, addr)
	c.want("+OK\r\n", "SET", "k", strings.Repeat("x", 400_000))
	c.send(append(encode("PING"), encode("MGET", "k", "k", "k")...))
	if got := c.restAfterQuit(); got != "+PONG\r\n" {
		t.Errorf("got %.50q, want the reply before the one that is too large", got)
	}
	if got := s.Stats().Killed; got != 1 {
		t.Errorf("%d connections killed, want 1", got)
	}
}

func TestMaxClients(t *testing.T) {
	s, addr := start(t, newCache(t, core.Options{}), Options{MaxClients: 1})
	c := dial(t, addr)
	c.want("+PONG\r\n", "PING")
	if got := dial(t, addr).rest(); got != "-ERR max number of clients reached\r\n" {
		t.Errorf("the second client got %q", got)
	}
	c.want("+OK\r\n", "CONFIG", "SET", "maxclients", "2")
	dial(t, addr).want("+PONG\r\n", "PING")
	if got := s.Stats(); got.Accepted != 2 || got.Refused != 1 {
		t.Errorf("%+v", got)
	}
}

// strangers is a listener whose peers come from another machine.
type strangers struct{ net.Listener }

type stranger struct{ net.Conn }

func (stranger) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

func (l strangers) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return stranger{nc}, err
}

func TestProtectedMode(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    Options
		want string
	}{
		{"protected", Options{}, "-DENIED "},
		{"unprotected", Options{Unprotected: true}, "+PONG"},
		{"password", Options{RequirePass: "x"}, "-NOAUTH "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(newCache(t, core.Options{}), tt.o)
			if err != nil {
				t.Fatal(err)
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go s.Serve(strangers{ln})
			defer s.Shutdown(context.Background())
			c := dial(t, ln.Addr().String())
			_, _ = c.nc.Write(encode("PING"))
			if got := c.reply(); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// hook runs a function before every command.
type hook func(cmd *core.Command, res *core.Result) error

func (hook) Spec() core.HookSpec { return core.HookSpec{Name: "test", Before: core.AllOps} }

func (h hook) Before(_ context.Context, cmd *core.Command, res *core.Result) error {
	return h(cmd, res)
}

func (hook) After(context.Context, *core.Command, *core.Result) error { return nil }

// textError is an error as a Redis client library has it.
type textError string

func (e textError) Error() string { return string(e) }
func (textError) RedisError()     {}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: not on Sundays", core.ErrRejected), "-DENIED not on Sundays\r\n"},
		{core.ErrNotInteger, "-ERR value is not an integer or out of range\r\n"},
		{core.ErrOverflow, "-ERR increment or decrement would overflow\r\n"},
		{core.ErrTooLarge, "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
		{fmt.Errorf("redis: get: %w", textError("WRONGTYPE Operation against a key")), "-WRONGTYPE Operation against a key\r\n"},
		{errors.New("two\r\nlines"), "-ERR get \"k\": two  lines\r\n"},
	} {
		cache := newCache(t, core.Options{Hooks: []core.Hook{hook(func(*core.Command, *core.Result) error { return tt.err })}})
		_, addr := start(t, cache, Options{})
		c := dial(t, addr)
		c.send(append(encode("GET", "k"), encode("PING")...))
		if got := c.reply(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
		if got := c.reply(); got != "+PONG\r\n" {
			t.Errorf("after %v: %q", tt.err, got)
		}
	}
}

func TestBypass(t *testing.T) {
	cache := newCache(t, core.Options{Hooks: []core.Hook{hook(func(_ *core.Command, res *core.Result) error {
		res.Outcome = core.OutcomeBypass
		return nil
	})}})
	_, addr := start(t, cache, Options{})
	c := dial(t, addr)
	c.want("+OK\r\n", "SET", "k", "v")
	c.want("$-1\r\n", "GET", "k")
	c.want(":1\r\n", "SETNX", "k", "v")
	c.want(":-2\r\n", "TTL", "k")
	c.want(":0\r\n", "DEL", "k")
}

func TestPanic(t *testing.T) {
	var log bytes.Buffer
	cache := newCache(t, core.Options{Hooks: []core.Hook{hook(func(cmd *core.Command, _ *core.Result) error {
		if cmd.Key == "bad" {
			panic("oh no")
		}
		return nil
	})}})
	s, addr := start(t, cache, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	other := dial(t, addr)
	c := dial(t, addr)
	c.send(append(encode("PING"), encode("GET", "bad")...))
	if got := c.restAfterQuit(); got != "" && got != "+PONG\r\n" {
		t.Errorf("got %q", got)
	}
	eventually(t, "the connection is gone", func() bool { return s.Stats().Connections == 1 })
	other.want("$-1\r\n", "GET", "good")
	if n := strings.Count(log.String(), "command panicked"); n != 1 || !strings.Contains(log.String(), "oh no") {
		t.Errorf("logged %d times: %s", n, &log)
	}
}

func TestShutdown(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	cache := newCache(t, core.Options{Hooks: []core.Hook{hook(func(cmd *core.Command, _ *core.Result) error {
		if cmd.Key == "slow" {
			close(entered)
			<-leave
		}
		return nil
	})}})
	s, addr := start(t, cache, Options{})
	idle, busy := dial(t, addr), dial(t, addr)
	idle.want("+PONG\r\n", "PING")
	busy.send(append(encode("SET", "slow", "x"), encode("GET", "k")...))
	<-entered
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	if got := idle.rest(); got != "" {
		t.Errorf("the idle client got %q", got)
	}
	close(leave)
	if got := busy.rest(); got != "+OK\r\n$-1\r\n" {
		t.Errorf("the busy client got %q", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if nc, err := net.Dial("tcp", addr); err == nil {
		nc.Close()
		t.Error("connections are still accepted")
	}
}

func TestShutdownImpatient(t *testing.T) {
	s, addr := start(t, newCache(t, core.Options{}), Options{})
	c := dial(t, addr)
	c.want("+OK\r\n", "SET", "k", strings.Repeat("x", 1<<20))
	for range 20 { // more than the kernel's buffers hold
		c.send(encode("GET", "k"))
	}
	eventually(t, "the server waits for the reader", func() bool { return s.clients()[0].writing.Load() != 0 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if got := s.Stats().Connections; got != 0 {
		t.Errorf("%d connections are left", got)
	}
}

func TestClients(t *testing.T) {
	s, addr := start(t, newCache(t, core.Options{}), Options{})
	a, b := dial(t, addr), dial(t, addr)
	a.want("+OK\r\n", "CLIENT", "SETNAME", "first")
	a.want("+OK\r\n", "CLIENT", "SETINFO", "LIB-NAME", "tester")
	a.want("-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n", "CLIENT", "SETINFO", "lib-ver", "1 2")
	b.want("+OK\r\n", "CLIENT", "SETNAME", "second")
	list := a.do("CLIENT", "LIST")
	for _, want := range []string{"name=first", "name=second", "cmd=client|list", "cmd=client|setname", "lib-name=tester", b.nc.LocalAddr().String()} {
		if !strings.Contains(list, want) {
			t.Errorf("CLIENT LIST lacks %q: %s", want, list)
		}
	}
	a.want("+OK\r\n", "CLIENT", "KILL", b.nc.LocalAddr().String())
	if got := b.restAfterQuit(); got != "" {
		t.Errorf("the killed client got %q", got)
	}
	eventually(t, "it is gone", func() bool { return s.Stats().Connections == 1 })
	a.want(":0\r\n", "CLIENT", "KILL", "TYPE", "normal")
	a.want(":1\r\n", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
	if got := a.rest(); got != "" {
		t.Errorf("after killing itself the client got %q", got)
	}
}

func TestInfo(t *testing.T) {
	s, addr := start(t, newCache(t, core.Options{}), Options{MaxMemory: 1 << 20, Version: "1.2.3", Info: func() []InfoSection {
		return []InfoSection{{"Plugins", []InfoField{{"hitratio", "0.5"}}}}
	}})
	c := dial(t, addr)
	c.want("+OK\r\n", "SET", "k", "v")
	c.want("$1\r\nv\r\n", "GET", "k")
	all := c.do("INFO")
	for _, want := range []string{
		"# Server\r\n", "redis_version:7.0.15\r\n", "edgecache_version:1.2.3\r\n", "loading:0\r\n", "role:master\r\n",
		"maxmemory:1048576\r\n", "keyspace_hits:1\r\n", "db0:keys=1,expires=0", "# Plugins\r\nhitratio:0.5\r\n",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("INFO lacks %q", want)
		}
	}
	c.want("$25\r\n# Plugins\r\nhitratio:0.5\r\n\r\n", "INFO", "plugins")
	if got := s.Stats(); got.Commands != 4 || got.Connections != 1 || got.Accepted != 1 {
		t.Errorf("%+v", got)
	}
}

func TestSpans(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
	sampled := false
	_, addr := start(t, newCache(t, core.Options{}), Options{Tracer: tracer, Sample: func() bool { sampled = !sampled; return sampled }})
	c := dial(t, addr)
	var wire []byte
	for _, words := range [][]string{{"set", "k", "v"}, {"get", "k"}, {"incr", "k"}, {"get", "k"}, {"GET", "k"}} {
		wire = append(wire, encode(words...)...)
	}
	c.send(wire)
	for _, want := range []string{"+OK\r\n", "$1\r\nv\r\n", "-ERR value is not an integer or out of range\r\n", "$1\r\nv\r\n", "$1\r\nv\r\n"} {
		if got := c.reply(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	var names []string
	for _, span := range recorder.Ended() {
		names = append(names, span.Name()+" "+span.Status().Description)
	}
	if got := fmt.Sprintf("%q", names); got != `["SET " "INCR ERR value is not an integer or out of range" "GET "]` {
		t.Errorf("spans: %s", got)
	}
}

// TestGoRedis runs the client that most Go programs use, which speaks RESP3.
func TestGoRedis(t *testing.T) {
	_, addr := start(t, newCache(t, core.Options{}), Options{Users: map[string]string{"app": "secret"}})
	ctx := t.Context()
	for _, proto := range []int{2, 3} {
		rdb := redis.NewClient(&redis.Options{Addr: addr, Protocol: proto, Username: "app", Password: "secret", ClientName: "tester"})
		defer rdb.Close()
		check := func(what string, got any, err error, want any) {
			t.Helper()
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("RESP%d: %s = %v, %v, want %v", proto, what, got, err, want)
			}
		}
		got, err := rdb.Set(ctx, "k", "v", time.Minute).Result()
		check("Set", got, err, "OK")
		got, err = rdb.Get(ctx, "k").Result()
		check("Get", got, err, "v")
		ttl, err := rdb.TTL(ctx, "k").Result()
		check("TTL", ttl, err, time.Minute)
		n, err := rdb.IncrBy(ctx, "n"+strconv.Itoa(proto), 5).Result()
		check("IncrBy", n, err, 5)
		if _, err = rdb.Get(ctx, "absent").Result(); !errors.Is(err, redis.Nil) {
			t.Errorf("RESP%d: Get(absent): %v", proto, err)
		}
		many, err := rdb.MGet(ctx, "k", "absent").Result()
		check("MGet", many, err, []any{"v", nil})
		name, err := rdb.ClientGetName(ctx).Result()
		check("ClientGetName", name, err, "tester")
		info, err := rdb.ClientInfo(ctx).Result()
		if err != nil || info.User != "app" || info.Resp != proto {
			t.Errorf("RESP%d: ClientInfo = %+v, %v", proto, info, err)
		}
		params, err := rdb.ConfigGet(ctx, "appendonly").Result()
		check("ConfigGet", params, err, map[string]string{"appendonly": "no"})
		commands, err := rdb.Command(ctx).Result()
		if err != nil || commands["get"] == nil || commands["mset"].StepCount != 2 || !commands["get"].ReadOnly {
			t.Errorf("RESP%d: Command = %v, %v", proto, commands["get"], err)
		}
		keys, _, err := rdb.Scan(ctx, 0, "k*", 100).Result()
		check("Scan", keys, err, []string{"k"})
		pipelined, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range 100 {
				p.Set(ctx, "p"+strconv.Itoa(i), i, 0)
				p.Get(ctx, "p"+strconv.Itoa(i))
			}
			return nil
		})
		check("pipeline", pipelined[199].(*redis.StringCmd).Val(), err, "99")
	}
}

func TestOptions(t *testing.T) {
	cache := newCache(t, core.Options{})
	for _, o := range []Options{
		{MaxClients: -1}, {IdleTimeout: -1}, {Sample: func() bool { return true }}, {Users: map[string]string{"": "x"}}, {Users: map[string]string{"a": ""}},
	} {
		if _, err := New(cache, o); err == nil {
			t.Errorf("New accepts %+v", o)
		}
	}
	if _, err := New(nil, Options{}); err == nil {
		t.Error("New accepts no cache")
	}
}

// TestHostile sends what no client would, and checks that others are served and memory stays.
func TestHostile(t *testing.T) {
	_, addr := start(t, newCache(t, core.Options{}), Options{})
	other := dial(t, addr)
	for _, in := range []string{
		"*2147483647\r\n", "*1048576\r\n" + strings.Repeat("$0\r\n\r\n", 1000), "*1\r\n$67108864\r\nabc", "*1\r\n$9223372036854775807\r\n",
		strings.Repeat("x", 1<<20), strings.Repeat("\x00", 1<<17), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "*1\r\n*1\r\n$4\r\nPING\r\n",
	} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, nc)
		_, _ = nc.Write([]byte(in))
		other.want("+PONG\r\n", "PING")
		nc.Close()
	}
}
