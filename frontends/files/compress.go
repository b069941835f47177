package files

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"runtime"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// How hard is tried. A client waits for the first body, so these are where more effort gains little; files compressed
// beforehand can have all the effort that there is.
const (
	brotliLevel = 6
	gzipLevel   = 6
	zstdLevel   = zstd.SpeedBetterCompression
	zstdWindow  = 8 << 20 // RFC 9659 has clients take no more
)

// benches bound how many bodies are compressed at a time: more would not be faster.
type benches chan struct{}

func newBenches() benches { return make(benches, runtime.GOMAXPROCS(0)) }

// compress returns plain in a coding, or nil if that is no smaller. The same bytes make the same result.
func (h *Handler) compress(c coding, plain []byte) ([]byte, error) {
	h.benches <- struct{}{}
	defer func() { <-h.benches }()
	coded, err := h.encode(c, plain)
	if err != nil {
		return nil, fmt.Errorf("compress as %v: %w", c, err)
	}
	h.stats.compressed(len(plain), len(coded))
	if len(coded) >= len(plain) {
		return nil, nil
	}
	return append(make([]byte, 0, len(coded)+trailerRoom), coded...), nil
}

func (h *Handler) encode(c coding, plain []byte) ([]byte, error) {
	if c == zst {
		return h.zstd.EncodeAll(plain, nil), nil
	}
	var b bytes.Buffer
	w, err := encoder(c, &b)
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(plain); err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

func encoder(c coding, w io.Writer) (io.WriteCloser, error) {
	switch c {
	case br:
		return brotli.NewWriterLevel(w, brotliLevel), nil
	case gz:
		return gzip.NewWriterLevel(w, gzipLevel)
	case deflate: // the zlib format, whatever old servers have sent (RFC 9110, section 8.4.1.2)
		return zlib.NewWriterLevel(w, gzipLevel)
	default:
		return nil, fmt.Errorf("no encoder for %v", c)
	}
}

// newZstd returns an encoder that is shared: it makes whole bodies alone.
func newZstd() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdLevel), zstd.WithWindowSize(zstdWindow))
}
