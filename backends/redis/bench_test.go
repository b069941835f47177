package redis_test

import (
	"strconv"
	"testing"

	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

func BenchmarkBackend(b *testing.B) {
	s := testserver.Redis(b)
	for name, values := range map[string]redis.Values{"enveloped": redis.Enveloped, "raw": redis.Raw} {
		backend, err := redis.Open(s.URL(), redis.Options{Values: values, Timeout: slow})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = backend.Close() })
		e := &core.Entry{Value: make([]byte, 256)}
		keys, out := make([]string, 100), make([]*core.Entry, 100)
		for i := range keys {
			keys[i] = name + strconv.Itoa(i)
			if err := backend.Set(b.Context(), keys[i], e); err != nil {
				b.Fatal(err)
			}
		}
		run := func(op string, call func() error) {
			b.Run(name+"/"+op, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := call(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("Get", func() error { _, err := backend.Get(b.Context(), keys[0]); return err })
		run("Set", func() error { return backend.Set(b.Context(), keys[0], e) })
		run("GetMany100", func() error { return backend.GetMany(b.Context(), keys, out) })
	}
}
