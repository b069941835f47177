package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// An lcs file is libCacheSim's own: a header that begins and ends with a magic number, with the version of the records or
// what they are made of behind the first, and then records of the same length, all little-endian. Its published
// descriptions give the versions, what each has, and how long its records are; that fields come in the order in which
// versions got them, before the number of the next request, is checked by that number in every record.
const (
	lcsMagic       = 0x123456789abcdef0
	lcsShortHeader = 1 << 10
	lcsLongHeader  = 8 << 10
	lcsWant        = "an lcs file: the magic number 0x123456789abcdef0 and a header"
)

func looksLCS(head []byte) bool {
	return len(head) >= 8 && binary.LittleEndian.Uint64(head) == lcsMagic
}

// lcsVersions are the fields of records, as in a format string of lcsFields, by version. From the fourth on, features of 4
// bytes each are behind them.
var lcsVersions = [...]string{1: "IQIq", 2: "IQIIq", 3: "IQQIIq", 4: "IQQIIq4x", 5: "IQQIIq8x", 6: "IQQIIq16x", 7: "IQQIIq32x", 8: "IQQIIq64x"}

func openLCS(in *input, _ *Options) (decoder, columns, error) {
	head, err := in.peek()
	if err != nil {
		return nil, columns{}, err
	}
	length, err := lcsHeaderLength(head)
	if err != nil {
		return nil, columns{}, in.located(err)
	}
	header, err := in.take(length)
	if err != nil {
		return nil, columns{}, err
	}
	spec := lcsFormat(header)
	if spec == "" {
		version := binary.LittleEndian.Uint64(header[8:])
		if version == 0 || version >= uint64(len(lcsVersions)) {
			want := fmt.Sprintf("a version of lcs from 1 to %d, or a format such as <IQIq, behind the magic number", len(lcsVersions)-1)
			return nil, columns{}, in.located(bad(want, header[8:16]))
		}
		spec = lcsVersions[version]
	}
	l, err := lcsLayout(spec)
	if err != nil {
		return nil, columns{}, in.located(err)
	}
	return l, l.columns, nil
}

// lcsHeaderLength finds the second magic number. A header that says its format and has none is a short one.
func lcsHeaderLength(head []byte) (int, error) {
	for _, n := range []int{lcsShortHeader, lcsLongHeader} {
		if len(head) >= n && binary.LittleEndian.Uint64(head[n-8:]) == lcsMagic {
			return n, nil
		}
	}
	if len(head) >= lcsShortHeader && lcsFormat(head) != "" {
		return lcsShortHeader, nil
	}
	want := fmt.Sprintf("a header of %d or %d bytes with the magic number at its end", lcsShortHeader, lcsLongHeader)
	return 0, &recordError{want, fmt.Sprintf("a file of which the first %d bytes have none", min(len(head), lcsLongHeader))}
}

// lcsFormat returns the format string that is behind the magic number, or nothing.
func lcsFormat(header []byte) string {
	text, _, _ := bytes.Cut(header[8:min(len(header), 8+64)], []byte{0})
	text = bytes.TrimRight(text, " ")
	spec := string(bytes.TrimPrefix(text, []byte("<")))
	if len(spec) < 2 || strings.Trim(spec, "0123456789bBhHiIlLqQxs") != "" {
		return ""
	}
	return spec
}

// lcsField is where a record has something.
type lcsField struct {
	letter    byte
	at, width int
}

// number returns a field's value, or 0 where it has none.
func (f lcsField) number(b []byte) uint64 {
	switch b = b[f.at:]; f.width {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	case 8:
		return binary.LittleEndian.Uint64(b)
	default:
		return 0
	}
}

// lcsFields takes a format apart, which is as Python's struct has them: letters, each with a number before it or none. What
// is only there to be passed over is not returned. width is that of a record.
func lcsFields(spec string) (fields []lcsField, width int, err error) {
	const widest = 1 << 10
	count := 0
	for _, c := range []byte(spec) {
		if '0' <= c && c <= '9' {
			count = min(count*10+int(c-'0'), widest)
			continue
		}
		size := map[byte]int{'b': 1, 'h': 2, 'i': 4, 'l': 4, 'q': 8, 'x': 1, 's': 1}[c|0x20]
		for range max(count, 1) {
			if c != 'x' && c != 's' {
				fields = append(fields, lcsField{c, width, size})
			}
			width += size
		}
		count = 0
	}
	if len(fields) < 2 || count > 0 || width > widest {
		return nil, 0, bad("a format with time, key and more, as in <IQIq, of at most 1024 bytes", []byte(spec))
	}
	return fields, width, nil
}

// lcsLayout gives fields their meaning: time, key, size, operation in the lowest byte, lifetime, as far as they come before
// the number of the next request, which is the first signed one of 8 bytes behind the size.
func lcsLayout(spec string) (*layout, error) {
	const time, key, size, op, ttl = 0, 1, 2, 3, 4
	fields, width, err := lcsFields(spec)
	if err != nil {
		return nil, err
	}
	before, after := len(fields), lcsField{}
	if i := slices.IndexFunc(fields[2:], func(f lcsField) bool { return f.letter == 'q' }); i > 0 {
		before = 2 + i
		after = fields[before]
	}
	at := func(i int) lcsField {
		if i < before {
			return fields[i]
		}
		return lcsField{}
	}
	lifetime := at(ttl)
	if lifetime.width < 4 {
		lifetime = lcsField{} // a namespace
	}
	return &layout{
		width: width, want: lcsWant,
		columns: columns{time: true, size: at(size).width > 0, op: at(op).width > 0, ttl: lifetime.width > 0},
		read: func(b []byte, r *record) error {
			length := at(size).number(b)
			if length > math.MaxUint32 {
				return &recordError{"a size in bytes below 4 GiB", fmt.Sprint(length)}
			}
			r.time, r.key, r.size = int64(fields[time].number(b)), fields[key].number(b), uint32(length)
			r.op, r.ttl = numberedOp(byte(at(op).number(b))), uint32(lifetime.number(b))
			if after.width == 0 {
				return nil
			}
			return lcsNext(b[after.at : after.at+8])
		},
	}, nil
}

// lcsNext asks for more than checkNext does: where records have another order than it is thought, it is half of one number
// and half of another, which is 0, or 2^32-1, or more.
func lcsNext(b []byte) error {
	if next := int64(binary.LittleEndian.Uint64(b)); next == 0 || next >= math.MaxUint32 && next != math.MaxInt64 {
		return bad("the number of the next request or -1", b)
	}
	return checkNext(b)
}
