package rfc9110

import "strings"

// Coding is a content coding that a body can be in, or identity (section 8.4.1).
type Coding uint8

// The codings. Their order is that of the server's preference between those that a client likes alike. Codings is how many
// there are.
const (
	Brotli Coding = iota
	Zstd
	Gzip
	Deflate
	Identity
	Codings
)

// names are the tokens of the codings in headers.
var names = [Codings]string{"br", "zstd", "gzip", "deflate", "identity"}

func (c Coding) String() string { return names[c] }

// ParseCoding returns the coding called name, in which case does not matter (section 8.4.1).
func ParseCoding(name string) (Coding, bool) {
	for c, n := range names {
		if strings.EqualFold(n, name) {
			return Coding(c), true
		}
	}
	if strings.EqualFold(name, "x-gzip") { // section 8.4.1.3
		return Gzip, true
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

// Acceptable are the codings that a client takes.
type Acceptable struct {
	order [Codings]Coding
	n     int
}

// List returns the codings, best first: a view of a.
func (a *Acceptable) List() []Coding { return a.order[:a.n] }

// Accept reads the lines of Accept-Encoding as section 12.5.3 has it. Without one a client gets identity. Elements
// that are malformed count for nothing.
func Accept(lines []string) Acceptable {
	if len(lines) == 0 {
		return Acceptable{order: [Codings]Coding{Identity}, n: 1}
	}
	var weights [Codings]weight
	for c := range weights {
		weights[c] = unsaid
	}
	others := unsaid
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			name, w, ok := parseElement(element)
			if c, known := ParseCoding(name); ok && known {
				weights[c] = w
			} else if ok && name == "*" {
				others = w
			}
		}
	}
	return sorted(&weights, others)
}

// sorted puts the codings in order. others is the weight of those that were not named.
func sorted(weights *[Codings]weight, others weight) (a Acceptable) {
	for c, w := range weights {
		switch {
		case w != unsaid:
		case others != unsaid:
			weights[c] = others
		case Coding(c) == Identity:
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
		a.order[at] = Coding(c)
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
