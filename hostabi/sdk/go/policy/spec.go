package policy

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Spec is the cache that a policy works for.
type Spec struct {
	// Capacity is how much fits: objects, or bytes if Bytes is set.
	Capacity uint64
	// Seed makes the choices of policies that choose by chance: the same seed, the same choices.
	Seed uint64
	// Objects is how many there can be: ids go from 0 to Objects-1. Most is how many can be resident at once.
	Objects, Most uint32
	// Bytes makes sizes count. Else every object has size 1.
	Bytes bool

	batch  uint32
	params map[string]string // those that were not asked for
}

// specParams is where parameters begin in a spec.
const specParams = 36

// readSpec reads what ec_policy_init is given.
func readSpec(b []byte) (*Spec, error) {
	params, err := readParams(b[specParams:])
	return &Spec{
		Capacity: binary.LittleEndian.Uint64(b),
		Seed:     binary.LittleEndian.Uint64(b[8:]),
		Objects:  binary.LittleEndian.Uint32(b[16:]),
		Most:     binary.LittleEndian.Uint32(b[20:]),
		Bytes:    b[28]&1 != 0,
		batch:    binary.LittleEndian.Uint32(b[24:]),
		params:   params,
	}, err
}

// Param returns the parameter of that name, and whether it is given. Those that Init does not ask for are refused. It is to be
// asked for once.
func (s *Spec) Param(name string) (value string, ok bool) {
	value, ok = s.params[name]
	delete(s.params, name)
	return value, ok
}

// Number returns the parameter of that name, which must be a whole number from least to most, or what it is where it is not
// given.
func (s *Spec) Number(name string, least, most, or uint64) (uint64, error) {
	text, given := s.Param(name)
	if !given {
		return or, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, errors.New("parameter " + name + "=" + strconv.Quote(text) + " is no whole number from " +
			strconv.FormatUint(least, 10) + " to " + strconv.FormatUint(most, 10))
	}
	return n, nil
}

// allAsked refuses a parameter that Init did not ask for.
func (s *Spec) allAsked() error {
	for name := range s.params {
		return errors.New("parameter " + strconv.Quote(name) + " is not known")
	}
	return nil
}

// readParams reads a JSON object of strings as a host writes it, without white space. encoding/json would make a module twice as
// large.
func readParams(b []byte) (map[string]string, error) {
	params := make(map[string]string)
	rest, ok := strings.CutPrefix(string(b), "{")
	for ok && rest != "" && rest != "}" {
		var name, value string
		if name, rest, ok = readString(rest); ok {
			rest, ok = strings.CutPrefix(rest, ":")
		}
		if ok {
			value, rest, ok = readString(rest)
		}
		params[name] = value
		rest = strings.TrimPrefix(rest, ",")
	}
	if !ok || rest != "}" {
		return nil, errors.New("the parameters are no JSON object of strings")
	}
	return params, nil
}

// readString reads the JSON string that text begins with, and returns what follows it.
func readString(text string) (s, rest string, ok bool) {
	if text == "" || text[0] != '"' {
		return "", "", false
	}
	var b []byte
	for i := 1; i < len(text); {
		switch c := text[i]; c {
		case '"':
			return string(b), text[i+1:], true
		case '\\':
			u, n := escaped(text[i:])
			if n == 0 {
				return "", "", false
			}
			b = utf8.AppendRune(b, u)
			i += n
		default:
			b = append(b, c)
			i++
		}
	}
	return "", "", false
}

// escaped returns what the escape that text begins with stands for, and its length, 0 if it is none.
func escaped(text string) (rune, int) {
	const names, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if len(text) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(names, text[1]); i >= 0 {
		return rune(meant[i]), 2
	}
	u, ok := unit(text)
	if !ok {
		return 0, 0
	}
	if low, ok := unit(text[unitLen:]); ok && utf16.IsSurrogate(u) {
		return utf16.DecodeRune(u, low), 2 * unitLen
	}
	return u, unitLen
}

// unitLen is the length of \u and four digits.
const unitLen = 6

// unit reads the UTF-16 that is escaped at the front of text.
func unit(text string) (rune, bool) {
	if len(text) < unitLen || text[:2] != `\u` {
		return 0, false
	}
	u, err := strconv.ParseUint(text[2:unitLen], 16, 16)
	return rune(u), err == nil
}
