package files

import (
	"strings"
)

// coding is a content coding that a body can be in, or identity.
type coding uint8

// The codings. Their order is that of the server's preference between those that a client likes alike.
const (
	br coding = iota
	zst
	gz
	deflate
	identity
	codings
)

// names are the tokens of the codings in headers and in the cache's keys.
var names = [codings]string{"br", "zstd", "gzip", "deflate", "identity"}

// suffixes are what the names of precompressed files end in, "" for none.
var suffixes = [codings]string{".br", ".zst", ".gz", "", ""}

func (c coding) String() string { return names[c] }

// parseCoding returns the coding called name, in which case does not matter (RFC 9110, section 8.4.1).
func parseCoding(name string) (coding, bool) {
	for c, n := range names {
		if strings.EqualFold(n, name) {
			return coding(c), true
		}
	}
	if strings.EqualFold(name, "x-gzip") { // section 8.4.1.3
		return gz, true
	}
	return 0, false
}

// weight is how much a client likes a coding: twice the thousandths of a qvalue. 0 is not at all.
type weight uint16

const (
	full    weight = 2000
	leftOut weight = 1 // of identity, which is acceptable unless said otherwise, but not what was asked for
	unsaid  weight = 0xffff
)

// acceptable are the codings that a client takes, best first.
type acceptable struct {
	order [codings]coding
	n     int
}

// accept reads the lines of Accept-Encoding as RFC 9110, section 12.5.3 has it. Without one a client gets identity. Elements
// that are malformed count for nothing.
func accept(lines []string) acceptable {
	if len(lines) == 0 {
		return acceptable{order: [codings]coding{identity}, n: 1}
	}
	var weights [codings]weight
	for c := range weights {
		weights[c] = unsaid
	}
	others := unsaid
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			name, w, ok := parseElement(element)
			if c, known := parseCoding(name); ok && known {
				weights[c] = w
			} else if ok && name == "*" {
				others = w
			}
		}
	}
	return sorted(&weights, others)
}

// sorted puts the codings in order. others is the weight of those that were not named.
func sorted(weights *[codings]weight, others weight) (a acceptable) {
	for c, w := range weights {
		switch {
		case w != unsaid:
		case others != unsaid:
			weights[c] = others
		case coding(c) == identity:
			weights[c] = leftOut
		default:
			weights[c] = 0
		}
		if weights[c] == 0 {
			continue
		}
		at := a.n
		for at > 0 && weights[a.order[at-1]] < weights[c] {
			a.order[at] = a.order[at-1]
			at--
		}
		a.order[at] = coding(c)
		a.n++
	}
	return a
}

// parseElement reads one "coding;q=0.5". Parameters but the weight are none that exist.
func parseElement(element string) (name string, w weight, ok bool) {
	name, rest, weighed := strings.Cut(element, ";")
	name = trim(name)
	if !weighed {
		return name, full, name != ""
	}
	rest = trim(rest)
	if len(rest) < 2 || rest[0]|0x20 != 'q' || rest[1] != '=' {
		return name, 0, false
	}
	w, ok = parseWeight(rest[2:])
	return name, w, ok && name != ""
}

// parseWeight reads a qvalue: 0 or 1 with up to three decimals, at most 1 (section 12.4.2).
func parseWeight(s string) (weight, bool) {
	if s == "" || len(s) > 5 || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	w := weight(s[0]-'0') * 1000
	for i, scale := 2, weight(100); i < len(s); i, scale = i+1, scale/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		w += weight(s[i]-'0') * scale
	}
	return w * 2, w <= 1000
}

// trim takes optional whitespace off both ends (section 5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }
