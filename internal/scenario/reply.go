package scenario

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	// maxBulk bounds a string of a reply, maxElements an array.
	maxBulk     = 64 << 20
	maxElements = 1 << 20
	// maxDepth bounds arrays within arrays.
	maxDepth = 16
)

// encode returns words as a client sends them.
func encode(words []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

// readReply reads one reply and returns its lines as redis-cli prints them on a terminal. Where the error is not nil the
// connection can't go on.
func readReply(r *bufio.Reader) ([]string, error) { return readReplyAt(r, 0) }

func readReplyAt(r *bufio.Reader, depth int) ([]string, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	head, ok := strings.CutSuffix(head, "\r\n")
	if !ok || head == "" {
		return nil, fmt.Errorf("reply line %.80q: it has no kind, or does not end with CR LF", head)
	}
	text := head[1:]
	switch head[0] {
	case '+':
		return []string{text}, nil
	case '-':
		return []string{"(error) " + text}, nil
	case ':':
		return []string{"(integer) " + text}, nil
	case '$':
		return readBulk(r, text)
	case '*':
		return readArray(r, text, depth)
	default:
		return nil, fmt.Errorf("reply of kind %q: scenarios speak RESP2", head[0])
	}
}

func readSize(text string, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < -1 || n > most {
		return 0, fmt.Errorf("reply of size %.80q: -1 to %d are possible", text, most)
	}
	return n, nil
}

func readBulk(r *bufio.Reader, size string) ([]string, error) {
	n, err := readSize(size, maxBulk)
	if err != nil || n < 0 {
		return []string{"(nil)"}, err
	}
	var b strings.Builder
	if _, err := io.CopyN(&b, r, int64(n)+2); err != nil {
		return nil, err
	}
	text, ok := strings.CutSuffix(b.String(), "\r\n")
	if !ok {
		return nil, errors.New("a string of the reply does not end with CR LF")
	}
	return []string{quote(text)}, nil
}

func readArray(r *bufio.Reader, size string, depth int) ([]string, error) {
	n, err := readSize(size, maxElements)
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return []string{"(nil)"}, nil
	case n == 0:
		return []string{"(empty array)"}, nil
	case depth == maxDepth:
		return nil, fmt.Errorf("reply of more than %d arrays within each other", maxDepth)
	}
	width := len(strconv.Itoa(n))
	var lines []string
	for i := range n {
		element, err := readReplyAt(r, depth+1)
		if err != nil {
			return nil, err
		}
		lead := fmt.Sprintf("%*d) ", width, i+1)
		for _, l := range element {
			lines = append(lines, lead+l)
			lead = strings.Repeat(" ", width+2)
		}
	}
	return lines, nil
}

// quote returns a string as redis-cli prints it.
func quote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\a':
			b = append(b, `\a`...)
		case '\b':
			b = append(b, `\b`...)
		default:
			if ' ' <= c && c <= '~' {
				b = append(b, c)
			} else {
				b = fmt.Appendf(b, `\x%02x`, c)
			}
		}
	}
	return string(append(b, '"'))
}
