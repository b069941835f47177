package files

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkServe compares a hit with net/http's file server, which reads the file each time and does not compress: in the
// process alone, without the network. Of the bytes that a client gets, "br" sends a small part.
func BenchmarkServe(b *testing.B) {
	root := b.TempDir()
	for _, size := range []int{1 << 10, 32 << 10, 1 << 20} {
		must(b, os.WriteFile(filepath.Join(root, fmt.Sprintf("%dKiB.css", size>>10)), []byte(text(size)), 0o644))
	}
	s := serve(b, Options{Root: root, CacheControl: "max-age=60"})
	std := http.FileServer(http.Dir(root))
	for _, size := range []string{"1KiB", "32KiB", "1024KiB"} {
		for _, c := range []struct {
			name, accepted string
			handler        http.Handler
		}{{"FileServer", "", std}, {"identity", "", s.Handler}, {"br", "gzip, deflate, br, zstd", s.Handler}} {
			b.Run(size+"/"+c.name, func(b *testing.B) {
				ask(b, c.handler, "/"+size+".css", c.accepted, 200)
			})
		}
	}
	for name, h := range map[string]http.Handler{"FileServer": std, "files": s.Handler} {
		b.Run("304/"+name, func(b *testing.B) {
			ask(b, h, "/32KiB.css", "", 304)
		})
	}
}

// ask asks a handler for the same again and again.
func ask(b *testing.B, h http.Handler, path, accepted string, status int) {
	q, err := http.NewRequest(http.MethodGet, path, http.NoBody)
	must(b, err)
	if accepted != "" {
		q.Header.Set("Accept-Encoding", accepted)
	}
	w := &discard{header: make(http.Header, 16)}
	h.ServeHTTP(w, q)
	if status == 304 {
		q.Header.Set("If-Modified-Since", w.header.Get("Last-Modified"))
	}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		w.status = 200
		h.ServeHTTP(w, q)
	}
	if w.status != status {
		b.Fatalf("status %d, want %d", w.status, status)
	}
}
