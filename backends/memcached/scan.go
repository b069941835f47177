package memcached

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Scan lists all keys of all servers once for each 32,768 that it finds, with memcached's lru_crawler. Keys of equal hash
// come together, so that a page may be longer than count.
func (b *Backend) Scan(ctx context.Context, cursor uint64, prefix, match string, count int) ([]string, uint64, error) {
	if b.isClosed() {
		return nil, 0, core.ErrClosed
	}
	return b.scans.Page(ctx, b.keys(ctx, prefix), cursor, prefix, match, count)
}

// keys walks the keys of all servers that may begin with prefix.
func (b *Backend) keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, s := range b.servers.servers {
			if !b.keysOf(ctx, s, prefix, yield) {
				return
			}
		}
	}
}

// keysOf walks the keys of one server. The list alone does not tell the whole key where its hash is stored, nor whether
// an envelope ends within the second: such values are read afterwards.
func (b *Backend) keysOf(ctx context.Context, s *server, prefix string, yield func(string, error) bool) bool {
	var unsure []string
	more := true
	err := b.list(ctx, s, func(l listed) bool {
		key, hashed, ok := loadKey(l.stored)
		switch {
		case !ok || b.servers.pick(l.stored) != s: // not ours, or left over from another list of servers
		case hashed && mayBegin(key, prefix), !hashed && strings.HasPrefix(key, prefix) && l.endsSoon(time.Now()):
			unsure = append(unsure, l.stored)
		case !hashed:
			more = yield(key, nil)
		}
		return more
	})
	if err == nil && more {
		err = b.readKeys(ctx, s, unsure, func(key string) bool {
			more = yield(key, nil)
			return more
		})
	}
	if err != nil {
		yield("", err)
		return false
	}
	return more
}

// chunk is how many keys are sent in one request while all keys are walked.
const chunk = 256

// readKeys reads the values of stored keys and calls each with the keys of those that are there.
func (b *Backend) readKeys(ctx context.Context, s *server, stored []string, each func(key string) bool) error {
	for len(stored) > 0 {
		part := stored[:min(chunk, len(stored))]
		stored = stored[len(part):]
		var request []byte
		for _, k := range part {
			request = appendGet(request, k)
		}
		var keys []string
		err := b.do(ctx, "get", s, len(part), func(ctx context.Context) error {
			return s.exchange(ctx, request, len(part), true, func(i int, r *reply) error {
				hit, err := r.answers(part[i])
				if key, ok := b.nameOf(part[i], r); hit && ok {
					keys = append(keys, key)
				}
				return err
			})
		})
		if err != nil {
			return err
		}
		for _, key := range keys {
			if !each(key) {
				return nil
			}
		}
	}
	return nil
}

// nameOf returns the key of a value that was read, or false if it is none of ours or has ended.
func (b *Backend) nameOf(stored string, r *reply) (string, bool) {
	key, hashed, _ := loadKey(stored)
	if hashed {
		name, _, ok := cutName(r.value)
		if key = string(name); !ok {
			return "", false
		}
		if again, _ := storeKey(key); again != stored {
			return "", false
		}
	}
	_, _, err := b.entry(key, hashed, r, time.Now())
	return key, err == nil
}

// Clear removes every key that begins with prefix, wherever it lies: it lists all keys and deletes those. With
// Options.Owned, all keys are one flush_all.
func (b *Backend) Clear(ctx context.Context, prefix string) error {
	if b.isClosed() {
		return core.ErrClosed
	}
	if prefix == "" && b.opts.Owned {
		return b.write(ctx, "flush_all", b.servers.servers[0], b.plain.FlushAll)
	}
	for _, s := range b.servers.servers {
		if err := b.clearServer(ctx, s, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) clearServer(ctx context.Context, s *server, prefix string) error {
	var doomed, unsure []string
	err := b.list(ctx, s, func(l listed) bool {
		key, hashed, ok := loadKey(l.stored)
		switch {
		case prefix == "" || ok && !hashed && strings.HasPrefix(key, prefix):
			doomed = append(doomed, l.stored)
		case ok && hashed && mayBegin(key, prefix):
			unsure = append(unsure, l.stored)
		}
		return true
	})
	if err != nil {
		return err
	}
	err = b.readKeys(ctx, s, unsure, func(key string) bool {
		if strings.HasPrefix(key, prefix) {
			stored, _ := storeKey(key)
			doomed = append(doomed, stored)
		}
		return true
	})
	for len(doomed) > 0 && err == nil {
		part := doomed[:min(chunk, len(doomed))]
		doomed = doomed[len(part):]
		err = b.deleteStored(ctx, s, part)
	}
	return err
}

func (b *Backend) deleteStored(ctx context.Context, s *server, stored []string) error {
	var request []byte
	for _, k := range stored {
		request = appendDelete(request, k, "")
	}
	return b.do(ctx, "delete", s, len(stored), func(ctx context.Context) error {
		return s.exchange(ctx, request, len(stored), true, func(_ int, r *reply) error { return r.want("HD", "NF") })
	})
}

// listed is a key as lru_crawler lists it.
type listed struct {
	stored  string
	expires int64 // unix seconds by the server's clock, -1 is never
}

// endsSoon reports whether the item may hold an envelope that has ended or is about to.
func (l *listed) endsSoon(now time.Time) bool { return l.expires >= 0 && l.expires <= now.Unix()+3 }

// errBusy is returned while the server lists its keys for somebody else.
var errBusy = errors.New("memcached: lru_crawler is busy")

// patience is how long a call waits for lists that others get.
const patience = 10 * time.Second

// list calls each with every key of a server until it returns false. Options.Timeout bounds the pauses of the server, not
// the whole.
func (b *Backend) list(ctx context.Context, s *server, each func(listed) bool) error {
	return b.do(ctx, "lru_crawler", s, 1, func(ctx context.Context) error {
		retry := time.NewTicker(5 * time.Millisecond)
		defer retry.Stop()
		giveUp := time.NewTimer(patience)
		defer giveUp.Stop()
		for {
			err := s.list(ctx, "hash", each)
			if errors.Is(err, core.ErrUnsupported) {
				err = s.list(ctx, "all", each) // before 1.6.12
			}
			if !errors.Is(err, errBusy) {
				return err
			}
			select {
			case <-retry.C:
			case <-giveUp.C:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

// list walks the hash table ("hash") or the queues ("all") of the server. The latter misses keys that move meanwhile.
func (s *server) list(ctx context.Context, what string, each func(listed) bool) (err error) {
	dialing, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	c, err := s.acquire(dialing)
	if err != nil {
		return err
	}
	finished := false
	unbind := c.bind(ctx)
	defer func() { s.release(c, unbind() && finished && c.SetDeadline(time.Time{}) == nil) }()
	c.extend(ctx, s.opts.Timeout)
	if _, err := c.Write([]byte("lru_crawler metadump " + what + "\r\n")); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if n%chunk == 0 {
			c.extend(ctx, s.opts.Timeout)
		}
		line, err := readLine(c.reader)
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(line, []byte("key=")) {
			finished = true
			return endOfList(line)
		}
		l, err := parseListed(line)
		if err != nil {
			return err
		}
		if !each(l) {
			return nil
		}
	}
}

// extend gives the server time anew, unless ctx has ended.
func (c *conn) extend(ctx context.Context, timeout time.Duration) {
	_ = c.SetDeadline(time.Now().Add(timeout))
	if ctx.Err() != nil { // before or after bind's function ran, the deadline is past
		_ = c.SetDeadline(time.Unix(1, 0))
	}
}

// endOfList tells what a line that is no key means.
func endOfList(line []byte) error {
	switch word, _, _ := bytes.Cut(line, []byte(" ")); string(word) {
	case "END":
		return nil
	case "BUSY":
		return errBusy
	case "ERROR", "CLIENT_ERROR", "BADCLASS":
		return fmt.Errorf("memcached: %w: lru_crawler metadump: %.64q", core.ErrUnsupported, line)
	}
	return fmt.Errorf("%w: %.64q", errProtocol, line)
}

// parseListed reads a line "key=<escaped> exp=<unix seconds or -1> ...".
func parseListed(line []byte) (listed, error) {
	l := listed{expires: -1}
	for field := range strings.FieldsSeq(string(line)) {
		name, arg, _ := strings.Cut(field, "=")
		var err error
		switch name {
		case "key":
			l.stored, err = url.PathUnescape(arg)
		case "exp":
			l.expires, err = strconv.ParseInt(arg, 10, 64)
		}
		if err != nil {
			return l, fmt.Errorf("%w: %.64q", errProtocol, line)
		}
	}
	if l.stored == "" || len(l.stored) > maxStoredKey {
		return l, fmt.Errorf("%w: %.64q", errProtocol, line)
	}
	return l, nil
}
