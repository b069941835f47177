package rfc9111

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestVaryFields(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
		star  bool
	}{
		{"RFC 9110 12.5.5 none", nil, "", false},
		{"RFC 9110 12.5.5 names", []string{"foo, ACCEPT"}, "Accept Foo", false},
		{"RFC 9110 12.5.5 lines", []string{"foo", "bar, foo"}, "Bar Foo", false},
		{"RFC 9110 12.5.5 empty", []string{"", ", ,"}, "", false},
		{"4.1 *", []string{"*"}, "", true},
		{"4.1 *, *", []string{"*, *"}, "", true},
		{"4.1 * on two lines", []string{"*", "*"}, "", true},
		{"4.1 , *", []string{", *"}, "", true},
		{"4.1 an empty line and *", []string{"", "*"}, "", true},
		{"4.1 *, Foo", []string{"*, Foo"}, "", true},
		{"4.1 Foo, *", []string{"Foo, *"}, "", true},
		{"4.1 no name", []string{"Foo; bar"}, "", true},
	} {
		names, star := VaryFields(http.Header{"Vary": tt.lines})
		if strings.Join(names, " ") != tt.want || star != tt.star {
			t.Errorf("%s: %q, %v, want %q, %v", tt.name, names, star, tt.want, tt.star)
		}
	}
}

func TestMatching(t *testing.T) {
	tests := []struct {
		name string
		a, b http.Header
		want bool
	}{
		{"4.1 the same", header("Foo: 1"), header("Foo: 1"), true},
		{"4.1 another value", header("Foo: 1"), header("Foo: 2"), false},
		{"4.1 absent matches absent", header(), header("Other: 1"), true},
		{"4.1 absent does not match a value", header(), header("Foo: 1"), false},
		{"4.1 absent does not match the empty value", header(), header("Foo: "), false},
		{"4.1 lines are combined", header("Foo: 1, 2"), header("Foo: 1", "Foo: 2"), true},
		{"4.1 space around commas", header("Foo: 1,2"), header("Foo:  1 ,\t2 "), true},
		{"4.1 space elsewhere", header("Foo: 1 2"), header("Foo: 1  2"), false},
		{"4.1 space in quotes", header(`Foo: "1,2"`), header(`Foo: "1, 2"`), false},
		{"4.1 quotes over two lines", header(`Foo: "1`, `Foo: 2"`), header(`Foo: "1,2"`), false},
		{"4.1 quotes over two lines, in one", header(`Foo: "1`, `Foo: 2"`), header(`Foo: "1, 2"`), true},
		{"4.1 order", header("Foo: 1, 2"), header("Foo: 2, 1"), false},
		{"4.1 case", header("Foo: a"), header("Foo: A"), false},
		{"4.1 values stay in their fields", header("Foo: 1", "Bar: 2"), header("Foo: 2", "Bar: 1"), false},
		{"4.1 one absent, one not", header("Foo: 1"), header("Bar: 1"), false},
		{"4.1 Accept-Language, order of equals", header("Accept-Language: en, de"), header("Accept-Language: de, en"), true},
		{"4.1 Accept-Language, case", header("Accept-Language: en, de"), header("Accept-Language: eN, De"), true},
		{"4.1 Accept-Language, space", header("Accept-Language: en, de"), header("Accept-Language:  en ,   de"), true},
		{"4.1 Accept-Language, weights in another order", header("Accept-Language: en;q=0.5, de"), header("Accept-Language: de, en; q=0.8"), true},
		{"4.1 Accept-Language, other weights", header("Accept-Language: en;q=0.5, de"), header("Accept-Language: en, de;q=0.5"), false},
		{"4.1 Accept-Language, equal is not less", header("Accept-Language: en, de"), header("Accept-Language: de, en;q=0.5"), false},
		{"4.1 Accept-Language, refused", header("Accept-Language: en, de;q=0"), header("Accept-Language: en, de;q=0.1"), false},
		{"4.1 Accept-Encoding, order", header("Accept-Encoding: gzip, br"), header("Accept-Encoding: br, gzip"), true},
		{"4.1 Accept-Encoding, weights", header("Accept-Encoding: gzip;q=1.0, br;q=0.1"), header("Accept-Encoding: br, gzip"), true},
		{"4.1 Accept-Encoding, others", header("Accept-Encoding: gzip, deflate, br"), header("Accept-Encoding: gzip, br"), true},
		{"4.1 Accept-Encoding, a subset", header("Accept-Encoding: gzip, br"), header("Accept-Encoding: br"), false},
		{"4.1 Accept-Encoding, refused", header("Accept-Encoding: gzip, br;q=0"), header("Accept-Encoding: gzip, br"), false},
		{"4.1 Accept-Encoding, absent", header(), header("Accept-Encoding: identity"), false},
	}
	names := []string{"Accept-Encoding", "Accept-Language", "Bar", "Foo"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := AppendVariant(nil, names, tt.a), AppendVariant(nil, names, tt.b)
			if got := string(a) == string(b); got != tt.want {
				t.Errorf("%v and %v match: %v, want %v (%q, %q)", tt.a, tt.b, got, tt.want, a, b)
			}
		})
	}
}

func TestAcceptedCodings(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"gzip, deflate, br, zstd", "br, zstd, gzip"},
		{"gzip, deflate, br", "br, gzip"},
		{"GZIP", "gzip"},
		{"x-gzip", "gzip"},
		{"gzip;q=0", "identity"},
		{"gzip;q=0.001", "gzip"},
		{"gzip;q=0.000", "identity"},
		{"", "identity"},
		{"deflate", "identity"},
		{"*", "br, zstd, gzip"},
		{"*;q=0.1, br;q=0", "zstd, gzip"},
		{"gzip, *;q=0", "gzip, identity;q=0"},
		{"gzip, identity;q=0", "gzip, identity;q=0"},
		{"identity, *;q=0", "identity"},
		{"*;q=0", "identity;q=0"},
		{"gzip;q=x", "gzip"},
	} {
		if got := AcceptedCodings([]string{tt.in}).String(); got != tt.want {
			t.Errorf("RFC 9110 12.5.3: AcceptedCodings(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	for c := range CodingIdentity << 1 {
		if got := AcceptedCodings([]string{c.String()}); got != c {
			t.Errorf("AcceptedCodings(%q) = %q", c, got)
		}
	}
}

func TestPreferredLanguage(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"de", "de"},
		{"fr;q=0.5, DE;q=1.0", "de"},
		{"de-CH, de;q=0.9, *;q=0.1", "de-ch"},
		{"en, de", ""},
		{"fr;q=0.5, en, de", ""},
		{"fr;q=0.5, it;q=0.5, de", "de"},
		{"*", ""},
		{"de;q=0", ""},
		{"", ""},
	} {
		if got := PreferredLanguage(header("Accept-Language: " + tt.in)); got != tt.want {
			t.Errorf("PreferredLanguage(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	for _, tt := range []struct{ in, want string }{{"de-AT", "de-at"}, {"de, en", ""}, {"", ""}} {
		if got := ContentLanguage(header("Content-Language: " + tt.in)); got != tt.want {
			t.Errorf("ContentLanguage(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestAppendVariantFor(t *testing.T) {
	names := []string{"Accept-Language", "Foo"}
	kept := AppendVariantFor(nil, names, header("Accept-Language: en, de", "Foo: 1"), ContentLanguage(header("Content-Language: de")))
	asked := header("Accept-Language: fr;q=0.5, de;q=1.0", "Foo: 1")
	if wanted := AppendVariantFor(nil, names, asked, PreferredLanguage(asked)); string(kept) != string(wanted) {
		t.Errorf("4.1: the response is kept for %q, the request wants %q", kept, wanted)
	}
	if own := AppendVariant(nil, names, header("Accept-Language: de", "Foo: 1")); string(kept) != string(own) {
		t.Errorf("4.1: the response is kept for %q, a request for de alone wants %q", kept, own)
	}
	other := header("Accept-Language: de", "Foo: 2")
	if wanted := AppendVariant(nil, names, other); string(kept) == string(wanted) {
		t.Errorf("4.1: Foo does not matter in %q", wanted)
	}
}

func TestAppendVariantAllocatesNothing(t *testing.T) {
	names := []string{"Accept-Encoding", "Accept-Language", "Foo"}
	req := header("Accept-Encoding: gzip, deflate, br", "Accept-Language: de-CH, de;q=0.9, en;q=0.8", "Foo: a, b", "Foo: c")
	dst := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { AppendVariant(dst, names, req) }); n != 0 {
		t.Errorf("AppendVariant allocates %v times, want 0", n)
	}
}

func FuzzAppendSelecting(f *testing.F) {
	for _, s := range []string{"gzip, deflate, br;q=0.5", "de-CH, de;q=0.9, *;q=0.1", `"a, b", c`, `a "b`, "x;q=1.000;q=0", ",,;q=0"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, name := range []string{"Accept-Encoding", "Accept-Language", "Foo"} {
			one := AppendSelecting(nil, name, []string{a, b})
			spaced := AppendSelecting(nil, name, []string{" " + a + "\t", ", " + b + " ,"})
			if string(one) != string(spaced) && !strings.Contains(a, `"`) {
				t.Errorf("%s: %q, %q is %q, with space around %q", name, a, b, one, spaced)
			}
			if name != "Accept-Language" {
				if again := AppendSelecting(nil, name, []string{string(one)}); string(again) != string(one) {
					t.Errorf("%s: %q is %q, which is %q", name, a, one, again)
				}
			}
		}
		PreferredLanguage(http.Header{"Accept-Language": {a, b}})
		names, star := VaryFields(http.Header{"Vary": {a, b}})
		if star && names != nil || !slices.IsSorted(names) {
			t.Errorf("VaryFields(%q, %q) = %q, %v", a, b, names, star)
		}
	})
}
