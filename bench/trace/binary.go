package trace

import (
	"encoding/binary"
	"fmt"
	"math"
)

// layout is a binary format whose records all have the same length.
type layout struct {
	width   int
	want    string // what a record must be
	columns columns
	// read reads a record of that width. It leaves span and repeat at 1.
	read func(b []byte, r *record) error
}

func (l *layout) next(in *input, r *record) error {
	b, err := in.take(l.width)
	if err != nil {
		return err
	}
	r.reset()
	if err := l.read(b, r); err != nil {
		return in.located(err)
	}
	return nil
}

func opens(l layout) func(*input, *Options) (decoder, columns, error) {
	return func(*input, *Options) (decoder, columns, error) { return &l, l.columns, nil }
}

// looksLike reports whether the first bytes can be read as records.
func looksLike(l layout) func(head []byte) bool {
	return func(head []byte) bool {
		if isText(head) {
			return false
		}
		good, all := 0, 0
		for ; len(head) >= l.width; head = head[l.width:] {
			var r record
			if l.read(head[:l.width], &r) == nil {
				good++
			}
			all++
		}
		return mostly(good, all)
	}
}

// sector is how many bytes a logical block number of SCSI counts.
const sector = 512

// vscsi1 and vscsi2 are what VMware's vscsiStats writes.
var vscsi1 = layout{
	width: 32, want: "a vSCSI record of version 1 (32 bytes)",
	columns: columns{size: true, time: true, op: true, blocks: true},
	read: func(b []byte, r *record) error {
		if b[15] != 1 {
			return bad("version 1 in a vSCSI record of 32 bytes", b[14:16])
		}
		readSCSI(r, b[4:8], b[12:14], b[16:24], b[24:32])
		return nil
	},
}

var vscsi2 = layout{
	width: 40, want: "a vSCSI record of version 2 (40 bytes)",
	columns: columns{size: true, time: true, op: true, blocks: true},
	read: func(b []byte, r *record) error {
		if b[3] != 2 {
			return bad("version 2 in a vSCSI record of 40 bytes", b[2:4])
		}
		readSCSI(r, b[8:12], b[0:2], b[16:24], b[24:32])
		return nil
	},
}

func readSCSI(r *record, length, command, block, time []byte) {
	r.size = binary.LittleEndian.Uint32(length)
	r.key = binary.LittleEndian.Uint64(block)
	r.time = int64(binary.LittleEndian.Uint64(time))
	r.op = parseOp(fmt.Appendf(nil, "%02x", binary.LittleEndian.Uint16(command)))
	r.offset, r.length = r.key*sector, uint64(r.size)
}

// oracleGeneral is libCacheSim's own format: time, key, size, and which request asks for the object next.
var oracleGeneral = layout{
	width: 24, want: "an oracleGeneral record (24 bytes)",
	columns: columns{size: true, time: true},
	read: func(b []byte, r *record) error {
		readOracle(r, b)
		return checkNext(b[16:24])
	},
}

// oracleGeneralOpNS has an operation and a namespace too.
var oracleGeneralOpNS = layout{
	width: 27, want: "an oracleGeneralOpNS record (27 bytes)",
	columns: columns{size: true, time: true, op: true},
	read: func(b []byte, r *record) error {
		readOracle(r, b)
		r.op = numberedOp(b[16])
		return checkNext(b[19:27])
	},
}

func readOracle(r *record, b []byte) {
	r.time = int64(binary.LittleEndian.Uint32(b[0:4]))
	r.key = binary.LittleEndian.Uint64(b[4:12])
	r.size = binary.LittleEndian.Uint32(b[12:16])
}

// mostSteps is more requests than a trace has. Where nothing follows, writers say -1, -2 or the largest number.
const mostSteps = 1 << 44

func checkNext(b []byte) error {
	if next := int64(binary.LittleEndian.Uint64(b)); next < -2 || next > mostSteps && next != math.MaxInt64 {
		return bad("the number of the next request or -1", b)
	}
	return nil
}

// twr is the binary form of Twitter's traces.
var twr = layout{
	width: 20, want: "a twr record (20 bytes)",
	columns: columns{size: true, time: true, op: true, ttl: true},
	read: func(b []byte, r *record) error {
		const valueBits, ttlBits = 22, 24
		r.time = int64(binary.LittleEndian.Uint32(b[0:4]))
		r.key = binary.LittleEndian.Uint64(b[4:12])
		sizes := binary.LittleEndian.Uint32(b[12:16])
		r.size = sizes>>valueBits + sizes&(1<<valueBits-1)
		ops := binary.LittleEndian.Uint32(b[16:20])
		r.op, r.ttl = numberedOp(byte(ops>>ttlBits)), ops&(1<<ttlBits-1)
		return nil
	},
}

// guessTWR reports whether all records have an operation, and none is older than the one before it: so many can't by chance.
func guessTWR(head []byte) bool {
	const enough, lastOp = 16, 11
	last := uint32(0)
	n := 0
	for ; len(head) >= twr.width; head = head[twr.width:] {
		at, op := binary.LittleEndian.Uint32(head), head[19]
		if op == 0 || op > lastOp || at < last {
			return false
		}
		last = at
		n++
	}
	return n >= enough
}

// numberedOp reads an operation as Twitter numbers them, and libCacheSim behind those.
func numberedOp(n byte) Op {
	ops := [...]Op{
		OpOther, OpGet, OpGet, OpSet, OpSet, OpSet, OpSet, OpSet, OpSet, OpDelete, OpSet, OpSet,
		OpGet, OpSet, OpSet, // read, write, update
	}
	if int(n) >= len(ops) {
		return OpOther
	}
	return ops[n]
}

// be32 and be64 are keys alone, as cache2k's and Caffeine's benchmarks have them.
var be32 = layout{
	width: 4, want: "a big-endian number of 4 bytes",
	read: func(b []byte, r *record) error {
		r.key = uint64(binary.BigEndian.Uint32(b))
		return nil
	},
}

var be64 = layout{
	width: 8, want: "a big-endian number of 8 bytes",
	read: func(b []byte, r *record) error {
		r.key = binary.BigEndian.Uint64(b)
		return nil
	},
}

// guessBE32 reports whether there are numbers of 4 bytes that come again. The halves of a number of 8 bytes stay what they
// are, whereas one of 4 bytes is now the first and now the second of two.
func guessBE32(head []byte) bool {
	n := reuse(head)
	return n.both*20 >= max(n.firsts, n.seconds) && comeAgain(n.either, 2*n.pairs)
}

// guessBE64 reports whether there are numbers of 8 bytes that come again.
func guessBE64(head []byte) bool {
	n := reuse(head)
	return comeAgain(n.wholes, n.pairs)
}

// comeAgain reports whether so few of n numbers are different that this is no chance.
func comeAgain(different, n int) bool { return different*20 < n*19 }

// pairs counts numbers of 4 bytes, two and two: how many pairs there are, and how many different numbers are first, second,
// either, both, and how many different pairs.
type pairs struct{ pairs, firsts, seconds, either, both, wholes int }

func reuse(head []byte) pairs {
	if isText(head) {
		return pairs{}
	}
	firsts, seconds, either, wholes := newInterner(), newInterner(), newInterner(), newInterner()
	n := len(head) / 8
	for b := head; len(b) >= 8; b = b[8:] {
		first, second := uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
		firsts.id(first)
		seconds.id(second)
		either.id(first)
		either.id(second)
		wholes.id(first<<32 | second)
	}
	return pairs{
		pairs: n, firsts: int(firsts.n), seconds: int(seconds.n), either: int(either.n),
		both: int(firsts.n + seconds.n - either.n), wholes: int(wholes.n),
	}
}
