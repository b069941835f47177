package memcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/internal/testserver"
)

var testTime = time.Unix(1_800_000_000, 0)

// foreign is another program's client of the same server.
func foreign(t *testing.T, addr string) *memcache.Client {
	t.Helper()
	c := memcache.New(addr)
	c.Timeout = slow
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantValue(t *testing.T, b *Backend, key, want string) *core.Entry {
	t.Helper()
	e, err := b.Get(t.Context(), key)
	if err != nil || string(e.Value) != want {
		t.Fatalf("Get(%q) = %v, %v; want %q", key, e, err, want)
	}
	return e
}

func wantMiss(t *testing.T, b *Backend, key string) {
	t.Helper()
	if e, err := b.Get(t.Context(), key); err != core.ErrNotFound { //nolint:errorlint // the contract
		t.Fatalf("Get(%q) = %v, %v; want ErrNotFound", key, e, err)
	}
}

// TestForeignValues reads what other programs write, and writes what they read.
func TestForeignValues(t *testing.T) {
	servers := start(t, 1)
	client, ctx := foreign(t, servers[0]), t.Context()
	for _, values := range []Values{Enveloped, Raw} {
		b := open(t, servers, Options{Values: values})
		must(t, client.Set(&memcache.Item{Key: "k", Value: []byte("plain"), Flags: 77, Expiration: 100}))
		e := wantValue(t, b, "k", "plain")
		if left := e.TTL(time.Now()); e.Flags != 77 || e.Version != 0 || left < 98*time.Second || left > 101*time.Second {
			t.Errorf("foreign value reads as %+v, %v left; want flags 77 and 100 s", e, left)
		}
		out := make([]*core.Entry, 1)
		if err := b.GetMany(ctx, []string{"k"}, out); err != nil || string(out[0].Value) != "plain" || out[0].Flags != 77 {
			t.Errorf("GetMany of a foreign value = %+v, %v", out[0], err)
		}

		must(t, b.Set(ctx, "n", &core.Entry{Value: []byte("41")}))
		if n, err := client.Increment("n", 1); n != 42 || err != nil {
			t.Errorf("a foreign incr of our number = %d, %v; want 42", n, err)
		}
		if n, err := b.Increment(ctx, "n", 58, 0); n != 100 || err != nil {
			t.Errorf("our Increment = %d, %v; want 100", n, err)
		}
		if _, err := client.Decrement("n", 1); err != nil { // leaves "99 "
			t.Error(err)
		}
		if n, err := b.Increment(ctx, "n", -100, 0); n != -1 || err != nil {
			t.Errorf("our Increment of a padded number = %d, %v; want -1", n, err)
		}
	}
	b := open(t, servers, Options{})
	must(t, client.Set(&memcache.Item{Key: "n", Value: []byte("100")}))
	if _, err := client.Decrement("n", 1); err != nil {
		t.Error(err)
	}
	wantValue(t, b, "n", "99")

	raw := open(t, servers, Options{Values: Raw})
	must(t, raw.Set(ctx, "k", &core.Entry{Value: []byte("ours"), Flags: 5}))
	if it, err := client.Get("k"); err != nil || string(it.Value) != "ours" || it.Flags != 5 {
		t.Errorf("a foreign client reads %+v, %v; want ours with flags 5", it, err)
	}
}

// TestDamagedValues are misses, and counted. A write repairs them.
func TestDamagedValues(t *testing.T) {
	servers := start(t, 1)
	client, ctx := foreign(t, servers[0]), t.Context()
	b := open(t, servers, Options{})
	good := codec.AppendEnvelope(nil, "k", codec.Envelope{Value: []byte("v")})
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 1
	long := strings.Repeat("long", 100)
	stored, _ := storeKey(long)
	for name, it := range map[string]*memcache.Item{
		"cut short":   {Key: "k", Value: good[:20]},
		"flipped":     {Key: "k", Value: flipped},
		"other key's": {Key: "k", Value: codec.AppendEnvelope(nil, "other", codec.Envelope{Value: []byte("v")})},
		"no name":     {Key: stored, Value: good},
	} {
		key := map[bool]string{true: "k", false: long}[it.Key == "k"]
		must(t, client.Set(it))
		before := b.DecodeErrors()
		wantMiss(t, b, key)
		if n := b.DecodeErrors() - before; n != 1 {
			t.Errorf("%s: %d decode errors are counted, want 1", name, n)
		}
		if _, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
			if old != nil {
				t.Errorf("%s: Update saw %v", name, old)
			}
			return &core.Entry{Value: []byte("repaired")}, nil
		}); err != nil {
			t.Errorf("%s: Update = %v", name, err)
		}
		wantValue(t, b, key, "repaired")
	}
}

// TestEnvelopeEndsInTime sets milliseconds to live: memcached keeps the value for seconds, nobody sees it.
func TestEnvelopeEndsInTime(t *testing.T) {
	servers := start(t, 1)
	client, ctx := foreign(t, servers[0]), t.Context()
	b := open(t, servers, Options{})
	expires := time.Now().Add(100 * time.Millisecond)
	for _, k := range []string{"k", "deleted", "added", "replaced", "scanned"} {
		must(t, b.Set(ctx, k, &core.Entry{Value: []byte("v"), Expires: expires.UnixNano()}))
	}
	for poll := time.NewTicker(time.Millisecond); ; <-poll.C {
		before := time.Now()
		_, err := b.Get(ctx, "k")
		after := time.Now()
		if err == nil && before.After(expires) || err != nil && after.Before(expires) {
			t.Fatalf("between %v and %v after the end Get = %v", before.Sub(expires), after.Sub(expires), err)
		}
		if before.After(expires) {
			break
		}
	}
	if _, err := client.Get("k"); err != nil {
		t.Skip("memcached was quicker: the machine is too busy for this test")
	}
	if found, err := b.Delete(ctx, "deleted"); found || err != nil {
		t.Errorf("Delete = %v, %v; want false", found, err)
	}
	if err := b.SetIf(ctx, "replaced", &core.Entry{Value: []byte("w")}, core.IfPresent); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("SetIf present = %v, want ErrNotFound", err)
	}
	if err := b.SetIf(ctx, "added", &core.Entry{Value: []byte("w")}, core.IfAbsent); err != nil {
		t.Errorf("SetIf absent = %v", err)
	}
	if keys, _, err := b.Scan(ctx, 0, "scan", "", 0); len(keys) != 0 || err != nil {
		t.Errorf("Scan = %q, %v; want nothing", keys, err)
	}
	if found, err := b.Expire(ctx, "scanned", 0); found || err != nil {
		t.Errorf("Expire = %v, %v; want false", found, err)
	}
}

func TestTooLarge(t *testing.T) {
	b, ctx := open(t, start(t, 1), Options{MaxValue: 3 << 20}), t.Context()
	for _, size := range []int{2 << 20, 4 << 20} { // memcached's limit, then ours
		e := &core.Entry{Value: make([]byte, size)}
		errs := make([]error, 3)
		must(t, b.SetMany(ctx, []string{"a", "k", "b"}, []*core.Entry{{}, e, {}}, errs))
		_, update := b.Update(ctx, "k", func(*core.Entry) (*core.Entry, error) { return e, nil })
		for name, err := range map[string]error{
			"Set": b.Set(ctx, "k", e), "SetIf": b.SetIf(ctx, "k", e, core.IfAbsent), "Update": update, "SetMany": errs[1],
		} {
			if !errors.Is(err, core.ErrTooLarge) || errors.Is(err, core.ErrUnavailable) {
				t.Errorf("%s of %d bytes = %v, want ErrTooLarge", name, size, err)
			}
		}
		if errs[0] != nil || errs[2] != nil {
			t.Errorf("SetMany's other keys: %v, %v", errs[0], errs[2])
		}
	}
}

// TestLargeBatches sends more in one batch than sockets buffer, both ways.
func TestLargeBatches(t *testing.T) {
	b, ctx := open(t, start(t, 2, "-m", "512"), Options{}), t.Context()
	const n = 20_000
	keys, entries, errs := make([]string, n), make([]*core.Entry, n), make([]error, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%0200d", i)
		entries[i] = &core.Entry{Value: []byte(strings.Repeat(fmt.Sprint(i), 500))}
	}
	must(t, b.SetMany(ctx, keys, entries, errs))
	must(t, errors.Join(errs...))
	out := make([]*core.Entry, n)
	must(t, b.GetMany(ctx, keys, out))
	for i := range keys {
		if out[i] == nil || string(out[i].Value) != string(entries[i].Value) {
			t.Fatalf("GetMany brought %v for key %d", out[i], i)
		}
	}
	found := make([]bool, n)
	must(t, b.DeleteMany(ctx, keys, found))
	for i := range found {
		if !found[i] {
			t.Fatalf("DeleteMany has not found key %d", i)
		}
	}
}

// TestStalledServer stops the server while connections are open.
func TestStalledServer(t *testing.T) {
	server := testserver.Memcached(t)
	b := open(t, []string{server.Addr()}, Options{Timeout: 5 * time.Second, MaxConns: 4})
	for _, err := range calls(t.Context(), b) {
		must(t, err)
	}
	must(t, server.Pause())
	defer func() { must(t, server.Resume()) }()
	for _, want := range []error{core.ErrTimeout, context.Canceled} {
		timesOut := errors.Is(want, core.ErrTimeout)
		for range 3 { // more calls in all than MaxConns
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			if !timesOut {
				ctx, cancel = context.WithCancel(t.Context())
				time.AfterFunc(50*time.Millisecond, cancel)
			}
			begin := time.Now()
			var wg sync.WaitGroup
			for name, call := range callers(b) {
				wg.Go(func() {
					err := call(ctx)
					if !errors.Is(err, want) || timesOut && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%s = %v, want %v", name, err, want)
					}
				})
			}
			wg.Wait()
			cancel()
			if d := time.Since(begin); d > 2*time.Second {
				t.Errorf("calls took %v under a context of 50 ms", d)
			}
		}
	}
	if n := len(b.servers.servers[0].slots); n > 4 {
		t.Errorf("%d connections are in use, MaxConns is 4", n)
	}
}

// callers returns a call of every kind.
func callers(b *Backend) map[string]func(context.Context) error {
	v := &core.Entry{Value: []byte("v")}
	return map[string]func(context.Context) error{
		"Get": func(ctx context.Context) error {
			_, err := b.Get(ctx, "absent")
			if errors.Is(err, core.ErrNotFound) {
				return nil
			}
			return err
		},
		"Set":       func(ctx context.Context) error { return b.Set(ctx, "k", v) },
		"Delete":    func(ctx context.Context) error { _, err := b.Delete(ctx, "d"); return err },
		"Increment": func(ctx context.Context) error { _, err := b.Increment(ctx, "n", 1, 0); return err },
		"Expire":    func(ctx context.Context) error { _, err := b.Expire(ctx, "e", 0); return err },
		"GetMany":   func(ctx context.Context) error { return b.GetMany(ctx, []string{"a", "b"}, make([]*core.Entry, 2)) },
		"SetMany": func(ctx context.Context) error {
			errs := make([]error, 1)
			return errors.Join(b.SetMany(ctx, []string{"m"}, []*core.Entry{v}, errs), errs[0])
		},
		"Scan": func(ctx context.Context) error { _, _, err := b.Scan(ctx, 0, "", "", 0); return err },
		"Ping": func(ctx context.Context) error { return b.Ping(ctx) },
	}
}

func calls(ctx context.Context, b *Backend) map[string]error {
	errs := make(map[string]error)
	for name, call := range callers(b) {
		errs[name] = call(ctx)
	}
	return errs
}

// TestRestartedServer kills the server and starts it again under connections that are idle.
func TestRestartedServer(t *testing.T) {
	server := testserver.Memcached(t)
	b := open(t, []string{server.Addr()}, Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _ = b.GetMany(t.Context(), []string{"a"}, make([]*core.Entry, 1)) })
	}
	wg.Wait()
	must(t, server.Kill())
	for name, err := range calls(t.Context(), b) {
		if !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%s = %v without a server, want ErrUnavailable", name, err)
		}
	}
	must(t, server.Restart(t.Context()))
	wantMiss(t, b, "k")
	for _, err := range calls(t.Context(), b) {
		must(t, err)
	}
	must(t, server.Kill())
	must(t, server.Restart(t.Context()))
	wantMiss(t, b, "k") // over a connection that died while it was idle
}

// TestCloseUnderTraffic closes while calls wait for a server that does not answer.
func TestCloseUnderTraffic(t *testing.T) {
	server := testserver.Memcached(t)
	b := open(t, []string{server.Addr()}, Options{Timeout: time.Second})
	for _, err := range calls(t.Context(), b) {
		must(t, err)
	}
	must(t, server.Pause())
	defer func() { must(t, server.Resume()) }()
	var wg sync.WaitGroup
	for name, call := range callers(b) {
		wg.Go(func() {
			if err := call(t.Context()); !errors.Is(err, core.ErrClosed) && !errors.Is(err, core.ErrTimeout) {
				t.Errorf("%s = %v, want ErrClosed or ErrTimeout", name, err)
			}
		})
	}
	must(t, b.Close())
	must(t, b.Close())
	wg.Wait()
}

// TestConfusedServer answers with bytes that are not what was asked for.
func TestConfusedServer(t *testing.T) {
	for name, answer := range map[string]string{
		"another key's value": "VA 1 kother f0 t-1 c1\r\nx\r\n",
		"garbage":             "\x16\x03\x01\x02\r\n",
		"classic protocol":    "VALUE k 0 1\r\nx\r\nEND\r\n",
		"huge length":         "VA 4000000000 kk\r\n",
		"longer than said":    "VA 1 kk f0 t-1 c1\r\nxyz\r\n",
		"cut short":           "VA 5 kk f0 t-1 c1\r\nxy",
		"endless line":        strings.Repeat("x", 2*lineSize),
		"no answer":           "",
	} {
		t.Run(name, func(t *testing.T) {
			network, addr := "tcp", "127.0.0.1:0"
			if name == "garbage" {
				network, addr = "unix", filepath.Join(t.TempDir(), "m.sock")
			}
			l, err := net.Listen(network, addr)
			must(t, err)
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = bufio.NewReader(c).ReadString('\n')
					_, _ = c.Write([]byte(answer))
					_ = c.Close()
				}
			})
			defer wg.Wait()
			defer l.Close()
			b := open(t, []string{l.Addr().String()}, Options{})
			if e, err := b.Get(t.Context(), "k"); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("Get = %v, %v; want ErrUnavailable", e, err)
			}
		})
	}
}

// TestLeftOvers clears what lies on servers that are no longer a key's own, and does not list it.
func TestLeftOvers(t *testing.T) {
	servers, ctx := start(t, 2), t.Context()
	one, two := open(t, servers[:1], Options{}), open(t, servers, Options{})
	for i := range 100 {
		must(t, one.Set(ctx, fmt.Sprint("k", i), &core.Entry{Value: []byte("old")}))
	}
	keys, _, err := two.Scan(ctx, 0, "", "", 0)
	must(t, err)
	if len(keys) == 0 || len(keys) == 100 {
		t.Errorf("%d keys are listed, want those that are in their place", len(keys))
	}
	for _, k := range keys {
		wantValue(t, two, k, "old")
	}
	must(t, two.Clear(ctx, "k"))
	if keys, _, err := one.Scan(ctx, 0, "", "", 0); len(keys) != 0 || err != nil {
		t.Errorf("after Clear %d keys are left: %v", len(keys), err)
	}
}

// TestKeepsTimeToLive changes a plain value again and again.
func TestKeepsTimeToLive(t *testing.T) {
	b, ctx := open(t, start(t, 1), Options{Values: Raw}), t.Context()
	must(t, b.Set(ctx, "k", &core.Entry{Value: []byte("v"), Expires: time.Now().Add(3 * time.Second).UnixNano()}))
	for begin := time.Now(); ; {
		e, err := b.Update(ctx, "k", func(old *core.Entry) (*core.Entry, error) {
			if old == nil {
				return nil, nil
			}
			return &core.Entry{Value: old.Value, Expires: old.Expires}, nil
		})
		must(t, err)
		if e == nil {
			return
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatal("a key of 3 s that is changed all the time does not end")
		}
	}
}

func TestRaw(t *testing.T) {
	b, ctx := open(t, start(t, 1), Options{}), t.Context()
	for _, c := range []struct {
		args []any
		want string
	}{
		{[]any{"ms", "k", []byte("a\r\nb"), "T60", "F3"}, `["HD"]`},
		{[]any{"mg", "k", "v", "t", "f"}, `["VA 4 t60 f3" "a\r\nb"]`},
		{[]any{"mg", "absent", "v"}, `["EN"]`},
		{[]any{"ma", "n", "N0", "J7", "v"}, `["VA 1" "7"]`},
		{[]any{"ma", "k"}, `["CLIENT_ERROR cannot increment or decrement non-numeric value"]`},
		{[]any{"md", "k"}, `["HD"]`},
		{[]any{"me", "absent"}, `["EN"]`},
	} {
		if got, err := b.Raw(ctx, c.args...); err != nil || fmt.Sprintf("%q", got) != c.want {
			t.Errorf("Raw(%q) = %q, %v; want %s", c.args, got, err, c.want)
		}
	}
	for _, args := range [][]any{
		nil,
		{"mg"},
		{"flush_all", "0"},
		{"get", "k"},
		{"ms", "k"},
		{"mg", "k\r\nflush_all"},
		{"mg", "k", "v v"},
		{"mg", ""},
		{"mg", "k", "q"},
		{"mg", strings.Repeat("k", 251)},
		{" ", "k"},
		{"mg ms", "k"},
	} {
		if got, err := b.Raw(ctx, args...); err == nil {
			t.Errorf("Raw(%q) = %q, want an error", args, got)
		}
	}
}
