package trace

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Op is what a request does.
type Op uint8

// What requests do. All that writes is a set.
const (
	OpGet Op = iota
	OpSet
	OpDelete
	OpOther
)

// String returns the name that Options.Ops knows.
func (o Op) String() string { return opNames[o] }

var opNames = [...]string{"get", "set", "delete", "other"}

// opSet has a bit for each operation.
type opSet uint8

const allOps opSet = 1<<len(opNames) - 1

func (s opSet) has(o Op) bool { return s&(1<<o) != 0 }

// parseOps reads Options.Ops. Nothing is all.
func parseOps(list string) (opSet, error) {
	if list == "" {
		return allOps, nil
	}
	var set opSet
next:
	for name := range strings.SplitSeq(list, ",") {
		for op, known := range opNames {
			if strings.EqualFold(strings.TrimSpace(name), known) {
				set |= 1 << op
				continue next
			}
		}
		return 0, fmt.Errorf("trace: no operation is called %q: there are %s", name, strings.Join(opNames[:], ", "))
	}
	return set, nil
}

// opWords are what sources call operations, in lower case: methods of HTTP, commands of caches, SCSI codes in hexadecimal.
var opWords = [...]struct {
	op    Op
	words string
}{
	{OpGet, " get gets read r gat mget get_lease 28 88 08 a8 "},
	{OpSet, " set put post write w add replace cas append prepend incr decr set_lease 2a 8a 0a aa "},
	{OpDelete, " delete del remove unlink purge getdel "},
}

// parseOp reads an operation's name.
func parseOp(b []byte) Op {
	const longest = 16
	var word [longest + 2]byte
	if len(b) == 0 || len(b) > longest {
		return opByPrefix(b)
	}
	w := append(append(append(word[:0], ' '), b...), ' ')
	for i, c := range w {
		if 'A' <= c && c <= 'Z' {
			w[i] = c | 0x20
		}
	}
	for _, known := range opWords {
		if strings.Contains(known.words, string(w)) {
			return known.op
		}
	}
	return opByPrefix(b)
}

// opByPrefix reads names such as getChunkData.NotInitialized.
func opByPrefix(b []byte) Op {
	switch {
	case bytes.HasPrefix(b, []byte("get")):
		return OpGet
	case bytes.HasPrefix(b, []byte("put")):
		return OpSet
	default:
		return OpOther
	}
}

// record is what a decoder reads: one request, or several that follow each other.
type record struct {
	key    uint64
	span   uint32 // how many keys that follow each other are asked for; at least 1
	repeat uint32 // how often that happens
	size   uint32
	time   int64
	cost   float32
	ttl    uint32 // how long the object lives from here on, in the unit of time; 0 says nothing
	op     Op
	// served says what the source's own cache did.
	served served
	// name is the key as the source writes it where it is text, and valid as long as what it was read from; number is what
	// belongs to the identity of the object besides. Where name is nil, key alone is it.
	name   []byte
	number uint64
	// Of requests to block devices: bytes from offset on. Blocks that Options.Split makes get their keys from key on where
	// volume is set, else from 0.
	offset, length uint64
	volume         bool
}

// served is what the source's own cache did with a request.
type served uint8

const (
	servedUnknown served = iota
	servedHit
	servedMiss
)

// columns say what a source has beside keys. late: a size of 0 means that it is not
// known, and a later request for the object may know it.
type columns struct{ size, time, cost, op, ttl, blocks, late bool }

// mostRequests is how many requests one record can stand for: more are taken for damage.
const mostRequests = 1 << 20

// reset makes it one request of nothing. Field by field, as name's pointer makes it slower as a whole.
func (r *record) reset() {
	r.key, r.span, r.repeat = 0, 1, 1
	r.size, r.time, r.cost, r.ttl = 0, 0, 0, 0
	r.op, r.served = OpGet, servedUnknown
	r.name, r.number = nil, 0
	r.offset, r.length, r.volume = 0, 0, false
}

// setKey makes a text the key.
func (r *record) setKey(b []byte) { r.key, r.name = textKey(b), b }

// textKey turns a key into a number: a decimal number without leading zeros into itself, everything else into its hash.
func textKey(b []byte) uint64 {
	if n, ok := parseUint(b); ok && (b[0] != '0' || len(b) == 1) {
		return n
	}
	return xxhash.Sum64(b)
}

// parseUint reads a decimal number.
func parseUint(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || n > math.MaxUint64/10 || n*10 > math.MaxUint64-d {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// parseTime reads a number with or without sign and fraction, which is dropped.
func parseTime(b []byte) (int64, error) {
	digits, negative := bytes.CutPrefix(b, []byte("-"))
	whole, _, _ := bytes.Cut(digits, []byte("."))
	n, ok := parseUint(whole)
	if !ok || n > math.MaxInt64 {
		return 0, bad("a number for the time", b)
	}
	if negative {
		return -int64(n), nil
	}
	return int64(n), nil
}

// parseSize reads a size in bytes.
func parseSize(b []byte) (uint32, error) {
	n, ok := parseUint(b)
	if !ok || n > math.MaxUint32 {
		return 0, bad("a size in bytes below 4 GiB", b)
	}
	return uint32(n), nil
}

// parseTTL reads a lifetime, whose fraction is dropped. One that is negative, or nothing, says that there is none.
func parseTTL(b []byte) (uint32, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := parseTime(b)
	if err != nil {
		return 0, bad("a number for the lifetime", b)
	}
	return uint32(min(max(n, 0), math.MaxUint32)), nil
}

// parseCount reads how many requests a record stands for.
func parseCount(b []byte) (uint32, error) {
	n, ok := parseUint(b)
	if !ok || n > mostRequests {
		return 0, bad(fmt.Sprintf("a count of at most %d", mostRequests), b)
	}
	return uint32(n), nil
}

// cutField returns what comes before the next blank, and what comes behind the blanks.
func cutField(line []byte) (field, rest []byte) {
	for i, c := range line {
		if c == ' ' || c == '\t' {
			return line[:i], bytes.TrimLeft(line[i:], " \t")
		}
	}
	return line, nil
}
