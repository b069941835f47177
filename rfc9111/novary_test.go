package rfc9111

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseNoVarySearch(t *testing.T) {
	keys := func(k ...string) SearchVariance { return SearchVariance{Keys: k} }
	except := func(k ...string) SearchVariance { return SearchVariance{Keys: k, Except: true} }
	order := func(v SearchVariance) SearchVariance { v.KeyOrder = true; return v }
	none := SearchVariance{}
	for in, want := range map[string]SearchVariance{
		// The examples of 5.2.1.
		`params=("a")`:                keys("a"),
		`except=("x")`:                except("x"),
		`params=()`:                   none,
		`except=()`:                   except(),
		`key-order="not a boolean"`:   none,
		`params="not an inner list"`:  none,
		`params=(not-a-string)`:       none,
		`params=?0`:                   none,
		`params=?1`:                   none,
		`params=?1, except=("x")`:     none,
		`params=("a"), except=("x")`:  none,
		`params=(), except=()`:        none,
		`except="not an inner list"`:  none,
		`except=(not-a-string)`:       none,
		`except=?1`:                   none,
		`key-order=?1, params=("a")`:  order(keys("a")),
		`except=("x"), key-order`:     order(except("x")),
		`key-order=?0, params=("a")`:  keys("a"),
		`key-order`:                   none,
		`key-order, params=()`:        order(none),
		`params=("b" "a" "b")`:        keys("a", "b"),
		`params=("a";p), other=1`:     keys("a"),
		`params=("a"), key-order=1`:   none,
		`params=("a`:                  none,
		`params=("%C3%A9+%E6%B0%97")`: keys("é 気"),
		`params=("a%zz%4")`:           keys("a%zz%4"),
		``:                            none,
	} {
		got := ParseNoVarySearch(header("No-Vary-Search: " + in))
		if got.KeyOrder != want.KeyOrder || got.Except != want.Except || !slices.Equal(got.Keys, want.Keys) {
			t.Errorf("ParseNoVarySearch(%s) = %+v, want %+v", in, got, want)
		}
		again := ParseNoVarySearch(header("No-Vary-Search: " + string(got.Append(nil))))
		if again.KeyOrder != got.KeyOrder || again.Except != got.Except || !slices.Equal(got.Keys, again.Keys) {
			t.Errorf("%+v is written as %s, which is %+v", got, got.Append(nil), again)
		}
	}
	if got := ParseNoVarySearch(header()); !got.IsDefault() {
		t.Errorf("ParseNoVarySearch without the field = %+v", got)
	}
}

func TestEquivalence(t *testing.T) {
	const order = "key-order, params=()"
	for _, tt := range []struct {
		name, rule, a, b string
		want             bool
	}{
		{"6 the default is to the byte", "params=()", "a=%20", "a=+", false},
		{"6 the default does not parse", "", "a=b&&&c", "a=b&c=", false},
		{"6.1 null and empty", order, "", "&", true},
		{"6.1 percent signs", order, "a=x", "%61=%78", true},
		{"6.1 UTF-8", order, "a=é", "a=%C3%A9", true},
		{"6.1 what is no UTF-8", order, "a=%f6", "a=%ef%bf%bd", true},
		{"6.1 empty parts", order, "a=x&&&&", "a=x", true},
		{"6.1 no value", order, "a=", "a", true},
		{"6.1 space", order, "a=%20", "a= &", true},
		{"6.1 plus", order, "a=+", "a= &", true},
		{"6 a beginning of a character is one U+FFFD", order, "a=%E6%B0", "a=%EF%BF%BD", true},
		{"6 and not two", order, "a=%E6%B0", "a=%FF%FF", false},
		{"6 an end without a beginning", order, "a=%B0%B0", "a=%EF%BF%BD", false},
		{"6 an overlong character", order, "a=%C0%80", "a=%FF%FF", true},
		{"6 key-order", order, "b=1&a=2", "a=2&b=1", true},
		{"6 key-order keeps the order of one key", order, "a=1&a=2", "a=2&a=1", false},
		{"6 without key-order", `params=("x")`, "b=1&a=2", "a=2&b=1", false},
		{"6 params", `params=("utm_source" "utm_medium")`, "utm_source=x&id=1&utm_medium=", "id=1", true},
		{"6 params, the others matter", `params=("utm_source")`, "id=1", "id=2", false},
		{"6 params in other words", `params=("a b")`, "a+b=1&id=1", "a%20b=2&id=1", true},
		{"6 params, case matters", `params=("a")`, "A=1", "A=2", false},
		{"6 except", `except=("id")`, "id=1&x=2", "y=3&id=1", true},
		{"6 except, that one matters", `except=("id")`, "id=1", "id=2", false},
		{"6 except nothing", `except=()`, "id=1", "", true},
		{"6 how often matters", `except=("id")`, "id=1&id=1", "id=1", false},
		{"6 an equals sign in a value", order, "a=b=c", "a=b%3Dc", true},
		{"6 an equals sign in a key", order, "a%3Db=c", "a=b=c", false},
		{"6 an ampersand in a value", order, "a=b%26c", "a=b&c", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := ParseNoVarySearch(header("No-Vary-Search: " + tt.rule))
			a, b := string(v.AppendCanonical(nil, tt.a)), string(v.AppendCanonical(nil, tt.b))
			if got := a == b; got != tt.want {
				t.Errorf("under %s, %q and %q are equivalent: %v, want %v (%q, %q)", tt.rule, tt.a, tt.b, got, tt.want, a, b)
			}
			if again := string(v.AppendCanonical(nil, a)); again != a {
				t.Errorf("the canonical form of %q is %q, not itself", a, again)
			}
		})
	}
}

func FuzzNoVarySearch(f *testing.F) {
	f.Add(`params=("a" "b")`, "a=1&b=2&c")
	f.Add(`key-order, except=("%C3%A9+x")`, "%C3%A9+x=1&&=&==&%zz=%")
	f.Add(`key-order, params=()`, "b=%E6%B0&a=\xf0\x9f&a=;")
	f.Fuzz(func(t *testing.T, rule, query string) {
		v := ParseNoVarySearch(header("No-Vary-Search: " + rule))
		wire := v.Append(nil)
		if again := ParseNoVarySearch(header("No-Vary-Search: " + string(wire))); string(again.Append(nil)) != string(wire) ||
			again.IsDefault() != v.IsDefault() {
			t.Errorf("%q is written as %q, which is %+v", rule, wire, again)
		}
		canonical := string(v.AppendCanonical(nil, query))
		if again := string(v.AppendCanonical(nil, canonical)); again != canonical {
			t.Errorf("under %q, %q is %q, which is %q", rule, query, canonical, again)
		}
		if v.IsDefault() || strings.Contains(query, ";") {
			return
		}
		all := SearchVariance{KeyOrder: true}
		oracle, err := url.ParseQuery(strings.ToValidUTF8(query, ""))
		got, gotErr := url.ParseQuery(string(all.AppendCanonical(nil, strings.ToValidUTF8(query, ""))))
		if err == nil && gotErr == nil && isUTF8(oracle) && !reflect.DeepEqual(got, oracle) {
			t.Errorf("%q is parsed as %q, net/url has %q", query, got, oracle)
		}
	})
}

// isUTF8 reports whether all keys and values are: net/url leaves other bytes as they are.
func isUTF8(values url.Values) bool {
	for key, all := range values {
		if !utf8.ValidString(key) || slices.ContainsFunc(all, func(v string) bool { return !utf8.ValidString(v) }) {
			return false
		}
	}
	return true
}
