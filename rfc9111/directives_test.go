package rfc9111

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// header makes a header of lines such as "Name: value".
func header(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func TestParseResponse(t *testing.T) {
	type change = func(d *Directives)
	maxAge := func(seconds int) change {
		return func(d *Directives) { d.MaxAge = time.Duration(seconds) * time.Second }
	}
	tests := []struct {
		name  string
		lines []string
		want  change
	}{
		{"5.2 nothing", nil, func(*Directives) {}},
		{"5.2.2.1 max-age", []string{"max-age=3600"}, maxAge(3600)},
		{"5.2 any case", []string{"MaX-aGe=3600"}, maxAge(3600)},
		{"5.2 a quoted argument is accepted", []string{`max-age="3600"`}, maxAge(3600)},
		{"5.2 a list in two lines", []string{"max-age=3600", "no-store"}, func(d *Directives) { d.MaxAge, d.NoStore = time.Hour, true }},
		{"5.2 empty members", []string{", ,max-age=3600,,"}, maxAge(3600)},
		{"1.2.2 too great", []string{"max-age=99999999999"}, maxAge(1 << 31)},
		{"4.2.1 the first of two counts", []string{"max-age=1800, max-age=1"}, maxAge(1800)},
		{"4.2.1 the first of two lines counts", []string{"max-age=1", "max-age=1800"}, maxAge(1)},
		{"4.2.1 no number is zero", []string{"max-age=a3600"}, maxAge(0)},
		{"4.2.1 a fraction is zero", []string{"max-age=3600.5"}, maxAge(0)},
		{"4.2.1 single quotes are zero", []string{"max-age='3600'"}, maxAge(0)},
		{"4.2.1 no value is zero", []string{"max-age"}, maxAge(0)},
		{"5.2 space before = is zero", []string{"max-age =3600"}, maxAge(0)},
		{"5.2 space after = is zero", []string{"max-age= 3600"}, maxAge(0)},
		{"5.2 something after the quote is zero", []string{`max-age="3600"x`}, maxAge(0)},
		{"5.2 max-age in a string is none", []string{`extension="max-age=3600", max-age=1`}, maxAge(1)},
		{"5.2 a quote in a string", []string{`a="\", no-store", max-age=1`}, maxAge(1)},
		{"5.2 a quote that never ends hides nothing", []string{`a="x, no-store`}, func(d *Directives) { d.NoStore = true }},
		{"5.2.2.2 must-revalidate", []string{"must-revalidate"}, func(d *Directives) { d.MustRevalidate = true }},
		{"5.2.2.3 must-understand", []string{"must-understand"}, func(d *Directives) { d.MustUnderstand = true }},
		{"5.2.2.4 no-cache", []string{"No-CaChE"}, func(d *Directives) { d.NoCache = true }},
		{"5.2.2.4 qualified no-cache", []string{`no-cache="a, set-cookie"`}, func(d *Directives) { d.NoCacheFields = []string{"A", "Set-Cookie"} }},
		{"5.2.2.4 token form", []string{`no-cache=a`}, func(d *Directives) { d.NoCacheFields = []string{"A"} }},
		{"5.2.2.4 no fields is all", []string{`no-cache=""`}, func(d *Directives) { d.NoCache = true }},
		{"5.2.2.4 broken is all", []string{`no-cache="a b"`}, func(d *Directives) { d.NoCache = true }},
		{"5.2.2.5 no-store", []string{"nO-StOrE"}, func(d *Directives) { d.NoStore = true }},
		{"5.2.2.5 no-store with an argument", []string{"no-store=1"}, func(d *Directives) { d.NoStore = true }},
		{"5.2.2.6 no-transform", []string{"no-transform"}, func(d *Directives) { d.NoTransform = true }},
		{"5.2.2.7 private", []string{"private"}, func(d *Directives) { d.Private = true }},
		{"5.2.2.7 qualified private", []string{`private="x-user"`}, func(d *Directives) { d.PrivateFields = []string{"X-User"} }},
		{"5.2.2.7 both forms", []string{`private, private="a"`}, func(d *Directives) { d.Private, d.PrivateFields = true, []string{"A"} }},
		{"5.2.2.7 an open quote is all", []string{`private="a`}, func(d *Directives) { d.Private = true }},
		{"5.2.2.8 proxy-revalidate", []string{"proxy-revalidate"}, func(d *Directives) { d.ProxyRevalidate = true }},
		{"5.2.2.9 public", []string{"public"}, func(d *Directives) { d.Public = true }},
		{"5.2.2.9 public with an argument gives no leave", []string{"public=1"}, func(*Directives) {}},
		{"5.2.2.10 s-maxage", []string{"s-maxage=10"}, func(d *Directives) { d.SMaxAge = 10 * time.Second }},
		{"5.2.2.10 broken s-maxage", []string{"s-maxage=x"}, func(d *Directives) { d.SMaxAge = 0 }},
		{"5.2.3 unknown ones are ignored", []string{"foo, bar=1, baz=\"2\""}, func(*Directives) {}},
		{"RFC 5861 3", []string{"stale-while-revalidate=30"}, func(d *Directives) { d.StaleWhileRevalidate = 30 * time.Second }},
		{"RFC 5861 4", []string{"stale-if-error=60"}, func(d *Directives) { d.StaleIfError = time.Minute }},
		{"RFC 5861 broken is none", []string{"stale-if-error=x, stale-while-revalidate"}, func(*Directives) {}},
		{"RFC 8246 2", []string{"immutable"}, func(d *Directives) { d.Immutable = true }},
		{"RFC 8246 2 an argument is ignored", []string{"immutable=1"}, func(d *Directives) { d.Immutable = true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := noDirectives()
			tt.want(&want)
			if diff := cmp.Diff(want, ParseResponse(http.Header{"Cache-Control": tt.lines}, nil)); diff != "" {
				t.Errorf("ParseResponse(%q) (-want +got):\n%s", tt.lines, diff)
			}
		})
	}
}

func TestParseTargeted(t *testing.T) {
	const targets = "Edgecache-Cache-Control CDN-Cache-Control"
	tests := []struct {
		name   string
		header http.Header
		source string // empty: Cache-Control
		maxAge time.Duration
	}{
		{"2.2 the first of the list", header("Cdn-Cache-Control: max-age=2", "Edgecache-Cache-Control: max-age=1"), "Edgecache-Cache-Control", time.Second},
		{"2.2 the second if there is no first", header("Cdn-Cache-Control: max-age=2", "Cache-Control: max-age=3"), "Cdn-Cache-Control", 2 * time.Second},
		{"2.2 none of them", header("Other-Cache-Control: max-age=2", "Cache-Control: max-age=3"), "", 3 * time.Second},
		{"2.1 an empty field is ignored", header("Cdn-Cache-Control: ", "Cache-Control: max-age=3"), "", 3 * time.Second},
		{"2.1 a broken field is ignored whole", header("Cdn-Cache-Control: max-age=10000, &&&&&", "Cache-Control: max-age=3"), "", 3 * time.Second},
		{"2.1 a broken first leaves the second", header("Edgecache-Cache-Control: &", "Cdn-Cache-Control: max-age=2"), "Cdn-Cache-Control", 2 * time.Second},
		{"2.1 space before =", header("Cdn-Cache-Control: max-age =2", "Cache-Control: max-age=3"), "", 3 * time.Second},
		{"2.1 space after =", header("Cdn-Cache-Control: max-age= 2", "Cache-Control: max-age=3"), "", 3 * time.Second},
		{"2.1 keys are in lower case", header("Cdn-Cache-Control: MaX-aGe=2", "Cache-Control: max-age=3"), "", 3 * time.Second},
		{"2.1 a string is no integer", header(`Cdn-Cache-Control: max-age="2"`, "Cache-Control: max-age=3"), "Cdn-Cache-Control", Absent},
		{"2.1 a decimal is no integer", header(`Cdn-Cache-Control: max-age=2.0`), "Cdn-Cache-Control", Absent},
		{"2.1 a negative one is none", header(`Cdn-Cache-Control: max-age=-2`), "Cdn-Cache-Control", Absent},
		{"2.1 parameters are ignored", header(`Cdn-Cache-Control: max-age=2;a=b;c`), "Cdn-Cache-Control", 2 * time.Second},
		{"2.1 unknown members are ignored", header(`Cdn-Cache-Control: foobar, max-age=2, x=(1 2)`), "Cdn-Cache-Control", 2 * time.Second},
		{"2.1 too great", header(`Cdn-Cache-Control: max-age=99999999999`), "Cdn-Cache-Control", MaxDelta},
		{"RFC 9651 3.2 the last of two", header(`Cdn-Cache-Control: max-age=1, max-age=2`), "Cdn-Cache-Control", 2 * time.Second},
		{"RFC 9651 4.2 two lines", header(`Cdn-Cache-Control: foo`, `Cdn-Cache-Control: max-age=2`), "Cdn-Cache-Control", 2 * time.Second},
		{"3.1 a directive that is none", header("Cdn-Cache-Control: none", "Cache-Control: no-store"), "Cdn-Cache-Control", Absent},
	}
	for _, tt := range tests {
		t.Run("RFC 9213 "+tt.name, func(t *testing.T) {
			var names []string
			for name := range strings.FieldsSeq(targets) {
				names = append(names, http.CanonicalHeaderKey(name))
			}
			d := ParseResponse(tt.header, names)
			if d.Source != tt.source || d.MaxAge != tt.maxAge || d.NoStore {
				t.Errorf("ParseResponse(%v) = %+v, want source %q, max-age %v", tt.header, d, tt.source, tt.maxAge)
			}
		})
	}
}

func TestParseTargetedMembers(t *testing.T) {
	in := `max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, no-store, no-transform, public, immutable,` +
		` must-revalidate, proxy-revalidate, must-understand, no-cache, private="a, b"`
	want := Directives{
		Source: "T", MaxAge: time.Second, SMaxAge: 2 * time.Second, StaleWhileRevalidate: 3 * time.Second, StaleIfError: 4 * time.Second,
		NoStore: true, NoTransform: true, Public: true, Immutable: true, MustRevalidate: true, ProxyRevalidate: true,
		MustUnderstand: true, NoCache: true, PrivateFields: []string{"A", "B"},
	}
	if diff := cmp.Diff(want, ParseResponse(header("T: "+in), []string{"T"})); diff != "" {
		t.Errorf("all members (-want +got):\n%s", diff)
	}
	want = noDirectives()
	want.Source = "T"
	in = `no-store=?0, public=1, private=1, no-cache=a, must-revalidate="yes", max-age=?1`
	if diff := cmp.Diff(want, ParseResponse(header("T: "+in), []string{"T"})); diff != "" {
		t.Errorf("members of the wrong type (-want +got):\n%s", diff)
	}
}

func TestParseRequest(t *testing.T) {
	type change = func(d *RequestDirectives)
	tests := []struct {
		name   string
		header http.Header
		want   change
	}{
		{"nothing", header(), func(*RequestDirectives) {}},
		{"5.2.1.1 max-age", header("Cache-Control: max-age=5"), func(d *RequestDirectives) { d.MaxAge = 5 * time.Second }},
		{"5.2.1.1 broken max-age", header("Cache-Control: max-age=x"), func(*RequestDirectives) {}},
		{"5.2.1.2 max-stale", header("Cache-Control: max-stale=5"), func(d *RequestDirectives) { d.MaxStale = 5 * time.Second }},
		{"5.2.1.2 max-stale without a value", header("Cache-Control: max-stale"), func(d *RequestDirectives) { d.MaxStale = MaxDelta }},
		{"5.2.1.2 broken max-stale", header("Cache-Control: max-stale=x"), func(*RequestDirectives) {}},
		{"5.2.1.3 min-fresh", header("Cache-Control: min-fresh=5"), func(d *RequestDirectives) { d.MinFresh = 5 * time.Second }},
		{"5.2.1.4 no-cache", header("Cache-Control: no-cache"), func(d *RequestDirectives) { d.NoCache = true }},
		{"5.2.1.5 no-store", header("Cache-Control: no-store"), func(d *RequestDirectives) { d.NoStore = true }},
		{"5.2.1.6 no-transform", header("Cache-Control: no-transform"), func(d *RequestDirectives) { d.NoTransform = true }},
		{"5.2.1.7 only-if-cached", header("Cache-Control: only-if-cached"), func(d *RequestDirectives) { d.OnlyIfCached = true }},
		{"RFC 5861 4", header("Cache-Control: stale-if-error=5"), func(d *RequestDirectives) { d.StaleIfError = 5 * time.Second }},
		{"5.4 Pragma", header("Pragma: no-cache"), func(d *RequestDirectives) { d.NoCache = true }},
		{"5.4 Pragma in a list", header("Pragma: a=b, No-Cache"), func(d *RequestDirectives) { d.NoCache = true }},
		{"5.4 Pragma beside Cache-Control", header("Pragma: no-cache", "Cache-Control: foo"), func(*RequestDirectives) {}},
		{"5.4 another Pragma", header("Pragma: foo"), func(*RequestDirectives) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := NoRequestDirectives()
			tt.want(&want)
			if got := ParseRequest(tt.header); got != want {
				t.Errorf("ParseRequest(%v) = %+v, want %+v", tt.header, got, want)
			}
		})
	}
}

func TestParseRequestAllocatesNothing(t *testing.T) {
	h := header("Cache-Control: max-age=0, no-transform, foo=\"b,a\"r, max-stale", "Cache-Control: only-if-cached")
	if n := testing.AllocsPerRun(100, func() { ParseRequest(h) }); n != 0 {
		t.Errorf("ParseRequest allocates %v times, want 0", n)
	}
}

func FuzzParseResponse(f *testing.F) {
	for _, s := range []string{
		"max-age=3600", `private="a, b", no-cache="c"`, "max-age =1, s-maxage= 2", `a="\", no-store", max-age=1`, `x="`, ",,=,",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		h := http.Header{"Cache-Control": {a, b}, "T": {b}}
		one := ParseResponse(h, nil)
		checkDirectives(t, &one)
		if !ParseResponse(http.Header{"Cache-Control": {"no-store", a}}, nil).NoStore {
			t.Errorf("no-store is not seen before %q", a)
		}
		targeted := ParseResponse(h, []string{"T"})
		checkDirectives(t, &targeted)
		ParseRequest(h)
	})
}

func checkDirectives(t *testing.T, d *Directives) {
	t.Helper()
	for _, delta := range []time.Duration{d.MaxAge, d.SMaxAge, d.StaleIfError, d.StaleWhileRevalidate} {
		if delta < Absent || delta > MaxDelta {
			t.Errorf("%+v: %v is no delta", d, delta)
		}
	}
	for _, name := range slices.Concat(d.NoCacheFields, d.PrivateFields) {
		if !isToken(name) || name != http.CanonicalHeaderKey(name) {
			t.Errorf("%+v: %q is no name of a field", d, name)
		}
	}
}
