package sdk

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/constant"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/edgecache/edgecache/hostabi"
)

// abiFiles are where the numbers stand that guests need.
var abiFiles = []string{"../abi.go", "../imports.go", "../policy.go", "../http.go"}

// group is a block of constants that a comment introduces.
type group struct {
	doc       string
	constants []number
}

// number is a constant of package hostabi.
type number struct {
	name string // as in Go
	doc  string // stands above it
	note string // stands behind it
	// literal is the value as the source has it, if that is a plain literal, which all languages read alike.
	literal string
	value   constant.Value
	kind    kind
}

// kind is what a constant is used as, for languages that want to know.
type kind int

const (
	u32 kind = iota
	i32
	u64
	i64
	u8
	size // a length or an offset in memory
)

// kindOf goes by the names, which begin with what the constant is about.
func kindOf(name string) kind {
	for _, k := range []struct {
		pattern string
		kind    kind
	}{
		{"KVFailed", i64},
		{"KV", i32},
		{"TTL", i64},
		{"Action|Offset|Length|Feature|Label", u64},
		{"Field|HTTPField", u8},
		{"EventContinued", u32},
		{"Buf|MinBuf|PatchHeader|Event|HistogramSlots|Max|Frame|Victim|HTTPFrame|HTTPLine|HTTPEvent", size},
		{"SpecBytes", u32},
		{"Spec", size},
	} {
		if regexp.MustCompile("^(" + k.pattern + ")").MatchString(name) {
			return k.kind
		}
	}
	return u32
}

// readABI returns the numeric constants of the ABI in the order of the source.
func readABI(t *testing.T) (groups []group) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range abiFiles {
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := types.Info{Defs: make(map[*ast.Ident]types.Object)}
	config := types.Config{Error: func(error) {}} // names of the other files: constants do not need them
	_, _ = config.Check("hostabi", fset, files, &info)
	for _, file := range files {
		for _, d := range file.Decls {
			block, ok := d.(*ast.GenDecl)
			if !ok || block.Tok != token.CONST {
				continue
			}
			g := group{doc: block.Doc.Text()}
			for _, spec := range block.Specs {
				if n, ok := readNumber(spec.(*ast.ValueSpec), &info); ok {
					g.constants = append(g.constants, n)
				}
			}
			if len(g.constants) > 0 {
				groups = append(groups, g)
			}
		}
	}
	if len(groups) == 0 {
		t.Fatal("hostabi has no numbers")
	}
	return groups
}

func readNumber(spec *ast.ValueSpec, info *types.Info) (n number, ok bool) {
	name := spec.Names[0]
	c, ok := info.Defs[name].(*types.Const)
	if !ok || !c.Exported() || c.Val().Kind() != constant.Int {
		return n, false
	}
	n = number{name: name.Name, doc: spec.Doc.Text(), note: strings.TrimSpace(spec.Comment.Text()), value: c.Val(), kind: kindOf(name.Name)}
	if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
		n.literal = lit.Value
	}
	return n, true
}

// power returns which power of two the value is, if it is one that reads better so.
func (n number) power() (exponent int, ok bool) {
	v, exact := constant.Uint64Val(n.value)
	for exponent = 17; exponent < 64; exponent++ {
		if exact && v == 1<<exponent {
			return exponent, true
		}
	}
	return 0, false
}

// written returns the value as most languages write it: masks beyond 65536 in hexadecimal, powers of two beyond it as
// such, the rest as it is in the source or in decimal. least is how the language writes the least of 64 bits.
func (n number) written(least string) string {
	v, exact := constant.Uint64Val(n.value)
	exponent, power := n.power()
	switch {
	case n.literal != "":
		return n.literal
	case power:
		return fmt.Sprintf("1 << %d", exponent)
	case exact && v > 1<<16:
		return fmt.Sprintf("%#x", v)
	case n.value.ExactString() == strconv.FormatInt(math.MinInt64, 10):
		return least
	default:
		return n.value.ExactString()
	}
}

// language is how an SDK writes constants.
type language struct {
	name string // as its folder
	file string // in that folder
	// rename turns a name of Go into the language's.
	rename func(string) string
	// declare returns the declaration of n under its name in the language.
	declare func(name string, n number) string
	// before and after enclose the declarations of a group.
	before, after string
	// format lays out the region, in which a tab stands between a declaration and the comment behind it.
	format func(t *testing.T, region string) string
}

func languages() []language {
	return []language{
		{name: "c", file: "edgecache.h", rename: func(s string) string { return "EC_" + upper(s) }, declare: declareC, format: formatColumns},
		{name: "rust", file: "edgecache.rs", rename: upper, declare: declareRust, format: formatPlain},
		{name: "go", file: "abi.go", rename: func(s string) string { return s }, declare: declareGo, before: "const (\n", after: ")\n", format: formatGo},
		{name: "assemblyscript", file: "edgecache.ts", rename: upper, declare: declareAssemblyScript, format: formatPlain},
		{name: "zig", file: "edgecache.zig", rename: lower, declare: declareZig, format: formatPlain},
	}
}

var (
	word    = regexp.MustCompile(`\w+`)
	wordEnd = regexp.MustCompile(`([a-z])([A-Z])|([A-Z])([A-Z][a-z])`)
)

// upper turns BufNamespaceID into BUF_NAMESPACE_ID.
func upper(name string) string {
	name = strings.Replace(name, "KVOK", "KVOk", 1)
	return strings.ToUpper(wordEnd.ReplaceAllString(name, "${1}${3}_${2}${4}"))
}

func lower(name string) string { return strings.ToLower(upper(name)) }

func declareC(name string, n number) string {
	text := n.written("INT64_MIN")
	switch exponent, power := n.power(); {
	case power:
		text = fmt.Sprintf("(1ull << %d)", exponent)
	case text[0] == '-':
		text = "(" + text + ")"
	}
	return "#define " + name + " " + text
}

func declareRust(name string, n number) string {
	types := [...]string{u32: "u32", i32: "i32", u64: "u64", i64: "i64", u8: "u8", size: "usize"}
	return fmt.Sprintf("pub const %s: %s = %s;", name, types[n.kind], n.written("i64::MIN"))
}

func declareGo(name string, n number) string { return name + " = " + n.written("-1 << 63") }

func declareAssemblyScript(name string, n number) string {
	types := [...]string{u32: "u32", i32: "i32", u64: "u64", i64: "i64", u8: "u8", size: "u32"}
	return fmt.Sprintf("export const %s: %s = %s;", name, types[n.kind], n.written("i64.MIN_VALUE"))
}

func declareZig(name string, n number) string {
	return fmt.Sprintf("pub const %s = %s;", name, n.written("-0x8000000000000000"))
}

// formatColumns puts the comments behind declarations below each other.
func formatColumns(t *testing.T, region string) string {
	t.Helper()
	var b strings.Builder
	columns := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	if _, err := io.WriteString(columns, region); err != nil {
		t.Fatal(err)
	}
	if err := columns.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// formatPlain puts a space before the comments, as formatters of code do where they do not line them up.
func formatPlain(_ *testing.T, region string) string { return strings.ReplaceAll(region, "\t", " ") }

// formatGo lays out a region as gofmt does.
func formatGo(t *testing.T, region string) string {
	t.Helper()
	source, err := format.Source([]byte(region))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// region returns all constants in the language, a comment above each group.
func (l language) region(t *testing.T, groups []group) string {
	t.Helper()
	words := l.translator(groups)
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s", comment(words(g.doc)))
		if g.doc != "" && l.before == "" && g.constants[0].doc != "" {
			b.WriteByte('\n')
		}
		b.WriteString(l.before)
		for _, n := range g.constants {
			line := l.declare(l.rename(n.name), n)
			if n.note != "" {
				line += "\t// " + words(n.note) // the tab is for who lays out columns
			}
			fmt.Fprintf(&b, "%s%s\n", comment(words(n.doc)), line)
		}
		b.WriteString(l.after)
	}
	b.WriteByte('\n')
	return l.format(t, b.String())
}

// translator turns the names of Go in comments into the language's, and those of host functions into what they name.
func (l language) translator(groups []group) func(string) string {
	names := map[string]string{
		"HostLog": hostabi.HostLog, "HostRandom": hostabi.HostRandom, "HostMetricDefine": hostabi.HostMetricDefine,
	}
	for _, g := range groups {
		for _, n := range g.constants {
			names[n.name] = l.rename(n.name)
		}
	}
	return func(text string) string {
		return word.ReplaceAllStringFunc(text, func(name string) string { return cmp.Or(names[name], name) })
	}
}

// comment returns text as lines of comment.
func comment(text string) string {
	if text == "" {
		return ""
	}
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		b.WriteString(strings.TrimSpace("// "+strings.Replace(line, "\t", "    ", 1)) + "\n")
	}
	return b.String()
}
