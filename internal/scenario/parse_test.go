package scenario

import (
	"bufio"
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSyntaxErrorsNameTheLine(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"OK", `s:1: "OK" is nothing that a scenario has`},
		{"\n\n> GET \"a", "s:3: unbalanced quotes"},
		{">   # nothing", "s:1: a command is missing"},
		{"> GET a\n\n~ [", "s:3: regular expression:"},
		{"> GET a\nOK\nconfig", "s:3: config: one line of JSON belongs here: EOF"},
		{`config {"a":1} {}`, `s:1: "{}" follows the JSON`},
		{"grant log fs", `s:1: grant: "fs" is no capability`},
		{"stored", "s:1: stored: a key is missing"},
		{"stored a", "s:1: stored: the value is missing"},
		{"length a x", `s:1: length: "x" is no number`},
		{"ttl a", `s:1: ttl: "" is no number`},
		{"ttl a 5..", `s:1: ttl: "5.." is no number`},
		{"stats", "s:1: stats: a name is missing"},
		{"metric m <", `s:1: metric: "<" is no number`},
		{"log", "s:1: a text is missing"},
		{"refused {}", `s:1: refused: "config" and`},
		{"refused config {}", "s:1: refused: a text is missing"},
	} {
		_, err := Parse("s", []byte(tt.text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("Parse(%q) = %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestComments(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"# all of it", ""},
		{"  # all of it", ""},
		{"> GET a  # a comment", "> GET a"},
		{"> GET a\t# a comment", "> GET a"},
		{"> GET a #1", "> GET a #1"},
		{`"x  # y"`, `"x  # y"`},
		{`"x\"  # y"  # z`, `"x\"  # y"`},
		{"~ a#b", "~ a#b"},
	} {
		if got := strings.TrimRight(cutComment(tt.line), " "); got != tt.want {
			t.Errorf("cutComment(%q) = %q, want %q", tt.line, got, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		text  string
		has   []float64
		lacks []float64
	}{
		{"5", []float64{5}, []float64{4.9, 6}},
		{"-1", []float64{-1}, []float64{1}},
		{"55..60", []float64{55, 57.5, 60}, []float64{54, 60.1}},
		{"<300", []float64{0, 299.5}, []float64{300}},
		{"<=300", []float64{300}, []float64{301}},
		{">0", []float64{0.1}, []float64{0}},
		{">=0", []float64{0}, []float64{-1}},
	} {
		n, err := parseNumbers(tt.text)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
		}
		if !slices.ContainsFunc(tt.has, n.has) || slices.ContainsFunc(tt.lacks, n.has) {
			t.Errorf("%q = %+v: has not %v, or has some of %v", tt.text, n, tt.has, tt.lacks)
		}
	}
}

func TestRepliesAsRedisCLIPrintsThem(t *testing.T) {
	for _, tt := range []struct{ wire, want string }{
		{"+OK\r\n", "OK"},
		{"-ERR no\r\n", "(error) ERR no"},
		{":-3\r\n", "(integer) -3"},
		{"$-1\r\n", "(nil)"},
		{"$0\r\n\r\n", `""`},
		{"$8\r\na\"\\\n\x00\xff\t\a\r\n", `"a\"\\\n\x00\xff\t\a"`},
		{"*0\r\n", "(empty array)"},
		{"*-1\r\n", "(nil)"},
		{"*2\r\n$1\r\na\r\n:1\r\n", "1) \"a\"\n2) (integer) 1"},
		{"*2\r\n*2\r\n+a\r\n+b\r\n*0\r\n", "1) 1) a\n   2) b\n2) (empty array)"},
		{"*10\r\n" + strings.Repeat("+x\r\n", 10), " 1) x\n 2) x\n 3) x\n 4) x\n 5) x\n 6) x\n 7) x\n 8) x\n 9) x\n10) x"},
	} {
		lines, err := readReply(bufio.NewReader(strings.NewReader(tt.wire)))
		if got := strings.Join(lines, "\n"); err != nil || got != tt.want {
			t.Errorf("readReply(%q) = %q, %v, want %q", tt.wire, got, err, tt.want)
		}
	}
}

func TestBadReplies(t *testing.T) {
	for _, tt := range []struct{ wire, want string }{
		{"", "EOF"},
		{"+OK", "EOF"},
		{"+OK\n", "CR LF"},
		{"\r\n", "CR LF"},
		{"%1\r\n", "scenarios speak RESP2"},
		{"$x\r\n", "size"},
		{"$-2\r\n", "size"},
		{"$999999999999\r\n", "size"},
		{"$1\r\nabc", "CR LF"},
		{"*2\r\n+a\r\n", "EOF"},
		{strings.Repeat("*1\r\n", 20) + "+a\r\n", "more than 16 arrays"},
	} {
		if _, err := readReply(bufio.NewReader(strings.NewReader(tt.wire))); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("readReply(%q) = %v, want %q", tt.wire, err, tt.want)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, wire := range []string{"+OK\r\n", "-ERR\r\n", ":1\r\n", "$3\r\nabc\r\n", "*2\r\n*1\r\n:1\r\n$-1\r\n", "*-1\r\n"} {
		f.Add([]byte(wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		lines, err := readReply(bufio.NewReader(bytes.NewReader(wire)))
		if err == nil && (len(lines) == 0 || slices.ContainsFunc(lines, func(l string) bool { return len(l) == 0 }) && wire[0] != '+') {
			t.Errorf("readReply(%q) = %q", wire, lines)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("config {\"a\":1}  # x\n> SET \"a b\" c\nOK\nstored a \"c\"\nttl a -1\nlog ~ x\n"))
	f.Add([]byte("grant value kv\nrefused config {} ~ x\nlength a|b <3\nstats a 1..2\nmetric b >0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("s", text)
		if err == nil && s == nil {
			t.Error("neither a scenario nor an error")
		}
	})
}
