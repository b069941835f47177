package hostabi

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDocument sees that docs/ABI.md speaks of everything that a guest can meet.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../docs/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	var words []string
	exports := ExportSignatures()
	maps.Copy(exports, PolicySignatures())
	maps.Copy(exports, HTTPSignatures())
	for name, s := range exports {
		words = append(words, "`"+name+"`", signatureWithNames(text, name, s))
	}
	for _, f := range HostFunctions() {
		words = append(words, "`"+f.Name+"`", signatureWithNames(text, f.Name, f.Signature))
	}
	for op := 1; op < OpCount; op++ {
		words = append(words, fmt.Sprintf("%d `%s`", op, opNames[op]))
	}
	for _, c := range slices.Concat(Capabilities(), []string{KindSum, KindMax, KindMin, KindLog2, KindMean, KindRatio, ImportModule, WASIModule}) {
		words = append(words, "`"+c+"`")
	}
	for i, phase := range HTTPPhases()[:HTTPPhaseCount-1] {
		words = append(words, fmt.Sprintf("| %d | `%s` |", i+1, phase))
	}
	for i, field := range []string{
		"action", "location", "body", "set", "add", "remove", "target", "hide", "extra", "vary", "lookup", "store", "ttl", "swr",
		"sie", "tag", "refuse",
	} {
		words = append(words, fmt.Sprintf("| %d %s |", i+1, field))
	}
	for i, a := range actionNames {
		words = append(words, fmt.Sprintf("| %d %s |", i, a))
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("docs/ABI.md does not say %s", w)
		}
	}
}

// signatureWithNames returns what the document should say about a function's type: its own words, if those without the
// parameters' names are the signature.
func signatureWithNames(text, name string, s Signature) string {
	for line := range strings.SplitSeq(text, "\n") {
		cells := strings.Split(line, " | ")
		if len(cells) < 2 || cells[0] != "| `"+name+"`" {
			continue
		}
		plain := strings.Trim(cells[1], "`")
		params, _, _ := strings.Cut(plain[1:], ")")
		if params != "" {
			var types []string
			for p := range strings.SplitSeq(params, ", ") {
				types = append(types, p[strings.LastIndex(p, " ")+1:])
			}
			plain = strings.Replace(plain, params, strings.Join(types, ", "), 1)
		}
		if plain == s.String() {
			return cells[1]
		}
	}
	return name + " " + s.String()
}
