package files

import (
	"strings"
	"testing"
)

// TestConditions asks with each precondition, by the sections of RFC 9110 that it comes from.
func TestConditions(t *testing.T) {
	s := serve(t, Options{}, "a.txt", "hello, world")
	etag := s.get("/a.txt").Header.Get("Etag")
	const before, after, same = "Mon, 06 May 2024 07:08:08 GMT", "Mon, 06 May 2024 07:08:10 GMT", pastHeader
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"13.1.1 If-Match, the tag":                      {[]string{"If-Match", etag}, 200},
		"13.1.1 If-Match, one of a list":                {[]string{"If-Match", `"x", ` + etag}, 200},
		"13.1.1 If-Match, in a second line":             {[]string{"If-Match", `"x"`, "If-Match", etag}, 200},
		"13.1.1 If-Match, any":                          {[]string{"If-Match", "*"}, 200},
		"13.1.1 If-Match, another":                      {[]string{"If-Match", `"x"`}, 412},
		"13.1.1 If-Match compares strongly":             {[]string{"If-Match", "W/" + etag}, 412},
		"13.1.1 If-Match, not a tag":                    {[]string{"If-Match", "x"}, 412},
		"13.1.2 If-None-Match, the tag":                 {[]string{"If-None-Match", etag}, 304},
		"13.1.2 If-None-Match compares weakly":          {[]string{"If-None-Match", "W/" + etag}, 304},
		"13.1.2 If-None-Match, one of a list":           {[]string{"If-None-Match", `"a,b",, W/"x" ,` + etag}, 304},
		"13.1.2 If-None-Match, any":                     {[]string{"If-None-Match", "*"}, 304},
		"13.1.2 If-None-Match, another":                 {[]string{"If-None-Match", `"x"`}, 200},
		"13.1.2 If-None-Match, not a tag":               {[]string{"If-None-Match", strings.Trim(etag, `"`)}, 200},
		"13.1.3 If-Modified-Since, the time":            {[]string{"If-Modified-Since", same}, 304},
		"13.1.3 If-Modified-Since, later":               {[]string{"If-Modified-Since", after}, 304},
		"13.1.3 If-Modified-Since, earlier":             {[]string{"If-Modified-Since", before}, 200},
		"13.1.3 If-Modified-Since, RFC 850":             {[]string{"If-Modified-Since", "Monday, 06-May-24 07:08:09 GMT"}, 304},
		"13.1.3 If-Modified-Since, asctime":             {[]string{"If-Modified-Since", "Mon May  6 07:08:09 2024"}, 304},
		"13.1.3 If-Modified-Since, no date, is ignored": {[]string{"If-Modified-Since", "yesterday"}, 200},
		"13.1.3 If-Modified-Since, two, is ignored":     {[]string{"If-Modified-Since", same, "If-Modified-Since", same}, 200},
		"13.1.3 If-Modified-Since, ignored beside If-None-Match": {
			[]string{"If-None-Match", `"x"`, "If-Modified-Since", after}, 200,
		},
		"13.1.4 If-Unmodified-Since, the time":            {[]string{"If-Unmodified-Since", same}, 200},
		"13.1.4 If-Unmodified-Since, earlier":             {[]string{"If-Unmodified-Since", before}, 412},
		"13.1.4 If-Unmodified-Since, no date, is ignored": {[]string{"If-Unmodified-Since", "0"}, 200},
		"13.1.4 If-Unmodified-Since, ignored beside If-Match": {
			[]string{"If-Match", etag, "If-Unmodified-Since", before}, 200,
		},
		"13.2.2 If-Match before If-None-Match": {[]string{"If-Match", `"x"`, "If-None-Match", etag}, 412},
		"13.2.2 both hold":                     {[]string{"If-Match", etag, "If-None-Match", etag}, 304},
		"13.2.2 If-Unmodified-Since before If-None-Match": {
			[]string{"If-Unmodified-Since", before, "If-None-Match", etag}, 412,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				r := s.ask(method, "/a.txt", c.headers...)
				if r.StatusCode != c.status {
					t.Errorf("%s with %q: status %d, want %d", method, c.headers, r.StatusCode, c.status)
				}
				if got := r.Header.Get("Etag"); c.status != 412 && got != etag {
					t.Errorf("%s with %q: ETag %s, want %s", method, c.headers, got, etag)
				}
				if c.status == 304 && (r.body != "" || r.Header.Get("Content-Length") != "" || r.Header.Get("Content-Type") != "") {
					t.Errorf("%s with %q: 304 has a body or describes one: %q %v", method, c.headers, r.body, r.Header)
				}
			}
		})
	}
	t.Run("13.2.1 ignored where there is nothing", func(t *testing.T) {
		if r := s.get("/none.txt", "If-Match", "*"); r.StatusCode != 404 {
			t.Errorf("If-Match: * on an absent file: status %d, want 404", r.StatusCode)
		}
	})
}

// TestNotModifiedHeaders: a 304 has what a 200 would have of ETag, Vary and Cache-Control (section 15.4.5).
func TestNotModifiedHeaders(t *testing.T) {
	s := serve(t, Options{CacheControl: "max-age=60"}, "a.css", text(4000))
	for _, coding := range []string{"br", "zstd", "gzip", "identity"} {
		whole := s.get("/a.css", "Accept-Encoding", coding)
		r := s.get("/a.css", "Accept-Encoding", coding, "If-None-Match", whole.Header.Get("Etag"))
		if r.StatusCode != 304 {
			t.Fatalf("%s: status %d, want 304", coding, r.StatusCode)
		}
		for _, name := range []string{"Etag", "Vary", "Cache-Control"} {
			if got, want := r.Header.Get(name), whole.Header.Get(name); got != want || want == "" {
				t.Errorf("%s: %s of 304 = %q, want that of 200, %q", coding, name, got, want)
			}
		}
	}
	if etag := s.get("/a.css", "Accept-Encoding", "br").Header.Get("Etag"); s.get("/a.css", "If-None-Match", etag).StatusCode != 200 {
		t.Error("the tag of one coding makes another one 304")
	}
}

// TestIfRange asks for a range on a condition (section 13.1.5).
func TestIfRange(t *testing.T) {
	s := serve(t, Options{}, "a.txt", "0123456789", "old.txt", "0123456789")
	etag := s.get("/a.txt").Header.Get("Etag")
	for name, c := range map[string]struct {
		condition string
		status    int
	}{
		"the tag":               {etag, 206},
		"another tag":           {`"x"`, 200},
		"strong tags only":      {"W/" + etag, 200},
		"the very date":         {pastHeader, 206},
		"a later date":          {"Mon, 06 May 2024 07:08:10 GMT", 200},
		"neither tag nor date":  {"x", 200},
		"the tag without quote": {strings.Trim(etag, `"`), 200},
	} {
		t.Run(name, func(t *testing.T) {
			if r := s.get("/a.txt", "Range", "bytes=2-4", "If-Range", c.condition); r.StatusCode != c.status {
				t.Errorf("If-Range: %s: status %d, want %d", c.condition, r.StatusCode, c.status)
			}
		})
	}
	t.Run("ignored without Range", func(t *testing.T) {
		if r := s.get("/a.txt", "If-Range", `"x"`); r.StatusCode != 200 {
			t.Errorf("status %d, want 200", r.StatusCode)
		}
	})
	t.Run("13.2.2 preconditions come first", func(t *testing.T) {
		if r := s.get("/a.txt", "Range", "bytes=2-4", "If-None-Match", etag); r.StatusCode != 304 {
			t.Errorf("status %d, want 304", r.StatusCode)
		}
	})
}
