package scenario

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// matcher says what a text must be. Its String goes into reports.
type matcher interface {
	match(text string) bool
	String() string
}

// exactly is the text itself, blanks at its ends left out.
type exactly string

func exact(text string) matcher { return exactly(strings.TrimSpace(text)) }

func (e exactly) match(text string) bool { return strings.TrimSpace(text) == string(e) }
func (e exactly) String() string         { return string(e) }

// holding is a part of the text.
type holding string

func part(text string) matcher { return holding(text) }

func (h holding) match(text string) bool { return strings.Contains(text, string(h)) }
func (h holding) String() string         { return "a line with " + string(h) }

// pattern is a regular expression that matches anywhere.
type pattern struct{ *regexp.Regexp }

func (p pattern) match(text string) bool { return p.MatchString(text) }
func (p pattern) String() string         { return "~ " + p.Regexp.String() }

// numbers is a range, its ends included.
type numbers struct {
	from, to float64
	text     string
}

func (n numbers) has(v float64) bool { return n.from <= v && v <= n.to }

// parseNumbers reads a number, a range or a bound.
func parseNumbers(text string) (numbers, error) {
	n := numbers{from: math.Inf(-1), to: math.Inf(1), text: text}
	var err error
	low, high, isRange := strings.Cut(text, "..")
	switch {
	case isRange:
		if n.from, err = parseNumber(low); err == nil {
			n.to, err = parseNumber(high)
		}
	case strings.HasPrefix(text, "<="):
		n.to, err = parseNumber(text[2:])
	case strings.HasPrefix(text, ">="):
		n.from, err = parseNumber(text[2:])
	case strings.HasPrefix(text, "<"):
		n.to, err = parseNumber(text[1:])
		n.to = math.Nextafter(n.to, math.Inf(-1))
	case strings.HasPrefix(text, ">"):
		n.from, err = parseNumber(text[1:])
		n.from = math.Nextafter(n.from, math.Inf(1))
	default:
		n.from, err = parseNumber(text)
		n.to = n.from
	}
	if err != nil {
		return n, fmt.Errorf("%.80q is no number, range (55..60) or bound (<300)", text)
	}
	return n, nil
}

func parseNumber(text string) (float64, error) {
	return strconv.ParseFloat(strings.TrimSpace(text), 64)
}

// number returns v as reports have it.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
