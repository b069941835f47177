package trace

import "bytes"

const squidLine = `a line of squid's access.log: "seconds.milliseconds elapsed client RESULT/status bytes METHOD url ident peer type"`

// squid reads the native format of squid's access.log. As with access logs, answers that no cache could have given are passed
// over.
func squid(line []byte, r *record) error {
	if len(line) == 0 {
		return errSkip
	}
	stamp, rest := cutField(line)
	elapsed, rest := cutField(rest)
	_, rest = cutField(rest) // client
	result, rest := cutField(rest)
	size, rest := cutField(rest)
	method, rest := cutField(rest)
	target, rest := cutField(rest)
	_, rest = cutField(rest) // ident
	word, status, both := bytes.Cut(result, []byte("/"))
	if _, err := parseTime(elapsed); err != nil || !both || len(rest) == 0 || bytes.IndexByte(stamp, '.') < 0 {
		return bad(squidLine, line)
	}
	var err error
	if r.time, err = parseTime(stamp); err != nil {
		return bad(squidLine, line)
	}
	r.served = squidServed(word)
	return answer(r, method, target, status, size, line)
}

// squidServed reads result codes such as TCP_MEM_HIT: https://wiki.squid-cache.org/SquidFaq/SquidLogs.
func squidServed(word []byte) served {
	switch {
	case bytes.Contains(word, []byte("HIT")), bytes.Contains(word, []byte("REFRESH_UNMODIFIED")):
		return servedHit
	case bytes.Contains(word, []byte("MISS")), bytes.Contains(word, []byte("REFRESH_MODIFIED")):
		return servedMiss
	default:
		return servedUnknown
	}
}

func openSquid(_ *input, o *Options) (decoder, columns, error) {
	return getsUnless(o.Ops, squid), columns{size: true, time: true, op: true}, nil
}
