package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/edgecache/edgecache/core"
)

const (
	// smallBuffer is what a connection begins with, and what it holds while it rests.
	smallBuffer = 512
	// growth is by how much a buffer grows that was filled up. Sixteen commands with short values come in two reads even
	// at first.
	growth = 4
	// largeBuffer is how far the read buffer grows for pipelines. One value that does not fit makes it larger.
	largeBuffer = 64 << 10
	// minRead is the least free space that is worth a read.
	minRead = 256

	// What a client may send before it has authenticated, as in Redis.
	restrictedArgs = 10
	restrictedBulk = 16 << 10
)

// errIncomplete is returned where the rest of a command has not been read yet.
var errIncomplete = errors.New("incomplete command")

// protocolError is what a client sent against the protocol. Nothing after it can be understood.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

// limits bound what a client may send.
type limits struct {
	args   int // words of a command
	bulk   int // bytes of a word
	inline int // bytes of a line: an inline command or a header
}

// parser splits what a client sends into commands, in place: words are views of the buffer, or of one that came before
// it, and are valid until the next fill. It is not safe for concurrent use.
type parser struct {
	limits     limits
	restricted bool   // the client has not authenticated
	buf        []byte // what was read; buf[pos:] is not parsed yet
	pos        int
	left       int      // words still to come of the command under way
	bulk       int      // length of the word under way, -1 before its header
	args       [][]byte // words of the command under way, of which left are to come
}

func newParser(l limits) parser {
	return parser{limits: l, buf: make([]byte, 0, smallBuffer), bulk: -1}
}

// next returns the next command, without words for an empty one, or errIncomplete, or a protocolError.
func (p *parser) next() ([][]byte, error) {
	if p.left == 0 {
		p.args = p.args[:0]
		if p.pos == len(p.buf) {
			return nil, errIncomplete
		}
		if p.buf[p.pos] != '*' {
			return p.inline()
		}
		if err := p.count(); err != nil || p.left == 0 {
			return nil, err
		}
	}
	for p.left > 0 {
		if err := p.word(); err != nil {
			return nil, err
		}
	}
	return p.args, nil
}

// idle reports whether nothing is left of what was read.
func (p *parser) idle() bool { return p.left == 0 && p.pos == len(p.buf) }

// count parses the header of a command: how many words it has. None, or fewer, is an empty command.
func (p *parser) count() error {
	n, end, err := p.header("too big mbulk count string", "invalid multibulk length")
	switch {
	case err != nil:
		return err
	case n > math.MaxInt32 || n > p.limits.args:
		return protocolError("invalid multibulk length")
	case p.restricted && n > restrictedArgs:
		return protocolError("unauthenticated multibulk length")
	}
	p.pos, p.left = end, max(n, 0)
	return nil
}

// word parses one word of a command. It keeps what it has learned where the word is incomplete.
func (p *parser) word() error {
	if p.bulk < 0 {
		if err := p.bulkHeader(); err != nil {
			return err
		}
	}
	end := p.pos + p.bulk
	if len(p.buf) < end+2 {
		return errIncomplete
	}
	p.args = append(p.args, p.buf[p.pos:end:end])
	p.pos, p.bulk = end+2, -1
	p.left--
	return nil
}

func (p *parser) bulkHeader() error {
	if p.pos < len(p.buf) && p.buf[p.pos] != '$' {
		return p.noBulk()
	}
	n, end, err := p.header("too big bulk count string", "invalid bulk length")
	switch {
	case err != nil:
		return err
	case n < 0 || n > p.limits.bulk:
		return protocolError("invalid bulk length")
	case p.restricted && n > restrictedBulk:
		return protocolError("unauthenticated bulk length")
	}
	p.pos, p.bulk = end, n
	return nil
}

// noBulk complains about a word that does not begin with a dollar, once its line has come.
func (p *parser) noBulk() error {
	if _, err := p.line("too big bulk count string"); err != nil {
		return err
	}
	return protocolError(fmt.Sprintf("expected '$', got '%s'", p.buf[p.pos:p.pos+1]))
}

// header parses a type byte, a number and CR LF, and returns the number and where it ends.
func (p *parser) header(tooLong, invalid string) (n, end int, err error) {
	b := p.buf[p.pos:]
	for i := 1; i < len(b) && i < 9; i++ {
		switch c := b[i]; {
		case '0' <= c && c <= '9' && (n > 0 || i == 1):
			n = n*10 + int(c-'0')
		case c == '\r' && i > 1 && i+1 < len(b):
			return n, p.pos + i + 2, nil
		default:
			return p.oddHeader(tooLong, invalid)
		}
	}
	return p.oddHeader(tooLong, invalid)
}

// oddHeader is header for what is long, signed, wrong or incomplete.
func (p *parser) oddHeader(tooLong, invalid string) (n, end int, err error) {
	size, err := p.line(tooLong)
	if err != nil {
		return 0, 0, err
	}
	long, ok := core.ParseInt(p.buf[p.pos+1 : p.pos+size])
	if n = int(long); !ok || int64(n) != long {
		return 0, 0, protocolError(invalid)
	}
	return n, p.pos + size + 2, nil
}

// line returns the length of a header's line without CR LF. What follows CR is not looked at.
func (p *parser) line(tooLong string) (int, error) {
	b := p.buf[p.pos:]
	size := bytes.IndexByte(b, '\r')
	switch {
	case size < 0 && len(b) > p.limits.inline:
		return 0, protocolError(tooLong)
	case size < 0 || size+2 > len(b):
		return 0, errIncomplete
	}
	return size, nil
}

// inline parses a command that is a line of words.
func (p *parser) inline() ([][]byte, error) {
	b := p.buf[p.pos:]
	size := bytes.IndexByte(b, '\n')
	if size < 0 {
		if len(b) > p.limits.inline {
			return nil, protocolError("too big inline request")
		}
		return nil, errIncomplete
	}
	words, ok := splitWords(p.args, bytes.TrimSuffix(b[:size], []byte{'\r'}))
	if !ok {
		return nil, protocolError("unbalanced quotes in request")
	}
	p.args = words
	p.pos += size + 1
	return words, nil
}

// fill reads once from r behind what is not parsed yet. Words already parsed of a command under way stay where they are.
func (p *parser) fill(r io.Reader) (int, error) {
	p.room()
	n, err := r.Read(p.buf[len(p.buf):cap(p.buf)])
	p.buf = p.buf[:len(p.buf)+n]
	return n, err
}

// room makes space to read into: the buffer itself once all of it is parsed, else a larger one. The old one is left
// untouched if it holds words of a command under way.
func (p *parser) room() {
	rest := p.buf[p.pos:]
	enough := len(p.buf) < cap(p.buf) || cap(p.buf) >= largeBuffer // a buffer that was filled up is too small
	switch {
	case p.idle() && enough:
		p.buf, p.pos = p.buf[:0], 0
	case cap(p.buf)-len(p.buf) >= minRead:
	case p.left == 0 && p.pos >= cap(p.buf)/2 && enough:
		p.buf, p.pos = p.buf[:copy(p.buf, rest)], 0
	default:
		size := max(min(growth*cap(p.buf), largeBuffer), min(p.bulk+2+minRead, 2*len(rest)), len(rest)+minRead)
		p.buf, p.pos = append(make([]byte, 0, size), rest...), 0
	}
}

// shrink gives back a grown buffer. Nothing may be left in it.
func (p *parser) shrink() {
	if cap(p.buf) > smallBuffer {
		p.buf, p.pos = make([]byte, 0, smallBuffer), 0
	}
}
