package resp

import "errors"

// Words splits a line into the words of a command, as redis-cli does it: see splitWords.
func Words(line string) ([]string, error) {
	words, ok := splitWords(nil, []byte(line))
	if !ok {
		return nil, errors.New("unbalanced quotes: a closing quote is missing, or a word goes on behind it")
	}
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return all, nil
}

// splitWords appends the words of an inline command to words, and reports whether its quotes are balanced. Words are
// separated by white space. Within double quotes a backslash escapes (\n \r \t \b \a \xHH, and itself for any other
// byte), within single quotes only \' does. A closing quote must end the word. Words without quotes are views of line.
func splitWords(words [][]byte, line []byte) (_ [][]byte, ok bool) {
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return words, true
		}
		word, n, ok := splitWord(line[i:])
		if !ok {
			return words, false
		}
		words = append(words, word)
		i += n
	}
}

// splitWord returns the word that b begins with and how many bytes it took.
func splitWord(b []byte) (word []byte, n int, ok bool) {
	for n < len(b) && !endsWord(b[n]) && b[n] != '"' && b[n] != '\'' {
		n++
	}
	word = b[:n:n]
	if n == len(b) || endsWord(b[n]) {
		return word, n, true
	}
	word, size, ok := unquote(word, b[n:])
	n += size
	return word, n, ok && (n == len(b) || isSpace(b[n]))
}

// unquote appends to word what is within the quotes that b begins with, and returns how many bytes those took.
func unquote(word, b []byte) (_ []byte, n int, ok bool) {
	quote := b[0]
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == quote:
			return word, i + 1, true
		case quote == '\'' && b[i] == '\\' && i+1 < len(b) && b[i+1] == '\'':
			i++
			word = append(word, '\'')
		case quote == '"' && b[i] == '\\' && i+3 < len(b) && b[i+1] == 'x' && isHex(b[i+2]) && isHex(b[i+3]):
			word = append(word, hexValue(b[i+2])<<4|hexValue(b[i+3]))
			i += 3
		case quote == '"' && b[i] == '\\' && i+1 < len(b):
			i++
			word = append(word, unescape(b[i]))
		default:
			word = append(word, b[i])
		}
	}
	return word, 0, false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	default:
		return c
	}
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// endsWord is narrower than isSpace, as in Redis.
func endsWord(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}
