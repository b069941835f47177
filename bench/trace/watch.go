package trace

import (
	"bytes"
	"errors"
)

const watchedLine = `a line of memcached's "watch fetchers mutations": "ts=... gid=... type=item_get key=..."`

// watched reads a line of memcached's log: a get with what it found, or a store. Other lines, such as those of evictions, are
// passed over. Sizes are those of key and value; that of a get that found nothing is not known.
//
// https://github.com/memcached/memcached/wiki/Commands#watchers
func watched(line []byte, r *record) error {
	_, err := watchedFields(line, r)
	return err
}

// watchedEvent is what tells a get that a client asked for from one that a store makes.
type watchedEvent struct {
	store           bool
	key, connection []byte
}

func watchedFields(line []byte, r *record) (e watchedEvent, err error) {
	if len(line) == 0 || string(line) == "OK" {
		return e, errSkip
	}
	stamp, ok := bytes.CutPrefix(line, []byte("ts="))
	stamp, rest := cutField(stamp)
	if !ok || len(rest) == 0 {
		return e, bad(watchedLine, line)
	}
	if r.time, err = parseTime(stamp); err != nil {
		return e, bad(watchedLine, line)
	}
	var kind, status, size, command []byte
	for len(rest) > 0 {
		var field []byte
		field, rest = cutField(rest)
		name, value, _ := bytes.Cut(field, []byte("="))
		switch string(name) {
		case "type":
			kind = value
		case "key":
			e.key = value
		case "status":
			status = value
		case "cmd":
			command = value
		case "size":
			size = value
		case "cfd":
			e.connection = value
		case "ttl":
			if r.ttl, err = parseTTL(value); err != nil {
				return e, err
			}
		}
	}
	e.store = string(kind) == "item_store"
	return e, watchedRecord(r, kind, status, size, command, e.key, line)
}

func watchedRecord(r *record, kind, status, size, command, key, line []byte) (err error) {
	switch string(kind) {
	case "item_get":
		r.op, r.served = OpGet, servedMiss
		if string(status) == "found" {
			r.served = servedHit
		}
	case "item_store":
		r.op = OpSet
	case "deleted":
		if r.op = OpDelete; len(command) == 0 {
			return bad(watchedLine, line)
		}
	case "":
		return bad(watchedLine, line)
	default:
		return errSkip
	}
	if len(key) == 0 {
		return bad("a key (key=...)", line)
	}
	r.setKey(key)
	if r.served == servedMiss || len(size) == 0 {
		return nil
	}
	if r.size, err = parseSize(size); err == nil {
		r.size += uint32(len(key))
	}
	return err
}

// watchedDecoder leaves out the gets that memcached logs when a store looks whether the key is there: those right before a
// store of the same key by the same connection.
type watchedDecoder struct{ key, connection []byte } // of the last get

func (d *watchedDecoder) next(in *input, r *record) error {
	line, err := in.nextLine()
	if err != nil {
		return err
	}
	r.reset()
	e, err := watchedFields(line, r)
	switch {
	case errors.Is(err, errSkip):
		return err
	case err != nil:
		return in.located(err)
	case r.op != OpGet:
		return nil
	}
	d.key, d.connection = append(d.key[:0], e.key...), append(d.connection[:0], e.connection...)
	r.name = d.key // peeking moves the line
	var then record
	after, err := watchedFields(in.peekLine(), &then)
	if err == nil && after.store && bytes.Equal(after.key, d.key) && bytes.Equal(after.connection, d.connection) {
		return errSkip
	}
	return nil
}

func openWatched(*input, *Options) (decoder, columns, error) {
	return new(watchedDecoder), columns{size: true, time: true, op: true, ttl: true, late: true}, nil
}
