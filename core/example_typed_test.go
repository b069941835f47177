package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/core/codec/compress"
	"github.com/edgecache/edgecache/core/codec/msgpack"
	"github.com/edgecache/edgecache/core/codec/seal"
)

// exampleCache returns a cache in memory.
func exampleCache() *core.Cache {
	backend, err := memory.New(memory.Options{})
	if err != nil {
		panic(err)
	}
	cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}, TTL: time.Minute})
	if err != nil {
		panic(err)
	}
	return cache
}

type article struct {
	Title string
	Words int
}

func ExampleTyped() {
	ctx, cache := context.Background(), exampleCache()
	defer cache.Close()

	articles, err := core.NewTyped[article](cache.Namespace("articles"), core.TypedOptions{KeepDecoded: true})
	if err != nil {
		panic(err)
	}
	_ = articles.Set(ctx, "a1", article{"Caches", 900}, core.EntryOptions{})                  // the cache's default: a minute
	_ = articles.Set(ctx, "a2", article{"Edges", 400}, core.EntryOptions{TTL: core.NoExpiry}) // for ever
	err = articles.Add(ctx, "a2", article{"Other", 1}, core.EntryOptions{})                   // only if absent
	fmt.Println(errors.Is(err, core.ErrExists))

	a, err := articles.Get(ctx, "a1")
	fmt.Println(a.Title, err)
	_, ok, _ := articles.Lookup(ctx, "a3")
	fmt.Println("a3:", ok)
	a, _ = articles.GetOr(ctx, "a3", article{Title: "Untitled"})
	fmt.Println(a.Title)

	all, _ := articles.GetMap(ctx, []string{"a1", "a2", "a3"})
	fmt.Println(len(all), all["a2"].Words)
	// Output:
	// true
	// Caches <nil>
	// a3: false
	// Untitled
	// 2 400
}

func ExampleTyped_GetOrLoad() {
	ctx, cache := context.Background(), exampleCache()
	defer cache.Close()
	articles, _ := core.NewTyped[article](cache, core.TypedOptions{})

	load := func(_ context.Context, key string) (article, error) {
		fmt.Println("loading", key)
		if key == "gone" {
			return article{}, core.ErrNotFound
		}
		return article{Title: strings.ToUpper(key)}, nil
	}
	for _, key := range []string{"a", "a", "gone", "gone"} {
		a, err := articles.GetOrLoad(ctx, key, load, core.LoadOptions{NegativeTTL: time.Second})
		fmt.Println(a.Title, err)
	}
	// Output:
	// loading a
	// A <nil>
	// A <nil>
	// loading gone
	//  key not found
	//  key not found
}

// Values that only who has the secret can read or make, compressed from 1 KiB on.
func Example_codecs() {
	ctx, cache := context.Background(), exampleCache()
	defer cache.Close()

	small, err := compress.New(msgpack.Codec{}, compress.Options{Method: compress.Zstd})
	if err != nil {
		panic(err)
	}
	secret, err := seal.New(small, seal.Key{ID: 2, Secret: []byte("the new key has 32 random bytes.")},
		seal.Key{ID: 1, Secret: []byte("the old one still opens values..")})
	if err != nil {
		panic(err)
	}
	articles, _ := core.NewTyped[article](cache, core.TypedOptions{Codec: secret})
	_ = articles.Set(ctx, "a", article{"Secrets", 7}, core.EntryOptions{})
	a, _ := articles.Get(ctx, "a")
	fmt.Println(a.Title)

	// Whoever can only write to the store can't make a value, or move one: it is a miss that says why.
	e, _ := cache.GetEntry(ctx, "a")
	_ = cache.Set(ctx, "b", e.Value, core.EntryOptions{Codec: e.Codec})
	_, err = articles.Get(ctx, "b")
	fmt.Println(errors.Is(err, core.ErrNotFound), errors.Is(err, core.ErrDecode), cache.Stats().DecodeErrors)

	// A codec for one call.
	_ = articles.WithCodec(codec.JSON{}).Set(ctx, "c", article{"Open", 1}, core.EntryOptions{})
	b, _ := cache.Get(ctx, "c")
	fmt.Println(string(b))
	// Output:
	// Secrets
	// true true 1
	// {"Title":"Open","Words":1}
}

func ExampleMemoize() {
	ctx, cache := context.Background(), exampleCache()
	defer cache.Close()

	type query struct {
		Author string
		Page   int
	}
	articles, _ := core.NewTyped[[]article](cache, core.TypedOptions{})
	search, err := core.Memoize(articles, func(_ context.Context, q query) ([]article, error) {
		fmt.Println("asking the database for", q.Author)
		return nil, nil // nil is kept like any other result
	}, core.MemoOptions[query, []article]{
		Name: "search",
		Load: core.LoadOptions{EntryOptions: core.EntryOptions{TTL: time.Minute}, Lease: 2 * time.Second},
	})
	if err != nil {
		panic(err)
	}
	q := query{"ann", 1}
	_, _ = search.Get(ctx, q)
	_, _ = search.Get(ctx, q)

	key, _ := search.Key(q)
	fmt.Println(key)
	_, _ = search.Invalidate(ctx, q)
	_, _ = search.Get(ctx, q)
	_, _ = search.Call(ctx, q, core.CallOptions{NoRead: true}) // a fresh one, which is kept
	_, _ = search.Uncached(ctx, q)
	// Output:
	// asking the database for ann
	// search:(s3:ann1;)
	// asking the database for ann
	// asking the database for ann
	// asking the database for ann
}

func ExampleMemoizeMany() {
	ctx, cache := context.Background(), exampleCache()
	defer cache.Close()

	lengths, _ := core.NewTyped[int](cache, core.TypedOptions{})
	length, err := core.MemoizeMany(lengths, func(_ context.Context, words []string) (map[string]int, error) {
		fmt.Println("counting", words)
		n := make(map[string]int)
		for _, w := range words {
			n[w] = len(w)
		}
		return n, nil
	}, core.MemoOptions[string, int]{Name: "length"})
	if err != nil {
		panic(err)
	}
	n, _ := length.Get(ctx, []string{"edge", "cache"})
	fmt.Println(n)
	n, _ = length.Get(ctx, []string{"cache", "tier"})
	fmt.Println(n)
	// Output:
	// counting [edge cache]
	// map[cache:5 edge:4]
	// counting [tier]
	// map[cache:5 tier:4]
}
