package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/backends/internal/keyscan"
	"github.com/edgecache/edgecache/core"
)

// FuzzFile opens a database whose bytes from some place on were overwritten: no value is wrong, and the cache works.
func FuzzFile(f *testing.F) {
	f.Add(0, []byte{0})
	f.Add(68, []byte("abcd"))
	f.Add(100, []byte{0x0a, 0, 0})
	f.Add(pageSize, []byte("\x0d\x00\x00\x00\x0a"))
	f.Add(3*pageSize-40, []byte{0xff, 0xff, 0xff})
	whole := []byte(nil)
	f.Fuzz(func(t *testing.T, at int, with []byte) {
		const n = 40
		if whole == nil {
			whole = filled(t, n)
		}
		data := append([]byte(nil), whole...)
		copy(data[uint(at)%uint(len(data)):], with)
		path := filepath.Join(t.TempDir(), "cache.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := New(Options{Path: path})
		if err != nil {
			if !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("New = %v", err)
			}
			return
		}
		wantNothingWrong(t, b, n)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzLike compares the patterns with regular expressions.
func FuzzLike(f *testing.F) {
	f.Add("a%b_", "a*b?")
	f.Add(`\%[x]\\%*`, `%[x]\y*`)
	f.Fuzz(func(t *testing.T, pattern, key string) {
		if len(pattern) > 40 || len(key) > 100 || strings.ContainsFunc(pattern+key, func(r rune) bool { return r > 0x7e }) {
			return
		}
		var re strings.Builder
		re.WriteString(`(?s)\A`)
		for i := 0; i < len(pattern); i++ {
			switch c := pattern[i]; {
			case c == '%':
				re.WriteString(".*")
			case c == '_':
				re.WriteString(".")
			case c == '\\' && i+1 < len(pattern):
				i++
				re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
			default:
				re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
			}
		}
		want := regexp.MustCompile(re.String() + `\z`).MatchString(key)
		prefix, match := glob(pattern)
		rest, got := strings.CutPrefix(key, prefix)
		if match == "" {
			got = got && rest == ""
		} else {
			got = got && keyscan.Match(match, rest)
		}
		if got != want {
			t.Errorf("glob(%q) = %q, %q, which matches %q: %v, want %v", pattern, prefix, match, key, got, want)
		}
	})
}
