package compiler

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// places says where each field of the lane files was written. It is taken from
// the syntax, not from evaluated values: after unifying with the schema those
// point into the schema, don't keep the authored order, and don't tell that a
// lane was written in two files.
type places struct {
	tree *tree
	// fields are the places of labels, in file order, by path.
	fields map[string][]place
	// order are the files as CUE lists them, which is by name.
	order map[string]int
	files []*ast.File
}

// place is where one field or list element was written.
type place struct {
	label token.Pos
	value ast.Expr
}

// pathKey joins a path's elements; ids may hold dots, never a NUL.
func pathKey(path ...string) string { return strings.Join(path, "\x00") }

func readPlaces(t *tree, files []*ast.File) *places {
	p := &places{tree: t, fields: map[string][]place{}, order: map[string]int{}, files: files}
	for i, f := range files {
		p.order[f.Filename] = i
		p.decls(f.Decls, nil)
	}
	return p
}

func (p *places) decls(decls []ast.Decl, path []string) {
	for _, d := range decls {
		switch d := d.(type) {
		case *ast.Field:
			name, _, err := ast.LabelName(d.Label)
			if err != nil || d.Constraint != token.ILLEGAL {
				// A pattern or computed label names no one field.
				continue
			}
			p.add(append(path, name), d.Label.Pos(), d.Value)
		case *ast.EmbedDecl:
			p.expr(d.Expr, path)
		case *ast.Comprehension:
			p.expr(d.Value, path)
		}
	}
}

func (p *places) add(path []string, label token.Pos, value ast.Expr) {
	key := pathKey(path...)
	p.fields[key] = append(p.fields[key], place{label, value})
	p.expr(value, slices.Clip(path))
}

func (p *places) expr(x ast.Expr, path []string) {
	switch x := x.(type) {
	case *ast.StructLit:
		p.decls(x.Elts, path)
	case *ast.BinaryExpr:
		if x.Op == token.AND {
			p.expr(x.X, path)
			p.expr(x.Y, path)
		}
	case *ast.ParenExpr:
		p.expr(x.X, path)
	case *ast.ListLit:
		for i, e := range x.Elts {
			switch e.(type) {
			case *ast.Comprehension, *ast.Ellipsis:
				// What follows has no index that the syntax tells.
				return
			}
			p.add(append(path, strconv.Itoa(i)), e.Pos(), e)
		}
	}
}

// at is the place of a field's value, or of the nearest field around it.
func (p *places) at(path ...string) Position {
	for n := len(path); n > 0; n-- {
		found := p.fields[pathKey(path[:n]...)]
		if len(found) == 0 {
			continue
		}
		if n == len(path) && !isStruct(found[0].value) {
			return p.position(found[0].value.Pos())
		}
		return p.position(found[0].label)
	}
	return p.file()
}

func isStruct(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.StructLit:
		return true
	case *ast.BinaryExpr:
		return isStruct(x.X) || isStruct(x.Y)
	}
	return false
}

// label is the place where a field's name was written first, or of the nearest
// field around it.
func (p *places) label(path ...string) Position {
	for n := len(path); n > 0; n-- {
		if found := p.fields[pathKey(path[:n]...)]; len(found) > 0 {
			return p.position(found[0].label)
		}
	}
	return p.file()
}

// topLevel are the names of the package's own fields, hidden ones and
// definitions left out, in file order.
func (p *places) topLevel() []string {
	var out []string
	for _, f := range p.files {
		for _, d := range f.Decls {
			field, ok := d.(*ast.Field)
			if !ok {
				continue
			}
			name, isIdent, err := ast.LabelName(field.Label)
			if err == nil && !(isIdent && internal(name)) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// internal reports whether an identifier names a hidden field or a definition.
func internal(name string) bool { return strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#") }

// has reports whether the field's name stands in a lane file.
func (p *places) has(path ...string) bool { return len(p.fields[pathKey(path...)]) > 0 }

// text is the place of a text in a list that the syntax may not index (made by
// list.Concat, say): the literal below the field, else in any file, else the
// field itself.
func (p *places) text(text string, index int, path ...string) Position {
	if full := append(slices.Clip(path), strconv.Itoa(index)); p.has(full...) {
		return p.at(full...)
	}
	var found token.Pos
	look := func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && !found.IsValid() {
			if s, err := literal.Unquote(lit.Value); err == nil && s == text {
				found = lit.Pos()
			}
		}
		return !found.IsValid()
	}
	for _, at := range p.fields[pathKey(path...)] {
		ast.Walk(at.value, look, nil)
	}
	for _, f := range p.files {
		ast.Walk(f, look, nil)
	}
	if found.IsValid() {
		return p.position(found)
	}
	return p.at(path...)
}

// spread are the places of a field in different files, one for each file.
func (p *places) spread(path ...string) []Position {
	var out []Position
	seen := map[string]bool{}
	for _, at := range p.fields[pathKey(path...)] {
		if name := at.label.Filename(); !seen[name] {
			seen[name] = true
			out = append(out, p.position(at.label))
		}
	}
	return out
}

// sortAuthored sorts the names of fields below a path by where they were
// written; those that the syntax does not show (made by a comprehension or a
// template) follow in the evaluator's order, which is the same every time.
func (p *places) sortAuthored(names []string, path ...string) {
	slices.SortStableFunc(names, func(a, b string) int {
		fa, fb := p.fields[pathKey(append(slices.Clip(path), a)...)], p.fields[pathKey(append(slices.Clip(path), b)...)]
		switch {
		case len(fa) == 0 || len(fb) == 0:
			return cmp.Compare(min(len(fb), 1), min(len(fa), 1))
		case fa[0].label.Filename() != fb[0].label.Filename():
			return cmp.Compare(p.order[fa[0].label.Filename()], p.order[fb[0].label.Filename()])
		}
		return cmp.Compare(fa[0].label.Offset(), fb[0].label.Offset())
	})
}

func (p *places) position(pos token.Pos) Position {
	at := pos.Position()
	return Position{File: p.tree.display(at.Filename), Line: at.Line, Column: at.Column}
}

// file is the first lane file, for what has no other place.
func (p *places) file() Position {
	if len(p.files) == 0 {
		return Position{}
	}
	return Position{File: p.tree.display(p.files[0].Filename)}
}
