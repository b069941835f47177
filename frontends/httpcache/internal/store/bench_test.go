package store_test

import (
	"net/http"
	"testing"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
)

func BenchmarkLookup(b *testing.B) {
	req := http.Header{"Accept-Encoding": {"gzip, br"}}
	for name, m := range map[string]*store.Meta{"plain": meta(), "varying": meta("Vary", "Accept-Encoding")} {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			put(b, s, key, req, m, body(1, 1000))
			b.ReportAllocs()
			for b.Loop() {
				if r, _ := s.Lookup(b.Context(), key, req); r == nil {
					b.Fatal("miss")
				}
			}
		})
	}
}

func BenchmarkStore(b *testing.B) {
	s := open(b)
	data := body(1, 1000)
	m := meta()
	b.ReportAllocs()
	for b.Loop() {
		put(b, s, key, nil, m, data)
	}
}
