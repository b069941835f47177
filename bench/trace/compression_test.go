package trace_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"github.com/edgecache/edgecache/bench/trace"
)

// numbers are what compressed returns.
var numbers = strings.Repeat("17\n18\n17\n", 40)

// compressed returns numbers in every compression, by what comes behind a file's name.
func compressed(t testing.TB) map[string]string {
	t.Helper()
	var zst, xzs, lz bytes.Buffer
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	x, err := xz.NewWriter(&xzs)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{z, x, lz4.NewWriter(&lz)} {
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
	return map[string]string{".gz": gzipped(numbers), ".zst": zst.String(), ".xz": xzs.String(), ".bz2": string(bz2), ".lz4": lz.String()}
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

// TestXZDictionariesAreBounded has a block say that it needs a large one.
func TestXZDictionariesAreBounded(t *testing.T) {
	const header = 12 // where that of the first block begins
	source := []byte(compressed(t)[".xz"])
	if source[header+2] != 0x21 {
		t.Fatalf("the header of the first block is %x", source[header:header+8])
	}
	source[header+4] = 34 // 1 GiB
	sum := crc32.ChecksumIEEE(source[header : header+8])
	binary.LittleEndian.PutUint32(source[header+8:], sum)
	_, _, err := read(string(source), "t.xz", trace.Options{})
	if want := "t.xz: byte 0 after decompression: expected more of the trace: expected an xz dictionary of at most 256 MiB, found one of 512"; err == nil ||
		!strings.HasPrefix(err.Error(), want) {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

// TestXZOfSeveralBlocksAndStreams reads what xz writes with --block-size, one behind the other.
func TestXZOfSeveralBlocksAndStreams(t *testing.T) {
	var file bytes.Buffer
	config := xz.WriterConfig{BlockSize: 1000, DictCap: 1 << 16}
	text := strings.Repeat("17\n18\n19\n", 5000)
	for range 2 {
		w, err := config.NewWriter(&file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, _, err := read(file.String(), "t.xz", trace.Options{})
	if err != nil || len(got.IDs) != 30_000 {
		t.Errorf("%d requests, %v, want 30000", len(got.IDs), err)
	}
	for n := file.Len() - 1; n > file.Len()-3000; n -= 97 {
		if _, _, err := read(file.String()[:n], "t.xz", trace.Options{}); err == nil && n != file.Len()/2 {
			t.Errorf("no error after %d bytes of %d", n, file.Len())
		}
	}
}
