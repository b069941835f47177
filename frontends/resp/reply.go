package resp

import (
	"strconv"
	"strings"
)

// reply collects replies in the connection's protocol. Its methods append; nothing is written before the connection
// flushes.
type reply struct {
	out []byte
	v3  bool // RESP3
	// limit bounds out; over says that a reply went beyond it and was cut off. The connection can't go on then.
	limit int
	over  bool
}

// simple appends a status.
func (r *reply) simple(s string) {
	r.out = append(append(append(r.out, '+'), s...), '\r', '\n')
}

func (r *reply) ok() { r.out = append(r.out, "+OK\r\n"...) }

var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

// fail appends an error: its code, a space and a text, on one line.
func (r *reply) fail(s string) {
	r.out = append(append(append(r.out, '-'), lineBreaks.Replace(strings.TrimRight(s, "\r\n"))...), '\r', '\n')
}

// err appends an error with the common code ERR.
func (r *reply) err(s string) { r.fail("ERR " + s) }

// int appends an integer.
func (r *reply) int(n int64) {
	if 0 <= n && n <= 9 {
		r.out = append(r.out, ':', byte('0'+n), '\r', '\n')
		return
	}
	r.header(':', n)
}

func (r *reply) bool(b bool) {
	if b {
		r.int(1)
	} else {
		r.int(0)
	}
}

func (r *reply) header(kind byte, n int64) {
	r.out = append(strconv.AppendInt(append(r.out, kind), n, 10), '\r', '\n')
}

// size appends the header of what is n long.
func (r *reply) size(kind byte, n int) {
	if n <= 9 {
		r.out = append(r.out, kind, byte('0'+n), '\r', '\n')
		return
	}
	r.header(kind, int64(n))
}

// bulk appends a string of any bytes.
func (r *reply) bulk(b []byte) { r.text(view(b)) }

// text appends a string of any bytes.
func (r *reply) text(s string) {
	if len(s) > r.limit-len(r.out) {
		r.over = true
		return
	}
	r.size('$', len(s))
	r.out = append(append(r.out, s...), '\r', '\n')
}

// verbatim appends a text for people.
func (r *reply) verbatim(s string) {
	if !r.v3 {
		r.text(s)
		return
	}
	r.size('=', len(s)+4)
	r.out = append(append(append(r.out, "txt:"...), s...), '\r', '\n')
}

// null appends what stands for an absent value.
func (r *reply) null() {
	if r.v3 {
		r.out = append(r.out, "_\r\n"...)
	} else {
		r.out = append(r.out, "$-1\r\n"...)
	}
}

// array begins an array of n replies.
func (r *reply) array(n int) { r.size('*', n) }

// dict begins a map of n pairs.
func (r *reply) dict(n int) {
	if r.v3 {
		r.size('%', n)
	} else {
		r.size('*', 2*n)
	}
}

// set begins a set of n replies.
func (r *reply) set(n int) {
	if r.v3 {
		r.size('~', n)
	} else {
		r.size('*', n)
	}
}

// statuses appends a set of statuses.
func (r *reply) statuses(words []string) {
	r.set(len(words))
	for _, w := range words {
		r.simple(w)
	}
}

// texts appends an array of strings.
func (r *reply) texts(words []string) {
	r.array(len(words))
	for _, w := range words {
		r.text(w)
	}
}
