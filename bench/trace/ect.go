package trace

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
)

// An ect file is a trace as it is in memory:
//
//	magic | length of header, uint32 | hash of header, uint64 | header, JSON | zstd frame with checksum
//
// The frame has blocks, each a number of rows, uint32, and then its columns one behind the other: ids, sizes, times, costs,
// operations and lifetimes, as far as the header says that there are. A block without rows ends it. All numbers are little-endian.
const (
	ectMagic     = "\x89ect\x01\r\n\x1a"
	ectBlock     = 1 << 14 // rows
	ectMinHeader = len(ectMagic) + 12
	ectMaxHeader = 64 << 10
)

type ectHeader struct {
	Name, Format string
	Requests     int
	Objects      int
	Skipped      int
	Sizes, Times bool
	Costs        bool
	Ops, TTLs    bool `json:",omitempty"`
	// SourceHits, SourceServed and Collisions are those of Trace.
	SourceHits, SourceServed, Collisions int `json:",omitempty"`
	// Source is what a sidecar was made from.
	Source *source `json:",omitempty"`
}

// columns are those that there are.
func (h *ectHeader) columns() columns {
	return columns{size: h.Sizes, time: h.Times, cost: h.Costs, op: h.Ops, ttl: h.TTLs}
}

// source says which file a sidecar was made from, and how that was read.
type source struct {
	Size, Modified int64
	Digest         uint64
	Options        string
}

// WriteECT writes a trace as an ect file.
func WriteECT(w io.Writer, t *Trace) error { return writeECT(w, t, nil) }

func writeECT(w io.Writer, t *Trace, from *source) error {
	header, err := json.Marshal(ectHeader{
		Name: t.Name, Format: t.Format, Requests: len(t.IDs), Objects: t.Objects, Skipped: t.Skipped,
		Sizes: t.Sizes != nil, Times: t.Times != nil, Costs: t.Costs != nil, Ops: t.Ops != nil, TTLs: t.TTLs != nil,
		SourceHits: t.SourceHits, SourceServed: t.SourceServed, Collisions: t.Collisions, Source: from,
	})
	if err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint32([]byte(ectMagic), uint32(len(header)))
	head = binary.LittleEndian.AppendUint64(head, xxhash.Sum64(header))
	if _, err := w.Write(append(head, header...)); err != nil {
		return err
	}
	z, err := zstd.NewWriter(w)
	if err != nil {
		return err
	}
	return errors.Join(writeBlocks(z, t), z.Close())
}

func writeBlocks(w io.Writer, t *Trace) error {
	var buf []byte
	for from := 0; from < len(t.IDs); from += ectBlock {
		to := min(from+ectBlock, len(t.IDs))
		buf = binary.LittleEndian.AppendUint32(buf[:0], uint32(to-from))
		for _, id := range t.IDs[from:to] {
			buf = binary.LittleEndian.AppendUint32(buf, id)
		}
		for i := from; i < to && t.Sizes != nil; i++ {
			buf = binary.LittleEndian.AppendUint32(buf, t.Sizes[i])
		}
		for i := from; i < to && t.Times != nil; i++ {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(t.Times[i]))
		}
		for i := from; i < to && t.Costs != nil; i++ {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(t.Costs[i]))
		}
		for i := from; i < to && t.Ops != nil; i++ {
			buf = append(buf, byte(t.Ops[i]))
		}
		for i := from; i < to && t.TTLs != nil; i++ {
			buf = binary.LittleEndian.AppendUint32(buf, t.TTLs[i])
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	_, err := w.Write(make([]byte, 4))
	return err
}

func looksECT(head []byte) bool { return bytes.HasPrefix(head, []byte(ectMagic)) }

// ectReader reads the blocks of an ect file, and is the decoder of their rows.
type ectReader struct {
	header ectHeader
	z      io.Reader
	buf    []byte
	block  Batch
	row    int
	seen   uint32 // objects
	rows   int
}

// readECTHeader reads what comes before the blocks.
func readECTHeader(in *input) (*ectHeader, error) {
	fixed, err := in.take(ectMinHeader)
	if err != nil {
		return nil, err
	}
	length, sum := binary.LittleEndian.Uint32(fixed[len(ectMagic):]), binary.LittleEndian.Uint64(fixed[len(ectMagic)+4:])
	if length > ectMaxHeader {
		return nil, in.located(&recordError{fmt.Sprintf("a header of at most %d bytes", ectMaxHeader), fmt.Sprint(length)})
	}
	text, err := in.take(int(length))
	if err != nil {
		return nil, err
	}
	header := new(ectHeader)
	if err := json.Unmarshal(text, header); err != nil || xxhash.Sum64(text) != sum {
		return nil, in.located(bad("a header with the hash that is before it", text))
	}
	return header, nil
}

func newECTReader(in *input) (*ectReader, error) {
	header, err := readECTHeader(in)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(in.r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(largestZstd))
	if err != nil {
		return nil, in.located(err)
	}
	done := in.close
	in.close = func() { z.Close(); done() }
	return &ectReader{header: *header, z: z}, nil
}

func openECT(in *input, _ *Options) (decoder, columns, error) {
	e, err := newECTReader(in)
	if err != nil {
		return nil, columns{}, err
	}
	return e, e.header.columns(), nil
}

func (e *ectReader) next(in *input, r *record) error {
	if e.row == len(e.block.IDs) {
		if err := e.read(in); err != nil {
			return err
		}
	}
	i := e.row
	e.row++
	r.reset()
	r.key = uint64(e.block.IDs[i])
	if e.header.Sizes {
		r.size = e.block.Sizes[i]
	}
	if e.header.Times {
		r.time = e.block.Times[i]
	}
	if e.header.Costs {
		r.cost = e.block.Costs[i]
	}
	if e.header.Ops {
		r.op = e.block.Ops[i]
	}
	if e.header.TTLs {
		r.ttl = e.block.TTLs[i]
	}
	return nil
}

// read reads the next block. Every error ends the file: there is nothing to find the next one by.
func (e *ectReader) read(in *input) error {
	e.row, e.block.IDs = 0, e.block.IDs[:0]
	n, err := e.length()
	if err == nil && n > 0 {
		err = e.columns(int(n))
	}
	switch {
	case err != nil:
		return &damagedError{fmt.Errorf("%s: request %d: expected a block of requests: %w", in.name, e.rows, err)}
	case n > 0:
		return nil
	case e.rows != e.header.Requests || int(e.seen) != e.header.Objects:
		return &damagedError{fmt.Errorf("%s: expected %d requests for %d objects, as its header says, found %d for %d",
			in.name, e.header.Requests, e.header.Objects, e.rows, e.seen)}
	}
	if _, err := io.Copy(io.Discard, e.z); err != nil { // reads the checksum
		return &damagedError{fmt.Errorf("%s: expected the checksum of what was read: %w", in.name, err)}
	}
	return io.EOF
}

func (e *ectReader) length() (uint32, error) {
	b, err := e.bytes(4)
	if err != nil {
		return 0, err
	}
	n := binary.LittleEndian.Uint32(b)
	if n > ectBlock {
		return 0, &recordError{fmt.Sprintf("at most %d rows", ectBlock), fmt.Sprint(n)}
	}
	return n, nil
}

// bytes returns the next n bytes of the frame, which must be there.
func (e *ectReader) bytes(n int) ([]byte, error) {
	if cap(e.buf) < n {
		e.buf = make([]byte, n)
	}
	_, err := io.ReadFull(e.z, e.buf[:n])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return e.buf[:n], err
}

func (e *ectReader) columns(n int) error {
	e.block.reset(e.header.columns())
	b, err := e.bytes(4 * n)
	if err != nil {
		return err
	}
	for ; len(b) > 0; b = b[4:] {
		id := binary.LittleEndian.Uint32(b)
		if id > e.seen {
			return &recordError{fmt.Sprintf("an id of at most %d", e.seen), fmt.Sprint(id)}
		}
		if id == e.seen {
			e.seen++
		}
		e.block.IDs = append(e.block.IDs, id)
	}
	e.rows += n
	return errors.Join(e.sizes(n), e.times(n), e.costs(n), e.ops(n), e.ttls(n))
}

func (e *ectReader) sizes(n int) error {
	if !e.header.Sizes {
		return nil
	}
	b, err := e.bytes(4 * n)
	for i := 0; i < n && err == nil; i++ {
		e.block.Sizes = append(e.block.Sizes, binary.LittleEndian.Uint32(b[4*i:]))
	}
	return err
}

func (e *ectReader) times(n int) error {
	if !e.header.Times {
		return nil
	}
	b, err := e.bytes(8 * n)
	for i := 0; i < n && err == nil; i++ {
		e.block.Times = append(e.block.Times, int64(binary.LittleEndian.Uint64(b[8*i:])))
	}
	return err
}

func (e *ectReader) costs(n int) error {
	if !e.header.Costs {
		return nil
	}
	b, err := e.bytes(4 * n)
	for i := 0; i < n && err == nil; i++ {
		e.block.Costs = append(e.block.Costs, math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
	}
	return err
}

func (e *ectReader) ops(n int) error {
	if !e.header.Ops {
		return nil
	}
	b, err := e.bytes(n)
	for i := 0; i < n && err == nil; i++ {
		if int(b[i]) >= len(opNames) {
			return &recordError{fmt.Sprintf("an operation below %d", len(opNames)), fmt.Sprint(b[i])}
		}
		e.block.Ops = append(e.block.Ops, Op(b[i]))
	}
	return err
}

func (e *ectReader) ttls(n int) error {
	if !e.header.TTLs {
		return nil
	}
	b, err := e.bytes(4 * n)
	for i := 0; i < n && err == nil; i++ {
		e.block.TTLs = append(e.block.TTLs, binary.LittleEndian.Uint32(b[4*i:]))
	}
	return err
}

// loadCached loads a trace from its sidecar, or else from itself and writes the sidecar.
func loadCached(ctx context.Context, path string, o Options) (*Trace, error) {
	from, err := sourceOf(path, o)
	if err != nil {
		return nil, err
	}
	sidecar := path + ".ect"
	t, err := loadSidecar(ctx, sidecar, from)
	if err == nil || ctx.Err() != nil {
		return t, err
	}
	t, err = load(ctx, path, o)
	if err != nil || t.Format == "ect" {
		return t, err
	}
	// Without a sidecar, the next run is slower and not wrong: so a folder that can't be written is no reason to fail.
	_ = saveSidecar(sidecar, t, from)
	return t, nil
}

// sourceOf describes a file and how it is to be read.
func sourceOf(path string, o Options) (source, error) {
	file, err := os.Open(path)
	if err != nil {
		return source{}, err
	}
	info, err := file.Stat()
	if err != nil {
		return source{}, errors.Join(err, file.Close())
	}
	h := xxhash.New()
	_, err = io.Copy(h, file)
	return source{
		Size: info.Size(), Modified: info.ModTime().UnixNano(), Digest: h.Sum64(),
		Options: fmt.Sprintf("2 %q %q %d %v %d %v", o.Format, o.Columns, o.Split, o.HeavyTail, o.SkipBad, o.VerifyKeys),
	}, errors.Join(err, file.Close())
}

// errStale is why a good sidecar is not used.
var errStale = errors.New("trace: the sidecar is of another file, or of one that was read in another way")

// loadSidecar loads a sidecar if it was made from that source.
func loadSidecar(ctx context.Context, path string, from source) (t *Trace, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	in := &input{name: path, r: bufio.NewReaderSize(file, longestLine), close: func() {}}
	if head, err := in.peek(); err != nil || !looksECT(head) {
		return nil, errors.Join(errStale, err)
	}
	e, err := newECTReader(in)
	if err != nil {
		return nil, err
	}
	defer func() { in.close() }()
	if e.header.Source == nil || *e.header.Source != from {
		return nil, errStale
	}
	return e.all(ctx, in)
}

// all reads the blocks as a trace in memory.
func (e *ectReader) all(ctx context.Context, in *input) (*Trace, error) {
	h := &e.header
	t := &Trace{
		Name: h.Name, Format: h.Format, Objects: h.Objects, Skipped: h.Skipped,
		SourceHits: h.SourceHits, SourceServed: h.SourceServed, Collisions: h.Collisions,
	}
	for {
		known := e.seen
		err := e.read(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		t.IDs = append(t.IDs, e.block.IDs...)
		t.Sizes = append(t.Sizes, e.block.Sizes...)
		t.Times = append(t.Times, e.block.Times...)
		t.Costs = append(t.Costs, e.block.Costs...)
		t.Ops = append(t.Ops, e.block.Ops...)
		t.TTLs = append(t.TTLs, e.block.TTLs...)
		for i, id := range e.block.IDs {
			if id == known && h.Sizes {
				t.Footprint += uint64(e.block.Sizes[i])
			}
			known = max(known, id+1)
		}
	}
	if !h.Sizes {
		t.Footprint = uint64(t.Objects)
	}
	return t, nil
}

// saveSidecar writes a sidecar as a whole or not at all.
func saveSidecar(path string, t *Trace, from source) (err error) {
	folder := filepath.Dir(path)
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm()&0o200 == 0 {
		return errors.Join(os.ErrPermission, err) // meant to stay as it is, even by those who may write everywhere
	}
	file, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, longestLine)
	err = errors.Join(writeECT(w, t, &from), w.Flush(), file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return err
}
