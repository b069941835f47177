package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/faultproxy"
	"github.com/edgecache/edgecache/internal/testserver"
)

const (
	deadline = 150 * time.Millisecond
	// slack is what a call may take beyond its deadline on a machine that does other things too.
	slack = 150 * time.Millisecond
)

// behindProxy returns a backend that talks to a server through a proxy, and a client past it.
func behindProxy(t *testing.T, opts redis.Options) (*redis.Backend, *faultproxy.Proxy, *goredis.Client) {
	t.Helper()
	s := testserver.Redis(t)
	p, err := faultproxy.New(s.Addr(), 7)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	other := goredis.NewClient(&goredis.Options{Addr: s.Addr()})
	t.Cleanup(func() { _ = other.Close() })
	opts.Timeout = deadline
	return open(t, "redis://"+p.Addr(), opts), p, other
}

// inTime runs a call and demands that it ends soon after its deadline, with an error of the core's or none.
func inTime(t *testing.T, what string, call func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	begin := time.Now()
	err := call(ctx)
	if took := time.Since(begin); took > deadline+slack {
		t.Errorf("%s took %v, want at most %v", what, took, deadline)
	}
	if err != nil && !errors.Is(err, core.ErrTimeout) && !errors.Is(err, core.ErrUnavailable) && !errors.Is(err, core.ErrNotFound) {
		if _, ok := errors.AsType[goredis.Error](err); !ok {
			t.Errorf("%s = %v, which is none of the core's errors", what, err)
		}
	}
	return err
}

func TestFaultsNeverGiveWrongValues(t *testing.T) {
	for name, f := range map[string]faultproxy.Fault{
		"slow":          {Delay: 100 * time.Millisecond},
		"too slow":      {Delay: time.Second},
		"black hole":    {Drop: true},
		"half open":     {Mute: true},
		"reset":         {Reset: true},
		"refused":       {Refuse: true},
		"sliced":        {Slice: 1},
		"truncated":     {Truncate: 30},
		"stalled":       {Stall: 30},
		"flipped":       {Flip: 0.01},
		"huge length":   {Reply: []byte("$9223372036854775807\r\n")},
		"large length":  {Reply: []byte("$2000000000\r\n")},
		"deep":          {Reply: []byte("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n")},
		"no trailer":    {Reply: []byte("$3\r\nabcXX")},
		"another's":     {Reply: []byte("$4\r\n\xecabc\r\n")},
		"no RESP":       {Reply: []byte("HTTP/1.1 400 Bad Request\r\n\r\n")},
		"unasked for":   {Reply: []byte("+OK\r\n+OK\r\n+OK\r\n+OK\r\n")},
		"nothing there": {Reply: []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			b, p, _ := behindProxy(t, redis.Options{})
			keys, out := make([]string, 20), make([]*core.Entry, 20)
			for i := range keys {
				keys[i] = "key " + strconv.Itoa(i)
				must(t, b.Set(t.Context(), keys[i], &core.Entry{Value: []byte("value of " + keys[i])}))
			}
			p.Set(f)
			right := func(i int, e *core.Entry) {
				if e != nil && string(e.Value) != "value of "+keys[i] {
					t.Errorf("%s has %q", keys[i], e.Value)
				}
			}
			for i := range 5 {
				_ = inTime(t, "Get", func(ctx context.Context) error {
					e, err := b.Get(ctx, keys[i])
					right(i, e)
					return err
				})
				_ = inTime(t, "GetMany", func(ctx context.Context) error { return b.GetMany(ctx, keys, out) })
				for i, e := range out {
					right(i, e)
				}
			}
			p.Set(faultproxy.Fault{})
			healed(t, b, keys[0], "value of "+keys[0])
		})
	}
}

// healed demands that the backend reads key again within a second or so.
func healed(t *testing.T, b *redis.Backend, key, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	e, err := eventually(ctx, func() (*core.Entry, error) { return b.Get(ctx, key) })
	if err != nil || string(e.Value) != want {
		t.Fatalf("Get(%q) = %v, %v after the fault ended", key, e, err)
	}
}

// eventually repeats a call until it succeeds or ctx ends.
func eventually[T any](ctx context.Context, call func() (T, error)) (T, error) {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		v, err := call()
		if err == nil {
			return v, nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return v, fmt.Errorf("%w; last: %w", ctx.Err(), err)
		}
	}
}

func TestServerPausedKilledRestarted(t *testing.T) {
	for name, values := range map[string]redis.Values{"enveloped": redis.Enveloped, "raw": redis.Raw} {
		t.Run(name, func(t *testing.T) {
			s := testserver.Redis(t)
			b := open(t, s.URL(), redis.Options{Values: values, Timeout: deadline})
			e := &core.Entry{Value: []byte("value")}
			get := func(ctx context.Context) error { _, err := b.Get(ctx, "k"); return err }
			must(t, b.Set(t.Context(), "k", e))
			must(t, s.Pause())
			if err := inTime(t, "Get from a paused server", get); !errors.Is(err, core.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Get = %v, want a timeout", err)
			}
			errs := make([]error, 1)
			must(t, b.SetMany(t.Context(), []string{"k"}, []*core.Entry{e}, errs))
			if !errors.Is(errs[0], core.ErrTimeout) {
				t.Errorf("SetMany = %v, want a timeout", errs)
			}
			if err := b.DeleteMany(t.Context(), []string{"j"}, make([]bool, 1)); !errors.Is(err, core.ErrTimeout) {
				t.Errorf("DeleteMany = %v, want a timeout", err)
			}
			must(t, s.Resume())
			healed(t, b, "k", "value")
			must(t, s.Kill())
			if err := inTime(t, "Get from a killed server", get); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("Get = %v, want ErrUnavailable", err)
			}
			must(t, s.Restart(t.Context()))
			_, err := eventually(t.Context(), func() (bool, error) { return true, b.Set(t.Context(), "k", e) })
			must(t, err)
			// Pooled connections of the old process must not fail a read.
			must(t, s.Restart(t.Context()))
			if err := get(t.Context()); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("Get after a restart = %v, want a miss", err)
			}
		})
	}
}

func TestLostReplyIsNotRepeated(t *testing.T) {
	b, p, other := behindProxy(t, redis.Options{})
	loseReplies(t, b, p, other)
}

// TestLostReplyIsNotRepeatedCluster does the same to go-redis's cluster client, which repeats commands by itself.
func TestLostReplyIsNotRepeatedCluster(t *testing.T) {
	c := testserver.RedisCluster(t, 1)
	p, err := faultproxy.New(c.Nodes[0].Addr(), 7)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	other := goredis.NewClient(&goredis.Options{Addr: c.Nodes[0].Addr()})
	t.Cleanup(func() { _ = other.Close() })
	_, port, err := net.SplitHostPort(p.Addr())
	must(t, err)
	must(t, other.ConfigSet(t.Context(), "cluster-announce-port", port).Err())
	loseReplies(t, open(t, "redis+cluster://"+p.Addr(), redis.Options{Timeout: slow}), p, other)
	if n := p.Accepted(); n < 2 {
		t.Errorf("%d connections went through the proxy, want the commands' too", n)
	}
}

// loseReplies loses the replies to commands that must not be sent twice.
func loseReplies(t *testing.T, b *redis.Backend, p *faultproxy.Proxy, other *goredis.Client) {
	t.Helper()
	for _, expires := range []int64{0, core.Deadline(time.Now(), time.Hour)} {
		must(t, other.Set(t.Context(), "n", "10", 0).Err())
		_, err := b.Increment(t.Context(), "n", 0, expires)
		must(t, err)
		p.Set(faultproxy.Fault{Truncate: 1, Once: true})
		if _, err := b.Increment(t.Context(), "n", 1, expires); err == nil {
			t.Error("Increment without a reply succeeded")
		}
		p.Set(faultproxy.Fault{})
		if n := other.Get(t.Context(), "n").Val(); n != "11" {
			t.Errorf("the counter is %s, want one increment", n)
		}
	}
	must(t, b.Set(t.Context(), "k", &core.Entry{Value: []byte("a")}))
	calls := 0
	_, err := b.Update(t.Context(), "k", func(old *core.Entry) (*core.Entry, error) {
		calls++
		p.Set(faultproxy.Fault{Truncate: 1, Once: true})
		return &core.Entry{Value: append(slices.Clip(old.Value), 'b')}, nil
	})
	p.Set(faultproxy.Fault{})
	if err == nil || calls != 1 {
		t.Errorf("Update = %v after %d calls, want an error after one", err, calls)
	}
	e, err := eventually(t.Context(), func() (*core.Entry, error) { return b.Get(t.Context(), "k") })
	if err != nil || string(e.Value) != "ab" && string(e.Value) != "a" {
		t.Errorf("Get = %v, %v, want one change at most", e, err)
	}
}

func TestPoolExhaustedIsUnavailable(t *testing.T) {
	s := testserver.Redis(t)
	b := open(t, s.URL(), redis.Options{PoolSize: 1, Timeout: deadline})
	must(t, b.Ping(t.Context()))
	must(t, s.Pause())
	errs := make(chan error)
	for range 4 {
		go func() { errs <- b.Ping(t.Context()) }()
	}
	for range 4 {
		if err := <-errs; !errors.Is(err, core.ErrUnavailable) && !errors.Is(err, core.ErrTimeout) {
			t.Errorf("Ping = %v", err)
		}
	}
}
