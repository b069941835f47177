package memcached

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/edgecache/edgecache/core"
)

// Raw runs a command of the meta protocol: mg, md, ma or me with a key and flags, or ms with a key, the value and flags.
// The key is used as it is given, not as Set would store it. It returns a []string: the reply's first line and, if there
// is one, the value. Other commands are core.ErrUnsupported. The command is sent once.
func (b *Backend) Raw(ctx context.Context, args ...any) (any, error) {
	if b.isClosed() {
		return nil, core.ErrClosed
	}
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = word(arg)
	}
	if len(words) < 2 || !slices.Contains([]string{"mg", "ms", "md", "ma", "me"}, words[0]) {
		return nil, fmt.Errorf("memcached: %w: raw commands are mg, ms, md, ma and me, each with a key", core.ErrUnsupported)
	}
	request, err := rawRequest(words)
	if err != nil {
		return nil, err
	}
	var lines []string
	s := b.servers.pick(words[1])
	err = b.do(ctx, words[0], s, 1, func(ctx context.Context) error {
		return s.exchange(ctx, request, 1, false, func(_ int, r *reply) error {
			lines = r.lines()
			return nil
		})
	})
	return lines, err
}

// word is an argument as it stands on the wire.
func word(arg any) string {
	if bytes, ok := arg.([]byte); ok {
		return string(bytes)
	}
	return fmt.Sprint(arg)
}

// rawRequest refuses words that would be several, or another command, on the wire.
func rawRequest(words []string) ([]byte, error) {
	line, value := words, ""
	if words[0] == "ms" {
		if len(words) < 3 {
			return nil, fmt.Errorf("memcached: %w: ms needs a key and a value", core.ErrUnsupported)
		}
		value = words[2] + "\r\n"
		line = append([]string{"ms", words[1], fmt.Sprint(len(words[2]))}, words[3:]...)
	}
	for _, w := range line[1:] {
		if w == "" || len(w) > maxStoredKey || strings.IndexFunc(w, unfit) >= 0 {
			return nil, fmt.Errorf("memcached: %w: %.64q on the command line", core.ErrBadKey, w)
		}
		if w[0] == 'q' && w != words[1] {
			return nil, fmt.Errorf("memcached: %w: flag q leaves commands without a reply", core.ErrUnsupported)
		}
	}
	return []byte(strings.Join(line, " ") + "\r\n" + value), nil
}

// lines is the reply as it stood on the wire.
func (r *reply) lines() []string {
	first := strings.TrimSpace(r.code + " " + r.text)
	if r.code == "VA" {
		return []string{first, string(r.value)}
	}
	return []string{first}
}
