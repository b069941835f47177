package rfc9111

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"
)

var structuredSeeds = []string{
	"", " ", "a", "a=1", "a=1, b", "a, a=2", "a=?0;x=1", `a="x\"y"`, "a=tok/en:1", "a=(1 2;q \"z\")", "a=:aGk=:", "a=1.5", "a=@1",
	`a=%"f%c3%bc"`, "a,", "a,\tb ", "A", "a=1234567890123456", "a=-", "a=1.", "a=(1", "a=()", "*a", "a;*b=?1", "a=\"\x7f\"",
	"1, 2", `"a", "b"`, "(1 2), x", "sugar, tea, rum", "a;b", "&&&", "a=(1  )", "a=(1\t2)", "a= 1", "a =1", "-1", "a=:aGk:", `"\x"`,
}

// sample writes a value of the oracle or of ours, as far as ours keeps it.
func sample(v any) string {
	switch v := v.(type) {
	case httpsfv.Item:
		return sample(v.Value)
	case httpsfv.InnerList:
		var items []string
		for _, item := range v.Items {
			items = append(items, sample(item))
		}
		return "(" + strings.Join(items, " ") + ")"
	case sfValue:
		return sampleOurs(v)
	case int64:
		return fmt.Sprint("integer ", v)
	case bool:
		return fmt.Sprint("boolean ", v)
	case string:
		return "string " + v
	case httpsfv.Token:
		return "token " + string(v)
	default:
		return "other"
	}
}

func sampleOurs(v sfValue) string {
	switch v.kind {
	case sfInnerList:
		var items []string
		for _, item := range v.items {
			items = append(items, sampleOurs(item))
		}
		return "(" + strings.Join(items, " ") + ")"
	case sfInteger:
		return sample(v.number)
	case sfBoolean:
		return sample(v.truth)
	case sfString:
		return sample(v.text)
	case sfToken:
		return sample(httpsfv.Token(v.text))
	default:
		return sample(nil)
	}
}

func compareDictionary(t *testing.T, lines []string) {
	t.Helper()
	got := map[string]string{}
	ok := readDictionary(lines, func(key string, v sfValue) { got[key] = sample(v) })
	oracle, err := httpsfv.UnmarshalDictionary(lines)
	if ok != (err == nil) {
		t.Fatalf("dictionary %q: ok is %v, the oracle says %v", lines, ok, err)
	}
	if !ok {
		return
	}
	if len(got) != len(oracle.Names()) {
		t.Errorf("dictionary %q: got %v, the oracle has %v", lines, got, oracle.Names())
	}
	for _, key := range oracle.Names() {
		member, _ := oracle.Get(key)
		if want := sample(member); got[key] != want {
			t.Errorf("dictionary %q: %s is %q, the oracle has %q", lines, key, got[key], want)
		}
	}
}

func compareList(t *testing.T, lines []string) {
	t.Helper()
	var got []string
	ok := readList(lines, func(v sfValue) { got = append(got, sample(v)) })
	oracle, err := httpsfv.UnmarshalList(lines)
	if ok != (err == nil) {
		t.Fatalf("list %q: ok is %v, the oracle says %v", lines, ok, err)
	}
	for i := 0; ok && i < max(len(got), len(oracle)); i++ {
		if i >= len(got) || i >= len(oracle) || got[i] != sample(oracle[i]) {
			t.Fatalf("list %q: got %q, the oracle has %v", lines, got, oracle)
		}
	}
}

func TestStructuredFieldsAgreeWithOracle(t *testing.T) {
	for _, a := range structuredSeeds {
		compareDictionary(t, []string{a})
		compareList(t, []string{a})
		for _, b := range structuredSeeds {
			compareDictionary(t, []string{a, b})
			compareList(t, []string{a, b})
		}
	}
}

func FuzzStructuredFields(f *testing.F) {
	for _, s := range structuredSeeds {
		f.Add(s, "b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		compareDictionary(t, []string{a, b})
		compareList(t, []string{a, b})
		compareDictionary(t, []string{a})
		compareList(t, []string{a})
	})
}
