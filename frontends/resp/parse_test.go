package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var testLimits = limits{args: 1000, bulk: 1 << 16, inline: 1 << 10}

// parsed is what came of some bytes: commands, and the error that ended them, "" if the rest was incomplete.
type parsed struct {
	commands [][]string
	err      string
}

func (p parsed) String() string { return fmt.Sprintf("%q then %q", p.commands, p.err) }

// naive is a parser without speed or state: the oracle.
func naive(b []byte, l limits, restricted bool) (out parsed) {
	for len(b) > 0 {
		words, rest, err := naiveCommand(b, l, restricted)
		if err != nil {
			if !errors.Is(err, errIncomplete) {
				out.err = err.Error()
			}
			return out
		}
		b = rest
		if len(words) > 0 {
			out.commands = append(out.commands, words)
		}
	}
	return out
}

func naiveCommand(b []byte, l limits, restricted bool) ([]string, []byte, error) {
	if b[0] != '*' {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return nil, nil, tooLongOr(errIncomplete, b, l, "too big inline request")
		}
		words, ok := naiveSplit(strings.TrimSuffix(string(line), "\r"))
		if !ok {
			return nil, nil, protocolError("unbalanced quotes in request")
		}
		return words, rest, nil
	}
	count, b, err := naiveHeader(b, l, "too big mbulk count string", "invalid multibulk length")
	switch {
	case err != nil:
		return nil, nil, err
	case count > int64(l.args):
		return nil, nil, protocolError("invalid multibulk length")
	case count > restrictedArgs && restricted:
		return nil, nil, protocolError("unauthenticated multibulk length")
	}
	var words []string
	for range count {
		if len(b) == 0 {
			return nil, nil, errIncomplete
		}
		kind := b[0]
		if kind != '$' {
			if i := bytes.IndexByte(b, '\r'); i < 0 || i+1 == len(b) {
				if i < 0 {
					return nil, nil, tooLongOr(errIncomplete, b, l, "too big bulk count string")
				}
				return nil, nil, errIncomplete
			}
			return nil, nil, protocolError("expected '$', got '" + string(b[:1]) + "'")
		}
		var size int64
		size, b, err = naiveHeader(b, l, "too big bulk count string", "invalid bulk length")
		switch {
		case err != nil:
			return nil, nil, err
		case size < 0 || size > int64(l.bulk):
			return nil, nil, protocolError("invalid bulk length")
		case size > restrictedBulk && restricted:
			return nil, nil, protocolError("unauthenticated bulk length")
		case int64(len(b)) < size+2:
			return nil, nil, errIncomplete
		}
		words, b = append(words, string(b[:size])), b[size+2:]
	}
	return words, b, nil
}

func naiveHeader(b []byte, l limits, tooLong, invalid string) (int64, []byte, error) {
	i := bytes.IndexByte(b, '\r')
	if i < 0 {
		return 0, nil, tooLongOr(errIncomplete, b, l, tooLong)
	}
	if i+1 == len(b) {
		return 0, nil, errIncomplete
	}
	n, err := strconv.ParseInt(string(b[1:i]), 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != string(b[1:i]) {
		return 0, nil, protocolError(invalid)
	}
	return n, b[i+2:], nil
}

func tooLongOr(err error, b []byte, l limits, text string) error {
	if len(b) > l.inline {
		return protocolError(text)
	}
	return err
}

// chunks gives a reader's bytes in pieces of a size.
type chunks struct {
	b    []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size)], c.b)
	c.b = c.b[n:]
	return n, nil
}

// parse runs the parser over b as it comes in pieces of a size.
func parse(b []byte, size int, l limits, restricted bool) (out parsed) {
	p := newParser(l)
	p.restricted = restricted
	r := &chunks{b, size}
	for {
		args, err := p.next()
		switch {
		case errors.Is(err, errIncomplete):
			if _, err := p.fill(r); err != nil {
				return out
			}
		case err != nil:
			out.err = err.Error()
			return out
		case len(args) > 0:
			var words []string
			for _, a := range args {
				words = append(words, string(a))
			}
			out.commands = append(out.commands, words)
		}
	}
}

func same(a, b parsed) bool {
	return a.err == b.err && slices.EqualFunc(a.commands, b.commands, slices.Equal)
}

var parseSeeds = []string{
	"*1\r\n$4\r\nPING\r\n", "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\nPING\r\n", "PING a 'b c' \"d\\x41\"\r\n\r\n",
	"*0\r\n*-1\r\nPING\n", "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\r\nbc\r\n", "*1\r\n$-1\r\n", "*1\r\nPING\r\n", "*x\r\n", "*1\r\n$5x\r\n",
	"*12\r\n", "*01\r\n", "*1\r\n$20000\r\n", "*1\r\n$65537\r\n", "GET \"a\r\n", "*1\r\n$10000000000000000000\r\n", "*1\r\r$1\r\ra\r\r",
	strings.Repeat("x", 1100), "*" + strings.Repeat("1", 1100), "*1\r\n$" + strings.Repeat("1", 1100), "*1\r\n" + strings.Repeat("x", 1100),
	"*2\r\n$3\r\nGET\r\n$2000\r\n" + strings.Repeat("v", 2000) + "\r\nPING\r\n", strings.Repeat("*1\r\n$4\r\nPING\r\n", 100),
	"*100\r\n" + strings.Repeat("$1\r\na\r\n", 100) + "*1\r\n$4\r\nPING\r\n",
}

// FuzzParse compares the parser with the oracle, whatever pieces the bytes come in.
func FuzzParse(f *testing.F) {
	for _, s := range parseSeeds {
		f.Add([]byte(s), uint16(1), false)
		f.Add([]byte(s), uint16(7), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint16, restricted bool) {
		want := naive(b, testLimits, restricted)
		for _, n := range []int{int(size)%4096 + 1, 1, 1 << 20} {
			// The oracle sees all at once. A header without an end is found too long only once it is too long, however.
			if got := parse(b, n, testLimits, restricted); !same(got, want) && !endless(b) {
				t.Fatalf("in pieces of %d: %q\n got %v\nwant %v", n, b, got, want)
			}
		}
	})
}

// endless reports whether b may hold a line beyond the limit that has an end nevertheless: whether that is too long
// depends on the pieces that it comes in.
func endless(b []byte) bool { return len(b) > testLimits.inline }

// TestParseChunked feeds every seed at every size of pieces.
func TestParseChunked(t *testing.T) {
	for _, s := range parseSeeds {
		want := parse([]byte(s), 1<<20, testLimits, false)
		for size := 1; size < min(len(s), 300)+1; size++ {
			if got := parse([]byte(s), size, testLimits, false); !same(got, want) {
				t.Fatalf("in pieces of %d: %.100q\n got %.300v\nwant %.300v", size, s, got, want)
			}
		}
	}
}

// TestParseKeepsWords checks that words of a command that comes in many reads are not overwritten, and that the buffer
// stays small.
func TestParseKeepsWords(t *testing.T) {
	var in []byte
	var want []string
	for i := range 500 {
		word := strings.Repeat(strconv.Itoa(i), i%7) + strings.Repeat("v", i*3)
		want = append(want, word)
	}
	in = encode(want...)
	in = append(in, encode("PING")...)
	got := parse(in, 333, limits{args: 1000, bulk: 1 << 20, inline: 1 << 16}, false)
	if got.err != "" || len(got.commands) != 2 || !slices.Equal(got.commands[0], want) || got.commands[1][0] != "PING" {
		t.Errorf("parsed %.300v", got)
	}
}

func TestParserBuffer(t *testing.T) {
	p := newParser(limits{args: 10, bulk: 1 << 20, inline: 1 << 16})
	feed := func(b []byte, size int) (commands int) {
		for r := (&chunks{b, size}); ; {
			_, err := p.next()
			if err == nil {
				commands++
				continue
			}
			if _, err := p.fill(r); err != nil {
				return commands
			}
		}
	}
	ping := encode("PING")
	for range 1000 {
		feed(ping, len(ping))
	}
	if got := cap(p.buf); got != smallBuffer {
		t.Errorf("after single commands the buffer has %d bytes, want %d", got, smallBuffer)
	}
	if n := feed(bytes.Repeat(ping, 100_000), 1<<20); n != 100_000 {
		t.Errorf("%d commands of 100000", n)
	}
	if got := cap(p.buf); got != largeBuffer {
		t.Errorf("after a pipeline the buffer has %d bytes, want %d", got, largeBuffer)
	}
	feed(encode("SET", "k", strings.Repeat("x", 1<<20)), 4096)
	if got := cap(p.buf); got > 2<<20+largeBuffer {
		t.Errorf("for a value of a megabyte the buffer has %d bytes", got)
	}
	p.shrink()
	if got := cap(p.buf); got != smallBuffer {
		t.Errorf("after shrink the buffer has %d bytes", got)
	}
}

// TestParseHugeHeaders checks that a header alone reserves no memory.
func TestParseHugeHeaders(t *testing.T) {
	for _, in := range []string{"*1000\r\n$3\r\n", "*1\r\n$1048576\r\nabc"} {
		p := newParser(limits{args: 1000, bulk: 1 << 20, inline: 1 << 16})
		r := &chunks{[]byte(in), 100}
		for err := error(nil); err == nil; {
			_, _ = p.next()
			_, err = p.fill(r)
		}
		if cap(p.buf) > 4096 || cap(p.args) > 64 {
			t.Errorf("%q: a buffer of %d bytes and room for %d words", in, cap(p.buf), cap(p.args))
		}
	}
}

func BenchmarkParse(b *testing.B) {
	in := bytes.Repeat(encode("GET", "key:000000012345"), 16)
	p := newParser(testLimits)
	r := &chunks{}
	b.ReportAllocs()
	for b.Loop() {
		r.b, r.size = in, len(in)
		for len(r.b) > 0 {
			if _, err := p.fill(r); err != nil {
				b.Fatal(err)
			}
			for {
				if _, err := p.next(); err != nil {
					break
				}
			}
		}
	}
}
