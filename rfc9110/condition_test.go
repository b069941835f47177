package rfc9110

import (
	"net/http"
	"testing"
	"time"
)

const (
	before = "Mon, 06 May 2024 07:08:08 GMT"
	same   = "Mon, 06 May 2024 07:08:09 GMT"
	after  = "Mon, 06 May 2024 07:08:10 GMT"
)

func validators() *Validators {
	return &Validators{ETag: `"a"`, Modified: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), StrongDate: true}
}

// header makes a header of names and values by turns.
func header(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// TestEvaluate asks by the sections that preconditions come from. The whole of If-Match and so on is in the frontends' tests.
func TestEvaluate(t *testing.T) {
	bare := &Validators{}
	for name, c := range map[string]struct {
		method  string
		headers []string
		v       *Validators
		want    Verdict
	}{
		"none":                                       {"GET", nil, validators(), Proceed},
		"13.1.1 If-Match, the tag":                   {"GET", []string{"If-Match", `"x", "a"`}, validators(), Proceed},
		"13.1.1 If-Match compares strongly":          {"GET", []string{"If-Match", `W/"a"`}, validators(), PreconditionFailed},
		"13.1.1 If-Match, weak on both sides":        {"GET", []string{"If-Match", `W/"a"`}, &Validators{ETag: `W/"a"`}, PreconditionFailed},
		"13.1.1 If-Match, any, without a tag":        {"PUT", []string{"If-Match", "*"}, bare, Proceed},
		"13.1.1 If-Match, a tag, without one":        {"PUT", []string{"If-Match", `"a"`}, bare, PreconditionFailed},
		"13.1.2 If-None-Match, GET":                  {"GET", []string{"If-None-Match", `W/"a"`}, validators(), NotModified},
		"13.1.2 If-None-Match, HEAD":                 {"HEAD", []string{"If-None-Match", `"a"`}, validators(), NotModified},
		"13.1.2 If-None-Match, others fail":          {"PUT", []string{"If-None-Match", "*"}, validators(), PreconditionFailed},
		"13.1.2 If-None-Match, PUT of another":       {"PUT", []string{"If-None-Match", `"x"`}, validators(), Proceed},
		"13.1.2 If-None-Match, without a tag":        {"GET", []string{"If-None-Match", `"a"`}, bare, Proceed},
		"13.1.3 If-Modified-Since":                   {"GET", []string{"If-Modified-Since", same}, validators(), NotModified},
		"13.1.3 If-Modified-Since, earlier":          {"GET", []string{"If-Modified-Since", before}, validators(), Proceed},
		"13.1.3 If-Modified-Since is for reading":    {"POST", []string{"If-Modified-Since", after}, validators(), Proceed},
		"13.1.3 If-Modified-Since, without a date":   {"GET", []string{"If-Modified-Since", after}, bare, Proceed},
		"13.1.4 If-Unmodified-Since":                 {"PUT", []string{"If-Unmodified-Since", same}, validators(), Proceed},
		"13.1.4 If-Unmodified-Since, earlier":        {"PUT", []string{"If-Unmodified-Since", before}, validators(), PreconditionFailed},
		"13.2.2 If-Match hides If-Unmodified-Since":  {"GET", []string{"If-Match", `"a"`, "If-Unmodified-Since", before}, validators(), Proceed},
		"13.2.2 If-Match before If-None-Match":       {"GET", []string{"If-Match", `"x"`, "If-None-Match", `"a"`}, validators(), PreconditionFailed},
		"13.2.2 If-None-Match hides the other":       {"GET", []string{"If-None-Match", `"x"`, "If-Modified-Since", after}, validators(), Proceed},
		"13.2.2 If-Unmodified-Since before the read": {"GET", []string{"If-Unmodified-Since", before, "If-None-Match", `"a"`}, validators(), PreconditionFailed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Evaluate(c.method, header(c.headers...), c.v); got != c.want {
				t.Errorf("Evaluate(%s, %q) = %d, want %d", c.method, c.headers, got, c.want)
			}
		})
	}
	t.Run("RFC 9111, 4.3.2: a cache leaves If-Match alone", func(t *testing.T) {
		if !Unmodified(header("If-Match", `"x"`, "If-None-Match", `"a"`), validators()) {
			t.Error("Unmodified looks at If-Match")
		}
	})
}

func TestIfRange(t *testing.T) {
	weak := validators()
	weak.StrongDate = false
	for name, c := range map[string]struct {
		v    *Validators
		want bool
		h    []string
	}{
		"none":                     {validators(), true, nil},
		"the tag":                  {validators(), true, []string{"If-Range", `"a"`}},
		"a weak tag":               {validators(), false, []string{"If-Range", `W/"a"`}},
		"another tag":              {validators(), false, []string{"If-Range", `"b"`}},
		"the date":                 {validators(), true, []string{"If-Range", same}},
		"a later date":             {validators(), false, []string{"If-Range", after}},
		"8.8.2.2 a date is weak":   {weak, false, []string{"If-Range", same}},
		"two":                      {validators(), false, []string{"If-Range", `"a"`, "If-Range", `"a"`}},
		"neither":                  {validators(), false, []string{"If-Range", "a"}},
		"nothing to compare with":  {&Validators{}, false, []string{"If-Range", `"a"`}},
		"nothing to compare dates": {&Validators{StrongDate: true}, false, []string{"If-Range", same}},
	} {
		if got := IfRange(header(c.h...), c.v); got != c.want {
			t.Errorf("%s: IfRange(%q) = %v, want %v", name, c.h, got, c.want)
		}
	}
}

// TestTags cuts lists as section 8.8.3 has them.
func TestTags(t *testing.T) {
	for line, want := range map[string]bool{
		`"a"`: true, `W/"a"`: true, `"b","a"`: true, `"b" , W/"a"`: true, `, ,"a"`: true, `*`: true, `"",""a"`: false,
		``: false, `a`: false, `"a`: false, `w/"a"`: false, `"b" "a"`: true, `"b\"","a"`: false, "\"a\x00\"": false,
	} {
		if got := listed([]string{line}, `"a"`, WeakMatch); got != want {
			t.Errorf("listed(%q) = %v, want %v", line, got, want)
		}
	}
	for tag, want := range map[string]struct {
		valid, strong bool
		weak          string
	}{
		`"a"`: {true, true, `W/"a"`}, `W/"a"`: {true, false, `W/"a"`}, "": {false, false, ""}, `""`: {true, true, `W/""`},
		`"a",`: {false, true, `W/"a",`}, `"a"b`: {false, true, `W/"a"b`},
	} {
		if ValidTag(tag) != want.valid || StrongTag(tag) != want.strong || WeakenTag(tag) != want.weak {
			t.Errorf("%q: valid %v, strong %v, weak %q, want %+v", tag, ValidTag(tag), StrongTag(tag), WeakenTag(tag), want)
		}
	}
}

func FuzzConditions(f *testing.F) {
	for _, s := range []string{`"a"`, `W/"a", *`, "*", same, `"x" "a`, ""} {
		f.Add(s, s, s, `"a"`)
	}
	f.Fuzz(func(t *testing.T, match, none, since, etag string) {
		h := header("If-Match", match, "If-None-Match", none, "If-Modified-Since", since, "If-Range", since)
		v := validators()
		v.ETag = etag
		got := Evaluate("GET", h, v)
		if none != "" && got == NotModified && trim(none) != "*" && !ValidTag(etag) {
			t.Fatalf("If-None-Match: %q is %q, which is no tag", none, etag)
		}
		if tag, rest := CutTag(none); tag != "" && len(tag)+len(rest) > len(none) {
			t.Fatalf("CutTag(%q) = %q, %q", none, tag, rest)
		}
		if IfRange(h, v) && StrongTag(since) && trim(since) != etag && since[0] == '"' {
			t.Fatalf("If-Range: %q lets through what is %q", since, etag)
		}
	})
}
