package redis_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/internal/testserver"
)

// pair starts a server and returns a backend over it and a plain client, which stands for other users of the server.
func pair(t *testing.T, opts redis.Options) (*redis.Backend, *goredis.Client) {
	t.Helper()
	s := testserver.Redis(t)
	other := goredis.NewClient(&goredis.Options{Addr: s.Addr()})
	t.Cleanup(func() { _ = other.Close() })
	opts.Timeout = slow
	return open(t, s.URL(), opts), other
}

func TestStoredBytes(t *testing.T) {
	expires := time.Now().Add(time.Hour).UnixNano()
	entry := core.Entry{Expires: expires, Version: 7}
	for name, tc := range map[string]struct {
		values redis.Values
		value  string
		flags  uint32
		plain  bool
	}{
		"enveloped text":              {redis.Enveloped, "text", 0, false},
		"enveloped number":            {redis.Enveloped, "-12", 0, true},
		"enveloped number with flags": {redis.Enveloped, "-12", 1, false},
		"raw text":                    {redis.Raw, "text", 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			b, other := pair(t, redis.Options{Values: tc.values})
			e := &core.Entry{Value: []byte(tc.value), Expires: entry.Expires, Version: entry.Version, Flags: tc.flags}
			must(t, b.Set(t.Context(), "k", e))
			want := codec.AppendEnvelope(nil, "k", codec.Envelope{
				Value: e.Value, Expires: e.Expires, Version: e.Version, Flags: e.Flags,
			})
			if tc.plain {
				want = e.Value
			}
			if got := other.Get(t.Context(), "k").Val(); got != string(want) {
				t.Errorf("the server holds %q, want %q", got, want)
			}
			if left := other.PTTL(t.Context(), "k").Val(); left > time.Hour || left < time.Hour-time.Minute {
				t.Errorf("the server's time to live is %v, want an hour", left)
			}
			got, err := b.Get(t.Context(), "k")
			must(t, err)
			if d := time.Duration(got.Expires - expires).Abs(); string(got.Value) != tc.value || d > 10*time.Second {
				t.Errorf("Get = %q, expiry off by %v", got.Value, d)
			}
		})
	}
}

func TestForeignValues(t *testing.T) {
	for name, values := range map[string]redis.Values{"enveloped": redis.Enveloped, "raw": redis.Raw} {
		t.Run(name, func(t *testing.T) {
			b, other := pair(t, redis.Options{Values: values})
			must(t, other.Set(t.Context(), "text", "plain", 0).Err())
			must(t, other.Set(t.Context(), "brief", "plain", time.Minute).Err())
			must(t, other.HSet(t.Context(), "hash", "field", "1").Err())
			e, err := b.Get(t.Context(), "text")
			if err != nil || string(e.Value) != "plain" || e.Version != 0 || e.Expires != 0 {
				t.Errorf("Get(text) = %+v, %v", e, err)
			}
			e, err = b.Get(t.Context(), "brief")
			if err != nil || e.TTL(time.Now()) > time.Minute || e.TTL(time.Now()) < time.Second {
				t.Errorf("Get(brief) = %+v, %v, want the server's minute", e, err)
			}
			var reply goredis.Error
			if _, err = b.Get(t.Context(), "hash"); !errors.As(err, &reply) || !strings.HasPrefix(err.Error(), "WRONGTYPE ") {
				t.Errorf("Get(hash) = %v, want Redis's WRONGTYPE", err)
			}
			out := make([]*core.Entry, 4)
			must(t, b.GetMany(t.Context(), []string{"text", "hash", "none", "brief"}, out))
			if out[0] == nil || out[1] != nil || out[2] != nil || out[3] == nil || out[3].Expires == 0 {
				t.Errorf("GetMany = %v", out)
			}
			found, err := b.Delete(t.Context(), "hash")
			if err != nil || !found {
				t.Errorf("Delete(hash) = %v, %v", found, err)
			}
		})
	}
}

func TestDamagedValuesAreCountedMisses(t *testing.T) {
	b, other := pair(t, redis.Options{})
	good := codec.AppendEnvelope(nil, "k", codec.Envelope{Value: []byte("value")})
	bad := append([]byte(nil), good...)
	bad[len(bad)-1] ^= 1
	newer := append([]byte(nil), good...)
	newer[1] = 9
	for n, data := range []string{string(bad), string(newer), string(good[:20]), "\xec"} {
		must(t, other.Set(t.Context(), "k", data, 0).Err())
		if _, err := b.Get(t.Context(), "k"); err != core.ErrNotFound { //nolint:errorlint // the contract
			t.Errorf("Get of %x = %v, want a miss", data, err)
		}
		if got := b.DecodeErrors(); got != int64(n+1) {
			t.Errorf("DecodeErrors() = %d, want %d", got, n+1)
		}
	}
	must(t, other.Set(t.Context(), "elsewhere", string(good), 0).Err())
	out := make([]*core.Entry, 1)
	if err := b.GetMany(t.Context(), []string{"elsewhere"}, out); err != nil || out[0] != nil || b.DecodeErrors() != 5 {
		t.Errorf("GetMany of another key's envelope = %v, %v, %d damaged", out[0], err, b.DecodeErrors())
	}
	_, err := b.Update(t.Context(), "elsewhere", func(old *core.Entry) (*core.Entry, error) {
		if old != nil {
			t.Errorf("Update saw %q", old.Value)
		}
		return &core.Entry{Value: []byte("new")}, nil
	})
	must(t, err)
	if e, err := b.Get(t.Context(), "elsewhere"); err != nil || string(e.Value) != "new" {
		t.Errorf("Get after Update = %v, %v", e, err)
	}
}

func TestExpireKeepsServerAndEnvelopeTogether(t *testing.T) {
	b, other := pair(t, redis.Options{})
	must(t, b.Set(t.Context(), "k", &core.Entry{Value: []byte("value"), Version: 3}))
	check := func(want time.Duration) {
		t.Helper()
		e, err := b.Get(t.Context(), "k")
		must(t, err)
		left := other.PTTL(t.Context(), "k").Val()
		if want == core.NoExpiry {
			if e.Expires != 0 || left != -1 {
				t.Errorf("expiry %d, server %v, want none", e.Expires, left)
			}
			return
		}
		if d := (e.TTL(time.Now()) - left).Abs(); d > time.Second || left > want || e.Version != 3 {
			t.Errorf("entry %v, server %v, version %d, want %v and version 3", e.TTL(time.Now()), left, e.Version, want)
		}
	}
	for _, ttl := range []time.Duration{time.Hour, time.Minute, core.NoExpiry, time.Hour} {
		found, err := b.Expire(t.Context(), "k", core.Deadline(time.Now(), ttl))
		if err != nil || !found {
			t.Fatalf("Expire = %v, %v", found, err)
		}
		check(ttl)
	}
	_, err := b.Update(t.Context(), "k", func(old *core.Entry) (*core.Entry, error) {
		return &core.Entry{Value: append(slices.Clip(old.Value), '!'), Expires: old.Expires, Version: 3}, nil
	})
	must(t, err)
	check(time.Hour)
}

// TestServerDecidesOnPresence has another client prolong a key beyond its envelope's expiry.
func TestServerDecidesOnPresence(t *testing.T) {
	b, other := pair(t, redis.Options{})
	expired := codec.AppendEnvelope(nil, "k", codec.Envelope{Value: []byte("value"), Expires: 1})
	must(t, other.Set(t.Context(), "k", expired, time.Hour).Err())
	before := time.Now()
	e, err := b.Get(t.Context(), "k")
	if err != nil || e.Expired(before) || e.TTL(before) > time.Minute {
		t.Errorf("Get = %+v, %v, want an entry that ends now", e, err)
	}
	if err := b.SetIf(t.Context(), "k", e, core.IfAbsent); !errors.Is(err, core.ErrExists) {
		t.Errorf("SetIf = %v, want ErrExists", err)
	}
}

func TestCountersAreSharedWithTheServer(t *testing.T) {
	b, other := pair(t, redis.Options{})
	if n, err := b.Increment(t.Context(), "n", math.MaxInt64-10, core.Deadline(time.Now(), time.Hour)); err != nil || n != math.MaxInt64-10 {
		t.Errorf("Increment = %d, %v", n, err)
	}
	if n := other.IncrBy(t.Context(), "n", 9).Val(); n != math.MaxInt64-1 {
		t.Errorf("the server's INCRBY = %d", n)
	}
	if n, err := b.Increment(t.Context(), "n", 1, 0); err != nil || n != math.MaxInt64 {
		t.Errorf("Increment = %d, %v, want all digits of the largest int64", n, err)
	}
	if _, err := b.Increment(t.Context(), "n", 1, 0); !errors.Is(err, core.ErrOverflow) {
		t.Errorf("Increment = %v, want an overflow", err)
	}
	if left := other.PTTL(t.Context(), "n").Val(); left < time.Minute {
		t.Errorf("the counter's time to live is %v, want an hour", left)
	}
	must(t, other.HSet(t.Context(), "hash", "field", "1").Err())
	if _, err := b.Increment(t.Context(), "hash", 1, 0); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		t.Errorf("Increment of a hash = %v", err)
	}
}

// TestUpdateKeepsForeignExpiry sets another time to live between the read and the write.
func TestUpdateKeepsForeignExpiry(t *testing.T) {
	b, other := pair(t, redis.Options{Values: redis.Raw})
	must(t, other.Set(t.Context(), "k", "a", time.Minute).Err())
	_, err := b.Update(t.Context(), "k", func(old *core.Entry) (*core.Entry, error) {
		must(t, other.Expire(t.Context(), "k", time.Hour).Err())
		return &core.Entry{Value: []byte("b"), Expires: old.Expires}, nil
	})
	must(t, err)
	if left := other.PTTL(t.Context(), "k").Val(); left < 30*time.Minute {
		t.Errorf("the time to live is %v, want the hour that was set meanwhile", left)
	}
}

func TestUpdateGivesUp(t *testing.T) {
	b, other := pair(t, redis.Options{})
	n := 0
	_, err := b.Update(t.Context(), "k", func(*core.Entry) (*core.Entry, error) {
		n++
		must(t, other.Set(t.Context(), "k", "other "+strconv.Itoa(n), 0).Err())
		return &core.Entry{Value: []byte("mine")}, nil
	})
	if !errors.Is(err, core.ErrConflict) || n < 10 {
		t.Errorf("Update = %v after %d attempts, want a conflict after many", err, n)
	}
}

func TestUpdateUnderContention(t *testing.T) {
	b, _ := pair(t, redis.Options{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				if _, err := b.Update(t.Context(), "k", func(old *core.Entry) (*core.Entry, error) {
					if old == nil {
						return &core.Entry{Value: []byte("x")}, nil
					}
					return &core.Entry{Value: append(slices.Clip(old.Value), 'x')}, nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if e, err := b.Get(t.Context(), "k"); err != nil || len(e.Value) != 160 {
		t.Errorf("%d bytes, %v, want 160", len(e.Value), err)
	}
}

func TestRawCommands(t *testing.T) {
	b, other := pair(t, redis.Options{})
	if got, err := b.Raw(t.Context(), "LPUSH", "list", "a", "b"); err != nil || got != int64(2) {
		t.Errorf("Raw(LPUSH) = %v, %v", got, err)
	}
	if got, err := b.Raw(t.Context(), "GET", "absent"); err != nil || got != nil {
		t.Errorf("Raw(GET) of an absent key = %v, %v, want a nil reply", got, err)
	}
	if _, err := b.Raw(t.Context(), "NOSUCH"); err == nil || !strings.HasPrefix(err.Error(), "ERR unknown command") {
		t.Errorf("Raw(NOSUCH) = %v", err)
	}
	if n := other.LLen(t.Context(), "list").Val(); n != 2 {
		t.Errorf("the list has %d elements", n)
	}
}

func TestTooLarge(t *testing.T) {
	b, other := pair(t, redis.Options{MaxValue: 1000})
	big := &core.Entry{Value: make([]byte, 1000)}
	if err := b.Set(t.Context(), "k", big); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("Set = %v, want ErrTooLarge", err)
	}
	errs := make([]error, 2)
	small := &core.Entry{Value: []byte("v")}
	must(t, b.SetMany(t.Context(), []string{"a", "b"}, []*core.Entry{big, small}, errs))
	if !errors.Is(errs[0], core.ErrTooLarge) || errs[1] != nil {
		t.Errorf("SetMany = %v", errs)
	}
	must(t, other.Set(t.Context(), "k", strings.Repeat("x", 2000), 0).Err())
	if _, err := b.Get(t.Context(), "k"); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Get of a foreign value over the limit = %v, want ErrUnavailable", err)
	}
	if e, err := b.Get(t.Context(), "b"); err != nil || string(e.Value) != "v" {
		t.Errorf("Get after it = %v, %v", e, err)
	}
}

func TestClearOwnedFlushes(t *testing.T) {
	for _, owned := range []bool{false, true} {
		b, other := pair(t, redis.Options{Owned: owned})
		for i := range 1200 {
			must(t, b.Set(t.Context(), "key "+strconv.Itoa(i), &core.Entry{Value: []byte("v")}))
		}
		must(t, other.HSet(t.Context(), "hash", "f", "1").Err())
		must(t, b.Clear(t.Context(), "key 1"))
		if n := other.DBSize(t.Context()).Val(); n != 1201-311 {
			t.Errorf("%d keys are left, want 890", n)
		}
		must(t, b.Clear(t.Context(), ""))
		if n := other.DBSize(t.Context()).Val(); n != 0 {
			t.Errorf("%d keys are left, want none", n)
		}
		flushed := strings.Contains(other.Info(t.Context(), "commandstats").Val(), "cmdstat_flushdb")
		if flushed != owned {
			t.Errorf("owned %v: FLUSHDB was used: %v", owned, flushed)
		}
	}
}

func TestUnixSocketAndPassword(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	s := testserver.Redis(t, "--unixsocket", socket,
		"--user", "me", "on", ">secret", "~*", "+@all", "--user", "default", "on", ">other", "~*", "+@all")
	for url, ok := range map[string]bool{
		"unix://me:secret@" + socket + "?db=3": true,
		"redis://me:secret@" + s.Addr() + "/3": true,
		"redis://:other@" + s.Addr():           true,
		"redis://me:wrong@" + s.Addr():         false,
		"redis://" + s.Addr():                  false,
	} {
		b := open(t, url, redis.Options{Timeout: slow})
		err := b.Ping(t.Context())
		if (err == nil) != ok {
			t.Errorf("Ping at %s = %v", url, err)
		}
		if !ok && errors.Is(err, core.ErrTimeout) {
			t.Errorf("Ping at %s = %v, want the server's reason", url, err)
		}
	}
}

func TestContextEnds(t *testing.T) {
	b, _ := pair(t, redis.Options{})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Get(canceled, "k"); !errors.Is(err, context.Canceled) || errors.Is(err, core.ErrTimeout) {
		t.Errorf("Get = %v, want the context's end", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := b.Get(late, "k"); !errors.Is(err, core.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get = %v, want a timeout", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
