package sqlite

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/edgecache/edgecache/core"
)

const benchKeys = 20_000

// benchSet are keys in random order and entries of 1 KiB.
func benchSet() (keys []string, e *core.Entry) {
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(benchKeys) {
		keys = append(keys, fmt.Sprintf("/images/products/%015d", i))
	}
	value := make([]byte, 1024)
	for i := range value {
		value[i] = byte(i * 7)
	}
	return keys, &core.Entry{Value: value, Version: 1, Expires: 1 << 62}
}

// BenchmarkPut writes 20,000 values of 1 KiB and flushes them: into an empty file, and over the ones that are there.
func BenchmarkPut(b *testing.B) {
	keys, e := benchSet()
	for _, sync := range []Sync{SyncNormal, SyncOff} {
		b.Run("new/"+sync.String(), func(b *testing.B) {
			for n := 0; n < b.N; n += benchKeys {
				b.StopTimer()
				db := open(b, Options{Sync: sync})
				b.StartTimer()
				put(b, db, keys[:min(benchKeys, b.N-n)], e)
			}
		})
		b.Run("over/"+sync.String(), func(b *testing.B) {
			db := open(b, Options{Sync: sync})
			put(b, db, keys, e)
			b.ResetTimer()
			for n := 0; n < b.N; n += benchKeys {
				put(b, db, keys[:min(benchKeys, b.N-n)], e)
			}
		})
	}
}

func put(b *testing.B, db *Backend, keys []string, e *core.Entry) {
	b.Helper()
	for _, k := range keys {
		if err := db.Set(b.Context(), k, e); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkGet reads committed values.
func BenchmarkGet(b *testing.B) {
	keys, e := benchSet()
	db := open(b, Options{})
	put(b, db, keys, e)
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := db.Get(b.Context(), keys[i%benchKeys]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("miss", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Get(b.Context(), "absent"); err != core.ErrNotFound { //nolint:errorlint // the contract
				b.Fatal(err)
			}
		}
	})
	b.Run("many", func(b *testing.B) {
		out := make([]*core.Entry, 100)
		for n := 0; n < b.N; n += len(out) {
			if err := db.GetMany(b.Context(), keys[n%benchKeys:n%benchKeys+100], out); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("increment", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Increment(b.Context(), "n", 1, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
