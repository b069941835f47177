package examples

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

// TestHeader compares the numbers in the header for guests in C with those of the ABI: all of them, and no others.
func TestHeader(t *testing.T) {
	want := abiNumbers(t)
	got := headerNumbers(t)
	for name, value := range want {
		switch v, ok := got[name]; {
		case !ok:
			t.Errorf("edgecache.h lacks %s (%s)", name, value)
		case v != value:
			t.Errorf("edgecache.h: %s is %s, want %s", name, v, value)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("edgecache.h: %s stands for nothing in the ABI", name)
	}
}

// abiNumbers returns the numeric constants of hostabi's files for guests, named as in C.
func abiNumbers(t *testing.T) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range []string{"../hostabi/abi.go", "../hostabi/imports.go"} {
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	config := types.Config{Error: func(error) {}} // names of the other files: constants do not need them
	pkg, _ := config.Check("hostabi", fset, files, nil)
	numbers := make(map[string]string)
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok && c.Exported() && c.Val().Kind() == constant.Int {
			numbers[cName(name)] = c.Val().ExactString()
		}
	}
	if len(numbers) == 0 {
		t.Fatal("hostabi has no numbers")
	}
	return numbers
}

// cName turns BufNamespaceID into EC_BUF_NAMESPACE_ID.
func cName(name string) string {
	words := regexp.MustCompile(`([a-z])([A-Z])|([A-Z])([A-Z][a-z])`).ReplaceAllString(name, "${1}${3}_${2}${4}")
	return "EC_" + strings.ToUpper(words)
}

// TestHeaderImports compares the functions that the header imports with those of the host, types included.
func TestHeaderImports(t *testing.T) {
	header, err := os.ReadFile("../hostabi/sdk/c/edgecache.h")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]hostabi.Signature)
	declaration := regexp.MustCompile(`(?m)^EC_IMPORT\("(\w+)"\) (\w+) \w+\((.*)\);`)
	for _, m := range declaration.FindAllStringSubmatch(string(header), -1) {
		s := hostabi.Signature{Results: wasmType(m[2])}
		for param := range strings.SplitSeq(m[3], ", ") {
			s.Params += wasmType(param)
		}
		got[m[1]] = s
	}
	want := make(map[string]hostabi.Signature)
	for _, f := range hostabi.HostFunctions() {
		want[f.Name] = f.Signature
	}
	if !maps.Equal(got, want) {
		t.Errorf("edgecache.h imports %v, want %v", got, want)
	}
}

// wasmType returns how a parameter or result in C crosses the border.
func wasmType(c string) string {
	switch {
	case c == "void":
		return ""
	case strings.HasPrefix(c, "uint64_t"):
		return hostabi.I64
	default:
		return hostabi.I32
	}
}

// headerNumbers returns the constants that edgecache.h defines.
func headerNumbers(t *testing.T) map[string]string {
	t.Helper()
	header, err := os.ReadFile("../hostabi/sdk/c/edgecache.h")
	if err != nil {
		t.Fatal(err)
	}
	numbers := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^#define (EC_\w+) (.+)$`).FindAllStringSubmatch(string(header), -1) {
		value, err := types.Eval(token.NewFileSet(), nil, token.NoPos, strings.ReplaceAll(m[2], "ull", ""))
		if err != nil {
			t.Fatalf("edgecache.h: %s: %v", m[1], err)
		}
		numbers[m[1]] = value.Value.ExactString()
	}
	return numbers
}
