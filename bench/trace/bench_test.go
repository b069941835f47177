package trace_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/edgecache/edgecache/bench/trace"
)

// BenchmarkLoad reads a made-up trace of a million requests from a file of each kind.
func BenchmarkLoad(b *testing.B) {
	made, err := trace.Generate("zipf:0.9,2e5,1e6", 1)
	if err != nil {
		b.Fatal(err)
	}
	var text []byte
	for _, id := range made.IDs {
		text = strconv.AppendUint(append(text, "/a/path/like/many/"...), uint64(id), 10)
		text = append(text, '\n')
	}
	folder := b.TempDir()
	for _, name := range []string{"t.oracleGeneral", "t.oracleGeneral.zst", "t.csv", "t.txt", "t.ect", "urls"} {
		content := text
		if name != "urls" {
			var buf bytes.Buffer
			if err := trace.Write(&buf, name, "", made); err != nil {
				b.Fatal(err)
			}
			content = buf.Bytes()
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) { benchmarkLoad(b, path, trace.Options{}, made.Requests()) })
		if name == "urls" {
			b.Run("sidecar", func(b *testing.B) { benchmarkLoad(b, path, trace.Options{Cache: true}, made.Requests()) })
		}
	}
}

func benchmarkLoad(b *testing.B, path string, o trace.Options, requests int) {
	for b.Loop() {
		if _, err := trace.Load(b.Context(), path, o); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(requests)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mreq/s")
}
