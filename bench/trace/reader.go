package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

// Batch is some requests that follow each other. A column is nil if the source has none.
type Batch struct {
	IDs, Sizes []uint32
	Times      []int64
	Costs      []float32
	Ops        []Op
	TTLs       []uint32
}

// batchRows is how many requests Next reads at most.
const batchRows = 4096

// reset empties a batch and gives it the columns of a source.
func (b *Batch) reset(c columns) {
	b.IDs = column(b.IDs, true)
	b.Sizes = column(b.Sizes, c.size)
	b.Times = column(b.Times, c.time)
	b.Costs = column(b.Costs, c.cost)
	b.Ops = column(b.Ops, c.op)
	b.TTLs = column(b.TTLs, c.ttl)
}

func column[T any](c []T, there bool) []T {
	switch {
	case !there:
		return nil
	case c == nil:
		return make([]T, 0, batchRows)
	default:
		return c[:0]
	}
}

// Reader reads a trace as a stream: it keeps the keys that it has seen, not the requests. It is not safe for concurrent use.
type Reader struct {
	in      *input
	dec     decoder
	columns columns
	format  string
	opts    Options
	ops     opSet
	below   uint64 // what the hash of a sampled key is below
	salt    uint64

	keys     interner
	verified *verifier // nil if nobody wants that
	sizes    []uint32  // by id
	skipped  int
	hits     int // of the source's own cache
	served   int // requests of which that is known

	now      record // whose requests are being handed out
	page     uint32 // how many of its span are
	position int64  // of the next request
	end      bool
	file     io.Closer
}

// Open returns a reader of the trace at path. It must be closed.
func Open(path string, o Options) (*Reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(file, path, o)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r.file = file
	return r, nil
}

// NewReader returns a reader of a trace called name, of which errors speak. It must be closed; source stays open.
func NewReader(source io.Reader, name string, o Options) (*Reader, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	in, err := newInput(name, source)
	if err != nil {
		return nil, err
	}
	r, err := newReader(in, o)
	if err != nil {
		in.close()
		return nil, err
	}
	return r, nil
}

func newReader(in *input, o Options) (*Reader, error) {
	f, err := detect(in, &o)
	if err != nil {
		return nil, err
	}
	dec, c, err := f.open(in, &o)
	if err != nil {
		return nil, err
	}
	if o.Split > 0 && !c.blocks {
		return nil, fmt.Errorf("%s: requests of format %s have no offset on a device, so that they can't be split", in.name, f.name)
	}
	if (o.Split > 0 || o.HeavyTail) && !c.size {
		c.size = true
	}
	ops, err := parseOps(o.Ops)
	if err != nil {
		return nil, err
	}
	if o.everyOp {
		ops = allOps
	}
	r := &Reader{in: in, dec: dec, columns: c, format: f.name, opts: o, ops: ops, keys: newInterner(), below: math.MaxUint64}
	if o.Sample > 0 && o.Sample < 1 {
		r.below = uint64(o.Sample * math.MaxUint64)
	}
	r.salt = splitmix64(o.Seed)
	if o.VerifyKeys {
		r.verified = newVerifier()
	}
	return r, nil
}

// Format returns what the trace is read as.
func (r *Reader) Format() string { return r.format }

// Objects returns how many different ones were read so far.
func (r *Reader) Objects() int { return int(r.keys.n) }

// Skipped returns how many bad records were passed over so far.
func (r *Reader) Skipped() int { return r.skipped }

// Close ends reading. It closes what Open opened.
func (r *Reader) Close() error {
	r.in.close()
	if r.file == nil {
		return nil
	}
	file := r.file
	r.file = nil
	return file.Close()
}

// Next fills a batch with the next requests, replacing what is in it. It returns io.EOF, and no requests, at the end.
func (r *Reader) Next(b *Batch) error {
	b.reset(r.columns)
	for len(b.IDs) < batchRows {
		if r.page == r.now.span || r.now.repeat == 0 {
			if err := r.advance(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
			continue
		}
		if err := r.emit(b); err != nil {
			return err
		}
	}
	if len(b.IDs) == 0 {
		return io.EOF
	}
	return nil
}

// advance goes on to the next turn of the record, or else to the next record that is wanted.
func (r *Reader) advance() error {
	r.page = 0
	if r.now.repeat > 1 {
		r.now.repeat--
		return nil
	}
	for {
		if err := r.read(); err != nil {
			r.now = record{}
			return err
		}
		if r.now.repeat > 0 && r.ops.has(r.now.op) {
			return nil
		}
		r.position += int64(r.now.repeat) * int64(r.now.span)
	}
}

// read reads the next record, past what is none and past bad ones as far as they are tolerated.
func (r *Reader) read() error {
	for !r.end {
		err := r.dec.next(r.in, &r.now)
		if err == nil && r.opts.Split > 0 {
			err = r.split()
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errSkip):
		case errors.Is(err, io.EOF):
			r.end = true
		case r.skipped < r.opts.SkipBad:
			r.skipped++
			_, r.end = errors.AsType[*damagedError](err) // nothing can be read behind it
		default:
			return err
		}
	}
	return io.EOF
}

// split makes a record one of blocks of the same length.
func (r *Reader) split() error {
	now, block := &r.now, uint64(r.opts.Split)
	if now.length == 0 || now.offset > math.MaxUint64-now.length {
		return errSkip // nothing is read
	}
	first, last := now.offset/block, (now.offset+now.length-1)/block
	if last-first >= mostRequests {
		return r.in.located(&recordError{fmt.Sprintf("at most %d blocks", mostRequests), fmt.Sprint(last - first + 1)})
	}
	if !now.volume {
		now.key, now.name = 0, nil
	}
	now.key, now.number = now.key+first, first
	now.span, now.size = uint32(last-first+1), r.opts.Split
	return nil
}

// emit appends the next request of the record, unless a filter leaves it out.
func (r *Reader) emit(b *Batch) error {
	key := r.now.key + uint64(r.page)
	r.page++
	at := r.position
	r.position++
	if r.columns.time {
		at = r.now.time
	}
	if at < r.opts.From || r.opts.To != 0 && at >= r.opts.To || splitmix64(key^r.salt) > r.below {
		return nil
	}
	id, fresh := r.keys.id(key)
	if fresh || r.columns.late || r.verified != nil {
		var err error
		if id, err = r.settle(key, id, fresh); err != nil {
			return err
		}
	}
	b.IDs = append(b.IDs, id)
	r.append(b, id)
	return nil
}

// settle sees to an object that is new, or whose id or size is to be looked at again.
func (r *Reader) settle(key uint64, id uint32, fresh bool) (uint32, error) {
	if r.verified != nil {
		id, fresh = r.verified.id(&r.keys, key, id, fresh, r.identity(key))
	}
	switch {
	case !fresh:
		if r.columns.late && r.sizes[id] == 0 {
			r.sizes[id] = r.now.size
		}
	case id >= mostObjects:
		return 0, r.in.located(&recordError{fmt.Sprintf("at most %d objects", uint32(mostObjects)), "more"})
	case r.columns.size:
		r.sizes = append(r.sizes, r.sizeOf(id))
	}
	return id, nil
}

// identity returns what makes the object of the current request itself, where key is its hash or it. It is valid until the
// next call.
func (r *Reader) identity(key uint64) []byte {
	number := r.now.number + uint64(r.page)
	if r.now.name == nil {
		number = key
	}
	return r.verified.identity(r.now.name, number)
}

// append puts the other columns behind an id.
func (r *Reader) append(b *Batch, id uint32) {
	if r.columns.size {
		b.Sizes = append(b.Sizes, r.sizes[id])
	}
	if r.columns.time {
		b.Times = append(b.Times, r.now.time)
	}
	if r.columns.cost {
		b.Costs = append(b.Costs, r.now.cost)
	}
	if r.columns.op {
		b.Ops = append(b.Ops, r.now.op)
	}
	if r.columns.ttl {
		b.TTLs = append(b.TTLs, r.now.ttl)
	}
	if r.now.served != servedUnknown {
		r.served++
		if r.now.served == servedHit {
			r.hits++
		}
	}
}

// sizeOf returns the size of a new object.
func (r *Reader) sizeOf(id uint32) uint32 {
	if r.opts.HeavyTail {
		return heavyTail(id)
	}
	return r.now.size
}

// Load reads a whole trace. Nothing is read of an empty one, which is an error.
func Load(ctx context.Context, path string, o Options) (*Trace, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.everyOp = o.Lifetimes
	read := load
	if o.Cache && !o.filtered() {
		read = loadCached
	}
	t, err := read(ctx, path, o)
	if err != nil {
		return nil, err
	}
	return t, t.lifetimes(&o)
}

// LoadFrom reads a whole trace called name from a stream, which stays open. Options.Cache does nothing.
func LoadFrom(ctx context.Context, source io.Reader, name string, o Options) (t *Trace, err error) {
	o.everyOp = o.Lifetimes
	r, err := NewReader(source, name, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if t, err = readAll(ctx, r, filepath.Base(name)); err != nil {
		return nil, err
	}
	return t, t.lifetimes(&o)
}

func load(ctx context.Context, path string, o Options) (t *Trace, err error) {
	r, err := Open(path, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return readAll(ctx, r, filepath.Base(path))
}

// readAll reads what is left of a stream.
func readAll(ctx context.Context, r *Reader, name string) (*Trace, error) {
	t := &Trace{Name: name, Format: r.format}
	var b Batch
	for {
		err := r.Next(&b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		t.IDs = append(t.IDs, b.IDs...)
		t.Sizes = append(t.Sizes, b.Sizes...)
		t.Times = append(t.Times, b.Times...)
		t.Costs = append(t.Costs, b.Costs...)
		t.Ops = append(t.Ops, b.Ops...)
		t.TTLs = append(t.TTLs, b.TTLs...)
	}
	if len(t.IDs) == 0 {
		return nil, &BadRecordError{File: r.in.name, Line: r.in.line, Offset: r.in.end, Want: "requests", Got: "none that are taken"}
	}
	t.Objects, t.Skipped, t.Footprint = int(r.keys.n), r.skipped, uint64(r.keys.n)
	t.SourceHits, t.SourceServed = r.hits, r.served
	if r.verified != nil {
		t.Collisions = r.verified.collisions
	}
	if r.columns.size {
		t.Footprint = 0
		for _, size := range r.sizes {
			t.Footprint += uint64(size)
		}
	}
	if r.columns.late {
		for i, id := range t.IDs {
			t.Sizes[i] = r.sizes[id]
		}
	}
	return t, nil
}
