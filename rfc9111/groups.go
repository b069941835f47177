package rfc9111

import (
	"net/http"
	"slices"
	"strings"
)

// What Groups and Tags keep; RFC 9875 (2) asks for at least 32 of 32 bytes.
const (
	MaxTags      = 256
	MaxTagLength = 1024
)

// Groups returns the groups of a response (RFC 9875, 2), each once, within the limits of MaxTags and MaxTagLength. A group
// belongs to the origin of the response: the same string at another origin is another group. A field that is no list of strings
// has none.
func Groups(h http.Header) []string { return groups(h["Cache-Groups"]) }

// GroupInvalidations returns the groups at the target's origin that an answer with header h invalidates (RFC 9875, 3), given
// that it Invalidates. What else those responses belong to is left alone: invalidation does not cascade.
func GroupInvalidations(h http.Header) []string { return groups(h["Cache-Group-Invalidation"]) }

func groups(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	texts, _ := readStrings(lines)
	var t tags
	for _, text := range texts {
		t.add(text)
	}
	return t
}

// Tags returns the tags of a response, each once, within the limits of MaxTags and MaxTagLength: its Groups, and what
// Surrogate-Key, Cache-Tag and Xkey say. Space separates those, and a comma does, but in Surrogate-Key.
func Tags(h http.Header) []string {
	t := tags(Groups(h))
	for _, name := range tagFields {
		for _, line := range h[name] {
			for tag := range strings.FieldsFuncSeq(line, func(r rune) bool {
				return r == ' ' || r == '\t' || r == ',' && name != "Surrogate-Key"
			}) {
				t.add(tag)
			}
		}
	}
	return t
}

// tags is a set in order.
type tags []string

func (t *tags) add(tag string) {
	if tag != "" && len(tag) <= MaxTagLength && len(*t) < MaxTags && !slices.Contains(*t, tag) {
		*t = append(*t, tag)
	}
}
