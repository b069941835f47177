package trace

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// checkZstd compresses and has another implementation undo it.
func checkZstd(t *testing.T, plain []byte) (compressed int) {
	t.Helper()
	var b bytes.Buffer
	z := newZstdWriter(&b)
	for rest := plain; len(rest) > 0; {
		n := min(len(rest), 100_001)
		if _, err := z.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := d.DecodeAll(b.Bytes(), nil)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d bytes became %d, %v", len(plain), len(got), err)
	}
	return b.Len()
}

func TestZstdIsReadByOthers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 7, 8, 31, 4096, zstdBlock - 1, zstdBlock, zstdBlock + 1, zstdWindow, 3*zstdWindow + 17} {
		noise, few, steps := make([]byte, n), make([]byte, n), make([]byte, n)
		for i := range noise {
			noise[i], few[i] = byte(rng.Uint32()), byte(rng.IntN(3))
			if i%24 < 4 {
				steps[i] = byte(i / 24 >> (8 * (i % 24)))
			}
		}
		if got := checkZstd(t, noise); got > n+64+n/1000 {
			t.Errorf("%d bytes of noise became %d", n, got)
		}
		checkZstd(t, few)
		if got := checkZstd(t, make([]byte, n)); got > 64+n/1000 {
			t.Errorf("%d zeros became %d", n, got)
		}
		if got := checkZstd(t, steps); n > 4096 && got > n/3 {
			t.Errorf("%d bytes of counting became %d", n, got)
		}
	}
}

func FuzzZstdWriter(f *testing.F) {
	f.Add([]byte("abcabcabcabcabcabcabcabcabcabcabcabc"), uint16(3))
	f.Add(bytes.Repeat([]byte("0123456789abcdef!"), 40), uint16(9000))
	f.Fuzz(func(t *testing.T, plain []byte, times uint16) {
		checkZstd(t, bytes.Repeat(plain, 1+min(int(times), 1<<20/(len(plain)+1))))
	})
}
