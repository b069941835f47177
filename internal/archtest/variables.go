package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// checkVariables finds package variables that change or are there to be changed. What has a first value and is never
// assigned, incremented or pointed to afterwards counts as a constant: error sentinels, tables, compiled patterns,
// embedded files.
func (c *checker) checkVariables(p *pkg) {
	info := c.resolve(p)
	changed := changedVariables(p, info)
	for _, f := range p.files {
		for _, d := range f.ast.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR {
				continue
			}
			for _, s := range decl.Specs {
				c.checkSpec(decl, s.(*ast.ValueSpec), info, changed)
			}
		}
	}
}

func (c *checker) checkSpec(decl *ast.GenDecl, spec *ast.ValueSpec, info *types.Info, changed map[types.Object]token.Pos) {
	if embedded(decl.Doc) || embedded(spec.Doc) {
		return
	}
	const remedy = "keep it in a struct that is passed in"
	for i, name := range spec.Names {
		switch at, isChanged := changed[info.Defs[name]]; {
		case name.Name == "_":
		case isChanged:
			c.report(name.Pos(), "package variable %s is changed at line %d: %s", name.Name, c.fset.Position(at).Line, remedy)
		case len(spec.Values) == 0:
			c.report(name.Pos(), "package variable %s has no first value, so it is there to be changed: %s", name.Name, remedy)
		case i < len(spec.Values) && makesState(spec.Values[i]):
			c.report(name.Pos(), "package variable %s holds something that is there to be changed: %s", name.Name, remedy)
		}
	}
}

func embedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, line := range doc.List {
		if strings.HasPrefix(line.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// makesState reports whether the value is a fresh place to write to.
func makesState(value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.CallExpr:
		fn, ok := v.Fun.(*ast.Ident)
		return ok && (fn.Name == "new" || fn.Name == "make")
	case *ast.UnaryExpr:
		return v.Op == token.AND
	case *ast.CompositeLit:
		selector, ok := v.Type.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		from, ok := selector.X.(*ast.Ident)
		return ok && (from.Name == "sync" || from.Name == "atomic")
	default:
		return false
	}
}

// resolve finds out what the names in a package mean, without what it imports.
func (c *checker) resolve(p *pkg) *types.Info {
	info := &types.Info{Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object)}
	files := make([]*ast.File, len(p.files))
	for i, f := range p.files {
		files[i] = f.ast
	}
	config := types.Config{Importer: nothing{}, Error: func(error) {}, DisableUnusedImportCheck: true}
	_, _ = config.Check(p.path, c.fset, files, info) // imports are missing, so there are errors
	return info
}

// nothing is an importer for which every package is empty.
type nothing struct{}

var _ types.Importer = nothing{}

func (nothing) Import(path string) (*types.Package, error) {
	empty := types.NewPackage(path, path[strings.LastIndexByte(path, '/')+1:])
	empty.MarkComplete()
	return empty, nil
}

// changedVariables returns the package variables that some statement writes to or points to, and one such place.
func changedVariables(p *pkg, info *types.Info) map[types.Object]token.Pos {
	changed := make(map[types.Object]token.Pos)
	mark := func(e ast.Expr) {
		if id := root(e); id != nil {
			if v, ok := info.Uses[id].(*types.Var); ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
				changed[v] = id.Pos()
			}
		}
	}
	for _, f := range p.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, left := range n.Lhs {
					mark(left)
				}
			case *ast.IncDecStmt:
				mark(n.X)
			case *ast.RangeStmt:
				mark(n.Key)
				mark(n.Value)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					mark(n.X)
				}
			case *ast.CallExpr:
				if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear") && len(n.Args) > 0 {
					mark(n.Args[0])
				}
			}
			return true
		})
	}
	return changed
}

// root returns the variable that e is or is a part of.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return nil
		}
	}
}
