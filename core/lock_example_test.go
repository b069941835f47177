package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgecache/edgecache/core"
)

func ExampleCache_Lock() {
	cache, ctx := exampleCache(), context.Background()
	defer cache.Close()

	lease, err := cache.Lock(ctx, "report", 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = cache.TryLock(ctx, "report", time.Second)
	fmt.Println("another:", errors.Is(err, core.ErrLocked))
	fmt.Println("release:", lease.Release(ctx))
	fmt.Println("again:", lease.Release(ctx))
	// Output:
	// another: true
	// release: <nil>
	// again: lease is over
}

func ExampleCache_Update() {
	cache, ctx := exampleCache(), context.Background()
	defer cache.Close()

	for _, item := range []string{"apple", "pear"} {
		err := cache.Update(ctx, "cart", func(old *core.Entry) ([]byte, error) {
			if old == nil {
				return []byte(item), nil
			}
			return bytes.Join([][]byte{old.Value, []byte(item)}, []byte(",")), nil
		}, core.EntryOptions{TTL: time.Hour})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	cart, err := cache.Get(ctx, "cart")
	fmt.Println(string(cart), err)
	// Output: apple,pear <nil>
}
