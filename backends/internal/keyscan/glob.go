package keyscan

// maxGlobSteps bounds the work of one match. A pattern for keys needs the length of the key times its own at the very
// most, so only one made to burn time gets there; it does not match.
const maxGlobSteps = 1 << 20

// Match reports whether all of s matches the glob pattern as Redis has it: * is any bytes, ? one byte, [abc] one of
// them, [^abc] none of them, [a-z] one in the range (either way round), \x the byte x. A class that is not closed ends
// with the pattern, and a \ at the end is itself. Bytes are compared, not runes. Its time is bounded.
func Match(pattern, s string) bool {
	star, retry := -1, 0 // the pattern after the last *, and where in s that rest is tried next
	p, i := 0, 0
	for steps := 0; i < len(s); steps++ {
		if steps > maxGlobSteps {
			return false
		}
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, retry = p, i
			continue
		}
		if p < len(pattern) {
			ok, next := matchByte(pattern, p, s[i])
			steps += next - p - 1
			if ok {
				p, i = next, i+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		retry++
		p, i = star, retry
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchByte matches c against the element of the pattern that begins at p and is no *, and returns where the next begins.
func matchByte(pattern string, p int, c byte) (ok bool, next int) {
	switch pattern[p] {
	case '?':
		return true, p + 1
	case '[':
		return matchClass(pattern, p+1, c)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return pattern[p] == c, p + 1
}

// matchClass matches c against the class whose inside begins at p.
func matchClass(pattern string, p int, c byte) (ok bool, next int) {
	not := p < len(pattern) && pattern[p] == '^'
	if not {
		p++
	}
	for ; p < len(pattern) && pattern[p] != ']'; p++ {
		switch {
		case pattern[p] == '\\' && p+1 < len(pattern):
			p++
			ok = ok || pattern[p] == c
		case p+2 < len(pattern) && pattern[p+1] == '-':
			low, high := min(pattern[p], pattern[p+2]), max(pattern[p], pattern[p+2])
			ok = ok || low <= c && c <= high
			p += 2
		default:
			ok = ok || pattern[p] == c
		}
	}
	return ok != not, min(p+1, len(pattern))
}
