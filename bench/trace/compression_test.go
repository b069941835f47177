package trace_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/edgecache/edgecache/bench/trace"
)

// numbers are what compressed returns.
var numbers = strings.Repeat("17\n18\n17\n", 40)

// compressed returns numbers in every compression, by what comes behind a file's name.
func compressed(t testing.TB) map[string]string {
	t.Helper()
	var zst, xzs bytes.Buffer
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	x, err := xz.NewWriter(&xzs)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{z, x} {
		if _, err := io.WriteString(w, numbers); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	bz2, err := base64.StdEncoding.DecodeString("QlpoOTFBWSZTWatiTLcAAFBIAAAQIMAgADDNNApUemEwT4qwq4XckU4UJCrYky3A")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{".gz": gzipped(numbers), ".zst": zst.String(), ".xz": xzs.String(), ".bz2": string(bz2)}
}

func TestCompressionsAreUndoneWhateverTheName(t *testing.T) {
	for suffix, source := range compressed(t) {
		for _, name := range []string{"t", "t.trace" + suffix} {
			got, r, err := read(source, name, trace.Options{})
			if err != nil || len(got.IDs) != 120 || r.Objects() != 2 {
				t.Errorf("%s, %s: %d requests, %v", suffix, name, len(got.IDs), err)
			}
		}
	}
}

func TestTruncatedCompressionsAreErrors(t *testing.T) {
	for suffix, source := range compressed(t) {
		for n := 8; n < len(source); n++ {
			if _, _, err := read(source[:n], "t"+suffix, trace.Options{}); err == nil {
				t.Errorf("%s: no error after %d bytes of %d", suffix, n, len(source))
			}
		}
	}
}
