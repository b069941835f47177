// Package archtest checks that the source keeps to the arrows of docs/ARCHITECTURE.md and to the rules of the house
// that a compiler does not know: no init functions, no package variables that change, no request state in contexts.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Violation is a place where the source breaks a rule.
type Violation struct {
	Where string // file:line
	What  string // what is wrong and what to do
}

func (v Violation) String() string { return v.Where + ": " + v.What }

// pkg is the files of one package that are no tests.
type pkg struct {
	path  string // relative to the module, "" at its root
	files []file
}

// file is a parsed source file.
type file struct {
	name string
	ast  *ast.File
}

// Check reads all packages of the module at root and returns what breaks the rules, in the order of the files. Tests may
// import what they like; folders called testdata, those that begin with a dot or an underscore, and other modules are
// left out.
func Check(root fs.FS, rules []Rule) ([]Violation, error) {
	fset := token.NewFileSet()
	packages, err := read(root, fset)
	if err != nil {
		return nil, err
	}
	c := checker{fset: fset, rules: rules}
	for _, p := range packages {
		c.checkPackage(p)
	}
	return c.found, nil
}

func read(root fs.FS, fset *token.FileSet) (packages []*pkg, err error) {
	byPath := make(map[string]*pkg)
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && leftOut(root, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("archtest: %w", err)
		}
		dir := strings.TrimPrefix(path.Dir(name), ".")
		p := byPath[dir]
		if p == nil {
			p = &pkg{path: dir}
			byPath[dir], packages = p, append(packages, p)
		}
		p.files = append(p.files, file{path.Base(name), parsed})
		return nil
	})
	return packages, err
}

func leftOut(root fs.FS, dir string) bool {
	base := path.Base(dir)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(root, path.Join(dir, "go.mod"))
	return err == nil
}

// checker collects violations.
type checker struct {
	fset  *token.FileSet
	rules []Rule
	found []Violation
}

func (c *checker) report(at token.Pos, format string, args ...any) {
	where := c.fset.Position(at)
	c.found = append(c.found, Violation{fmt.Sprintf("%s:%d", where.Filename, where.Line), fmt.Sprintf(format, args...)})
}

func (c *checker) checkPackage(p *pkg) {
	for _, f := range p.files {
		r := c.rule(p.path, f.name)
		if r == nil {
			c.report(f.ast.Package, "package %q has no rule: say in docs/ARCHITECTURE.md and internal/archtest/rules.go what it may import",
				p.path)
			continue
		}
		c.checkImports(p, f, r)
		if !r.Guest {
			c.checkInit(f)
		}
		if !r.ContextValues {
			c.checkContextValues(f)
		}
	}
	if r := c.rule(p.path, p.files[0].name); r == nil || !r.Guest {
		c.checkVariables(p)
	}
}

func (c *checker) rule(path, file string) *Rule {
	for i := range c.rules {
		if c.rules[i].fits(path, file) {
			return &c.rules[i]
		}
	}
	return nil
}

func (c *checker) checkImports(p *pkg, f file, r *Rule) {
	for _, spec := range f.ast.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			c.report(spec.Pos(), "import %s can't be read", spec.Path.Value)
			continue
		}
		if hint, ok := r.allows(to); !ok {
			c.report(spec.Pos(), "arrow %s -> %s is not one of the house: %s", p.path, to, hint)
		}
	}
}

func (c *checker) checkInit(f file) {
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			c.report(fn.Pos(), "func init runs behind everybody's back: build it where it is wired, or where it is used")
		}
	}
}

// checkContextValues finds context.WithValue, and Value of what is called like a context.
func (c *checker) checkContextValues(f file) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		on, _ := selector.X.(*ast.Ident)
		switch {
		case on == nil:
		case on.Name == "context" && selector.Sel.Name == "WithValue", on.Name == "ctx" && selector.Sel.Name == "Value":
			c.report(call.Pos(), "%s.%s hides state in a context: pass it as a parameter or in the Command", on.Name, selector.Sel.Name)
		}
		return true
	})
}
