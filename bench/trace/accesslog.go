package trace

import (
	"bytes"
	"time"
)

const (
	accessLogLine = `a line of an access log: host ident user [time] "METHOD target HTTP/1.1" status bytes`
	clfTime       = "02/Jan/2006:15:04:05 -0700"
)

// accessLog reads the common and the combined log format of Apache and nginx. Answers that no cache could have given, with
// another status than 200 or without a body, are passed over.
func accessLog(line []byte, r *record) error {
	if len(line) == 0 {
		return errSkip
	}
	_, rest, dated := bytes.Cut(line, []byte("["))
	stamp, rest, closed := bytes.Cut(rest, []byte("] \""))
	at, err := time.Parse(clfTime, string(stamp))
	if !dated || !closed || err != nil {
		return bad(accessLogLine, line)
	}
	request, rest, quoted := cutQuoted(rest)
	status, rest := cutField(bytes.TrimLeft(rest, " "))
	size, _ := cutField(rest)
	code, numbered := parseUint(status)
	if !quoted || !numbered || len(size) == 0 {
		return bad(accessLogLine, line)
	}
	if code != 200 || len(size) == 1 && (size[0] == '-' || size[0] == '0') {
		return errSkip
	}
	if r.size, err = parseSize(size); err != nil {
		return err
	}
	method, rest := cutField(request)
	target, _ := cutField(rest)
	r.op, r.key, r.time = parseOp(method), textKey(target), at.Unix()
	return nil
}

// cutQuoted returns what comes before the next quote that no backslash protects, and what comes behind it.
func cutQuoted(b []byte) (quoted, rest []byte, ok bool) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[:i], b[i+1:], true
		}
	}
	return nil, nil, false
}

// openAccessLog takes what is asked for with GET unless other operations are wanted.
func openAccessLog(_ *input, o *Options) (decoder, columns, error) {
	read := lineFunc(accessLog)
	if o.Ops == "" {
		read = func(line []byte, r *record) error {
			err := accessLog(line, r)
			if err == nil && r.op != OpGet {
				err = errSkip
			}
			return err
		}
	}
	return read, columns{size: true, time: true, op: true}, nil
}
