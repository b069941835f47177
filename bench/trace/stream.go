package trace

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// RecordSize is how many bytes a request has in oracleGeneral.
const RecordSize = 24

// nextUnknown is the next request for the same object where nobody has looked for it, as libCacheSim has it. Where there is
// none, it is -1.
const nextUnknown = math.MaxUint64 - 1 // as a signed number -2

// streamWindow is how far back the compression of a stream looks, in bytes: who reads it needs as much memory.
const streamWindow = 1 << 20

// Request is one request of a trace that is written while it happens.
type Request struct {
	Key  uint64
	Time uint32 // in seconds
	Size uint32 // in bytes; libCacheSim passes over requests of size 0
}

// OracleWriter writes oracleGeneral compressed with zstd as a stream, in frames of which each can be read by itself: what is
// cut off loses the last one. The next request for the same object is left unknown, which only offline policies miss:
// reading the stream and writing it again fills it in. It is not safe for concurrent use, and of no use after an error.
type OracleWriter struct {
	sink  countingWriter
	z     *zstd.Encoder
	open  int    // bytes in the frame, before compression
	plain []byte // some requests
}

// NewOracleWriter returns a writer of a stream to w, which stays open when it is closed.
func NewOracleWriter(w io.Writer) (*OracleWriter, error) {
	o := &OracleWriter{sink: countingWriter{w: w}}
	var err error
	o.z, err = zstd.NewWriter(&o.sink, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(streamWindow),
		zstd.WithEncoderLevel(zstd.SpeedFastest))
	return o, err
}

// Write adds requests to the frame.
func (o *OracleWriter) Write(requests []Request) error {
	for part := range slices.Chunk(requests, 1<<10) {
		b := o.plain[:0]
		for _, r := range part {
			b = binary.LittleEndian.AppendUint32(b, r.Time)
			b = binary.LittleEndian.AppendUint64(b, r.Key)
			b = binary.LittleEndian.AppendUint32(b, r.Size)
			b = binary.LittleEndian.AppendUint64(b, nextUnknown)
		}
		o.plain = b
		o.open += len(b)
		if _, err := o.z.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// EndFrame ends the frame and writes it: what was written so far can be read. An empty one is not written.
func (o *OracleWriter) EndFrame() error {
	if o.open == 0 {
		return nil
	}
	o.open = 0
	err := o.z.Close()
	o.z.Reset(&o.sink)
	return err
}

// Written is how many bytes were written to the underlying writer.
func (o *OracleWriter) Written() int64 { return o.sink.n }

// Most is how many bytes will have been written at most when the frame ends.
func (o *OracleWriter) Most() int64 { return o.sink.n + int64(o.open) + int64(o.open)/1024 + 64 }

// countingWriter counts what it writes.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// StreamOracle returns the requests that source holds, what an OracleWriter has written, as they come. After an error, which
// says how many were there before, nothing comes.
func StreamOracle(source io.Reader) iter.Seq2[Request, error] {
	return func(yield func(Request, error) bool) {
		end := &ending{source: source}
		z, err := zstd.NewReader(end, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8*streamWindow))
		if err != nil {
			yield(Request{}, err)
			return
		}
		defer z.Close()
		buffered := bufio.NewReaderSize(z, longestLine)
		var b [RecordSize]byte
		for n := 0; ; n++ {
			_, err := io.ReadFull(buffered, b[:])
			if errors.Is(err, io.EOF) {
				if err = end.err; err == nil {
					return
				}
			}
			if err != nil {
				yield(Request{}, fmt.Errorf("the stream breaks off after %d requests: %w", n, err))
				return
			}
			if !yield(decodeRequest(&b), nil) {
				return
			}
		}
	}
}

// ending keeps what a source ended with, if that was no proper end: between two frames, zstd takes any end for one.
type ending struct {
	source io.Reader
	err    error
}

func (e *ending) Read(b []byte) (int, error) {
	n, err := e.source.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		e.err = err
	}
	return n, err
}

func decodeRequest(b *[RecordSize]byte) Request {
	return Request{
		Time: binary.LittleEndian.Uint32(b[0:]), Key: binary.LittleEndian.Uint64(b[4:]), Size: binary.LittleEndian.Uint32(b[12:]),
	}
}
