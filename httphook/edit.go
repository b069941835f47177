package httphook

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Edit is one change of a header. Name is canonical.
type Edit struct {
	Op          EditOp
	Name, Value string
}

// EditOp says what an Edit does.
type EditOp uint8

// The operations.
const (
	Set    EditOp = iota + 1 // one line with Value in the place of all of that name
	Add                      // one more line
	Remove                   // no line of that name
)

// Edits are changes of a header, one after the other.
type Edits []Edit

// Set adds an edit that gives the field one value.
func (e *Edits) Set(name, value string) { *e = append(*e, Edit{Set, name, value}) }

// Add adds an edit that gives the field one more value.
func (e *Edits) Add(name, value string) { *e = append(*e, Edit{Add, name, value}) }

// Remove adds an edit that takes the field away.
func (e *Edits) Remove(name string) { *e = append(*e, Edit{Remove, name, ""}) }

// Apply makes the changes in h, an http.Header. It replaces slices of values and changes none: they may be shared.
func (e Edits) Apply(h map[string][]string) {
	for _, one := range e {
		switch one.Op {
		case Set:
			h[one.Name] = []string{one.Value}
		case Add:
			h[one.Name] = append(slices.Clip(h[one.Name]), one.Value)
		case Remove:
			delete(h, one.Name)
		}
	}
}

// MaxFieldValue is how long a value may be that a hook sets, in bytes.
const MaxFieldValue = 8 << 10

// CheckField reports a field that a hook must not set: a name that is no token, a value that could end its line (RFC 9110
// 5.5), and fields that say how messages are framed and routed (RFC 9110 7.6.1, RFC 9112 6), which are the cache's own.
func CheckField(name, value string) error {
	switch {
	case !isToken(name):
		return fmt.Errorf("field name %.80q is no token", name)
	case isFraming(name):
		return fmt.Errorf("field %s is not for hooks: it belongs to the connection", name)
	case len(value) > MaxFieldValue:
		return fmt.Errorf("field %.80s has a value of %d bytes: at most %d are allowed", name, len(value), MaxFieldValue)
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("field %.80s has a value with byte %#02x, which no field can hold", name, c)
		}
	}
	return nil
}

// isFraming reports whether a field is about the connection rather than the message.
func isFraming(name string) bool {
	for _, f := range [...]string{
		"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		if strings.EqualFold(name, f) {
			return true
		}
	}
	return false
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// isTokenByte reports whether c is a tchar (RFC 9110 5.6.2).
func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// CheckTarget reports what can't stand as path and query in a request line or a Location: the empty string, one that does not
// begin with a slash, and bytes that would end it.
func CheckTarget(target string) error {
	if target == "" || target[0] != '/' {
		return fmt.Errorf("target %.80q does not begin with a slash", target)
	}
	return checkLine("target", target)
}

// CheckLocation reports what can't be a Location.
func CheckLocation(location string) error {
	if location == "" {
		return errors.New("location is empty")
	}
	return checkLine("location", location)
}

// CheckTag reports what can't be a tag: nothing, and bytes that lists of tags have between them.
func CheckTag[T string | []byte](tag T) error {
	if len(tag) == 0 {
		return errors.New("a tag is empty")
	}
	for i := range len(tag) {
		if c := tag[i]; c <= ' ' || c >= 0x7f || c == ',' || c == '"' {
			return fmt.Errorf("tag %.80q has byte %#02x at %d: visible ASCII but commas and quotes is possible", tag, c, i)
		}
	}
	return nil
}

// checkLine reports bytes that don't belong into a URI: controls, spaces and what is not ASCII.
func checkLine(what, s string) error {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			return fmt.Errorf("%s has byte %#02x at %d, which no URI has", what, c, i)
		}
	}
	return nil
}
