package rfc9111

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// Codings is what a client accepts of the content codings that matter here.
type Codings uint8

// The codings, by their names in Accept-Encoding: br, zstd, gzip and identity.
const (
	CodingBrotli Codings = 1 << iota
	CodingZstd
	CodingGzip
	// CodingIdentity says that content without a coding is acceptable.
	CodingIdentity
)

// AcceptedCodings reads the lines of Accept-Encoding (RFC 9110, 12.5.3): which of br, zstd and gzip have a weight above zero,
// named or by "*", and whether identity is not excluded. Weights above zero do not matter, as an origin may send any
// coding that is accepted; so a response that one client accepts is acceptable for all with the same Codings. A coding that is
// not among them is not seen: to be sure that an origin does not use it, forward String in the place of the client's field.
func AcceptedCodings(lines []string) Codings {
	var named, accepted Codings
	var others Codings // accepted by "*"
	identity := CodingIdentity
	r := listReader{lines: lines}
	for r.next() {
		name, weight := splitWeight(r.member)
		coding := codingOf(name)
		named |= coding
		switch {
		case weight > 0:
			accepted |= coding
			if name == "*" {
				others = CodingBrotli | CodingZstd | CodingGzip
			}
		case name == "*":
			identity = 0
		}
	}
	return accepted | (others|identity)&^named
}

func codingOf(name string) Codings {
	switch {
	case strings.EqualFold(name, "br"):
		return CodingBrotli
	case strings.EqualFold(name, "zstd"):
		return CodingZstd
	case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
		return CodingGzip
	case strings.EqualFold(name, "identity"):
		return CodingIdentity
	}
	return 0
}

// String returns the codings as a value for Accept-Encoding: "br, zstd, gzip" or what there is of it, "identity" if there is
// none, and with ", identity;q=0" if that is excluded.
func (c Codings) String() string {
	const none = "identity;q=0"
	all := [...]string{"identity", "br", "zstd", "br, zstd", "gzip", "br, gzip", "zstd, gzip", "br, zstd, gzip"}
	coded := all[c&^CodingIdentity]
	switch {
	case c&CodingIdentity != 0:
		return coded
	case c == 0:
		return none
	}
	return coded + ", " + none
}

// language is a member of Accept-Language.
type language struct {
	tag    string
	weight int // in thousandths
}

// appendLanguages appends the normal form of Accept-Language: tags in lower case from the best on, equals by name; "," is
// between equals and ">" between what differs in weight, and "!" is before what is refused. How far weights lie apart is left
// out.
func appendLanguages(dst []byte, lines []string) []byte {
	var room [16]language
	languages := room[:0]
	r := listReader{lines: lines}
	for r.next() {
		tag, weight := splitWeight(r.member)
		languages = append(languages, language{tag, weight})
	}
	slices.SortStableFunc(languages, func(a, b language) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), compareFold(a.tag, b.tag))
	})
	for i, l := range languages {
		if i > 0 && languages[i-1].weight == l.weight {
			dst = append(dst, ',')
		} else if i > 0 {
			dst = append(dst, '>')
		}
		if l.weight == 0 {
			dst = append(dst, '!')
		}
		dst = appendLower(dst, l.tag)
	}
	return dst
}

// PreferredLanguage returns the language that a request wants above all others, in lower case; empty if there is no such one.
//
// No better response can be had for it than one with this Content-Language. So a cache may keep a response that varies by
// Accept-Language under AppendVariantFor its ContentLanguage as well, and use what it finds under AppendVariantFor the
// PreferredLanguage when AppendVariant of the request leads to nothing (4.1: "qvalues ... MAY be used to select").
func PreferredLanguage(req Fields) string {
	var best language
	tie := false
	r := listReader{lines: req.Values(acceptLanguage)}
	for r.next() {
		tag, weight := splitWeight(r.member)
		tie = weight == best.weight || tie && weight < best.weight
		if weight > best.weight {
			best = language{tag, weight}
		}
	}
	if tie || strings.Contains(best.tag, "*") {
		return ""
	}
	return strings.ToLower(best.tag)
}

// ContentLanguage returns the language of a response that has just one, in lower case; empty otherwise.
func ContentLanguage(h http.Header) string {
	lines := h["Content-Language"]
	if len(lines) != 1 || strings.ContainsAny(lines[0], ", ") {
		return ""
	}
	return strings.ToLower(lines[0])
}

// splitWeight takes a member such as "de;q=0.8" apart. Without a weight (RFC 9110, 12.4.2), or with one that is broken, it is
// 1000. Other parameters stay with the name.
func splitWeight(member string) (name string, thousandths int) {
	semicolon := strings.LastIndexByte(member, ';')
	if semicolon < 0 {
		return member, 1000
	}
	q := trim(member[semicolon+1:])
	if len(q) < 3 || q[0]|0x20 != 'q' || q[1] != '=' {
		return member, 1000
	}
	return trim(member[:semicolon]), weight(q[2:])
}

// weight reads "0.8" as 800.
func weight(s string) int {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole != "0" || len(fraction) > 3 {
		return 1000
	}
	thousandths := 0
	for i, unit := 0, 100; i < len(fraction); i, unit = i+1, unit/10 {
		if !isDigit(fraction[i]) {
			return 1000
		}
		thousandths += int(fraction[i]-'0') * unit
	}
	return thousandths
}

func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(lower(a[i]), lower(b[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, lower(s[i]))
	}
	return dst
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
