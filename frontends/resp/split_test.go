package resp

import (
	"slices"
	"strings"
	"testing"
)

// naiveSplit is Redis's own algorithm, state by state.
func naiveSplit(line string) (words []string, ok bool) {
	at := func(i int) byte {
		if i < len(line) {
			return line[i]
		}
		return 0
	}
	for p := 0; ; {
		for p < len(line) && strings.ContainsRune(" \t\n\v\f\r", rune(line[p])) {
			p++
		}
		if p >= len(line) {
			return words, true
		}
		var current []byte
		inDouble, inSingle, done := false, false, false
		for ; !done; p++ {
			end := p >= len(line)
			switch c := at(p); {
			case (inDouble || inSingle) && end:
				return words, false
			case inDouble && c == '\\' && at(p+1) == 'x' && isHex(at(p+2)) && isHex(at(p+3)):
				current = append(current, hexValue(at(p+2))*16+hexValue(at(p+3)))
				p += 3
			case inDouble && c == '\\' && p+1 < len(line):
				p++
				current = append(current, unescape(at(p)))
			case inSingle && c == '\\' && at(p+1) == '\'':
				p++
				current = append(current, '\'')
			case inDouble && c == '"', inSingle && c == '\'':
				if p+1 < len(line) && !isSpace(at(p+1)) {
					return words, false
				}
				done = true
			case inDouble || inSingle:
				current = append(current, c)
			case end || c == ' ' || c == '\n' || c == '\r' || c == '\t':
				done = true
			case c == '"':
				inDouble = true
			case c == '\'':
				inSingle = true
			default:
				current = append(current, c)
			}
		}
		words = append(words, string(current))
	}
}

func split(line string) (words []string, ok bool) {
	b := []byte(line)
	split, ok := splitWords(nil, b)
	for _, w := range split {
		words = append(words, string(w))
	}
	if string(b) != line {
		panic("splitWords has changed the line")
	}
	return words, ok
}

func TestSplitWords(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []string
		ok   bool
	}{
		{"", nil, true},
		{"  \t ", nil, true},
		{"get a", []string{"get", "a"}, true},
		{`set a "b c"`, []string{"set", "a", "b c"}, true},
		{`"\x41\n\"\\\q\x4"`, []string{"A\n\"\\qx4"}, true},
		{`'it\'s' '\n'`, []string{"it's", `\n`}, true},
		{`a"b c"`, []string{"ab c"}, true},
		{`""`, []string{""}, true},
		{`"a`, nil, false},
		{`'a`, nil, false},
		{`"a"b`, nil, false},
		{`"a\`, nil, false},
	} {
		got, ok := split(tt.line)
		if ok != tt.ok || ok && !slices.Equal(got, tt.want) {
			t.Errorf("splitWords(%q) = %q, %v, want %q, %v", tt.line, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{`a "b\x41" 'c\'d'`, `"a"b`, "a\vb \v", `a"b"c`, "\x00 \"\x00\"", `'`, `"\`, `\x41`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		want, wantOK := naiveSplit(line)
		got, ok := split(line)
		if ok != wantOK || ok && !slices.Equal(got, want) {
			t.Fatalf("splitWords(%q) = %q, %v, want %q, %v", line, got, ok, want, wantOK)
		}
	})
}
