package bench

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/edgecache/edgecache/backends/sqlite"
	"github.com/edgecache/edgecache/core"
)

const sqliteKeys = 20_000

// sqliteSet are keys in random order and entries of 1 KiB.
func sqliteSet() (keys []string, e *core.Entry) {
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(sqliteKeys) {
		keys = append(keys, fmt.Sprintf("/images/products/%015d", i))
	}
	value := make([]byte, 1024)
	for i := range value {
		value[i] = byte(i * 7)
	}
	return keys, &core.Entry{Value: value, Version: 1, Expires: 1 << 62}
}

func openSQLite(b *testing.B, o sqlite.Options) *sqlite.Backend {
	b.Helper()
	o.Path = filepath.Join(b.TempDir(), "cache.db")
	db, err := sqlite.New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// BenchmarkSQLitePut writes 20,000 values of 1 KiB and flushes them: into an empty file, and over the ones that are there.
func BenchmarkSQLitePut(b *testing.B) {
	keys, e := sqliteSet()
	for _, mode := range []sqlite.Sync{sqlite.SyncNormal, sqlite.SyncOff} {
		b.Run("new/"+mode.String(), func(b *testing.B) {
			for n := 0; n < b.N; n += sqliteKeys {
				b.StopTimer()
				db := openSQLite(b, sqlite.Options{Sync: mode})
				b.StartTimer()
				putSQLite(b, db, keys[:min(sqliteKeys, b.N-n)], e)
			}
		})
		b.Run("over/"+mode.String(), func(b *testing.B) {
			db := openSQLite(b, sqlite.Options{Sync: mode})
			putSQLite(b, db, keys, e)
			b.ResetTimer()
			for n := 0; n < b.N; n += sqliteKeys {
				putSQLite(b, db, keys[:min(sqliteKeys, b.N-n)], e)
			}
		})
	}
}

func putSQLite(b *testing.B, db *sqlite.Backend, keys []string, e *core.Entry) {
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

// BenchmarkSQLiteGet reads committed values.
func BenchmarkSQLiteGet(b *testing.B) {
	keys, e := sqliteSet()
	db := openSQLite(b, sqlite.Options{})
	putSQLite(b, db, keys, e)
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := db.Get(b.Context(), keys[i%sqliteKeys]); err != nil {
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
			if err := db.GetMany(b.Context(), keys[n%sqliteKeys:n%sqliteKeys+100], out); err != nil {
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
