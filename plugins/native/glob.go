package native

import "bytes"

// maxStars is how many stars a pattern may have.
const maxStars = 9

// glob is a pattern in which * stands for any run of bytes: what stands between the stars, one part more than stars.
type glob [][]byte

// captures are what the stars of a glob took.
type captures [maxStars][]byte

// newGlob takes the pattern apart: a backslash takes a star's or a backslash's meaning away. at is where the pattern
// stands in the configuration.
func newGlob(r *reader, pattern []byte, at int) glob {
	g, part := glob{}, []byte{}
	for i := 0; i < len(pattern) && !r.failed(); i++ {
		switch c := pattern[i]; {
		case c == '*' && len(g) == maxStars:
			r.fail(at, "more than 9 stars in a pattern")
		case c == '*':
			g, part = append(g, part), []byte{}
		case c != '\\':
			part = append(part, c)
		case i+1 < len(pattern) && (pattern[i+1] == '*' || pattern[i+1] == '\\'):
			i++
			part = append(part, pattern[i])
		default:
			r.fail(at, "backslash before neither * nor \\ in a pattern")
		}
	}
	return append(g, part)
}

// match reports whether g matches all of s. Every star takes as few bytes as it can, the first star first; what they
// took is put into c, as views of s.
func (g glob) match(s []byte, c *captures) bool {
	if len(g) == 1 {
		return bytes.Equal(s, g[0])
	}
	first, last := g[0], g[len(g)-1]
	if len(s) < len(first)+len(last) || !bytes.HasPrefix(s, first) || !bytes.HasSuffix(s, last) {
		return false
	}
	rest := s[len(first) : len(s)-len(last)]
	for i, part := range g[1 : len(g)-1] {
		before, after, found := bytes.Cut(rest, part)
		if !found {
			return false
		}
		c[i], rest = before, after
	}
	c[len(g)-2] = rest
	return true
}

// replacement is what a matching key is replaced by.
type replacement []piece

// piece is text, or where that is nil what a star took.
type piece struct {
	text []byte
	star int
}

// newReplacement takes with apart: $1 to $9 are what the pattern's stars took, $$ is a dollar. at is where with stands
// in the configuration.
func newReplacement(r *reader, with []byte, stars, at int) replacement {
	var p replacement
	for len(with) > 0 && !r.failed() {
		text, after, found := bytes.Cut(with, []byte("$"))
		if len(text) > 0 {
			p = append(p, piece{text: text})
		}
		if !found {
			break
		}
		switch {
		case len(after) > 0 && after[0] == '$':
			p = append(p, piece{text: after[:1]})
		case len(after) == 0 || after[0] < '1' || after[0] > '9':
			r.fail(at, "$ before neither 1 to 9 nor $ in a replacement")
			return nil
		case int(after[0]-'0') > stars:
			r.fail(at, `no star in the pattern for "$%c"`, after[0])
		default:
			p = append(p, piece{star: int(after[0] - '1')})
		}
		with = after[1:]
	}
	return p
}

func (p piece) bytes(c *captures) []byte {
	if p.text != nil {
		return p.text
	}
	return c[p.star]
}
