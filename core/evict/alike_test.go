package evict

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// source is the file that a policy is in.
func source(name string) string {
	switch name {
	case "2q":
		return "twoq.go"
	case "wtinylfu-adaptive":
		return "wtinylfu.go"
	}
	return name + ".go"
}

// TestPoliciesReadAlike demands that each policy's file names its paper, and has what all have in the same order.
func TestPoliciesReadAlike(t *testing.T) {
	year := regexp.MustCompile(`\b(19|20)\d\d\b`)
	for _, info := range Policies() {
		file, err := parser.ParseFile(token.NewFileSet(), source(info.Name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			switch {
			case ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "new") && len(got) == 0:
				got = append(got, "new")
			case ok && f.Recv != nil && slices.Contains([]string{"Prepare", "Replay", "Hit", "Insert", "Remove", "Contains"}, f.Name.Name):
				got = append(got, f.Name.Name)
			}
		}
		want := []string{"new", "Replay", "Hit", "Insert", "Remove", "Contains"}
		if !info.Online {
			want = slices.Insert(want, 1, "Prepare")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", source(info.Name), got, want)
		}
		var comments strings.Builder
		for _, c := range file.Comments {
			comments.WriteString(c.Text())
		}
		years := year.FindAllString(info.Paper, -1)
		for _, y := range years {
			if !strings.Contains(comments.String(), y) {
				t.Errorf("%s does not name the paper %s", source(info.Name), info.Paper)
			}
		}
		if len(years) == 0 {
			t.Errorf("%s has no paper", info.Name)
		}
	}
}

// TestPoliciesAreDocumented demands that docs/POLICIES.md has each policy with its paper and its parameters.
func TestPoliciesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/POLICIES.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.ReplaceAll(string(text), "\n", " ")
	for _, info := range Policies() {
		for _, want := range []string{fmt.Sprintf("**%s** (`%s`)", info.Title, info.Name), "*" + info.Paper + ".*"} {
			if !strings.Contains(doc, want) {
				t.Errorf("docs/POLICIES.md has no %q", want)
			}
		}
		for name, value := range info.Params {
			if want := fmt.Sprintf("| `%s` | `%s` | %s |", info.Name, name, value); !strings.Contains(doc, want) {
				t.Errorf("docs/POLICIES.md has no row %q", want)
			}
		}
	}
}
