package memcached

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/edgecache/edgecache/core"
)

// reply is one reply of the meta protocol.
type reply struct {
	code  string // HD VA EN NF NS EX MN ME, or ERROR CLIENT_ERROR SERVER_ERROR
	text  string // the rest of the line
	value []byte // of VA; belongs to the reply's receiver
	key   string // flag k
	flags uint32 // flag f
	cas   uint64 // flag c
	ttl   int64  // flag t: seconds, -1 is never
}

// errProtocol is wrapped by errors about bytes that are no reply. The connection is then useless.
var errProtocol = errors.New("not a memcached reply")

// lineSize is how long a line of a reply may be. Keys have 250 bytes, or 750 escaped.
const lineSize = 4 << 10

// readLine reads a line and returns it without its end. It is valid until the next read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("%w: line of more than %d bytes", errProtocol, len(line))
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// readReply reads one reply whose value has maxValue bytes at most.
func readReply(r *bufio.Reader, maxValue int) (*reply, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	code, rest, _ := bytes.Cut(line, []byte(" "))
	rep := &reply{code: string(code), text: string(rest), ttl: -1}
	switch rep.code {
	case "ME", "ERROR", "CLIENT_ERROR", "SERVER_ERROR":
		return rep, nil
	case "HD", "EN", "NF", "NS", "EX", "MN":
		return rep, rep.parseFlags(rest)
	case "VA":
		return rep, rep.parseValue(r, rest, maxValue)
	}
	return nil, fmt.Errorf("%w: %.64q", errProtocol, line)
}

// parseValue reads the rest of a VA line and the value that follows it.
func (r *reply) parseValue(from *bufio.Reader, rest []byte, maxValue int) error {
	digits, rest, _ := bytes.Cut(rest, []byte(" "))
	size, err := strconv.ParseUint(string(digits), 10, 32)
	if err != nil || size > uint64(maxValue) {
		return fmt.Errorf("%w: value of %.32q bytes, the limit is %d", errProtocol, digits, maxValue)
	}
	if err := r.parseFlags(rest); err != nil {
		return err
	}
	if r.value, err = readValue(from, int(size)); err != nil {
		return err
	}
	end, err := readLine(from)
	if err == nil && len(end) != 0 {
		err = fmt.Errorf("%w: value is longer than %d bytes", errProtocol, size)
	}
	return err
}

// eager is how much is allocated for a value before any of it has come.
const eager = 1 << 20

// readValue reads size bytes. It trusts a large size only as far as bytes arrive.
func readValue(r *bufio.Reader, size int) ([]byte, error) {
	if size <= eager {
		value := make([]byte, size)
		_, err := io.ReadFull(r, value)
		return value, err
	}
	var value bytes.Buffer
	value.Grow(eager)
	if _, err := io.CopyN(&value, r, int64(size)); err != nil {
		return nil, err
	}
	return value.Bytes(), nil
}

// parseFlags reads the flags of a reply that this package asks for, and passes over others.
func (r *reply) parseFlags(rest []byte) error {
	for field := range bytes.FieldsSeq(rest) {
		var err error
		arg := string(field[1:])
		switch field[0] {
		case 'k':
			r.key = arg
		case 'f':
			var n uint64
			n, err = strconv.ParseUint(arg, 10, 32)
			r.flags = uint32(n)
		case 'c':
			r.cas, err = strconv.ParseUint(arg, 10, 64)
		case 't':
			r.ttl, err = strconv.ParseInt(arg, 10, 64)
		}
		if err != nil {
			return fmt.Errorf("%w: flag %.32q", errProtocol, field)
		}
	}
	return nil
}

// want returns nil if the reply is one of codes, else the error that it means.
func (r *reply) want(codes ...string) error {
	if slices.Contains(codes, r.code) {
		return nil
	}
	return r.refusal()
}

// refusal is the error of a reply that is not what was asked for.
func (r *reply) refusal() error {
	if r.code == "SERVER_ERROR" && isTooLarge(r.text) {
		return fmt.Errorf("memcached: %w", core.ErrTooLarge)
	}
	if r.code == "CLIENT_ERROR" || r.code == "SERVER_ERROR" || r.code == "ERROR" {
		return &serverError{r.code, r.text}
	}
	return fmt.Errorf("%w: unexpected %s", errProtocol, r.code)
}

// expires turns the time to live into unix nanoseconds. What is left of the last second counts as a second.
func (r *reply) expires(now time.Time) int64 {
	if r.ttl < 0 {
		return 0
	}
	return core.Deadline(now, time.Duration(min(max(r.ttl, 1), 1<<33))*time.Second)
}
