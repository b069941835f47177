package rfc9110

import "strings"

// CutTag cuts the entity tag off the front of s, quotes and W/ included, and returns it and the rest without the white space
// between them. The tag is "" if s does not begin with one (section 8.8.3).
func CutTag(s string) (tag, rest string) {
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

// ValidTag reports whether s is one entity tag and nothing else.
func ValidTag(s string) bool {
	tag, rest := CutTag(s)
	return tag != "" && rest == "" && tag == s
}

// StrongTag reports whether the tag is not weak. No tag, "", is not strong.
func StrongTag(tag string) bool { return tag != "" && !strings.HasPrefix(tag, "W/") }

// WeakenTag returns the tag as a weak one; "" stays "".
func WeakenTag(tag string) string {
	if !StrongTag(tag) {
		return tag
	}
	return "W/" + tag
}

// StrongMatch and WeakMatch compare tags as section 8.8.3.2 has it. No tag, "", matches none.
func StrongMatch(a, b string) bool { return a == b && StrongTag(a) }

// WeakMatch is what StrongMatch says.
func WeakMatch(a, b string) bool {
	a, b = strings.TrimPrefix(a, "W/"), strings.TrimPrefix(b, "W/")
	return a == b && a != ""
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
			if tag, rest = CutTag(rest); tag == "" {
				break // what follows can't be told apart
			}
			if same(tag, etag) {
				return true
			}
		}
	}
	return false
}

// trim takes optional whitespace off both ends (section 5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }
