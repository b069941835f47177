package files

import (
	"net/http"
	"strings"
	"time"
)

// verdict is what preconditions make of a request.
type verdict uint8

const (
	proceed     verdict = iota
	notModified         // 304
	failed              // 412
)

// evaluate looks at the preconditions in the order of RFC 9110, section 13.2.2.
func evaluate(h http.Header, v *validators) verdict {
	if lines := h["If-Match"]; len(lines) > 0 {
		if !listed(lines, v.etag, strongly) {
			return failed
		}
	} else if since, ok := date(h, "If-Unmodified-Since"); ok && v.modified.After(since) {
		return failed
	}
	if lines := h["If-None-Match"]; len(lines) > 0 {
		if listed(lines, v.etag, weakly) {
			return notModified
		}
	} else if since, ok := date(h, "If-Modified-Since"); ok && v.dated() && !v.modified.After(since) {
		return notModified
	}
	return proceed
}

// ranged reports whether If-Range lets a Range through (section 13.1.5): there is none, or it has the very validator, and
// that is a strong one.
func ranged(h http.Header, v *validators) bool {
	lines := h["If-Range"]
	if len(lines) == 0 {
		return true
	}
	given := trim(lines[0])
	if strings.HasPrefix(given, `"`) || strings.HasPrefix(given, "W/") {
		return strongly(given, v.etag)
	}
	t, err := http.ParseTime(given)
	return err == nil && v.dated() && v.rested && t.Equal(v.modified)
}

// validators tell one state of a file from another.
type validators struct {
	etag     string    // as it stands in the header
	modified time.Time // to the second; zero where it means nothing
	rested   bool      // the file was left alone for the whole second of modified, which so is a strong validator, too
}

func (v *validators) dated() bool { return !v.modified.IsZero() }

// date returns the date of a header that has one; others are to be ignored (sections 13.1.3 and 13.1.4).
func date(h http.Header, name string) (time.Time, bool) {
	lines := h[name]
	if len(lines) != 1 {
		return time.Time{}, false
	}
	t, err := http.ParseTime(lines[0])
	return t, err == nil
}

// listed reports whether the lines are "*" or have a tag that is the same as etag.
func listed(lines []string, etag string, same func(a, b string) bool) bool {
	for _, line := range lines {
		rest := trim(line)
		if rest == "*" {
			return true
		}
		for rest != "" {
			var tag string
			if rest[0] == ',' {
				rest = trim(rest[1:])
				continue
			}
			if tag, rest = cutTag(rest); tag == "" {
				break // what follows can't be told apart
			}
			if same(tag, etag) {
				return true
			}
		}
	}
	return false
}

// cutTag cuts the entity tag off the front, "" if there is none (section 8.8.3).
func cutTag(s string) (tag, rest string) {
	start := 0
	if strings.HasPrefix(s, "W/") {
		start = 2
	}
	if len(s) <= start || s[start] != '"' {
		return "", ""
	}
	for i := start + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], trim(s[i+1:])
		case c < 0x21 || c == 0x7f:
			return "", ""
		}
	}
	return "", ""
}

// strongly and weakly compare tags as section 8.8.3.2 has it.
func strongly(a, b string) bool { return a == b && !strings.HasPrefix(a, "W/") }

func weakly(a, b string) bool { return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/") }
