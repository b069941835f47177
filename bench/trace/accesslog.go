package trace

import (
	"bytes"
	"slices"
	"time"
)

const (
	accessLogLine = `a line of an access log: host ident user [time] "METHOD target HTTP/1.1" status bytes`
	clfTime       = "02/Jan/2006:15:04:05 -0700"
)

// accessLog reads the common and the combined log format of Apache, nginx and varnishncsa. Answers that no cache could have
// given, with another status than 200 or without a body, are passed over.
func accessLog(line []byte, r *record) error {
	_, err := accessLogStart(line, r)
	return err
}

// accessLogStart returns what is behind the size too.
func accessLogStart(line []byte, r *record) (rest []byte, err error) {
	if len(line) == 0 {
		return nil, errSkip
	}
	_, rest, dated := bytes.Cut(line, []byte("["))
	stamp, rest, closed := bytes.Cut(rest, []byte("] \""))
	at, err := time.Parse(clfTime, string(stamp))
	if !dated || !closed || err != nil {
		return nil, bad(accessLogLine, line)
	}
	request, rest, quoted := cutQuoted(rest)
	status, rest := cutField(bytes.TrimLeft(rest, " "))
	size, rest := cutField(rest)
	if !quoted {
		return nil, bad(accessLogLine, line)
	}
	method, target := cutField(request)
	target, _ = cutField(target)
	r.time = at.Unix()
	return rest, answer(r, method, target, status, size, line)
}

// answer fills in what a log says of an answer: status is a number, and of interest where there is a body.
func answer(r *record, method, target, status, size, line []byte) (err error) {
	code, numbered := parseUint(status)
	switch {
	case !numbered || len(size) == 0:
		return bad("a status and a size behind the request", line)
	case code != 200 || len(size) == 1 && (size[0] == '-' || size[0] == '0'):
		return errSkip
	}
	if r.size, err = parseSize(size); err != nil {
		return err
	}
	r.op = parseOp(method)
	r.setKey(target)
	return nil
}

// openAccessLog takes what is asked for with GET unless other operations are wanted. It finds the field, behind those of the
// common format, that says what the cache did, such as nginx's $upstream_cache_status and varnishncsa's %{Varnish:hitmiss}x.
func openAccessLog(in *input, o *Options) (decoder, columns, error) {
	head, err := in.peek()
	if err != nil {
		return nil, columns{}, err
	}
	read := lineFunc(accessLog)
	if at := servedField(head); at >= 0 {
		read = func(line []byte, r *record) error {
			rest, err := accessLogStart(line, r)
			if err == nil {
				r.served = servedBy(fieldAt(rest, at))
			}
			return err
		}
	}
	return getsUnless(o.Ops, read), columns{size: true, time: true, op: true}, nil
}

// getsUnless passes over what is no get unless operations are named.
func getsUnless(ops string, read lineFunc) lineFunc {
	if ops != "" {
		return read
	}
	return func(line []byte, r *record) error {
		err := read(line, r)
		if err == nil && r.op != OpGet {
			err = errSkip
		}
		return err
	}
}

// servedField returns which field behind the size says what the cache did in most lines, or -1.
func servedField(head []byte) int {
	var found []int
	lines := firstLines(head)
	for _, line := range lines {
		var r record
		rest, err := accessLogStart(line, &r)
		if err != nil {
			continue
		}
		for at := 0; len(rest) > 0; at++ {
			var field []byte
			if field, rest = cutMaybeQuoted(rest); servedBy(field) != servedUnknown {
				found = append(found, at)
				break
			}
		}
	}
	if len(found) == 0 || slices.Min(found) != slices.Max(found) {
		return -1
	}
	return found[0]
}

// fieldAt returns a field by its number, counted from 0, or nothing.
func fieldAt(rest []byte, at int) (field []byte) {
	for ; at >= 0; at-- {
		field, rest = cutMaybeQuoted(rest)
	}
	return field
}

// cutMaybeQuoted is cutField where a field may be in quotes.
func cutMaybeQuoted(b []byte) (field, rest []byte) {
	if len(b) > 0 && b[0] == '"' {
		if field, rest, ok := cutQuoted(b[1:]); ok {
			return field, bytes.TrimLeft(rest, " \t")
		}
	}
	return cutField(b)
}

// servedBy reads what nginx and Varnish say of their caches: whether the answer came out of one.
func servedBy(word []byte) served {
	const longest = 16
	if len(word) == 0 || len(word) > longest {
		return servedUnknown
	}
	switch string(bytes.ToUpper(word)) {
	case "HIT", "STALE", "UPDATING", "REVALIDATED":
		return servedHit
	case "MISS", "EXPIRED", "BYPASS", "PASS", "PIPE":
		return servedMiss
	default:
		return servedUnknown
	}
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
