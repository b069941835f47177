// Package encode makes bodies in content codings, for the frontends that keep them.
package encode

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/edgecache/edgecache/rfc9110"
)

// How hard is tried. A client waits for the first body, so these are where more effort gains little; files compressed
// beforehand can have all the effort that there is.
const (
	brotliLevel = 6
	gzipLevel   = 6
	zstdLevel   = zstd.SpeedBetterCompression
	zstdWindow  = 8 << 20 // RFC 9659 has clients take no more
)

// Encoder makes bodies in codings, as many at a time as there are processors: more would not be faster. It is safe for
// concurrent use.
type Encoder struct {
	benches chan struct{}
	zstd    *zstd.Encoder // makes whole bodies alone, so it is shared
}

// New returns an Encoder. It holds nothing that must be given back.
func New() (*Encoder, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdLevel), zstd.WithWindowSize(zstdWindow))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return &Encoder{benches: make(chan struct{}, runtime.GOMAXPROCS(0)), zstd: z}, nil
}

// Encode returns plain in the coding, whether or not that is smaller. It waits until it is its turn. The same bytes make the
// same result.
func (e *Encoder) Encode(c rfc9110.Coding, plain []byte) ([]byte, error) {
	e.benches <- struct{}{}
	defer func() { <-e.benches }()
	coded, err := e.encode(c, plain)
	if err != nil {
		return nil, fmt.Errorf("compress as %v: %w", c, err)
	}
	return coded, nil
}

func (e *Encoder) encode(c rfc9110.Coding, plain []byte) ([]byte, error) {
	if c == rfc9110.Zstd {
		return e.zstd.EncodeAll(plain, nil), nil
	}
	var b bytes.Buffer
	w, err := writer(c, &b)
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(plain); err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

func writer(c rfc9110.Coding, w io.Writer) (io.WriteCloser, error) {
	switch c {
	case rfc9110.Brotli:
		return brotli.NewWriterLevel(w, brotliLevel), nil
	case rfc9110.Gzip:
		return gzip.NewWriterLevel(w, gzipLevel)
	case rfc9110.Deflate: // the zlib format, whatever old servers have sent (RFC 9110, section 8.4.1.2)
		return zlib.NewWriterLevel(w, gzipLevel)
	default:
		return nil, fmt.Errorf("no encoder for %v", c)
	}
}

// Compressible reports whether bodies of the media type become smaller: those that are not compressed by themselves.
func Compressible(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.Trim(t, " \t"))
	kind, sub, _ := strings.Cut(t, "/")
	switch {
	case kind == "text", strings.HasSuffix(sub, "+json"), strings.HasSuffix(sub, "+xml"), strings.HasSuffix(sub, "+text"):
		return true
	}
	switch t {
	case "application/ecmascript", "application/graphql", "application/javascript", "application/json", "application/postscript",
		"application/rtf", "application/sql", "application/toml", "application/vnd.ms-fontobject", "application/wasm",
		"application/x-javascript", "application/x-ndjson", "application/x-sh", "application/x-tar", "application/xml",
		"application/xml-dtd", "application/yaml", "application/x-yaml", "audio/wav", "audio/x-wav", "font/otf", "font/ttf",
		"image/bmp", "image/vnd.microsoft.icon", "image/x-icon", "image/x-ms-bmp":
		return true
	}
	return false
}
