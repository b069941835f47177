package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// features are the rows of docs/COMPATIBILITY.md, by the letter of what they come from: how many there are.
var features = []struct {
	letter string
	rows   int
}{{"L", 39}, {"A", 33}, {"I", 12}, {"C", 13}, {"O", 17}, {"W", 5}, {"S", 10}}

var (
	featureRow = regexp.MustCompile(`(?m)^\| ([A-Z][0-9]+) \|(.*)\|$`)
	namedTest  = regexp.MustCompile("`((?:Test|Example|Fuzz)[A-Za-z0-9_]*)((?:/[^`]+)?)`")
	outOfScope = []string{"C10"}
)

// TestCompatibility checks that each feature has one row, and that each row names tests that are there.
func TestCompatibility(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "COMPATIBILITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range featureRow.FindAllStringSubmatch(string(text), -1) {
		if _, twice := rows[m[1]]; twice {
			t.Errorf("%s has two rows", m[1])
		}
		rows[m[1]] = m[2]
	}
	wanted := 0
	for _, f := range features {
		wanted += f.rows
		for i := range f.rows {
			id := fmt.Sprint(f.letter, i+1)
			row, ok := rows[id]
			if !ok {
				t.Errorf("%s has no row", id)
				continue
			}
			checkRow(t, id, row)
		}
	}
	if len(rows) != wanted {
		t.Errorf("%d rows, want %d", len(rows), wanted)
	}
}

// checkRow looks for the tests of a row: what has it | folder `TestA`, `TestB/sub`; folder `TestC` | notes.
func checkRow(t *testing.T, id, row string) {
	cells := strings.Split(row, " | ")
	if len(cells) != 3 {
		t.Errorf("%s has %d cells behind its number, want 3", id, len(cells))
		return
	}
	found := 0
	for part := range strings.SplitSeq(strings.TrimSpace(cells[1]), "; ") {
		folder, names, _ := strings.Cut(part, " ")
		for _, test := range namedTest.FindAllStringSubmatch(names, -1) {
			found++
			checkTest(t, id, folder, test[1], strings.TrimPrefix(test[2], "/"))
		}
	}
	if found == 0 && !slices.Contains(outOfScope, id) {
		t.Errorf("%s names no test", id)
	}
}

// suites are the folders that tests elsewhere have their subtests from.
var suites = []string{"backends/backendtest", "core/codec/codectest"}

// checkTest looks for a test in the sources of a folder, and for the words that its subtests are called.
func checkTest(t *testing.T, id, folder, name, subtests string) {
	tests := sources(t, folder, "*_test.go")
	if !strings.Contains(tests, "\nfunc "+name+"(") {
		t.Errorf("%s: %s has no %s", id, folder, name)
	}
	for _, suite := range suites {
		tests += sources(t, suite, "*.go")
	}
	for sub := range strings.FieldsFuncSeq(subtests, func(r rune) bool { return r == '/' }) {
		if !strings.Contains(tests, `"`+sub+`"`) && !strings.Contains(tests, `"`+strings.ReplaceAll(sub, "_", " ")+`"`) {
			t.Errorf("%s: nothing in %s is called %s/%s", id, folder, name, sub)
		}
	}
}

func sources(t *testing.T, folder, pattern string) string {
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), pattern))
	if err != nil || len(files) == 0 {
		t.Errorf("folder %q has no %s", folder, pattern)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
