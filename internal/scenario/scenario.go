// Package scenario runs text scenarios against plugins: lines that redis-cli could send, each with the reply it must
// bring, and looks at what then stands in the cache.
//
//	# what the lowercase plugin does
//	config {"prefix":"v1:"}
//	> SET Greeting hello
//	OK
//	> GET GREETING
//	"hello"
//	stored v1:greeting "hello"
//
// Every line is one of these; blank ones are skipped, and so is what follows a "#" at a line's begin or behind two
// blanks, outside of double quotes.
//
//	config JSON             the plugin's configuration from here on, at first {}
//	grant CAPABILITY...     capabilities beside those that everyone gets, in addition to those granted before; none takes
//	                        all of them back
//	> WORD...               a command in redis-cli's words and quoting
//	REPLY                   a line of the command's reply, as redis-cli prints it on a terminal
//	~ REGEXP                the same as a regular expression, which may match anywhere in the line
//	stored KEY REPLY        what the memory tier holds under the key: its value quoted, or (nil); or ~ REGEXP
//	length KEY NUMBER       how long that is, in bytes
//	ttl KEY NUMBER          how many seconds it has left to live; -1 is no end, -2 no such key
//	stats NAME NUMBER       a figure of the first row of the plugin's report
//	metric NAME NUMBER      a counter or gauge that the plugin defined
//	log TEXT                a line that the plugin has logged since the last command holds the text; or ~ REGEXP
//	refused config JSON TEXT  this configuration is refused with such a text; or ~ REGEXP
//
// A NUMBER is also a range, 55..60, or a bound: <300, <=300, >0, >=1. A KEY is a word as in commands; it may have a
// namespace before a "|". A command without a line of reply may bring any but an error. A config or grant behind a
// command begins a fresh cache with a fresh plugin.
package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/edgecache/edgecache/frontends/resp"
	"github.com/edgecache/edgecache/hostabi"
)

// Scenario is a parsed scenario. It is immutable.
type Scenario struct {
	file  string
	steps []step
}

// step is one line, or a command with the lines of its reply.
type step struct {
	line int
	text string
	do   action
}

// line is one line of the text, without its comment.
type line struct {
	number int
	text   string
}

// SyntaxError says what is wrong with a scenario's text.
type SyntaxError struct {
	File string
	Line int
	Err  error
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Parse reads a scenario. file names it in errors and failures; the error is a *SyntaxError.
func Parse(file string, text []byte) (*Scenario, error) {
	s := &Scenario{file: file}
	lines := significant(text)
	for len(lines) > 0 {
		l := lines[0]
		lines = lines[1:]
		var replies []line
		if strings.HasPrefix(l.text, ">") {
			n := slices.IndexFunc(lines, func(l line) bool { return isDirective(l.text) })
			if n < 0 {
				n = len(lines)
			}
			replies, lines = lines[:n], lines[n:]
		}
		do, err := parseStep(l, replies)
		if err != nil {
			at := l.number
			if bad, ok := errors.AsType[*replyError](err); ok {
				at, err = bad.line, bad.error
			}
			return nil, &SyntaxError{File: file, Line: at, Err: err}
		}
		s.steps = append(s.steps, step{line: l.number, text: l.text, do: do})
	}
	return s, nil
}

// significant returns the lines that say something.
func significant(text []byte) []line {
	var all []line
	number := 0
	for l := range strings.SplitSeq(string(text), "\n") {
		number++
		if l = strings.TrimRight(cutComment(l), " \t\r"); l != "" {
			all = append(all, line{number, l})
		}
	}
	return all
}

// cutComment cuts off what follows a "#" at the begin, or one with two blanks before it and one behind it outside of
// double quotes.
func cutComment(l string) string {
	if strings.HasPrefix(strings.TrimLeft(l, " \t"), "#") {
		return ""
	}
	quoted := false
	for i := 0; i < len(l); i++ {
		switch {
		case l[i] == '\\':
			i++
		case l[i] == '"':
			quoted = !quoted
		case !quoted && (strings.HasPrefix(l[i:], "  #") || strings.HasPrefix(l[i:], "\t#")):
			return l[:i]
		}
	}
	return l
}

// isDirective tells a line of its own from one of a command's reply.
func isDirective(text string) bool {
	if strings.HasPrefix(text, ">") {
		return true
	}
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "config", "grant", "stored", "length", "ttl", "stats", "metric", "log", "refused":
		return true
	default:
		return false
	}
}

// parseStep reads a line and, if it is a command, those of its reply.
func parseStep(l line, replies []line) (action, error) {
	if words, ok := strings.CutPrefix(l.text, ">"); ok {
		return parseCommand(words, replies)
	}
	directive, rest, _ := strings.Cut(l.text, " ")
	rest = strings.TrimSpace(rest)
	switch directive {
	case "config":
		return parseConfig(rest)
	case "grant":
		return parseGrant(rest)
	case "stored":
		return parseStored(rest)
	case "length", "ttl":
		return parseMeasure(directive, rest)
	case "stats", "metric":
		return parseFigure(directive, rest)
	case "log":
		m, err := parseText(rest, part)
		return logged{m}, err
	case "refused":
		return parseRefused(rest)
	default:
		return nil, fmt.Errorf("%.80q is nothing that a scenario has: a reply must follow its command, "+
			"which begins with \"> \"", l.text)
	}
}

// replyError is an error of a line behind the one that is parsed.
type replyError struct {
	error
	line int
}

func parseCommand(text string, replies []line) (action, error) {
	words, err := resp.Words(text)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, errors.New("a command is missing")
	}
	c := command{words: words}
	for _, r := range replies {
		m, err := parseText(r.text, exact)
		if err != nil {
			return nil, &replyError{err, r.number}
		}
		c.replies = append(c.replies, reply{r.number, r.text, m})
	}
	return c, nil
}

// parseText reads a regular expression behind "~ ", or else a plain text.
func parseText(text string, plain func(string) matcher) (matcher, error) {
	re, ok := strings.CutPrefix(strings.TrimLeft(text, " "), "~")
	if !ok {
		if text == "" {
			return nil, errors.New("a text is missing")
		}
		return plain(text), nil
	}
	compiled, err := regexp.Compile(strings.TrimSpace(re))
	if err != nil {
		return nil, fmt.Errorf("regular expression: %w", err)
	}
	return pattern{compiled}, nil
}

func parseConfig(text string) (action, error) {
	config, rest, err := cutJSON(text)
	if err == nil && rest != "" {
		err = fmt.Errorf("%.80q follows the JSON", rest)
	}
	if string(config) == "{}" { // the default, which suits plugins that take no configuration, too
		config = nil
	}
	return configure{config}, err
}

// cutJSON splits text behind the JSON value that it begins with.
func cutJSON(text string) (config []byte, rest string, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return nil, "", fmt.Errorf("config: one line of JSON belongs here: %w", err)
	}
	return bytes.Clone(raw), strings.TrimSpace(text[d.InputOffset():]), nil
}

func parseGrant(text string) (action, error) {
	needs := strings.Fields(text)
	for _, n := range needs {
		if !slices.Contains(hostabi.Capabilities(), n) {
			return nil, fmt.Errorf("grant: %.80q is no capability: possible are %s", n, strings.Join(hostabi.Capabilities(), ", "))
		}
	}
	return grant{needs}, nil
}

// parseKey reads the key that text begins with and returns what follows it.
func parseKey(directive, text string) (k key, rest string, err error) {
	word, rest := cutWord(text)
	words, err := resp.Words(word)
	if err != nil {
		return k, "", err
	}
	if len(words) != 1 {
		return k, "", fmt.Errorf("%s: a key is missing", directive)
	}
	k.name = words[0]
	if namespace, name, ok := strings.Cut(words[0], "|"); ok {
		k.namespace, k.name = namespace, name
	}
	return k, rest, nil
}

// cutWord cuts the first word off, which may be quoted.
func cutWord(text string) (word, rest string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == ' ' && !quoted:
			return text[:i], strings.TrimSpace(text[i:])
		}
	}
	return text, ""
}

func parseStored(text string) (action, error) {
	k, rest, err := parseKey("stored", text)
	if err != nil {
		return nil, err
	}
	if rest == "" {
		return nil, errors.New(`stored: the value is missing: "text", (nil) or ~ and a regular expression`)
	}
	m, err := parseText(rest, exact)
	return stored{k, m}, err
}

func parseMeasure(what, text string) (action, error) {
	k, rest, err := parseKey(what, text)
	if err != nil {
		return nil, err
	}
	r, err := parseNumbers(rest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return measure{what, k, r}, nil
}

func parseFigure(what, text string) (action, error) {
	name, rest := cutWord(text)
	if name == "" {
		return nil, fmt.Errorf("%s: a name is missing", what)
	}
	r, err := parseNumbers(rest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return figure{what, name, r}, nil
}

func parseRefused(text string) (action, error) {
	config, ok := strings.CutPrefix(text, "config ")
	if !ok {
		return nil, errors.New(`refused: "config" and one line of JSON belong here`)
	}
	b, rest, err := cutJSON(config)
	if err != nil {
		return nil, err
	}
	m, err := parseText(rest, part)
	if err != nil {
		return nil, fmt.Errorf("refused: %w", err)
	}
	return refused{b, m}, nil
}
