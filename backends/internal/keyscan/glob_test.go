package keyscan

import (
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "", true},
		{"*", "anything\n\x00", true},
		{"a*", "a", true},
		{"*a", "ba", true},
		{"*a", "ab", false},
		{"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXbXbX", false},
		{"h?llo", "hello", true},
		{"h?llo", "hllo", false},
		{"?", "é", false},
		{"h[ae]llo", "hallo", true},
		{"h[ae]llo", "hillo", false},
		{"h[^e]llo", "hallo", true},
		{"h[^e]llo", "hello", false},
		{"h[a-b]llo", "hbllo", true},
		{"h[b-a]llo", "hallo", true},
		{"[a-c-e]", "-", true},
		{"[a-]", "-", false},
		{"[a-]", "^", true},
		{"[-a]", "-", true},
		{"[]", "]", false},
		{"[^]", "x", true},
		{"[\\]]", "]", true},
		{"[\\^a]", "^", true},
		{"[a", "a", true},
		{"[a", "b", false},
		{"[", "x", false},
		{"[^", "x", true},
		{"\\*", "*", true},
		{"\\*", "x", false},
		{"\\", "\\", true},
		{"a\\", "a\\", true},
		{"\\\\", "\\", true},
		{"*[0-9]*", "abc5", true},
		{"*[0-9]*", "abc", false},
		{"a]", "a]", true},
	} {
		if got := Match(c.pattern, c.s); got != c.want {
			t.Errorf("Match(%q, %q) = %v, want %v", c.pattern, c.s, got, c.want)
		}
	}
}

func TestMatchIsBounded(t *testing.T) {
	long := strings.Repeat("a", 64<<10)
	begin := time.Now()
	for _, pattern := range []string{
		strings.Repeat("*a", 30<<10) + "b", "*" + strings.Repeat("a", 32<<10) + "b", "*[" + long + "]b", strings.Repeat("*?", 30<<10) + "b",
	} {
		if Match(pattern, long) {
			t.Errorf("Match(%.10q...) = true", pattern)
		}
	}
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("hostile patterns took %v", d)
	}
}

// matchSlowly is Match by its definition: try everything.
func matchSlowly(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return matchSlowly(pattern[1:], s) || s != "" && matchSlowly(pattern, s[1:])
	case s == "":
		return false
	case pattern[0] == '?':
		return matchSlowly(pattern[1:], s[1:])
	case pattern[0] == '[':
		set, rest := classSlowly(pattern[1:])
		return set[s[0]] && matchSlowly(rest, s[1:])
	case pattern[0] == '\\' && len(pattern) > 1:
		pattern = pattern[1:]
	}
	return pattern[0] == s[0] && matchSlowly(pattern[1:], s[1:])
}

// classSlowly returns the bytes in the class that p begins with, without its bracket, and the pattern after it.
func classSlowly(p string) (set [256]bool, rest string) {
	p, not := strings.CutPrefix(p, "^")
	for p != "" && p[0] != ']' {
		switch {
		case p[0] == '\\' && len(p) > 1:
			set[p[1]] = true
			p = p[2:]
		case len(p) > 2 && p[1] == '-':
			for c := range set {
				if byte(c) >= p[0] && byte(c) <= p[2] || byte(c) >= p[2] && byte(c) <= p[0] {
					set[c] = true
				}
			}
			p = p[3:]
		default:
			set[p[0]] = true
			p = p[1:]
		}
	}
	if not {
		for c := range set {
			set[c] = !set[c]
		}
	}
	return set, strings.TrimPrefix(p, "]")
}

func FuzzMatch(f *testing.F) {
	for _, p := range []string{"*", "a*b?c", "[a-z]*[^0-9]", "\\[x\\]", "[", "[^", "[a-", "*?*[b-a]\\", "**a**b"} {
		f.Add(p, "abc")
		f.Add(p, "axbyc]")
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(s) > 24 || strings.Count(pattern, "*") > 4 {
			t.Skip("too slow for the oracle")
		}
		if got, want := Match(pattern, s), matchSlowly(pattern, s); got != want {
			t.Errorf("Match(%q, %q) = %v, want %v", pattern, s, got, want)
		}
	})
}
