package trace

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// role is what a column means.
type role int

const (
	roleTime role = iota
	roleKey
	roleSize
	roleKeySize
	roleOp
	roleCost
	roleCount
	roleOffset
	roleTTL
	roles
)

// roleNames are what Options.Columns calls them.
var roleNames = [roles]string{"time", "key", "size", "keysize", "op", "cost", "count", "offset", "ttl"}

// headerNames are what headers call them, the surest first: libCacheSim's, CacheLib's, Twitter's and what others use.
var headerNames = [roles][]string{
	roleTime:    {"time", "timestamp", "ts", "op_time", "clock_time", "date"},
	roleKey:     {"key", "obj_id", "object_id", "objid", "id", "lbn", "lba", "block_id", "block", "url", "uri", "path", "addr", "address"},
	roleSize:    {"size", "obj_size", "object_size", "value_size", "vsize", "io_size", "bytes", "length", "len"},
	roleKeySize: {"key_size", "ksize", "klen"},
	roleOp:      {"op", "operation", "op_name", "cmd", "command", "method"},
	roleCost:    {"cost", "latency", "penalty"},
	roleCount:   {"op_count"},
	roleOffset:  {"io_offset", "offset"},
	roleTTL:     {"ttl", "max_age"},
}

const csvLine = "columns between commas, tabs, semicolons or bars, one of which is the key (--cols time=1,key=2 says which)"

// csvDecoder reads lines of columns.
type csvDecoder struct {
	delimiter byte
	at        [roles]int // -1 where there is none
	width     int        // how many columns are looked at
	sectors   bool       // keys are logical block numbers
	fields    [][]byte
}

func (d *csvDecoder) next(in *input, r *record) error {
	line, err := in.nextLine()
	if err != nil {
		return err
	}
	if len(line) == 0 {
		return errSkip
	}
	r.reset()
	if d.fields, err = splitFields(line, d.delimiter, d.width, d.fields[:0]); err != nil {
		return in.located(err)
	}
	if len(d.fields) < d.width {
		return in.located(bad(fmt.Sprintf("%d columns at least", d.width), line))
	}
	if err := fill(r, d.field, d.sectors); err != nil {
		return in.located(err)
	}
	return nil
}

// field returns a column, or nil if there is none.
func (d *csvDecoder) field(as role) []byte {
	if d.at[as] < 0 {
		return nil
	}
	return d.fields[d.at[as]]
}

// fill makes a record of what field returns. What is nil is not there.
func fill(r *record, field func(role) []byte, sectors bool) (err error) {
	key := field(roleKey)
	if len(key) == 0 {
		return &recordError{"a key", "nothing"}
	}
	r.setKey(key)
	if b := field(roleTime); b != nil {
		if r.time, err = parseTime(b); err != nil {
			return err
		}
	}
	if b := field(roleSize); b != nil {
		if r.size, err = parseSize(b); err != nil {
			return err
		}
	}
	if b := field(roleKeySize); b != nil {
		n, err := parseSize(b)
		if err != nil {
			return err
		}
		r.size += n
	}
	if b := field(roleOp); b != nil {
		r.op = parseOp(b)
	}
	return fillRest(r, key, field, sectors)
}

// fillRest does what few sources have.
func fillRest(r *record, key []byte, field func(role) []byte, sectors bool) (err error) {
	if b := field(roleTTL); b != nil {
		if r.ttl, err = parseTTL(b); err != nil {
			return err
		}
	}
	if b := field(roleCost); b != nil {
		cost, err := strconv.ParseFloat(string(b), 32)
		if err != nil || cost < 0 || cost != cost {
			return bad("a cost", b)
		}
		r.cost = float32(cost)
	}
	if b := field(roleCount); b != nil {
		if r.repeat, err = parseCount(b); err != nil {
			return err
		}
	}
	r.length = uint64(r.size)
	switch b := field(roleOffset); {
	case b != nil:
		offset, ok := parseUint(b)
		if !ok {
			return bad("an offset in bytes", b)
		}
		r.key, r.name, r.offset, r.volume = xxhash.Sum64(key), key, offset, true
	case sectors:
		r.offset = r.key * sector
	}
	return nil
}

// splitFields appends the first n fields of a line. Those in quotes may have the delimiter inside, and quotes twice.
func splitFields(line []byte, delimiter byte, n int, fields [][]byte) ([][]byte, error) {
	for range n {
		if len(line) > 0 && line[0] == '"' {
			quoted, rest, err := cutDoubled(line)
			if err != nil {
				return nil, err
			}
			fields, line = append(fields, quoted), rest
			if len(line) == 0 {
				return fields, nil
			}
			if line[0] != delimiter {
				return nil, bad("a "+strconv.QuoteRune(rune(delimiter))+" behind quotes", line)
			}
			line = line[1:]
			continue
		}
		i := bytes.IndexByte(line, delimiter)
		if i < 0 {
			return append(fields, line), nil
		}
		fields, line = append(fields, line[:i]), line[i+1:]
	}
	return fields, nil
}

// cutDoubled takes a quoted field off a line.
func cutDoubled(line []byte) (field, rest []byte, err error) {
	for i := 1; i < len(line); i++ {
		switch {
		case line[i] != '"':
		case i+1 < len(line) && line[i+1] == '"':
			i++
		default:
			return bytes.ReplaceAll(line[1:i], []byte(`""`), []byte(`"`)), line[i+1:], nil
		}
	}
	return nil, nil, bad("a quote at the end of a field", line)
}

// looksCSV reports whether the first line has columns.
func looksCSV(head []byte) bool {
	lines := firstLines(head)
	return isText(head) && len(lines) > 0 && delimiterOf(lines[0]) != 0
}

// delimiterOf returns what separates columns, or 0.
func delimiterOf(line []byte) byte {
	var found byte
	most := 0
	for _, c := range []byte(",\t;|") {
		if n := bytes.Count(line, []byte{c}); n > most {
			found, most = c, n
		}
	}
	return found
}

func openCSV(in *input, o *Options) (decoder, columns, error) {
	head, err := in.peek()
	if err != nil {
		return nil, columns{}, err
	}
	lines := firstLines(head)
	if len(lines) == 0 {
		return nil, columns{}, in.located(&recordError{csvLine, "nothing"})
	}
	d := &csvDecoder{delimiter: delimiterOf(lines[0])}
	first, err := splitFields(lines[0], d.delimiter, bytes.Count(lines[0], []byte{d.delimiter})+1, nil)
	if err != nil {
		return nil, columns{}, in.located(err)
	}
	header, err := d.resolve(first, o.Columns)
	if err != nil {
		return nil, columns{}, &BadRecordError{File: in.name, Line: 1, Want: csvLine, Got: err.Error()}
	}
	if header {
		if _, err := in.nextLine(); err != nil {
			return nil, columns{}, err
		}
	}
	for _, i := range d.at {
		d.width = max(d.width, i+1)
	}
	return d, columns{
		size: d.at[roleSize] >= 0 || d.at[roleKeySize] >= 0, time: d.at[roleTime] >= 0, op: d.at[roleOp] >= 0, cost: d.at[roleCost] >= 0,
		ttl: d.at[roleTTL] >= 0, blocks: d.sectors || d.at[roleOffset] >= 0,
	}, nil
}

// resolve finds the columns by what the user says, by the header, or by what is known to have none. It reports whether the
// first line is a header.
func (d *csvDecoder) resolve(first [][]byte, said string) (header bool, err error) {
	names := make([]string, len(first))
	for i, b := range first {
		names[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(b), "\ufeff")))
	}
	for as := range roles {
		d.at[as] = columnCalled(names, headerNames[as])
		header = header || d.at[as] >= 0
	}
	if !header {
		d.at = headerless(first)
	}
	d.sectors = header && d.at[roleKey] >= 0 && (names[d.at[roleKey]] == "lbn" || names[d.at[roleKey]] == "lba")
	asked, err := parseColumns(said)
	if err != nil {
		return false, err
	}
	for as, name := range asked {
		if d.at[as], err = columnOf(names, name); err != nil {
			return false, err
		}
		if _, err := strconv.Atoi(name); err != nil {
			header = true
		}
		d.sectors = d.sectors && as != roleKey
	}
	if d.at[roleKey] < 0 {
		return false, fmt.Errorf("no known name in %q", bytes.Join(first, []byte{d.delimiter}))
	}
	return header || !d.numeric(first), nil
}

// numeric reports whether time and size of a line are numbers, as in no header.
func (d *csvDecoder) numeric(line [][]byte) bool {
	for _, as := range []role{roleTime, roleSize} {
		if i := d.at[as]; i >= 0 {
			if _, err := parseTime(line[i]); err != nil {
				return false
			}
		}
	}
	return true
}

// headerless knows Twitter's columns, and time, key and size.
func headerless(first [][]byte) [roles]int {
	const twitter, sized = 7, 3
	at := [roles]int{}
	for as := range at {
		at[as] = -1
	}
	number := func(i int) bool {
		_, err := parseTime(first[i])
		return err == nil
	}
	switch {
	case len(first) == twitter && number(0) && number(2) && number(3) && number(6) && parseOp(first[5]) != OpOther:
		at[roleTime], at[roleKey], at[roleKeySize], at[roleSize], at[roleOp], at[roleTTL] = 0, 1, 2, 3, 5, 6
	case len(first) == sized && number(0) && number(2):
		at[roleTime], at[roleKey], at[roleSize] = 0, 1, 2
	}
	return at
}

// columnCalled returns where one of the names is, the first that is there, or -1.
func columnCalled(names, wanted []string) int {
	for _, name := range wanted {
		if i := slices.Index(names, name); i >= 0 {
			return i
		}
	}
	return -1
}

// columnOf returns the column that a user means by a number or a name.
func columnOf(names []string, said string) (int, error) {
	n, err := strconv.Atoi(said)
	if err != nil {
		if i := slices.Index(names, strings.ToLower(said)); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("no column called %q", said)
	}
	if n < 1 || n > len(names) {
		return 0, fmt.Errorf("no column %d of %d", n, len(names))
	}
	return n - 1, nil
}

// parseColumns reads Options.Columns.
func parseColumns(said string) (map[role]string, error) {
	asked := make(map[role]string)
	for pair := range strings.SplitSeq(said, ",") {
		if pair == "" {
			continue
		}
		name, column, ok := strings.Cut(strings.TrimSpace(pair), "=")
		as := slices.Index(roleNames[:], name)
		if !ok || as < 0 || column == "" {
			return nil, fmt.Errorf("columns %q: %q is not one of %s with = and a number or a name", said, pair, strings.Join(roleNames[:], ", "))
		}
		asked[role(as)] = column
	}
	return asked, nil
}
