package redis

import (
	"errors"
	"strings"
	"testing"
)

// check feeds text in chunks of n bytes.
func check(text string, n int) error {
	r := replies{max: 100}
	for len(text) > 0 {
		chunk := text[:min(n, len(text))]
		if err := r.check([]byte(chunk)); err != nil {
			return err
		}
		text = text[len(chunk):]
	}
	if r.kind != 0 || r.value != 0 || len(r.open) != 0 {
		return errors.New("not at the end of a reply")
	}
	return nil
}

func TestRepliesAccepts(t *testing.T) {
	for _, text := range []string{
		"+OK\r\n", "-ERR no\r\n", ":-12\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "(123456789012345678901234567890\r\n",
		"$0\r\n\r\n", "$5\r\na\r\nbc\r\n", "$-1\r\n", "=5\r\ntxt:a\r\n", "!3\r\nERR\r\n",
		"*0\r\n", "*-1\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "~1\r\n+a\r\n", "%1\r\n+k\r\n*2\r\n:1\r\n_\r\n",
		">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", "|1\r\n+ttl\r\n:1\r\n$1\r\na\r\n",
		"*2\r\n|1\r\n+ttl\r\n:1\r\n$1\r\na\r\n+b\r\n",
		strings.Repeat("*1\r\n", maxDepth) + ":1\r\n",
		strings.Repeat("*2\r\n:0\r\n", maxDepth) + ":1\r\n",
	} {
		for _, n := range []int{1, 2, 3, 1 << 20} {
			if err := check(text+text, n); err != nil {
				t.Errorf("%q in chunks of %d: %v", text, n, err)
			}
		}
	}
}

func TestRepliesRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"$101\r\n":                           errReplyLength,
		"$9223372036854775807\r\n":           errReplyLength,
		"$99999999999999999999999":           errReplyLength,
		"$-2\r\n":                            errReplyLength,
		"$\r\n":                              errReplyLength,
		"$-\r\n":                             errReplyLength,
		"$?\r\n":                             errReplyLength,
		"$1a\r\n":                            errReplyLength,
		"$1\r1\n":                            errReplyLength,
		"$1\n":                               errReplyLength,
		"*4194305\r\n":                       errReplyLength,
		"*-3\r\n":                            errReplyLength,
		"$3\r\nabcXX":                        errReplyEnd,
		"$3\r\nabc\rX":                       errReplyEnd,
		strings.Repeat("*1\r\n", maxDepth+1): errReplyDepth,
		strings.Repeat("*2\r\n:0\r\n", maxDepth+1):   errReplyDepth,
		strings.Repeat("%1\r\n+k\r\n", maxDepth+1):   errReplyDepth,
		strings.Repeat("|1\r\n+k\r\n", maxDepth+1):   errReplyDepth,
		strings.Repeat(">1\r\n", 2*maxDepth) + ":1n": errReplyDepth,
	} {
		for _, n := range []int{1, 1 << 20} {
			if err := check(text, n); !errors.Is(err, want) {
				t.Errorf("%.60q in chunks of %d: %v, want %v", text, n, err, want)
			}
		}
	}
}

// FuzzReplies checks that chunks do not matter and that nothing a hostile server sends grows the state.
func FuzzReplies(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\na\r\n*1\r\n:1\r\n"), 1)
	f.Add([]byte("|1\r\n+ttl\r\n:1\r\n$1\r\na\r\n"), 2)
	f.Add([]byte("$9223372036854775807\r\n"), 3)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		whole, parts := check(string(data), max(len(data), 1)), check(string(data), max(n, 1))
		if (whole == nil) != (parts == nil) {
			t.Errorf("%q: %v at once, %v in chunks of %d", data, whole, parts, n)
		}
		r := replies{max: 100}
		if r.check(data) == nil && len(r.open) > maxDepth {
			t.Errorf("%q: depth %d", data, len(r.open))
		}
	})
}

func BenchmarkReplies(b *testing.B) {
	data := []byte("$256\r\n" + strings.Repeat("x", 256) + "\r\n")
	r := replies{max: 1 << 20}
	b.ReportAllocs()
	for b.Loop() {
		if err := r.check(data); err != nil {
			b.Fatal(err)
		}
	}
}
