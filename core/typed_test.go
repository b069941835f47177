package core_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/core/codec/cbor"
	"github.com/edgecache/edgecache/core/codec/compress"
	"github.com/edgecache/edgecache/core/codec/msgpack"
	"github.com/edgecache/edgecache/core/codec/seal"
)

type user struct {
	Name string
	Age  int
	Tags map[string]int
}

func (u user) Clone() user {
	u.Tags = maps.Clone(u.Tags)
	return u
}

// newTyped returns a view of c.
func newTyped[T any](tb testing.TB, c *core.Cache, o core.TypedOptions) *core.Typed[T] {
	tb.Helper()
	t, err := core.NewTyped[T](c, o)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func sealed(tb testing.TB, inner codec.Codec) codec.Codec {
	tb.Helper()
	c, err := seal.New(inner, seal.Key{ID: 1, Secret: []byte(strings.Repeat("k", 32))})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func compressed(tb testing.TB, inner codec.Codec) codec.Codec {
	tb.Helper()
	c, err := compress.New(inner, compress.Options{MinSize: 16})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// codecs are all that structs can have.
func codecs(tb testing.TB) map[string]codec.Codec {
	return map[string]codec.Codec{
		"default": nil, "json": codec.JSON{}, "gob": codec.Gob{}, "msgpack": msgpack.Codec{}, "cbor": cbor.New(),
		"compress": compressed(tb, codec.JSON{}), "seal": sealed(tb, codec.JSON{}),
		"seal compress": sealed(tb, compressed(tb, msgpack.Codec{})),
	}
}

// TestTyped runs every method with every codec, in the root and below it, on one tier and two.
func TestTyped(t *testing.T) {
	for name, c := range codecs(t) {
		for tiers, o := range map[string]core.Options{"one tier": oneTier(t), "two tiers": twoTiers(t, newFar(t))} {
			t.Run(name+"/"+tiers, func(t *testing.T) {
				cache := newCache(t, o)
				for _, keep := range []bool{false, true} {
					users := newTyped[user](t, cache.Namespace("users"), core.TypedOptions{Codec: c, KeepDecoded: keep})
					checkTyped(t, users)
					if err := users.Cache().Clear(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

func checkTyped(t *testing.T, users *core.Typed[user]) {
	t.Helper()
	ctx := t.Context()
	ann, bob := user{Name: "ann", Tags: map[string]int{"a": 1}}, user{Name: "bob", Age: 7}
	is := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%v, want %v", err, want)
		}
	}
	has := func(key string, want user) {
		t.Helper()
		for range 2 { // the second time decoded already, perhaps
			if got, err := users.Get(ctx, key); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("Get(%q) = %+v, %v, want %+v", key, got, err, want)
			}
		}
	}
	_, err := users.Get(ctx, "ann")
	is(err, core.ErrNotFound)
	is(users.Replace(ctx, "ann", ann, core.EntryOptions{}), core.ErrNotFound)
	is(users.Add(ctx, "ann", ann, core.EntryOptions{}), nil)
	is(users.Add(ctx, "ann", bob, core.EntryOptions{}), core.ErrExists)
	has("ann", ann)
	_, token, err := users.GetToken(ctx, "ann")
	is(err, nil)
	is(users.Replace(ctx, "ann", bob, core.EntryOptions{}), nil)
	has("ann", bob)
	is(users.CompareAndSwap(ctx, "ann", token, ann, core.EntryOptions{}), core.ErrConflict)
	_, token, err = users.GetToken(ctx, "ann")
	is(err, nil)
	is(users.CompareAndSwap(ctx, "ann", token, ann, core.EntryOptions{}), nil)
	has("ann", ann)
	is(users.SetMap(ctx, map[string]user{"bob": bob}, core.EntryOptions{}), nil)
	is(users.SetMany(ctx, []string{"zero"}, []user{{}}, core.EntryOptions{}), nil)
	has("zero", user{})
	many, err := users.GetMany(ctx, []string{"bob", "none", "ann", "bob"})
	is(err, nil)
	if want := []core.Found[user]{{Value: bob, OK: true}, {}, {Value: ann, OK: true}, {Value: bob, OK: true}}; !reflect.DeepEqual(many, want) {
		t.Errorf("GetMany = %+v, want %+v", many, want)
	}
	all, err := users.GetMap(ctx, []string{"bob", "none", "ann"})
	is(err, nil)
	if want := map[string]user{"ann": ann, "bob": bob}; !reflect.DeepEqual(all, want) {
		t.Errorf("GetMap = %+v, want %+v", all, want)
	}
	if got, ok, err := users.Lookup(ctx, "none"); ok || err != nil || got.Name != "" {
		t.Errorf("Lookup of none = %+v, %t, %v", got, ok, err)
	}
	if got, err := users.GetOr(ctx, "none", bob); err != nil || got.Name != "bob" {
		t.Errorf("GetOr = %+v, %v, want the default", got, err)
	}
	if found, err := users.Delete(ctx, "ann"); !found || err != nil {
		t.Errorf("Delete = %t, %v", found, err)
	}
}

// TestTypedNil keeps nil and zero values of all kinds.
func TestTypedNil(t *testing.T) {
	for name, c := range codecs(t) {
		t.Run(name, func(t *testing.T) {
			cache := newCache(t, oneTier(t))
			for _, keep := range []bool{false, true} {
				o := core.TypedOptions{Codec: c, KeepDecoded: keep}
				keepsZero[*user](t, cache, o)
				keepsZero[map[string]int](t, cache, o)
				keepsZero[[]string](t, cache, o)
				keepsZero[any](t, cache, o)
				keepsZero[bool](t, cache, o)
				keepsZero[float64](t, cache, o)
			}
		})
	}
	cache := newCache(t, oneTier(t))
	keepsZero[string](t, cache, core.TypedOptions{})
	keepsZero[int](t, cache, core.TypedOptions{})
	keepsZero[int64](t, cache, core.TypedOptions{KeepDecoded: true})
}

func keepsZero[T any](t *testing.T, cache *core.Cache, o core.TypedOptions) {
	t.Helper()
	values := newTyped[T](t, cache, o)
	var zero T
	if err := values.Set(t.Context(), "k", zero, core.EntryOptions{}); err != nil {
		t.Errorf("Set(%#v): %v", zero, err)
	}
	for range 2 {
		if v, ok, err := values.Lookup(t.Context(), "k"); !ok || err != nil || !reflect.DeepEqual(v, zero) {
			t.Errorf("Lookup of %#v = %#v, %t, %v", zero, v, ok, err)
		}
	}
}

// TestTypedDecode reads what others have stored: never a wrong value, always a miss that says why and is counted.
func TestTypedDecode(t *testing.T) {
	ctx := t.Context()
	cache := newCache(t, oneTier(t))
	users := newTyped[user](t, cache, core.TypedOptions{KeepDecoded: true})
	secret := users.WithCodec(sealed(t, codec.JSON{}))
	write := map[string]func(key string) error{
		"plain bytes": func(key string) error { return cache.Set(ctx, key, []byte(`{"Name":"x"}`), core.EntryOptions{}) },
		"damaged": func(key string) error {
			return cache.Set(ctx, key, []byte(`{"Name":`), core.EntryOptions{Codec: codec.IDJSON})
		},
		"another codec": func(key string) error {
			return users.WithCodec(msgpack.Codec{}).Set(ctx, key, user{}, core.EntryOptions{})
		},
		"sealed": func(key string) error { return secret.Set(ctx, key, user{}, core.EntryOptions{}) },
		"sealed, with its value beside": func(key string) error {
			err := secret.Set(ctx, key, user{}, core.EntryOptions{})
			if err == nil {
				_, err = secret.Get(ctx, key)
			}
			return err
		},
	}
	var bad uint64
	for name, set := range write {
		if err := set(name); err != nil {
			t.Fatal(err)
		}
		v, err := users.Get(ctx, name)
		if bad++; !errors.Is(err, core.ErrNotFound) || !errors.Is(err, core.ErrDecode) || v.Name != "" {
			t.Errorf("%s: Get = %+v, %v, want a miss that is ErrDecode", name, v, err)
		}
		if v, ok, err := users.Lookup(ctx, name); ok || err != nil {
			t.Errorf("%s: Lookup = %+v, %t, %v, want a miss", name, v, ok, err)
		}
		many, err := users.GetMany(ctx, []string{name})
		if err != nil || many[0].OK {
			t.Errorf("%s: GetMany = %+v, %v, want a miss", name, many, err)
		}
		bad += 2
		if n := cache.Stats().DecodeErrors; n != bad {
			t.Errorf("%s: %d decode errors, want %d", name, n, bad)
		}
	}
}

// TestTypedOneKeyManyTypes has bytes and objects side by side, each known by its codec.
func TestTypedOneKeyManyTypes(t *testing.T) {
	ctx := t.Context()
	cache := newCache(t, oneTier(t))
	files, users := newTyped[[]byte](t, cache, core.TypedOptions{}), newTyped[user](t, cache, core.TypedOptions{})
	anys := newTyped[any](t, cache, core.TypedOptions{KeepDecoded: true})
	if err := files.Set(ctx, "file", []byte(`{"Name":"x"}`), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := users.Set(ctx, "user", user{Name: "x"}, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Get(ctx, "user"); !errors.Is(err, core.ErrDecode) {
		t.Errorf("an object read as bytes: %v, want ErrDecode", err)
	}
	if _, err := users.Get(ctx, "file"); !errors.Is(err, core.ErrDecode) {
		t.Errorf("bytes read as an object: %v, want ErrDecode", err)
	}
	for key, want := range map[string]uint8{"file": codec.IDBytes, "user": codec.IDJSON} {
		if e, err := cache.GetEntry(ctx, key); err != nil || e.Codec != want {
			t.Errorf("%s is of codec %d, %v, want %d", key, e.Codec, err, want)
		}
	}
	// What one type keeps decoded is nothing to another.
	kept := newTyped[user](t, cache, core.TypedOptions{KeepDecoded: true})
	for range 2 {
		if _, err := kept.Get(ctx, "user"); err != nil {
			t.Error(err)
		}
		if v, err := anys.Get(ctx, "user"); err != nil || v.(map[string]any)["Name"] != "x" {
			t.Errorf("as any: %#v, %v", v, err)
		}
	}
}

// TestTypedMovedValue puts a sealed value under another key.
func TestTypedMovedValue(t *testing.T) {
	ctx := t.Context()
	cache := newCache(t, oneTier(t))
	users := newTyped[user](t, cache, core.TypedOptions{Codec: sealed(t, codec.JSON{})})
	if err := users.Set(ctx, "admin", user{Name: "admin"}, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	e, err := cache.GetEntry(ctx, "admin")
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Set(ctx, "guest", e.Value, core.EntryOptions{Codec: e.Codec}); err != nil {
		t.Fatal(err)
	}
	if v, err := users.Get(ctx, "guest"); !errors.Is(err, core.ErrDecode) {
		t.Errorf("the moved value is read: %+v, %v", v, err)
	}
}

// TestTypedPlain reads what clients without codecs write, and writes what counters add to.
func TestTypedPlain(t *testing.T) {
	ctx := t.Context()
	cache := newCache(t, oneTier(t))
	if err := cache.Set(ctx, "text", []byte("plain"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if v, err := newTyped[string](t, cache, core.TypedOptions{}).Get(ctx, "text"); err != nil || v != "plain" {
		t.Errorf("as a string: %q, %v", v, err)
	}
	raw := newTyped[any](t, cache, core.TypedOptions{Codec: codec.JSON{Raw: true}})
	if v, err := raw.Get(ctx, "text"); err != nil || v != "plain" {
		t.Errorf("as raw JSON: %#v, %v", v, err)
	}
	if err := raw.Set(ctx, "channel", make(chan int), core.EntryOptions{}); !errors.Is(err, core.ErrEncode) {
		t.Errorf("Set of a channel: %v, want ErrEncode", err)
	}
	numbers := newTyped[int64](t, cache, core.TypedOptions{})
	if err := numbers.Set(ctx, "n", 41, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Increment(ctx, "n", 1, core.EntryOptions{}); err != nil {
		t.Error(err)
	}
	if n, err := numbers.Get(ctx, "n"); err != nil || n != 42 {
		t.Errorf("after Increment: %d, %v, want 42", n, err)
	}
}

func TestTypedRefuses(t *testing.T) {
	ctx := t.Context()
	cache := newCache(t, oneTier(t))
	if _, err := core.NewTyped[user](nil, core.TypedOptions{}); err == nil {
		t.Error("no cache: no error")
	}
	if _, err := core.NewTyped[map[string]int](cache, core.TypedOptions{KeepDecoded: true, AutoClone: true}); err == nil {
		t.Error("KeepDecoded and AutoClone without Clone: no error")
	}
	chans := newTyped[chan int](t, cache, core.TypedOptions{})
	if err := chans.SetMany(ctx, []string{"a"}, []chan int{make(chan int)}, core.EntryOptions{}); !errors.Is(err, core.ErrEncode) {
		t.Errorf("SetMany of a channel: %v, want ErrEncode", err)
	}
	if err := chans.SetMany(ctx, []string{"a"}, nil, core.EntryOptions{}); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("SetMany of a key without value: %v, want ErrUnsupported", err)
	}
}

// TestTypedSharing changes what readers got.
func TestTypedSharing(t *testing.T) {
	for name, tc := range map[string]struct {
		o      core.TypedOptions
		shared bool
	}{
		"decoded each time": {core.TypedOptions{}, false},
		"KeepDecoded":       {core.TypedOptions{KeepDecoded: true}, true},
		"AutoClone":         {core.TypedOptions{AutoClone: true}, false},
		"both":              {core.TypedOptions{KeepDecoded: true, AutoClone: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			users := newTyped[user](t, newCache(t, oneTier(t)), tc.o)
			written := user{Tags: map[string]int{"a": 1}}
			if err := users.Set(ctx, "k", written, core.EntryOptions{}); err != nil {
				t.Fatal(err)
			}
			written.Tags["writer"] = 1
			first, err := users.Get(ctx, "k")
			if err != nil {
				t.Fatal(err)
			}
			first.Tags["reader"] = 1
			second, err := users.Get(ctx, "k")
			if err != nil || second.Tags["writer"] != 0 || (second.Tags["reader"] == 1) != tc.shared {
				t.Errorf("Get = %v, %v: shared with another reader: want %t, with the writer: never", second.Tags, err, tc.shared)
			}
		})
	}
}

// TestTypedExpiry gives values no end, the cache's default and their own.
func TestTypedExpiry(t *testing.T) {
	ctx := t.Context()
	o := oneTier(t)
	o.TTL = time.Minute
	cache := newCache(t, o)
	values := newTyped[int](t, cache, core.TypedOptions{})
	for name, tc := range map[string]struct{ ttl, low, high time.Duration }{
		"for ever": {core.NoExpiry, core.NoExpiry, core.NoExpiry},
		"default":  {core.DefaultTTL, 59 * time.Second, time.Minute},
		"own":      {time.Hour, 59 * time.Minute, time.Hour},
	} {
		if err := values.Set(ctx, name, 1, core.EntryOptions{TTL: tc.ttl}); err != nil {
			t.Fatal(err)
		}
		if ttl, err := cache.TTL(ctx, name); err != nil || ttl < tc.low || ttl > tc.high {
			t.Errorf("%s: TTL = %v, %v, want %v to %v", name, ttl, err, tc.low, tc.high)
		}
	}
}

func TestTypedHitAllocs(t *testing.T) {
	ctx := context.Background()
	cache := newCache(t, oneTier(t))
	users := newTyped[user](t, cache, core.TypedOptions{KeepDecoded: true})
	if err := users.Set(ctx, "k", user{Name: "x"}, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	load := func(context.Context, string) (user, error) { return user{}, errors.New("not a hit") }
	if n := testing.AllocsPerRun(200, func() {
		if v, err := users.Get(ctx, "k"); err != nil || v.Name != "x" {
			t.Fatal(v, err)
		}
		if v, err := users.GetOrLoad(ctx, "k", load, core.LoadOptions{}); err != nil || v.Name != "x" {
			t.Fatal(v, err)
		}
		if _, err := cache.GetOrLoad(ctx, "k", nil, core.LoadOptions{}); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// moody panics when it is written, or read, in its mood.
type moody struct{ Mood string }

func (m moody) MarshalJSON() ([]byte, error) {
	if m.Mood == "silent" {
		panic("I won't")
	}
	return []byte(`"` + m.Mood + `"`), nil
}

func (m *moody) UnmarshalJSON(data []byte) error {
	if m.Mood = strings.Trim(string(data), `"`); m.Mood == "blind" {
		panic("I can't")
	}
	return nil
}

// TestTypedPanics has values whose own methods panic.
func TestTypedPanics(t *testing.T) {
	ctx := t.Context()
	values := newTyped[moody](t, newCache(t, oneTier(t)), core.TypedOptions{})
	if err := values.Set(ctx, "k", moody{"silent"}, core.EntryOptions{}); !errors.Is(err, core.ErrEncode) {
		t.Errorf("Set: %v, want ErrEncode", err)
	}
	load := func(context.Context, string) (moody, error) { return moody{"silent"}, nil }
	if v, err := values.GetOrLoad(ctx, "k", load, core.LoadOptions{}); err != nil || v.Mood != "silent" {
		t.Errorf("GetOrLoad = %v, %v", v, err)
	}
	if err := values.Set(ctx, "k", moody{"blind"}, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := values.Get(ctx, "k"); !errors.Is(err, core.ErrDecode) {
		t.Errorf("Get: %v, want ErrDecode", err)
	}
}
