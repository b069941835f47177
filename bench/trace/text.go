package trace

import (
	"bytes"
	"errors"
	"math"
	"strconv"
)

// lineFunc reads a record from a line. It leaves span and repeat at 1 where the line is one request.
type lineFunc func(line []byte, r *record) error

func (f lineFunc) next(in *input, r *record) error {
	line, err := in.nextLine()
	if err != nil {
		return err
	}
	r.reset()
	switch err := f(line, r); {
	case err == nil || errors.Is(err, errSkip):
		return err
	default:
		return in.located(err)
	}
}

func opensLines(f lineFunc, c columns) func(*input, *Options) (decoder, columns, error) {
	return func(*input, *Options) (decoder, columns, error) { return f, c, nil }
}

// linesLike reports whether the first lines can be read.
func linesLike(f lineFunc) func(head []byte) bool {
	return func(head []byte) bool {
		good, all := 0, 0
		for _, line := range firstLines(head) {
			var r record
			switch err := f(line, &r); {
			case errors.Is(err, errSkip):
			case err == nil:
				good++
				all++
			default:
				all++
			}
		}
		return isText(head) && mostly(good, all)
	}
}

const numberLine = "a number, or *, on each line"

// number reads the traces of LIRS's authors. Their * separates phases.
func number(line []byte, r *record) error {
	if len(line) == 0 || len(line) == 1 && line[0] == '*' {
		return errSkip
	}
	n, ok := parseUint(bytes.TrimSpace(line))
	if !ok {
		return bad(numberLine, line)
	}
	r.key = n
	return nil
}

// openKeys makes lines keys. Where most of the first are numbers, or have no blanks, the others must be so too: a file in
// which that changes is two. Whoever names the format has it as it is.
func openKeys(in *input, o *Options) (decoder, columns, error) {
	if o.Format != "" {
		return keysIn(anyKey), columns{}, nil
	}
	head, err := in.peek()
	switch {
	case err != nil:
		return nil, columns{}, err
	case linesLike(number)(head):
		return lineFunc(number), columns{}, nil
	case linesLike(keysIn(unbrokenKey))(head):
		return keysIn(unbrokenKey), columns{}, nil
	default:
		return keysIn(anyKey), columns{}, nil
	}
}

// keysIn reads lines that are keys if check finds nothing.
func keysIn(check func(line []byte) error) lineFunc {
	return func(line []byte, r *record) error {
		if len(line) == 0 {
			return errSkip
		}
		r.setKey(line)
		return check(line)
	}
}

func anyKey(line []byte) error {
	if hasControls(line) {
		return bad("a key without control characters", line)
	}
	return nil
}

func unbrokenKey(line []byte) error {
	if bytes.IndexByte(line, ' ') >= 0 || bytes.IndexByte(line, '\t') >= 0 {
		return bad("a key without blanks, as most lines have it", line)
	}
	return anyKey(line)
}

const arcLine = `"start count ignored number" on each line`

// arc reads the traces of N. Megiddo and D. S. Modha, ARC: a self-tuning, low overhead replacement cache, FAST 2003: each
// line asks for count blocks from start on.
func arc(line []byte, r *record) error {
	if len(line) == 0 {
		return errSkip
	}
	start, rest := cutField(line)
	count, rest := cutField(rest)
	third, rest := cutField(rest)
	fourth, rest := cutField(rest)
	first, ok := parseUint(start)
	_, ignored := parseUint(third)
	_, numbered := parseUint(fourth)
	if !ok || !ignored || !numbered || len(rest) != 0 {
		return bad(arcLine, line)
	}
	n, err := parseCount(count)
	switch {
	case err != nil:
		return err
	case n == 0:
		return errSkip
	}
	r.key, r.span = first, n
	return nil
}

const sizedLine = `"time key size" on each line`

// sized reads the traces of webcachesim, LRB and AdaptSize. An object whose size changes is another one.
func sized(line []byte, r *record) error {
	if len(line) == 0 {
		return errSkip
	}
	time, rest := cutField(line)
	key, rest := cutField(rest)
	size, rest := cutField(rest)
	if len(key) == 0 || len(size) == 0 || len(rest) != 0 {
		return bad(sizedLine, line)
	}
	var err error
	if r.time, err = parseTime(time); err != nil {
		return err
	}
	if r.size, err = parseSize(size); err != nil {
		return err
	}
	r.key, r.name, r.number = splitmix64(textKey(key))+uint64(r.size), key, uint64(r.size)
	return nil
}

const addressLine = `"l 0xADDRESS n", or with "hit-penalty miss-penalty" behind it, on each line`

// address reads memory accesses; the penalties are what a hit and a miss cost.
func address(line []byte, r *record) error {
	if len(line) == 0 {
		return errSkip
	}
	op, rest := cutField(line)
	at, rest := cutField(rest)
	count, rest := cutField(rest)
	hex, prefixed := bytes.CutPrefix(at, []byte("0x"))
	n, err := strconv.ParseUint(string(hex), 16, 64)
	_, counted := parseUint(count)
	if len(op) != 1 || op[0] != 'l' && op[0] != 's' || !prefixed || err != nil || !counted {
		return bad(addressLine, line)
	}
	r.key = n
	if op[0] == 's' {
		r.op = OpSet
	}
	return penalty(line, rest, r)
}

func penalty(line, rest []byte, r *record) error {
	if len(rest) == 0 {
		return nil
	}
	hit, rest := cutField(rest)
	miss, rest := cutField(rest)
	_, known := parseUint(hit)
	cost, ok := parseUint(miss)
	if !known || !ok || cost > math.MaxInt32 || len(rest) != 0 {
		return bad(addressLine, line)
	}
	r.cost = float32(cost)
	return nil
}

// openAddress looks whether the first line has penalties.
func openAddress(in *input, _ *Options) (decoder, columns, error) {
	head, err := in.peek()
	if err != nil {
		return nil, columns{}, err
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return lineFunc(address), columns{op: true, cost: len(bytes.Fields(line)) > 3}, nil
}
