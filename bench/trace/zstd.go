package trace

import (
	"encoding/binary"
	"errors"
	"io"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// zstdWriter compresses as RFC 8878 has it: matches as sequences with the predefined tables, literals as they are. Traces are
// columns of numbers, for which Huffman's codes save little; a whole encoder takes a hundredth of the program.
type zstdWriter struct {
	w    io.Writer
	sum  *xxhash.Digest
	err  error
	buf  []byte // what matches are looked for in, and behind done what is not written yet
	done int
	last uint32   // the offset of the last match
	at   []uint32 // by hash, where four bytes were, + 1

	out   []byte
	lits  []byte
	seqs  []sequence
	table [3]fseTable
}

// sequence is some literals and a match behind them.
type sequence struct{ literals, length, offset uint32 } // offset as the format counts

const (
	zstdBlock    = 128 << 10
	zstdWindow   = 1 << 20
	zstdHashBits = 16
	leastMatch   = 5
)

// newZstdWriter returns a writer of one frame, which Close ends. It does not close w.
func newZstdWriter(w io.Writer) *zstdWriter {
	const checksum, window = 1 << 2, 10 << 3
	z := &zstdWriter{w: w, sum: xxhash.New(), last: 1, at: make([]uint32, 1<<zstdHashBits), buf: make([]byte, 0, zstdWindow)}
	for i, p := range predefined {
		z.table[i] = newFSETable(p.bits, p.counts)
	}
	_, z.err = w.Write([]byte{0x28, 0xb5, 0x2f, 0xfd, checksum, window})
	return z
}

// Write compresses p.
func (z *zstdWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && z.err == nil {
		if len(z.buf) == cap(z.buf) { // all of it is written: matches begin anew
			z.buf, z.done = z.buf[:0], 0
			clear(z.at)
		}
		k := min(len(p), zstdBlock-(len(z.buf)-z.done), cap(z.buf)-len(z.buf))
		z.buf = append(z.buf, p[:k]...)
		p, n = p[k:], n+k
		if len(z.buf)-z.done == zstdBlock {
			z.flush()
		}
	}
	return n, z.err
}

// Close writes what is left and the end of the frame.
func (z *zstdWriter) Close() error {
	if len(z.buf) > z.done {
		z.flush()
	}
	if z.err != nil {
		return z.err
	}
	end := binary.LittleEndian.AppendUint32([]byte{1, 0, 0}, uint32(z.sum.Sum64())) // an empty block that is the last
	_, z.err = z.w.Write(end)
	if z.err != nil {
		return z.err
	}
	z.err = errors.New("zstd: the frame has ended")
	return nil
}

// flush writes a block, as it is if compressing gains nothing.
func (z *zstdWriter) flush() {
	const raw, compressed = 0, 2
	block := z.buf[z.done:]
	_, _ = z.sum.Write(block) // never fails
	before := z.last
	z.find()
	z.out = append(z.out[:0], 0, 0, 0)
	z.encode()
	kind := uint32(compressed)
	if len(z.out)-3 >= len(block) {
		kind, z.last = raw, before
		z.out = append(z.out[:3], block...)
	}
	header := uint32(len(z.out)-3)<<3 | kind<<1
	z.out[0], z.out[1], z.out[2] = byte(header), byte(header>>8), byte(header>>16)
	_, z.err = z.w.Write(z.out)
	z.done = len(z.buf)
}

// find takes the block apart: the first match that is found is taken.
func (z *zstdWriter) find() {
	z.lits, z.seqs = z.lits[:0], z.seqs[:0]
	b, from := z.buf, z.done // from is where literals begin
	for i := from; i+8 <= len(b); {
		four := binary.LittleEndian.Uint32(b[i:])
		slot := &z.at[four*2654435761>>(32-zstdHashBits)]
		candidate := int(*slot) - 1
		*slot = uint32(i) + 1
		if before := i - int(z.last); i > from && before >= 0 && binary.LittleEndian.Uint32(b[before:]) == four {
			candidate = before
		}
		length := 0
		if candidate >= 0 {
			length = common(b[candidate:], b[i:])
		}
		if length < leastMatch {
			i++
			continue
		}
		z.match(b[from:i], uint32(i-candidate), uint32(length))
		i += length
		from = i
	}
	z.lits = append(z.lits, b[from:]...)
}

// common returns how many bytes are the same in two places.
func common(a, b []byte) int {
	n := 0
	for ; n+8 <= len(b); n += 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
	}
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func (z *zstdWriter) match(literals []byte, offset, length uint32) {
	const again, shift = 1, 3 // values up to 3 stand for offsets that were used last
	s := sequence{uint32(len(literals)), length, offset + shift}
	if offset == z.last && len(literals) > 0 {
		s.offset = again
	}
	z.last = offset
	z.lits, z.seqs = append(z.lits, literals...), append(z.seqs, s)
}

// encode appends the sections of a compressed block.
func (z *zstdWriter) encode() {
	const rawOf20Bits = 3 << 2
	n := uint32(len(z.lits))<<4 | rawOf20Bits
	z.out = append(z.out, byte(n), byte(n>>8), byte(n>>16))
	z.out = append(z.out, z.lits...)
	switch n := len(z.seqs); {
	case n == 0:
		z.out = append(z.out, 0)
		return
	case n < 128:
		z.out = append(z.out, byte(n))
	case n < 0x7f00:
		z.out = append(z.out, byte(n>>8)+128, byte(n))
	default:
		z.out = append(z.out, 255, byte(n-0x7f00), byte((n-0x7f00)>>8))
	}
	z.out = append(z.out, 0) // all tables are predefined
	z.sequences()
}

// sequences appends the bits of all sequences, the last first: they are read backwards.
func (z *zstdWriter) sequences() {
	w := bitWriter{out: z.out}
	var state [3]uint32
	for i := len(z.seqs) - 1; i >= 0; i-- {
		s := &z.seqs[i]
		literals, length := codeOf(literalBases[:], s.literals), codeOf(lengthBases[:], s.length)
		offset := uint32(bits.Len32(s.offset) - 1)
		first := i == len(z.seqs)-1
		for _, part := range [3]struct{ table, code uint32 }{{2, offset}, {1, length}, {0, literals}} {
			if first {
				state[part.table] = z.table[part.table].begin(part.code)
			} else {
				state[part.table] = z.table[part.table].step(&w, state[part.table], part.code)
			}
		}
		w.add(s.literals-literalBases[literals], extraBits(literalBases[:], literals))
		w.add(s.length-lengthBases[length], extraBits(lengthBases[:], length))
		w.add(s.offset-1<<offset, offset)
	}
	w.add(state[1], predefined[1].bits)
	w.add(state[2], predefined[2].bits)
	w.add(state[0], predefined[0].bits)
	w.add(1, 1)
	z.out = w.end()
}

// literalBases and lengthBases are the least number of each code; it has as many more bits as the next one needs.
var literalBases = [...]uint32{
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024, 2048, 4096,
	8192, 16384, 32768, 65536,
}

var lengthBases = [...]uint32{
	3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 37, 39,
	41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539,
}

// codeOf returns the last code whose base is not above n.
func codeOf(bases []uint32, n uint32) uint32 {
	low, high := 0, len(bases)
	for high-low > 1 {
		if mid := (low + high) / 2; bases[mid] <= n {
			low = mid
		} else {
			high = mid
		}
	}
	return uint32(low)
}

func extraBits(bases []uint32, code uint32) uint32 {
	if int(code) == len(bases)-1 {
		return 16
	}
	return uint32(bits.Len32(bases[code+1]-bases[code]) - 1)
}

// predefined are the distributions of codes for literals, lengths and offsets. -1 is less than once.
var predefined = [3]struct {
	bits   uint32
	counts []int8
}{
	{6, []int8{
		4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
	}},
	{6, []int8{
		1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
	}},
	{5, []int8{1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1}},
}

// fseTable encodes codes as states of a finite state machine: RFC 8878, section 4.1, the other way round.
type fseTable struct {
	states []uint32 // of all codes, one behind the other
	codes  []fseCode
}

// fseCode says how a state before becomes one of the code's.
type fseCode struct{ bits, state uint32 } // deltas, which wrap around

func newFSETable(log uint32, counts []int8) fseTable {
	size := uint32(1) << log
	spread := spreadCodes(size, counts)
	next := make([]uint32, len(counts))
	t := fseTable{states: make([]uint32, size), codes: make([]fseCode, len(counts))}
	total := uint32(0)
	for code, count := range counts {
		next[code] = total
		n := uint32(max(count, 1))
		most := log
		if n > 1 {
			most = log - uint32(bits.Len32(n-1)-1)
		}
		t.codes[code] = fseCode{bits: most<<16 - n<<most, state: total - n}
		total += n
	}
	for i, code := range spread {
		t.states[next[code]] = size + uint32(i)
		next[code]++
	}
	return t
}

// spreadCodes puts each code in as many places as it counts.
func spreadCodes(size uint32, counts []int8) []uint8 {
	spread := make([]uint8, size)
	high := size - 1
	for code, count := range counts {
		if count < 0 {
			spread[high] = uint8(code)
			high--
		}
	}
	at := uint32(0)
	for code, count := range counts {
		for ; count > 0; count-- {
			spread[at] = uint8(code)
			at = (at + size>>1 + size>>3 + 3) & (size - 1)
			for at > high {
				at = (at + size>>1 + size>>3 + 3) & (size - 1)
			}
		}
	}
	return spread
}

// begin returns a state of the first code.
func (t *fseTable) begin(code uint32) uint32 {
	c := t.codes[code]
	n := (c.bits + 1<<15) >> 16
	return t.states[(n<<16-c.bits)>>n+c.state]
}

// step writes what leads from a state of code back to the one before, and returns it.
func (t *fseTable) step(w *bitWriter, state, code uint32) uint32 {
	c := t.codes[code]
	n := (state + c.bits) >> 16
	w.add(state&(1<<n-1), n)
	return t.states[state>>n+c.state]
}

// bitWriter appends bits, the lowest first.
type bitWriter struct {
	out  []byte
	bits uint64
	n    uint32
}

// add appends the n lowest bits of v; n is at most 32.
func (w *bitWriter) add(v, n uint32) {
	w.bits |= uint64(v&(1<<n-1)) << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
	}
}

// end returns everything, filled up to whole bytes.
func (w *bitWriter) end() []byte {
	if w.n > 0 {
		w.out = append(w.out, byte(w.bits))
	}
	return w.out
}
