package redis

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Why a connection is given up. go-redis makes room for whatever length a reply announces, in goroutines of its own too,
// and does not look at the end of a value; a broken length would end the process or shift the replies.
var (
	errReplyLength = errors.New("redis: reply announces an impossible length")
	errReplyDepth  = errors.New("redis: reply is nested too deeply")
	errReplyEnd    = errors.New("redis: value does not end where it should")
)

const (
	maxElements = 1 << 22 // of an array
	maxDepth    = 32      // of arrays in arrays
)

// guard returns conn with its replies checked before the client sees them.
func guard(conn net.Conn, maxValue int64) net.Conn {
	g := &guardedConn{Conn: conn, replies: replies{max: maxValue}}
	if raw, ok := conn.(syscall.Conn); ok {
		return &guardedSocket{guardedConn: g, raw: raw}
	}
	return g
}

// guardedConn checks what it reads. Like every net.Conn it may be read by one goroutine at a time only.
type guardedConn struct {
	net.Conn
	replies replies
}

// Read returns nothing of a chunk that can't be right.
func (g *guardedConn) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if bad := g.replies.check(p[:n]); bad != nil {
		_ = g.Close()
		return 0, bad
	}
	return n, err
}

// guardedSocket lets the client's pool look whether an idle connection is still good.
type guardedSocket struct {
	*guardedConn
	raw syscall.Conn
}

func (g *guardedSocket) SyscallConn() (syscall.RawConn, error) { return g.raw.SyscallConn() }

// replies follows the framing of RESP2 and RESP3 replies through a stream, without keeping any of it.
type replies struct {
	max int64 // bytes of a value

	kind   byte    // first byte of the line being read, 0 between lines
	number int64   // the line's number, where the kind has one
	minus  bool    // the number is negative
	digits int     // how many digits the number has
	ended  bool    // the line's CR was read
	value  int64   // bytes of a value still to come, its CRLF included
	open   []int64 // elements still to come of the arrays around
}

// check reads the next bytes of the stream.
func (r *replies) check(b []byte) error {
	for len(b) > 0 {
		if r.value > 0 {
			n, err := r.inValue(b)
			if err != nil {
				return err
			}
			b = b[n:]
			continue
		}
		if err := r.inLine(b[0]); err != nil {
			return err
		}
		b = b[1:]
	}
	return nil
}

// inValue skips bytes of a value and demands the CRLF behind it.
func (r *replies) inValue(b []byte) (int, error) {
	if r.value > 2 {
		n := min(int64(len(b)), r.value-2)
		r.value -= n
		return int(n), nil
	}
	if r.value == 2 && b[0] != '\r' || r.value == 1 && b[0] != '\n' {
		return 0, errReplyEnd
	}
	if r.value--; r.value == 0 {
		r.element()
	}
	return 1, nil
}

func (r *replies) inLine(c byte) error {
	switch {
	case r.kind == 0:
		r.kind, r.number, r.minus, r.digits, r.ended = c, 0, false, 0, false
		return nil
	case c == '\n' && (r.ended || !r.counts()):
		return r.line()
	case !r.counts():
		return nil
	case c == '\r' && !r.ended:
		r.ended = true
		return nil
	case c == '-' && r.digits == 0 && !r.minus:
		r.minus = true
		return nil
	}
	r.digits++
	if c < '0' || c > '9' || r.ended || r.digits > 18 {
		return fmt.Errorf("%w: %q in the header of a %q", errReplyLength, c, r.kind)
	}
	r.number = r.number*10 + int64(c-'0')
	return nil
}

// counts reports whether the line's number says how much follows.
func (r *replies) counts() bool {
	switch r.kind {
	case '$', '=', '!', '*', '~', '>', '%', '|':
		return true
	}
	return false
}

// line ends a line.
func (r *replies) line() error {
	kind := r.kind
	r.kind = 0
	switch kind {
	case '$', '=', '!':
		return r.begin(r.max, 2, &r.value)
	case '*', '~', '>', '%', '|':
		return r.array(kind)
	default:
		r.element()
		return nil
	}
}

// begin checks the line's number and stores it, with extra added, in n. A null is an element of its own.
func (r *replies) begin(limit, extra int64, n *int64) error {
	switch {
	case r.digits == 0 || r.number > limit || r.minus && r.number != 1:
		return fmt.Errorf("%w: %d", errReplyLength, r.number)
	case r.minus:
		r.element()
	default:
		*n = r.number + extra
	}
	return nil
}

func (r *replies) array(kind byte) error {
	n := int64(-1)
	if err := r.begin(maxElements, 0, &n); err != nil || n < 0 {
		return err
	}
	if kind == '%' || kind == '|' {
		n *= 2
	}
	if kind == '|' && len(r.open) > 0 {
		r.open[len(r.open)-1]++ // attributes stand before an element and are none
	}
	if n == 0 {
		r.element()
		return nil
	}
	if len(r.open) == maxDepth {
		return errReplyDepth
	}
	r.open = append(r.open, n)
	return nil
}

// element counts a finished element, and the arrays that it finishes.
func (r *replies) element() {
	for i := len(r.open) - 1; i >= 0; i-- {
		if r.open[i]--; r.open[i] > 0 {
			return
		}
		r.open = r.open[:i]
	}
}
