package compiler

import (
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/sledtools/pikaci/schema"
)

// This file finds packages whose lanes come out the same without the schema,
// which then need only be held against it (rules.go). The schema adds no field
// and no value; all it does is to refuse. From inside a package that can only be
// felt by what looks at a struct or list of a lane, or at a field that is not
// certain to be there: is it closed, what can be unified with it, which of
// several is left. Where the syntax does not show that nothing does, the schema
// is evaluated with the rest.

// bare reports whether a file uses the schema for nothing but to bind lanes and
// roles, and says nothing that could tell whether they are bound.
func (f *splitFile) bare() bool {
	return !slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		switch d := d.(type) {
		case *ast.Package, *ast.ImportDecl, *ast.CommentGroup:
			return false
		case *ast.Field:
			return !bindsSchema(d) && !bareField(d)
		}
		return !bareAll(d)
	})
}

// bindsSchema reports whether a field at the top of a file binds lanes or roles
// to what the schema has for them, and does nothing else.
func bindsSchema(d *ast.Field) bool {
	definition := map[string]string{"lanes": "#Lanes", "roles": "#Roles"}
	name, _, err := ast.LabelName(d.Label)
	if err != nil || !isBinding(d.Value) || d.Constraint != token.ILLEGAL || len(d.Attrs) > 0 {
		return false
	}
	sel := d.Value.(*ast.SelectorExpr)
	bound, _, err := ast.LabelName(sel.Sel)
	spec := sel.X.(*ast.Ident).Node.(*ast.ImportSpec)
	return err == nil && bound == definition[name] && unquoted(spec.Path) == schema.ImportPath
}

// bareAll looks at a node and at all that is in it.
func bareAll(n ast.Node) bool {
	all := true
	ast.Walk(n, func(n ast.Node) bool {
		bare, within := bareNode(n)
		all = all && bare
		return all && within
	}, nil)
	return all
}

// bareNode looks at one node, and says whether what is in it is still to be
// looked at.
func bareNode(n ast.Node) (bare, within bool) {
	switch n := n.(type) {
	case *ast.BasicLit, *ast.ParenExpr, *ast.ListLit, *ast.EmbedDecl, *ast.Ellipsis, *ast.Comment, *ast.CommentGroup:
		return true, true
	case *ast.StructLit:
		return !slices.ContainsFunc(n.Elts, typed), true
	case *ast.Comprehension:
		return n.Fallback == nil, true
	case *ast.Field:
		label, ok := n.Label.(*ast.Ident)
		return !(ok && strings.Contains(label.Name, "#")) && bareField(n), false
	case *ast.Ident:
		return bareName(n, false), false
	case *ast.LetClause:
		return bareAll(n.Expr), false
	case *ast.ForClause:
		return bareAll(n.Source), false
	case *ast.IfClause:
		return bareAtoms(n.Condition), false
	case *ast.Interpolation:
		return bareAtoms(n.Elts...), false
	case *ast.SelectorExpr:
		return bareAll(n.X), false
	case *ast.IndexExpr:
		return bareAll(n.X) && bareAtoms(n.Index), false
	case *ast.CallExpr:
		return bareCall(n), false
	case *ast.UnaryExpr:
		return n.Op != token.MUL, true
	case *ast.BinaryExpr:
		return bareBinary(n)
	}
	return false, false
}

// typed reports whether a declaration says what further fields are to be.
func typed(d ast.Decl) bool {
	rest, ok := d.(*ast.Ellipsis)
	return ok && rest.Type != nil
}

func bareField(f *ast.Field) bool {
	if f.Alias != nil || f.Constraint != token.ILLEGAL || len(f.Attrs) > 0 {
		return false
	}
	switch label := f.Label.(type) {
	case *ast.Ident, *ast.BasicLit:
	case *ast.Interpolation:
		return bareAtoms(label) && bareAll(f.Value)
	case *ast.ParenExpr:
		return bareAtoms(label.X) && bareAll(f.Value)
	case *ast.ListLit:
		for _, names := range label.Elts {
			if alias, ok := names.(*ast.Alias); ok {
				names = alias.Expr
			}
			if !bareAll(names) {
				return false
			}
		}
	default:
		return false
	}
	return bareAll(f.Value)
}

// bareAtoms looks at expressions of whose values only a text, a number or true
// or false is taken, and all else is an error with or without the schema.
func bareAtoms(list ...ast.Expr) bool {
	return !slices.ContainsFunc(list, func(x ast.Expr) bool {
		if name, ok := x.(*ast.Ident); ok {
			return !bareName(name, true)
		}
		return !bareAll(x)
	})
}

// bareName looks at what a name leads to. A value that stands at the top of the
// package under a name of its own has nothing to do with the schema; a field
// within a struct has, if the struct comes to be part of a lane. It is there,
// or it would have no name, and is what the schema leaves if it is an atom.
func bareName(x *ast.Ident, atom bool) bool {
	switch x.Node.(type) {
	case nil:
		return internal(x.Name) && !strings.HasPrefix(x.Name, "__") || slices.Contains(bareTypes, x.Name)
	case *ast.ImportSpec:
		return false
	case *ast.LetClause:
		// What it stands for was looked at.
		return true
	}
	switch x.Scope.(type) {
	case *ast.File:
		return internal(x.Name)
	case *ast.ForClause, *ast.LetClause:
		return true
	}
	return atom
}

// bareTypes are CUE's own names for kinds of values.
var bareTypes = []string{"string", "int", "bool", "number", "float", "uint", "bytes"}

// bareCall takes calls of functions of which it is known what they make of a
// value: all that take nothing but texts and numbers, and some of list's.
func bareCall(x *ast.CallExpr) bool {
	sel, ok := x.Fun.(*ast.SelectorExpr)
	if !ok {
		name, ok := x.Fun.(*ast.Ident)
		return ok && name.Node == nil && name.Name == "len" && bareAllOf(x.Args)
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return false
	}
	spec, ok := pkg.Node.(*ast.ImportSpec)
	if !ok {
		return false
	}
	switch unquoted(spec.Path) {
	case "strings", "strconv", "path":
		return bareAtoms(x.Args...)
	case "list":
		name, _, err := ast.LabelName(sel.Sel)
		return err == nil && slices.Contains([]string{"Concat", "FlattenN", "Range", "Repeat", "Reverse", "Slice", "SortStrings"}, name) && bareAllOf(x.Args)
	}
	return false
}

func bareAllOf(list []ast.Expr) bool {
	return !slices.ContainsFunc(list, func(x ast.Expr) bool { return !bareAll(x) })
}

func bareBinary(x *ast.BinaryExpr) (bare, within bool) {
	switch x.Op {
	case token.AND, token.LAND, token.LOR, token.ADD:
		return true, true
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.MAT, token.NMAT:
		// Of structs and lists it would count what is in them.
		_, left := x.X.(*ast.BasicLit)
		_, right := x.Y.(*ast.BasicLit)
		return (left || right) && bareAtoms(x.X, x.Y), false
	case token.OR:
		return bareChoice(x), false
	}
	return false, false
}

// bareChoice takes choices among texts and numbers alone: which one is left or
// is the default is held against the schema in the end. Of structs, the schema
// may refuse one and leave another.
func bareChoice(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return x.Node == nil && slices.Contains(bareTypes, x.Name)
	case *ast.UnaryExpr:
		return bareChoice(x.X)
	case *ast.BinaryExpr:
		return x.Op == token.OR && bareChoice(x.X) && bareChoice(x.Y)
	}
	return false
}
