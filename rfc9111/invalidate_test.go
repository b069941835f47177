package rfc9111

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInvalidates(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		status int
		want   bool
	}{
		{"4.4 PUT", "PUT", 200, true},
		{"4.4 POST", "POST", 201, true},
		{"4.4 DELETE", "DELETE", 204, true},
		{"4.4 a redirection is no error", "POST", 303, true},
		{"4.4 an unknown method", "M-SEARCH", 200, true},
		{"4.4 methods are case-sensitive", "get", 200, true},
		{"4.4 a client error", "POST", 404, false},
		{"4.4 a server error", "POST", 500, false},
		{"4.4 GET", "GET", 200, false},
		{"4.4 HEAD", "HEAD", 200, false},
		{"4.4 OPTIONS", "OPTIONS", 200, false},
		{"4.4 TRACE", "TRACE", 200, false},
	} {
		if got := Invalidates(tt.method, tt.status); got != tt.want {
			t.Errorf("%s: Invalidates(%q, %d) = %v", tt.name, tt.method, tt.status, got)
		}
	}
}

func TestInvalidatedURIs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		target string
		lines  []string
		want   string
	}{
		{"4.4 nothing", "http://example.com/a", nil, ""},
		{"4.4 Location", "http://example.com/a", []string{"Location: /b?c#d"}, "http://example.com/b?c"},
		{"4.4 Content-Location", "http://example.com/a/", []string{"Content-Location: b"}, "http://example.com/a/b"},
		{"4.4 both", "http://example.com/a", []string{"Location: /b", "Content-Location: /c"}, "http://example.com/b http://example.com/c"},
		{"4.4 both the same", "http://example.com/a", []string{"Location: /b", "Content-Location: /b"}, "http://example.com/b"},
		{"4.4 the target itself", "http://example.com/a", []string{"Location: /a#b"}, ""},
		{"4.4 the same origin in other words", "http://example.com/a", []string{"Location: HTTP://EXAMPLE.COM:80/b"}, "http://example.com/b"},
		{"4.4 the key of the target is kept", "http://example.com:80/a", []string{"Location: http://example.com/b"}, "http://example.com:80/b"},
		{"4.4 another host", "http://example.com/a", []string{"Location: http://other.example.com/b"}, ""},
		{"4.4 another scheme", "http://example.com/a", []string{"Location: https://example.com/b"}, ""},
		{"4.4 another port", "https://example.com/a", []string{"Location: https://example.com:8443/b"}, ""},
		{"4.4 a user", "http://example.com/a", []string{"Location: http://u@example.com/b"}, ""},
		{"4.4 two lines", "http://example.com/a", []string{"Location: /b", "Location: /c"}, ""},
		{"4.4 no URI", "http://example.com/a", []string{"Location: http://[/"}, ""},
		{"4.4 dot segments", "http://example.com/a/b", []string{"Location: ../c/./d"}, "http://example.com/c/d"},
		{"4.4 escapes are kept", "http://example.com/a", []string{"Location: /%2e%2E%20b?x=%41"}, "http://example.com/%2e%2E%20b?x=%41"},
	} {
		target, err := url.Parse(tt.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(InvalidatedURIs(target, header(tt.lines...)), " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestGroups(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"RFC 9875 2 none", nil, nil},
		{"RFC 9875 2 strings", []string{`"a", "b c"`}, []string{"a", "b c"}},
		{"RFC 9875 2 lines", []string{`"a"`, `"b", "a"`}, []string{"a", "b"}},
		{"RFC 9875 2 parameters are ignored", []string{`"a";revalidate`}, []string{"a"}},
		{"RFC 9875 2.1 case matters", []string{`"a", "A"`}, []string{"a", "A"}},
		{"RFC 9875 2 tokens are no strings", []string{`"a", b`}, nil},
		{"RFC 9875 2 an inner list is no string", []string{`("a")`}, nil},
		{"RFC 9875 2 broken", []string{`"a", "b`}, nil},
	} {
		h := header()
		h["Cache-Groups"], h["Cache-Group-Invalidation"] = tt.lines, tt.lines
		if diff := cmp.Diff(tt.want, Groups(h)); diff != "" {
			t.Errorf("%s: Groups (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.want, GroupInvalidations(h)); diff != "" {
			t.Errorf("%s: GroupInvalidations (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestTags(t *testing.T) {
	h := header(`Cache-Groups: "a b", "c"`, "Surrogate-Key: c d,e  f", "Cache-Tag: g, h,i", "Xkey: j k,l")
	if got, want := strings.Join(Tags(h), "|"), "a b|c|d,e|f|g|h|i|j|k|l"; got != want {
		t.Errorf("Tags = %s, want %s", got, want)
	}
	if got := Tags(header("Cache-Groups: broken;")); got != nil {
		t.Errorf("Tags of a broken field = %q", got)
	}
	long := strings.Repeat("x", MaxTagLength)
	var many []string
	for i := range MaxTags + 10 {
		many = append(many, "t"+strings.Repeat("y", i%7)+string(rune('a'+i%26))+strings.Repeat("z", i/26))
	}
	got := Tags(header("Surrogate-Key: "+long+"x "+long+" "+strings.Join(many, " "), "Cache-Tag: "+long))
	if len(got) != MaxTags || got[0] != long {
		t.Errorf("Tags returns %d, the first of %d bytes, want %d, %d", len(got), len(got[0]), MaxTags, MaxTagLength)
	}
	slices.Sort(got)
	if len(slices.Compact(got)) != MaxTags {
		t.Error("Tags returns one twice")
	}
}
