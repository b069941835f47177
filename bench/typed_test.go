package bench

import (
	"context"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/core/codec/cbor"
	"github.com/edgecache/edgecache/core/codec/compress"
	"github.com/edgecache/edgecache/core/codec/msgpack"
	"github.com/edgecache/edgecache/core/codec/seal"
)

// product is a value as programs have them.
type product struct {
	ID    int64
	Name  string
	Price float64
	Tags  []string
	Stock map[string]int
}

func sampleProduct() product {
	return product{
		ID: 123456, Name: "a thing of some name", Price: 19.99, Tags: []string{"red", "large", "new"},
		Stock: map[string]int{"north": 5, "south": 0},
	}
}

func typed[T any](b *testing.B, c *core.Cache, o core.TypedOptions) *core.Typed[T] {
	b.Helper()
	t, err := core.NewTyped[T](c, o)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// BenchmarkTyped compares hits through what stands above the cache with hits in it.
func BenchmarkTyped(b *testing.B) {
	b.Run("raw", func(b *testing.B) {
		c, keys := newCache(b, core.Options{})
		get(context.Background(), b, c, keys)
	})
	for name, o := range map[string]core.TypedOptions{"json": {}, "json-kept": {KeepDecoded: true}} {
		b.Run(name, func(b *testing.B) {
			c, keys := newCache(b, core.Options{})
			products := typed[product](b, c, o)
			set(b, products, keys)
			answers(b, keys, func(ctx context.Context, key string) error { _, err := products.Get(ctx, key); return err })
		})
	}
	b.Run("load", func(b *testing.B) {
		c, keys := newCache(b, core.Options{})
		products := typed[product](b, c, core.TypedOptions{KeepDecoded: true})
		set(b, products, keys)
		answers(b, keys, func(ctx context.Context, key string) error {
			_, err := products.GetOrLoad(ctx, key, nil, core.LoadOptions{})
			return err
		})
	})
}

func set(b *testing.B, products *core.Typed[product], keys []string) {
	b.Helper()
	for _, k := range keys {
		if err := products.Set(b.Context(), k, sampleProduct(), core.EntryOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func answers[A any](b *testing.B, args []A, call func(context.Context, A) error) {
	ctx := context.Background()
	for _, a := range args {
		if err := call(ctx, a); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := call(ctx, args[i&(hotKeys-1)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

type pair struct {
	Path string
	Page int
}

// BenchmarkMemoize has memoized functions of one string, of a struct, and with keys of their own.
func BenchmarkMemoize(b *testing.B) {
	b.Run("string", func(b *testing.B) {
		memoized(b, hotSet(), core.MemoOptions[string, product]{Name: "f"})
	})
	b.Run("own", func(b *testing.B) {
		memoized(b, hotSet(), core.MemoOptions[string, product]{Name: "f", Key: func(s string) string { return s }})
	})
	b.Run("struct", func(b *testing.B) {
		var args []pair
		for i, key := range hotSet() {
			args = append(args, pair{key, i})
		}
		memoized(b, args, core.MemoOptions[pair, product]{Name: "f"})
	})
}

func memoized[A any](b *testing.B, args []A, o core.MemoOptions[A, product]) {
	c, _ := newCache(b, core.Options{})
	products := typed[product](b, c, core.TypedOptions{KeepDecoded: true})
	m, err := core.Memoize(products, func(context.Context, A) (product, error) { return sampleProduct(), nil }, o)
	if err != nil {
		b.Fatal(err)
	}
	answers(b, args, func(ctx context.Context, a A) error { _, err := m.Get(ctx, a); return err })
}

// BenchmarkCodec encodes and decodes a small struct, and wraps the same.
func BenchmarkCodec(b *testing.B) {
	key := seal.Key{ID: 1, Secret: make([]byte, 32)}
	sealed, err := seal.New(codec.JSON{}, key)
	if err != nil {
		b.Fatal(err)
	}
	signed, err := seal.NewHMAC(codec.JSON{}, key)
	if err != nil {
		b.Fatal(err)
	}
	codecs := []codec.Codec{codec.JSON{}, msgpack.Codec{}, cbor.New(), codec.Gob{}, sealed, signed}
	for _, m := range []compress.Method{compress.S2, compress.Zstd} {
		c, err := compress.New(codec.JSON{}, compress.Options{Method: m, MinSize: 1})
		if err != nil {
			b.Fatal(err)
		}
		codecs = append(codecs, c)
	}
	names := []string{"json", "msgpack", "cbor", "gob", "seal-json", "hmac-json", "s2-json", "zstd-json"}
	value := sampleProduct()
	for i, c := range codecs {
		data, err := c.Append(nil, &value)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(names[i]+"/encode", func(b *testing.B) {
			b.ReportMetric(float64(len(data)), "bytes")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Append(nil, &value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(names[i]+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var v product
				if err := c.Decode(data, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGetOrLoad has loads that find nothing in the cache, and loaders that have a value at once: by callers that can't
// and that can be cancelled.
func BenchmarkGetOrLoad(b *testing.B) {
	for name, ctx := range map[string]context.Context{"inline": context.Background(), "goroutine": b.Context()} {
		b.Run(name, func(b *testing.B) {
			c, keys := newCache(b, core.Options{})
			load := func(context.Context, string) ([]byte, error) { return make([]byte, 64), nil }
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				key := keys[i&(hotKeys-1)]
				if _, err := c.Delete(ctx, key); err != nil {
					b.Fatal(err)
				}
				if _, err := c.GetOrLoad(ctx, key, load, core.LoadOptions{}); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
