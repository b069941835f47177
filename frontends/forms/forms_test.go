package forms

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
)

func newCache(t testing.TB, o Options) *Cache {
	t.Helper()
	backend, err := memory.New(memory.Options{MaxBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	})
	o.Cache = cache
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	c := newCache(t, Options{})
	ctx := context.Background()
	long := "a=" + strings.Repeat("x", 2000)
	for encoded, want := range map[string]url.Values{
		"":                {},
		"a=1&b=2&a=3":     {"a": {"1", "3"}, "b": {"2"}},
		"q=a+b%26c":       {"q": {"a b&c"}},
		"b=%C3%A4&empty=": {"b": {"ä"}, "empty": {""}},
		long:              {"a": {strings.Repeat("x", 2000)}},
	} {
		for range 2 {
			got, err := c.Parse(ctx, encoded)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("Parse(%.20q): %v (-want +got):\n%s", encoded, err, diff)
			}
		}
		if ok, err := c.Has(ctx, encoded); !ok || err != nil {
			t.Errorf("Has(%.20q) = %v, %v, want true", encoded, ok, err)
		}
	}
	if _, err := c.Parse(ctx, "a=%zz"); err == nil {
		t.Error("what is malformed is a form")
	}
	if got := c.Stats(); got != (Stats{5, 1000, 300 * time.Second}) {
		t.Errorf("Stats() = %+v, want 5 of 1000 for 300 s", got)
	}
}

// TestStored reads forms that another process has stored, and what is none.
func TestStored(t *testing.T) {
	c := newCache(t, Options{})
	ctx := context.Background()
	for _, tt := range []struct {
		stored string
		codec  uint8
		want   url.Values // nil: ErrDecode
	}{
		{"a=1&a=2", codec.IDForm, url.Values{"a": {"1", "2"}}},
		{"b=%FF%00", codec.IDForm, url.Values{"b": {"\xff\x00"}}},
		{"a=%zz", codec.IDForm, nil},
		{"a=1", codec.IDJSON, nil},
	} {
		if err := c.cache.Set(ctx, key("x"), []byte(tt.stored), core.EntryOptions{Codec: tt.codec}); err != nil {
			t.Fatal(err)
		}
		got, err := c.Get(ctx, "x")
		if tt.want == nil && (!errors.Is(err, core.ErrDecode) || !errors.Is(err, core.ErrNotFound)) || !cmp.Equal(got, tt.want) {
			t.Errorf("Get of %q = %v, %v, want %v", tt.stored, got, err, tt.want)
		}
	}
}

func FuzzCodec(f *testing.F) {
	f.Add("a=1&b=%FF")
	f.Add("a=%zz;b")
	f.Fuzz(func(t *testing.T, data string) {
		var v, again url.Values
		if (form{}).Decode([]byte(data), &v) != nil {
			return
		}
		b, err := form{}.Append(nil, &v)
		if err != nil {
			t.Fatal(err)
		}
		if err := (form{}).Decode(b, &again); err != nil || !cmp.Equal(v, again) {
			t.Fatalf("%q is %v, and again %v, %v", data, v, again, err)
		}
	})
}

// TestLRU keeps as many as there may be: those that were used last.
func TestLRU(t *testing.T) {
	c := newCache(t, Options{MaxSize: 3})
	ctx := context.Background()
	for _, step := range []struct{ set, want string }{
		{"a", "a"}, {"b", "ab"}, {"c", "abc"}, {"get a", "abc"}, {"d", "acd"}, {"c", "acd"}, {"e", "cde"},
	} {
		if encoded, get := strings.CutPrefix(step.set, "get "); get {
			if _, err := c.Get(ctx, encoded); err != nil {
				t.Fatal(err)
			}
		} else if err := c.Set(ctx, encoded, url.Values{"v": {encoded}}, 0); err != nil {
			t.Fatal(err)
		}
		var got string
		for _, encoded := range []string{"a", "b", "c", "d", "e"} {
			if ok, err := c.Has(ctx, encoded); err != nil {
				t.Fatal(err)
			} else if ok {
				got += encoded
			}
		}
		if got != step.want || c.Stats().Size != len(step.want) {
			t.Errorf("after %s: %s, size %d, want %s", step.set, got, c.Stats().Size, step.want)
		}
	}
	if ok, err := c.Delete(ctx, "c"); !ok || err != nil {
		t.Errorf("Delete = %v, %v, want true", ok, err)
	}
	if ok, err := c.Delete(ctx, "c"); ok || err != nil {
		t.Errorf("Delete again = %v, %v, want false", ok, err)
	}
	if err := c.Clear(ctx); err != nil || c.Stats().Size != 0 {
		t.Errorf("Clear: %v, %+v", err, c.Stats())
	}
	if _, err := c.Get(ctx, "d"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Get after Clear: %v, want ErrNotFound", err)
	}
}

// TestExpiry: forms end after their time, and Cleanup forgets them.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, Options{})
		ctx := context.Background()
		for encoded, ttl := range map[string]time.Duration{"default": 0, "short": time.Second, "ever": core.NoExpiry} {
			if err := c.Set(ctx, encoded, url.Values{}, ttl); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			wait    time.Duration
			cleaned int
			left    string
		}{
			{0, 0, "default short ever"}, {2 * time.Second, 1, "default ever"}, {297 * time.Second, 0, "default ever"}, {2 * time.Second, 1, "ever"},
		} {
			<-time.After(step.wait)
			synctest.Wait()
			n, err := c.Cleanup(ctx)
			if n != step.cleaned || err != nil || c.Stats().Size != len(strings.Fields(step.left)) {
				t.Errorf("Cleanup after %v = %d, %v, %+v, want %+v", step.wait, n, err, c.Stats(), step)
			}
			for _, encoded := range []string{"default", "short", "ever"} {
				if ok, err := c.Has(ctx, encoded); ok != strings.Contains(step.left, encoded) || err != nil {
					t.Errorf("Has(%s) = %v, %v, want what is in %q", encoded, ok, err, step.left)
				}
			}
		}
	})
}

// TestConcurrent never holds more than it may.
func TestConcurrent(t *testing.T) {
	c := newCache(t, Options{MaxSize: 50})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				encoded := fmt.Sprintf("a=%d", (i*7+g)%100)
				if form, err := c.Parse(context.Background(), encoded); err != nil || form.Encode() != encoded {
					t.Errorf("Parse(%s) = %v, %v", encoded, form, err)
				}
			}
		})
	}
	wg.Wait()
	if n := c.Stats().Size; n != 50 {
		t.Errorf("%d forms, want 50", n)
	}
}

// TestCacheFails parses without the cache.
func TestCacheFails(t *testing.T) {
	c := newCache(t, Options{})
	if err := c.cache.Close(); err != nil {
		t.Fatal(err)
	}
	if form, err := c.Parse(context.Background(), "a=1"); err != nil || form.Get("a") != "1" {
		t.Errorf("Parse = %v, %v", form, err)
	}
}

func TestBadOptions(t *testing.T) {
	good := newCache(t, Options{}).cache
	for _, o := range []Options{{}, {Cache: good, MaxSize: -1}, {Cache: good, TTL: -5}} {
		if _, err := New(o); err == nil {
			t.Errorf("New(%+v) succeeds", o)
		}
	}
}

func ExampleCache_Parse() {
	backend, err := memory.New(memory.Options{})
	if err != nil {
		panic(err)
	}
	cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}})
	if err != nil {
		panic(err)
	}
	defer cache.Close()
	c, err := New(Options{Cache: cache.Namespace("forms")})
	if err != nil {
		panic(err)
	}
	form, err := c.Parse(context.Background(), "name=Ada&lang=go&lang=wasm")
	fmt.Println(form["lang"], err, c.Stats().Size)
	// Output: [go wasm] <nil> 1
}
